"""`f.explain(*args)`: the user's lines, each with what reverse mode does there and what that costs.

A line is *active* where a derivative flows through it.  Of the values that it
computes, reverse mode may need some again: they are *kept* (on a tape indexed
by the iteration, on a stack, or as one value), or *recomputed*; a line that
needs neither is *free*.  Bytes are counted by running the forward sweep alone.
Under a memory budget the line of a loop keeps the *checkpoints* of its state, and
the values in it are kept for one segment of its iterations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from srcdiff import compiler
from srcdiff.analysis.activity import active_variables
from srcdiff.api.arguments import chosen
from srcdiff.api.function import Function
from srcdiff.api.special import Special, output_leaves
from srcdiff.errors import Where
from srcdiff.reverse.report import Kept, report
from srcdiff.structure import flat_values, leaves
from srcdiff.syntax import (
    Assign,
    Const,
    For,
    If,
    Load,
    Raise,
    Static,
    Store,
    Var,
    While,
    is_complex,
    is_float,
    walk,
)

__all__ = ["Explanation", "Line", "Value", "explain"]


@dataclass(frozen=True)
class Value:
    """A value of a line that the reverse sweep reads: how it comes by it, and the bytes that takes."""

    name: str
    how: str
    bytes: int = 0


@dataclass(frozen=True)
class Line:
    """A line of the user's source that computes something.

    Attributes
    ----------
    operations
        What the line does to active values, in order: the names of the rules.
    values
        What the reverse sweep keeps or recomputes of what the line computes.
    """

    where: Where
    active: bool
    operations: tuple[str, ...]
    values: tuple[Value, ...]

    @property
    def bytes(self) -> int:
        return sum(v.bytes for v in self.values)

    @property
    def fate(self) -> str:
        """Say "keeps a, b (indexed); recomputes c", "free", or nothing for a constant line."""
        by_how: dict[str, list[str]] = {}
        for value in self.values:
            by_how.setdefault(value.how, []).append(value.name)
        said = [f"recomputes {', '.join(found)}" if how == "recomputed"
                else f"keeps {', '.join(found)} ({how})" for how, found in by_how.items()]
        return "; ".join(said) or "free" * self.active


@dataclass(frozen=True)
class Explanation:
    """The lines of a function and of what it calls; `str` is a table of them.

    Attributes
    ----------
    unbounded
        The bytes that would be kept without the memory budget, if there is one.
    """

    function: str
    arguments: tuple[str, ...]
    lines: tuple[Line, ...]
    unbounded: int | None = None

    @property
    def bytes(self) -> int:
        """All bytes that the reverse sweep keeps at once."""
        return sum(line.bytes for line in self.lines)

    @property
    def title(self) -> str:
        said = f"{self.function}, with respect to {', '.join(self.arguments)}: {self.bytes} bytes are kept in reverse mode"
        return said if self.unbounded is None else f"{said}, {self.unbounded} without the memory budget"

    def __str__(self) -> str:
        rows = [("line", "", "rules", "in reverse mode", "bytes", "")]
        rows += [(str(line.where.line), "active" if line.active else "constant", ", ".join(line.operations),
                  line.fate, str(line.bytes) if line.bytes else "", line.where.text.rstrip())
                 for line in self.lines]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        align = (str.rjust, str.ljust, str.ljust, str.ljust, str.rjust)
        lines = [self.title]
        name = self.function
        for row, line in zip(rows, (None, *self.lines), strict=True):
            if line is not None and line.where.function not in ("", name):
                name = line.where.function
                lines.append(f"in {name}, {line.where.file}:")
            cells = (put(cell, width) for put, cell, width in zip(align, row, widths, strict=False))
            lines.append("  ".join([*cells, row[5]]).rstrip())
        return "\n".join(lines)

    __repr__ = __str__


def explain(function: Function, *args, argnums: int | str | tuple | None = None, **keywords) -> Explanation:
    """Explain reverse mode of a function for one call; see the module.

    Parameters
    ----------
    argnums
        The arguments, by position or name, that are differentiated; all
        floating-point ones if not given.
    """
    args, keywords = function.bind(args, keywords)
    special = function.special_for(*args, **keywords)
    names, active = _active(function, special, argnums)
    program, derived = special.bare, compiler.optimised(special.bare)
    carriers = active_variables(program, active, [a.name for a in program.results if isinstance(a, Var)])

    def kept(memory):
        found = report(derived, active, memory)
        counts = _counts(function, special, found.sizes, args, keywords)
        return [(k, k.item_bytes * counts[k.result] if k.result is not None else 0) for k in found.kept]

    memory = function.options.within
    values: dict[tuple, list[Value]] = {}
    for one, size in kept(memory):
        values.setdefault(_place(one.where), []).append(Value(_shown(one, derived), one.how, size))
    unbounded = None if memory is None else sum(size for _, size in kept(None))
    return Explanation(function.__name__, names, tuple(_lines(program, carriers, values)), unbounded)


def _active(function, special: Special, argnums):
    """Return the arguments, as the user calls them, and the names of their floating-point leaves."""
    if argnums is None:
        args, keywords = special.inputs
        trees = [(function.argument_name(i), tree) for i, tree in enumerate(args)] + list(keywords.items())
    else:
        wanted = argnums if isinstance(argnums, tuple) else (argnums,)
        trees = [chosen(*special.inputs, function, which) for which in wanted]
    trees = [(name, [p for p in leaves(tree) if not isinstance(p, Static) and is_float(special.type(p))
                     and not is_complex(special.type(p))])
             for name, tree in trees]
    return (tuple(name for name, positions in trees if positions),
            tuple(dict.fromkeys(special.name(p) for _, positions in trees for p in positions)))


def _counts(function, special: Special, sizes, args, keywords) -> tuple:
    """Run the forward sweep, and return the number of elements of each tape."""
    if not sizes.results:
        return ()
    assert len(output_leaves(special.inputs)) + len(special.captures) == len(sizes.params)
    flat = [v for value in (*args, *keywords.values(), *(get() for get in special.captures))
            for v in flat_values(value)]
    return compiler.build(sizes, function.options)(*flat)


def _lines(program, carriers, values):
    """Yield the lines that compute something: functions as they are met, their lines in order."""
    places: dict[tuple, list] = {}
    order: dict[tuple, int] = {}
    for stmt in walk(program.body):
        if stmt.where.line and not isinstance(stmt, Raise):
            places.setdefault(_place(stmt.where), []).append(stmt)
            order.setdefault((stmt.where.file, stmt.where.function), len(order))
    first = {place: stmts[0].where for place, stmts in places.items()}
    for place in sorted(places, key=lambda p: (order[first[p].file, first[p].function], p)):
        active = [op for stmt in places[place] if (op := _operation(stmt, carriers))]
        yield Line(first[place], bool(active), tuple(dict.fromkeys(op for op in active if op != "copy")),
                   tuple(values.get(place, ())))


def _place(where: Where) -> tuple[str, int]:
    return where.file, where.line


def _operation(stmt, carriers) -> str:
    """Return what a statement does to an active value; "" where there is none."""
    match stmt:
        case For() | While() | If() | Assign(op="copy", args=(Const(),)):
            return ""
        case Assign(target=name, op=operation):
            pass
        case Load(target=name):
            operation = "index"
        case Store(array=name):
            operation = "store"
    return operation if name in carriers else ""


_TEMPORARY = re.compile(r"t(_\d+)?")


def _shown(kept: Kept, program) -> str:
    """Return the user's name of a kept value, or what computes it where it has none."""
    if not _TEMPORARY.fullmatch(kept.name) or re.search(rf"\b{kept.name}\b", kept.where.text):
        return kept.name
    for stmt in walk(program.body):
        match stmt:
            case Assign(target=name, op=op, args=args) if name == kept.name:
                return f"{op}({', '.join(map(_operand, args))})"
            case Load(target=name, array=array) if name == kept.name:
                return f"{array}[...]"
    return kept.name


def _operand(atom) -> str:
    name = str(atom)
    return "..." if _TEMPORARY.fullmatch(name) else name
