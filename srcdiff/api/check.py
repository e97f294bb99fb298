"""`f.check(*args)`: do the derivatives agree with each other, and with the function?

Comparisons, each for one argument at a time: the value of the generated program
with that of the user's function; forward mode with reverse mode, by
<w, J v> = <J^T w, v>; forward mode with Richardson's extrapolation of central
differences of the user's function; and forward mode with the complex step
Im f(x + ih v) / h, h = 1e-30, exact to rounding.  A complex step is believed only
where the function, as Python runs it, takes complex numbers without a warning,
gives the real result as real part, and agrees with the differences.  Both are
oracles here and nowhere else; where differences do not converge (a kink, a jump),
they are taken with smaller steps, and their error estimate is part of the tolerance.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from srcdiff.api.linear import kept
from srcdiff.api.recipes import Pullback, Pushforward
from srcdiff.errors import ArgumentError, CheckError, Problem
from srcdiff.structure import array_of_list, children, expressions, is_leaf, leaves, map_tree, rebuild

__all__ = ["Report", "check", "differences"]


STEPS = (1e-2, 1e-4, 1e-6)              # of differences, relative to the largest entry of the argument
TRUSTED = 1e-4                          # differences that are to clear a derivative must have converged this far


@dataclass(frozen=True)
class Report:
    """What was compared, and the largest relative differences that were found.

    `complex_step` is None where no complex step could be trusted.
    """

    function: str
    arguments: tuple[str, ...]
    value: float
    forward_reverse: float
    differences: float
    complex_step: float | None = None

    def __str__(self):
        step = "" if self.complex_step is None else f", against complex step {self.complex_step:.1e}"
        return (f"{self.function}: derivatives with respect to {', '.join(self.arguments)} agree "
                f"(value {self.value:.1e}, forward against reverse {self.forward_reverse:.1e}, "
                f"against differences {self.differences:.1e}{step})")


def check(function, *args, seed: int = 0, **keywords) -> Report:
    """Check the derivatives of a function at one point; see the module.

    Raises
    ------
    CheckError
        Naming the argument, the entry, and by how much it is wrong.
    """
    args, keywords = function.bind(args, keywords)
    if keywords:
        raise ArgumentError(Problem(
            "SD0309", "check takes positional arguments only",
            fix="pass them in the order of the signature"))
    args = tuple(kept(_as_arrays(a)) for a in args)
    return _Check(function, args, np.random.default_rng(seed)).run()


def _as_arrays(value):
    """Turn lists of numbers into arrays, as generated code takes them."""
    if isinstance(value, list) and (array := array_of_list(value)) is not None:
        return array
    return value if is_leaf(value) else rebuild(value, list(map(_as_arrays, children(value))))


class _Check:
    def __init__(self, function, args, rng):
        self.function, self.args, self.rng = function, args, rng
        self.push = function.derive(Pushforward())
        self.pull = function.derive(Pullback(value=True))
        single = any(np.asarray(v).dtype in (np.float32, np.complex64)
                     for a in args for v in leaves(a) if expressions(v, "v"))
        self.rtol = 1e-3 if single else 1e-7
        self.rtol_exact = 1e-3 if single else 1e-9
        self.worst = {"value": 0.0, "reverse": 0.0, "differences": 0.0, "complex step": None}

    def run(self) -> Report:
        active = [i for i, a in enumerate(self.args) if any(map(_is_float, leaves(a)))]
        if not active:
            raise ArgumentError(Problem("SD0303", f"{self.function.__name__} has no floating-point argument "
                                        "to check", fix="pass floats"))
        value = self.value(self.args)
        w = [_random(v, self.rng) for v in value]
        program_value, cotangents = self.pull(self.args, self.shaped(w))
        self.compare_values(value, flat(program_value))
        for i in active:
            self.argument(i, w, cotangents[i])
        names = tuple(self.function.argument_name(i) for i in active)
        return Report(self.function.__name__, names, *self.worst.values())

    def shaped(self, flat_cotangents):
        """Return cotangents in the structure of the output."""
        rest = iter(flat_cotangents)
        out, _ = self.push(self.args, (None,) * len(self.args))
        return map_tree(lambda leaf: next(rest) if _is_number(leaf) else None, out)

    def value(self, args) -> list:
        """Return the flat outputs of the user's own function."""
        args = tuple(map(kept, args))
        python = getattr(self.function, "python", None)
        if python is None:
            return flat(self.function(*args))
        result = python(*args)
        if result is None:
            special = self.function.special_for(*args)
            numeric = [v for a in args for v in leaves(a) if _is_number(v)]
            return [np.array(v) for v, p in zip(numeric, special.program.params, strict=False)
                    if p.name in special.written]
        return flat(result)

    def compare_values(self, expected, found):
        for number, (a, b) in enumerate(zip(expected, found, strict=True)):
            gap = _gap(a, b)
            self.worst["value"] = max(self.worst["value"], gap)
            if gap > self.rtol:
                self.fail(f"output {number} of the generated program is not that of the function",
                          f"{b!r} instead of {a!r}")

    # -- one argument ---------------------------------------------------------------------

    def argument(self, i: int, w, cotangent) -> None:
        v = map_tree(lambda leaf: _random(leaf, self.rng), self.args[i])
        forward = self.along(i, v)
        one, other = _dot(w, forward), _dot(flat(cotangent), numbers(v))
        scale = max(abs(one), abs(other), _dot(_sizes(w), _sizes(forward)))
        gap = abs(one - other) / scale if scale else 0.0
        self.worst["reverse"] = max(self.worst["reverse"], gap)
        if not gap <= self.rtol:
            self.locate(i, lambda e: (_dot(w, self.along(i, e)), _dot(flat(cotangent), numbers(e))),
                        "reverse mode", "forward mode")
        self.against_differences(i, v, forward)

    def along(self, i: int, direction) -> list:
        tangents = tuple(direction if k == i else None for k in range(len(self.args)))
        return flat(self.push(self.args, tangents)[1])

    def against_differences(self, i: int, v, forward) -> None:
        numeric = self.numeric(i, v, forward)
        for value, estimate in zip(forward, numeric, strict=True):
            gap, allowed = self.distance(value, estimate)
            if not gap <= allowed:
                self.locate(i, lambda e: self.worst_output(i, e), "forward mode", "differences")
            self.worst["differences"] = max(self.worst["differences"], gap)
        stepped = self.complex_step(i, v)
        if stepped is None or not all(map(_confirms, stepped, numeric)):
            return
        gap = max(map(_gap, stepped, forward), default=0.0)
        noise = max((error / (np.max(np.abs(a), initial=0.0) or 1.0) for a, error in numeric), default=0.0)
        if not gap <= self.rtol_exact + noise:
            self.locate(i, lambda e: self.worst_output(i, e, self.complex_step(i, e)),
                        "forward mode", "complex step")
        self.worst["complex step"] = max(self.worst["complex step"] or 0.0, gap)

    def distance(self, value, estimate) -> tuple[float, float]:
        """Return how far a derivative is from differences, and how far it may be, both relative."""
        expected, error = estimate
        scale = np.max(np.abs(expected), initial=0.0) + np.max(np.abs(value), initial=0.0)
        if not scale:
            return 0.0, 0.0
        gap = np.max(np.abs(value - expected), initial=0.0) / scale
        return float(gap), float(10 * self.rtol + 10 * error / scale)

    def complex_step(self, i: int, v, h: float = 1e-30) -> list | None:
        """Return Im f(x + ih v) / h; None where the function is not its own continuation to complex numbers."""
        if getattr(self.function, "python", None) is None:
            return None
        moved = map_tree(lambda x, d: x if d is None else _wide(x) + 1j * h * _wide(d), self.args[i], v)
        wide = map_tree(lambda x, d: x if d is None else _wide(x), self.args[i], v)
        before, after = self.args[:i], self.args[i + 1:]
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("error")
                found = self.value((*before, moved, *after))
                real = self.value((*before, wide, *after))
        except Exception:           # whatever the user's code says to complex numbers: no oracle here
            return None
        same = len(real) == len(found) and all(
            np.asarray(a).dtype.kind != "c" and _gap(a, np.real(b)) <= 1e-12
            for a, b in zip(real, found, strict=True))
        return [np.imag(b) / h for b in found] if same else None

    def worst_output(self, i, entry, expected=None):
        """Return (expected, forward) at the output element where they differ most."""
        forward = self.along(i, entry)
        expected = [a for a, _ in self.numeric(i, entry, forward)] if expected is None else expected
        pairs = list(zip(expected, forward, strict=True))
        a = np.concatenate([np.ravel(p[0]) for p in pairs])
        b = np.concatenate([np.ravel(p[1]) for p in pairs])
        at = int(np.argmax(np.abs(a - b)))
        return a[at], b[at]

    def numeric(self, i: int, v, forward) -> list:
        """Return (derivative, error estimate) of each output.

        Large steps have the least noise, but may reach over a jump or a kink, as where the number
        of iterations changes, or out of the domain.  What they find is believed where it agrees
        with `forward`; else smaller steps must have converged on `forward` to clear it.
        """
        def move(h):
            moved = map_tree(lambda x, d: x if d is None else _wide(x) + h * _wide(d), self.args[i], v)
            return self.value((*self.args[:i], moved, *self.args[i + 1:]))

        size = max((float(np.max(np.abs(x), initial=0.0)) for x in numbers(self.args[i]) if _is_float(x)), default=0.0)
        found = [f for step in STEPS if (f := _differences_inside(move, step * (size or 1.0))) is not None]
        if not found:
            return [(value, np.inf) for value in forward]
        first, *finer = found
        if self.confirmed(forward, first, np.inf):
            return first
        return next((f for f in finer if self.confirmed(forward, f, TRUSTED)), first)

    def confirmed(self, forward, numeric, trusted: float) -> bool:
        """Tell whether differences agree with `forward`, with no wider tolerance than `trusted`."""
        pairs = [self.distance(value, estimate) for value, estimate in zip(forward, numeric, strict=True)]
        return all(gap <= min(allowed, trusted) for gap, allowed in pairs)

    def locate(self, i: int, both, what: str, oracle: str) -> None:
        """Name the entry of an argument where two derivatives differ most, and raise."""
        name = self.function.argument_name(i)
        worst = (-1.0, name, 0.0, 0.0)
        for path, entry in entries(self.args[i], name):
            expected, found = both(entry)
            gap = abs(expected - found)
            if not gap <= worst[0]:
                worst = (gap, path, expected, found)
        gap, path, expected, found = worst
        self.fail(f"the derivative with respect to {path} is wrong: {what} and {oracle} differ by {gap:.3g}",
                  f"{what} gives {found:.10g}, {oracle} gives {expected:.10g}")

    def fail(self, what: str, why: str):
        raise CheckError(Problem("SD0400", f"{self.function.__name__}: {what}", why=why,
                                 fix="report it, with the function and its arguments"))


