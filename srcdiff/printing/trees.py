"""Small questions about and constructors of expression trees."""

from __future__ import annotations

import gast

from srcdiff.printing.spelling import expression

__all__ = ["assign", "name_tree", "names_in", "plain_index", "same_element", "strength_differs", "unplaced", "width"]


def width(node) -> int:
    """Estimate the number of columns that an expression takes."""
    match node:
        case gast.Name(id=name):
            return len(name)
        case gast.Constant(value=value):
            return len(repr(value))
        case gast.Attribute(value=value, attr=attr):
            return width(value) + 1 + len(attr)
        case gast.BinOp(left=a, right=b):
            return width(a) + width(b) + 3 + 2 * isinstance(b, gast.BinOp)
        case gast.Subscript(value=value, slice=index):
            return width(value) + 2 + width(index)
        case gast.keyword(arg=arg, value=value):
            return len(arg) + 1 + width(value)
    return 2 + sum(width(child) + 2 for child in gast.iter_child_nodes(node)
                   if not isinstance(child, gast.operator | gast.unaryop | gast.expr_context))


def unplaced(node):
    node.lineno = 1
    return node


def name_tree(name):
    return gast.Name(name, gast.Load(), None, None)


def names_in(node) -> set[str]:
    """Return the names that occur in a tree."""
    return {n.id for n in gast.walk(node) if isinstance(n, gast.Name)}


def same_element(a, b):
    return (isinstance(a, gast.Subscript) and getattr(a.value, "id", None) == b.value.id
            and gast.dump(a.slice) == gast.dump(b.slice))


def assign(name, tree):
    return gast.Assign([gast.Name(name, gast.Store(), None, None)], tree, None)


def plain_index(index):
    """Return an index as an expression, for a call."""
    def one(item):
        if isinstance(item, gast.Slice):
            parts = [part or gast.Constant(None, None) for part in (item.lower, item.upper, item.step)]
            return gast.Call(expression("slice"), parts, [])
        return item
    return gast.Tuple([one(i) for i in index.elts], gast.Load()) if isinstance(index, gast.Tuple) else one(index)


def strength_differs(tree, declared):
    """Tell whether CPython gives a Python number where a NumPy scalar is meant, or the reverse."""
    if not isinstance(tree, gast.Call) or not isinstance(tree.func, gast.Attribute):
        return False
    module = getattr(tree.func.value, "id", "")
    return module == ("np" if declared.weak else "math")
