"""The operations of the normal form: one row each, with what they compute.

A row gives the name, the kind, and a Python callable with the operation's exact
meaning on NumPy values.  Everything else about an operation that can be derived
is derived: `infer` finds the type of a result by running the callable on arrays
of extent 1, so there is no second list of promotion rules.  Derivatives live in
`srcdiff.rules`, spelling in `srcdiff.printing`.

Static keywords (``axis``, ``keepdims``, ``dtype``, ``perm``) are part of the
operation.  Axes are non-negative; ``axis`` of a reduction is a sorted tuple.
Extents are ordinary integer operands, because they are run-time facts.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.special

from srcdiff.schedule import next_checkpoint, segment_length, segment_within
from srcdiff.syntax import Array, Scalar, Type

__all__ = ["MISFIT_OF_PRODUCT", "PRIMITIVES", "Primitive", "Table", "infer", "type_of_value", "unify"]


@dataclass(frozen=True)
class Primitive:
    """One operation.

    Attributes
    ----------
    name
        Its name in `Assign.op`.
    kind
        "elementwise" (broadcasts its operands), "reduction" (static axis,
        keepdims), "contraction", "structural" (moves values, linear in its
        first operand), "creation" (operands are extents or fill values),
        "extent" (an integer that depends on shapes only).
    evaluate
        ``evaluate(*operands, **static)`` on NumPy values and Python numbers.
    callables
        The functions a user may call to get it (``np.exp``, ``math.exp``); only
        those whose signature is the operation's own.
    like
        For an operation of the user's (`srcdiff.custom`), which may fail or
        have costs: what gives results of the same type, and runs to infer it.
    """

    name: str
    kind: str
    evaluate: Callable
    callables: tuple[Callable, ...] = ()
    like: Callable | None = None

    @property
    def on_complex(self) -> bool:
        """Tell whether its value, its rule and its compiled form are those of complex numbers too."""
        return self.name in COMPLEX

    @property
    def opaque(self) -> bool:
        """Tell whether it runs code of the user's, which may fail, or take long."""
        return self.like is not None


# The operations that are proved right for complex operands, as the tests of the rules sample them;
# every other one is refused for these.  `arccosh` is not among them: its slope has other branch cuts.
COMPLEX = frozenset("""
    negative positive exp exp2 expm1 log log2 log10 log1p sqrt square reciprocal sin cos tan sinh cosh tanh
    arcsin arccos arctan arcsinh arctanh add subtract multiply divide quotient power equal not_equal where
    isnan isinf isfinite cast weaken copy stop_gradient real imag conjugate complex
    sum prod matmul solve inv det
    transpose reshape expand_dims squeeze broadcast_to sum_to concatenate cumsum take tape_grow
    zeros empty unset full eye array size
""".split())


class Table(dict):
    """A table by name of operation; what users add is found in it, but not listed."""

    def __init__(self):
        super().__init__()
        self.own: dict = {}

    def __missing__(self, name):
        return self.own[name]

    def __contains__(self, name):
        return super().__contains__(name) or name in self.own

    def get(self, name, default=None):
        return super().get(name) or self.own.get(name, default)


PRIMITIVES: dict[str, Primitive] = Table()


def _define(name, kind, evaluate, *callables):
    assert name not in PRIMITIVES, name
    PRIMITIVES[name] = Primitive(name, kind, evaluate, callables)


def _keep_weak(function):
    """Make a NumPy function give Python numbers for Python numbers."""
    @functools.wraps(function, updated=())
    def evaluate(*operands, **static):
        result = function(*operands, **static)
        if all(type(x) in (bool, int, float, complex) for x in operands):
            return result.item() if isinstance(result, np.generic | np.ndarray) else result
        return result
    return evaluate


def _elementwise(name, function, *callables):
    own = (function,) if isinstance(function, np.ufunc) else ()
    _define(name, "elementwise", _keep_weak(function), *own, *callables)


# -- elementwise, one operand -------------------------------------------------

