"""A function specialised to argument types, and the flat positions of its arguments.

This is what the recipes of `srcdiff.api.recipes` take and give: an unlowered
program, where its hidden arguments come from, and the tree of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from srcdiff.api.lazy import lazy
from srcdiff.errors import ArgumentError, Problem, SrcdiffError
from srcdiff.structure import is_leaf, leaves, map_tree, numbered, result_tree
from srcdiff.syntax import Program, Static, Type, is_complex, is_float

__all__ = ["Special", "output_leaves", "refuse", "require_floats", "require_real", "special", "split_aux"]

arrange, keep = lazy("srcdiff.assemble", "arrange"), lazy("srcdiff.assemble", "keep")


@dataclass(frozen=True)
class Special:
    """One specialisation.

    Attributes
    ----------
    program
        Unlowered; the leaves of the arguments in call order, then those of the
        keywords, then the captured parameters.  `tree` is always a tree.
    inputs
        ``(args, keywords)``: the specs, each numeric leaf replaced by its
        position among the parameters.
    captures
        For each captured parameter, a function that gets its present value.
    assumed
        Pairs of a function and the value that it gave when code was generated:
        where it gives another one, the code is not valid.
    linear
        Parameters in which the program is linear, so that many of them can be
        pushed through at once: the seeds of pullbacks and tangent maps.
    written
        Names of the parameters whose arrays the user's function writes.
    early
        How many statements at the beginning do not need the cotangents (`srcdiff.api.linear.Sweeps`).
    """

    program: Program
    inputs: tuple
    captures: tuple[Callable, ...] = ()
    assumed: tuple = ()
    linear: frozenset[str] = frozenset()
    written: tuple[str, ...] = ()
    early: int = 0

    @property
    def bare(self) -> Program:
        """The program without its tree: hashable, so that transforms of it are remembered."""
        return replace(self.program, tree=None, doc="")

    @property
    def leaves(self) -> dict:
        """What the front end asks of a function that is called inside another one."""
        args, keywords = self.inputs
        return {**dict(enumerate(args)), **keywords}

    def name(self, position: int) -> str:
        return self.program.params[position].name

    def type(self, position: int) -> Type:
        return self.program.params[position].type

    @property
    def names(self) -> tuple:
        """The inputs, each numeric leaf replaced by the name of its parameter."""
        return map_tree(lambda p: p if isinstance(p, Static) else self.name(p), self.inputs)

    def made(self, program: Program, tree, *, names=None, linear=frozenset()) -> Special:
        """Return this specialisation with another program, of which `tree` is the result.

        `names` is the tree of the arguments' names where they are not the same.
        The captured parameters follow the arguments.
        """
        names = self.names if names is None else names
        order = [name for name in leaves(names) if not isinstance(name, Static)]
        captured = [p.name for p in self.program.params if p.captured]
        program, tree = renumbered(arrange(program, [*order, *captured]), tree)
        program = replace(program, tree=tree, doc=self.program.doc)
        return replace(self, program=program, inputs=numbered(names)[0], linear=linear)


def special(found, args, keywords) -> Special:
    """Return what the front end found as a `Special`."""
    program = replace(found.program, tree=result_tree(found.program))
    numeric = [p for p in program.params if not p.captured]
    inputs, count = numbered((tuple(args), dict(keywords)))
    if count != len(numeric) or any(p.captured for p in program.params[:count]):
        raise SrcdiffError(f"internal: {program.name} has {len(numeric)} parameters for {count} leaves")
    assumed = getattr(found, "assumed", ())
    return Special(program, inputs, tuple(found.captures), tuple(assumed),
                   written=tuple(program.params[p].name for p in getattr(found, "written", ())))


def renumbered(program: Program, tree) -> tuple[Program, object]:
    """Keep only the results that `tree` holds, and number them as they stand in it."""
    wanted = list(dict.fromkeys(leaf for leaf in leaves(tree) if not isinstance(leaf, Static)))
    place = {position: i for i, position in enumerate(wanted)}
    return keep(program, wanted), map_tree(lambda p: p if isinstance(p, Static) else place[p], tree)


def refuse(what: str, why: str = "", fix: str = "", code: str = "SD0300", error=ArgumentError):
    """Raise one of the package's errors."""
    raise error(Problem(code, what, why=why, fix=fix))


def require_floats(name: str, tree) -> None:
    """Refuse to differentiate with respect to an argument whose spec holds no floating-point number.

    Raises
    ------
    ArgumentError
        The argument is an integer, a bool, complex or no number; or a structure of such, or one with a complex part.
    """
    found = list(leaves(tree))
    numeric = [leaf for leaf in found if not isinstance(leaf, Static)]
    if not numeric:
        value = repr(found[0].value) if len(found) == 1 else "a structure without numbers"
        refuse(f"argument '{name}' cannot be differentiated: it is {value}, not a number or an array",
               fix="choose another argument with argnums or argnames", code="SD0302")
    for type_ in numeric:
        if is_complex(type_):
            refuse(f"argument '{name}' cannot be differentiated: it is complex",
                   why="derivatives are those of real functions of real numbers; complex numbers may lie between",
                   fix="pass the real and the imaginary part as two arguments", code="SD0303")
        if not any(map(is_float, numeric)):
            kind = "array" if type_.ndim else "number"
            refuse(f"argument '{name}' cannot be differentiated: it is an {kind} of dtype {type_.dtype}"
                   .replace("an number", "a number"),
                   why="derivatives exist with respect to floating-point values only",
                   fix=f"pass floats (for example float({name}) or {name}.astype(float)), "
                       "or choose another argument with argnums", code="SD0303")


def output_leaves(tree) -> list[int]:
    """Return the positions of the results that a tree holds."""
    return [leaf for leaf in leaves(tree) if not isinstance(leaf, Static)]


def require_real(program: Program, tree, name: str) -> None:
    """Refuse to differentiate complex results.

    Raises
    ------
    ArgumentError
        A result in `tree` is complex.
    """
    for position in output_leaves(tree):
        type_ = program.type_of(program.results[position])
        if is_complex(type_):
            refuse(f"the result of {name} is complex and cannot be differentiated",
                   why="derivatives are those of real functions of real numbers; complex numbers may lie between",
                   fix="return the real and the imaginary part: z.real, z.imag", code="SD0321")


def split_aux(tree, has_aux: bool, name: str):
    """Return (outputs, aux) of a result tree; aux is None without `has_aux`."""
    if not has_aux:
        return tree, None
    if is_leaf(tree) or not isinstance(tree, tuple) or len(tree) != 2:
        refuse(f"{name} does not return a pair (output, aux)",
               why="with has_aux=True the second value is handed through undifferentiated",
               fix="return a tuple of two, or leave has_aux out", code="SD0304")
    return tree
