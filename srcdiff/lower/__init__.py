"""From array statements to loops: `lower(program) -> Program`.

The passes, in order: `scalarize` writes each array statement as a loop nest (where
no axis is stretched, `entry` says which extents of parameters are equal),
`reciprocals` multiplies differentials by what they would be divided by,
`checks` compares extents before the loops, `tidy` names equal extents once,
what that decides is decided (`optimize.constants`, `branches`), `rejoin` runs loops where their values are needed, `fuse` joins neighbouring
loops, `tidy` turns the temporaries inside them into scalars, `hoist` moves
allocations out of loops, `moves` hands arrays on that need no copy, `masks`
compares again what loops of the same row need, `guarded` moves sums into the
branch that gives the term, `ordered` computes functions in front of sums whose
order is the user's, `recurrences` takes out of a sequential loop the
sums that it does not wait for, `gather` turns sums into neighbouring elements
around, `interchange` turns nests of loops, those of adjoints as sums in any
order allow, all others as `distribute` proves (with `counters` written out),
`aside` puts sums into neighbouring elements that still hold up a loop into one that gathers,
`zeroed` stores what would be added to zeros,
`short` adds another version of deep nests for short innermost loops, `layout`
puts the axes of local arrays in the order of the loops, `crossings` divides a loop at the
iteration that meets what the others read, `jam` takes two rows at a time that are added to a third one, `registers` keeps
elements in variables, `at_once` marks the loops whose iterations may run at
once, `names` gives the loop variables short names.

`ravel`, which runs loops over complete trailing axes as one, is no part of it:
what it returns has views, and can be printed only.
"""

from __future__ import annotations

from srcdiff.lower.aside import aside
from srcdiff.lower.at_once import at_once
from srcdiff.lower.checks import checks
from srcdiff.lower.crossings import crossings
from srcdiff.lower.distribute import PART
from srcdiff.lower.fuse import fuse
from srcdiff.lower.gather import gather
from srcdiff.lower.guarded import guarded
from srcdiff.lower.hoist import hoist
from srcdiff.lower.interchange import interchange
from srcdiff.lower.jam import jam
from srcdiff.lower.layout import layout
from srcdiff.lower.masks import masks
from srcdiff.lower.moves import moves
from srcdiff.lower.names import apart, names
from srcdiff.lower.ordered import ordered
from srcdiff.lower.reciprocals import reciprocals
from srcdiff.lower.recurrences import recurrences
from srcdiff.lower.registers import registers
from srcdiff.lower.rejoin import rejoin
from srcdiff.lower.scalarize import scalarize
from srcdiff.lower.short import short
from srcdiff.lower.strength import strength
from srcdiff.lower.tidy import tidy
from srcdiff.lower.zeroed import zeroed
from srcdiff.optimize.branches import branches
from srcdiff.optimize.constants import constants
from srcdiff.syntax import For, Program, walk

__all__ = ["PASSES", "lower"]

PASSES = (reciprocals, checks, tidy, constants, branches, rejoin, fuse, tidy, hoist, moves, tidy, masks, guarded, ordered, recurrences,
          gather, interchange, aside, zeroed, short, layout, crossings, jam, registers, reciprocals, at_once)
# A thread of a GPU has no vectors to fill, and a sample of its own.
FOR_VECTORS = (aside, crossings, gather, interchange, ordered, recurrences, rejoin, short, jam, at_once)


def lower(program: Program, stretch: bool = True, blas: bool = True, device: bool = False) -> Program:
    """Return an equivalent program of scalar statements, loops and element accesses.

    Parameters
    ----------
    stretch
        Whether two axes that are not provably equally long may be broadcast at
        run time.  Without, they must be equal: the code is shorter and fuses
        better, and raises `ValueError` with code SD0340 otherwise.
    blas
        Whether large matrix products may stay calls of `matmul`.
    device
        Lower for the threads of a GPU: no calls, and all loops joined that can be.
    """
    users = frozenset(s.var for s in walk(program.body) if isinstance(s, For))
    program, old = apart(program)
    program = scalarize(program, stretch, blas and not device)
    for one in PASSES:
        if one is fuse:
            program = fuse(program, device)
        elif not (device and one in FOR_VECTORS):
            program = one(program)
    return strength(names(program, users, old | _parts(program, users, old)))


def _parts(program: Program, users: frozenset[str], old: dict[str, str]) -> dict[str, str]:
    """Return for the variables of parts of divided loops the names that the user gave those."""
    names = dict.fromkeys(users) | old
    stems = {s.var: s.var.rpartition(PART)[0] for s in walk(program.body) if isinstance(s, For)}
    return {name: names[stem] or stem for name, stem in stems.items() if stem in names}
