"""More of NumPy: factorisations, triangles, grids, interpolation, polynomials.

Everything is expressed by operations that have rules already.
"""

from __future__ import annotations

import numpy as np

from srcdiff.assemble import require_equal
from srcdiff.frontend.in_python import algebra, calculus, orders, shapes
from srcdiff.frontend.translate import raising
from srcdiff.frontend.translate.context import Translator
from srcdiff.frontend.translate.iteration import items_of
from srcdiff.frontend.translate.kinds import number_in
from srcdiff.frontend.translate.library import in_python_call
from srcdiff.frontend.translate.numeric import arithmetic, inner_product
from srcdiff.frontend.translate.numpy_arguments import NONE, array, axes_of, axis_of, extents_of, flag, none
from srcdiff.frontend.translate.numpy_reductions import reduce, wide_integers
from srcdiff.frontend.translate.numpy_shapes import derived, diff, flat, with_axes
from srcdiff.frontend.translate.values import Known, Refused, Slice, Tuple
from srcdiff.frontend.translate.views import as_atom, shape_of
from srcdiff.syntax import Const, is_complex, is_float

__all__ = ["HANDLERS", "METHODS"]


# -- linear algebra ------------------------------------------------------------------

def matrix(t, a, name):
    """Return an operand that is one matrix."""
    x = array(t, a)
    if t.ndim(x) != 2:
        raise Refused(f"np.linalg.{name} of {t.type_of(x)}", why="it takes one matrix here",
                      fix="call it for one matrix after the other, in a loop over the first axis")
    return raising.matrix(t, name, x)


def several(like, *operations):
    """A function of a matrix that gives NumPy's named tuple `like`, one operation for each field."""
    def handler(t, a):
        x = matrix(t, a, like.__name__.removesuffix("Result").lower())
        return Tuple(tuple(t.emit(op, x) for op in operations), cls=like)
    return handler


full_svd = several(type(np.linalg.svd(np.eye(1))), "svd_u", "svdvals", "svd_vt")
factors = several(type(np.linalg.qr(np.eye(1))), "qr_q", "qr_r")
determinant = several(type(np.linalg.slogdet(np.eye(1))), "det_sign", "logabsdet")
spectrum = several(type(np.linalg.eigh(np.eye(1))), "eigvalsh", "eigenvectors")


def svd(t, a, full_matrices=Const(True), compute_uv=Const(True)):
    x = matrix(t, a, "svd")
    if not flag(t, compute_uv):
        return t.emit("svdvals", x)
    rows, columns = t.extents.get(x.name, (None, None))
    if flag(t, full_matrices) and (rows is None or rows != columns):      # of a square matrix they are the same
        raise Refused("np.linalg.svd with full matrices, of a matrix that is not square", fix="use full_matrices=False")
    return full_svd(t, x)


def qr(t, a, mode=Known("reduced")):        # noqa: B008
    x = matrix(t, a, "qr")
    if getattr(mode, "value", None) not in ("reduced", "r"):
        raise Refused("np.linalg.qr with this mode", fix='use "reduced" or "r"')
    return t.emit("qr_r", x) if mode.value == "r" else factors(t, x)


def of_stacks(op, function):
    """A function of matrices, and of stacks of matrices one after the other.

    `op` is its operation on one matrix, or what writes it.
    """
    def handler(t, *operands):
        xs = [array(t, a) for a in operands]
        if t.ndim(xs[0]) > 2:
            return in_python_call(t, function, *xs)
        return op(t, *xs) if callable(op) else t.emit(op, raising.matrix(t, op, xs[0]), *xs[1:])
    return handler


def matrix_power(t, a, n):
    x, power = matrix(t, a, "matrix_power"), t.static_number(n)
    if power is None:
        raise Refused("a matrix power that only run time knows", fix="use a loop")
    if power == 0:
        require_equal(t.builder, t.size(x, 0), t.size(x, 1), "[SD0342] a matrix power takes a square matrix")
        return t.emit("eye", t.size(x, 0), t.size(x, 0), dtype=t.type_of(x).dtype)
    if power < 0:
        x = t.emit("inv", x)
    made = x
    for _ in range(abs(int(power)) - 1):
        made = t.emit("matmul", made, x)
    return made


