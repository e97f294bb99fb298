"""Put programs together: choose and order results, join programs, check shapes on entry.

Each function is Program -> Program and knows nothing of derivatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from srcdiff.builder import Builder
from srcdiff.syntax import Atom, Const, If, Program, Raise, Stmt, Var, atoms_of, rename, walk

__all__ = ["arrange", "bind", "extents_of", "join", "keep", "require_equal",
           "require_same_shape", "require_shape_of_results"]


def keep(program: Program, positions: Iterable[int], tree=None) -> Program:
    """Return `program` with only these results, in this order."""
    return replace(program, results=tuple(program.results[i] for i in positions), tree=tree)


def arrange(program: Program, order: Sequence[str]) -> Program:
    """Return `program` with its parameters in another order."""
    params = {p.name: p for p in program.params}
    assert sorted(params) == sorted(order), (sorted(params), sorted(order))
    return replace(program, params=tuple(params[name] for name in order))


def bind(program: Program, values: dict[str, Atom]) -> Program:
    """Give parameters a constant value, so that they are parameters no more."""
    builder = Builder(program.types)
    for name, atom in values.items():
        type_ = program.types[name]
        if type_.weak:
            builder.copy(name, atom)
        else:
            builder.assign(name, "cast", atom, dtype=type_.dtype)
    params = tuple(p for p in program.params if p.name not in values)
    return replace(program, params=params, body=builder.take() + program.body)


def join(programs: Sequence[Program], common: int) -> Program:
    """Run programs with the same parameters one after another, as one program.

    The first `common` results of each are the same and stand once; the rest
    follow in order.  Work that the programs share is found by the optimizer.
    """
    first, *rest = programs
    builder = Builder(first.types)
    builder.append(*first.body)
    results = list(first.results)
    params = {p.name for p in first.params}
    for program in rest:
        names = {name: builder.fresh(name, type_) for name, type_ in program.types.items()
                 if name not in params}
        builder.append(*rename(program.body, names))
        results += [Var(names.get(a.name, a.name)) if isinstance(a, Var) else a
                    for a in program.results[common:]]
    return replace(first, body=builder.take(), results=tuple(results), types=builder.types)


def require_same_shape(program: Program, pairs: Iterable[tuple[str, str]], what: str) -> Program:
    """Check on entry that each first parameter has the shape of the second one.

    Compiled loops trust these extents, so the check belongs to the program:
    callers inside compiled code never pass the Python entry.
    """
    builder = Builder(program.types)
    for name, model in pairs:
        for axis in range(program.types[model].ndim):
            extent = builder.size(model, axis)
            require_equal(builder, builder.size(name, axis), extent,
                          f"[SD0310] the {what} of {model} does not have its shape")
    return replace(program, body=builder.take() + program.body, types=builder.types)


def require_shape_of_results(program: Program, pairs: Sequence[tuple[str, Atom]]) -> Program:
    """Check that each parameter has the shape of a variable, before the parameter is first read.

    The variable must have its final shape there, as a result has where the
    reverse sweep begins.
    """
    names = {name for name, _ in pairs}
    at = next((i for i, stmt in enumerate(program.body) if _reads(stmt, names)), len(program.body))
    builder = Builder(program.types)
    for name, model in pairs:
        for axis in range(program.types[name].ndim):
            require_equal(builder, builder.size(name, axis), builder.size(model.name, axis),
                          "[SD0310] the cotangent does not have the shape of the output")
    body = program.body[:at] + builder.take() + program.body[at:]
    return replace(program, body=body, types=builder.types)


def _reads(stmt: Stmt, names: set[str]) -> bool:
    return any(isinstance(a, Var) and a.name in names for s in walk((stmt,)) for a in atoms_of(s))


def require_equal(builder: Builder, a: Atom, b: Atom, message: str) -> None:
    """Append a check that two extents are equal."""
    differs = builder.op("not_equal", a, b, stem="differs")
    builder.append(If(differs, (Raise("ValueError", message, builder.where),), (), builder.where))


def extents_of(builder: Builder, atom: Atom) -> tuple[Atom, ...]:
    """Append the extents of an atom; a number has none."""
    if isinstance(atom, Const):
        return ()
    return builder.extents(atom.name)
