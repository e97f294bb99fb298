"""Run the corpus in batches on the GPU, or in Numba's simulator, and compile kernels to PTX.

A script, because the simulator is chosen before Numba is imported: ``python -m
tests.cuda_corpus run`` or ``... ptx`` prints one JSON object.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np

import srcdiff as sd
from bench.ptx_device import ptx_device
from srcdiff.api.device import on_grid
from srcdiff.backend import cuda
from srcdiff.backend.ptx import assembled, ptx_of, resources
from srcdiff.structure import leaves
from tests.cuda_offline import kept
from tests.programs import PROGRAMS

SAMPLES = 2
SCRIPTS = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = {}


def example(*args, transform=sd.jacobian, in_dims=0):
    """Register a batch whose kernel is compiled to PTX."""
    def register(function):
        EXAMPLES[function.__name__] = (transform, function, args, in_dims)
        return function
    return register


@example(np.ones((33, 31)), np.ones(33), np.ones((2, 31)), in_dims=(None, None, 0),
         transform=lambda f: sd.jacobian(f, argnums=2))
def predict(weights, bias, x):
    return np.tanh(weights @ x + bias)


@example(np.ones((2, 2)), 100, in_dims=(0, None))
def oscillator(p, steps):
    y = np.array([2.0, 0.0])
    h = 0.01
    for _ in range(steps):
        k1 = np.array([y[1], p[0] * (1 - y[0] ** 2) * y[1] - p[1] * y[0]])
        z = y + h / 2 * k1
        k2 = np.array([z[1], p[0] * (1 - z[0] ** 2) * z[1] - p[1] * z[0]])
        z = y + h / 2 * k2
        k3 = np.array([z[1], p[0] * (1 - z[0] ** 2) * z[1] - p[1] * z[0]])
        z = y + h * k3
        k4 = np.array([z[1], p[0] * (1 - z[0] ** 2) * z[1] - p[1] * z[0]])
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


@example(np.ones((2, 8)), transform=sd.hessian)
def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


@example(np.full(2, 100.0), np.full(2, 0.2), np.ones(2), transform=lambda f: sd.grad(f, argnums=(0, 1, 2)))
def call_price(spot, volatility, years):
    d = (math.log(spot / 95.0) + (0.01 + volatility ** 2 / 2) * years) / (volatility * math.sqrt(years))
    return (spot * (1 + math.erf(d / math.sqrt(2.0)))
            - 95.0 * math.exp(-0.01 * years) * (1 + math.erf((d - volatility * math.sqrt(years)) / math.sqrt(2.0)))) / 2


@example(np.ones(2), transform=sd.grad)
def kepler(eccentricity):
    angle = 1.0
    step = 1.0
    while abs(step) > 1e-12:
        step = (angle - eccentricity * math.sin(angle) - 1.0) / (1 - eccentricity * math.cos(angle))
        angle = angle - step
    return angle


@example(np.ones((2, 5)), transform=sd.grad)
def special_functions(x):
    a = np.sign(x[0]) + np.floor(x[1]) + np.rint(x[2]) + np.maximum(x[0], x[1]) + np.fmin(x[2], x[3])
    b = np.cbrt(x[0]) + np.exp2(x[1]) + np.logaddexp(x[2], x[3]) + math.lgamma(x[4]) + math.gamma(x[0])
    return a + b + np.hypot(x[0], x[1]) + np.arctan2(x[2], x[3]) + np.expm1(x[0]) + np.log1p(x[1])


@example(np.ones((2, 4)), transform=sd.grad)
def impedance(x):
    z = x[0] + 1j * x[1] + np.exp(1j * x[2])
    return np.abs(z) + (np.conj(z) * z / (1.0 + z)).real * x[3]


@example(np.array([[0.3, -0.8, 1.7], [0.5, 0.1, -0.2]]), transform=sd.grad)
def fourier_power(x):
    n = len(x)                                      # numbers of several kinds meet: an integer divides a complex one
    total = 0.0
    for m in range(n):
        c = 0j
        for j in range(n):
            c += x[j] * np.exp(-2j * math.pi * m * j / n)
        total += (m + 1) * np.abs(c / 2 + 1 / (c + 3)) ** 2
    return total


@example(np.ones((2, 4)), 6, transform=sd.grad, in_dims=(0, None))
def run_time_extents(x, n):
    y = np.zeros(n)
    s = 1.0
    while s < 10 * x[0]:
        s = s * 1.5 + x[1]
        y[0] += s
        y = y * 2
    return s + y[0] + np.max(x)


@example(np.ones((2, 3)), 100, transform=lambda f: sd.grad(f, memory="2KB"), in_dims=(0, None))
def within_a_budget(x, n):
    state = x * 1.0
    for _ in range(n):
        state = state + 0.01 * np.sin(state) * x[1]
    return np.sum(state)


# -- the functions of examples/ ---------------------------------------------------------------


def script(name: str):
    """Import a script of examples/ under its own name."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Of each script the functions that it differentiates: which derivative, the arguments of a batch, their axes of samples.
