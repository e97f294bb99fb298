"""A batch on all cores: the loop over samples in chunks, each chunk a call of its own.

The program of a batch is a loop over samples and what stands before it.  Where
the samples are proved independent (`analysis.independent`), it is printed as

* ``f_before``: what is computed once, and the memory of the results;
* ``f_part``: the samples ``first`` to ``last``.  Its work arrays are its own, so
  nothing is shared but the results, of which each sample writes its own part;
* ``f``: calls them, the parts in a `prange`.

An exception in a `prange` is lost in Numba.  So a part that fails is noted, and
run again after the loop, outside of it, where it raises what it raised.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace

from srcdiff.analysis.extents import ExtentWriter
from srcdiff.analysis.independent import independent
from srcdiff.analysis.shapes import Shapes
from srcdiff.analysis.uses import changed
from srcdiff.builder import Builder
from srcdiff.primitives import PRIMITIVES
from srcdiff.printing import reserved, to_source
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    Param,
    Program,
    Scalar,
    Var,
    atoms_of,
    defined,
    rename,
    walk,
)

__all__ = ["CHUNKS", "Batch", "batch_text", "split"]

CHUNKS = 64                     # more than cores: samples differ in cost; few enough to allocate for each
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
        The number of samples.
    """

    program: Program
    before: Program
    part: Program
    given: tuple[str, ...]
    count: Atom


def split(program: Program) -> Batch | None:
    """Take an unlowered program apart at its loop over samples; None if that is not proved safe."""
    program = _without_reserved(program)
    if not program.body or any(isinstance(s, Assign) and PRIMITIVES[s.op].opaque for s in walk(program.body)):
        return None
    *front, loop = program.body
    outs = independent(program, len(front))
    results = [a.name if isinstance(a, Var) else None for a in program.results]
    if not outs or loop.start != Const(0) or set(results) != set(outs) or not _allocated(front, outs):
        return None
    made = dict.fromkeys(changed(front))
    reads = {a.name for s in walk((loop,)) for a in atoms_of(s) if isinstance(a, Var)}
    cheap = _numbers(program, front)
    given = tuple(name for name in made if (name in reads or name in outs) and name not in cheap)
    before = replace(program, name=f"{program.name}_before", body=tuple(front), tree=None, doc="",
                     results=(loop.stop, *map(Var, given)))
    part = _part(program, front, loop, given, cheap)
    return None if part is None else Batch(program, before, part, given, loop.stop)


def _allocated(front, outs) -> bool:
    """Tell whether the results are nothing but memory before the loop."""
    memory = [s.target for s in front if isinstance(s, Assign) and s.op in MEMORY]
    touched = [defined(s) for s in walk(front)]
    return all(memory.count(name) == 1 == touched.count(name) for name in outs)


def _part(program: Program, front, loop, given, cheap: set[str]) -> Program | None:
    """Return the program of some samples; arrays from before the loop stand in as memory of their extents."""
    builder, shapes = Builder(program.types), Shapes(program)
    numbers = [name for name in given if not program.types[name].ndim]
    arrays = [name for name in given if program.types[name].ndim]
    exist = {p.name for p in program.params} | cheap.union(numbers)

    def leaf(root) -> Atom:
        return Var(root.key[0]) if root.kind == "value" else builder.size(*root.key)

    writer = ExtentWriter(builder, shapes, lambda root: root.key[0] in exist, leaf)
    first, last = builder.fresh("first", COUNT), builder.fresh("last", COUNT)
    builder.append(*(s for s in front if defined(s) in cheap))
    for name in arrays:
        extents = shapes.extents(name)
        if not all(map(writer.possible, extents)):
            return None
        builder.assign(name, "empty", *map(writer.write, extents), dtype=program.types[name].dtype)
    builder.append(replace(loop, start=Var(first), stop=Var(last)))
    params = (Param(first, COUNT), Param(last, COUNT), *(Param(n, program.types[n]) for n in numbers))
    return replace(program, name=f"{program.name}_part", params=(*params, *program.params), body=builder.take(),
                   results=tuple(map(Var, arrays)), types=builder.types, tree=None, doc="")


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


def _without_reserved(program: Program) -> Program:
    """Return the program without names that mean something else in the module."""
    builder = Builder(program.types)
    names = {n: builder.fresh(f"{n}_", program.types[n]) for n in program.types
             if n in reserved() or n in ("prange", "chunk", "failed", program.name)}
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
    {count}, {given} = {name}_before({params})
    failed = np.zeros({chunks}, np.bool_)
    for chunk in prange({chunks}):
        {first}, {last} = {count} * chunk // {chunks}, {count} * (chunk + 1) // {chunks}
        failed[chunk] = {name}_fails({first}, {last}, {args})
    for chunk in range({chunks}):
        if failed[chunk]:               # raises what it raised
            {first}, {last} = {count} * chunk // {chunks}, {count} * (chunk + 1) // {chunks}
            {name}_part({first}, {last}, {args})
    return {results}
'''
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
DECORATOR = '@njit(error_model="numpy", fastmath={{"contract"}}{more})\n'


def batch_text(batch: Batch, lower: Callable[[Program], Program], jit: bool = False,
               summary: str = "") -> str | None:
    """Return the text of the module, each program lowered; None if the parts cannot be separated."""
    part = _with_given(lower(batch.part), batch.given)
    if part is None:
        return None
    program = batch.program
    count = Builder(program.types).fresh("n_samples", COUNT)
    words = {
        "name": program.name, "params": ", ".join(p.name for p in program.params), "chunks": CHUNKS,
        "count": count, "given": ", ".join(batch.given), "results": ", ".join(map(str, program.results)),
        "args": ", ".join(p.name for p in part.params[2:]),
        "doc": summary or f"Compute `{program.name}` on all cores.",
        "first": part.params[0].name, "last": part.params[1].name,
    }
    functions = _functions(to_source(lower(batch.before)))
    functions |= _functions(to_source(part))
    functions |= {f"{program.name}_fails": FAILS.format(**words), program.name: MAIN.format(**words)}
    code = "\n\n".join(_decorated(name, text, program.name) if jit else text
                       for name, text in functions.items())
    names = {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    imports = "import math\n\n" * ("math" in names) + "import numpy as np\n\n"
    imports += JIT if jit else "from numba import prange\n"
    return f'{imports}\n__all__ = ["{program.name}"]\n\n\n{code}'


def _decorated(name: str, text: str, main: str) -> str:
    return DECORATOR.format(more=", parallel=True" * (name == main)) + text


def _functions(source: str) -> dict[str, str]:
    """Return the text of each function of a module."""
    lines = source.splitlines(True)
    return {node.name: "".join(lines[node.lineno - 1:node.end_lineno])
            for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def _with_given(part: Program, given) -> Program | None:
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