# -- helpers ------------------------------------------------------------------------------

def flat(tree) -> list:
    """Return the numeric leaves of a result."""
    return [leaf for leaf in leaves(tree) if _is_number(leaf)]


def numbers(tree) -> list:
    return [leaf for leaf in leaves(tree) if leaf is not None]


def _is_number(value) -> bool:
    return isinstance(value, np.ndarray | np.generic | float | int | complex) and not isinstance(value, bool)


def _is_float(value) -> bool:
    return _is_number(value) and np.asarray(value).dtype.kind == "f"


def _wide(x):
    """Return a value in double precision."""
    return np.asarray(x, np.complex128 if np.asarray(x).dtype.kind == "c" else np.float64)[()]


def _random(value, rng):
    if not _is_float(value):
        return None
    array = np.asarray(value)
    return rng.standard_normal(array.shape).astype(array.dtype)[()]


def _inner(a, b) -> float:
    return 0.0 if a is None else float(np.real(np.vdot(np.asarray(a), np.asarray(b))))


def _dot(a, b) -> float:
    return sum(_inner(x, y) for x, y in zip(a, b, strict=True))


def _sizes(values) -> list:
    return [None if v is None else np.abs(v) for v in values]


def _confirms(stepped, estimate) -> bool:
    """Tell whether differences that have converged agree with a complex step to their error estimate."""
    expected, error = estimate
    scale = np.max(np.abs(expected), initial=0.0)
    gap = np.max(np.abs(stepped - expected), initial=0.0)
    return bool(error <= 1e-4 * scale and gap <= 10 * error + 1e-10 * scale)


