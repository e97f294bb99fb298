"""The plain notation: show a program as flat Python, read it back, run it.

This is for tests, docstrings and debugging.  What users read is made by
`srcdiff.printing`.  `run` is the reference interpreter: it gives every
operation the meaning that `srcdiff.primitives` declares.

>>> program = read('''
... def f(x: "float64[:]", n: "weak int64"):
...     s = 0.0
...     for i in range(0, n, 1):
...         t = x[i]
...         u = multiply(t, t)
...         s = add(s, u)
...     return s
... ''')
>>> float(run(program, np.array([1.0, 2.0]), 2))
5.0
>>> read(show(program)) == program
True
"""

from __future__ import annotations

import ast
import copy
from dataclasses import replace

import numpy as np

from srcdiff.builder import Builder
from srcdiff.primitives import PRIMITIVES, infer, unify
from srcdiff.syntax import (
    Array,
    Assign,
    Const,
    For,
    If,
    Load,
    Param,
    Program,
    Raise,
    Scalar,
    Span,
    Store,
    Type,
    Var,
    While,
    with_blocks,
)

__all__ = ["in_any_order", "of_differentials", "read", "run", "show", "show_statement"]


# -- show ---------------------------------------------------------------------

def show(program: Program, name: str | None = None) -> str:
    """Return `program` as one flat Python function, one statement a line."""
    params = ", ".join(f'{p.name}: "{p.type}"' for p in program.params)
    lines = [f"def {name or program.name}({params}):"]
    lines += _show_block(program.body, "    ")
    lines.append("    return " + ", ".join(map(str, program.results)))
    return "\n".join(lines) + "\n"


def _show_block(body, indent):
    lines = [indent + line for stmt in body for line in show_statement(stmt)]
    return lines or [indent + "pass"]


def show_statement(stmt) -> list[str]:
    """Return the lines of one statement."""
    deeper = "    "
    match stmt:
        case Assign(target, "copy", (Const() as value,)):
            return [f"{target} = {value}"]
        case Assign(target, op, args, static):
            operands = [*map(str, args), *(f"{k}={v!r}" for k, v in static)]
            return [f"{target} = {op}({', '.join(operands)})"]
        case Load(target, array, index):
            return [f"{target} = {array}[{_show_index(index)}]"]
        case Store(array, index, value, accumulate):
            return [f"{array}[{_show_index(index)}] {'+=' if accumulate else '='} {value}"]
        case For(var, start, stop, step, body):
            return [f"for {var} in range({start}, {stop}, {step}):", *_show_block(body, deeper)]
        case While(test, condition, body):
            return ["while True:", *_show_block(test, deeper) * bool(test),
                    f"{deeper}if not {condition}:", f"{deeper}    break",
                    *_show_block(body, deeper)]
        case If(condition, then, orelse):
            lines = [f"if {condition}:", *_show_block(then, deeper)]
            return lines + (["else:", *_show_block(orelse, deeper)] if orelse else [])
        case Raise(exception, message):
            return [f"raise {exception}({message!r})"]
    raise TypeError(stmt)


def _show_index(index):
    def one(item):
        if isinstance(item, Span):
            return ":".join("" if a is None else str(a)
                            for a in (item.start, item.stop, item.step))
        return str(item)
    return ", ".join(map(one, index))


# -- read -----------------------------------------------------------------------

def read(text: str) -> Program:
    """Parse the plain notation; types of locals are inferred in program order.

    A variable assigned twice gets the unified type.
    """
    tree = ast.parse(text.strip()).body[0]
    params = tuple(Param(a.arg, _read_type(a.annotation.value)) for a in tree.args.args)
    reader = _Reader({p.name: p.type for p in params})
    body = reader.block(tree.body[:-1])
    value = tree.body[-1].value
    results = value.elts if isinstance(value, ast.Tuple) else [] if value is None else [value]
    return Program(tree.name, params, body, tuple(map(_read_atom, results)), reader.types)


def in_any_order(program: Program) -> Program:
    """Mark all sums of a program as those of an adjoint, whose order is nobody's: the notation does not say it."""
    def one(stmt):
        stmt = with_blocks(stmt, [tuple(map(one, block)) for block in stmt.blocks]) if stmt.blocks else stmt
        is_sum = isinstance(stmt, Store) and stmt.accumulate or isinstance(stmt, Assign) and stmt.op in ("add", "subtract")
        return replace(stmt, where=replace(stmt.where, any_order=True)) if is_sum else stmt
    return program.with_body(map(one, program.body))


def of_differentials(program: Program) -> Program:
    """Mark all divisions of a program as those of differentials: the notation does not say it."""
    def one(stmt):
        stmt = with_blocks(stmt, [tuple(map(one, block)) for block in stmt.blocks]) if stmt.blocks else stmt
        divides = isinstance(stmt, Assign) and stmt.op == "divide"
        return replace(stmt, where=replace(stmt.where, of_differential=True)) if divides else stmt
    return program.with_body(map(one, program.body))


def _read_type(text: str) -> Type:
    weak, _, text = text.rpartition(" ")
    dtype, bracket, axes = text.partition("[")
    return Array(dtype, axes.count(":")) if bracket else Scalar(dtype, weak=bool(weak))