_elementwise("negative", np.negative, operator.neg)
_elementwise("positive", np.positive, operator.pos)
_elementwise("absolute", np.absolute, abs, np.fabs, math.fabs)
_elementwise("exp", np.exp, math.exp)
_elementwise("exp2", np.exp2, math.exp2)
_elementwise("expm1", np.expm1, math.expm1)
_elementwise("log", np.log, math.log)
_elementwise("log2", np.log2, math.log2)
_elementwise("log10", np.log10, math.log10)
_elementwise("log1p", np.log1p, math.log1p)
_elementwise("sqrt", np.sqrt, math.sqrt)
# The square root of a sum of squares: a length, a deviation.  Its slope at 0 is 0, as that of `absolute` is.
_elementwise("root_of_squares", lambda x: np.sqrt(x))
_elementwise("cbrt", np.cbrt, math.cbrt)
_elementwise("square", np.square)
_elementwise("reciprocal", np.reciprocal)
_elementwise("sin", np.sin, math.sin)
_elementwise("cos", np.cos, math.cos)
_elementwise("tan", np.tan, math.tan)
_elementwise("arcsin", np.arcsin, math.asin)
_elementwise("arccos", np.arccos, math.acos)
_elementwise("arctan", np.arctan, math.atan)
_elementwise("sinh", np.sinh, math.sinh)
_elementwise("cosh", np.cosh, math.cosh)
_elementwise("tanh", np.tanh, math.tanh)
_elementwise("arcsinh", np.arcsinh, math.asinh)
_elementwise("arccosh", np.arccosh, math.acosh)
_elementwise("arctanh", np.arctanh, math.atanh)
_elementwise("radians", np.radians, math.radians, np.deg2rad)
_elementwise("degrees", np.degrees, math.degrees, np.rad2deg)
_elementwise("sign", np.sign)
_elementwise("floor", np.floor)
_elementwise("ceil", np.ceil)
_elementwise("trunc", np.trunc)
_elementwise("rint", np.rint)
_elementwise("erf", scipy.special.erf, math.erf)
_elementwise("erfc", scipy.special.erfc, math.erfc)
_elementwise("gamma", scipy.special.gamma, math.gamma)
_elementwise("lgamma", scipy.special.gammaln, math.lgamma)
_elementwise("digamma", scipy.special.digamma)


def _polygamma(n, x):
    """The n-th derivative of digamma, for one integer n >= 1 (SciPy's own gives float64 for float32)."""
    return (-1) ** (n + 1) * float(math.factorial(n)) * scipy.special.zeta(n + 1.0, x)


_elementwise("polygamma", _polygamma, scipy.special.polygamma)
_elementwise("real", lambda x: +np.real(x))
_elementwise("imag", lambda x: +np.imag(x))
_elementwise("conjugate", np.conjugate)
_elementwise("isnan", np.isnan, math.isnan)
_elementwise("isinf", np.isinf, math.isinf)
_elementwise("isfinite", np.isfinite, math.isfinite)
_elementwise("logical_not", np.logical_not, operator.not_)
_elementwise("invert", np.invert, operator.invert)


def _cast(x, *, dtype):
    """Convert; float to integer truncates, as `int` and `astype` do."""
    if isinstance(x, np.ndarray):
        return x.astype(dtype)
    return np.dtype(dtype).type(x)


def _weaken(x):
    """Make a Python number of a scalar, as `float(x)` and `int(x)` do."""
    return x.item() if isinstance(x, np.generic) else x


_define("cast", "elementwise", _cast)
_define("weaken", "elementwise", _weaken)
# `move=True`: nobody changes either again, so the array itself may be handed on.
_define("copy", "elementwise",
        lambda x, *, move=False: x.copy() if isinstance(x, np.ndarray) else x)
# The value, cut off from its derivative: `sd.stop_gradient`, `sd.no_grad`.
_define("stop_gradient", "elementwise", lambda x: x.copy() if isinstance(x, np.ndarray) else x)

# -- elementwise, two and three operands --------------------------------------

_elementwise("add", np.add, operator.add)
_elementwise("subtract", np.subtract, operator.sub)
_elementwise("multiply", np.multiply, operator.mul)
_elementwise("divide", np.divide, operator.truediv)


def _quotient(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == 0, np.where(a == 0, a * b, a * np.inf), np.divide(a, b))[()]


# a / b for a slope that may be infinite: 0 / 0 = 0, and zeros have no sign.
_elementwise("quotient", _quotient)
_elementwise("power", np.power, operator.pow, math.pow)
_elementwise("floor_divide", np.floor_divide, operator.floordiv)
_elementwise("remainder", np.remainder, operator.mod)
_elementwise("fmod", np.fmod, math.fmod)
_elementwise("maximum", np.maximum)
_elementwise("minimum", np.minimum)
_elementwise("fmax", np.fmax)
_elementwise("fmin", np.fmin)
_elementwise("arctan2", np.arctan2, math.atan2)
_elementwise("hypot", np.hypot, math.hypot)


def _complex(x, y):
    """Return x + iy, also where a part is infinite or nan; a Python number for numbers, as `complex` does."""
    if not np.ndim(x) and not np.ndim(y):
        return complex(x, y)
    made = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, y, np.complex64))
    made.real, made.imag = x, y
    return made


