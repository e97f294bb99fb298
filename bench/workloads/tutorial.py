"""The transform tutorial in float32: srcdiff, torch.func, JAX, and the closed form by hand in Numba."""

from __future__ import annotations

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import has, jax_, jitted, torch_

__all__ = ["WORKLOADS"]


def predict(weight, bias, x):
    return np.tanh(weight @ x + bias)


def sum_of_sines(x):
    return np.sum(np.sin(x))


def layer(outputs, inputs, batch=None):
    rng = np.random.default_rng(0)
    shape = inputs if batch is None else (batch, inputs)
    scale = 1 / np.sqrt(inputs)
    arrays = rng.normal(size=(outputs, inputs)) * scale, rng.normal(size=outputs), rng.normal(size=shape)
    return tuple(a.astype(np.float32) for a in arrays)


# -- closed forms by hand --------------------------------------------------------

@njit(error_model="numpy", fastmath={"contract"})
def jacobian_by_hand(weight, bias, x):
    y = np.tanh(np.dot(weight, x) + bias)
    m, n = weight.shape
    out = np.empty((m, n), weight.dtype)
    for i in range(m):
        c = 1 - y[i] * y[i]
        for j in range(n):
            out[i, j] = c * weight[i, j]
    return out


@njit(error_model="numpy", fastmath={"contract"})
def hessian_by_hand(weight, bias, x):
    y = np.tanh(np.dot(weight, x) + bias)
    m, n = weight.shape
    out = np.empty((m, n, n), weight.dtype)
    for i in range(m):
        c = -2 * y[i] * (1 - y[i] * y[i])
        for j in range(n):
            cj = c * weight[i, j]
            for k in range(n):
                out[i, j, k] = cj * weight[i, k]
    return out


@njit(error_model="numpy", fastmath={"contract"})
def batch_jacobian_by_hand(weight, bias, xs):
    out = np.empty((xs.shape[0],) + weight.shape, weight.dtype)
    for b in range(xs.shape[0]):
        out[b] = jacobian_by_hand(weight, bias, xs[b])
    return out


@njit(error_model="numpy", fastmath={"contract"})
def batch_hessian_by_hand(weight, bias, xs):
    m, n = weight.shape
    out = np.empty((xs.shape[0], m, n, n), weight.dtype)
    for b in range(xs.shape[0]):
        out[b] = hessian_by_hand(weight, bias, xs[b])
    return out


@njit(error_model="numpy", fastmath={"contract"})
def hvp_by_hand(x, v):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = -np.sin(x[i]) * v[i]
    return out


# -- contestants -------------------------------------------------------------------

def contest(ours, by_hand, torch_calls, jax_calls):
    contestants = [Contestant(name, call) for name, call in ours.items()]
    contestants.append(Contestant("by hand (Numba)", by_hand))
    if has("torch"):
        contestants += [Contestant(f"torch.func {n}", c, True) for n, c in torch_calls(torch_()).items()]
    if has("jax"):
        contestants += [Contestant(f"JAX {n}", c, True) for n, c in jax_calls(jax_()).items()]
    return contestants


def jacobian(outputs, inputs):
    args = layer(outputs, inputs)

    def torch_calls(torch):
        placed = [torch.from_numpy(a) for a in args]

        def f(weight, bias, x):
            return torch.tanh(torch.mv(weight, x) + bias)

        maps = {n: getattr(torch.func, n)(f, argnums=2) for n in ("jacrev", "jacfwd")}
        return {n: lambda m=m: m(*placed) for n, m in maps.items()}

    def jax_calls(jax):
        def f(weight, bias, x):
            return jax.numpy.tanh(weight @ x + bias)

        return {n: jitted(getattr(jax, n)(f, argnums=2), *args) for n in ("jacrev", "jacfwd")}

    def make():
        reverse, forward = sd.jacrev(predict, argnums=2), sd.jacfwd(predict, argnums=2)
        ours = {"srcdiff jacrev": lambda: reverse(*args), "srcdiff jacfwd": lambda: forward(*args)}
        return contest(ours, lambda: jacobian_by_hand(*args), torch_calls, jax_calls)

    return Workload(f"Jacobian {outputs}x{inputs}", make)


def hessian(outputs, inputs):
    args = layer(outputs, inputs)

    def torch_calls(torch):
        placed = [torch.from_numpy(a) for a in args]
        h = torch.func.hessian(lambda w, b, x: torch.tanh(torch.mv(w, x) + b), argnums=2)
        return {"hessian": lambda: h(*placed)}

    def jax_calls(jax):
        def f(weight, bias, x):
            return jax.numpy.tanh(weight @ x + bias)

        twice = jax.jacfwd(jax.jacfwd(f, argnums=2), argnums=2)
        return {"hessian": jitted(jax.hessian(f, argnums=2), *args), "jacfwd(jacfwd)": jitted(twice, *args)}

    def make():
        h = sd.hessian(predict, argnums=2)
        return contest({"srcdiff hessian": lambda: h(*args)}, lambda: hessian_by_hand(*args),
                       torch_calls, jax_calls)

    return Workload(f"Hessian {outputs}x{inputs}x{inputs}", make)


def batch(kind, size, outputs, inputs):
    args = layer(outputs, inputs, size)
    dims = (None, None, 0)

    def torch_calls(torch):
        placed = [torch.from_numpy(a) for a in args]
        one = getattr(torch.func, kind)(lambda w, b, x: torch.tanh(torch.mv(w, x) + b), argnums=2)
        many = torch.func.vmap(one, in_dims=dims)
        return {f"vmap({kind})": lambda: many(*placed)}

    def jax_calls(jax):
        def f(weight, bias, x):
            return jax.numpy.tanh(weight @ x + bias)

        return {f"vmap({kind})": jitted(jax.vmap(getattr(jax, kind)(f, argnums=2), in_axes=dims), *args)}

    def make():
        many = sd.vmap(getattr(sd, kind)(predict, argnums=2), in_dims=dims)
        by_hand = batch_hessian_by_hand if kind == "hessian" else batch_jacobian_by_hand
        return contest({f"srcdiff vmap({kind})": lambda: many(*args)}, lambda: by_hand(*args),
                       torch_calls, jax_calls)

    shape = f"{size}x{outputs}x{inputs}" + (f"x{inputs}" if kind == "hessian" else "")
    return Workload(f"batch {'Hessian' if kind == 'hessian' else 'Jacobian'} {shape}", make)


def hvp(n):
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=n).astype(np.float32), rng.normal(size=n).astype(np.float32)

    def torch_calls(torch):
        tx, tv = torch.from_numpy(x), torch.from_numpy(v)
        gradient = torch.func.grad(lambda x: torch.sum(torch.sin(x)))
        return {"jvp(grad)": lambda: torch.func.jvp(gradient, (tx,), (tv,))[1]}

    def jax_calls(jax):
        gradient = jax.grad(lambda x: jax.numpy.sum(jax.numpy.sin(x)))
        return {"jvp(grad)": jitted(lambda x, v: jax.jvp(gradient, (x,), (v,))[1], x, v)}

    def make():
        product = sd.differentiate(sum_of_sines).hvp
        return contest({"srcdiff hvp": lambda: product(x, v)}, lambda: hvp_by_hand(x, v),
                       torch_calls, jax_calls)

    return Workload(f"hvp of sum(sin), n = {n}", make)


WORKLOADS = [
    jacobian(16, 16),
    jacobian(2048, 32),
    jacobian(32, 2048),
    hessian(32, 512),
    batch("jacrev", 64, 33, 31),
    batch("hessian", 64, 33, 31),
    hvp(2048),
]
