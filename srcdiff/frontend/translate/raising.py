"""What the statements of a `try` body may raise: on which condition, and with which operand they do not.

Three kinds.  What has a condition (`math.sqrt`, a division, a singular matrix) is
guarded: `operands`, `divisor` and `matrix` note the condition and give a harmless
operand.  What only shapes decide is checked: the user's handler would run
there, and the program raises.  `raised_by` says what remains.
"""

from __future__ import annotations

import builtins
import functools

from numpy.linalg import LinAlgError

from srcdiff.assemble import require_equal
from srcdiff.frontend.translate.kinds import NUMPY, PYTHON, kind_of
from srcdiff.frontend.translate.values import Refused
from srcdiff.primitives import LINEAR_ALGEBRA, PRIMITIVES
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    If,
    Load,
    Raise,
    Span,
    Stmt,
    Store,
    Var,
    blocks_of,
    walk,
    with_blocks,
)

__all__ = ["base", "checked", "divisor", "matrix", "operands", "raised_by"]

_LARGEST_EXP = 709.782712893384         # the largest float whose exponential is a float
_LARGEST_COSH = 710.4758600739439
_MISFIT = "[SD0342] shapes do not fit in the body of a `try`: its handler would run, and this is no condition that is tested"

_OUTSIDE = "[SD0343] index out of range, in the body of a `try`: its handler would run, and this is no condition that is tested"

# What cannot raise on numbers.
_SAFE = {
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
    "logical_not", "isnan", "isinf", "isfinite", "negative", "absolute", "size", "copy", "weaken", "add",
    "subtract", "multiply", "minimum", "maximum", "where", "cast", "arctan", "arctan2", "tanh", "erf",
    "erfc", "hypot", "square", "sign", "copysign", "floor", "ceil", "trunc", "rint", "stop_gradient", "cbrt",
    "arcsinh", "radians", "degrees", "root_of_squares",
}
# What cannot raise on arrays, whatever their shapes.
_SAFE_ON_ARRAYS = {"sum", "prod", "any", "all", "cumsum", "transpose", "expand_dims"}
_DIVISIONS = ("divide", "floor_divide", "remainder")


# -- conditions ------------------------------------------------------------------------------

def _below(op, bound):
    return lambda t, x: t.emit(op, x, Const(bound))


def _beyond(op, bound):
    return lambda t, x: t.emit(op, t.emit("absolute", x), Const(bound))


def _overflows(beyond):
    return lambda t, x: t.emit("logical_and", beyond(t, x), t.emit("isfinite", x))


# The operations of `math` that raise: on which condition, what, and an operand on which they do not.
RAISING = {
    "sqrt": (_below("less", 0.0), ValueError, 1.0),
    "log": (_below("less_equal", 0.0), ValueError, 1.0),
    "log2": (_below("less_equal", 0.0), ValueError, 1.0),
    "log10": (_below("less_equal", 0.0), ValueError, 1.0),
    "log1p": (_below("less_equal", -1.0), ValueError, 1.0),
    "arccos": (_beyond("greater", 1.0), ValueError, 0.0),
    "arcsin": (_beyond("greater", 1.0), ValueError, 0.0),
    "arctanh": (_beyond("greater_equal", 1.0), ValueError, 0.0),
    "arccosh": (_below("less", 1.0), ValueError, 2.0),
    "sin": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "cos": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "tan": (lambda t, x: t.emit("isinf", x), ValueError, 0.0),
    "exp": (_overflows(_below("greater", _LARGEST_EXP)), OverflowError, 0.0),
    "expm1": (_overflows(_below("greater", _LARGEST_EXP)), OverflowError, 0.0),
    "sinh": (_overflows(_beyond("greater", _LARGEST_COSH)), OverflowError, 0.0),
    "cosh": (_overflows(_beyond("greater", _LARGEST_COSH)), OverflowError, 0.0),
}


