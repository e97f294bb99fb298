"""Oracles that do not come from the package: differences, and the adjoint identity."""

from __future__ import annotations

import numpy as np

__all__ = ["assert_adjoint", "assert_close", "differences", "directions", "inner"]


def flat(results) -> tuple:
    return results if isinstance(results, tuple) else (results,)


def directions(values, rng):
    """Return one random direction for each floating-point value, None for the others."""
    return tuple(_direction(v, rng) for v in values)


def _direction(value, rng):
    if isinstance(value, tuple):
        return tuple(_direction(v, rng) for v in value)
    array = np.asarray(value)
    if array.dtype.kind not in "fc":
        return None
    return rng.normal(size=array.shape).astype(array.dtype)[()]


def _moved(values, direction, step):
    return tuple(v if d is None else v + step * d for v, d in zip(values, direction, strict=True))


def differences(function, values, direction, step=1e-3, levels=6):
    """Return the directional derivative by Richardson extrapolation of central differences.

    The step halves `levels` times; the entry of the tableau with the smallest
    estimated error is returned, for each result, as (value, error estimate).
    """
    rows = []
    for level in range(levels):
        h = step / 2**level
        ahead = flat(function(*_moved(values, direction, h)))
        behind = flat(function(*_moved(values, direction, -h)))
        rows.append([(_number(a) - _number(b)) / (2 * h)
                     for a, b in zip(ahead, behind, strict=True)])
    return tuple(_extrapolate([row[i] for row in rows]) for i in range(len(rows[0])))


def _extrapolate(column):
    best, error = column[0], np.inf
    tableau = [column[0]]
    for level in range(1, len(column)):
        new = [column[level]]
        for order, old in enumerate(tableau):
            factor = 4.0**(order + 1)
            new.append(new[-1] + (new[-1] - old) / (factor - 1))
            estimate = max(np.max(np.abs(new[-1] - new[-2]), initial=0.0),
                           np.max(np.abs(new[-1] - old), initial=0.0))
            if estimate < error:
                best, error = new[-1], estimate
        tableau = new
    return best, error


def inner(left, right) -> float:
    """Return the sum of products over all entries that both sides have; its real part."""
    return float(sum(np.sum(_number(a) * _number(b)).real
                     for a, b in zip(left, right, strict=True) if a is not None and b is not None))


def _number(value):
    array = np.asarray(value)
    return array if array.dtype.kind == "c" else array.astype(float)


def assert_close(got, expected, rtol=1e-7, atol=1e-9, context=""):
    for position, (g, e) in enumerate(zip(flat(got), flat(expected), strict=True)):
        assert np.shape(g) == np.shape(e), f"{context}: result {position} has shape {np.shape(g)}"
        np.testing.assert_allclose(g, e, rtol=rtol, atol=atol, err_msg=f"{context}, {position}")


def assert_adjoint(tangents, cotangents, adjoints, direction, rtol=1e-11, context=""):
    """Check <w, J v> = <J' w, v>."""
    left, right = inner(cotangents, tangents), inner(adjoints, direction)
    scale = max(abs(left), abs(right), 1e-3)
    assert abs(left - right) <= rtol * scale, f"{context}: <w, Jv> = {left!r}, <J'w, v> = {right!r}"
