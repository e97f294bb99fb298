"""Differentials of the elementwise operations: one line each, read as  d(ans) = ... .

Kinks and edges of domains, one policy for all modes and orders
----------------------------------------------------------------
* `absolute` at 0 has slope 0 (the sign of 0); `hypot` at (0, 0) and lengths of 0 too.
* `maximum`, `minimum`, `fmax`, `fmin` at a tie give half to each operand.
* `sign`, `floor`, `ceil`, `rint`, `trunc`, `floor_divide`, comparisons have derivative 0, also at their
  jumps; `remainder` and `fmod` have the slope of the piece that the value belongs to.
* Where a function is finite and its slope is not (`sqrt`, `cbrt` and powers between 0 and 1 at 0; `arcsin`,
  `arccos` and `arccosh` at the ends) the slope is infinite, and a zero differential gives zero.  Nowhere else
  is a product with zero special: outside a domain the derivative is nan, like the value.
* `power`: the slope of x**n for constant n is n x**(n-1) for every x, and 0 for n = 0.  The slope in the
  exponent is 0 where the base is 0, nan for a negative base, and not computed unless the exponent is active.
* `where` hands a differential to the branch taken and zero to the other, whatever values stand in it.
"""

from __future__ import annotations

import numpy as np
import scipy.special as sp

from srcdiff.rules.rule import Zero
from srcdiff.rules.table import above, choice, differential, pos, quotient, real, row, unit, zero
from srcdiff.syntax import Const

# primitive                 operands, ...       d(ans) =                                     sampled on
differential("negative",    lambda x, dx, ans:  -dx,                                         on=(real,))
differential("absolute",    lambda x, dx, ans:  np.sign(x) * dx,                             on=(real,))
differential("exp",         lambda x, dx, ans:  ans * dx,                                    on=(real,))
differential("exp2",        lambda x, dx, ans:  np.log(2.0) * ans * dx,                      on=(real,))
differential("expm1",       lambda x, dx, ans:  np.exp(x) * dx,                              on=(real,))
differential("log",         lambda x, dx, ans:  dx / x,                                      on=(pos,))
differential("log2",        lambda x, dx, ans:  dx / (np.log(2.0) * x),                      on=(pos,))
differential("log10",       lambda x, dx, ans:  dx / (np.log(10.0) * x),                     on=(pos,))
differential("log1p",       lambda x, dx, ans:  dx / (1 + x),                                on=(pos,))
differential("sqrt",        lambda x, dx, ans:  quotient(dx, 2 * ans),                       on=(pos,))
differential("root_of_squares", lambda x, dx, ans: np.where(ans == 0, 0.0, 0.5 / ans) * dx, on=(pos,))
differential("cbrt",        lambda x, dx, ans:  quotient(dx, 3 * (ans * ans)),               on=(pos,))
differential("square",      lambda x, dx, ans:  2 * x * dx,                                  on=(real,))
differential("reciprocal",  lambda x, dx, ans:  -(ans * ans) * dx,                           on=(pos,))
differential("sin",         lambda x, dx, ans:  np.cos(x) * dx,                              on=(real,))
differential("cos",         lambda x, dx, ans:  -np.sin(x) * dx,                             on=(real,))
differential("tan",         lambda x, dx, ans:  (1 + ans * ans) * dx,                        on=(unit,))
differential("arcsin",      lambda x, dx, ans:  quotient(dx, np.sqrt((1 - x) * (1 + x))),    on=(unit,))
differential("arccos",      lambda x, dx, ans:  -quotient(dx, np.sqrt((1 - x) * (1 + x))),   on=(unit,))
differential("arctan",      lambda x, dx, ans:  dx / (1 + x * x),                            on=(real,))
differential("sinh",        lambda x, dx, ans:  np.cosh(x) * dx,                             on=(real,))
differential("cosh",        lambda x, dx, ans:  np.sinh(x) * dx,                             on=(real,))
differential("tanh",        lambda x, dx, ans:  (1 - ans * ans) * dx,                        on=(real,))
differential("arcsinh",     lambda x, dx, ans:  dx / np.sqrt(1 + x * x),                     on=(real,))
differential("arccosh",     lambda x, dx, ans:  quotient(dx, np.sqrt((x - 1) * (x + 1))),    on=(above,))
differential("arctanh",     lambda x, dx, ans:  dx / ((1 - x) * (1 + x)),                    on=(unit,))
differential("radians",     lambda x, dx, ans:  np.pi / 180.0 * dx,                          on=(real,))
differential("degrees",     lambda x, dx, ans:  180.0 / np.pi * dx,                          on=(real,))
differential("erf",         lambda x, dx, ans:  2 / np.sqrt(np.pi) * np.exp(-(x * x)) * dx,  on=(real,))
differential("erfc",        lambda x, dx, ans:  -2 / np.sqrt(np.pi) * np.exp(-(x * x)) * dx, on=(real,))
differential("gamma",       lambda x, dx, ans:  ans * sp.digamma(x) * dx,                    on=(pos,))
differential("lgamma",      lambda x, dx, ans:  sp.digamma(x) * dx,                          on=(pos,))
differential("digamma",     lambda x, dx, ans:  sp.polygamma(1, x) * dx,                     on=(pos,))
differential("positive",    lambda x, dx, ans:  dx,                                          on=(real,))
differential("copy",        lambda x, dx, ans, *, move=False:  dx,                           on=(real,))
# every differential is converted to the type of its answer
differential("cast",        lambda x, dx, ans, *, dtype:  dx,                                on=(real,))
differential("weaken",      lambda x, dx, ans:  dx,                                          on=(real,))

