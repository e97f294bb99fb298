"""Spell sums, products and signs as a person would; every rewriting is exact.

>>> import gast
>>> def shown(op, *texts):
...     a, b = (gast.parse(text, mode="eval").body for text in texts)
...     return gast.unparse(tidy(op, a, b, True) or a)
>>> shown("multiply", "2 * (x - y)", "100.0")
'200.0 * (x - y)'
>>> shown("multiply", "a", "-b"), shown("add", "a", "-b * c"), shown("add", "t", "t")
('-a * b', 'a - b * c', '2 * t')
>>> shown("multiply", "2 * a", "0.5"), shown("multiply", "cos(x)", "2 * sin(x)")
('a', '2 * cos(x) * sin(x)')

A constant moves only if it is a power of two: then each product is rounded as
before, unless it leaves the range of floating-point numbers.  What may change
is the sign of a zero.
"""

from __future__ import annotations

import math

import gast

__all__ = ["chosen", "merged", "negated", "positive", "tidy", "tidy_integers"]

ADD, SUB, MULT = gast.Add(), gast.Sub(), gast.Mult()


def tidy(op: str, a, b, scalar: bool, floats=(True, True), real=lambda tree: False):
    """Return the floating-point expression ``a op b``, or ``op a`` with b None; None to leave it as it is.

    Parameters
    ----------
    scalar
        Both are numbers: the sign of a product may move from one factor to another.
    floats
        Which operands are floating-point, so that a factor of 1 has no part in the type of the product.
    real
        Tells whether a part of an operand is floating-point.
    """
    match op:
        case "negative":
            return negated(a) if scalar or _factor(a)[0] is not None else positive(a)
        case "add":
            return _sum(a, b)
        case "subtract":
            return _difference(a, b)
        case "multiply":
            return _product(a, b, scalar, floats, real)
        case "divide" if scalar and (inner := positive(b)) is not None:
            return gast.BinOp(negated(a), gast.Div(), inner)
    return None


def chosen(test, a, b):
    """Return ``a if test else b``, where a choice inside by the same test is made already."""
    class Decided(gast.NodeTransformer):
        def __init__(self, arm):
            self.arm = arm

        def visit_IfExp(self, node):
            node = self.generic_visit(node)
            return getattr(node, self.arm) if gast.dump(node.test) == gast.dump(test) else node

    return gast.IfExp(test, Decided("body").visit(a), Decided("orelse").visit(b))


def tidy_integers(op: str, a, b):
    """Return ``a op b`` for integers with the constants of a sum put together, or None."""
    if op not in ("add", "subtract") or (step := value_of(b)) is None:
        return None
    base, offset = a, 0
    if isinstance(a, gast.BinOp) and isinstance(a.op, gast.Add | gast.Sub) and value_of(a.right) is not None:
        base, offset = a.left, value_of(a.right) * (1 if isinstance(a.op, gast.Add) else -1)
    if not offset:
        return None
    total = offset + (step if op == "add" else -step)
    if not total:
        return base
    return gast.BinOp(base, ADD if total > 0 else SUB, gast.Constant(abs(total), None))


def merged(first, second):
    """Return one augmented assignment for two of the same target, ``x += a`` and ``x -= b``."""
    minus = [isinstance(node.op, gast.Sub) for node in (first, second)]
    a, b = first.value, second.value
    if minus[0] == minus[1]:
        return gast.AugAssign(second.target, first.op, tidy("add", a, b, True) or gast.BinOp(a, ADD, b))
    a, b = (b, a) if minus[0] else (a, b)
    return gast.AugAssign(second.target, ADD, tidy("subtract", a, b, True) or gast.BinOp(a, SUB, b))


# -- signs ----------------------------------------------------------------------------

def positive(tree):
    """Return -tree if `tree` begins with a minus sign, else None."""
    if isinstance(tree, gast.UnaryOp) and isinstance(tree.op, gast.USub):
        return tree.operand
    if isinstance(tree, gast.BinOp) and isinstance(tree.op, gast.Mult | gast.Div) and (
            left := positive(tree.left)) is not None:
        return gast.BinOp(left, tree.op, tree.right)
    return None


