"""From a program to a syntax tree that reads as if written by hand.

Temporaries that are read once move into the expression that reads them, as far
as nothing between changes what they are computed from and the line stays short.
The user's own variables, and their tangents and adjoints, keep their lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import gast

from srcdiff.errors import Where
from srcdiff.primitives import infer
from srcdiff.printing.accumulation import accumulated, with_sign
from srcdiff.printing.algebra import chosen, tidy, tidy_integers
from srcdiff.printing.precision import as_element, convert, narrowed, number, unsigned
from srcdiff.printing.sharing import Uses, may_share, shares
from srcdiff.printing.spelling import constant, expression, range_, spell
from srcdiff.printing.trees import assign, name_tree, plain_index, same_element, unplaced, width
from srcdiff.syntax import (
    Array,
    Assign,
    Atom,
    Const,
    For,
    If,
    Load,
    Program,
    Raise,
    Scalar,
    Span,
    Store,
    Var,
    While,
    atoms_of,
    defined,
    is_float,
    walk,
)

__all__ = ["Writer"]

WIDTH = 88                  # columns of a line, indentation included
AUGMENTED = ("add", "subtract", "multiply", "divide")
_SUFFIX = re.compile(r"(_dot|_bar|_tape)+$")
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass
class Pending:
    """A temporary that waits for its one reader: its statement's tree, and what it reads.

    `view` is the tree without the copy that keeps it apart from its source; a
    reader that makes a new value at once can do without.
    """

    tree: gast.expr
    view: gast.expr
    reads: frozenset[str]
    where: Where
    width: int


@dataclass
class Block:
    """The statements written so far and the temporaries that wait."""

    indent: int
    out: list = field(default_factory=list)
    pending: dict[str, Pending] = field(default_factory=dict)


class Writer:
    """Writes the body of one program.

    Attributes
    ----------
    body
        The statements, gast nodes; `lineno` is the key of the comment.
    places
        The user's line of each written statement, by the same key.
    spell
        Writes the expression of one operation, as `srcdiff.printing.spelling.spell` does.
    """

    def __init__(self, program: Program, spell=spell):
        self.program, self.spell = program, spell
        self.types = program.types
        self.memory = {s.target: s.args[0].name for s in walk(program.body) if isinstance(s, Assign) and s.op == "view"}
        self.uses = Uses(program)
        self.shared = may_share(program, self.uses)
        # Where narrow types occur, a Python number and a NumPy one are not the same.
        self.narrow = any(t.dtype in ("float32", "complex64") for t in program.types.values())
        self.places: dict[int, Where] = {}
        self.nestable = self._nestable()
        self.body = self._function_body()

    # -- which variables may move into an expression --------------------------------

    def _nestable(self):
        awkward = set()                 # ``(a + b)[i]`` and ``(a + b).shape`` are hard to read
        for stmt in walk(self.program.body):
            if isinstance(stmt, Load):
                awkward.add(stmt.array)
            elif isinstance(stmt, Assign) and stmt.op == "size":
                awkward |= {a.name for a in stmt.args if isinstance(a, Var)}
        return {stmt.target for stmt in walk(self.program.body)
                if isinstance(stmt, Assign | Load) and self.uses.once(stmt.target)
                and stmt.target not in awkward and not _is_users(stmt)}

    # -- blocks -----------------------------------------------------------------------

    def _function_body(self):
        block = Block(4)
        self._statements(self.program.body, block)
        self._reads = set()
        self._make_room(self.program.results, block, WIDTH - 12)
        places = {p.where for p in block.pending.values()}
        results = [self._result(atom, block) for atom in self.program.results]
        value = None if not results else results[0] if len(results) == 1 else gast.Tuple(results, gast.Load())
        self._flush(block, block.pending)
        self._emit(block, gast.Return(value), places.pop() if len(places) == 1 else None)
        return block.out

    def _result(self, atom, block):
        tree = self._take(atom, block, viewed=False)
        is_param = isinstance(atom, Var) and self.uses.block.get(atom.name) is None
        if is_param and isinstance(self.types[atom.name], Array):
            return expression("a.copy()", a=tree)       # never hand out the caller's memory
        return tree

    def _block(self, statements, indent):
        block = Block(indent)
        self._statements(statements, block)
        self._flush(block, block.pending)
        return block.out

    def _statements(self, statements, block):
        for stmt in statements:
            self._statement(stmt, block)

    def _emit(self, block, node, where):
        if isinstance(node, gast.AugAssign):
            room = WIDTH - block.indent - 20
            node = accumulated(block.out, with_sign(node), where, room, self.types, self.places)
        node.lineno = len(self.places) + 2          # 1 is what nodes without a place get
        self.places[node.lineno] = where
        block.out.append(node)

    def _flush(self, block, names):
        for name in [n for n in block.pending if n in names]:
            pending = block.pending.pop(name)
            self._emit(block, assign(name, pending.tree), pending.where)

    # -- operands ---------------------------------------------------------------------

    def _take(self, atom: Atom, block: Block, viewed: bool = True) -> gast.expr:
        """Return the tree of an operand, a waiting temporary's expression if there is one."""
        if isinstance(atom, Const):
            return constant(atom.value)
        if atom.name in block.pending:
            pending = block.pending.pop(atom.name)
            self._reads |= pending.reads
            return pending.view if viewed else pending.tree
        self._reads.add(atom.name)
        return name_tree(atom.name)

    _reads: set[str] = set()

    def _make_room(self, atoms, block, available):
        """Write out the widest waiting operands until the rest fits into one line."""
        waiting = {a.name: block.pending[a.name].width for a in atoms
                   if isinstance(a, Var) and a.name in block.pending}
        others = sum(len(str(a)) + 3 for a in atoms if str(a) not in waiting)
        while waiting and others + sum(waiting.values()) > available:
            widest = max(waiting, key=waiting.__getitem__)
            self._flush(block, (widest,))
            others += len(widest) + 3
            del waiting[widest]

    def _index(self, index, block):
        items = list(index)
        while len(items) > 1 and items[-1] == Span():
            items.pop()
        trees = [self._item(item, block) for item in items]
        return trees[0] if len(trees) == 1 else gast.Tuple(trees, gast.Load())

    def _item(self, item, block):
        if isinstance(item, Span):
            return gast.Slice(*(None if a is None else self._take(a, block)
                                for a in (item.start, item.stop, item.step)))
        return self._take(item, block)

    def _memory(self, name: str | None) -> str | None:
        """Return the array whose memory a view is of, any other name as it is."""
        return self.memory.get(name, name)

    # -- values -----------------------------------------------------------------------

    def _value(self, stmt, block) -> tuple[gast.expr, gast.expr]:
        """Return the expression of an `Assign` or `Load`, kept apart from its source, and not.

        Both have the type that the variable has.
        """
        declared = self.types[stmt.target]
        source = shares(stmt, self.types)
        apart = source is not None and stmt.target not in self.shared
        if isinstance(stmt, Load):
            (tree, given), kept = self._loaded(stmt, block), None
        else:
            tree, kept, given = self._operation(stmt, block, None if apart else source)
        converted = convert(tree, given, declared, self.narrow, isinstance(stmt, Assign))
        if converted is not tree:
            return converted, converted
        if apart:
            return expression("a.copy()", a=tree), tree
        return kept or tree, tree

    def _loaded(self, stmt, block):
        self._reads.add(stmt.array)
        declared = self.types[stmt.target]
        given = declared if isinstance(declared, Array) else Scalar(self.types[stmt.array].dtype)
        if isinstance(declared, Array) and all(item == Span() for item in stmt.index):
            return name_tree(stmt.array), given
        return gast.Subscript(name_tree(stmt.array), self._index(stmt.index, block), gast.Load()), given

    def _operation(self, stmt, block, source):
        """Return the expression, the same on a copy of `source` if it waits as a view, and the type."""
        types = tuple(self.program.type_of(a) for a in stmt.args)
        static = tuple((k, v) for k, v in stmt.static if k != "move")
        declared = self.types[stmt.target]
        if stmt.op == "copy" and isinstance(stmt.args[0], Const):
            return number(stmt.args[0], declared, self.narrow), None, declared
        if stmt.op in ("zeros", "empty") and not stmt.args:
            return number(Const(0), declared, self.narrow), None, declared
        if stmt.op == "cast" and isinstance(stmt.args[0], Const) and declared.dtype == "float64":
            return number(stmt.args[0], declared, self.narrow), None, declared
        try:
            given = infer(stmt.op, types, static)
        except (IndexError, ValueError, TypeError):
            given = declared
        waiting = block.pending.get(source)
        trees = [self._take(a, block) for a in stmt.args]
        trees = unsigned(stmt, types, given, narrowed(stmt, types, trees) if self.narrow else trees)
        kept = self.spell(stmt.op, types, given, [waiting.tree, *trees[1:]], static) if waiting else None
        return self._tidied(stmt.op, types, given, trees) or self.spell(stmt.op, types, given, trees, static), kept, given

    def _tidied(self, op, types, given, trees):
        """Return the operation spelled as a person would, or None for the spelling that all have."""
        if op == "where" and isinstance(given, Scalar) and not self.narrow:
            return chosen(*trees)
        if given.dtype == "float64" and len(trees) in (1, 2):
            a, b = (*trees, None)[:2]
            floats = [is_float(t) and not self.narrow and t.ndim == given.ndim for t in (*types, given)[:2]]
            signed = all(t.dtype in ("float64", "int64") for t in types)     # a bool takes no minus sign
            made = tidy(op, a, b, isinstance(given, Scalar) and signed, floats, self._real)
            fresh = isinstance(given, Scalar) or isinstance(made, gast.BinOp | gast.UnaryOp)
            return made if fresh else None          # an operand alone may be a view that is still to change
        if given.dtype == "int64" and isinstance(given, Scalar) and len(trees) == 2:
            return tidy_integers(op, *trees)
        return None

    # -- statements -------------------------------------------------------------------

    def _before(self, stmt, block):
        """Write the temporaries that read what this statement, or one in it, changes."""
        changed = {self._memory(defined(s)) for s in walk((stmt,))} - {None}
        read = {a.name for a in _own_atoms(stmt)}
        self._flush(block, {name for name, p in block.pending.items()
                            if p.reads & changed and name not in read})

    def _statement(self, stmt, block):
        self._reads = set()
        self._make_room(list(_own_atoms(stmt)), block, WIDTH - block.indent - 12)
        self._before(stmt, block)
        match stmt:
            case Assign(target=target) | Load(target=target):
                tree, view = self._value(stmt, block)
                reads = frozenset(map(self._memory, self._reads))
                if target in self.nestable and (w := width(tree)) <= WIDTH - block.indent - 10:
                    block.pending[target] = Pending(tree, view, reads, stmt.where, w)
                else:
                    self._emit(block, self._assignment(stmt, tree), stmt.where)
            case Store():
                self._emit(block, self._store(stmt, block), stmt.where)
            case Raise():
                self._raise(stmt, block)
            case _:
                self._compound(stmt, block)

    def _assignment(self, stmt, tree):
        """Return ``s += t`` for ``s = s + t`` of scalars, else a plain assignment."""
        if (isinstance(stmt, Assign) and stmt.op in AUGMENTED and isinstance(tree, gast.BinOp)
                and isinstance(self.types[stmt.target], Scalar)):
            own = [isinstance(n, gast.Name) and n.id == stmt.target for n in (tree.left, tree.right)]
            if own[0] or (own[1] and stmt.op in ("add", "multiply")):
                other = tree.right if own[0] else tree.left
                return gast.AugAssign(gast.Name(stmt.target, gast.Store(), None, None), tree.op, other)
        return assign(stmt.target, tree)

    def _store(self, stmt, block):
        waiting = block.pending.get(str(stmt.value))
        value = self._take(as_element(stmt.value, self.types[stmt.array]), block,
                           viewed=waiting is not None and self._memory(stmt.array) not in waiting.reads)
        index = self._index(stmt.index, block)
        if all(item == Span() for item in stmt.index):
            index = gast.Slice(None, None, None)
        fancy = any(isinstance(i, Var) and isinstance(self.types[i.name], Array) for i in stmt.index)
        if stmt.accumulate and fancy:
            call = expression("np.add.at(a, b, c)", a=name_tree(stmt.array), b=plain_index(index), c=value)
            return gast.Expr(call)
        target = gast.Subscript(name_tree(stmt.array), index, gast.Store())
        if self._is_whole(stmt) and (stmt.accumulate or (
                isinstance(value, gast.BinOp) and not isinstance(value.op, gast.MatMult)
                and getattr(value.left, "id", None) == stmt.array)):
            operator, value = (gast.Add(), value) if stmt.accumulate else (value.op, value.right)
            return gast.AugAssign(name_tree(stmt.array), operator, value)
        if stmt.accumulate:
            return gast.AugAssign(target, gast.Add(), value)
        whole = not any(isinstance(i, Span) for i in stmt.index) and not fancy
        if whole and isinstance(value, gast.BinOp) and same_element(value.left, target):
            return gast.AugAssign(target, value.op, value.right)
        return gast.Assign([target], value, None)

    def _real(self, tree) -> bool:
        """Tell whether an expression is floating-point by the types of its variables."""
        match tree:
            case gast.Name(id=name):
                return name in self.types and self.types[name].dtype == "float64" and not self.narrow
            case gast.Subscript(value=part) | gast.UnaryOp(op=gast.USub(), operand=part):
                return self._real(part)
            case gast.BinOp(left=a, op=gast.Add() | gast.Sub() | gast.Mult() | gast.Div(), right=b):
                return self._real(a) or self._real(b)
        return False

    def _is_whole(self, stmt):
        """Tell whether ``y[:] += v`` may be written ``y += v``: all of y, of a type that holds v."""
        array, value = self.types[stmt.array], self.program.type_of(stmt.value)
        holds = array.dtype == value.dtype or (isinstance(value, Scalar) and value.weak)
        return all(item == Span() for item in stmt.index) and is_float(array) and holds

    def _raise(self, stmt, block):
        message = [gast.Constant(stmt.message, None)] if stmt.message else []
        self._emit(block, gast.Raise(gast.Call(expression(stmt.exception), message, []), None), stmt.where)

    def _compound(self, stmt, block):
        deeper = block.indent + 4
        match stmt:
            case For(var=var, start=start, stop=stop, step=step):
                bounds = range_([self._take(a, block) for a in (start, stop, step)])
                node = gast.For(gast.Name(var, gast.Store(), None, None), bounds, [], [], None)
                self._emit(block, node, stmt.where)
                node.body = self._block(stmt.body, deeper) or [unplaced(gast.Pass())]
            case If():
                self._branch(stmt, block, deeper)
            case While():
                node = gast.While(gast.Constant(True, None), [], [])
                self._emit(block, node, stmt.where)
                self._while(stmt, node, deeper)

    def _branch(self, stmt, block, deeper):
        node = gast.If(self._take(stmt.condition, block), [], [])
        self._emit(block, node, stmt.where)
        node.body = self._block(stmt.then, deeper)
        node.orelse = self._block(stmt.orelse, deeper)
        if not node.body and node.orelse:
            node.test, node.body, node.orelse = expression("not a", a=node.test), node.orelse, []
        node.body = node.body or [unplaced(gast.Pass())]

    def _while(self, stmt, node, deeper):
        inner = Block(deeper)
        self._statements(stmt.test, inner)
        self._reads = set()
        if set(inner.pending) - {str(stmt.condition)}:
            self._flush(inner, set(inner.pending) - {str(stmt.condition)})
        test = self._take(stmt.condition, inner)
        if inner.out:
            leave = gast.If(expression("not a", a=test), [unplaced(gast.Break())], [])
            self._emit(inner, leave, stmt.where)
        else:
            node.test = test
        node.body = inner.out + self._block(stmt.body, deeper) or [unplaced(gast.Pass())]


def _own_atoms(stmt):
    """Yield the variables whose waiting expression the statement can take."""
    skip = stmt.array if isinstance(stmt, Load) else None
    for atom in () if isinstance(stmt, While) else atoms_of(stmt):
        if isinstance(atom, Var) and atom.name != skip:
            yield atom


def _is_users(stmt) -> bool:
    """Tell whether the variable, or the one it is a derivative of, stands in the user's line."""
    words = set(_WORD.findall(stmt.where.text))
    return stmt.target in words or _SUFFIX.sub("", stmt.target) in words
