"""Random Python functions, as text, from a seed: what people write, mixed at random.

A program is a module with one function ``f`` and some helpers.  Its arguments
are numbers, integers, flags and float arrays of up to three axes (extents of 1
included); its statements are those of `STATEMENTS`.  The writer knows the
extents of every array and the range of every integer, so each index is valid,
and variables are read only where they are assigned on every path.  What is
stored is bounded (sines, tanh, x/(1 + x*x), averages), so that differences can
be trusted.  Expressions are written in `random_expressions`, closures, containers
and calls of the library in `random_everyday`; axes, complex values and derivatives
of helpers in `random_numerics`; memory in `random_memory`.
"""

from __future__ import annotations

import linecache
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.random_everyday import BLOCK_STATEMENTS, EVERYDAY, Everyday
from tests.random_expressions import Arr, Expressions, Flag, Float, Helper, Index, Int
from tests.random_memory import MEMORY, Memory
from tests.random_numerics import NUMERIC_BLOCKS, NUMERICS, VIEW_HELPERS, Numerics

__all__ = ["Generated", "load", "random_source"]

HEADER = ["import math", "", "import numpy as np", "", "import srcdiff as sd", "", "", *VIEW_HELPERS.splitlines()]


@dataclass(frozen=True)
class Generated:
    """A function with the arguments at which it is differentiated."""

    seed: int
    text: str
    function: Callable
    args: tuple


def load(seed: int) -> Generated:
    """Return the program of a seed, its text known to `linecache`."""
    text, params = random_source(seed)
    return Generated(seed, text, compiled(text, f"<random {seed}>"), sample(seed, params))


def compiled(text: str, file: str) -> Callable:
    """Run the text of a module and return its `f`."""
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    space = {"__name__": file}
    exec(compile(text, file, "exec"), space)
    return space["f"]


def sample(seed: int, params) -> tuple:
    """Return arguments of the kinds in `params`; no value is at a kink but by chance."""
    rng = np.random.default_rng(seed)

    def value(kind):
        match kind:
            case Float():
                return float(rng.uniform(-1.5, 1.5))
            case Int(low, high):
                return int(rng.integers(low, high + 1))
            case Flag():
                return bool(rng.integers(2))
            case Index(shape, below):
                return rng.integers(-below if rng.random() < 0.3 else 0, below, shape)
            case Arr(shape):
                return rng.uniform(-1.5, 1.5, shape)
    return tuple(value(kind) for kind in params.values())


def random_source(seed: int) -> tuple[str, dict]:
    """Return the text of a module and the kinds of the parameters of its `f`."""
    rng = random.Random(seed)
    n, k = rng.choice([1, 2, 3, 3, 4, 4, 5]), rng.choice([1, 2, 2, 3])
    helpers: list[Helper] = []
    lines = list(HEADER)
    for number in range(rng.choice([0, 0, 1, 2])):
        kinds = rng.sample([("v", Arr((n,))), ("w", Arr((n,))), ("m", Arr((n, k))), ("s", Float()), ("p", Int(0, n - 1))],
                           rng.choice([1, 2, 3]))
        writer = Writer(rng, dict(kinds), list(helpers), inner=True)
        returned = rng.choice([(), (Float(),), (Float(),), (Arr((n,)),), (Arr((n, k)),)])
        if not any(isinstance(kind, Arr) for _, kind in kinds) and not returned:
            returned = (Float(),)
        lines += ["", *writer.function(f"h{number}", returned, rng.randrange(1, 5)), ""]
        if returned == (Float(),):
            lines += ["", f"d{number} = sd.differentiate(h{number}, target='python')", ""]
        helpers.append(Helper(f"h{number}", tuple(kind for _, kind in kinds), returned))
    params = parameters(rng, n, k)
    writer = Writer(rng, params, helpers)
    arrays = [kind for kind in (Arr((n,)), Arr((n, k))) if kind in params.values()]
    returned = tuple(rng.choice([Float(), Float(), *arrays]) for _ in range(rng.choice([1, 1, 1, 2, 3])))
    if arrays and rng.random() < 0.08:
        returned = ()
    lines += ["", *writer.function("f", returned, rng.choice([3, 4, 5, 6, 7, 8, 10]))]
    return "\n".join(lines) + "\n", params


