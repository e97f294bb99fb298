"""From a syntax tree with comments to text.

astor prints (it wraps long lines well); Python's own unparser is the fallback
where astor does not know a node or the Python version.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Mapping

import gast

try:
    with warnings.catch_warnings():     # astor looks up nodes that newer Pythons deprecate
        warnings.simplefilter("ignore", DeprecationWarning)
        import astor
        import astor.code_gen
except ImportError:                     # a missing printer costs the wrapping only
    astor = None

__all__ = ["unparse"]

WIDTH = 100


def unparse(tree: gast.AST, comments: Mapping[int, str]) -> str:
    """Return the text of `tree`.

    Parameters
    ----------
    tree
        A gast module.
    comments
        The comment above the statement whose `lineno` is the key.
    """
    standard = ast.fix_missing_locations(gast.gast_to_ast(tree))
    if astor is not None and sys.version_info < (3, 14):
        try:
            return _with_astor(standard, comments)
        except (AttributeError, KeyError, TypeError):
            pass
    return _with_placeholders(standard, comments)


def _with_astor(tree, comments):
    class Generator(astor.code_gen.SourceGenerator):
        """Writes the comments; every statement goes through `newline`."""

        def newline(self, node=None, extra=0):
            super().newline(node, extra)
            text = comments.get(getattr(node, "lineno", None)) if isinstance(node, ast.stmt) else None
            if text and id(node) not in self.__dict__.setdefault("seen", set()):
                self.seen.add(id(node))
                self.write("# " + text)
                super().newline(None)

    def wrapped(source):
        text = "".join(astor.source_repr.split_lines(source, WIDTH))
        return re.sub(r'(\n *"[^\n]*")\n *\)(?=\n)', r"\1)", text)       # no line for a parenthesis

    return astor.to_source(tree, source_generator_class=Generator, pretty_source=wrapped,
                           pretty_string=_quoted)


def _quoted(text, *args, **kwargs):
    """Return a string literal: in double quotes, or as astor thinks fit if it has several lines."""
    if any(c in text for c in '"\\\n'):
        return astor.string_repr.pretty_string(text, *args, **kwargs)
    return f'"{repr(text)[1:-1]}"'


class _Placeholders(ast.NodeTransformer):
    def __init__(self, comments):
        self.comments = comments

    def block(self, statements):
        for stmt in statements:
            if stmt.lineno in self.comments and isinstance(stmt, ast.stmt):
                yield ast.Expr(ast.Name(f"__comment_{stmt.lineno}__", ast.Load()))
            yield stmt

    def generic_visit(self, node):
        super().generic_visit(node)
        for name in ("body", "orelse"):
            if isinstance(block := getattr(node, name, None), list):
                setattr(node, name, list(self.block(block)))
        return node


def _with_placeholders(tree, comments):
    """Print with `ast.unparse`; comments go through the tree as expression statements."""
    text = ast.unparse(ast.fix_missing_locations(_Placeholders(comments).visit(tree)))
    return re.sub(r"__comment_(\d+)__", lambda m: "# " + comments[int(m[1])], text) + "\n"
