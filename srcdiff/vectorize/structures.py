"""The structures that variables hold while the walk goes on, and how they become dense."""

from __future__ import annotations

from contextlib import contextmanager

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.shapes import Extent, Root
from srcdiff.syntax import Assign, Atom, Const, Program, Scalar, Stmt, Var
from srcdiff.vectorize.algebra import Algebra
from srcdiff.vectorize.axis import Directions
from srcdiff.vectorize.facts import Facts
from srcdiff.vectorize.structure import (
    EQUAL,
    ONE,
    SUMMED,
    Diagonal,
    Held,
    Hole,
    Structure,
    Zero,
)

__all__ = ["Structures"]


class Structures:
    """What is known of each variable at the present place of the walk.

    A variable that holds a structure has no statement of its own yet: only the
    values of the diagonal are written.  If a dense operation, a loop or a
    result needs the variable, its dense form is put where it was assigned, so
    that it is computed once and outside of inner loops.
    """

    def __init__(self, program: Program, names: frozenset[str], directions: Directions, sought: bool = True):
        self.program, self.names, self.directions, self.sought = program, names, directions, sought
        self.builder = directions.builder
        self.facts = Facts(program)
        self.followed = self.facts.followed(names)
        self.writer = ExtentWriter(self.builder, self.facts.shapes, self._exists, self._leaf)
        self.algebra = Algebra(self.facts, directions, names, self.of, self.write)
        self.held: dict[str, Held] = {}
        self.known: dict[Extent, tuple[int, Atom]] = {}     # with the order in which they were learnt
        self.horizon: int | None = None                     # what was learnt from here on does not exist
        self.depth = 0

    def of(self, name: str) -> Structure | None:
        return self.held[name].structure if name in self.held else None

    # -- extents ------------------------------------------------------------------------

    @contextmanager
    def inside(self):
        """Walk a nested block; extents computed there are not known after it."""
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def learn(self, stmt: Stmt) -> None:
        """Remember what a statement at the top of the program computes or proves of extents."""
        if self.depth or not isinstance(stmt, Assign):
            return
        self.facts.shapes.assume(stmt)
        if isinstance(self.program.types[stmt.target], Scalar):
            extent = self.facts.shapes.value(Var(stmt.target))
            if extent is not None and extent.terms and self.facts.is_settled(Var(stmt.target)):
                self.known.setdefault(extent, (len(self.known), Var(stmt.target)))

    def _computed(self, extent: Extent | None) -> Atom | None:
        order, atom = self.known.get(extent, (0, None))
        return atom if self.horizon is None or order < self.horizon else None

    def write(self, extent: Extent) -> Atom:
        computed = self._computed(extent)
        return self.writer.write(extent) if computed is None else computed

    def possible(self, extent: Extent | None) -> bool:
        return self._computed(extent) is not None or self.writer.possible(extent)

    def _exists(self, root: Root) -> bool:
        name = root.key[0]
        if root.kind == "value":
            return name not in self.names
        return name not in self.held or self.held[name].dense

    def _leaf(self, root: Root) -> Atom:
        if root.kind == "value":
            return Var(root.key[0])
        name, axis = root.key
        return self.builder.size(name, self.directions.shift(axis) if name in self.names else axis)

    def size(self, name: str, axis: int) -> Atom | None:
        """Return an extent of a variable that is not dense; None if it must be made so."""
        if name not in self.held or self.held[name].dense:
            return None
        extent = self.held[name].structure.extents[axis]
        return self.write(extent) if self.possible(extent) else None

    def count(self, stmt: Assign) -> Atom:
        """Return the number of directions of a seed: the elements of its variable."""
        count: Atom = stmt.args[0] if stmt.args else Const(1)
        for extent in stmt.args[1:]:
            count = self.builder.op("multiply", count, extent, stem="n_directions")
        if isinstance(count, Var) and count.name in self.program.types and not self.facts.is_settled(count):
            count = self.builder.op("copy", count, stem="n_directions")
        return count

    # -- structures -----------------------------------------------------------------------

    def hold(self, stmt: Assign) -> bool:
        """Let the target hold the structure of the result; tell whether it has one."""
        start = len(self.builder.block)
        structure = self._structure(stmt) if self.sought else None
        if structure is None or not self._can_be_dense(stmt.target, structure):
            del self.builder.block[start:]
            return False
        hole = Hole(stmt.where)
        self.builder.append(hole)
        self.held[stmt.target] = Held(structure, hole, len(self.known))
        if stmt.target not in self.followed:
            self.make_dense(stmt.target)
            del self.held[stmt.target]
        return True

    def _structure(self, stmt: Assign) -> Structure | None:
        value = self.facts.shapes.value
        match stmt:
            case Assign(op="seed", args=extents):
                return Diagonal(ONE, tuple(map(value, extents)))
            case _ if stmt.target not in self.followed:
                return None
            case Assign(op="zeros", args=extents):
                return Zero(tuple(map(value, extents)))
            case Assign(op="copy", args=(Const() as constant,)):
                return Zero(()) if self.facts.is_zero(constant) else None
        return self.algebra.structured(stmt)

    def _can_be_dense(self, target: str, structure: Structure) -> bool:
        """Tell whether the dense form can be written without the variable itself."""
        if isinstance(structure, Diagonal) and structure.kind == EQUAL and len(structure.extents) < 2:
            return True
        return all(self.possible(e) and target not in self.facts.shapes.depends(e)
                   for e in structure.extents)

    def shortcut(self, stmt: Assign) -> Atom | None:
        start = len(self.builder.block)
        atom = self.algebra.shortcut(stmt)
        if atom is None:
            del self.builder.block[start:]
        return atom

    def forget(self, name: str) -> None:
        self.held.pop(name, None)

    # -- dense forms -------------------------------------------------------------------------

    def make_dense(self, name: str) -> None:
        """Write the dense form of a variable where it was assigned, if that is not done."""
        held = self.held.get(name)
        if held is None or held.dense:
            return
        outside, self.horizon = self.horizon, held.horizon
        with self.builder.at(held.hole.where), self.builder.nested() as block:
            self._write_dense(name, held.structure)
        self.horizon = outside
        held.hole.statements[:] = block
        held.dense = True

    def _write_dense(self, name: str, structure: Structure) -> None:
        dtype = self.builder.types[name].dtype
        if isinstance(structure, Zero):
            extents = map(self.write, structure.extents)
            self.builder.assign(name, "zeros", *self.directions.extents(extents), dtype=dtype)
        elif not structure.extents:
            self.builder.assign(name, "full", structure.values, self.directions.count, dtype=dtype)
        elif len(structure.extents) > 1:
            self._write_flat(name, structure, dtype)
        elif structure.kind == EQUAL and structure.values == ONE:
            count = self.directions.count
            self.builder.assign(name, "eye", count, count, dtype=dtype)
        else:
            self._write_vector(name, structure, dtype)

    def _write_flat(self, name: str, structure: Diagonal, dtype: str) -> None:
        """Write a diagonal in the flat index, then give it the extents of the variable."""
        builder, count = self.builder, self.directions.count
        values = structure.values
        if builder.type_of(values).ndim:
            values = builder.op("reshape", self.algebra.whole(structure, dtype), count, stem=f"{name}_diagonal")
        if values == ONE:
            flat = builder.op("eye", count, count, stem=f"{name}_flat", dtype=dtype)
        else:
            flat = builder.op("zeros", count, count, stem=f"{name}_flat", dtype=dtype)
            with builder.loop(Const(0), count) as i:
                builder.store(flat.name, (i, i), self._element(values, i))
        extents = map(self.write, structure.extents)
        builder.assign(name, "reshape", flat, *self.directions.extents(extents))

    def _write_vector(self, name: str, structure: Diagonal, dtype: str) -> None:
        """Write ``value[i, k]`` for the longer of i and k; the other is 0 where its axis has extent 1."""
        builder, count = self.builder, self.directions.count
        n = count if structure.kind == EQUAL else self.write(structure.extents[0])
        values = structure.values
        if builder.type_of(values).ndim:
            values = self.algebra.whole(structure, dtype)
        builder.assign(name, "zeros", *self.directions.extents((n,)), dtype=dtype)
        longer, shorter = (count, n) if structure.kind == SUMMED else (n, count)
        last = None if structure.kind == EQUAL else builder.op("subtract", shorter, Const(1), stem="last")
        with builder.loop(Const(0), longer) as i:
            j = i if last is None else builder.op("minimum", i, last, stem="j")
            element, direction = (j, i) if structure.kind == SUMMED else (i, j)
            index = (direction, element) if self.directions.first else (element, direction)
            builder.store(name, index, self._element(values, i))

    def _element(self, values: Atom, i: Atom) -> Atom:
        return self.builder.load(values.name, (i,)) if self.builder.type_of(values).ndim else values


