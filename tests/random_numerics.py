"""Statements of numerical Python for `random_programs`: axes, `out=`, complex values, derivatives inside, loops that leave.

`self` is a `Writer`; each method writes one statement, or a few that belong
together, over variables whose kinds are known.
"""

from __future__ import annotations

from tests.random_expressions import Arr, Complex, Float, Int

__all__ = ["NUMERIC_BLOCKS", "NUMERICS", "VIEW_HELPERS", "Numerics"]

# Helpers that hand on what they are given, or a part of it: their results share memory with their arguments.
VIEW_HELPERS = """\
def turned(v, w):
    return w, v


def inner_part(v):
    return v[len(v) // 2:]


def row_of(M, i):
    return M[i]


def damp(v, by):
    v *= by
    return v


def first_and_rest(v):
    return v[0], v[1:]
"""


class Numerics:
    """Write statements over axes, into given arrays, over complex numbers, and with derivatives of helpers."""

    def matrix(self) -> str | None:
        names = [n for n in self.names(Arr) if len(self.scope[n].shape) > 1]
        return self.rng.choice(names) if names else None

    def bind_array(self, shape, value: str):
        name = self.target(Arr(shape), "PQRXYZ")
        self.put(f"{name} = {value}")
        self.scope[name] = Arr(shape)

    # -- axes --------------------------------------------------------------------------------

    def over_axis(self):
        """Reduce along an axis, or several, with or without the axis left in place."""
        name = self.matrix()
        if name is None:
            return self.library_call()
        shape, keep = self.scope[name].shape, self.rng.random() < 0.4
        axis = self.rng.choice([*range(len(shape)), -1])
        axes = {axis % len(shape)}
        if len(shape) > 2 and self.rng.random() < 0.3:
            axes = {0, 2}
        f = self.rng.choice(["sum", "mean", "max", "min", "prod", "var", "std", "median", "ptp", "norm", "logsumexp"])
        keep = keep and f not in ("median", "ptp")
        axes = {max(axes)} if f == "median" else axes
        left = tuple(1 if a in axes else size for a, size in enumerate(shape) if keep or a not in axes)
        text = str(axis if axes == {axis % len(shape)} else max(axes)) if len(axes) == 1 else str(tuple(sorted(axes)))
        value = name
        more = f"axis={text}{', keepdims=True' if keep else ''}"
        match f:
            case "norm":
                text = f"np.sqrt(1.0 + np.sum({value} ** 2, {more}))"
            case "logsumexp":
                text = f"np.log(np.sum(np.exp({self.bounded_array(value)}), {more}))"
            case "std":
                text = f"np.sqrt(0.5 + np.var({value}, {more}))"
            case _ if f in ("sum", "mean", "max", "min", "prod", "var") and self.rng.random() < 0.4:
                text = f"({value}).{f}({more})"
            case _:
                text = f"np.{f}({value}, {more})"
        if left:
            return self.bind_array(left, self.bounded_array(text))
        return self.bind_float(self.bounded(text))

    def along_axis(self):
        """Apply a function that keeps the shape, along one axis."""
        name = self.matrix()
        if name is None:
            return self.library_call()
        shape = self.scope[name].shape
        axis = self.rng.choice([*range(len(shape)), -1])
        texts = [f"0.4 * np.cumsum({name}, axis={axis})", f"np.sort({name}, axis={axis})", f"np.flip({name}, axis={axis})",
                 f"np.roll({name}, 1, axis={axis})", f"{name} - {name}.mean(axis={axis}, keepdims=True)",
                 f"np.exp({name} - {name}.max(axis={axis}, keepdims=True))", f"{name} / np.sqrt(1.0 + np.sum({name} ** 2, axis={axis}, keepdims=True))",
                 f"np.cumprod(np.cos({name}), axis={axis})", f"np.take({name}, np.arange({shape[axis]})[::-1], axis={axis})",
                 f"np.concatenate([np.take({name}, [0], axis={axis}), np.diff({name}, axis={axis})], axis={axis})",
                 f"np.stack([{name}, 0.5 * {name}], axis={axis}).mean(axis={axis})", f"np.moveaxis({name}, 0, -1).swapaxes(0, -1)" if len(shape) == 2 else f"+{name}",
                 f"np.where({name} > {name}.mean(axis={axis}, keepdims=True), {name}, 0.1)"]
        return self.bind_array(shape, self.rng.choice(texts))

    def contraction(self):
        name = self.matrix()
        if name is None or len(self.scope[name].shape) != 2:
            return self.along_axis()
        n, k = self.scope[name].shape
        options = [((n, n), f"0.3 * {name} @ {name}.T"), ((n, n), f"0.2 * np.einsum('ij,kj->ik', {name}, {name})"),
                   ((k, n), f"np.swapaxes({name}, 0, 1)"), ((n, k), f"0.5 * np.tensordot({name}, np.eye({k}), axes=1)"),
                   ((k,), f"np.average({name}, axis=0, weights=np.arange({n}) + 1.0)"), ((n,), f"np.einsum('ij->i', {name})"),
                   ((n * k,), f"{name}.reshape(-1)"), ((n, k, 1), f"np.expand_dims({name}, -1)"), ((2 * n, k), f"np.vstack([{name}, {name} * 0.5])"),
                   ((n, k), f"np.linalg.solve(np.eye({n}) * 3.0 + np.tanh({name} @ {name}.T), {name})"),
                   ((n, 2 * k), f"np.repeat({name}, 2, axis=1)"), ((n, 2 * k), f"np.tile({name}, 2)")]
        shape, text = self.rng.choice(options)
        return self.bind_array(shape, text)

    # -- into arrays that are given --------------------------------------------------------------

    def into_given(self):
        """Let a function of NumPy write its result into an array, or change one in place."""
        names = self.names(Arr)
        if not names:
            return self.make_buffer()
        a = self.rng.choice(names)
        shape = self.scope[a].shape
        b = self.bounded_array(self.array(shape, 1))
        texts = [f"np.sin({a}, out={a})", f"np.multiply({a}, {self.bounded(self.leaf())}, out={a})", f"np.add({a}, {b}, out={a})",
                 f"np.clip({a}, -0.9, 1.1, out={a})", f"np.copyto({a}, {b})", f"np.copyto({a}, {b}, where={a} > 0.3)",
                 f"{a}[...] = {b}", f"{a}.fill({self.bounded(self.leaf())})", f"{a}[:] = np.flip({a}, axis=0)",
                 f"np.tanh({b}, out={a})", f"np.subtract({b}, {a}, {a})", f"np.negative({a}[::2], out={a}[::2])",
                 f"np.divide({a}, 1.3 + np.tanh({b}), out={a})", f"{a} **= 2", f"{a} /= 1.4 + np.sin({self.leaf()})"]
        if len(shape) == 1:
            texts += [f"{a}.sort()"]
        matrix = self.matrix()
        if matrix is not None and len(self.scope[matrix].shape) == 2 and (vectors := [
                v for v in self.vectors() if self.scope[v].shape == self.scope[matrix].shape[1:]]):
            row = self.rng.choice(vectors)
            texts += [f"{row}[:] = np.mean({matrix}, axis=0)", f"np.copyto({row}, {matrix}[0])",
                      f"{row}[:] = np.dot(np.full({self.scope[matrix].shape[0]}, 0.3), {matrix})"]
        self.put(self.rng.choice(texts))

    # -- complex numbers -----------------------------------------------------------------------------

    def complex_array(self):
        """Make, change and read an array of complex numbers."""
        array = self.vector_or_buffer()
        if array is None:
            return
        shape = self.scope[array].shape
        z = self.fresh("z")
        self.put(f"{z} = {self.rng.choice([f'np.exp(1j * {array})', f'{array} + 0.5j', f'1j * {array} + {self.leaf()}', f'np.zeros({shape[0]}, dtype=complex)'])}")
        self.scope[z] = Complex(shape)
        for _ in range(self.rng.choice([0, 1, 2])):
            self.change_complex()
        self.read_complex()

    def complex_names(self) -> list[str]:
        return self.names(Complex)

    def change_complex(self):
        names = self.complex_names()
        if not names:
            return self.set_scalar()
        z = self.rng.choice(names)
        (n,) = self.scope[z].shape
        value = self.rng.choice([f"{self.leaf()} * np.exp(0.5j)", f"complex({self.leaf()}, {self.leaf()})", f"1j * {self.leaf()} + 0.3"])
        texts = [f"{z}[{self.position(n)}] = 0.6 * ({value})", f"{z}[{self.position(n)}] += 0.4 * ({value})", f"{z} *= np.exp(1j * {self.bounded(self.leaf())})",
                 f"{z}[{self.position(n)}] *= 0.5j", f"{z} = 0.5 * {z} * {z} + 0.2j", f"{z} = np.conj({z}) * 0.9", f"{z} = {z} / (2.0 + abs({z}))",
                 f"{z}[:] = {z}[::-1]", f"{z} = np.sqrt({z} + 3.0)", f"{z} = 0.5 * np.exp({z} / (1.0 + np.abs({z})))"]
        self.put(self.rng.choice(texts))

    def read_complex(self):
        names = self.complex_names()
        if not names:
            return self.set_scalar()
        z = self.rng.choice(names)
        shape = self.scope[z].shape
        i = self.position(shape[0])
        if self.rng.random() < 0.5:
            return self.bind_float(self.bounded(self.rng.choice(
                [f"abs({z}[{i}] + 2.0)", f"{z}[{i}].real", f"({z} * np.conj({z})).real.sum() * 0.2", f"np.sum({z}.imag)", f"({z}[{i}] ** 2).imag",
                 f"np.angle({z}[{i}] + 3.0)", f"np.abs(np.sum({z}) + 4.0)"])))
        return self.bind_array(shape, self.bounded_array(self.rng.choice([f"{z}.real", f"np.imag({z})", f"np.abs({z} + 3.0)", f"(1j * {z}).real", f"np.angle({z} + 4.0)"])))

    def complex_number(self):
        """Iterate a complex number."""
        c, k, name = self.fresh("c"), self.fresh("k"), self.fresh("u")
        self.put(f"{c} = {self.rng.choice([f'complex({self.leaf()}, {self.leaf()})', f'{self.leaf()} + 0.4j', f'np.exp(1j * {self.leaf()})'])}")
        self.put(f"for {k} in range({self.rng.choice([1, 2, 3])}):")
        self.put(f"    {c} = {self.rng.choice([f'0.4 * {c} * {c} + {self.bounded(self.leaf())}', f'{c} / (1.5 + abs({c})) + 0.2j', f'0.7 * {c}.conjugate() * np.exp(0.3j * {k})'])}")
        if self.rng.random() < 0.5:
            self.put(f"    if {self.rng.choice([f'abs({c}) > 1.1', f'{c}.real < 0.1'])}:")
            self.put("        break")
        self.put(f"{name} = {self.rng.choice([f'abs({c} + 3.0)', f'{c}.real - {c}.imag', f'({c} * {c}).imag'])}")
        self.scope[name] = Float()

    # -- derivatives inside ----------------------------------------------------------------------------

    def inner_derivative(self):
        """Use the derivative of a helper."""
        options = [(h, p) for h in self.helpers if h.returned == (Float(),) for p, kind in enumerate(h.kinds) if isinstance(kind, Arr | Float)]
        if not options:
            return self.set_scalar()
        helper, position = self.rng.choice(options)
        args = self.arguments(helper)
        if args is None:
            return self.set_scalar()
        kind, function = helper.kinds[position], f"d{helper.name[1:]}"
        several = sum(isinstance(k, Arr) for k in helper.kinds) > 1
        args = [f"1.0 * ({a})" if isinstance(k, Float) or several and isinstance(k, Arr) else a
                for a, k in zip(args, helper.kinds, strict=True)]
        direction = [f"1.0 * {self.array(k.shape, 0)}" if isinstance(k, Arr) else f"1.0 * ({self.leaf()})" if isinstance(k, Float) else "None" for k in helper.kinds]
        direction = [d if p == position else "None" for p, d in enumerate(direction)]
        one = "" if position == 0 and self.rng.random() < 0.5 else f", argnums={position}"
        arguments, lead = ", ".join(args), "," if len(args) == 1 else ""
        match self.rng.randrange(4):
            case 0:
                a, g = self.fresh("a"), self.fresh("g")
                self.put(f"{a}, {g} = sd.value_and_grad({function}, argnums={position})({arguments})")
                self.scope[a], self.scope[g] = Float(), kind
                return None
            case 1:
                a, b = self.fresh("a"), self.fresh("b")
                self.put(f"{a}, {b} = sd.jvp({function}, ({arguments}{lead}), ({', '.join(direction)}{lead}))")
                self.scope[a] = self.scope[b] = Float()
                return None
        text = f"sd.grad({function}{one})({arguments})" if position == 0 or one else ""
        text = text or f"sd.grad({function}, argnums={position})({arguments})"
        if isinstance(kind, Arr):
            return self.bind_array(kind.shape, self.bounded_array(text))
        return self.bind_float(self.bounded(text))

    # -- loops that leave, in the middle of writing --------------------------------------------------------

    def while_true(self):
        """Write an array in a loop without an end that breaks, or returns, in its middle."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n, k = self.scope[array].shape[0], self.fresh("k")
        limit = self.rng.choice([1, 2, 3, 4])
        self.put(f"{k} = 0")
        self.put("while True:")
        self.put(f"    {array}[{k} % {self.extent(n)}] {self.rng.choice(['=', '+=', '*='])} {self.bounded(f'{array}[-1] + {self.leaf()}')}")
        self.put(f"    if {k} >= {limit} or {self.condition()}:")
        self.put(f"        {self.way_out()}")
        self.put(f"    {k} += 1")
        self.body({k: Int(1, limit)}, stoppable=True)
        self.scope[k] = Int(0, limit)
        self.fixed.add(k)

    def way_out(self) -> str:
        if self.returned and self.rng.random() < 0.25:
            return f"return {self.result()}"
        return "break"

    def return_from_within(self):
        """Leave two loops at once by a return, or one of them by a break with an `else` behind it."""
        array = self.vector_or_buffer()
        if array is None or not self.returned:
            return self.set_scalar()
        n, i, j = self.scope[array].shape[0], self.fresh("i"), self.fresh("j")
        outer, bound = self.rng.choice([(f"range({self.extent(n)})", n), ("range(2)", 2)])
        self.put(f"for {i} in {outer}:")
        self.put(f"    for {j} in range({self.rng.choice([f'{i}, {n}', f'{n}', f'{i} + 1'])}):")
        place = f"{array}[{j}]" if bound <= n else f"{array}[{j} % {n}]"
        self.put(f"        {place} {self.rng.choice(['+=', '*=', '='])} {self.bounded(f'{self.leaf()} + 0.1 * {i}')}")
        self.put(f"        if {place} {self.rng.choice('<>')} {self.constant()}:")
        self.put(f"            {self.rng.choice([f'return {self.result()}', 'break', 'continue'])}")
        if self.rng.random() < 0.4:
            self.put("    else:")
            self.put(f"        {array}[0] -= {self.bounded(self.leaf())}")

    # -- views and swaps through helpers -------------------------------------------------------------------

    def through_a_view(self):
        """Write through what a helper hands back of its arguments."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n = self.scope[array].shape[0]
        value = self.bounded(self.leaf())
        same = [v for v in self.vectors() if self.scope[v] == self.scope[array] and v not in self.fixed]
        matrices = [m for m in self.names(Arr) if len(self.scope[m].shape) == 2]
        match self.rng.randrange(5):
            case 0 if array in same:
                other = self.rng.choice(same)
                self.put(f"{array}, {other} = turned({array}, {other})")
            case 1:
                name = self.fresh("part")
                self.put(f"{name} = inner_part({array})")
                self.put(f"{name}[{self.rng.choice(['0', '-1'])}] {self.rng.choice(['=', '+=', '*='])} {value}")
            case 2 if matrices:
                m, name = self.rng.choice(matrices), self.fresh("row")
                self.put(f"{name} = row_of({m}, {self.position(self.scope[m].shape[0])})")
                self.scope[name] = Arr(self.scope[m].shape[1:])
                self.put(f"{name} *= {value}")
            case 3:
                name = self.fresh("damped")
                self.put(f"{name} = damp({array}, {value})")
                self.scope[name] = Arr((n,))
            case _ if n > 1:
                first, rest = self.fresh("head"), self.fresh("rest")
                self.put(f"{first}, {rest} = first_and_rest({array})")
                self.scope[first], self.scope[rest] = Float(), Arr((n - 1,))
                self.put(f"{rest} += {value} * {first}")
            case _:
                self.put(f"damp({array}, {value})")


NUMERICS = {"over_axis": 1.5, "along_axis": 1.2, "contraction": 0.8, "into_given": 1.5, "complex_array": 0.8, "change_complex": 0.4, "read_complex": 0.4,
            "complex_number": 0.5, "inner_derivative": 2, "while_true": 0.8, "return_from_within": 0.8, "through_a_view": 1}
NUMERIC_BLOCKS = ("while_true", "return_from_within", "complex_number")