BY_NAME = {
    "fit_predator_prey.residuals": (sd.jacobian, (np.ones((2, 6)), np.ones(21), np.ones(21)), (0, None, None)),
    "fit_predator_prey.rates": (lambda f: sd.jacobian(f, argnums=2), (np.ones(2), np.ones(2), np.ones((2, 4))), 0),
    "jacobians_hessians.predict": (lambda f: sd.hessian(f, argnums=2), (np.ones((33, 31)), np.ones(33), np.ones((2, 31))),
                                   (None, None, 0)),
    "newton_in_numba.residual": (sd.grad, (np.ones(2), np.ones(2), 0.3), (0, 0, None)),
    "newton_in_numba.solve": (lambda f: sd.grad(lambda m, e: f(m, e)[0], argnums=(0, 1)), (np.ones(2), np.full(2, 0.3)), 0),
}


# -- the corpus --------------------------------------------------------------------------


def is_float(value) -> bool:
    if isinstance(value, tuple | list):
        return bool(value) and all(map(is_float, value))
    if isinstance(value, dict):
        return bool(value) and all(map(is_float, value.values()))
    return np.asarray(value).dtype.kind == "f"


def batch(value):
    """Return a few samples near a value."""
    if isinstance(value, tuple | list):
        return type(value)(map(batch, value))
    if isinstance(value, dict):
        return {key: batch(v) for key, v in value.items()}
    return np.stack([np.asarray(value) * np.asarray(value).dtype.type(1 + 0.001 * k) for k in range(SAMPLES)])


def mapped(sample, mode: str, target: str):
    """Return a batched derivative with respect to all floating-point arguments, and its arguments."""
    active = tuple(i for i, a in enumerate(sample.args) if is_float(a))
    args = [batch(a) if i in active else a for i, a in enumerate(sample.args)]
    dims = tuple(0 if i in active else None for i in range(len(args)))
    function = getattr(sd, mode)(sd.differentiate(sample.function, target=target), argnums=active)
    return sd.vmap(function, in_dims=dims), args


def difference(got, expected) -> float:
    """Return the largest difference, relative to the largest number of its array; infinite where nan differs.

    An array a thousand times smaller than the largest one may be what cancels to zero: it is measured by that one.
    """
    worst, largest = 0.0, max((np.abs(b[np.isfinite(b)]).max(initial=0.0) for b in map(np.asarray, leaves(expected))
                               if b.dtype.kind == "f"), default=0.0)
    for a, b in zip(leaves(got), leaves(expected), strict=True):
        if b is None or not np.size(b):
            continue
        if np.shape(a) != np.shape(b) or not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return math.inf
        finite = np.isfinite(b)
        scale = max(np.abs(np.where(finite, b, 0)).max(), 1e-3 * largest) or 1.0
        worst = max(worst, float(np.abs(np.where(finite, a - b, 0)).max() / scale))
    return worst


