"""The two sweeps of ``out, pull = sd.vjp(f, *primals)``: the forward one stands there, the reverse one where `pull` is called.

Together they are the program of the pullback, cut in two.  The reverse sweep
reads the variables of the forward sweep, so whatever is known of them holds in
both: nothing is computed or checked twice, and loops of both can be joined.  It
writes into copies of them, because `pull` may be called again.
"""

from __future__ import annotations

from srcdiff.frontend.translate import inline
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.values import Dict, Known, Ref, Tuple
from srcdiff.frontend.translate.views import as_atom
from srcdiff.structure import leaves
from srcdiff.syntax import Atom, Scalar, Static, Type, Var, mentions

__all__ = ["Sweeps"]


class Sweeps:
    """The sweeps of one `vjp`; the forward one is written at once.

    Parameters
    ----------
    target
        A function that `srcdiff.api.linear.Sweeps` has derived.
    args
        Its arguments.

    Attributes
    ----------
    value
        What the differentiated function returns.
    """

    def __init__(self, t: Translator, target, args):
        self.spec = inline.program_of(t, target, args, {})
        self.program = program = self.spec.program
        late = {self.program.params[p].name for p in leaves(self.spec.inputs[0][1]) if not isinstance(p, Static)}
        self.names = inline.given_names(t, target, self.spec, args, without=late)
        self.reverse = program.body[self.spec.early:]
        inline.put(t, program, program.body[:self.spec.early], self.names)
        tree, self.adjoints = program.tree
        self.count = sum(not isinstance(leaf, Static) for leaf in leaves(tree))
        results = inline.own(t, program, program.results[:self.count], self.names, mentions(self.reverse))
        self.value = inline.rebuilt(t, tree, results)

    def pullback(self, t: Translator, cotangent):
        """Write the reverse sweep; return the cotangents of the primals, or None for a cotangent that needs another one."""
        given: dict[str, Atom] = {}
        if not self.matched(t, self.spec.inputs[0][1], cotangent, given):
            return None
        names = self.names | {name: inline.name_of(t, atom, name) for name, atom in given.items()}
        changed = dict.fromkeys(n for stmt in self.reverse for n in stmt.changes if n in self.names)
        for name in changed:
            names[name] = inline.copied(t, Var(names[name])).name
        inline.put(t, self.program, self.reverse, names)
        kept = {*self.names, *given} - set(changed)
        results = inline.own(t, self.program, self.program.results[self.count:], names, kept)
        return inline.rebuilt(t, self.adjoints, [None] * self.count + results)

    def matched(self, t: Translator, tree, value, given: dict[str, Atom]) -> bool:
        """Note what the parameters of the reverse sweep get from a cotangent; tell whether it has a part for each, and no other."""
        if isinstance(tree, Static):
            return isinstance(value, Known) and value.value is None
        contents = t.contents(value) if isinstance(value, Ref) else value
        if isinstance(tree, int):
            param = self.program.params[tree]
            atom = self.as_type(t, value, param.type)
            given[param.name] = atom
            return atom is not None
        if isinstance(tree, dict):
            items = contents.items if isinstance(contents, Dict) else ()
            return [k for k, _ in items] == list(tree) and all(
                self.matched(t, part, v, given) for part, (_, v) in zip(tree.values(), items, strict=True))
        items = contents.items if isinstance(contents, Tuple) else ()
        return len(items) == len(tree) and all(
            self.matched(t, part, v, given) for part, v in zip(tree, items, strict=True))

    def as_type(self, t: Translator, value, own: Type) -> Atom | None:
        """Return a cotangent as what a parameter takes: an array of its type, or any real number for a number."""
        if isinstance(value, Known | Ref | Tuple | Dict):
            return None
        atom = as_atom(t, value)
        type_ = t.type_of(atom)
        if type_ == own:
            return atom
        if not (isinstance(own, Scalar) and isinstance(type_, Scalar) and type_.dtype.startswith(("int", "float"))):
            return None
        if own.dtype != type_.dtype or not own.weak:
            atom = t.emit("cast", atom, dtype=own.dtype)
        return t.emit("weaken", atom) if own.weak else atom
