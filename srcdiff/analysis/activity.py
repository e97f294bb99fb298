"""Which variables carry a derivative: varied (depend on an active input) and useful (reach an output).

The analysis is flow-insensitive: a variable is active in the whole program or
nowhere (Griewank & Walther, section 6.2).  That errs towards active, never
towards zero.
"""

from __future__ import annotations

from collections.abc import Iterable

from srcdiff.errors import Problem, UnsupportedError
from srcdiff.primitives import PRIMITIVES
from srcdiff.rules import RULES
from srcdiff.syntax import Assign, Const, Load, Program, Store, Var, is_float, walk

__all__ = ["active_variables", "flows"]


def flows(program: Program) -> list[tuple[str, str, Assign | Load | Store]]:
    """Return (source, target, statement) for each flow of a differentiable value.

    Flows through an operation with a declared zero derivative, into or out of
    integers, are none; nor are those through a product with the constant 0 and a
    difference of a variable and itself, which vary with nothing.  An operation
    without a rule does flow: it is refused later, if both of its ends turn out active.
    """
    found = []
    for stmt in walk(program.body):
        match stmt:
            case Assign(target=target, op=op, args=args):
                rule = RULES.get(op)
                if PRIMITIVES[op].kind in ("extent",) or (rule is not None and rule.zero) or _constant(stmt):
                    continue
                sources = [a.name for a in args if isinstance(a, Var)]
            case Load(target=target, array=array):
                sources = [array]
            case Store(array=target, value=value):
                sources = [value.name] if isinstance(value, Var) else []
            case _:
                continue
        if is_float(program.types[target]):
            found += [(s, target, stmt) for s in sources if is_float(program.types[s])]
    return found


def _constant(stmt: Assign) -> bool:
    """Tell whether a value stays what it is, whatever its operands do: 0 x and x - x."""
    if stmt.op == "multiply":
        return any(isinstance(a, Const) and a.value == 0 for a in stmt.args)
    return stmt.op == "subtract" and stmt.args[0] == stmt.args[1]


def _reach(edges: dict[str, list[str]], starts: Iterable[str]) -> set[str]:
    seen, todo = set(), list(starts)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += edges.get(name, ())
    return seen


def active_variables(program: Program, inputs: Iterable[str],
                     outputs: Iterable[str]) -> frozenset[str]:
    """Return the variables through which `outputs` depend on `inputs`.

    Raises
    ------
    UnsupportedError
        An active value passes through an operation without a rule; every such
        place is listed.
    """
    forward: dict[str, list[str]] = {}
    backward: dict[str, list[str]] = {}
    edges = flows(program)
    for source, target, _ in edges:
        forward.setdefault(source, []).append(target)
        backward.setdefault(target, []).append(source)
    starts = [name for name in inputs if is_float(program.types[name])]
    active = frozenset(_reach(forward, starts) & _reach(backward, outputs))
    _refuse_unknown(edges, active)
    return active


def _refuse_unknown(edges, active):
    problems = []
    for source, target, stmt in edges:
        if isinstance(stmt, Assign) and stmt.op not in RULES and {source, target} <= active:
            problems.append(Problem(
                "SD0231", f"no derivative is known for {stmt.op}", stmt.where,
                why=f"{source} is active: it depends on an argument that is differentiated",
                fix="cut it off with sd.stop_gradient(...), or give a rule with sd.custom_rule(...)"))
    if problems:
        raise UnsupportedError(list(dict.fromkeys(problems)))