def compared(number: int, name: str, modes) -> dict:
    """Compare one program with the CPU, in one mode or both."""
    worst, count = 0.0, cuda.launches()
    for mode in modes or [("jacfwd", "jacrev")[number % 2]]:
        try:
            function, args = mapped(PROGRAMS[name], mode, "python")
            expected = function(*args)
        except sd.errors.UnsupportedError as error:
            return {"refused": str(error)}
        function, args = mapped(PROGRAMS[name], mode, "cuda")
        try:
            worst = max(worst, difference(function(*args), expected))
        except sd.errors.UnsupportedError as error:
            return {"refused": str(error)}
    return {"difference": worst, "launches": cuda.launches() - count,
            "single": any(np.asarray(leaf).dtype == np.float32 for leaf in leaves(args))}


def batched(name: str, target: str):
    """Return the batch of an example, and its arguments."""
    if name in BY_NAME:
        place, function = name.split(".")
        transform, args, in_dims = BY_NAME[name]
        function = getattr(script(place), function)
    else:
        transform, function, args, in_dims = EXAMPLES[name]
    return sd.vmap(transform(function), in_dims=in_dims, target=target), args


def made(name: str):
    """Return the kernel of an example."""
    function, args = batched(name, "cuda")
    return function.kernels(*args)[-1]


def compiled(name: str) -> dict:
    """Compile the kernel of an example, count what it takes, execute the PTX and compare with the CPU."""
    (function, args), (on_cpu, _) = batched(name, "cuda"), batched(name, "python")
    with ptx_device() as device:
        got = function(*args)
    *_, (kernel, text) = device.texts.items()
    return vars(assembled(kernel, text)) | {"difference": difference(got, on_cpu(*args))}


def price(spot, volatility):
    return spot * math.exp(-volatility * volatility) * math.sin(spot)


def cubes(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] ** 3 * x[0]
    return total


def portfolio(spot, strike, volatility):
    d = (np.log(spot / strike) + volatility * volatility / 2) / volatility
    value = spot * 0.5 * (1 + np.tanh(d)) - strike * 0.5 * (1 + np.tanh(d - volatility))
    return np.mean(value ** 2)


def one_big_problem() -> dict:
    """Compile the kernels of a gradient with respect to a large array."""
    gradient = sd.value_and_grad(sd.differentiate(portfolio, target="cuda"))
    found = [resources(k) for k in on_grid(gradient).kernels(np.ones(10 ** 7), np.ones(10 ** 7), 0.3)]
    return vars(max(found, key=lambda r: r.registers))


def called_in_a_kernel() -> dict:
    """Compile a kernel that calls derivatives."""
    import numba
    f, g, h = sd.differentiate(price), sd.grad(price, argnums=(0, 1)), sd.differentiate(cubes)

    def kernel(x, out):
        i = numba.cuda.grid(1)
        if i < x.shape[0]:
            out[i, 0] = f.grad(x[i, 0], 2.0) + g(x[i, 0], volatility=1.0)[1] + h(x[i])
            h.grad(x[i], out=out[i])

    matrix = numba.float64[:, ::1]
    return vars(assembled("kernel", ptx_of(kernel, (matrix, matrix))))


def main(task: str, *modes) -> None:
    warnings.simplefilter("ignore")
    if task == "run":
        found = {name: compared(i, name, modes) for i, name in enumerate(PROGRAMS)}
    else:
        on_disk = kept(made("predict"))                # first: what is loaded already is not looked for on the disk
        found = {name: compiled(name) for name in [*EXAMPLES, *BY_NAME]} | {
            "called_in_a_kernel": called_in_a_kernel(), "one_big_problem": one_big_problem()}
        found = {"kernels": found, "kept": on_disk}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