def _read_atom(node):
    match node:
        case ast.Name(id="inf" | "nan" as name):
            return Const(float(name))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Name(id="inf")):
            return Const(-float("inf"))
        case ast.Name(id=name):
            return Var(name)
    return Const(ast.literal_eval(node))


def _read_item(node):
    if isinstance(node, ast.Slice):
        return Span(*(None if n is None else _read_atom(n)
                      for n in (node.lower, node.upper, node.step)))
    return _read_atom(node)


def _read_index(node):
    return tuple(map(_read_item, node.elts if isinstance(node, ast.Tuple) else [node]))


class _Reader:
    def __init__(self, types):
        self.types = types

    def block(self, nodes):
        return tuple(self.stmt(n) for n in nodes if not isinstance(n, ast.Pass))

    def declare(self, name, type_):
        old = self.types.get(name)
        self.types[name] = type_ if old is None else unify(old, type_)

    def type_of(self, atom):
        return Builder(self.types).type_of(atom)

    def stmt(self, node):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=op)) as c):
                args = tuple(map(_read_atom, c.args))
                static = tuple(sorted((k.arg, ast.literal_eval(k.value)) for k in c.keywords))
                self.declare(name, infer(op, tuple(map(self.type_of, args)), static))
                return Assign(name, op, args, static)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript(value, index)):
                index = _read_index(index)
                self.declare(name, Builder(self.types).load_type(value.id, index))
                return Load(name, value.id, index)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                atom = _read_atom(value)
                self.declare(name, self.type_of(atom))
                return Assign(name, "copy", (atom,))
            case ast.Assign(targets=[ast.Subscript(value, index)], value=source):
                return Store(value.id, _read_index(index), _read_atom(source))
            case ast.AugAssign(target=ast.Subscript(value, index), value=source):
                return Store(value.id, _read_index(index), _read_atom(source), True)
            case ast.For(target=ast.Name(id=name), iter=ast.Call(args=bounds), body=body):
                self.declare(name, Scalar("int64", weak=True))
                return For(name, *map(_read_atom, bounds), self.block(body))
            case ast.While(body=body):
                at = next(i for i, n in enumerate(body) if isinstance(n, ast.If)
                          and isinstance(n.test, ast.UnaryOp))
                test = self.block(body[:at])
                return While(test, _read_atom(body[at].test.operand), self.block(body[at + 1:]))
            case ast.If(test=test, body=body, orelse=orelse):
                return If(_read_atom(test), self.block(body), self.block(orelse))
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=args)):
                return Raise(name, args[0].value if args else "")
        raise SyntaxError(f"not in the normal form: {ast.unparse(node)}")


# -- run --------------------------------------------------------------------------



def run(program: Program, *args):
    """Interpret `program`; returns a bare value for one result, else a tuple.

    Arguments are copied first, so a caller's arrays never change.
    """
    if len(args) != len(program.params):
        raise TypeError(f"{program.name} takes {len(program.params)} arguments, not {len(args)}")
    values = {p.name: copy.deepcopy(a) for p, a in zip(program.params, args, strict=False)}
    _run_block(program.body, values, program.types)
    results = tuple(_value(a, values) for a in program.results)
    return results[0] if len(results) == 1 else results


def _value(atom, values):
    return values[atom.name] if isinstance(atom, Var) else atom.value


def _index(index, values):
    def one(item):
        if isinstance(item, Span):
            return slice(*(None if a is None else _value(a, values)
                           for a in (item.start, item.stop, item.step)))
        return _value(item, values)
    return tuple(map(one, index))


def _hold(value, type_):
    """Convert to the declared type of the variable (an int that unified with a float)."""
    if isinstance(type_, Scalar) and not isinstance(value, np.ndarray):
        if type_.weak:
            kind = {"float64": float, "int64": int, "bool": bool, "complex128": complex}
            return kind[type_.dtype](value)
        return np.dtype(type_.dtype).type(value)
    return np.array(value, dtype=type_.dtype)


def _run_block(body, values, types):
    for stmt in body:
        match stmt:
            case Assign(target, op, args, static):
                result = PRIMITIVES[op].evaluate(*(_value(a, values) for a in args), **dict(static))
                values[target] = result if op == "view" else _hold(result, types[target])
            case Load(target, array, index):
                values[target] = _hold(values[array][_index(index, values)], types[target])
            case Store(array, index, value, accumulate):
                where, value = _index(index, values), _value(value, values)
                if accumulate:
                    np.add.at(values[array], where, value)
                else:
                    values[array][where] = value
            case For(var, start, stop, step, inner):
                for i in range(*(_value(a, values) for a in (start, stop, step))):
                    values[var] = i
                    _run_block(inner, values, types)
            case While(test, condition, inner):
                while True:
                    _run_block(test, values, types)
                    if not _value(condition, values):
                        break
                    _run_block(inner, values, types)
            case If(condition, then, orelse):
                _run_block(then if _value(condition, values) else orelse, values, types)
            case Raise(exception, message):
                import builtins
                raise getattr(builtins, exception, RuntimeError)(message)