def parameters(rng, n: int, k: int) -> dict:
    wanted = {"x": Arr((n,)), "y": Arr((n,)), "A": Arr((n, k)), "B": Arr((k, n)), "c": Arr((n, 1)), "r": Arr((1, k)),
              "o": Arr((1,)), "T": Arr((2, n, k)), "s": Float(), "t": Float(), "z": Int(0, 3), "flag": Flag(),
              "idx": Index((n,), n), "jdx": Index((3,), n)}
    share = {"x": 0.95, "y": 0.5, "A": 0.5, "s": 0.8, "idx": 0.35, "z": 0.35}
    return {name: kind for name, kind in wanted.items() if rng.random() < share.get(name, 0.15)} or {"s": Float()}


class Writer(Everyday, Numerics, Memory, Expressions):
    """Write the statements of one function."""

    def __init__(self, rng, params: dict, helpers: list, inner: bool = False):
        super().__init__(rng, dict(params), helpers)
        self.params, self.inner = params, inner
        self.lines: list[str] = []
        self.indent, self.loops, self.stoppable = 1, 0, False

    def function(self, name: str, returned: tuple, size: int) -> list[str]:
        self.returned = returned
        self.block(size)
        if returned:
            self.put(f"return {self.result()}")
        if not self.lines:
            self.put("pass")
        return [f"def {name}({', '.join(self.params)}):", *self.lines]

    # -- lines and blocks ------------------------------------------------------------------

    def put(self, line: str):
        self.lines.append("    " * self.indent + line)

    def block(self, size: int):
        for _ in range(size):
            self.statement()

    def nested(self, size: int, more: dict | None = None) -> dict:
        """Write an indented block; return the variables that are assigned at its end."""
        outer = dict(self.scope)
        self.scope.update(more or {})
        self.indent += 1
        before = len(self.lines)
        self.block(size)
        if len(self.lines) == before:
            self.put("pass")
        self.indent -= 1
        inner, self.scope = self.scope, outer
        return inner

    def statement(self):
        deep = self.indent > 3
        names, weights = zip(*[(s, w) for s, w in STATEMENTS.items() if not (deep and s in BLOCKS)], strict=True)
        getattr(self, self.rng.choices(names, weights)[0])()

    def result(self) -> str:
        parts = [self.bare(kind) for kind in self.returned]
        return parts[0] if len(parts) == 1 else ", ".join(parts)

    def bare(self, kind) -> str:
        """Return a variable of this kind, or an expression."""
        names = [name for name, own in self.scope.items() if own == kind]
        if names and self.rng.random() < 0.75:
            return self.rng.choice(names[-3:])
        return self.scalar(2) if kind == Float() else self.array(kind.shape, 2)

    def target(self, kind, stems: str) -> str:
        """Return a name to assign: one of the same kind, or a new one."""
        names = [name for name, own in self.scope.items() if own == kind and name not in self.fixed]
        if names and self.rng.random() < 0.6:
            return self.rng.choice(names)
        name = self.fresh(self.rng.choice(stems))
        return name

    # -- simple statements -------------------------------------------------------------------

    def set_scalar(self):
        value = self.bounded(self.scalar(3)) if self.loops else self.scalar(3)
        if self.rng.random() < 0.08:
            value = self.rng.choice(["0", "0.0", "1", "1.0"])
        name = self.target(Float(), "abuvw")
        if self.rng.random() < 0.06:
            other = self.target(Float(), "abuvw")
            self.put(f"{name} = {other} = {value}")
            self.scope[other] = Float()
        else:
            self.put(f"{name} = {value}")
        self.scope[name] = Float()

    def update_scalar(self):
        names = self.names(Float, free=True)
        if not names:
            return self.set_scalar()
        name, value = self.rng.choice(names), self.bounded(self.scalar(2))
        match self.rng.randrange(6):
            case 0:
                self.put(f"{name} -= 0.5 * {value}")
            case 1:
                self.put(f"{name} *= {value}")
            case 2:
                self.put(f"{name} /= 1.5 + {self.bounded(self.scalar(1))}")
            case _:
                self.put(f"{name} += {value}")

    def set_array(self):
        shape = self.shape()
        value = self.array(shape, self.rng.choice([1, 2, 3]))
        if self.loops and self.rng.random() < 0.8:
            value = self.bounded_array(value)
        name = self.target(Arr(shape), "PQRXYZ")
        self.put(f"{name} = {value}")
        self.scope[name] = Arr(shape)

    def make_buffer(self):
        shape = self.shape()
        extents = [self.extent(size) for size in shape]
        text = extents[0] if len(extents) == 1 else f"({', '.join(extents)})"
        name = self.target(Arr(shape), "PQRXYZ")
        same = [other for other, kind in self.scope.items() if kind == Arr(shape)]
        options = [f"np.zeros({text})", f"np.ones({text})", f"np.full({text}, {self.scalar(1)})"]
        options += [f"{same[0]}.copy()", f"np.zeros_like({same[0]})"] * 2 if same else []
        self.put(f"{name} = {self.rng.choice(options)}")
        self.scope[name] = Arr(shape)

    def update_array(self):
        names = self.names(Arr)
        if not names:
            return self.set_array()
        name = self.rng.choice(names)
        shape = self.narrow(self.scope[name].shape)
        op = self.rng.choice(["+=", "-=", "*=", "+="])
        self.put(f"{name} {op} {self.bounded_array(self.any_value(shape, 2))}")

    def view(self):
        """Name a part of an array: what is written to it is written to the array."""
        names = [name for name in self.names(Arr) if len(self.scope[name].shape) > 1 or self.rng.random() < 0.4]
        if not names:
            return self.set_array()
        name = self.rng.choice(names)
        text, shape = self.part(name)
        if not shape:
            return self.set_scalar()
        new = self.fresh(self.rng.choice(["row", "part", "V"]))
        self.put(f"{new} = {text}")
        self.scope[new] = Arr(shape)

    # -- stores ---------------------------------------------------------------------------------

    def store_element(self):
        names = self.names(Arr)
        if not names:
            return self.make_buffer()
        place = self.element(self.rng.choice(names))
        value = self.bounded(self.scalar(2))
        op = self.rng.choice(["=", "=", "=", "+=", "+=", "-=", "*="])
        self.put(f"{place} {op} {value}")

    def store_slice(self):
        names = self.names(Arr)
        if not names:
            return self.make_buffer()
        place, shape = self.part(self.rng.choice(names), keep=True)
        if not shape:
            return self.store_element()
        if self.rng.random() < 0.25:
            value = self.bounded(self.scalar(2))
        else:
            value = self.any_value(self.narrow(shape), 2)
            value = self.bounded_array(value) if self.loops else value
        self.put(f"{place} {self.rng.choice(['=', '=', '+=', '*=', '-='])} {value}")

    def store_running(self):
        """Write a part whose length depends on an index."""
        vectors = [name for name in self.names(Arr) if len(self.scope[name].shape) == 1]
        ints = self.names(Int)
        if not vectors or not ints:
            return self.store_slice()
        name, i = self.rng.choice(vectors), self.rng.choice(ints)
        others = [v for v in vectors if self.scope[v] == self.scope[name]]
        other, span = self.rng.choice(others), self.rng.choice([f"{i}:", f":{i}", f":{i} + 1", f"{i}::2"])
        value = self.bounded_array(f"{self.scalar(1)} * {other}[{span}]")
        match self.rng.randrange(4):
            case 0:
                self.put(f"{name}[{span}] = {value}")
            case 1:
                self.put(f"{name}[{span}] += {value}")
            case 2:
                self.put(f"{name}[{span}] *= {self.bounded(self.scalar(1))}")
            case 3:
                target = self.target(Float(), "abuvw")
                self.put(f"{target} = 0.3 * np.sum({value})")
                self.scope[target] = Float()

    def store_fancy(self):
        names = [v for v in self.names(Arr) if self.indices(self.scope[v].shape[0])]
        if not names:
            return self.store_mask()
        name = self.rng.choice(names)
        shape = self.scope[name].shape
        index, count = self.rng.choice(self.indices(shape[0]))
        region = (count, *shape[1:])
        if len(shape) == 2 and self.rng.random() < 0.5:
            index, region = f"{index}, {self.position(shape[1])}", (count,)
        value = self.bounded_array(self.any_value(self.narrow(region), 1))
        match self.rng.randrange(5):
            case 0 if "," not in index:
                self.put(f"np.add.at({name}, {index}, {value})")
            case 1:
                self.put(f"{name}[{index}] += {value}")
            case 2:
                self.put(f"{name}[{index}] *= {self.bounded(self.scalar(1))}")
            case _:
                self.put(f"{name}[{index}] = {value}")

    def store_mask(self):
        names = self.names(Arr)
        if not names:
            return self.make_buffer()
        name = self.rng.choice(names)
        shape = self.scope[name].shape
        mask = self.condition_array(shape)
        match self.rng.randrange(4):
            case 0:
                self.put(f"{name}[{mask}] = {self.bounded(self.scalar(1))}")
            case 1:
                self.put(f"{name}[{mask}] *= {self.bounded(self.scalar(1))}")
            case 2:
                other = self.rng.choice([v for v in names if self.scope[v].shape == shape])
                self.put(f"{name}[{mask}] = 0.7 * {other}[{mask}]")
            case 3:
                new = self.fresh("mask")
                self.put(f"{new} = {mask}")
                other = self.rng.choice([v for v in names if self.scope[v].shape == shape])
                self.put(f"{name}[{new}] += {self.bounded(self.scalar(1))} * {other}[{new}]")

    # -- several at once ----------------------------------------------------------------------------

    def swap(self):
        free = [name for name in self.scope if name not in self.fixed and isinstance(self.scope[name], Arr | Float)]
        pairs = [(a, b) for a in free for b in free if a < b and self.scope[a] == self.scope[b]]
        vectors = [name for name in self.names(Arr) if len(self.scope[name].shape) == 1]
        if vectors and (not pairs or self.rng.random() < 0.3):
            v = self.rng.choice(vectors)
            i, j = self.position(self.scope[v].shape[0]), self.position(self.scope[v].shape[0])
            self.put(f"{v}[{i}], {v}[{j}] = {v}[{j}], {self.bounded(f'{v}[{i}] + 0.2')}")
        elif pairs:
            a, b = self.rng.choice(pairs)
            if self.scope[a] == Float() and self.rng.random() < 0.6:
                self.put(f"{a}, {b} = {b}, {self.bounded(f'{a} + {b} + {self.scalar(1)}')}")
            else:
                self.put(f"{a}, {b} = {b}, {a}")

    def call_helper(self):
        """Call a helper for what it writes, or for its result."""
        calls = [call for helper in self.helpers for call in [self.call(helper)] if call]
        if not calls:
            return self.set_scalar()
        text, returned = self.rng.choice(calls)
        if not returned:
            self.put(text)
        else:
            name = self.fresh("got")
            self.put(f"{name} = {text}")
            self.scope[name] = returned[0]

    # -- branches and loops --------------------------------------------------------------------------

    def branch(self):
        self.put(f"if {self.condition()}:")
        ends = [self.nested(self.rng.randrange(1, 4))]
        if self.rng.random() < 0.25:
            self.put(f"elif {self.condition()}:")
            ends.append(self.nested(self.rng.randrange(1, 3)))
        if self.rng.random() < 0.6:
            self.put("else:")
            ends.append(self.nested(self.rng.randrange(1, 3)))
            for name, kind in ends[0].items():
                if all(end.get(name) == kind for end in ends):
                    self.scope.setdefault(name, kind)

    def leave(self):
        """Leave the loop, the iteration or the function under a condition."""
        options = ["break", "continue"] if self.loops and self.stoppable else ["break"] if self.loops else []
        if not self.returned or self.rng.random() < 0.4 or not options:
            options = [f"return {self.result()}" if self.returned else "return"]
        if not self.loops and self.rng.random() < 0.6:
            return self.update_scalar()
        self.put(f"if {self.condition()}:")
        self.indent += 1
        if self.rng.random() < 0.4:
            outer = dict(self.scope)
            self.update_scalar()
            self.scope = outer
        self.put(self.rng.choice(options))
        self.indent -= 1

    def loop(self):
        header, more = self.iteration()
        self.put(f"for {header}:")
        self.body(more, stoppable=True)
        if self.rng.random() < 0.05:
            self.put("else:")
            self.nested(1)

    def body(self, more: dict, stoppable: bool):
        before, fixed = (self.loops, self.stoppable), set(self.fixed)
        self.loops, self.stoppable = self.loops + 1, stoppable
        self.fixed |= {name for name, kind in more.items() if isinstance(kind, Int)}
        self.nested(self.rng.randrange(1, 5), more)
        (self.loops, self.stoppable), self.fixed = before, fixed

    def iteration(self) -> tuple[str, dict]:
        """Return the header of a loop and what it assigns."""
        i = self.fresh(self.rng.choice("ijk"))
        arrays = self.names(Arr)
        if arrays and self.rng.random() < 0.25:
            return self.over_array(i, self.rng.choice(arrays))
        size = self.rng.choice([self.scope[a].shape[0] for a in arrays] or [3])
        n, last = self.extent(size), size - 1
        options = [(f"{n}", 0, last), (f"1, {n}", 1, last), (f"{n} - 1, -1, -1", 0, last),
                   (f"{n} - 2, 0, -1", 0, last), (f"0, {n}, 2", 0, last), ("2", 0, 1), ("0", 0, 0),
                   (f"{n} - 1", 0, last)]
        for outer in self.names(Int):
            low, high = self.scope[outer].low, self.scope[outer].high
            options += [(f"{outer} + 1", 0, high), (f"{outer}", 0, high)]
            if high < size:
                options += [(f"{outer}, {n}", low, last), (f"{outer}, -1, -1", 0, high),
                            (f"{outer} + 1, {n}", low, last)]
        text, low, high = self.rng.choice(options)
        name = f"{i} in range({text})"
        if "-1" not in text and self.rng.random() < 0.08:
            name = f"{i} in reversed(range({text}))"
        return name, {i: Int(low, max(low, high))}

    def over_array(self, i: str, name: str) -> tuple[str, dict]:
        shape = self.scope[name].shape
        item = Arr(shape[1:]) if len(shape) > 1 else Float()
        value = self.fresh("row" if len(shape) > 1 else "e")
        others = [o for o in self.names(Arr) if self.scope[o].shape[0] == shape[0] and o != name]
        position = Int(0, shape[0] - 1)
        if others and self.rng.random() < 0.3:
            other, second = self.rng.choice(others), self.fresh("e")
            rest = self.scope[other].shape[1:]
            return f"{value}, {second} in zip({name}, {other})", {value: item, second: Arr(rest) if rest else Float()}
        if self.rng.random() < 0.5:
            return f"{i}, {value} in enumerate({name})", {i: position, value: item}
        return f"{value} in {name}", {value: item}

    def repeat(self):
        """Write a `while` loop that a counter, and perhaps a value, ends."""
        k = self.fresh("k")
        self.put(f"{k} = 0")
        limit = self.rng.choice([0, 1, 2, 3])
        floats = self.names(Float)
        test = f"{k} < {limit}"
        if floats and self.rng.random() < 0.5:
            test = self.rng.choice([f"{test} and abs({self.rng.choice(floats)}) > 0.2",
                                    f"abs({self.rng.choice(floats)}) > 0.1 and {test}"])
        self.put(f"while {test}:")
        first = self.rng.random() < 0.6
        kind = {k: Int(0, max(limit - (not first), 0))}
        if first:
            self.put(f"    {k} += 1")
            kind = {k: Int(1, max(limit, 1))}
        self.body(kind, stoppable=first)
        if not first:
            self.put(f"    {k} += 1")
        self.scope[k] = Int(0, limit)
        self.fixed.add(k)


STATEMENTS = {"set_scalar": 5, "update_scalar": 5, "set_array": 4, "make_buffer": 2, "update_array": 3, "view": 2,
              "store_element": 6, "store_slice": 4, "store_running": 1, "store_fancy": 2, "store_mask": 1, "swap": 1.5,
              "call_helper": 1.5, "branch": 3, "leave": 2, "loop": 6, "repeat": 1.5, **EVERYDAY, **NUMERICS, **MEMORY}
BLOCKS = ("branch", "loop", "repeat", *BLOCK_STATEMENTS, *NUMERIC_BLOCKS)
