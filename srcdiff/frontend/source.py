"""Find the source of a function, and say where each piece of it stands.

The text comes from `linecache`, so files, notebook cells, doctests and generated code that fills
`linecache` all work.  The function is found in the text by its compiled code: the statement of the
file that holds it is compiled again, and what comes out must be the code that the function runs.
So two lambdas on one line are told apart, and a file that was edited after the import is refused
instead of being differentiated in place of what runs.

Not for deciding what is supported (`fence`), nor for rewriting (`desugar`).
"""

from __future__ import annotations
import __future__

import ast
import functools
import inspect
import linecache
import os
import types
from collections.abc import Iterator
from dataclasses import dataclass

import gast

from srcdiff.errors import NoSourceError, Problem, Where

__all__ = ["Source", "clone", "source_of", "unwrap", "where"]


@dataclass(frozen=True)
class Source:
    """The source of one function.

    Attributes
    ----------
    function
        The plain Python function, without wrappers.
    tree
        Its definition, never to be changed; a lambda is a function of one `return`.  Decorators are
        stripped.  Line numbers are those of `file`, columns are UTF-8 offsets into the file's lines.
    file, first_line, lines
        The file, the 1-based line of `def` or `lambda`, and the full lines from there to the end
        of the function, without newlines.
    name
        A Python identifier: the function's name, ``lambda_`` for a lambda.
    """

    function: types.FunctionType
    tree: gast.FunctionDef
    file: str
    first_line: int
    lines: tuple[str, ...]
    name: str


def source_of(function) -> Source:
    """Return the source of a function, a method, a lambda, a dispatcher or a `partial`.

    Raises
    ------
    NoSourceError
        No text can be found, or the text is not what the function runs.
    """
    function = unwrap(function)
    tree, first_line, lines = _found(function)
    name = "lambda_" if function.__code__.co_name == "<lambda>" else function.__code__.co_name
    return Source(function, tree, function.__code__.co_filename, first_line, lines, name)


def where(source: Source, node) -> Where:
    """Return the place of `node`, with columns counted in characters."""
    line, column, end = _span(node) or _span(source.tree)
    at = line - source.first_line
    text = source.lines[at] if 0 <= at < len(source.lines) else ""
    column = _characters(text, column)
    end = len(text) if end is None else _characters(text, end)
    name = source.function.__name__
    return Where(source.file, line, column, max(end, column + 1), text, name)


def _span(node):
    """Return line, column and end column (None where it ends on a later line)."""
    for part in gast.walk(node):
        if getattr(part, "lineno", None) is not None:
            column = part.col_offset
            if isinstance(part, gast.FunctionDef | gast.AsyncFunctionDef | gast.ClassDef):
                return part.lineno, column, None
            one_line = part.end_lineno == part.lineno
            return part.lineno, column, part.end_col_offset if one_line else None
    return None


def _characters(text: str, offset: int) -> int:
    return len(text.encode()[:offset].decode(errors="ignore"))


def clone(node, copies: dict | None = None):
    """Copy a tree with all its attributes; `copies` collects id(old) -> new.

    Unlike `copy.deepcopy` it needs one Python frame a level, so long sums do not exhaust the stack.
    """
    new = type(node).__new__(type(node))            # the constructor of some nodes wants all fields
    if copies is not None:
        copies[id(node)] = new
    for name, value in vars(node).items():
        if isinstance(value, list):
            value = list(value)
            for i, part in enumerate(value):
                if isinstance(part, ast.AST):
                    value[i] = clone(part, copies)
        elif isinstance(value, ast.AST):
            value = clone(value, copies)
        setattr(new, name, value)
    return new


# -- what function is meant -----------------------------------------------------

def unwrap(function) -> types.FunctionType:
    """Return the Python function behind a method, a dispatcher, a `partial` or a cache.

    A decorator that returns a Python function of its own is *not* taken off: what runs is the
    wrapper, and its source is found like any other.
    """
    while not isinstance(function, types.FunctionType):
        inner = _inner(function)
        if inner is None:
            raise NoSourceError(_not_python(function))
        function = inner
    return function


def _inner(function):
    if isinstance(function, types.MethodType | staticmethod | classmethod):
        return function.__func__
    if isinstance(function, functools.partial):
        return function.func
    if isinstance(function, functools._lru_cache_wrapper):
        return function.__wrapped__
    if isinstance(getattr(function, "py_func", None), types.FunctionType):
        return function.py_func             # a Numba dispatcher
    return None