def negated(tree):
    """Return -tree, with the sign at its beginning."""
    if (inner := positive(tree)) is not None:
        return inner
    if isinstance(tree, gast.BinOp) and isinstance(tree.op, gast.Sub):
        return gast.BinOp(tree.right, SUB, tree.left)
    if isinstance(tree, gast.BinOp) and isinstance(tree.op, gast.Mult | gast.Div):
        return gast.BinOp(negated(tree.left), tree.op, tree.right)
    return gast.UnaryOp(gast.USub(), tree)


def _sum(a, b):
    if (inner := positive(b)) is not None:
        return gast.BinOp(a, SUB, inner)
    if (inner := positive(a)) is not None:
        return gast.BinOp(b, SUB, inner)
    if gast.dump(a) == gast.dump(b) and not isinstance(a, gast.Call | gast.Constant):
        return tidy("multiply", gast.Constant(2, None), a, True) or gast.BinOp(gast.Constant(2, None), MULT, a)
    return None


def _difference(a, b):
    inner = positive(b)
    return None if inner is None else gast.BinOp(a, ADD, inner)


# -- products ---------------------------------------------------------------------------

def value_of(tree):
    """Return the number that a tree is, or None."""
    if isinstance(tree, gast.UnaryOp) and isinstance(tree.op, gast.USub):
        inner = value_of(tree.operand)
        return None if inner is None else -inner
    if isinstance(tree, gast.Constant) and type(tree.value) in (int, float) and math.isfinite(tree.value):
        return tree.value
    return None


def _factor(tree):
    """Return (c, t) for the product ``c * t`` or ``t * c``, and (None, tree) for anything else."""
    if isinstance(tree, gast.BinOp) and isinstance(tree.op, gast.Mult):
        for constant, rest in ((tree.left, tree.right), (tree.right, tree.left)):
            if (value := value_of(constant)) is not None:
                return value, rest
        value, rest = _factor(tree.left)
        if value is not None:
            return value, gast.BinOp(rest, MULT, tree.right)
    return value_of(tree), (None if value_of(tree) is not None else tree)


def _product(a, b, scalar, floats, real):
    for one, other, kind in ((a, b, floats[1]), (b, a, floats[0])):
        if kind and value_of(one) == 1:
            return other
    first, second = _factor(a), _factor(b)
    if None not in (first[0], second[0]):
        stays = any(f and type(c) is int or t is not None and real(t)
                    for f, (c, t) in zip(floats, (first, second), strict=True))
        moved = _with_constant(first, second, stays)
        if moved is not None:
            return moved
    if scalar and (inner := positive(b)) is not None:
        return gast.BinOp(negated(a), MULT, inner)
    if scalar and first[0] is None and second[1] is not None and second[0] is not None and (
            _is_power_of_two(second[0]) and value_of(b.left) is not None):
        return gast.BinOp(gast.BinOp(b.left, MULT, a), MULT, second[1])
    return None


def _with_constant(first, second, stays):
    """Return (c * a) * (d * b) as ((c d) * a) * b; the constant that is no power of two keeps its operand.

    `stays` tells that a * b is floating-point without the constant too.
    """
    (c, a), (d, b) = first, second
    if not (_is_power_of_two(c) or _is_power_of_two(d)) or a is None and b is None:
        return None
    if not _is_power_of_two(d):
        (c, a), (d, b) = second, first
    product = c * d
    if not math.isfinite(product) or abs(product) > 2 ** 53 or abs(product) < 2 ** -53:
        return None
    operands = [t for t in (a, b) if t is not None]
    if product == -1 and stays:
        operands[0] = negated(operands[0])
    elif product != 1 or not stays:
        constant = gast.Constant(abs(product), None)
        operands.insert(0, constant if product > 0 else gast.UnaryOp(gast.USub(), constant))
    tree, *rest = operands
    for operand in rest:
        tree = gast.BinOp(tree, MULT, operand)
    return tree


def _is_power_of_two(value) -> bool:
    return value != 0 and abs(math.frexp(value)[0]) == 0.5
