"""The objectives as JAX users write them: whole arrays, `vmap`, `scan`."""

from __future__ import annotations

import math

import numpy as np

from bench.peers import jax_

__all__ = ["gmm_objective", "hand_simple", "lstm_objective", "reprojection"]


def gmm_objective(alphas, means, icf, x):
    """The mixture without the constants of the prior (gamma = 1, m = 0)."""
    jax = jax_()
    jnp = jax.numpy
    n, d = x.shape
    columns, rows = np.triu_indices(d, 1)               # column by column below the diagonal
    diagonal = jnp.exp(icf[:, :d])
    lower = jnp.zeros((icf.shape[0], d, d)).at[:, rows, columns].set(icf[:, d:])
    centred = x[:, None, :] - means[None]
    product = diagonal * centred + jnp.einsum("kab,nkb->nka", lower, centred)
    terms = alphas + icf[:, :d].sum(1) - 0.5 * (product**2).sum(-1)
    lse = jax.scipy.special.logsumexp
    prior = 0.5 * ((diagonal**2).sum() + (icf[:, d:] ** 2).sum())
    return -n * d * 0.5 * math.log(2 * math.pi) + lse(terms, axis=1).sum() - n * lse(alphas) + prior


def reprojection(camera, point, weight, feature):
    jnp = jax_().numpy
    r, z = camera[:3], point - camera[3:6]
    theta = jnp.sqrt(r @ r)
    v = r / theta
    p = z * jnp.cos(theta) + jnp.cross(v, z) * jnp.sin(theta) + v * (v @ z) * (1 - jnp.cos(theta))
    p = p[:2] / p[2]
    s = p @ p
    p = p * (1 + camera[9] * s + camera[10] * s * s) * camera[6] + camera[7:9]
    return weight * (p - feature)


def lstm_objective(main, extra, start, sequence):
    jax = jax_()
    jnp = jax.numpy
    b = sequence.shape[1]
    layers = main.shape[0] // 2

    def step(state, pair):
        now, following = pair
        signal, out = now * extra[0], []
        for i in range(layers):
            weight, bias = main[2 * i].reshape(4, b), main[2 * i + 1].reshape(4, b)
            hidden, cell = state[2 * i], state[2 * i + 1]
            forget = jax.nn.sigmoid(signal * weight[0] + bias[0])
            ingate = jax.nn.sigmoid(hidden * weight[1] + bias[1])
            outgate = jax.nn.sigmoid(signal * weight[2] + bias[2])
            cell = cell * forget + ingate * jnp.tanh(hidden * weight[3] + bias[3])
            signal = outgate * jnp.tanh(cell)
            out += [signal, cell]
        y = signal * extra[1] + extra[2]
        return jnp.stack(out), jnp.sum(following * (y - jnp.log(2 + jnp.sum(jnp.exp(y)))))

    _, terms = jax.lax.scan(step, start, (sequence[:-1], sequence[1:]))
    return -terms.sum() / ((sequence.shape[0] - 1) * b)


def euler(x, z, y):
    jnp = jax_().numpy
    cx, sx, cy, sy, cz, sz = jnp.cos(x), jnp.sin(x), jnp.cos(y), jnp.sin(y), jnp.cos(z), jnp.sin(z)
    zero, one = jnp.zeros_like(x), jnp.ones_like(x)
    rows = [[cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz, zero],
            [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz, zero],
            [-sy, sx * cy, cx * cy, zero], [zero, zero, zero, one]]
    return jnp.moveaxis(jnp.array(rows), 2, 0)


def rodrigues(r):
    jnp = jax_().numpy
    norm = jnp.sqrt(r @ r)
    x, y, z = r / norm
    cross = jnp.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    axis = r / norm
    return jnp.cos(norm) * jnp.eye(3) + jnp.sin(norm) * cross + (1 - jnp.cos(norm)) * jnp.outer(axis, axis)


def hand_simple(parents):
    """Return the errors as a function of all else; the tree of bones is known when it is traced."""
    def errors(theta, relative, inverse, base, weights, corresponding, measured):
        jnp = jax_().numpy
        finger = theta[6:].reshape(5, 4)
        first, zero = 1 + 4 * np.arange(5), jnp.zeros((22, 3), theta.dtype)
        angles = (zero.at[first + 1, :2].set(finger[:, :2]).at[first + 2, 0].set(finger[:, 2])
                  .at[first + 3, 0].set(finger[:, 3]))
        local = relative @ euler(*angles.T).astype(theta.dtype)
        absolute = []
        for i, parent in enumerate(parents):
            absolute.append(local[i] if parent < 0 else absolute[parent] @ local[i])
        moved = jnp.einsum("bij,jv->biv", (jnp.stack(absolute) @ inverse)[:, :3], base)
        posed = rodrigues(theta[:3]).astype(theta.dtype) @ jnp.einsum("bv,biv->iv", weights, moved)
        vertices = posed + theta[3:6, None]
        return (measured - vertices[:, corresponding].T).ravel()
    return errors