def kron(t, a, b):
    x, y = array(t, a), array(t, b)
    if t.ndim(x) != t.ndim(y) or t.ndim(x) not in (1, 2):
        raise Refused("np.kron of arrays that are not both vectors or both matrices", fix="use a loop")
    rank = t.ndim(x)
    for k in range(rank):
        x = t.emit("expand_dims", x, axis=2 * k + 1)
        y = t.emit("expand_dims", y, axis=2 * k)
    product = t.emit("multiply", x, y)
    extents = [t.emit("multiply", t.size(product, 2 * k), t.size(product, 2 * k + 1)) for k in range(rank)]
    return t.emit("reshape", product, *extents)


# -- triangles ---------------------------------------------------------------------------

def triangle(comparison):
    """`np.tril` and `np.triu`: zero where the comparison of column and row fails."""
    def handler(t, m, k=Const(0)):
        x = array(t, m)
        if t.ndim(x) != 2:
            raise Refused("a triangle of an array that is not a matrix", fix="use a loop")
        rows = t.emit("arange", Const(0), t.size(x, 0), Const(1), dtype="int64")
        columns = t.emit("arange", Const(0), t.size(x, 1), Const(1), dtype="int64")
        offset = arithmetic(t, "Add", t.emit("expand_dims", rows, axis=1), as_atom(t, k)) \
            if k != Const(0) else t.emit("expand_dims", rows, axis=1)
        kept = t.emit(comparison, t.emit("expand_dims", columns, axis=0), offset)
        zero = Const(0.0 if t.type_of(x).dtype[0] == "f" else 0)
        return t.emit("where", kept, x, zero)
    return handler


# -- grids and repetition -------------------------------------------------------------------

def meshgrid(t, *vectors, indexing=Known("xy"), sparse=NONE, copy=NONE):    # noqa: B008
    if flag(t, sparse) or not none(copy) and not flag(t, copy):
        raise Refused("np.meshgrid with sparse=True or copy=False", fix="use newaxis")
    xs = [array(t, v) for v in vectors]
    rank = len(xs)
    places = list(range(rank))
    if indexing.value == "xy" and rank > 1:
        places[:2] = [1, 0]
    extents = [None] * rank
    for x, place in zip(xs, places, strict=True):
        extents[place] = t.size(x, 0)
    made = []
    for x, place in zip(xs, places, strict=True):
        for axis in range(rank):
            if axis != place:
                x = t.emit("expand_dims", x, axis=axis)
        made.append(t.emit("broadcast_to", x, *extents))
    return t.allocate(Tuple(tuple(made)), list)


def pad(t, a, pad_width, mode=Known("constant"), constant_values=Const(0)):     # noqa: B008
    if getattr(mode, "value", None) not in ("constant", "edge", "wrap", "symmetric", "reflect"):
        raise Refused("np.pad with this mode", fix="use constant, edge, wrap, symmetric or reflect", code="SD0239")
    return in_python_call(t, shapes.pad, array(t, a), pad_width, mode, constant_values)


def tile(t, a, reps):
    """Repeat an array along each axis; it has as many axes as there are numbers of repetitions, or more."""
    x, times = array(t, a), list(extents_of(t, reps))
    rank = max(t.ndim(x), len(times), 1)
    times = [Const(1)] * (rank - len(times)) + times
    x = with_axes(t, x, rank)
    extents = [t.size(x, k) for k in range(rank)]
    for k in range(rank):
        x = t.emit("expand_dims", x, axis=2 * k)
    wide = t.emit("broadcast_to", x, *(n for pair in zip(times, extents, strict=True) for n in pair))
    return t.emit("reshape", wide, *(arithmetic(t, "Mult", *pair) for pair in zip(times, extents, strict=True)))


def repeat(t, a, repeats, axis=NONE):
    """Repeat each element, or each slice along an axis, one after the other."""
    x, times = array(t, a), as_atom(t, repeats)
    if t.ndim(times) and t.extents.get(times.name) == (1,):
        times = t.builder.load(times.name, (Const(0),))
    if t.ndim(times):
        return in_python_call(t, orders.repeated, flat(t, x) if none(axis) else x, times, Const(0) if none(axis) else axis)
    if none(axis):
        x = flat(t, x) if t.ndim(x) != 1 else x
    k = 0 if none(axis) else axis_of(t, axis, t.ndim(x))
    extents = [t.size(x, axis) for axis in range(t.ndim(x))]
    wide = t.emit("broadcast_to", t.emit("expand_dims", x, axis=k + 1), *extents[:k + 1], times, *extents[k + 1:])
    extents[k] = arithmetic(t, "Mult", extents[k], times)
    return t.emit("reshape", wide, *extents)


