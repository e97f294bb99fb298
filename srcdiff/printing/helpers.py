"""The functions that stand in a printed module when it needs them.

Each is complete Python text that CPython runs with NumPy alone, and that Numba
compiles where the operation can reach compiled code.
"""

from __future__ import annotations

import inspect

from srcdiff import primitives, schedule

__all__ = ["HELPERS", "helpers_for"]

TAPE_GROW = '''\
def tape_grow(tape, needed):
    """Return a tape of at least twice the length if `needed` exceeds its length."""
    length = tape.shape[0]
    if needed <= length:
        return tape
    longer = np.zeros((length + max(length, needed),) + tape.shape[1:], tape.dtype)
    for index, value in np.ndenumerate(tape):
        longer[index] = value
    return longer
'''

SUM_TO = '''\
def sum_to(x, shape):
    """Undo broadcasting: sum `x` down to `shape`."""
    x = np.sum(x, axis=tuple(range(np.ndim(x) - len(shape))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and x.shape[i] != 1)
    x = np.sum(x, axis=stretched, keepdims=True)
    if x.shape != shape:
        raise ValueError("cannot sum down to this shape")
    return x
'''

# Recurrence up to x >= 10, then the asymptotic series (Abramowitz & Stegun 6.3.18).
DIGAMMA = '''\
def digamma(x):
    """Return the logarithmic derivative of the gamma function."""
    if x <= 0.0:
        if x == 0.0:
            return -math.copysign(np.inf, x)
        if x == np.floor(x):
            return np.nan
        return digamma_positive(1.0 - x) - math.pi / math.tan(math.pi * (x - np.floor(x)))
    return digamma_positive(x)
'''
DIGAMMA_POSITIVE = '''\
def digamma_positive(x):
    """Return digamma for x > 0: recurrence, then the asymptotic series."""
    shift = 0.0
    while x < 10.0:
        shift += 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z * (
        1 / 132 - z * (691 / 32760 - z / 12))))))
    return math.log(x) - 0.5 / x - series - shift
'''
# (-1)^(n+1) n! zeta(n + 1, x), the Hurwitz zeta function by Euler and Maclaurin's formula.
POLYGAMMA = '''\
def polygamma(n, x):
    """Return the n-th derivative of digamma, n >= 1."""
    power, scale = n + 1.0, math.gamma(n + 1.0) * (1.0 if n % 2 else -1.0)
    if x <= 0.0 and x == np.floor(x):
        return scale * np.inf
    total, y = 0.0, x * 1.0
    while y < 10.0:
        total += y ** -power
        y += 1.0
    term = y ** -power
    total += term * (y / n + 0.5)
    term *= power / y
    for k, ratio in enumerate((1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160,
            -691 / 1307674368000, 1 / 74724249600, -3617 / 10670622842880000)):
        total += ratio * term
        term *= (power + 2 * k + 1) * (power + 2 * k + 2) / (y * y)
    return scale * total
'''


def _each(name, scalar, what):
    return f'''\
def {name}(x):
    """Return {what} of each element."""
    return np.array([{scalar}(t) for t in x.ravel()], x.dtype).reshape(x.shape)
'''


POLYGAMMA_EACH = '''\
def polygamma_(n, x):
    """Return the n-th derivative of digamma of each element, n >= 1."""
    return np.array([polygamma(n, t) for t in x.ravel()], x.dtype).reshape(x.shape)
'''


QUOTIENT = '''\
def quotient(a, b):
    """Return a / b, where 0 / 0 = 0 and zeros have no sign."""
    if b == 0:
        return a * b if a == 0 else a * np.inf
    return a / b
'''
QUOTIENT_EACH = '''\
def quotient_(a, b):
    """Return a / b of each element, where 0 / 0 = 0 and zeros have no sign."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b == 0, np.where(a == 0, a * b, a * np.inf), a / b)
'''


# Numba's own is wrong for negative divisors.
WHOLE_FMOD = '''\
def whole_fmod(a, b):
    """Return the remainder of integers that has the sign of `a`; 0 for b = 0."""
    if b == 0 or b == -1:
        return a * 0
    rest = a % b
    return rest - b if rest != 0 and (rest < 0) != (a < 0) else rest
'''


# name -> (text, names of the helpers it calls)
HELPERS = {
    "digamma_positive": (DIGAMMA_POSITIVE, ()),
    "digamma": (DIGAMMA, ("digamma_positive",)),
    "polygamma": (POLYGAMMA, ()),
    "digamma_": (_each("digamma_", "digamma", "digamma"), ("digamma",)),
    "polygamma_": (POLYGAMMA_EACH, ("polygamma",)),
    "erf_": (_each("erf_", "math.erf", "the error function"), ()),
    "erfc_": (_each("erfc_", "math.erfc", "the complementary error function"), ()),
    "gamma_": (_each("gamma_", "math.gamma", "the gamma function"), ()),
    "lgamma_": (_each("lgamma_", "math.lgamma", "the logarithm of the gamma function"), ()),
    "quotient": (QUOTIENT, ()), "whole_fmod": (WHOLE_FMOD, ()),
    "quotient_": (QUOTIENT_EACH, ()),
    "tape_grow": (TAPE_GROW, ()),
    "sum_to": (SUM_TO, ()),
    "is_indefinite": (inspect.getsource(primitives.is_indefinite), ()),
    **{name: (inspect.getsource(getattr(schedule, name)), ()) for name in schedule.__all__},
}


def helpers_for(names, table=HELPERS) -> str:
    """Return the text of the named helpers of a table and of those they call, in the order of the table."""
    wanted, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in table and name not in wanted:
            wanted.add(name)
            queue.extend(table[name][1])
    return "\n\n".join(text for name, (text, _) in table.items() if name in wanted)