def _not_python(function) -> Problem:
    shown = getattr(function, "__name__", None) or type(function).__name__
    if isinstance(function, type):
        return Problem("SD0102", f"{shown} is a class, not a function", fix="pass a function")
    if callable(function) and hasattr(function, "__wrapped__"):
        return Problem(
            "SD0102", f"{shown} is wrapped in an object of type {type(function).__name__}",
            why="what the object does around the function cannot be read",
            fix="pass the function itself, such as its __wrapped__ attribute")
    if isinstance(function, types.BuiltinFunctionType) or not callable(function):
        return Problem("SD0102", f"{shown} is not a Python function",
                       why="it is compiled or built in: there is no source to read",
                       fix="wrap it in a def, or give a rule: sd.custom_rule(...)")
    return Problem("SD0102", f"{shown} is a callable object, not a function",
                   fix="pass a function or a bound method, such as its __call__")


# -- finding the definition --------------------------------------------------------

_FOUND: dict[tuple[str, types.CodeType], tuple] = {}
_MAX_FOUND = 4096


def _found(function: types.FunctionType):
    """Return tree, first line and lines of a function; remembered per code object."""
    code = function.__code__
    key = code.co_filename, code
    if key not in _FOUND:
        if len(_FOUND) >= _MAX_FOUND:
            _FOUND.clear()
        _FOUND[key] = _find(function)
    return _FOUND[key]


def _find(function):
    code, lines = function.__code__, _text(function)
    try:
        module = _parsed("".join(lines))
    except (SyntaxError, ValueError) as error:
        raise NoSourceError(_changed(function, f"its file does not parse: {error}")) from None
    candidates = list(_candidates(module, code))
    node = _choose(candidates, code, _imports(module))
    if node is None:
        raise NoSourceError(_changed(function, "the text there is not what the function runs"))
    chosen, owner = node
    tree = _definition(chosen, owner)
    span = lines[chosen.lineno - 1:chosen.end_lineno]
    return tree, chosen.lineno, tuple(line.rstrip("\r\n") for line in span)


def _text(function) -> list[str]:
    name = function.__code__.co_filename
    if os.path.exists(name):
        linecache.checkcache(name)
    lines = linecache.getlines(name, function.__globals__)
    if not lines and (other := inspect.getsourcefile(function)):
        lines = linecache.getlines(other, function.__globals__)
    if not lines:
        raise NoSourceError(Problem(
            "SD0101", f"the source of {function.__name__} cannot be found",
            Where(name, function.__code__.co_firstlineno, function=function.__name__),
            why="the derivative is generated from the text, and none is kept for code typed at a "
                "plain prompt, given with -c, read from standard input or made by exec",
            fix="put the function into a file or a notebook cell; for exec, fill "
                "linecache.cache[filename]"))
    return lines


def _changed(function, why) -> Problem:
    code = function.__code__
    return Problem(
        "SD0103", f"the source of {function.__name__} does not match the function",
        Where(code.co_filename, code.co_firstlineno, function=function.__name__), why=why,
        fix="import the module again after editing it, or restart the session")


@functools.lru_cache(maxsize=16)
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _candidates(module, code) -> Iterator[tuple[ast.AST, str | None, ast.stmt]]:
    """Yield the definitions that start on the line of `code` under its name.

    Each comes with the class that owns it (for private names) and its top-level statement.
    """
    wanted = ast.Lambda if code.co_name == "<lambda>" else ast.FunctionDef | ast.AsyncFunctionDef

    def visit(node, owner, top):
        if isinstance(node, wanted) and _first_line(node) == code.co_firstlineno \
                and getattr(node, "name", "<lambda>") == code.co_name:
            yield node, owner, top
        if isinstance(node, ast.ClassDef):
            owner = node.name
        for child in ast.iter_child_nodes(node):
            yield from visit(child, owner, top)

    for top in module.body:
        if _first_line(top) <= code.co_firstlineno <= top.end_lineno:
            yield from visit(top, None, top)


def _first_line(node) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])


def _choose(candidates, code, imports):
    """Return the (node, owner) whose compiled code is `code`; of twins, the one that stands there."""
    matching = [(node, owner) for node, owner, top in candidates if _runs(node, top, code, imports)]
    if len(matching) > 1:
        # Equal code means equal meaning; positions only settle what a message points to.
        matching = [m for m in matching if _contains(m[0], code)] or matching
    return matching[0] if matching else None


def _imports(module) -> list[ast.stmt]:
    """Return the imports of a module: calls through an imported name compile differently."""
    return [part for top in module.body if isinstance(top, ast.Import | ast.ImportFrom | ast.If | ast.Try)
            for part in ast.walk(top) if isinstance(part, ast.Import | ast.ImportFrom)
            and getattr(part, "module", None) != "__future__"]