def roll(t, a, shift, axis=NONE):
    """Take the elements at ``(position - shift) mod n``."""
    if isinstance(axis, Tuple):
        shifts = shift.items if isinstance(shift, Tuple) else (shift,) * len(axis.items)
        if len(shifts) != len(axis.items):
            raise Refused("np.roll with another number of shifts than of axes", fix="give a shift for each axis")
        for by, one in zip(shifts, axis.items, strict=True):
            a = roll(t, a, by, one)
        return a
    x, by = array(t, a), as_atom(t, shift)
    if none(axis) and t.ndim(x) != 1:
        extents = [t.size(x, k) for k in range(t.ndim(x))]
        return t.emit("reshape", roll(t, flat(t, x), shift), *extents)
    if t.ndim(by):
        raise Refused("np.roll by several shifts", fix="roll along one axis after the other")
    k = 0 if none(axis) else axis_of(t, axis, t.ndim(x))
    n = t.size(x, k)
    positions = t.emit("arange", Const(0), n, Const(1), dtype="int64")
    index = t.emit("remainder", t.emit("subtract", positions, by), n)
    return t.emit("take", x, index, axis=k)


# -- reductions made of others ----------------------------------------------------------------

def count_nonzero(t, a, axis=NONE):
    x = array(t, a)
    x = x if t.type_of(x).dtype == "bool" else t.emit("not_equal", x, Const(0))
    return reduce(t, "sum", t.cast(x, "int64"), axes_of(t, axis, t.ndim(x)))


def ptp(t, a, axis=NONE):
    x = array(t, a)
    axes = axes_of(t, axis, t.ndim(x))
    return t.emit("subtract", reduce(t, "max", x, axes), reduce(t, "min", x, axes))


def nan_reduction(op, neutral):
    """A reduction that passes over NaN."""
    def handler(t, a, axis=NONE):
        x = array(t, a)
        clean = t.emit("where", t.emit("isnan", x), Const(neutral), x)
        return reduce(t, op, clean, axes_of(t, axis, t.ndim(x)))
    return handler


def difference(t, a, n=Const(1), axis=Const(-1), prepend=NONE, append=NONE):
    """`np.diff`, with values before and after the array."""
    if none(prepend) and none(append):
        return diff(t, a, n, axis)
    x = array(t, a)
    return in_python_call(t, calculus.diff_extended, x, prepend, append, n, Const(axis_of(t, axis, t.ndim(x))))


def trapezoid(t, y, x=NONE, dx=Const(1.0), axis=Const(-1)):
    """``sum(dx * (y[1:] + y[:-1]) / 2)``."""
    from srcdiff.frontend.translate.indexing import load
    values = array(t, y)
    if t.ndim(values) != 1 or not none(x) and t.ndim(array(t, x)) != 1:
        return in_python_call(t, calculus.trapezoid_along, values, x, dx, Const(axis_of(t, axis, t.ndim(values))))
    pair = t.emit("add", as_atom(t, load(t, values, Slice(Const(1), None))),
                  as_atom(t, load(t, values, Slice(None, Const(-1)))))
    width = as_atom(t, dx) if none(x) else diff(t, x)
    return reduce(t, "sum", t.emit("divide", t.emit("multiply", width, pair), Const(2.0)), (0,))


def cumprod(t, a, axis=NONE):
    """A loop: each element is the one before times the next factor."""
    from srcdiff.frontend.translate.indexing import load
    from srcdiff.frontend.translate.views import store
    x = wide_integers(t, array(t, a))
    if none(axis) and t.ndim(x) > 1:
        x = flat(t, x)
    if t.ndim(x) != 1:
        return in_python_call(t, calculus.cumprod_along, x, Const(axis_of(t, axis, t.ndim(x))))
    made = t.emit("copy", x)
    with t.builder.loop(Const(1), t.size(x, 0)) as i:
        t.stems[i.name] = "i"
        before = t.builder.load(made.name, (t.emit("subtract", i, Const(1)),))
        store(t, made.name, (i,), t.emit("multiply", before, as_atom(t, load(t, x, i))))
    return made


# -- polynomials and interpolation ---------------------------------------------------------------

