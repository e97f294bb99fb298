"""The loop kernels as JAX users write them: whole arrays where a kernel allows it, `scan` where it does not.

Each takes the arguments of the kernel of the same name and returns what that
returns, or the arrays that it writes, in the order of its parameters.  `LIBRARY`
holds what a call of a library does as a whole, as a second contestant.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

__all__ = ["LIBRARY", "LOOPS"]

LOOPS, LIBRARY = {}, {}


def loops(function):
    LOOPS[function.__name__] = function
    return function


def library(function):
    LIBRARY[function.__name__.removesuffix("_by_library")] = function
    return function


# -- stencils ------------------------------------------------------------------------

@loops
def jacobi_1d(steps, a, b):
    for _ in range(steps):
        b = b.at[1:-1].set(0.33333 * (a[:-2] + a[1:-1] + a[2:]))
        a = a.at[1:-1].set(0.33333 * (b[:-2] + b[1:-1] + b[2:]))
    return a, b


def cross(a):
    return 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])


@loops
def jacobi_2d(steps, a, b):
    for _ in range(steps):
        b = b.at[1:-1, 1:-1].set(cross(a))
        a = a.at[1:-1, 1:-1].set(cross(b))
    return a, b


def star(a):
    middle = a[1:-1, 1:-1, 1:-1]
    return (0.125 * (a[2:, 1:-1, 1:-1] - 2.0 * middle + a[:-2, 1:-1, 1:-1])
            + 0.125 * (a[1:-1, 2:, 1:-1] - 2.0 * middle + a[1:-1, :-2, 1:-1])
            + 0.125 * (a[1:-1, 1:-1, 2:] - 2.0 * middle + a[1:-1, 1:-1, :-2]) + middle)


@loops
def heat_3d(steps, a, b):
    for _ in range(steps):
        b = b.at[1:-1, 1:-1, 1:-1].set(star(a))
        a = a.at[1:-1, 1:-1, 1:-1].set(star(b))
    return a, b


@loops
def seidel_2d(steps, a):
    """Row after row; within a row a linear recurrence, its terms composed in parallel."""
    n = a.shape[0]
    factors = jnp.full(n - 2, 1.0 / 9.0, a.dtype)

    def compose(left, right):
        return left[0] * right[0], left[1] * right[0] + right[1]

    def row(above, here_and_below):
        here, below = here_and_below
        terms = (above[:-2] + above[1:-1] + above[2:] + here[1:-1] + here[2:]
                 + below[:-2] + below[1:-1] + below[2:]) / 9.0
        terms = terms.at[0].add(here[0] / 9.0)
        inner = lax.associative_scan(compose, (factors, terms))[1]
        here = here.at[1:-1].set(inner)
        return here, here

    for _ in range(steps):
        _, rows = lax.scan(row, a[0], (a[1:-1], a[2:]))
        a = a.at[1:-1].set(rows)
    return a


@loops
def fdtd_2d(ex, ey, hz, source):
    for t in range(source.shape[0]):
        ey = ey.at[0, :].set(source[t])
        ey = ey.at[1:, :].add(-0.5 * (hz[1:, :] - hz[:-1, :]))
        ex = ex.at[:, 1:].add(-0.5 * (hz[:, 1:] - hz[:, :-1]))
        hz = hz.at[:-1, :-1].add(-0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1]))
    return ex, ey, hz


def sweep(right, lower, denominators, coefficients):
    """Solve tridiagonal systems, one for each column of `right`, with ones at both ends."""
    def forward(q, terms):
        r, denominator = terms
        q = (r - lower * q) / denominator
        return q, q

    def backward(v, terms):
        q, c = terms
        v = c * v + q
        return v, v

    ones = jnp.ones(right.shape[1], right.dtype)
    _, q = lax.scan(forward, ones, (right, denominators))
    _, v = lax.scan(backward, ones, (q, coefficients), reverse=True)
    return jnp.concatenate([ones[None], v, ones[None]])


def elimination(n, outer, inner, dtype):
    """Return the denominators and coefficients of the forward sweep; no data enter them."""
    p, denominators, coefficients = 0.0, [], []
    for _ in range(1, n - 1):
        denominators.append(outer * p + inner)
        p = -outer / denominators[-1]
        coefficients.append(p)
    return jnp.array(denominators, dtype), jnp.array(coefficients, dtype)


@loops
def adi(steps, u):
    n = u.shape[0]
    dx, dt = 1.0 / n, 1.0 / steps
    a, d = -dt / (dx * dx), -dt / (dx * dx) / 2.0
    columns, rows = elimination(n, a, 1.0 - 2.0 * a, u.dtype), elimination(n, d, 1.0 - 2.0 * d, u.dtype)
    for _ in range(steps):
        right = -d * u[1:-1, :-2] + (1.0 + 2.0 * d) * u[1:-1, 1:-1] - d * u[1:-1, 2:]
        v = sweep(right, a, *columns)
        right = -a * v[:-2] + (1.0 + 2.0 * a) * v[1:-1] - a * v[2:]
        u = u.at[1:-1].set(sweep(right.T, d, *rows).T)
    return u


# -- dense linear algebra --------------------------------------------------------------

@loops
def lu(a):
    """Column after column: scale below the pivot, subtract a product from what remains."""
    index = jnp.arange(a.shape[0])

    def step(a, k):
        below = index > k
        factors = jnp.where(below, a[:, k] / a[k, k], 0.0)
        row = jnp.where(below, a[k], 0.0)
        a = a - factors[:, None] * row
        return a.at[:, k].set(jnp.where(below, factors, a[:, k])), None

    return lax.scan(step, a, index)[0]


@library
def lu_by_library(a):
    return lax.linalg.lu(a)[0]


@loops
def cholesky(a):
    index = jnp.arange(a.shape[0])

    def step(lower, k):
        pivot = jnp.sqrt(lower[k, k])
        column = jnp.where(index > k, lower[:, k] / pivot, 0.0)
        lower = lower - column[:, None] * jnp.where(index[None] > k, column, 0.0)
        return lower.at[:, k].set(jnp.where(index > k, column, lower[:, k])).at[k, k].set(pivot), None

    lower = lax.scan(step, jnp.tril(a), index)[0]
    return jnp.tril(lower) + jnp.triu(a, 1)


@library
def cholesky_by_library(a):
    lower = lax.linalg.cholesky(jnp.tril(a) + jnp.tril(a, -1).T, symmetrize_input=False)
    return lower + jnp.triu(a, 1)


@loops
def durbin(r):
    n = r.shape[0]
    index = jnp.arange(n)
    reversed_r = jnp.concatenate([r[::-1], jnp.zeros(n, r.dtype)])

    def step(carry, k):
        y, alpha, beta = carry
        beta = (1.0 - alpha * alpha) * beta
        total = lax.dynamic_slice(reversed_r, (n - k,), (n,)) @ y
        alpha = -(r[k] + total) / beta
        turned = lax.dynamic_slice(jnp.concatenate([y[::-1], jnp.zeros(n, r.dtype)]), (n - k,), (n,))
        return ((y + alpha * turned).at[k].set(alpha), alpha, beta), None

    start = jnp.where(index == 0, -r[0], 0.0), -r[0], jnp.ones((), r.dtype)
    return lax.scan(step, start, index[1:])[0][0]


@loops
def gramschmidt(a):
    n = a.shape[1]
    index = jnp.arange(n)

    def step(a, k):
        norm = jnp.sqrt(a[:, k] @ a[:, k])
        q = a[:, k] / norm
        row = jnp.where(index > k, q @ a, 0.0)
        return a - q[:, None] * row, (q, row.at[k].set(norm))

    _, (q, r) = lax.scan(step, a, index)
    return q.T, r


@loops
def trisolv(lower, x, b):
    def step(x, terms):
        i, row, pivot, right = terms
        return x.at[i].set((right - row @ x) / pivot), None

    index = jnp.arange(b.shape[0])
    return lax.scan(step, jnp.zeros_like(b), (index, lower, jnp.diagonal(lower), b))[0]


@library
def trisolv_by_library(lower, x, b):
    return jax.scipy.linalg.solve_triangular(lower, b, lower=True)


@library
def symm_by_library(alpha, beta, c, a, b):
    return beta * c + alpha * ((jnp.tril(a) + jnp.tril(a, -1).T) @ b)


@loops
def floyd_warshall(path):
    def step(path, k):
        return jnp.minimum(path, path[:, k, None] + path[None, k, :]), None

    return lax.scan(step, path, jnp.arange(path.shape[0]))[0]


# -- filters and fields ------------------------------------------------------------------

def smoothed(x, now, before, b1, b2):
    """Return the recursive filter along the first axis; `now` and `before` weigh the samples."""
    def step(carry, sample):
        y1, y2, previous = carry
        y = now * sample + before * previous + b1 * y1 + b2 * y2
        return (y, y1, sample), y

    zero = jnp.zeros(x.shape[1:], x.dtype)
    return lax.scan(step, (zero, zero, zero), x)[1]


def smoothed_back(x, once, twice, b1, b2):
    def step(carry, sample):
        y1, y2, x1, x2 = carry
        y = once * x1 + twice * x2 + b1 * y1 + b2 * y2
        return (y, y1, sample, x1), y

    zero = jnp.zeros(x.shape[1:], x.dtype)
    return lax.scan(step, (zero, zero, zero, zero), x, reverse=True)[1]


@loops
def deriche(alpha, image):
    e = jnp.exp(-alpha)
    k = (1.0 - e) * (1.0 - e) / (1.0 + 2.0 * alpha * e - jnp.exp(2.0 * alpha))
    a2, a3, a4 = k * e * (alpha - 1.0), k * e * (alpha + 1.0), -k * jnp.exp(-2.0 * alpha)
    b1, b2 = 2.0 ** (-alpha), -jnp.exp(-2.0 * alpha)
    turned = image.T
    out = (smoothed(turned, k, a2, b1, b2) + smoothed_back(turned, a3, a4, b1, b2)).T
    return smoothed(out, k, a2, b1, b2) + smoothed_back(out, a3, a4, b1, b2)


@loops
def hdiff(field, out, coeff):
    ni, nj, _ = out.shape
    lap = 4.0 * field[1:ni + 3, 1:nj + 3, :] - (
        field[2:ni + 4, 1:nj + 3, :] + field[0:ni + 2, 1:nj + 3, :]
        + field[1:ni + 3, 2:nj + 4, :] + field[1:ni + 3, 0:nj + 2, :])
    res_x = lap[1:, 1:nj + 1, :] - lap[:-1, 1:nj + 1, :]
    flux_x = jnp.where(res_x * (field[2:ni + 3, 2:nj + 2, :] - field[1:ni + 2, 2:nj + 2, :]) > 0.0, 0.0, res_x)
    res_y = lap[1:ni + 1, 1:, :] - lap[1:ni + 1, :-1, :]
    flux_y = jnp.where(res_y * (field[2:ni + 2, 2:nj + 3, :] - field[2:ni + 2, 1:nj + 2, :]) > 0.0, 0.0, res_y)
    return field[2:ni + 2, 2:nj + 2, :] - coeff * (
        flux_x[1:, :, :] - flux_x[:-1, :, :] + flux_y[:, 1:, :] - flux_y[:, :-1, :])


@loops
def vadv(utens_stage, u_stage, wcon, u_pos, utens, dtr):
    """The five levels unrolled."""
    nk = utens_stage.shape[2]
    wind = 0.25 * (wcon[1:] + wcon[:-1])
    steps = u_stage[:, :, 1:] - u_stage[:, :, :-1]
    given = dtr * u_pos + utens + utens_stage
    c = [wind[:, :, 1] * 0.5 / (dtr - wind[:, :, 1] * 0.5)]
    d = [(given[:, :, 0] - wind[:, :, 1] * 0.5 * steps[:, :, 0]) / (dtr - wind[:, :, 1] * 0.5)]
    for k in range(1, nk):
        lower = -wind[:, :, k] * 0.5
        upper = wind[:, :, k + 1] * 0.5 if k < nk - 1 else 0.0
        correction = lower * steps[:, :, k - 1]
        if k < nk - 1:
            correction = correction - upper * steps[:, :, k]
        divided = 1.0 / (dtr - lower - upper - c[-1] * lower)
        d.append((given[:, :, k] + correction - d[-1] * lower) * divided)
        c.append(upper * divided)
    columns = [d[-1]]
    for k in range(nk - 2, -1, -1):
        columns.append(d[k] - c[k] * columns[-1])
    return dtr * (jnp.stack(columns[::-1], axis=2) - u_pos)


# -- machine learning ----------------------------------------------------------------------

@loops
def softmax(x, out):
    e = jnp.exp(x - jnp.max(x, axis=1, keepdims=True))
    return e / jnp.sum(e, axis=1, keepdims=True)


@library
def mlp_by_library(x, w1, b1, w2, b2):
    hidden = jnp.maximum(x @ w1 + b1, 0.0)
    return softmax(hidden @ w2 + b2, None)


@library
def conv2d_by_library(image, weights, bias, out):
    return bias + lax.conv_general_dilated(image, weights, (1, 1), "VALID",
                                           dimension_numbers=("NHWC", "HWIO", "NHWC"))


# -- irregular and small --------------------------------------------------------------------

@loops
def spmv(starts, columns, values, x):
    rows = starts.shape[0] - 1
    row = jnp.repeat(jnp.arange(rows), jnp.diff(starts), total_repeat_length=values.shape[0])
    return jax.ops.segment_sum(values * x[columns], row, rows, indices_are_sorted=True)


def acceleration(position, mass, softening):
    apart = position[None, :, :] - position[:, None, :]
    weight = mass * (jnp.sum(apart**2, axis=2) + softening**2) ** (-1.5)
    return jnp.einsum("ij,ija->ia", weight, apart)


@loops
def nbody(mass, position, velocity, dt, softening, steps):
    energy = []
    force = acceleration(position, mass, softening)
    for _ in range(steps):
        velocity = velocity + force * (0.5 * dt)
        position = position + velocity * dt
        force = acceleration(position, mass, softening)
        velocity = velocity + force * (0.5 * dt)
        energy.append(jnp.sum(0.5 * mass * jnp.sum(velocity**2, axis=1)))
    return jnp.stack(energy)


@loops
def go_fast(a):
    return a + jnp.sum(jnp.tanh(jnp.diagonal(a)))


@loops
def arc_distance(theta_1, phi_1, theta_2, phi_2):
    temp = (jnp.sin((theta_2 - theta_1) / 2.0) ** 2
            + jnp.cos(theta_1) * jnp.cos(theta_2) * jnp.sin((phi_2 - phi_1) / 2.0) ** 2)
    return 2.0 * jnp.arctan2(jnp.sqrt(temp), jnp.sqrt(1.0 - temp))