def operands(t, op: str, atoms: list) -> list:
    """Return the operands of a function of `math`, harmless where it would raise something caught."""
    row = RAISING.get(op)
    if row is None or len(atoms) != 1:
        return atoms
    condition, raised, harmless = row
    return [_guarded(t, atoms[0], lambda: condition(t, atoms[0]), raised, lambda: Const(harmless))]


def divisor(t, op: str, a: Atom, b: Atom) -> Atom:
    """Return the divisor of a division, harmless where Python would raise."""
    if op not in _DIVISIONS:
        return b
    kinds = [kind_of(t, v) for v in (a, b)]
    if any(kind is None or not kind & PYTHON for kind in kinds):
        return b                        # a NumPy scalar gives inf or nan
    if any(kind != PYTHON for kind in kinds) and _is_tested(t, b, ZeroDivisionError):
        raise Refused("whether this division raises depends on the kind of its numbers",
                      why="Python's numbers raise where they are divided by 0, NumPy's give inf or nan; here they may be either",
                      fix="make them Python's with `float(...)`, or test the condition with `if` before", code="SD0211")
    one = 1.0 if t.type_of(b).dtype == "float64" else 1
    return _guarded(t, b, lambda: t.emit("equal", b, Const(0)), ZeroDivisionError, lambda: Const(one))


def base(t, a: Atom, b: Atom) -> Atom:
    """Return the base of a power of Python's numbers, 1 where it would raise."""
    if kind_of(t, a) != PYTHON or kind_of(t, b) != PYTHON or t.type_of(a).dtype != "float64":
        return a
    if not (isinstance(b, Const) and b.value >= 0):
        a = _guarded(t, a, lambda: t.emit("logical_and", t.emit("equal", a, Const(0.0)), t.emit("less", b, Const(0))),
                     ZeroDivisionError, lambda: Const(1.0))
    return _guarded(t, a, lambda: _is_too_large(t, a, b), OverflowError, lambda: Const(1.0))


def _is_too_large(t, a, b) -> Var:
    finite = t.emit("logical_and", t.emit("isfinite", a), t.emit("isfinite", b))
    return t.emit("logical_and", t.emit("isinf", t.emit("power", a, b)), finite)


def _is_singular(t, a):
    return t.emit("equal", t.emit("det_sign", a), Const(0.0))


def _is_not_finite(t, a):
    return t.emit("logical_not", t.emit("all", t.emit("isfinite", a), axis=(0, 1)))


# Functions of a matrix: on which condition NumPy refuses one that is square (`svd`: any one); None: on none.
_REFUSED = {
    "solve": _is_singular, "inv": _is_singular, "cholesky": lambda t, a: t.emit("is_indefinite", a),
    "det": None, "slogdet": None, "eigh": None, "eigvalsh": None, "svd": _is_not_finite, "svdvals": _is_not_finite, "qr": None,
}


def matrix(t, name: str, a: Atom) -> Atom:
    """Return the matrix of a function, the identity where NumPy raises an error that is caught."""
    if name not in _REFUSED or not _is_tested(t, a, LinAlgError):
        return a
    if name not in ("svd", "svdvals", "qr"):
        _require_equal(t, t.size(a, 0), t.size(a, 1), "[SD0342] linear algebra takes a square matrix")
    condition = _REFUSED[name]
    if condition is None:
        made = t.emit("copy", a)
        t.trying.tested.add(made.name)
        return made
    return _guarded(t, a, lambda: condition(t, a), LinAlgError,
                    lambda: t.emit("eye", t.size(a, 0), t.size(a, 1), dtype=t.type_of(a).dtype))


def _is_tested(t, atom, raised) -> bool:
    """Tell whether a statement tests an operand for what it raises; a literal is no case that people catch."""
    trying = t.trying
    return (trying is not None and t.builder.block is trying.block and not isinstance(atom, Const)
            and trying.catches(raised))