def polyval(t, p, x):
    """Horner's scheme, highest power first."""
    from srcdiff.frontend.translate.iteration import length
    value = as_atom(t, x)
    n = t.static_number(length(t, p))
    if n is not None:
        total = Const(0)
        for item in items_of(t, p):
            total = arithmetic(t, "Add", arithmetic(t, "Mult", total, value), as_atom(t, item)) \
                if total != Const(0) else as_atom(t, item)
        if n == 1 and t.ndim(value) and not t.ndim(total):
            total = t.emit("full", total, *shape_of(t, value), dtype=t.type_of(total).dtype)
        return total
    coefficients = array(t, p)
    if t.ndim(coefficients) != 1:
        raise Refused("np.polyval with a matrix of coefficients", fix="use a loop over its rows")
    powers = t.emit("subtract", t.emit("subtract", t.size(coefficients, 0), Const(1)),
                    t.emit("arange", Const(0), t.size(coefficients, 0), Const(1), dtype="int64"))
    if t.ndim(value) > 1:
        raise Refused("np.polyval of a matrix", fix="use a loop")
    if t.ndim(value):
        value = t.emit("expand_dims", value, axis=0)
        coefficients = t.emit("expand_dims", coefficients, axis=1)
        powers = t.emit("expand_dims", powers, axis=1)
    return reduce(t, "sum", t.emit("multiply", coefficients, t.emit("power", value, powers)), (0,))


def nan_to_num(t, x, copy=NONE, nan=Const(0.0), posinf=NONE, neginf=NONE):
    if not none(copy) and not flag(t, copy):
        raise Refused("np.nan_to_num in place", fix="assign its result: x[:] = np.nan_to_num(x)")
    v = array(t, x)
    if not is_float(t.type_of(v)):
        return t.emit("copy", v)
    made, big = t.emit("where", t.emit("isnan", v), as_atom(t, nan), v), float(np.finfo(t.type_of(v).dtype).max)
    for given, infinity, op, bound in ((neginf, -np.inf, "maximum", -big), (posinf, np.inf, "minimum", big)):
        made = t.emit(op, made, Const(bound)) if none(given) else t.emit(
            "where", t.emit("equal", v, Const(infinity)), as_atom(t, given), made)
    return made


def heaviside(t, x, at_zero):
    v = t.emit("stop_gradient", array(t, x))
    step = t.emit("where", t.emit("greater", v, Const(0)), Const(1.0), v)                   # nan stays
    step = t.emit("where", t.emit("less", v, Const(0)), Const(0.0), step)
    return t.emit("where", t.emit("equal", v, Const(0)), array(t, at_zero), step)


def float_power(t, x, y):
    """A power in double precision at least, of integers too."""
    base, exponent = array(t, x), array(t, y)
    kind = "complex128" if is_complex(t.type_of(base)) or is_complex(t.type_of(exponent)) else "float64"
    return t.emit("power", *(a if t.type_of(a).dtype == kind else t.emit("cast", a, dtype=kind) for a in (base, exponent)))


def select(t, conditions, choices, default=Const(0)):
    made = array(t, default)
    for condition, choice in reversed(list(zip(items_of(t, conditions), items_of(t, choices), strict=True))):
        made = t.emit("where", array(t, condition), array(t, choice), made)
    return made


# -- einsum ----------------------------------------------------------------------------------------

def einsum(t: Translator, subscripts, *operands, optimize=NONE):
    """Products summed over letters: each operand is spread over all letters, multiplied, summed.

    Two operands that share one summed letter become a matrix product.
    """
    if not isinstance(subscripts, Known) or not isinstance(subscripts.value, str):
        raise Refused("np.einsum without a text of subscripts", fix="write the subscripts as a literal")
    text = subscripts.value.replace(" ", "")
    xs = [array(t, v) for v in operands]
    terms, output = _without_ellipsis(text, [t.ndim(x) for x in xs])
    if any("." in s or len(s) != t.ndim(x) for s, x in zip(terms, xs, strict=False)) or len(terms) != len(operands):
        raise Refused(f"np.einsum({text!r}) is not supported", fix="use @, sum and transpose")
    terms, xs = map(list, zip(*(_collapsed(t, s, x) for s, x in zip(terms, xs, strict=True)), strict=True))
    inputs = ",".join(terms)
    if (product := _as_matmul(t, terms, output, xs)) is not None:
        return product
    letters = output + "".join(dict.fromkeys(c for c in inputs if c not in output + ","))
    total = None
    for term, x in zip(terms, xs, strict=True):
        spread = _spread(t, x, term, letters)
        total = spread if total is None else t.emit("multiply", total, spread)
    summed = tuple(range(len(output), len(letters)))
    if summed or not t.ndim(total):
        return reduce(t, "sum", total, summed) if summed else number_in(t, total)
    return derived(t, total, operands[0]) if len(operands) == 1 else total