# two operands                                       d(ans) =
differential("add",         lambda x, y, dx, dy, ans:  dx + dy,                              on=(real, real))
differential("subtract",    lambda x, y, dx, dy, ans:  dx - dy,                              on=(real, real))
differential("multiply",    lambda x, y, dx, dy, ans:  y * dx + x * dy,                      on=(real, real))
differential("divide",      lambda x, y, dx, dy, ans:  (dx - ans * dy) / y,                  on=(real, pos))
differential("remainder",   lambda x, y, dx, dy, ans:  dx - np.floor_divide(x, y) * dy,      on=(real, pos))
differential("fmod",        lambda x, y, dx, dy, ans:  dx - np.rint((x - ans) / y) * dy,     on=(real, pos))
differential("arctan2",     lambda y, x, dy, dx, ans:  (x * dy - y * dx) / (x * x + y * y),  on=(real, pos))
differential("hypot",       lambda x, y, dx, dy, ans:
             quotient(x, ans) * dx + quotient(y, ans) * dy,                                  on=(real, pos))
differential("copysign",    lambda x, y, dx, dy, ans:  np.copysign(1.0, y) * np.sign(x) * dx,
             on=(real, pos))
differential("logaddexp",   lambda x, y, dx, dy, ans:
             np.exp(x - ans) * dx + np.exp(y - ans) * dy,                                    on=(real, real))
differential("polygamma",   lambda n, x, dn, dx, ans:  sp.polygamma(n + 1, x) * dx,          on=(None, pos))
differential("quotient",    lambda x, y, dx, dy, ans:  quotient(dx - ans * dy, y),           on=(real, pos))

# ties: half to each
differential("maximum",     lambda x, y, dx, dy, ans:
             np.where(x > y, dx, np.where(x < y, dy, 0.5 * (dx + dy))),                      on=(real, real))
differential("minimum",     lambda x, y, dx, dy, ans:
             np.where(x < y, dx, np.where(x > y, dy, 0.5 * (dx + dy))),                      on=(real, real))
# ... and a nan leaves everything to the other
differential("fmax",        lambda x, y, dx, dy, ans:
             np.where((x > y) | (y != y), dx, np.where((x < y) | (x != x), dy, 0.5 * (dx + dy))),
             on=(real, real))
differential("fmin",        lambda x, y, dx, dy, ans:
             np.where((x < y) | (y != y), dx, np.where((x > y) | (x != x), dy, 0.5 * (dx + dy))),
             on=(real, real))

differential("where",       lambda c, x, y, dc, dx, dy, ans:  np.where(c, dx, dy), on=(None, real, real))

# powers: by the exponent, where it is a constant
_POWER = row(lambda x, y, dx, dy, ans:
             y * x ** np.where(y == 0, 0, y - 1) * dx + ans * np.log(np.where(x == 0, 1, x)) * dy)
_ROOT = row(lambda x, y, dx, dy, ans:
            y * quotient(dx, x ** (1 - y)))
# What the function has computed gives the slope without another power.  Where the exponent is negative, value
# and slope are infinite, zero and nan at the same places, and the second derivative has no cancellation.
_INVERSE = row(lambda x, y, dx, dy, ans:
               y * (ans / x) * dx)


def _power(stmt):
    exponent = stmt.args[1]
    if not isinstance(exponent, Const):
        return _POWER
    if exponent.value == 0:
        return Zero()
    if isinstance(exponent.value, float) and exponent.value < 0:
        return _INVERSE
    return _ROOT if not isinstance(exponent.value, complex) and 0 < exponent.value < 1 else _POWER


choice("power", _power, on=(pos, real))

# jumps and everything that is not a real number
zero("sign", "floor", "ceil", "trunc", "rint", "floor_divide", "stop_gradient")
zero("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "isnan", "isinf", "isfinite")
zero("logical_not", "logical_and", "logical_or", "logical_xor")
zero("invert", "bitwise_and", "bitwise_or", "bitwise_xor")