def _gap(a, b) -> float:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return np.inf
    same = (a == b) | ((a != a) & (b != b))
    scale = np.max(np.abs(a), initial=0.0, where=np.isfinite(a)) or 1.0
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b))
    return float(np.max(gap, initial=0.0) / scale)


def entries(value, name: str):
    """Yield (path, unit direction) for each floating-point entry of an argument."""
    flat_values = [v for v in leaves(value)]
    for number, leaf in enumerate(flat_values):
        if not _is_float(leaf):
            continue
        for index in np.ndindex(np.shape(leaf)):
            unit = np.zeros(np.shape(leaf), np.asarray(leaf).dtype)
            unit[index] = 1
            rest = iter(range(len(flat_values)))
            path = name if not index else f"{name}[{', '.join(map(str, index))}]"
            if len(flat_values) > 1:
                path = f"{path} (part {number})"
            yield path, map_tree(lambda _, unit=unit, number=number, rest=rest: (
                unit[()] if next(rest) == number else None), value)


def _differences_inside(move, step: float):
    """Return `differences`, None where a step leaves what the function accepts."""
    try:
        with np.errstate(all="ignore"):
            return differences(move, step)
    except Exception:               # whatever the user's code raises outside of its domain
        return None


def differences(move, step: float, levels: int = 8):
    """Return (derivative, error estimate) at 0 of each output of ``move(h)``, by Richardson extrapolation."""
    rows = []
    for level in range(levels):
        h = step / 2**level
        rows.append([(_wide(a) - _wide(b)) / (2 * h) for a, b in zip(move(h), move(-h), strict=True)])
    return [_extrapolated([row[k] for row in rows]) for k in range(len(rows[0]))]


def _extrapolated(column):
    best, error, previous = column[0], np.inf, [column[0]]
    for new in column[1:]:
        row = [new]
        for order, old in enumerate(previous):
            factor = 4.0 ** (order + 1) - 1
            row.append(row[-1] + (row[-1] - old) / factor)
            estimate = max(np.max(np.abs(row[-1] - row[-2]), initial=0.0),
                           np.max(np.abs(row[-1] - old), initial=0.0))
            if estimate < error:
                best, error = row[-1], estimate
        previous = row
    return best, error