def _guarded(t, atom, condition, raised, harmless):
    if not _is_tested(t, atom, raised):
        return atom
    before = len(t.builder.block)
    held = condition()
    t.trying.found.append((held, raised))
    made = t.emit("where", held, harmless(), atom)
    t.trying.tested |= {stmt.target for stmt in t.builder.block[before:] if isinstance(stmt, Assign)}
    return made


# -- shapes ------------------------------------------------------------------------------------

def checked(t, body, tested=()) -> list[Stmt]:
    """Return statements with checks of the shapes on which NumPy would raise; ours are among the `tested`.

    The program raises where they do not fit, also where nobody needs what is computed.
    """
    with t.builder.nested() as made:
        for stmt in body:
            if isinstance(stmt, Assign) and stmt.target not in tested:
                _check(t, stmt)
            if isinstance(stmt, Load | Store):
                _check_positions(t, stmt)
            t.builder.append(with_blocks(stmt, [tuple(checked(t, b, tested)) for b in blocks_of(stmt)]))
    return made


def _check(t, stmt) -> None:
    if stmt.op in _BY_SHAPE:
        _BY_SHAPE[stmt.op](t, stmt)
    elif _is_elementwise(stmt) and len(set(_arrays(t, stmt))) > 1:
        _require_broadcast(t, stmt)


def _check_positions(t, stmt) -> None:
    """Check the arrays of an index: positions inside their axes, masks as long as them."""
    array, axis = Var(stmt.target if isinstance(stmt, Store) else stmt.array), 0
    for item in stmt.index:
        covered = 1
        if isinstance(item, Var) and isinstance(type_ := t.type_of(item), Array):
            if type_.dtype == "bool":
                covered = type_.ndim
                for k in range(covered):
                    _require_equal(t, t.size(item, k), t.size(array, axis + k))
            else:
                _require_inside(t, stmt, item, t.size(array, axis))
        axis += covered


def _require_inside(t, stmt, positions, n) -> None:
    axes = tuple(range(t.ndim(positions)))
    before = t.emit("any", t.emit("less", positions, t.emit("negative", n)), axis=axes)
    after = t.emit("any", t.emit("greater_equal", positions, n), axis=axes)
    t.builder.append(If(t.emit("logical_or", before, after), (Raise("IndexError", _OUTSIDE, stmt.where),), (), stmt.where))


def _arrays(t, stmt) -> list[Var]:
    return [a for a in stmt.args if isinstance(t.type_of(a), Array)]


def _is_elementwise(stmt) -> bool:
    return PRIMITIVES[stmt.op].kind == "elementwise"


def _require_broadcast(t, stmt) -> None:
    first, *others = _arrays(t, stmt)
    for other in others:
        for axis in range(-min(t.ndim(first), t.ndim(other)), 0):
            n, m = t.size(first, axis % t.ndim(first)), t.size(other, axis % t.ndim(other))
            if n == m:
                continue
            differ = [t.emit("not_equal", n, m), t.emit("not_equal", n, Const(1)), t.emit("not_equal", m, Const(1))]
            misfit = t.emit("logical_and", t.emit("logical_and", *differ[:2]), differ[2])
            t.builder.append(If(misfit, (Raise("ValueError", _MISFIT, stmt.where),), (), stmt.where))


def _require_equal(t, n, m, message=_MISFIT) -> None:
    if n != m:
        require_equal(t.builder, n, m, message)


def _require_product(t, stmt) -> None:
    a, b = stmt.args
    _require_equal(t, t.size(a, t.ndim(a) - 1), t.size(b, max(t.ndim(b) - 2, 0)))


def _require_rows(t, stmt) -> None:
    _require_equal(t, *(t.size(a, 0) for a in stmt.args))