def _collapsed(t, term, x):
    """Take the diagonal of axes that have one letter."""
    while (letter := next((c for c in term if term.count(c) > 1), None)) is not None:
        i = term.index(letter)
        j = term.index(letter, i + 1)
        x = array(t, in_python_call(t, algebra.diagonal_of_operand, x, Const(i), Const(j)))
        term = term[:i] + term[i + 1:j] + term[j + 1:] + letter
    return term, x


def _without_ellipsis(text, ranks):
    """Return the terms and the output of a subscripts text, letters in place of ``...``."""
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in text]
    widths = [rank - len(s) + 3 if "..." in s else 0 for s, rank in zip(terms, ranks, strict=False)]
    wide = "".join(spare[:max([0, *widths])])
    if not arrow:
        single = sorted(c for c in set(inputs) - set(",.") if inputs.count(c) == 1)
        output = "..." + "".join(single)
    terms = [s.replace("...", wide[len(wide) - n:]) for s, n in zip(terms, widths, strict=False)]
    return terms, output.replace("...", wide)


def _spread(t, x, term, letters):
    order = tuple(term.index(c) for c in letters if c in term)
    if order != tuple(range(len(term))):
        x = t.emit("transpose", x, perm=order)
    for axis, letter in enumerate(letters):
        if letter not in term:
            x = t.emit("expand_dims", x, axis=axis)
    return x


def _as_matmul(t, terms, output, xs):
    """Return ``x @ y`` for ``ik,kj->ij`` and its transposed forms, else None."""
    if len(terms) != 2 or any(len(s) > 2 for s in terms):
        return None
    shared = [c for c in terms[0] if c in terms[1] and c not in output]
    if len(shared) != 1 or len(set(terms[0]) & set(terms[1])) != 1:
        return None
    (k,) = shared
    rest = [s.replace(k, "") for s in terms]
    if "".join(rest) != output:
        if "".join(reversed(rest)) != output:
            return None
        terms, xs = terms[::-1], xs[::-1]
    x, y = xs
    if terms[0][-1] != k:
        x = t.emit("transpose", x, perm=(1, 0))
    if terms[1][0] != k:
        y = t.emit("transpose", y, perm=(1, 0))
    if t.ndim(x) == t.ndim(y) == 1:
        return inner_product(t, x, y)
    return t.emit("matmul", x, y)


HANDLERS = {
    np.linalg.slogdet: of_stacks(determinant, algebra.log_determinants), np.linalg.eigh: of_stacks(spectrum, algebra.spectra),
    np.linalg.qr: qr, np.linalg.svd: svd, np.linalg.matrix_power: matrix_power,
    np.linalg.svdvals: lambda t, a: t.emit("svdvals", matrix(t, a, "svdvals")), np.kron: kron,
    np.tril: triangle("less_equal"), np.triu: triangle("greater_equal"), np.meshgrid: meshgrid,
    np.tile: tile, np.repeat: repeat, np.roll: roll, np.count_nonzero: count_nonzero, np.ptp: ptp,
    np.nansum: nan_reduction("sum", 0.0), np.nanmax: nan_reduction("max", -np.inf),
    np.nanmin: nan_reduction("min", np.inf), np.trapezoid: trapezoid, np.cumprod: cumprod,
    np.polyval: polyval, np.nan_to_num: nan_to_num, np.heaviside: heaviside, np.float_power: float_power,
    np.select: select,
    np.einsum: einsum, np.linalg.inv: of_stacks("inv", algebra.inverses), np.linalg.cholesky: of_stacks("cholesky", algebra.choleskys),
    np.linalg.eigvalsh: of_stacks("eigvalsh", algebra.eigenvalues),
    np.linalg.det: of_stacks("det", algebra.determinants), np.linalg.solve: of_stacks("solve", algebra.solutions),
    np.diff: difference, np.pad: pad,
}

METHODS = {"cumprod": cumprod, "repeat": repeat}
