"""Print a program as a complete Python module.

The module runs with NumPy alone; it imports what it uses, lists its one entry
point in ``__all__``, and carries the helper functions that it calls.  Above the
statements that stem from a line of the user's stands that line, as a comment.
The same program gives the same text in every process.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from dataclasses import replace

import gast

from srcdiff import custom
from srcdiff.printing.bindings import MARK, bindings
from srcdiff.printing.docstrings import describe
from srcdiff.printing.helpers import HELPERS, helpers_for
from srcdiff.printing.names import compact
from srcdiff.printing.notes import notes
from srcdiff.printing.statements import Writer
from srcdiff.printing.text import unparse
from srcdiff.syntax import Assign, Program, Var, rename, walk

__all__ = ["comments_of", "rename_trees", "reserved", "to_source"]

JIT = '''\
try:
    from numba import njit
except ImportError:                     # without Numba: the same numbers, slowly
    def njit(**options):
        return lambda function: function
'''
DECORATOR = '@njit(error_model="numpy", fastmath={"contract"})\n'


def to_source(program: Program, *, docstring: str | None = None, jit: bool = False,
              renamed: bool = True, from_front: frozenset[str] = frozenset()) -> str:
    """Return the text of a complete module that defines `program`'s function.

    Parameters
    ----------
    program
        Any program without seeds.
    docstring
        What the function computes, instead of `program.doc`.
    jit
        Decorate the functions with Numba's `njit` where Numba is installed.
    renamed
        Give the compiler's variables readable names; else every variable has its name in `program`.
    from_front
        Arrays that no index counts from the end of: a note for the loader lists them.

    Returns
    -------
    str
        The function takes the program's parameters and returns one bare
        result, a tuple of several, or None.
    """
    names = _collisions(program)
    from_front = frozenset(names.get(name, name) for name in from_front)
    program = _renamed(program, names)
    writer = Writer(program)
    names = {name: name for name in program.types}
    if renamed:
        names = compact(program, writer.body, reserved(program.body) | {program.name})
    rename_trees(writer.body, names)
    function = _function(program, names, writer.body, describe(program, names, docstring))
    comments = comments_of(writer.body, writer.places)
    body = unparse(gast.Module([function], []), comments)
    note = notes(program, names, from_front) if not jit else ""
    return _module(program.name, body, custom_operations(program.body), jit, note)


def _module(name, body, own, jit, note=""):
    names = {n.id for n in ast.walk(ast.parse(body)) if isinstance(n, ast.Name)}
    given, imported, each = bindings(own, names, jit)
    helpers = "\n\n".join(filter(None, (helpers_for(sorted(names & set(HELPERS))), each)))
    code = (helpers + "\n\n" if helpers else "") + body
    names |= {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    if jit:
        code = re.sub(r"^def ", DECORATOR + "def ", code, flags=re.MULTILINE)
    imports = "import math\n\n" * ("math" in names) + "import numpy as np\n\n" * ("np" in names)
    if jit:
        imports += JIT + "\n"
    imports += imported
    mark = f"{MARK}{given}\n" if given else ""
    return f'{imports}__all__ = ["{name}"]\n{mark}{note}\n\n{code.strip()}\n'


def _function(program, names, body, doc):
    params = [gast.Name(names[p.name], gast.Param(), None, None) for p in program.params]
    arguments = gast.arguments(params, [], None, [], [], None, [])
    statements = [gast.Expr(gast.Constant(doc, None))] + body
    return gast.FunctionDef(program.name, arguments, statements, [], None, None, [])


# -- names -----------------------------------------------------------------------

RESERVED = frozenset({"np", "math", "njit", "bound", "compiled", *HELPERS, *keyword.kwlist, *dir(builtins)})


def reserved(body) -> frozenset[str]:
    """Return the names that mean something else in the text of a block: a module, a helper, a builtin.

    Of the operations of users only those count that the block uses: what else
    a process has registered must not change the text.
    """
    own = custom_operations(body)
    return RESERVED | {*own, *(name + "_" for name in own)}


def custom_operations(body) -> tuple[str, ...]:
    """Return the operations of users in a block, oldest first."""
    used = {s.op for s in walk(body) if isinstance(s, Assign)}
    return tuple(name for name in custom.names() if name in used)


def rename_trees(body, names):
    """Rename in place; a tree may occur twice."""
    seen = set()
    for node in (n for stmt in body for n in gast.walk(stmt)):
        if isinstance(node, gast.Name) and id(node) not in seen:
            seen.add(id(node))
            node.id = names.get(node.id, node.id)


def _collisions(program):
    """Return new names for the variables that have a reserved name."""
    taken = reserved(program.body) | {program.name}
    names, used = {}, set(program.types)
    for name in program.types:
        if name in taken:
            names[name] = _fresh(name, used | taken)
            used.add(names[name])
    return names


def _renamed(program, names):
    if not names:
        return program

    def atom(a):
        return Var(names.get(a.name, a.name)) if isinstance(a, Var) else a

    params = tuple(replace(p, name=names.get(p.name, p.name), like=names.get(p.like, p.like))
                   for p in program.params)
    types = {names.get(name, name): type_ for name, type_ in program.types.items()}
    return program.with_body(rename(program.body, names), params=params, types=types,
                             results=tuple(map(atom, program.results)))


def _fresh(stem, taken):
    count = 2
    while f"{stem}_{count}" in taken:
        count += 1
    return f"{stem}_{count}"


# -- comments --------------------------------------------------------------------

def comments_of(body, places):
    """Return the comment of each statement that begins a run from one user line.

    The function is named where it is not the one that the first line is in.
    """
    comments, last = {}, None
    main = next((w.function for w in places.values() if w is not None and w.line), "")
    for node in _statements(body):
        where = places.get(node.lineno)
        if where is None or not where.line or _makes_room(node):
            continue
        if (here := (where.file, where.line)) != last:
            inside = f", in {where.function}" if where.function != main else ""
            text = " ".join(where.text.split())
            comments[node.lineno] = f"line {where.line}{inside}: {text}"[:100].rstrip()
        last = here
    return comments


def _makes_room(node) -> bool:
    """Tell whether a statement only allocates, or reads an extent: it says nothing of the user's line."""
    match getattr(node, "value", None):
        case gast.Call(func=gast.Attribute(value=gast.Name(id="np"), attr="empty" | "zeros")):
            return True
        case gast.Subscript(value=gast.Attribute(attr="shape")):
            return True
    return False


def _statements(body):
    for node in body:
        yield node
        for name in ("body", "orelse"):
            yield from _statements(getattr(node, name, None) or [])

