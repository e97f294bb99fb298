"""The functions that stand in a printed module when it needs them.

Each is complete Python text that CPython runs with NumPy alone, and that Numba
compiles where the operation can reach compiled code.
"""

from __future__ import annotations

__all__ = ["HELPERS", "helpers_for"]

TAPE_GROW = '''\
def tape_grow(tape, needed):
    """Return a tape of at least twice the length if `needed` exceeds its length."""
    length = tape.shape[0]
    if needed <= length:
        return tape
    longer = np.zeros((length + max(length, needed),) + tape.shape[1:], tape.dtype)
    source, target = tape.ravel(), longer.ravel()
    for i in range(source.size):
        target[i] = source[i]
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
TRIGAMMA = '''\
def trigamma(x):
    """Return the second derivative of the logarithm of the gamma function."""
    if x <= 0.0:
        if x == np.floor(x):
            return np.inf
        s = math.pi / math.sin(math.pi * (x - np.floor(x)))
        return s * s - trigamma_positive(1.0 - x)
    return trigamma_positive(x)
'''
TRIGAMMA_POSITIVE = '''\
def trigamma_positive(x):
    """Return trigamma for x > 0: recurrence, then the asymptotic series."""
    shift = 0.0
    while x < 12.0:
        shift += 1.0 / (x * x)
        x += 1.0
    z = 1.0 / (x * x)
    series = z * (1 / 6 - z * (1 / 30 - z * (1 / 42 - z * (1 / 30 - z * (5 / 66 - z * 691 / 2730)))))
    return 1.0 / x + 0.5 * z + series / x + shift
'''


def _each(name, scalar, what):
    return f'''\
def {name}(x):
    """Return {what} of each element."""
    return np.array([{scalar}(t) for t in x.ravel()], x.dtype).reshape(x.shape)
'''


# name -> (text, names of the helpers it calls)
HELPERS = {
    "digamma_positive": (DIGAMMA_POSITIVE, ()),
    "digamma": (DIGAMMA, ("digamma_positive",)),
    "trigamma_positive": (TRIGAMMA_POSITIVE, ()),
    "trigamma": (TRIGAMMA, ("trigamma_positive",)),
    "digamma_": (_each("digamma_", "digamma", "digamma"), ("digamma",)),
    "trigamma_": (_each("trigamma_", "trigamma", "trigamma"), ("trigamma",)),
    "erf_": (_each("erf_", "math.erf", "the error function"), ()),
    "erfc_": (_each("erfc_", "math.erfc", "the complementary error function"), ()),
    "gamma_": (_each("gamma_", "math.gamma", "the gamma function"), ()),
    "lgamma_": (_each("lgamma_", "math.lgamma", "the logarithm of the gamma function"), ()),
    "tape_grow": (TAPE_GROW, ()),
    "sum_to": (SUM_TO, ()),
}


def helpers_for(names) -> str:
    """Return the text of the named helpers and of those they call, in table order."""
    wanted, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name in HELPERS and name not in wanted:
            wanted.add(name)
            queue.extend(HELPERS[name][1])
    return "\n\n".join(text for name, (text, _) in HELPERS.items() if name in wanted)