def _require_items(t, stmt) -> None:
    """Check that an extremum over these axes has something to take it of."""
    axes = stmt.keywords["axis"]
    for axis in axes if isinstance(axes, tuple) else range(t.ndim(stmt.args[0])) if axes is None else (axes,):
        empty = t.emit("equal", t.size(stmt.args[0], axis), Const(0))
        t.builder.append(If(empty, (Raise("ValueError", _MISFIT, stmt.where),), (), stmt.where))


def _require_size(t, stmt) -> None:
    x, *extents = stmt.args
    held = [t.size(x, axis) for axis in range(t.ndim(x))]
    _require_equal(t, *(functools.reduce(lambda n, m: t.emit("multiply", n, m), e, Const(1)) for e in (held, extents)))


_BY_SHAPE = {
    "matmul": _require_product, "solve": _require_rows, "reshape": _require_size,
    **dict.fromkeys(("max", "min", "argmax", "argmin"), _require_items),
}


# -- what remains --------------------------------------------------------------------------------

def raised_by(t, body, tested=()) -> set[type]:
    """Return what statements with `checked` shapes may raise; `tested` are the operands with a condition."""
    found = set()
    for stmt in walk(body):
        match stmt:
            case Load() | Store():
                found |= _by_index(t, stmt)
            case Raise(message=message) if message.startswith("[SD03"):
                pass                    # ours: it is raised, whatever the handlers are
            case Raise(exception=name):
                found.add(getattr(builtins, name, RuntimeError))
            case Assign(args=args, target=target) if target in tested or any(a.name in tested for a in args if isinstance(a, Var)):
                pass
            case Assign():
                found |= _by_operation(t, stmt)
    return found


def _by_index(t, stmt) -> set:
    """Return what an access may raise: by a position, by arrays that do not fit each other or a part."""
    items = [i for i in stmt.index if not isinstance(i, Span)]
    arrays = [i for i in items if isinstance(t.type_of(i), Array)]
    misfit = len(set(arrays)) > 1 or isinstance(stmt, Store) and isinstance(t.type_of(stmt.value), Array)
    return ({IndexError} if items else set()) | ({ValueError} if misfit else set())


def _by_operation(t, stmt) -> set:
    if stmt.op in ("size", "copy", "cast", "array", "arange"):
        return set()
    if stmt.op in ("zeros", "empty", "full", "eye"):
        extents = stmt.args[stmt.op == "full":]
        return set() if all(t.is_nonnegative(n) for n in extents) else {ValueError}
    if any(isinstance(t.type_of(a), Array) for a in stmt.args):
        return _by_arrays(t, stmt)
    return _by_numbers(t, stmt)


def _by_arrays(t, stmt) -> set:
    if stmt.op in LINEAR_ALGEBRA:
        return {LinAlgError}
    if stmt.op in _SAFE_ON_ARRAYS or stmt.op in _BY_SHAPE:
        return set()
    if _is_elementwise(stmt):           # NumPy's powers of integers raise for negative exponents
        return {ValueError} if stmt.op == "power" and t.type_of(Var(stmt.target)).dtype[0] in "iu" else set()
    return {ValueError, ZeroDivisionError, OverflowError}


def _by_numbers(t, stmt) -> set:
    whole = stmt.op == "power" and t.type_of(Var(stmt.target)).dtype[0] in "iu"
    if stmt.op in _SAFE or kind_of(t, Var(stmt.target)) == NUMPY and _is_elementwise(stmt) and not whole:
        return set()                    # NumPy's numbers give inf or nan
    if stmt.op in RAISING:
        return {RAISING[stmt.op][1]}
    if stmt.op == "power" and isinstance(stmt.args[1], Const) and stmt.args[1].value >= 0:
        return {OverflowError} if t.type_of(Var(stmt.target)).dtype[0] == "f" else set()
    if stmt.op in _DIVISIONS:
        return set() if isinstance(stmt.args[1], Const) and stmt.args[1].value != 0 else {ZeroDivisionError, ValueError}
    return {ValueError, ZeroDivisionError, OverflowError}
