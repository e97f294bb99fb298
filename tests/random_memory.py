"""Statements about memory for `random_programs`: numbers that are views, parts assigned to parts, narrow integers.

`self` is a `Writer`; each method writes one statement, or a few that belong
together, over variables whose kinds are known.
"""

from __future__ import annotations

__all__ = ["MEMORY", "Memory"]


class Memory:
    """Write views without axes, arrays without axes, and assignments within one array."""

    def number_view(self):
        """Name one element so that it stays a view; write it, or the array, and read both."""
        array = self.vector_or_buffer()
        if array is None:
            return
        k, z = self.rng.randrange(self.scope[array].shape[0]), self.fresh("z")
        self.put(f"{z} = " + self.rng.choice([f"{array}[..., {k}]", f"{array}[{k}:][:1].reshape(())",
                                              f"{array}[{k}:{k + 1}].squeeze(0)"]))
        self.change_number(z)
        if self.rng.random() < 0.5:
            self.put(f"{array}[{k}] *= {self.bounded(self.leaf())}")
        self.bind_float(self.bounded(f"{z} + {array}[{k}]"))

    def change_number(self, z: str):
        value = self.bounded(self.leaf())
        self.put(self.rng.choice([f"{z} += {value}", f"{z} *= {value}", f"{z}[...] = {value}", f"np.add({z}, {value}, out={z})"]))

    def number_array(self):
        """Make an array without axes, give it another name, write one and read both."""
        z, w = self.fresh("z"), self.fresh("z")
        self.put(f"{z} = np.array(1.0 * {self.leaf()})")
        self.put(f"{w} = {self.rng.choice([z, f'{z}[...]', f'{z}[()]', f'{z}.reshape(())', f'{z}.copy()', f'np.asarray({z})'])}")
        self.change_number(z)
        self.bind_float(self.bounded(f"{z} * 0.5 + {w}"))

    def part_to_part(self):
        """Assign one part of an array to another one that it overlaps."""
        array = self.vector_or_buffer()
        if array is None:
            return
        n = self.scope[array].shape[0]
        k, half = self.rng.randrange(n), (n + 1) // 2
        options = [f"[{k}:] = {array}[:{n - k}]", f"[:{n - k}] = {array}[{k}:]", f"[::-1] = {array}", f"[:{half}] = {array}[::2]",
                   f"[::-2] = {array}[:{half}]", f"[{k}:] = {array}[:{k - 1 if k else None}:-1]"]
        if self.rng.random() < 0.1:
            options = [f"[::2] = {array}[:{half}]"]         # refused where it is not one element
        self.put(array + self.rng.choice(options))

    def row_from_table(self):
        """Store a table of one row in a row, or a row and a column that meet on the diagonal."""
        name = self.matrix()
        if name is None or len(self.scope[name].shape) != 2:
            return self.part_to_part()
        n, m = self.scope[name].shape
        i, k = self.rng.randrange(n), self.rng.randrange(n)
        if n == m and self.rng.random() < 0.5:
            self.put(f"{name}[{i}] = {name}[:, {i}]")
        else:
            self.put(f"{name}[{i}] = {self.bounded_array(f'{name}[{k}:{k + 1}] * {self.leaf()}')}")

    def narrow_integers(self):
        """Multiply by integers of eight bits, which overflow."""
        q, dtype = self.fresh("q"), self.rng.choice(["np.int8", "np.uint8"])
        self.put(f"{q} = np.array([{self.rng.randrange(90, 120)}, {self.rng.randrange(60)}, 77], {dtype})")
        whole = self.rng.choice([f"{q}[0] + {q}[2]", f"{q}[1] - {q}[0]", f"{q}[0] * {q}[1]", f"({q} + {q}).max()", f"{dtype}(100) * {q}[1]"])
        self.bind_float(f"0.01 * ({whole}) * {self.bounded(self.leaf())}")


MEMORY = {"number_view": 0.7, "number_array": 0.5, "part_to_part": 0.5, "row_from_table": 0.4, "narrow_integers": 0.3}
