"""Random expressions over known shapes and ranges, for `random_programs`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Arr", "Complex", "Expressions", "Flag", "Float", "Helper", "Index", "Int"]


@dataclass(frozen=True)
class Float:
    """One real number."""


@dataclass(frozen=True)
class Flag:
    """True or False."""


@dataclass(frozen=True)
class Int:
    """An integer, low <= value <= high."""

    low: int
    high: int


@dataclass(frozen=True)
class Arr:
    """An array of floats."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Complex:
    """An array of complex numbers."""

    shape: tuple[int, ...]


@dataclass(frozen=True)
class Index:
    """An array of positions below `below`, perhaps counted from the end."""

    shape: tuple[int, ...]
    below: int


@dataclass(frozen=True)
class Helper:
    """A function of the module; `returned` is empty for one that only writes into its arguments."""

    name: str
    kinds: tuple
    returned: tuple


class Expressions:
    """Write expressions over the variables in `scope`."""

    def __init__(self, rng, scope: dict, helpers: list[Helper]):
        self.rng, self.scope, self.helpers = rng, scope, helpers
        self.fixed: set[str] = set()        # loop variables and counters: not to be assigned
        self.sized = {n: k.shape for n, k in scope.items() if isinstance(k, Arr)}
        self.taken = set(scope)

    # -- names ---------------------------------------------------------------------------------

    def names(self, kind, free: bool = False) -> list[str]:
        return [n for n, k in self.scope.items() if isinstance(k, kind) and not (free and n in self.fixed)]

    def fresh(self, stem: str) -> str:
        name, number = stem, 2
        while name in self.taken:
            name, number = f"{stem}{number}", number + 1
        self.taken.add(name)
        return name

    def shape(self) -> tuple[int, ...]:
        """Return the shape of some array that there is, or of its parts."""
        shapes = [self.scope[n].shape for n in self.names(Arr)] or [(3,)]
        shape = self.rng.choice(shapes)
        match self.rng.randrange(8):
            case 0:
                return shape[::-1]
            case 1 if len(shape) > 1:
                return shape[1:]
            case 2:
                return tuple(self.rng.choice([size, 1]) for size in shape)
        return shape

    def extent(self, size: int) -> str:
        """Write an extent: as a number, or by the array that has it."""
        options = [str(size)]
        for name, shape in self.sized.items():
            if isinstance(self.scope.get(name), Arr):
                options += [f"{name}.shape[{axis}]" for axis, own in enumerate(shape) if own == size]
                options += [f"len({name})"] * (2 * (shape[0] == size))
        return self.rng.choice(options)

    def narrow(self, shape) -> tuple[int, ...]:
        """Return a shape that broadcasts to `shape`."""
        if self.rng.random() < 0.7:
            return shape
        shape = shape[self.rng.randrange(len(shape) + 1):]
        return tuple(1 if self.rng.random() < 0.25 else size for size in shape)

    # -- integers and places -------------------------------------------------------------------------

    def position(self, size: int) -> str:
        """Write a valid index of an axis."""
        options = [str(self.rng.randrange(size)), "-1", "0"]
        for name in self.names(Int):
            low, high = self.scope[name].low, self.scope[name].high
            if high < size:
                options += [name] * 4 + ([f"{name} - 1"] * 2 if low - 1 >= -size else [])
                options += [f"-{name} - 1"] * (low >= 0)
            if high + 1 < size:
                options += [f"{name} + 1"]
            options += [f"({name} + 1) % {self.extent(size)}"]
        for name, kind in self.scope.items():
            if isinstance(kind, Index) and kind.below == size:
                options += [f"{name}[{self.rng.randrange(kind.shape[0])}]"]
        return self.rng.choice(options)

    def indices(self, size: int) -> list[tuple[str, int]]:
        """Return index arrays of an axis, with their lengths."""
        found = [(n, k.shape[0]) for n, k in self.scope.items() if isinstance(k, Index) and k.below == size]
        return found + [(f"[{self.rng.randrange(size)}, {self.rng.randrange(size)}]", 2)] * bool(found)

    def element(self, name: str) -> str:
        places = [self.position(size) for size in self.scope[name].shape]
        if len(places) > 1 and self.rng.random() < 0.15:
            return name + "".join(f"[{p}]" for p in places)
        return f"{name}[{', '.join(places)}]"

    def span(self, size: int) -> tuple[str, int]:
        """Return a slice of an axis and its length."""
        options = [":", ":", "::-1", "1:", ":-1", "::2", "1::2", f":{max(size - 1, 1)}", "-2:", "::-2", "0:1",
                   f"{size - 1}:0:-1"]
        text = self.rng.choice(options)
        bounds = [int(part) if part else None for part in text.split(":")]
        return text, len(range(*slice(*bounds).indices(size)))

    def part(self, name: str, keep: bool = False) -> tuple[str, tuple[int, ...]]:
        """Return a basic index of an array and the shape of what it takes; never empty."""
        shape = self.scope[name].shape
        if not keep and self.rng.random() < 0.12:
            return f"{name}.T", shape[::-1]
        if len(shape) > 1 and self.rng.random() < 0.3:
            return f"{name}[{self.position(shape[0])}]", shape[1:]
        if self.rng.random() < 0.08:
            return f"{name}[...]", shape
        items, left = [], []
        for size in shape:
            if len(shape) > 1 and self.rng.random() < 0.35:
                items.append(self.position(size))
                continue
            text, length = self.span(size)
            if not length:
                text, length = ":", size
            items.append(text)
            left.append(length)
        return f"{name}[{', '.join(items)}]", tuple(left)

    # -- conditions ------------------------------------------------------------------------------------

    def condition(self) -> str:
        options = [f"{self.scalar(1)} < {self.scalar(1)}", f"{self.scalar(1)} > {self.constant()}",
                   f"-0.6 < {self.scalar(1)} <= 0.5"]
        options += [f"{i} % 2 == 0" for i in self.names(Int)] + [f"{i} > 1" for i in self.names(Int)]
        options += [f for f in self.names(Flag)] * 2
        options += [f"np.any({v} > 0.9)" for v in self.names(Arr)[:1]] + [f"{v}.max() > 0.8" for v in self.names(Arr)[:1]]
        first = self.rng.choice(options)
        match self.rng.randrange(8):
            case 0:
                return f"{first} and {self.rng.choice(options)}"
            case 1:
                return f"{first} or {self.rng.choice(options)}"
            case 2:
                return f"not ({first})"
        return first

    def condition_array(self, shape) -> str:
        return f"{self.array(shape, 1)} {self.rng.choice('<>')} {self.scalar(1)}"

    # -- numbers ----------------------------------------------------------------------------------------

    def constant(self) -> str:
        return self.rng.choice(["0.3", "0.5", "1.5", "-0.7", "2", "0.9", "-0.25", "1.0"])

    def bounded(self, text: str) -> str:
        """Write a function of bounded range."""
        f = self.rng.choice(["math.sin({})", "np.sin({})", "math.tanh({})", "np.cos({})", "0.5 * ({})",
                             "np.tanh({})", "({0}) / (1.0 + ({0}) ** 2)", "math.exp(-abs({}))", "1 / (1.2 + np.cos({}))",
                             "np.arctan({})", "0.9 * math.cos({})"])
        return f.format(text)

    def bounded_array(self, text: str) -> str:
        f = self.rng.choice(["np.sin({})", "np.tanh({})", "0.5 * ({})", "np.cos({})", "np.arctan({})", "0.3 * ({})",
                             "({0}) / (1.0 + ({0}) ** 2)"])
        return f.format(text)

    def scalar(self, depth: int) -> str:
        """Write a real number."""
        if depth <= 0 or self.rng.random() < 0.3:
            return self.leaf()
        pick = self.rng.random()
        if pick < 0.3:
            return self.bounded(self.scalar(depth - 1))
        if pick < 0.65:
            return self.binary(self.scalar(depth - 1), self.scalar(depth - 1))
        if pick < 0.72:
            return f"({self.scalar(depth - 1)} if {self.condition()} else {self.scalar(depth - 1)})"
        if pick < 0.77:
            f = self.rng.choice(["max", "min", "np.maximum", "np.minimum"])
            return f"{f}({self.scalar(depth - 1)}, {self.scalar(depth - 1)})"
        if pick < 0.82:
            returning = [h for h in self.helpers if h.returned == (Float(),)]
            calls = [call for h in returning for call in [self.call(h)] if call]
            return self.rng.choice(calls)[0] if calls else self.leaf()
        return self.reduction(depth)

    def binary(self, a: str, b: str) -> str:
        form = self.rng.choice(["({} + {})", "({} - {})", "{} * {}", "({} + 0.4 * {})", "({} * {})",
                                "({} / (1.3 + np.tanh({})))", "(({}) ** 2 - {})", "(-{} + {})"])
        if "*" in form and not form.startswith("("):
            a, b = f"({a})", f"({b})"
        return form.format(a, b)

    def leaf(self) -> str:
        options = [self.constant()]
        options += self.names(Float) * 2
        options += [self.element(name) for name in self.names(Arr)] * 2
        options += [f"0.3 * {name}" for name in self.names(Int)]
        return self.rng.choice(options)

    def reduction(self, depth: int) -> str:
        shape = self.shape()
        a = self.array(shape, depth - 1)
        form = self.rng.choice(["0.3 * np.sum({})", "np.mean({})", "0.3 * ({}).sum()", "({}).mean()", "np.max({})",
                                "np.min({})", "dot", "prod", "comprehension", "norm"])
        match form:
            case "dot" if len(shape) == 1:
                return f"0.4 * np.dot({a}, {self.array(shape, 0)})"
            case "prod" if len(shape) == 1:
                return f"np.prod({a})"
            case "norm":
                return f"np.sqrt(1.0 + np.sum(({a}) ** 2))"
            case "comprehension":
                names = [n for n in self.names(Arr) if len(self.scope[n].shape) == 1]
                if names:
                    i, name = self.fresh("q"), self.rng.choice(names)
                    return f"0.3 * sum({name}[{i}] * {self.constant()} for {i} in range({self.extent(self.scope[name].shape[0])}))"
            case _ if "{}" in form:
                return form.format(a)
        return f"0.2 * np.sum({a})"

    def call(self, helper: Helper) -> tuple[str, tuple] | None:
        """Return a call of a helper and what it gives, if there are arguments for it."""
        args = self.arguments(helper)
        return None if args is None else (f"{helper.name}({', '.join(args)})", helper.returned)

    def arguments(self, helper: Helper) -> list[str] | None:
        """Return arguments for a helper, if there are any."""
        args = []
        for kind in helper.kinds:
            if isinstance(kind, Arr):
                names = [n for n in self.names(Arr) if self.scope[n] == kind]
                if not names:
                    return None
                args.append(self.rng.choice(names))
            elif isinstance(kind, Int):
                inside = [n for n in self.names(Int) if self.scope[n].low >= 0 and self.scope[n].high <= kind.high]
                args.append(self.rng.choice([*inside * 2, "0", str(kind.high)]))
            else:
                args.append(self.scalar(1))
        return args

    # -- arrays -----------------------------------------------------------------------------------------

    def any_value(self, shape, depth: int) -> str:
        return self.array(shape, depth) if shape else self.scalar(depth)

    def array(self, shape, depth: int) -> str:
        """Write an array of exactly this shape."""
        if depth <= 0 or self.rng.random() < 0.25:
            return self.array_leaf(shape)
        pick = self.rng.random()
        if pick < 0.25:
            f = self.rng.choice(["np.sin({})", "np.tanh({})", "np.exp(-np.abs({}))", "0.5 * ({})", "({}) ** 2",
                                 "np.sqrt(1.0 + ({}) ** 2)", "np.log(2.5 + np.sin({}))", "-({})", "np.abs({})"])
            return f.format(self.array(shape, depth - 1))
        if pick < 0.65:
            a, b = f"({self.array(shape, depth - 1)})", f"({self.any_value(self.narrow(shape), depth - 1)})"
            if self.rng.random() < 0.4:
                a, b = b, a
            form = self.rng.choice(["{} + {}", "{} - {}", "{} * {}", "{} / (1.5 + np.sin({}))", "0.5 * {} + {}",
                                    "np.maximum({}, {})", "np.minimum({}, {})"])
            return form.format(a, b)
        if pick < 0.75:
            return f"np.where({self.condition_array(shape)}, {self.any_value(self.narrow(shape), depth - 1)}, " \
                   f"{self.array(shape, depth - 1)})"
        if pick < 0.9:
            return self.structural(shape, depth)
        returning = [h for h in self.helpers if h.returned == (Arr(shape),)]
        calls = [call for h in returning for call in [self.call(h)] if call]
        return self.rng.choice(calls)[0] if calls else self.array_leaf(shape)

    def array_leaf(self, shape) -> str:
        options = [n for n in self.names(Arr) if self.scope[n].shape == shape] * 2
        for name in self.names(Arr):
            text, taken = self.part(name)
            options += [text] * (taken == shape)
        for name in self.names(Arr):
            own = self.scope[name].shape
            if len(own) == len(shape) and own[1:] == shape[1:]:
                options += [f"{name}[{i}]" for i, count in self.indices(own[0]) if count == shape[0]]
        if not options:
            extents = ", ".join(self.extent(size) for size in shape)
            options = [f"np.full(({extents},), {self.leaf()})", f"np.zeros(({extents},))", f"np.ones(({extents},))"]
        return self.rng.choice(options)

    def structural(self, shape, depth: int) -> str:
        """Write an array made from arrays of other shapes."""
        options = []
        size = self.rng.choice([2, 3])
        axis = self.rng.randrange(len(shape) + 1)
        bigger = (*shape[:axis], size, *shape[axis:])
        f = self.rng.choice(["np.sum", "np.mean", "np.max", "np.sum"])
        if len(shape) < 3:
            known = [n for n in self.names(Arr) if len(self.scope[n].shape) == len(shape) + 1]
            for name in known:
                own = self.scope[name].shape
                options += [f"{f}({name}, axis={a})" for a in range(len(own)) if own[:a] + own[a + 1:] == shape]
            options += [f"{f}({self.array(bigger, 0)}, axis={axis})"]
        if len(shape) == 1:
            n = shape[0]
            q = self.fresh("q")
            options += [f"np.cumsum({self.array(shape, depth - 1)}) * 0.4", f"np.arange({self.extent(n)}) * 0.2",
                        f"np.array([{', '.join(self.scalar(1) for _ in range(n))}])",
                        f"np.concatenate(({self.array((1,), 0)}, {self.array((n - 1,), 0)}))" if n > 1 else "np.ones(1)",
                        f"np.array([{self.scalar(0)} * {q} for {q} in range({self.extent(n)})])",
                        f"0.4 * ({self.array((n, 2), 0)} @ {self.array((2,), 0)})"]
        if len(shape) == 2:
            n, k = shape
            options += [f"np.outer({self.array((n,), 0)}, {self.array((k,), 0)})", f"({self.array((k, n), depth - 1)}).T",
                        f"({self.array((n,), 0)})[:, None] * {self.array((k,), 0)}",
                        f"np.stack([{', '.join(self.array((k,), 0) for _ in range(n))}])",
                        f"0.3 * ({self.array((n, 2), 0)} @ {self.array((2, k), 0)})",
                        f"np.reshape({self.array((n * k,), 0)}, ({n}, {k}))",
                        f"np.sum({self.array(shape, 0)}, axis=1, keepdims=True) * np.ones(({n}, {k}))"]
        return self.rng.choice(options) if options else self.array_leaf(shape)
