"""Show rewritten functions as Python, and run them: for tests, docstrings and debugging.

>>> tree = parse('''
... def f(x):
...     return x
... ''')
>>> print(show(tree))
def f(x):
    return x
"""

from __future__ import annotations

import ast

import gast

from srcdiff.frontend.desugar.making import at, load
from srcdiff.frontend.source import clone

__all__ = ["example", "parse", "runnable", "show"]


def parse(text: str) -> gast.FunctionDef:
    """Return the first definition in a text."""
    return gast.parse(text.strip("\n")).body[0]


def runnable(tree) -> ast.FunctionDef:
    """Return a definition that CPython runs: marked `for` loops leave when their flag is set."""
    tree = clone(tree)
    for node in gast.walk(tree):
        if isinstance(node, gast.For) and getattr(node, "exit_flag", None):
            leave = gast.If(load(node.exit_flag), [gast.Break()], [])
            node.body = [*node.body, at(node, leave)]
    return ast.fix_missing_locations(gast.gast_to_ast(tree))


def show(tree) -> str:
    """Return the definition as text."""
    return ast.unparse(runnable(tree))


def example(rewrite, text: str) -> str:
    """Return the text of a definition after one rewriting."""
    return show(rewrite(parse(text)))