_define("complex", "elementwise", _complex)
_elementwise("copysign", np.copysign, math.copysign)
_elementwise("logaddexp", np.logaddexp)
_elementwise("less", np.less, operator.lt)
_elementwise("less_equal", np.less_equal, operator.le)
_elementwise("greater", np.greater, operator.gt)
_elementwise("greater_equal", np.greater_equal, operator.ge)
_elementwise("equal", np.equal, operator.eq)
_elementwise("not_equal", np.not_equal, operator.ne)
_elementwise("logical_and", np.logical_and)
_elementwise("logical_or", np.logical_or)
_elementwise("logical_xor", np.logical_xor)
_elementwise("bitwise_and", np.bitwise_and, operator.and_)
_elementwise("bitwise_or", np.bitwise_or, operator.or_)
_elementwise("bitwise_xor", np.bitwise_xor, operator.xor)
_elementwise("where", lambda condition, x, y: np.where(condition, x, y)[()])

# -- reductions (axis: a sorted tuple of axes, keepdims) -----------------------
#    An empty tuple reduces nothing.


def _reduction(name, function):
    def evaluate(x, *, axis, keepdims=False):
        return function(x, axis=axis, keepdims=keepdims)
    _define(name, "reduction", evaluate)


_reduction("sum", np.sum)
_reduction("prod", np.prod)
_reduction("max", np.max)
_reduction("min", np.min)
_reduction("any", np.any)
_reduction("all", np.all)
_define("argmax", "reduction", lambda x, *, axis: np.argmax(x, axis=axis))
_define("argmin", "reduction", lambda x, *, axis: np.argmin(x, axis=axis))

# -- contractions ---------------------------------------------------------------
#    `matmul` takes operands of one or two axes (and broadcasts leading axes).

MISFIT_OF_PRODUCT = "[SD0341] the inner extents of a matrix product differ"

_define("matmul", "contraction", lambda a, b: np.matmul(a, b)[()])

# -- linear algebra, on matrices -----------------------------------------------------
#    Functions that return several values are one operation for each of them.
#    As in NumPy, those of a symmetric matrix read its lower triangle only.


def _linalg(name, function, *callables):
    def evaluate(x, *more):
        if np.ndim(x) != 2:
            raise ValueError(f"{name} takes a matrix, not {np.ndim(x)} dimensions")
        return function(x, *more)
    _define(name, "contraction", evaluate, *callables)
    LINEAR_ALGEBRA.add(name)


def is_indefinite(a):
    """Tell whether `np.linalg.cholesky` refuses a matrix; what is not finite has no answer, and passes."""
    if not np.all(np.isfinite(a)):
        return False
    try:
        np.linalg.cholesky(a)
    except Exception:       # Numba knows no other class
        return True
    return False


LINEAR_ALGEBRA: set[str] = set()        # what may raise LinAlgError

_linalg("solve", lambda a, b: np.linalg.solve(a, b), np.linalg.solve)
_linalg("inv", np.linalg.inv, np.linalg.inv)
_linalg("det", np.linalg.det, np.linalg.det)
_linalg("det_sign", lambda x: np.linalg.slogdet(x)[0])
_linalg("logabsdet", lambda x: np.linalg.slogdet(x)[1])
_linalg("cholesky", np.linalg.cholesky, np.linalg.cholesky)
_linalg("is_indefinite", is_indefinite)
_linalg("eigvalsh", np.linalg.eigvalsh, np.linalg.eigvalsh)
_linalg("eigenvectors", lambda x: np.linalg.eigh(x)[1])
_linalg("qr_q", lambda x: np.linalg.qr(x)[0])
_linalg("qr_r", lambda x: np.linalg.qr(x)[1])
_linalg("svdvals", lambda x: np.linalg.svd(x, full_matrices=False)[1])
_linalg("svd_u", lambda x: np.linalg.svd(x, full_matrices=False)[0])
_linalg("svd_vt", lambda x: np.linalg.svd(x, full_matrices=False)[2])

# -- structure: linear in the first operand -------------------------------------


def _sum_to(x, *extents):
    """Undo broadcasting: sum `x` down to an array of these extents.

    The axes that broadcasting added or stretched from 1 are summed; without
    extents the result is a scalar.
    """
    x = np.asarray(x)
    x = x.sum(axis=tuple(range(x.ndim - len(extents))))
    stretched = tuple(i for i, n in enumerate(extents) if n == 1 and x.shape[i] != 1)
    x = x.sum(axis=stretched, keepdims=True)
    if x.shape != tuple(extents):
        raise ValueError(f"cannot sum shape {x.shape} down to {tuple(extents)}")
    return x.copy() if extents else x[()]


