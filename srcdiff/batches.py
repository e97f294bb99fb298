"""A batch on all cores: the loop over samples in chunks, each chunk a call of its own.

The program of a batch is a loop over samples and what stands before it.  Where
the samples are proved independent (`analysis.independent`), it is printed as

* ``f_before``: what is computed once, and the memory of the results;
* ``f_part``: the samples ``first`` to ``last``.  Its work arrays are its own, so
  nothing is shared but the results, of which each sample writes its own part;
* ``f``: calls them, the parts in a `prange`.  The text that is compiled here has a worker for each thread,
  and a free one takes the next part (`backend.turns`); the text to keep needs nothing but Numba.

An exception in a `prange` is lost in Numba.  So a part that fails is noted, and
run again after the loop, outside of it, where it raises what it raised.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, replace

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.independent import independent
from srcdiff.analysis.shapes import Shapes
from srcdiff.analysis.signs import from_front
from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.lower.ravel import of_any_layout, ravel
from srcdiff.primitives import PRIMITIVES
from srcdiff.printing import reserved, to_source
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Param,
    Program,
    Scalar,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["CHUNKS", "WORDS", "Batch", "batch_text", "split", "with_given", "without_reserved"]

WORDS = frozenset({"prange", "chunk", "failed", "turn", "worker", "next_turn"})        # what the text calls its own
CHUNKS = 64                     # more than cores: samples differ in cost; few enough to allocate for each
WIDTH = 100
COUNT = Scalar("int64", weak=True)
MEMORY = ("empty", "zeros")


@dataclass(frozen=True)
class Batch:
    """A batch taken apart.

    Attributes
    ----------
    before
        The program of what stands before the loop; its results are `given`.
    part
        The program of samples ``first`` to ``last``, its first two parameters;
        the names in `given` that it reads or writes are still assigned in it,
        for their extents: `batch_text` makes parameters of them.
    given
        The arrays and numbers from before the loop that the loop uses.
    count
        How many samples or blocks of samples there are.
    counted
        Which of these: "samples" or "blocks".
    """

    program: Program
    before: Program
    part: Program
    given: tuple[str, ...]
    count: Atom
    counted: str


def split(program: Program) -> Batch | None:
    """Take an unlowered program apart at its loop over samples; None if that is not proved safe."""
    program = without_reserved(program, WORDS)
    if not program.body or any(isinstance(s, Assign) and PRIMITIVES[s.op].opaque for s in walk(program.body)):
        return None
    *front, loop = program.body
    if not isinstance(loop, For) or loop.start != Const(0):
        return None
    others, fitted = _without_first(loop)
    outs = independent(program.with_body((*front, others)), len(front))
    results = {a.name if isinstance(a, Var) else None for a in program.results}
    if not outs or results != set(outs) or not _allocated(front, outs):
        return None
    return _Splitter(program, front, others, outs, fitted).run(loop)


def _without_first(loop: For) -> tuple[For, tuple[str, ...]]:
    """Return the loop over all samples but the first, and the results that the first one allocates."""
    body, fitted = [], []
    for stmt in loop.body:
        match stmt:
            case If(then=(Assign(target=name, op="empty"),), orelse=orelse) \
                    if orelse and _tests_first(loop, stmt.condition):
                fitted.append(name)
                body += orelse
            case _:
                body.append(stmt)
    return replace(loop, body=tuple(body)), tuple(fitted)


def _tests_first(loop: For, condition: Atom) -> bool:
    made = [s for s in walk(loop.body) if defined(s) is not None and Var(defined(s)) == condition]
    return len(made) == 1 and isinstance(made[0], Assign) and made[0].op == "equal" \
        and made[0].args == (Var(loop.var), Const(0))


def _allocated(front, outs) -> bool:
    """Tell whether the results are nothing but memory before the loop."""
    memory = [s.target for s in front if isinstance(s, Assign) and s.op in MEMORY]
    touched = [defined(s) for s in walk(front)]
    return all(memory.count(name) == 1 == touched.count(name) for name in outs)


class _Splitter:
    """Writes the two programs; arrays from before the loop stand in the second as memory of their extents."""

    def __init__(self, program: Program, front, loop: For, outs, fitted):
        self.program, self.front, self.loop, self.fitted = program, front, loop, fitted
        self.cheap = _numbers(program, front)
        reads = {a.name for s in walk((loop,)) for a in atoms_of(s) if isinstance(a, Var)}
        given = [name for name in dict.fromkeys(changed(front))
                 if (name in reads or name in outs) and name not in self.cheap]
        self.numbers = [name for name in given if not program.types[name].ndim]
        self.arrays = [name for name in given if program.types[name].ndim]
        self.builder, self.shapes = Builder(program.types), Shapes(program)
        self.sizes: dict[str, Assign] = {}              # extents that only the arrays themselves can tell

    def run(self, loop: For) -> Batch:
        part = self.part()
        given = (*self.numbers, *self.sizes, *self.arrays)
        builder = Builder(self.builder.types)
        builder.append(*self.front)
        if self.fitted:
            builder.append(replace(loop, stop=builder.op("minimum", loop.stop, Const(1), stem="stop")))
        builder.append(*self.sizes.values())
        before = replace(self.program, name=f"{self.program.name}_before", body=builder.take(), tree=None, doc="",
                         results=(loop.stop, *map(Var, given)), types=builder.types)
        return Batch(self.program, before, part, given, loop.stop, "blocks" if loop.var.startswith("block") else "samples")

    def part(self) -> Program:
        """Return the program of some samples."""
        builder, program = self.builder, self.program
        exist = {p.name for p in program.params} | self.cheap.union(self.numbers)
        writer = ExtentWriter(builder, self.shapes, lambda root: root.key[0] in exist, self._leaf)
        first, last = builder.fresh("first", COUNT), builder.fresh("last", COUNT)
        builder.append(*(s for s in self.front if defined(s) in self.cheap))
        for name in self.arrays:
            extents = self.shapes.extents(name)
            if name not in self.fitted and all(map(writer.possible, extents)):
                extents = [*map(writer.write, extents)]
            else:
                extents = [self._size(name, axis) for axis in range(len(extents))]
            builder.assign(name, "empty", *extents, dtype=program.types[name].dtype)
        start = builder.op("maximum", Var(first), Const(0), stem="start")       # never negative, which is a proof here
        builder.append(replace(self.loop, start=start, stop=Var(last)))
        params = (Param(first, COUNT), Param(last, COUNT),
                  *(Param(n, builder.types[n]) for n in (*self.numbers, *self.sizes)))
        return replace(program, name=f"{program.name}_part", params=(*params, *program.params), tree=None, doc="",
                       body=builder.take(), results=tuple(map(Var, self.arrays)), types=builder.types)

    def _leaf(self, root) -> Atom:
        return Var(root.key[0]) if root.kind == "value" else self.builder.size(*root.key)

    def _size(self, name: str, axis: int) -> Atom:
        size = self.builder.fresh(f"n_{name}", COUNT)
        self.sizes[size] = Assign(size, "size", (Var(name),), (("axis", axis),))
        return Var(size)


def _numbers(program: Program, front) -> set[str]:
    """Return the numbers before the loop that cost nothing to compute again from the parameters."""
    known = {p.name for p in program.params}
    targets = [defined(s) for s in walk(front)]
    found = set()
    for stmt in front:
        scalar = isinstance(stmt, Assign) and not program.types[stmt.target].ndim \
            and PRIMITIVES[stmt.op].kind in ("elementwise", "extent") and targets.count(stmt.target) == 1
        if scalar and all(isinstance(a, Const) or a.name in known for a in stmt.args):
            known.add(stmt.target)
            found.add(stmt.target)
    return found


def without_reserved(program: Program, more: frozenset[str]) -> Program:
    """Return the program without names that mean something else in the module: those of `more`, too."""
    taken = reserved(program.body) | more | {program.name}
    builder = Builder(program.types, taken)
    names = {n: builder.fresh(f"{n}_", type_) for n, type_ in program.types.items() if n in taken}
    if not names:
        return program
    types = {names.get(name, name): t for name, t in program.types.items()}
    return replace(
        program, body=rename(program.body, names), types=types,
        params=tuple(replace(p, name=names.get(p.name, p.name), like=names.get(p.like, p.like))
                     for p in program.params),
        results=tuple(Var(names.get(a.name, a.name)) if isinstance(a, Var) else a for a in program.results))


# -- the text -------------------------------------------------------------------------

MAIN = '''\
def {name}({params}):
    """{doc}"""
    ({count}, {given}) = {name}_before({params})
    failed = np.zeros({chunks}, np.bool_)
{parts}
    for chunk in range({chunks}):
        if failed[chunk]:               # raises what it raised
            {first}, {last} = {count} * chunk // {chunks}, {count} * (chunk + 1) // {chunks}
            {name}_part({first}, {last}, {args})
    return {results}
'''
IN_ORDER = '''\
    for chunk in prange({chunks}):
        {first}, {last} = {count} * chunk // {chunks}, {count} * (chunk + 1) // {chunks}
        failed[chunk] = {name}_fails({first}, {last}, {args})'''
IN_TURN = '''\
    turn = np.zeros(1, np.int64)
    for worker in prange({chunks}):          # each thread has one at least; the first of a thread takes what is left
        chunk = next_turn(turn)
        while chunk < {chunks}:
            {first}, {last} = {count} * chunk // {chunks}, {count} * (chunk + 1) // {chunks}
            failed[chunk] = {name}_fails({first}, {last}, {args})
            chunk = next_turn(turn)'''
FAILS = '''\
def {name}_fails({first}, {last}, {args}):
    if {first} < {last}:
        try:
            {name}_part({first}, {last}, {args})
        except Exception:
            return True
    return False
'''
JIT = '''\
try:
    from numba import njit, prange
except ImportError:                     # without Numba: the same numbers, slowly
    prange = range

    def njit(**options):
        return lambda function: function
'''
COMPILED = '''\
from numba import prange

from srcdiff.backend.turns import next_turn
'''
DECORATOR = '@njit(error_model="numpy", fastmath={{"contract"}}{more})\n'


def batch_text(batch: Batch, lower: Callable[[Program], Program], jit: bool = False,
               summary: str = "") -> str | None:
    """Return the text of the module, each program lowered; None if the parts cannot be separated."""
    part = with_given(ravel(lower(batch.part)), batch.given)        # where the extents of the memory are known
    if part is None:
        return None
    program = batch.program
    count = Builder(program.types).fresh(f"n_{batch.counted}", COUNT)
    words = {
        "name": program.name, "params": ", ".join(p.name for p in program.params), "chunks": CHUNKS,
        "count": count, "given": ", ".join(batch.given), "results": ", ".join(map(str, program.results)),
        "args": ", ".join(p.name for p in part.params[2:]),
        "doc": summary or f"Compute `{program.name}` on all cores.",
        "first": part.params[0].name, "last": part.params[1].name,
    }
    before = ravel(lower(batch.before))
    if jit:
        before, part = of_any_layout(before), of_any_layout(part, batch.given)
    sources = [to_source(one, from_front=from_front(one)) for one in (before, part)]
    functions = _functions(sources[0]) | _functions(sources[1])
    words["parts"] = (IN_ORDER if jit else IN_TURN).format(**words)
    functions |= {f"{program.name}_fails": FAILS.format(**words), program.name: MAIN.format(**words)}
    code = "\n\n".join(_decorated(name, text, program.name) if jit else text
                       for name, text in functions.items())
    names = {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    imports = "import math\n\n" * ("math" in names) + "import numpy as np\n\n"
    imports += JIT if jit else COMPILED
    notes = "" if jit else _notes(sources)
    return f'{imports}\n__all__ = ["{program.name}"]\n{notes}\n\n{_wrapped(code)}'


def _notes(sources) -> str:
    """Return the lines with what modules say of their functions, for a module of all of them."""
    marks: dict[str, dict] = {}
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                marks.setdefault(node.targets[0].id, {}).update(ast.literal_eval(node.value))
    return "".join(f"{mark} = {of}\n" for mark, of in marks.items())


def _wrapped(code: str) -> str:
    """Break long lines between the names in their parentheses; comments stay."""
    def one(line: str) -> str:
        indent = len(line) - len(line.lstrip())
        if len(line) <= WIDTH or "#" in line or '"' in line:
            return line
        parts = textwrap.wrap(line.replace(" = ", "\0=\0"), WIDTH, subsequent_indent=" " * (indent + 8),
                              break_long_words=False, break_on_hyphens=False)
        return "\n".join(parts).replace("\0", " ")
    return "\n".join(map(one, code.split("\n")))


def _decorated(name: str, text: str, main: str) -> str:
    return DECORATOR.format(more=", parallel=True" * (name == main)) + text


def _functions(source: str) -> dict[str, str]:
    """Return the text of each function of a module."""
    lines = source.splitlines(True)
    return {node.name: "".join(lines[node.lineno - 1:node.end_lineno])
            for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def with_given(part: Program, given) -> Program | None:
    """Make parameters of the arrays that stood in as memory."""
    arrays = [name for name in given if part.types.get(name, COUNT).ndim]
    if [a.name for a in part.results if isinstance(a, Var)] != arrays or len(part.results) != len(arrays):
        return None
    memory = [s for s in part.body if isinstance(s, Assign) and s.op == "empty" and s.target in arrays]
    assigned = [defined(s) for s in walk(part.body) if isinstance(s, Assign) and s.target in arrays]
    if sorted(assigned) != sorted(arrays) or sorted(s.target for s in memory) != sorted(arrays):
        return None
    body = [s for s in part.body if not any(s is m for m in memory)]
    more = tuple(Param(name, part.types[name]) for name in arrays if isinstance(part.types[name], Array))
    return replace(part, params=(*part.params, *more), body=tuple(body), results=())
