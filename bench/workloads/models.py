"""What users differentiate: option prices, a network, an implicit ODE step, Hessians of fifty variables."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import jax_, of_autograd, of_jax, of_torch
from bench.workloads.rosenbrock import of_arrays, rosenbrock

__all__ = ["WORKLOADS", "backward_euler", "logistic", "network", "price"]


# -- Black-Scholes --------------------------------------------------------------------

def price(spot, strike, time, rate, volatility):
    """The value of a European call."""
    width = volatility * math.sqrt(time)
    d1 = (math.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / width
    d2 = d1 - width
    return (spot * 0.5 * (1.0 + math.erf(d1 / math.sqrt(2.0)))
            - strike * math.exp(-rate * time) * 0.5 * (1.0 + math.erf(d2 / math.sqrt(2.0))))


@njit(error_model="numpy", fastmath={"contract"})
def greeks_by_hand(spot, strike, time, rate, volatility):
    """Delta, theta, rho and vega of each option; theta by the time to maturity."""
    n = spot.shape[0]
    delta, theta, rho, vega = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        root = math.sqrt(time[i])
        width = volatility[i] * root
        d1 = (math.log(spot[i] / strike[i]) + (rate[i] + 0.5 * volatility[i] ** 2) * time[i]) / width
        density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        discounted = strike[i] * math.exp(-rate[i] * time[i]) * 0.5 * (1.0 + math.erf((d1 - width) / math.sqrt(2.0)))
        delta[i] = 0.5 * (1.0 + math.erf(d1 / math.sqrt(2.0)))
        vega[i] = spot[i] * density * root
        rho[i] = time[i] * discounted
        theta[i] = spot[i] * density * volatility[i] / (2.0 * root) + rate[i] * discounted
    return delta, theta, rho, vega


def formula(log, sqrt, exp, erf):
    """The price in the functions of a peer."""
    def value(spot, strike, time, rate, volatility):
        width = volatility * sqrt(time)
        d1 = (log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / width
        cumulated = [0.5 * (1.0 + erf(d / math.sqrt(2.0))) for d in (d1, d1 - width)]
        return spot * cumulated[0] - strike * exp(-rate * time) * cumulated[1]
    return value


def greeks(n):
    rng = np.random.default_rng(0)
    args = (rng.uniform(80.0, 120.0, n), rng.uniform(80.0, 120.0, n), rng.uniform(0.2, 2.0, n),
            rng.uniform(0.0, 0.1, n), rng.uniform(0.1, 0.5, n))
    active = (0, 2, 3, 4)

    def in_jax(*args):
        jax, jnp = jax_(), jax_().numpy
        one = jax.grad(formula(jnp.log, jnp.sqrt, jnp.exp, jax.scipy.special.erf), active)
        return jax.vmap(one)(*args)

    def in_torch(torch):
        one = torch.func.grad(formula(torch.log, torch.sqrt, torch.exp, torch.erf), active)
        return torch.func.vmap(one)

    def in_autograd(autograd, numpy):
        from autograd.scipy.special import erf
        return autograd.elementwise_grad(formula(numpy.log, numpy.sqrt, numpy.exp, erf), active)

    def make():
        prices, many = njit(in_a_loop), sd.vmap(sd.grad(price, argnums=active))
        return [Contestant("srcdiff vmap(grad)", lambda: many(*args)),
                Contestant("objective (Numba)", lambda: prices(*args), is_primal=True),
                Contestant("by hand (Numba)", lambda: greeks_by_hand(*args)),
                *of_jax("vmap(grad)", in_jax, *args), *of_torch("vmap(grad)", in_torch, *args),
                *of_autograd("elementwise_grad", in_autograd, *args)]

    return Workload(f"Black-Scholes, 4 Greeks of {n} options", make, rtol=1e-9)


compiled_price = njit(price)


def in_a_loop(spot, strike, time, rate, volatility):
    out = np.empty_like(spot)
    for i in range(len(spot)):
        out[i] = compiled_price(spot[i], strike[i], time[i], rate[i], volatility[i])
    return out


# -- a network of three layers ------------------------------------------------------------

def network(w1, b1, w2, b2, w3, b3, x, labels):
    """Cross entropy of a network of three layers, the mean over the batch."""
    a = np.tanh(x @ w1 + b1)
    a = np.tanh(a @ w2 + b2)
    scores = a @ w3 + b3
    total = 0.0
    for i in range(scores.shape[0]):
        largest = np.max(scores[i])
        total += largest + np.log(np.sum(np.exp(scores[i] - largest))) - scores[i, labels[i]]
    return total / scores.shape[0]


def layers(sizes, batch):
    rng = np.random.default_rng(0)
    args = []
    for n, m in zip(sizes[:-1], sizes[1:], strict=True):
        args += [rng.normal(size=(n, m)) / math.sqrt(n), rng.normal(size=m)]
    args = (*args, rng.normal(size=(batch, sizes[0])), rng.integers(0, sizes[-1], batch))
    active = tuple(range(6))

    def loss(tanh, logsumexp):
        def value(w1, b1, w2, b2, w3, b3, x, labels):
            scores = tanh(tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3
            return (logsumexp(scores, 1) - scores[np.arange(batch), labels]).mean()
        return value

    def in_jax(*args):
        jax = jax_()
        return jax.grad(loss(jax.numpy.tanh, jax.scipy.special.logsumexp), active)(*args)

    def in_autograd(autograd, numpy):
        from autograd.scipy.special import logsumexp
        return autograd.grad(loss(numpy.tanh, logsumexp), active)

    def make():
        gradient, objective = sd.grad(network, argnums=active), njit(network)
        return [Contestant("srcdiff grad", lambda: gradient(*args)),
                Contestant("objective (Numba)", lambda: objective(*args), is_primal=True),
                *of_jax("grad", in_jax, *args),
                *of_torch("grad", lambda t: t.func.grad(loss(t.tanh, t.logsumexp), active), *args),
                *of_autograd("grad", in_autograd, *args)]

    return Workload(f"MLP {'-'.join(map(str, sizes))}, batch {batch}", make, rtol=1e-8)


# -- an implicit ODE step ---------------------------------------------------------------------

def backward_euler(y, diffusion, reaction, h, steps):
    """Sum of squares after steps of a reaction with diffusion, three iterations of Newton in each."""
    n = len(y)
    state = y.copy()
    for _ in range(steps):
        new = state.copy()
        for _ in range(3):
            residual = np.empty(n)
            slope = np.zeros((n, n))
            for i in range(n):
                left = new[i - 1] if i > 0 else 0.0
                right = new[i + 1] if i < n - 1 else 0.0
                change = diffusion * (left - 2.0 * new[i] + right) - reaction * new[i] ** 3
                residual[i] = new[i] - state[i] - h * change
                slope[i, i] = 1.0 + h * (2.0 * diffusion + 3.0 * reaction * new[i] ** 2)
                if i > 0:
                    slope[i, i - 1] = -h * diffusion
                if i < n - 1:
                    slope[i, i + 1] = -h * diffusion
            new = new - np.linalg.solve(slope, residual)
        state = new
    return np.sum(state * state)


def implicit(n, steps):
    args = (np.random.default_rng(0).uniform(0.5, 1.5, n), 2.0, 0.7, 0.05)
    active = (0, 1, 2)

    def in_jax(y, diffusion, reaction, h):
        jnp, lax = jax_().numpy, jax_().lax

        def value(y, diffusion, reaction):
            stencil = jnp.eye(n, k=1) + jnp.eye(n, k=-1) - 2.0 * jnp.eye(n)
            stencil = stencil.astype(y.dtype)

            def step(state, _):
                new = state
                for _ in range(3):
                    residual = new - state - h * (diffusion * (stencil @ new) - reaction * new**3)
                    slope = jnp.eye(n, dtype=y.dtype) - h * (
                        diffusion * stencil - jnp.diag(3.0 * reaction * new**2))
                    new = new - jnp.linalg.solve(slope, residual)
                return new, None

            last = lax.scan(step, y, None, steps)[0]
            return jnp.sum(last * last)

        return jax_().grad(value, active)(y, diffusion, reaction)

    def make():
        gradient, objective = sd.grad(backward_euler, argnums=active), njit(backward_euler)
        return [Contestant("srcdiff grad", lambda: gradient(*args, steps)),
                Contestant("objective (Numba)", lambda: objective(*args, steps), is_primal=True),
                *of_jax("grad", in_jax, *args)]

    return Workload(f"implicit Euler, n = {n}, {steps} steps", make, rtol=1e-8)


# -- Hessians -----------------------------------------------------------------------------------

def logistic(x, features):
    """The mean loss of a logistic regression."""
    margins = features @ x
    return np.mean(np.log(1.0 + np.exp(-margins))) + 0.01 * np.sum(x * x)


def hessian(name, function, in_peers, x, *more):
    def make():
        ours, gradient = sd.hessian(function), sd.grad(function)
        return [Contestant("srcdiff hessian", lambda: ours(x, *more)),
                Contestant("gradient (srcdiff)", lambda: gradient(x, *more), is_primal=True),
                *of_jax("hessian", lambda *a: jax_().hessian(in_peers(jax_().numpy))(*a), x, *more),
                *of_torch("hessian", lambda torch: torch.func.hessian(in_peers(torch)), x, *more),
                *of_autograd("hessian", lambda autograd, numpy: autograd.hessian(in_peers(numpy)), x, *more)]

    return Workload(f"Hessian of 50 variables, {name}", make, rtol=1e-8)


def logistic_of(library):
    def value(x, features):
        return library.log(1.0 + library.exp(-(features @ x))).mean() + 0.01 * (x * x).sum()
    return value


def hessians():
    rng = np.random.default_rng(0)
    yield hessian("Rosenbrock", rosenbrock, lambda _: of_arrays, rng.normal(size=50))
    yield hessian("logistic", logistic, logistic_of, rng.normal(size=50), rng.normal(size=(200, 50)))


WORKLOADS = [greeks(1_000_000), layers((784, 256, 128, 10), 64), implicit(32, 10), *hessians()]