_define("transpose", "structural", lambda x, *, perm: np.transpose(x, perm).copy())
_define("reshape", "structural", lambda x, *extents: np.reshape(x, extents).copy())
_define("view", "structural", lambda x, *extents, any_layout=False: np.reshape(x, extents))      # of the same memory: only `lower.ravel` writes it
_define("expand_dims", "structural", lambda x, *, axis: np.expand_dims(x, axis).copy())
_define("squeeze", "structural", lambda x, *, axis: np.squeeze(x, axis).copy()[()])
_define("broadcast_to", "structural", lambda x, *extents: np.broadcast_to(x, extents).copy())
_define("sum_to", "structural", _sum_to)
_define("concatenate", "structural", lambda *xs, axis: np.concatenate(xs, axis=axis))
_define("cumsum", "structural", lambda x, *, axis: np.cumsum(x, axis=axis))
_define("take", "structural", lambda x, index, *, axis: np.take(x, index, axis=axis))
_define("tape_grow", "structural", lambda tape, needed: np.concatenate(
    [tape, np.zeros((max(tape.shape[0], needed),) + tape.shape[1:], tape.dtype)])
    if needed > tape.shape[0] else tape)

# -- creation: operands are extents ----------------------------------------------

_define("zeros", "creation", lambda *extents, dtype: np.zeros(extents, dtype))
_define("empty", "creation", lambda *extents, dtype: np.zeros(extents, dtype))
_define("unset", "creation", lambda *, dtype, ndim: np.zeros((0,) * ndim, dtype))        # what nobody reads
_define("full", "creation", lambda value, *extents, dtype: np.full(extents, value, dtype))
_define("eye", "creation", lambda n, m, *, dtype: np.eye(n, m, dtype=dtype))
_define("arange", "creation", lambda start, stop, step, *, dtype: np.arange(
    start, stop, step, dtype))
_define("array", "creation", lambda *values, dtype, shape: np.array(
    values, dtype).reshape(shape))



def _seed(*extents, dtype):
    raise RuntimeError("a seed has a value only after `vectorize`")


# The identity seed of a variable with these extents: one direction for each of
# its elements.  `vectorize` gives it the direction axis, or never builds it.
_define("seed", "creation", _seed)

# -- extents ------------------------------------------------------------------------

_define("size", "extent", lambda x, *, axis: x.shape[axis])
# The number of iterations of range(start, stop, step).
_define("trips", "extent", lambda start, stop, step: len(range(start, stop, step)))
# Where checkpoints are taken within a memory budget.
_define("segment_length", "extent", segment_length)
_define("segment_within", "extent", segment_within)
_define("next_checkpoint", "extent", next_checkpoint)


# -- types ----------------------------------------------------------------------------

_WEAK = {"bool": True, "int64": 1, "float64": 1.0, "complex128": 1.0 + 0j}


def _dummy(type_: Type):
    if isinstance(type_, Array):
        return np.ones((1,) * type_.ndim, type_.dtype)
    return _WEAK[type_.dtype] if type_.weak else np.dtype(type_.dtype).type(1)


def type_of_value(value) -> Type:
    """Return the type of a NumPy value or a Python number."""
    if isinstance(value, np.ndarray):
        if value.ndim:
            return Array(value.dtype.name, value.ndim)
        return Scalar(value.dtype.name)
    if isinstance(value, np.generic):
        return Scalar(value.dtype.name)
    kind = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}
    return Scalar(kind[type(value)], weak=True)


@functools.cache
def infer(op: str, operands: tuple[Type, ...], static: tuple[tuple[str, object], ...] = ()) -> Type:
    """Return the type of ``op(*operands, **static)``.

    The operation itself runs on arrays of extent 1.  Raises whatever NumPy
    raises where the operands do not fit (`ValueError`, `TypeError`).
    """
    static_ = dict(static)
    if op == "seed":
        return Array(static_["dtype"], len(operands)) if operands else Scalar(static_["dtype"])
    if op == "array":                   # its shape is static, its dummies must fill it
        return Array(static_["dtype"], len(static_["shape"]))
    dummies = [_dummy(type_) for type_ in operands]
    if op == "take":                    # 1 is no position on an axis of extent 1
        dummies[1] = dummies[1] * 0
    if op == "segment_length":          # it fails where the memory is too small
        dummies[3] = 1000
    with np.errstate(all="ignore"):
        value = (PRIMITIVES[op].like or PRIMITIVES[op].evaluate)(*dummies, **static_)
    return type_of_value(value)


def unify(a: Type, b: Type) -> Type | None:
    """Return the type of a variable that holds `a` on one path and `b` on another.

    Scalars unify to their promotion, which is weak only where both are; arrays
    must agree in rank.  None where no one type holds both.
    """
    if a == b:
        return a
    if a.ndim != b.ndim:
        return None
    if isinstance(a, Array):
        return Array(np.promote_types(a.dtype, b.dtype).name, a.ndim)
    return infer("where", (Scalar("bool", weak=True), a, b))
