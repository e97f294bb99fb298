"""Derivatives of a program in every mode, on the reference interpreter, and their oracles."""

from __future__ import annotations

import copy

import numpy as np

from srcdiff.forward import tangent
from srcdiff.frontend import specialise
from srcdiff.notation import run
from srcdiff.primitives import type_of_value
from srcdiff.reverse import adjoint
from srcdiff.syntax import is_float
from tests.oracle import differences, flat

__all__ = ["Modes", "flatten", "primal_results", "specialised"]


def flatten(value) -> list:
    """Return the numeric leaves of a structure, in order."""
    if isinstance(value, list | tuple):
        return [leaf for v in value for leaf in flatten(v)]
    return [] if value is None or isinstance(value, str) else [value]


def specialised(function, args):
    specs = tuple(type_of_value(a) for a in args)
    return specialise(function, specs, {})


def primal_results(function, args) -> tuple:
    """Return what a function returns, or the arrays it writes if it returns nothing."""
    given = copy.deepcopy(args)
    value = function(*given)
    if value is None:
        return tuple(g for g, a in zip(given, args, strict=True)
                     if isinstance(a, np.ndarray) and not np.array_equal(g, a))
    return tuple(copy.deepcopy(flatten(value)))


class Modes:
    """One program and its derivatives at one point, with respect to all float arguments; each is made once.

    Parameters
    ----------
    transform
        A pass applied to every program before it runs (the identity, `optimize`, ...).
    execute
        How a program runs: the reference interpreter, or a backend.
    """

    def __init__(self, function, args, transform=lambda p: p, execute=run):
        self.function, self.args = function, tuple(args)
        self.transform, self.execute, self.made = transform, execute, {}
        self.special = special = specialised(function, args)
        self.extra = tuple(fetch() for fetch in special.captures)
        self.program = transform(special.program)
        params = self.program.params
        self.inputs = self.args + self.extra
        self.active = tuple(p.name for p in params if is_float(p.type) and not p.captured)
        self.positions = [i for i, p in enumerate(params) if p.name in self.active]
        self.outputs = [i for i, a in enumerate(self.program.results)
                        if is_float(self.program.type_of(a))]

    def call(self, program, *more):
        return flat(self.execute(program, *self.inputs, *more))

    def oracle(self, direction):
        """Return (derivative, error estimate) for each result, by differences of the user's function."""
        full = [None] * len(self.args)
        for position, d in zip(self.positions, direction, strict=True):
            full[position] = d
        return differences(lambda *a: primal_results(self.function, a), self.args, full)

    def random(self, rng, like):
        return tuple(np.asarray(rng.normal(size=np.shape(v))).astype(np.asarray(v).dtype)[()] for v in like)

    def directions(self, rng):
        return self.random(rng, [self.args[i] for i in self.positions])

    def remembered(self, name, make):
        """Return the transformed program of this name; `make` is called for it once."""
        if name not in self.made:
            self.made[name] = self.transform(make())
        return self.made[name]

    def tangent_program(self):
        return self.remembered("tangent", lambda: tangent(self.program, self.active))

    def adjoint_program(self):
        return self.remembered("adjoint", lambda: adjoint(self.program, self.active))

    def jvp(self, direction):
        count = len(self.program.results)
        return self.call(self.tangent_program(), *direction)[count:]

    def vjp(self, cotangents):
        count = len(self.program.results)
        return self.call(self.adjoint_program(), *cotangents)[count:]

    def second_programs(self):
        """Return (tangent of adjoint, adjoint of adjoint) with the cotangents held constant."""
        first = self.adjoint_program()
        outputs = tuple(range(len(self.program.results), len(first.results)))
        return (self.remembered("forward over reverse", lambda: tangent(first, self.active)),
                self.remembered("reverse over reverse", lambda: adjoint(first, self.active, outputs=outputs)))

    def second_order(self, cotangents, direction):
        """Return the derivative of the adjoint along `direction`, forward and reverse over reverse."""
        count, width = len(self.program.results), len(self.active)
        over, back = self.second_programs()
        forward = self.call(over, *cotangents, *direction)[2 * count + width:][-width:]
        reverse = self.call(back, *cotangents, *direction)[-width:]
        return forward, reverse

    def second_oracle(self, cotangents, direction):
        """Return differences of the adjoint, which has been checked against the primal."""
        program, count = self.adjoint_program(), len(self.program.results)

        def gradient(*values):
            inputs = list(self.inputs)
            for position, v in zip(self.positions, values, strict=True):
                inputs[position] = v
            return flat(self.execute(program, *inputs, *cotangents))[count:]

        point = tuple(self.args[i] for i in self.positions)
        return differences(gradient, point, direction)