def _runs(node, top, code, imports=()) -> bool:
    """Tell whether compiling `node`, inside its statement `top`, gives `code`."""
    return any(_gives(node, top, code, imports, stay) for stay in (False, True))


def _gives(node, top, code, imports, stay: bool) -> bool:
    mark = 1 << 24                          # a line of its own, to know the code of `node` again
    copies = {}
    top = clone(top, copies)
    _move(copies[id(node)], mark, _first_line(node), stay)
    futures = {getattr(__future__, name).compiler_flag for name in __future__.all_feature_names}
    flags = sum(f for f in futures if f & code.co_flags & ~inspect.CO_NESTED)
    flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        module = compile(ast.Module([*imports, top], []), code.co_filename, "exec", flags, True)
    except (SyntaxError, ValueError):
        return False
    return any(c.co_firstlineno == mark and c.co_name == code.co_name and _same(c, code)
               for c in _nested(module))


LINES = 256             # room between two lines, for functions inside functions on one line


def _move(node, mark: int, first: int, stay: bool, around: int | None = None) -> None:
    """Move what starts on the line `first` to the line `mark`, and each function inside it to a line of its own.

    What stands on one line stays on one line, apart from the functions.  Their
    defaults go with them, or `stay` on the line `around` them: constants are
    folded, and from Python 3.13 on instructions joined, on one line only.
    """
    around = mark if around is None else around
    if hasattr(node, "lineno"):
        node.lineno, node.end_lineno = (mark + LINES * (line - first) for line in (node.lineno, node.end_lineno))
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            _move(part, mark + 1, first, stay, mark)
        elif stay and isinstance(node, ast.arguments) and isinstance(part, ast.expr):
            _move(part, around, first, stay, around)
        else:
            _move(part, mark, first, stay, around)


def _nested(code):
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _nested(constant)


def _same(text: types.CodeType, code: types.CodeType) -> bool:
    """Tell whether two code objects do the same, whatever their line numbers."""
    if _signature(text) != _signature(code):
        return False
    if _rewritten(code):
        return set(text.co_names) <= set(code.co_names)
    return text.co_code == code.co_code and text.co_names == code.co_names \
        and text.co_varnames == code.co_varnames and _constants(text) == _constants(code)


def _signature(code):
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS) \
        + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount,
            code.co_varnames[:count], code.co_freevars, code.co_flags & 0x2ff)


def _rewritten(code) -> bool:
    """Tell whether pytest or a typing hook compiled something else than the text."""
    names = (*code.co_names, *code.co_varnames)
    return any(n.startswith("@") or "typeguard" in n or "beartype" in n for n in names)


def _constants(code):
    def key(value):
        if isinstance(value, types.CodeType):
            return (value.co_code, value.co_names, value.co_varnames, _constants(value))
        if isinstance(value, tuple):
            return tuple(map(key, value))
        if isinstance(value, frozenset):
            return frozenset(map(key, value))
        return type(value).__name__, repr(value)
    # A class keeps the number of its first line, from Python 3.13 on.
    lines = {code.co_firstlineno} if "__firstlineno__" in code.co_names else set()
    return [key(value) for value in code.co_consts if type(value) is not int or value not in lines]


def _contains(node, code) -> bool:
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return all(first <= (line, column) and (end_line, end_column) <= last
               for line, end_line, column, end_column in list(code.co_positions())[1:]
               if None not in (line, end_line, column, end_column) and end_column)


def _definition(node, owner) -> gast.FunctionDef:
    """Convert a definition to gast, without decorators; a lambda becomes a def."""
    place = {k: getattr(node, k) for k in ("lineno", "col_offset", "end_lineno", "end_col_offset")}
    if isinstance(node, ast.Lambda):
        value = ast.copy_location(ast.Return(node.body), node.body)
        node = ast.FunctionDef("lambda_", node.args, [value], [], **place)
    tree = gast.ast_to_gast(node)
    tree.decorator_list = []
    if owner is not None:
        _mangle(tree, owner.lstrip("_"))
    return tree


def _mangle(tree, owner: str) -> None:
    """Give private names the form they have inside class `owner`: ``__x`` is ``_C__x``."""
    def private(name):
        return name.startswith("__") and not name.endswith("__") and "." not in name

    for node in gast.walk(tree):
        for field in ("id", "attr"):
            if private(getattr(node, field, "")) and owner:
                setattr(node, field, f"_{owner}{getattr(node, field)}")
