"""Statements of everyday Python for `random_programs`: closures, containers, lists that grow, guards, library calls.

`self` is a `Writer`; each method writes one statement, or a few that belong
together, over variables whose kinds are known.
"""

from __future__ import annotations

from tests.random_expressions import Arr, Float, Int

__all__ = ["BLOCK_STATEMENTS", "EVERYDAY", "Everyday"]


class Everyday:
    """Write statements with nested functions, tuples, lists, dicts, try, walrus and library functions."""

    def vectors(self) -> list[str]:
        return [name for name in self.names(Arr) if len(self.scope[name].shape) == 1]

    def vector_or_buffer(self) -> str | None:
        vectors = self.vectors()
        if not vectors:
            self.make_buffer()
            return None
        return self.rng.choice(vectors)

    def bind_float(self, value: str):
        name = self.target(Float(), "abuvw")
        self.put(f"{name} = {value}")
        self.scope[name] = Float()

    # -- functions inside -------------------------------------------------------------------

    def nested_function(self):
        """Define a function that changes an array of the enclosing one, and call it."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n, inner = self.scope[array].shape[0], self.fresh("inner")
        v, k = self.fresh("q"), self.fresh("k")
        position, value = self.position(n), self.bounded(f"{self.scalar(1)} + {v}")
        returned = self.rng.choice([f"{array}[{position}] * {v}", f"{self.leaf()} - {v}", v])
        self.put(f"def {inner}({v}, {k}={self.rng.randrange(n)}):")
        self.put(f"    {array}[{self.rng.choice([k, position])}] {self.rng.choice(['=', '+=', '*='])} {value}")
        self.put(f"    return {returned}")
        calls = [f"{inner}({self.leaf()})" for _ in range(self.rng.choice([1, 2]))]
        if self.rng.random() < 0.3:
            calls.append(f"{inner}({self.leaf()}, {k}={self.rng.randrange(n)})")
        self.bind_float(self.bounded(" + ".join(calls)))

    def local_lambda(self):
        f, v = self.fresh("fun"), self.fresh("q")
        self.put(f"{f} = lambda {v}: {self.bounded(f'{v} * {self.leaf()}')}")
        self.bind_float(f"{f}({self.leaf()}) - 0.5 * {f}({self.leaf()})")

    # -- containers ---------------------------------------------------------------------------

    def tuple_of_arrays(self):
        """Write through a tuple, a list or a dict that holds an array."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n, box = self.scope[array].shape[0], self.fresh("box")
        held, key = self.rng.choice([(f"({array}, {self.leaf()})", "0"), (f"[{array}, {array}]", "1"),
                                     (f"{{'a': {array}, 'b': {self.leaf()}}}", "'a'")])
        self.put(f"{box} = {held}")
        place = f"{box}[{key}][{self.position(n)}]"
        self.put(f"{place} {self.rng.choice(['=', '+=', '*='])} {self.bounded(self.scalar(1))}")
        self.bind_float(f"{box}[{key}].sum() * 0.2 + {array}[{self.position(n)}]")

    def rows_in_a_list(self):
        """Change several arrays in a loop over a list of them."""
        pairs = [(a, b) for a in self.vectors() for b in self.vectors()]
        if not pairs:
            return self.make_buffer()
        a, b = self.rng.choice(pairs)
        row, i = self.fresh("row"), self.fresh("i")
        self.put(f"for {i}, {row} in enumerate([{a}, {b}]):")
        self.put(f"    {row} *= 0.7 + 0.1 * {i}")
        self.put(f"    {row}[{self.rng.choice(['0', '-1'])}] += {self.bounded(self.leaf())}")

    def number_list(self):
        """Change a list of known length: slices, repetition, in-place growth."""
        items, other = self.fresh("items"), self.fresh("items")
        self.put(f"{items} = [{', '.join(self.bounded(self.leaf()) for _ in range(3))}]")
        changes = [f"{items}[1:2] = [{self.leaf()}, {self.leaf()}]", f"{items} += [{self.leaf()}]", f"{items} *= 2",
                   f"{items}[0] *= {self.bounded(self.leaf())}", f"{items}.append({self.leaf()})", f"{items}.reverse()",
                   f"{items}[::2] = {items}[1:3]", f"{items}.insert(1, {self.leaf()})", f"{items}.pop(0)"]
        self.put(f"{other} = {items}{self.rng.choice(['', '[:]', '[1:] + [0.5]', ' + [1.0]'])}")
        for _ in range(self.rng.choice([1, 2])):
            change = self.rng.choice(changes)
            if "[::2]" not in change or len(changes) == 9:
                self.put(change)
            changes = [c for c in changes if "[::2]" not in c]
        self.bind_float(f"0.2 * sum({items}) + 0.1 * len({other}) * {other}[-1] - 0.3 * {items}[-2]")

    def growing_list(self):
        """Append in a loop over an array, under a condition or not, and read what there is."""
        array = self.vector_or_buffer()
        if array is None:
            return
        items, v = self.fresh("found"), self.fresh("e")
        self.put(f"{items} = [{self.leaf()}]")
        self.put(f"for {v} in {array}:")
        if self.rng.random() < 0.5:
            self.put(f"    if {v} > {self.constant()}:")
            self.put(f"        {items}.append({self.bounded(v + ' * ' + items + '[-1]')})")
        else:
            self.put(f"    {items}.append({self.bounded(v)})")
        read = self.rng.choice([f"0.2 * sum({items})", f"{items}[-1] * len({items})", f"max({items})",
                                f"0.3 * np.array({items}).sum()", f"{items}[0] + {items}[len({items}) // 2]",
                                f"sum({items}[1:]) * 0.3"])
        self.bind_float(read)

    # -- guards and bindings ----------------------------------------------------------------------

    def guarded(self):
        """Write a try whose body may fail in a way that has a test."""
        name = self.target(Float(), "abuvw")
        body, error = self.rng.choice([(f"{self.leaf()} / {self.leaf()}", "ZeroDivisionError"),
                                       (f"math.log({self.leaf()})", "ValueError"), (f"math.sqrt({self.leaf()})", "ValueError")])
        self.put("try:")
        self.put(f"    {name} = math.tanh({body})")
        self.put(f"except {error}:")
        self.put(f"    {name} = {self.bounded(self.scalar(1))}")
        self.scope[name] = Float()

    def walrus(self):
        name = self.fresh("w")
        self.put(f"if ({name} := {self.bounded(self.scalar(1))}) {self.rng.choice('<>')} {self.constant()}:")
        self.scope[name] = Float()
        self.nested(1)

    def twice_under_a_flag(self):
        """Assign in one branch, and read where the same condition holds."""
        flag, name = self.fresh("held"), self.fresh("u")
        self.put(f"{flag} = {self.condition()}")
        self.put(f"if {flag}:")
        self.put(f"    {name} = {self.bounded(self.scalar(1))}")
        self.update_scalar()
        self.put(f"if {flag}:")
        self.bind_float_inside(f"{name} * {self.leaf()}")

    def bind_float_inside(self, value: str):
        names = self.names(Float, free=True)
        self.put(f"    {self.rng.choice(names)} += {self.bounded(value)}" if names else "    pass")

    def alias_by_condition(self):
        """Let a name stand for one of two arrays, and read it."""
        pairs = [(a, b) for a in self.vectors() for b in self.vectors() if self.scope[a] == self.scope[b] and a < b]
        if not pairs:
            return self.set_scalar()
        a, b = self.rng.choice(pairs)
        name = self.fresh("either")
        self.put(f"{name} = {a} if {self.condition()} else {b}")
        self.bind_float(f"0.3 * {name}.sum() + {name}[{self.position(self.scope[a].shape[0])}]")

    # -- integers ---------------------------------------------------------------------------------

    def integer_array(self):
        """Index by an array of integers made here, and mix integers with reals."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n, name = self.scope[array].shape[0], self.fresh("places")
        self.put(f"{name} = (np.arange({n}) * {self.rng.randrange(1, 4)} + {self.rng.randrange(3)}) % {n}")
        if self.rng.random() < 0.5:
            self.put(f"{array}[{name}] += {self.bounded_array(f'{array} * 0.4')}")
        i = self.fresh("n")
        self.put(f"{i} = int({name}[{self.rng.randrange(n)}]) // 2 + {self.rng.randrange(3)} % 2")
        self.scope[i] = Int(0, (n - 1) // 2 + 1)
        self.fixed.add(i)
        self.bind_float(f"0.3 * ({array}[{name}] * ({name} + 1)).sum() - {i} * {self.leaf()} // 100")

    def rounded_index(self):
        array = self.vector_or_buffer()
        if array is not None:
            n = self.scope[array].shape[0]
            self.bind_float(f"{array}[int(abs({self.leaf()}) * 3.3) % {n}] + {self.bounded(self.scalar(1))}")

    def extreme_place(self):
        array = self.vector_or_buffer()
        if array is not None:
            f = self.rng.choice(["argmax", "argmin"])
            self.put(f"{array}[np.{f}({array})] {self.rng.choice(['*=', '+=', '='])} {self.bounded(self.scalar(1))}")

    # -- of the library -----------------------------------------------------------------------------

    def library_call(self):
        """Assign what a function of NumPy makes of a vector."""
        array = self.vector_or_buffer()
        if array is None:
            return
        (n,) = self.scope[array].shape
        same = [f"np.sort({array})", f"np.flip({array})", f"np.roll({array}, {self.rng.randrange(-2, 3)})",
                f"np.clip({array}, -0.8, {self.constant()})", f"np.append({array}[1:], {self.leaf()})",
                f"np.linspace({self.leaf()}, {self.leaf()}, {n})", f"np.interp({array}, np.arange(4) - 1.5, np.array([0.1, 0.9, -0.2, 0.4]))",
                f"np.hypot({array}, {self.leaf()})", f"np.copysign({array}, {self.leaf()})", f"np.arctan2({array}, 1.4)", f"np.einsum('i,i->i', {array}, {array})", f"np.take({array}, np.arange({n})[::-1])",
                f"np.repeat({array}[:1], {n})", f"np.diff(np.concatenate(({array}, {array}[:1])))"]
        name = self.target(Arr((n,)), "PQRXYZ")
        self.put(f"{name} = {self.rng.choice(same)}")
        self.scope[name] = Arr((n,))

    def with_out(self):
        pairs = [(a, b) for a in self.names(Arr) for b in self.names(Arr) if self.scope[a] == self.scope[b]]
        if not pairs:
            return self.set_array()
        a, b = self.rng.choice(pairs)
        f = self.rng.choice(["add", "multiply", "subtract", "maximum"])
        self.put(f"np.{f}({a}, {self.bounded_array(b)}, out={a})")

    def empty_part(self):
        array = self.vector_or_buffer()
        if array is not None:
            empty = self.rng.choice([":0", "3:1", "9:", "-1:0:1"])
            self.put(f"{array}[{empty}] *= {self.leaf()}")
            self.bind_float(f"np.sum({array}[{empty}]) + np.prod({array}[{empty}]) * {self.bounded(self.leaf())}")


EVERYDAY = {"nested_function": 1.2, "local_lambda": 0.6, "tuple_of_arrays": 1, "rows_in_a_list": 0.6, "number_list": 0.8,
            "growing_list": 0.8, "guarded": 0.7, "walrus": 0.6, "twice_under_a_flag": 0.7, "alias_by_condition": 0.6,
            "integer_array": 0.7, "rounded_index": 0.4, "extreme_place": 0.4, "library_call": 2, "with_out": 0.7, "empty_part": 0.4}
BLOCK_STATEMENTS = ("walrus", "twice_under_a_flag", "guarded", "growing_list", "rows_in_a_list", "nested_function")
