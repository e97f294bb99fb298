"""Translation of Python functions: the program must compute what the function computes."""

import collections
import copy
import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest

import srcdiff as sd
from srcdiff.errors import UnsupportedError
from srcdiff.notation import show
from srcdiff.syntax import Static
from tests.translating import agree, assert_refused, cases, flat, name_of, refusals, translated, value_of

CASES, case = cases()
REFUSED, refused = refusals()
X = np.array([0.5, -1.25, 2.0, 3.5])
Y = np.array([1.5, 0.25, -2.0, 1.0])
A = np.arange(12.0).reshape(3, 4) / 7 - 0.5
B = np.arange(16.0).reshape(4, 4) % 5 + 0.5
I = np.array([2, 0, 2, 1])      # noqa: E741
F32 = np.array([0.5, 1.5, 2.5], dtype=np.float32)


# -- scalars -------------------------------------------------------------------------

@case((1.5, 2), (-0.5, 3))
def operators(x, n):
    y = x + n - 2 * x / 3
    z = y ** 2 // 0.5 + y % 0.75 + -x
    return y, z, x ** n, n // 2, n % 2, +x, n / 4, 2 ** -1


@case((1.5, 2.5), (-1.0, 3.0), (2.5, 2.5))
def comparisons(x, y):
    a = x < y <= 3
    b = x == y or x > 2 and not y > 2
    c = x != y
    return a, b, c, (x > 0) + (y > 0), 1 if a else 0


@case((3.0,), (-3.0,), (0.0,))
def short_circuit(x):
    if x != 0 and 1 / x > 0.1:
        return 1 / x
    return x or 7.0


@case((0.3,), (1.7,))
def math_functions(x):
    return (math.sin(x) + math.cos(x) * math.exp(-x), math.sqrt(x), math.log(x + 1), math.atan2(x, 2),
            math.log(x, 3), math.pow(x, 2), math.hypot(x, 1), math.floor(x), math.ceil(x), math.pi * x,
            math.fabs(-x), math.copysign(x, -1), math.fmod(x, 0.7), math.erf(x), math.isnan(x),
            math.degrees(x), math.tau)


@case((0.3,), (1.7,))
def builtins_of_numbers(x):
    q, r = divmod(x, 0.4)
    return (abs(-x), min(x, 1.0), max(x, 1.0, -x), round(x), int(x * 3), float(2), bool(x > 1), pow(x, 3),
            q, r, sum([x, 2 * x, 1.0]), max([x, 0.5]), min((x, x * x)), round(x, 1))


@case((2.0,), (-2.0,))
def branches(x):
    if x > 1:
        y = x * x
    elif x > -1:
        y = x
    else:
        y = 0
        z = 3.0
        y = y + z
    return y


@case((2.0, 1), (-2.0, 0))
def early_returns(x, n):
    if n == 0:
        return x
    for i in range(5):
        x = x * 1.5
        if x > 6:
            return x + i
    return -x


@case((5,), (0,), (1,))
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a, b


@case((2.0,), (10.0,))
def newton(a):
    x = a
    for k in range(50):
        dx = (x * x - a) / (2 * x)
        x -= dx
        if abs(dx) < 1e-12:
            break
    return x, k


@case((0.7, 0.3))
def kepler(m, e):
    big = m
    it = 0
    while True:
        d = (big - e * math.sin(big) - m) / (1 - e * math.cos(big))
        big = big - d
        it += 1
        if abs(d) < 1e-14 or it > 50:
            break
    return big


@case((3,), (0,))
def continues(n):
    s = 0.0
    for i in range(2 * n):
        if i % 2:
            continue
        s += i
    else:
        s += 100
    return s


@case((10.0,))
def while_else(x):
    n = 0
    while x > 1:
        x /= 2
        n += 1
    else:
        n += 10
    return n, x


@case((2.0,), (0.5,))
def conditional_expressions(x):
    y = math.log(x) if x > 1 else -1
    return y * (2 if y > 0 else x)


@case((1.0, True), (1.0, False))
def flags(x, up):
    return x + 1 if up else x - 1


@case((1.5,))
def swaps(x):
    a, b, c = x, 2 * x, 3 * x
    a, b = b, a
    b, c, a = a, b, c
    (d, e), f = (a, b), c
    g = h = a + 1
    h += 1
    return a, b, c, d, e, f, g, h


@case((1.5,))
def walrus(x):
    if (y := x * x) > 2:
        return y
    return y - x


# -- arrays -----------------------------------------------------------------------------

@case((X, Y))
def loop_dot(x, y):
    s = 0.0
    for i in range(len(x)):
        s += x[i] * y[i]
    return s


@case((X, Y))
def array_operators(x, y):
    return x + y, x - 2 * y, x * y / 3, -x, x ** 2, abs(y) ** 0.5, x < y, (x > 0) & (y > 0), x // 2, x % 2, x @ y


@case((X,))
def elementwise(x):
    return (np.exp(x), np.sin(x) * np.cos(x), np.sqrt(np.abs(x)), np.maximum(x, 0), np.where(x > 0, x, -x),
            np.clip(x, -1, 1), np.square(x), np.tanh(x), np.sign(x), np.arctan2(x, 2.0), np.hypot(x, x),
            np.log1p(np.exp(x)), np.power(np.abs(x), 1.5))


@case((A,))
def reductions(a):
    return (np.sum(a), a.sum(axis=0), a.sum(axis=-1, keepdims=True), np.mean(a), a.mean(axis=1), np.max(a),
            a.min(axis=0), np.prod(a), a.std(), a.var(axis=0, ddof=1), np.any(a > 0), (a > 0).all(),
            np.argmax(a, axis=1), np.argmin(a), np.cumsum(a, axis=0), np.average(a), a.sum(axis=(0, 1)))


@case((A, B, X))
def products(a, b, x):
    return (a @ b, np.dot(a, x), a @ x, np.dot(x, x), np.outer(x, x), np.inner(x, x), np.vdot(x, x),
            a.dot(b), np.linalg.norm(x), np.linalg.norm(a), np.linalg.norm(a, axis=1), np.trace(b),
            np.diag(x), np.diag(b), np.cross(x[:3], x[1:]), np.cross(a[:, :3], a[:, 1:]), x.dot(x),
            np.linalg.norm(x, 1), np.linalg.norm(x, np.inf))


@case((A,))
def shapes(a):
    n, m = a.shape
    return (a.T, a.reshape(4, 3), a.ravel(), a.flatten(), a.reshape(-1), np.transpose(a), a[None, :, :],
            a[:, np.newaxis], a.reshape((2, -1)), n * m, a.size, a.ndim, len(a), np.expand_dims(a, 1),
            np.atleast_2d(a[0]), a.swapaxes(0, 1), a.copy(), np.shape(a))


@case((A, X))
def creation(a, x):
    return (np.zeros(3), np.ones((2, len(x))), np.zeros_like(a), np.ones_like(x), np.full(3, 2.5),
            np.full((2, 2), x[0]), np.empty_like(x) * 0, np.eye(3), np.identity(2), np.arange(4),
            np.arange(1.0, 3.0, 0.5), np.linspace(0, 1, 5), np.array([1.0, x[0], 3]),
            np.array([[x[0], 1], [2, x[1]]]), np.array([x, 2 * x]), np.zeros(a.shape), np.zeros((2, 2), dtype=int),
            np.array(x), np.asarray([1, 2, 3]), np.array((1.5, 2)), np.zeros(3, np.float32), np.full_like(x, 7))


@case((X, Y))
def joining(x, y):
    return (np.concatenate([x, y]), np.concatenate((x, y[:2])), np.stack([x, y]), np.stack((x, y), axis=1),
            np.hstack([x, y]), np.vstack([x, y]), np.append(x, 1.0), np.column_stack((x, y)), np.diff(x),
            np.hstack((x, 1.0)), np.flip(x))


@case((X,))
def element_reads(x):
    return x[0], x[-1], x[1] * x[-2], x[len(x) - 1], x[int(x[2])]


@case((A,))
def slices(a):
    return (a[0], a[:, 1], a[-1, 1:], a[::2, ::-1], a[1:, :-1], a[..., 0], a[0][1], a[1:][0], a[1:, 1:][1, 2],
            a.T[1], a.T[1:, 0], a[::-1][0], a[:, ::2][1], a[0:2, 1:3], a[1:3][:, 1], a[-2:][0])


@case((X, I))
def fancy_reads(x, idx):
    m = x > 0
    return x[idx], x[m], x[[0, 2]], x[idx[1:]] * 2, x[~m], x[np.array([1, 1])], x[idx % 2 == 0]


@case((X,))
def stores(x):
    y = np.zeros(len(x))
    y[0] = x[1]
    y[-1] = 2
    y[1:3] = x[:2] * 3
    y[1] += x[3]
    y[2] *= 2
    y[1:] -= 1
    y[::2] /= 2
    return y


@case((A,))
def stores_2d(a):
    b = np.empty((4, 3))
    for i in range(3):
        for j in range(4):
            b[j, i] = a[i, j] ** 2
    b[1] = 7
    b[:, 2] += a[:, 0].sum()
    b[2, :] = a[:, 1]
    b[0][1] = 5.0
    b.T[0, 3] = 9.0
    return b


@case((X, I))
def fancy_stores(x, idx):
    y = x.copy()
    y[idx] += 1.0
    y[y > 2] = 0.0
    y[[0, 1]] = x[[1, 0]]
    y[x < 0] *= 3
    return y


@case((X,))
def argument_written(x):
    x[1:] += x[:-1]
    x *= 2
    return x


@case((X, Y))
def in_place_without_result(x, y):
    for i in range(len(x)):
        y[i] = x[i] * y[i]


@case((X,))
def overlapping(x):
    y = x.copy()
    y[1:] = y[:-1] * 2
    y[:2] += y[:2][::-1]
    return y


@case((A,))
def views_written(a):
    b = a.copy()
    row = b[1]
    row[2] = 100.0
    row *= 2
    col = b[:, 0]
    col[1:] = 5
    t = b.T
    t[3] += 1
    part = b[1:, 1:]
    part[0, 0] = -1
    r = b[::-1]
    r[0] = 3
    return b, row, col


@case((X,))
def aliases(x):
    y = x.copy()
    z = y
    z[0] = 10
    y[1] = 20
    y += 1
    return y, z


@case((X, 3))
def ping_pong(u, n):
    v = np.zeros_like(u)
    w = u.copy()
    for _ in range(n):
        for i in range(1, len(u) - 1):
            v[i] = w[i] + 0.1 * (w[i + 1] - 2 * w[i] + w[i - 1])
        w, v = v, w
    return w


@case((X, 3), (X, 0))
def array_carried(x, n):
    y = x
    for _ in range(n):
        k1 = -y
        k2 = -(y + 0.5 * k1)
        y = y + 0.1 * k2
    return y


@case((A,))
def iteration(a):
    s = 0.0
    for row in a:
        for v in row:
            s += v
    for i, row in enumerate(a):
        s += i * row[0]
    for u, v in zip(a[0], a[1]):
        s += u * v
    for v in reversed(a[0]):
        s = s / 2 + v
    for i in range(len(a) - 1, -1, -1):
        s += i * a[i, 0]
    for i in reversed(range(2, 7, 2)):
        s -= i
    return s


@case((X, 4))
def triangular(x, n):
    s = 0.0
    for i in range(n):
        for j in range(i):
            s += x[i] * x[j]
    return s


@case((3,), (0,))
def loop_variable_after(n):
    i = -1
    for i in range(n):
        pass
    return i


@case((X,))
def variable_of_loop_after(x):
    for i in range(3):
        last = x[i] * 2
    return last, i


@case((F32, 2.0))
def float32(x, c):
    s = x[0] * c
    y = x * 2.0 + np.sin(x)
    return y, x.sum(), s, math.sin(x[0]), x.mean(), float(x[1]), np.exp(c) * x, y * s, float(x[0]) * x


# -- tuples, lists, dicts ------------------------------------------------------------------

Point = collections.namedtuple("Point", "x y")


@case((Point(1.0, 2.0), (3.0, X)), )
def structures(p, q):
    a, (b, c) = p, q
    d = {"one": a.x * 2, "two": b}
    d["three"] = c.sum()
    e = [1.0, p.y]
    e[0] = e[1] + 1
    e.append(3.0)
    e += [4.0]
    f = (*e, b)
    return Point(d["one"], y=d["three"]), f, len(e), d, e, p._replace(x=b), f[1:3], (1, 2) + (b,), None, "text"


@case(({"k": 2.0, "v": X},))
def dict_argument(d):
    s = 0.0
    for key, value in d.items():
        if key == "k":
            s += value
    return s * d["v"], d.get("missing", 3.0), "k" in d


@case((X, 4))
def lists_of_numbers(x, n):
    c = [1.0, 2.0, 3.0, 4.0]
    s = 0.0
    for i in range(n):
        s += c[i] * x[i]
    for v in c:
        s += v
    d = [0.0] * 4
    for i in range(n):
        d[i] = c[i] * 2
    e = [0.0] * n
    for i in range(n):
        e[i] = d[i] + 1
    return s, np.array(d), np.array(e), d[0]


@case((X, 4))
def comprehensions(x, n):
    a = [v * 2 for v in (x[0], x[1])]
    b = np.array([x[i] ** 2 for i in range(len(x))])
    c = sum(x[i] for i in range(n))
    d = sum([k * 1.0 for k in range(3)])
    e = max(x[i] for i in range(n))
    f = [x[i] for i in range(2) if i > 0]
    g = sum(v for v in x if v > 0)
    return a[0], b, c, d, e, f[0], g, all(v < 10 for v in x), {k: k * x[0] for k in (1, 2)}


@case((3.0, "a"), (4.0, "b"))
def sets(x, kind):
    y = x if kind in {"a", "c"} else 2 * x
    for factor in {2.0, 3.0, 2}:         # noqa: B033  the repetition is the case
        y = y * factor
    return y, x in {y, 4.0}, sum({k % 2 for k in range(4)})


# -- calls ---------------------------------------------------------------------------------------

SCALE = 2.5
TABLE = [1.0, 0.5, 0.25]
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
ON = True


def helper(a, b=2.0, *, c=1.0):
    if a > 1:
        return a * b
    return a + c


def fill(out, value):
    out[0] = value
    out[1:] *= 2


def apply(g, *args, **keywords):
    return g(*args, **keywords)


@case((0.5, X), (1.5, X))
def helpers(a, x):
    y = x.copy()
    fill(y, a)
    fill(y[1:], 2 * a)
    parts = (a, 3.0)
    return (helper(a), helper(a, 3), helper(2 * a, b=a, c=4), helper(*parts), apply(helper, a, c=7.0), y,
            apply(lambda v: v * v + a, 2.0), functools.partial(helper, a)(5.0), apply(math.sin, a),
            apply(np.exp, x), list(map(helper, parts))[1])


@case((0.5, X))
def captured(a, x):
    s = SCALE * a
    for k in range(len(TABLE)):
        s = s * TABLE[k]
    if ON:
        s += 1
    return s * WEIGHTS + x, np.pi, math.inf


@case((2.0,))
def nested_functions(x):
    def inner(u):
        return u * x + offset
    offset = 3.0
    square = lambda v: v * v        # noqa: E731
    return inner(2.0) + square(x)


@case((2.0, "double"), (2.0, "half"), (2.0, None))
def dispatch(x, mode):
    if mode is None:
        return x
    if mode.lower() == "double":
        return 2 * x
    elif mode in ("half", "third"):
        return x / 2
    raise ValueError(f"unknown mode {mode!r}")


@case((2.0,), (X,))
def by_type(x):
    if isinstance(x, float):
        return x
    if np.ndim(x) == 1 and hasattr(x, "shape") and not isinstance(x, (list, tuple)):
        return x.sum()
    raise TypeError("neither")


@case((2.0, 1.0))
def raises_guarded(x, y):
    if x < 0:
        raise ValueError("x must not be negative")
    assert y > 0, "y"
    if y < 0:
        msg = "never"
        raise RuntimeError(msg)
    return x / y


@case((4.0,))
def inner_import(x):
    import math as m

    from numpy import sqrt
    return m.sqrt(x) + sqrt(x)


# -- aliases, views, loops, lists: what is easily got wrong ---------------------------

@case((X,True),)
def alias_branch_ok(x, flag):
    a = x.copy()
    b = x * 2
    if flag:
        a = b
    a = a + 1
    a[0] = 4
    return a


@case((X,),)
def reshape_fresh(x):
    z = np.arange(4.0).reshape(2, 2)
    z[0, 0] = x[0]
    return z


@case((X,-1.0),(X,1.0))
def g13(x, c):
    if c > 0:
        y = x[0]
    return y


@case((X,0),(X,2))
def g13loop(x, n):
    for i in range(n):
        z = x[i]
    return z


@case((X,),)
def view_stale(x):
    y = x.copy()
    v = y[1:3]
    y[1] = 100.0
    return v.sum(), v * 2


@case((X,),)
def view_rebound(x):
    y = x.copy()
    v = y[1:]
    y = y * 2
    y[1] = 7
    v[0] = 3
    return v, y


@case((X, 3),)
def view_in_loop_carried(x, n):
    y = x.copy()
    v = y[:2]
    for i in range(n):
        y = y + 1.0
        v[0] += 1.0
    return v, y


@case((X, 3),)
def param_swap(u, n):
    v = u.copy()
    for i in range(n):
        v[0] = u[0] + 1
        u, v = v, u
    return u, v


@case((A,),)
def rows_list(a):
    rows = [a[0], a[1]]
    s = 0.0
    for r in rows:
        s += r.sum()
    return s


@case((X,),)
def listloop_static(x):
    out = []
    for i in range(3):
        out.append(x[i] * 2)
    return np.array(out)


@case((X,),)
def tryx(x):
    try:
        n = len(x)
    except TypeError:
        n = 1
    return n * x[0]


@case((X,),)
def errs(x):
    with np.errstate(all="ignore"):
        y = x / 2
    return y


class Model:
    k = 3.0
    def __init__(self):
        self.w = np.array([1.0, 2.0, 3.0, 4.0])
        self.name = "m"

    def predict(self, x):
        return self.k * (self.w @ x)

    def __call__(self, x):
        return self.predict(x) + 1


M = Model()


@case((X,),)
def usemodel(x):
    return M.predict(x) + M(x) * len(M.name)


case((X,),)(M.predict)


case((X,),)(functools.partial(lambda a, b: a * b, 2.0))


case((X,),)(np.exp)


case((1.0, 2.0),)(np.hypot)


@case((np.array([[2.0,1],[1,3]]), np.array([1.0,2])),)
def linalg(a, b):
    return np.linalg.solve(a, b), np.linalg.inv(a), np.linalg.det(a), np.linalg.cholesky(a), np.linalg.slogdet(a)[1], np.linalg.eigvalsh(a)


@case((X,),)
def dyn_tuple(x):
    c = (1.0, 2.0, 3.0)
    s = 0.0
    for i in range(3):
        s += c[i] * x[i]
    return s


@case((X,),)
def mixed_tuple(x):
    c = (x, 2.0, "a")
    s = 0.0
    for i in range(2):
        s = s + c[i] * 2
    return s


@case((1.5,),)
def bools(x):
    ok = True
    ok &= x > 0
    n = 0
    n += x > 1
    return ok, n, (x > 1) * 2.0, -(x > 1), not ok


@case((X, 2),)
def int_type_loop(x, n):
    s = 0
    for i in range(n):
        s = s + x[i]
    c = 0
    for i in range(n):
        c += 1
    return s, c


@case((X,),)
def uses_size_loop(x):
    n = x.size
    y = np.empty(n)
    y[0] = x[0]
    for i in range(1, n):
        y[i] = y[i-1] * 0.5 + x[i]
    return y[-1], y


@case((A,),)
def mat_inplace(a):
    L = a[:, :3] @ a[:, :3].T + 4 * np.eye(3)
    n = L.shape[0]
    for k in range(n):
        L[k, k] = math.sqrt(L[k, k])
        for i in range(k + 1, n):
            L[i, k] /= L[k, k]
        for j in range(k + 1, n):
            for i in range(j, n):
                L[i, j] -= L[i, k] * L[j, k]
    return np.tril(L)


@case((A,),)
def slices_dyn(a):
    s = 0.0
    for i in range(1, a.shape[0]):
        s += np.sum(a[i, :i] * a[i - 1, :i])
        s += a[i, i:].sum() + a[:i, 0].sum() + a[i-1:i+1, 1].mean()
    return s


@case((1.0, 2.0), )
def unpack_array(a, b):
    v = np.array([a, b, a * b])
    x, y, z = v
    v2 = v / np.linalg.norm(v)
    return x + y * z, v2


@case((0.3,),)
def rotation(t):
    c, s = np.cos(t), np.sin(t)
    R = np.array([[c, -s], [s, c]])
    return R @ np.array([1.0, 2.0]), R.T


@case((X,),)
def zipmix(x):
    s = 0.0
    for a, b in zip(x, [1.0, 2.0, 3.0, 4.0]):
        s += a * b
    for i, (a, b) in enumerate(zip(x, x[1:])):
        s += i * a * b
    return s


@case((X,),)
def lam_default(x):
    f = lambda v, p=2: v ** p       # noqa: E731
    return [f(v) for v in (x[0], x[1])], tuple(f(x[i], i) for i in range(3))


@case((5,),)
def while_static(n):
    k = 0
    while k < n:
        k += 2
        if k == 4:
            continue
    return k


@case((X,),)
def nd(x):
    s = 0.0
    for i, j in np.ndindex(2, 2):
        s += x[i] * x[j]
    return s


@case((X,),)
def npmisc(x):
    return np.sum(x > 0), np.count_nonzero(x > 0), np.abs(x).max(), np.minimum(x, 1.0).sum(), np.sum(np.array([x[0], 2.0])), np.nan_to_num(x), np.float64(3) * x, x.max(axis=0), np.ptp(x), np.dot(2.0, x)


@case((X,),)
def meshy(x):
    a, b = np.meshgrid(x, x)
    return a * b, np.einsum("i,i->", x, x), np.tile(x, 2), np.repeat(x, 2), np.roll(x, 1)


@case((X,),)
def triu(x):
    m = np.outer(x, x)
    return np.triu(m), np.tril(m, -1), np.kron(m, m), np.polyval(x, 2.0), np.trapezoid(x, dx=0.1), np.cumprod(x)


@case((1.5,), (X,))
def scalar_or_array(x):
    x = np.asarray(x)
    return np.where(x > 0, x, 0.0) * 2


@case((1.5, 1+2j),)
def cplx(x, z):
    return x * abs(z)


@case((X,),)
def glob(x):
    global TABLE
    return x * TABLE[0]


@case((X,),)
def delx(x):
    y = x * 2
    del x
    return y


@case((2.0,),)
def star_kwargs(x):
    def f(*a, **k):
        return sum(a) * k["m"]
    return f(x, 2.0, m=3.0) + f(*[x, x], **{"m": 2.0})


@case((2.0, 3),)
def array_state(x, n):
    state = np.array([x, 0.0])
    for k in range(n):
        state = np.array([state[0] - 0.1 * state[1], state[1] + 0.1 * state[0]])
    return state


@case((2.0, 3),)
def tuple_state(x, n):
    state = (x, 0.0)
    hist = np.zeros((n, 2))
    for k in range(n):
        state = (state[0] - 0.1 * state[1], state[1] + 0.1 * state[0])
        hist[k] = state
    return state, hist


@case((2.0, 3),)
def list_state(x, n):
    st = [x, 0.0]
    for k in range(n):
        st[0] = st[0] * 2
        st[1] += st[0]
    return st


@case((2.0, 3),)
def list_state2(x, n):
    st = [x, 0.0]
    for k in range(n):
        st = [st[0] * 2, st[1] + st[0]]
    return st


@case((X,),)
def nonecarry(x):
    best = None
    for i in range(4):
        if best is None or x[i] > best:
            best = x[i]
    return best


@case((2.0, 3),)
def list_last(x, n):
    for k in range(3):
        p = [x * k, x]
    return p[0] + p[1]


@case((2.0, 3),(2.0, 0))
def list_cond(x, n):
    p = [x, 1.0]
    for k in range(n):
        if x > k:
            p = [x * k, x]
        p[0] = p[0] + 1
    return p[0] + p[1]


@case((2.0, 3),)
def list_if(x, n):
    if n > 2:
        p = [x, 2.0]
    else:
        p = [1.0, x]
    p[0] += 1
    return p


@case((2.0, 3),)
def matrix_list(x, n):
    m = [[x, 1.0], [0.0, x]]
    v = [[0.0] * 2 for _ in range(2)]
    for i in range(2):
        for j in range(2):
            for k in range(2):
                v[i][j] += m[i][k] * m[k][j]
    return np.array(v)


@case((2.0,),)
def chained_sub(x):
    a = np.zeros((2, 2))
    a[0][1] = x
    a[1][0] += x
    return a


@case((X,),)
def method_alias(x):
    a = np.zeros(4)
    b = a.T
    c = a[:]
    d = np.asarray(a)
    b[0] = 1.0
    c[1] = 2.0
    d[2] = 3.0
    return a


@case((X,),)
def sliced_neg(x):
    n = len(x)
    y = np.zeros(n)
    k = n - 2
    v = y[k:]
    v[0] = 5.0
    w = y[-3:]
    w[0] = 7
    w[-1] = x[0]
    u = x[-3:-1]
    return y, u[0], u[1], len(u), u.shape[0]


@case((X, 1), (X, -1))
def dyn_neg(x, k):
    v = x[k:]
    y = np.zeros(4)
    w = y[k:]
    w[0] = 4.0
    return v[0], v[-1], w, y, len(v)


@case((A,),)
def two_views(a):
    b = a.copy()
    c = b[1:, ::2]
    d = c[:, 1]
    d[0] = 5
    c[1, 0] += 3
    e = c.T
    e[1] *= 2
    f = b[::-1, ::-1]
    f[0, 0] = 44
    return b, c, d, e


@case((X,),)
def inplace_ops(x):
    y = x.copy()
    y += x
    y -= x * 2
    y *= y
    y /= 3
    y **= 2
    z = y
    z += 1
    y[:] = y[::-1]
    y[...] = y + 1
    return y, z


@case((np.array([1, 2, 3]),))
def int_array(k):
    y = k.copy()
    y[0] = 2.7
    y[1] += 1
    y += 1
    return y, k / 2, k // 2, k ** 2, np.sum(k), np.mean(k), k * 1.5


@case((X,),)
def early_in_nested(x):
    for i in range(3):
        for j in range(3):
            if x[i] * x[j] > 3:
                return i * 10 + j
    return -1


@case((X,3),)
def carried_view(x, n):
    y = x.copy()
    v = y[:3]
    for i in range(n):
        v = v[::-1]
    return v


@case((X,3),)
def cond_store(x, n):
    y = np.zeros(n)
    for i in range(n):
        if x[i] > 0:
            y[i] = x[i]
        else:
            y[i] = -1
    return y


@case((X,))
def helper_returns_view(x):
    y = x.copy()
    def part(a, k):
        return a[k:]
    p = part(y, 2)
    p[:] = 0.0
    return y


@case((X,))
def aug_tuple(x):
    s, c = 0.0, 0
    for v in x:
        s, c = s + v, c + 1
    s /= c
    a = b = s
    a += 1
    return a, b


@case((X,))
def softmax(x):
    z = x - np.max(x)
    e = np.exp(z)
    return e / e.sum()


@case((X,))
def for_else(x):
    for i in range(4):
        if x[i] > 3:
            r = i
            break
    else:
        r = -1
    return r * x[0]


@case((A,))
def normalise(a):
    a = a - a.mean(axis=0)
    a /= a.std(axis=0)
    return a.T @ a / len(a)


@case((1.5,),(X,))
def try_len(x):
    try:
        n = len(x)
    except TypeError:
        n = 0
    try:
        import nonexistent_module as q
    except ImportError:
        q = None
    return n if q is None else -1


@case((1.5,),(X,))
def try_attr(x):
    try:
        return x.sum()
    except AttributeError:
        return x


@case((A,))
def index_grids(a):
    s = 0.0
    b = np.zeros_like(a)
    for i, j in np.ndindex(a.shape):
        b[i, j] = a[i, j] * i + j
        s += a[i, j]
    for i, v in itertools.product(range(len(a)), (1.0, 2.0)):
        s += v * a[i, 0]
    for idx in np.ndindex(*a.shape):
        b[idx] += 1
    return s, b


class Oscillator:
    damping = 0.1

    def __init__(self, x, v, k=1.0):
        self.x, self.v = x, v
        self.k = k
        self.steps = 0

    def step(self, h):
        self.v -= h * (self.k * self.x + self.damping * self.v)
        self.x += h * self.v
        self.steps += 1
        return self

    @property
    def energy(self):
        return 0.5 * (self.v ** 2 + self.k * self.x ** 2)


@dataclasses.dataclass
class Line:
    slope: float
    offset: float = 1.0

    def __call__(self, x):
        return self.slope * x + self.offset


@case((1.5, 0.5, 3), (1.5, 0.5, 0))
def objects(x, v, n):
    state = Oscillator(x, v, k=2.0)
    for _ in range(n):
        state.step(0.1)
    line = Line(state.energy)
    return state.x, line(v), state.steps, isinstance(state, Oscillator)


@pytest.mark.parametrize("function, args", CASES, ids=name_of)
def test_program_computes_what_the_function_does(function, args):
    made = translated(function, *args)
    mine, theirs = copy.deepcopy(args), copy.deepcopy(args)
    try:
        want = function(*theirs)
    except UnboundLocalError:
        with pytest.raises(UnboundLocalError):
            value_of(made, *mine)
        return
    got = value_of(made, *mine)
    if want is None and made.program.tree != Static(None):
        changed = [b for a, b in zip(flat(args), flat(theirs), strict=True) if not np.array_equal(a, b)]
        want = changed[0] if len(changed) == 1 else tuple(changed)
    elif want is None:
        agree(theirs, args)             # nothing was to be written
    agree(got, want)
    agree(mine, args)                   # a program does not change the caller's arrays



# -- derivatives inside functions, constants, captured values ---------------------------------

def energy(x, k=2.0):
    return (x ** 2).sum() * k


ENERGY_GRADIENT = sd.grad(energy)


def uses_derivatives(x):
    value, slope = sd.value_and_grad(energy)(x)
    turned = sd.jvp(energy, (x,), (np.ones(4),))[1]
    return (ENERGY_GRADIENT(x) * x).sum() + sd.grad(energy)(x, 3.0)[0] + value * slope[1] + turned


def test_derivative_objects_are_spliced_in():
    got = value_of(translated(uses_derivatives, X), X)
    value, slope = 2 * (X ** 2).sum(), 4 * X
    want = slope @ X + 6 * X[0] + value * slope[1] + slope.sum()
    np.testing.assert_allclose(got, want, rtol=1e-13)


def cuts(x):
    with sd.no_grad():
        c = x ** 2
        c[0] = x[1]
    return x - c + sd.stop_gradient(x)


def test_no_grad_cuts_what_is_assigned_inside():
    made = translated(cuts, X)
    agree(value_of(made, X), cuts(X))
    ops = [stmt.op for stmt in made.program.body if hasattr(stmt, "op")]
    assert ops.count("stop_gradient") == 3


SETTINGS = {"gain": 2.0, "mode": "fast"}
STEPS = 3


def configured(x):
    s = 0.0
    for k in SETTINGS:
        if k == "gain":
            s += SETTINGS[k]
    if SETTINGS["mode"] == "fast":
        s = s * STEPS
    return s * x.sum(axis=STEPS - 3)


def test_captured_numbers_are_parameters_and_the_rest_is_assumed():
    made = translated(configured, X)
    agree(value_of(made, X), configured(X))
    assert [p.name for p in made.program.params if p.captured] == ["STEPS"]
    assert all(get() == value for get, value in made.assumed)
    try:
        SETTINGS["gain"] = 5.0
        assert not all(get() == value for get, value in made.assumed)
    finally:
        SETTINGS["gain"] = 2.0


def test_written_arguments_are_named():
    assert translated(in_place_without_result, X, Y).written == (1,)
    assert translated(loop_dot, X, Y).written == ()


def test_leaves_tell_where_each_argument_stands():
    made = translated(structures, Point(1.0, 2.0), (3.0, X))
    assert made.leaves == {"p": Point(0, 1), "q": (2, 3)}
    made = translated(dispatch, 2.0, mode="half")
    assert made.leaves == {"x": 0, "mode": Static("half")}


def test_result_reads_like_the_user_code():
    assert show(translated(loop_dot, X, Y).program) == """\
def loop_dot(x: "float64[:]", y: "float64[:]"):
    n_x = size(x, axis=0)
    s = 0.0
    for i in range(0, n_x, 1):
        t = x[i]
        t_2 = y[i]
        t_3 = multiply(t, t_2)
        s = add(s, t_3)
    return s
"""


def test_same_text_every_time():
    assert show(translated(ping_pong, X, 3).program) == show(translated(ping_pong, X, 3).program)


# -- refusals ------------------------------------------------------------------------------

@refused("SD0222", "z[0, 0] = 5.0", X)
def reshape_written(x):
    y = x.copy()
    z = y.reshape(2, 2)
    z[0, 0] = 5.0
    return y, z


@refused("SD0222", "y[0] = 1.0", X)
def reshape_base_written(x):
    y = x.copy()
    z = y.reshape(2, 2)
    y[0] = 1.0
    return z


@refused("SD0215", "out.insert(0, x[i] * 2)", X)
def listloop(x):
    out = []
    for i in range(len(x)):
        out.insert(0, x[i] * 2)
    return np.array(out)


@refused("SD0214", "return n * rec(n - 1)", 3)
def rec(n):
    if n < 1:
        return 1
    return n * rec(n - 1)


@refused("SD0221", "WEIGHTS[0] = x[0]", X)
def writes_a_global(x):
    WEIGHTS[0] = x[0]
    return x.sum()


@refused("SD0231", "np.fft.hfft(x)", X)
def unknown_function(x):
    return np.fft.hfft(x)


@refused("SD0234", "if x > 0:", X)
def truth_of_an_array(x):
    if x > 0:
        return 1.0
    return x.sum()


@refused("SD0210", "for i in range(n):", X, 3)
def rank_changes(x, n):
    s = 0.0
    for i in range(n):
        t = s
        s = x
    return t * s


@refused("SD0218", "sd.grad(lambda *u: (u[0] * x).sum())", X)
def derivative_of_a_closure_with_a_star(x):
    return sd.grad(lambda *u: (u[0] * x).sum())(x)


@refused("SD0236", "a, b = tuple(v)", X)
def unknown_length(x):
    v = x[x > 0]
    a, b = tuple(v)
    return a + b


@refused("SD0210", "len({x, y})", 1.0, 2.0)
def set_whose_size_only_run_time_knows(x, y):
    return x * len({x, y})


@refused("SD0210", "sum({v * v for v in (x, -x)})", 1.0)
def set_comprehension_of_values(x):
    return sum({v * v for v in (x, -x)})


@pytest.mark.parametrize("function, args, code, line", REFUSED, ids=name_of)
def test_refused_with_the_line(function, args, code, line):
    assert_refused(function, args, code, line)


def several_problems(x):
    y = np.fft.hfft(x)
    z = y * 2                   # no problem of its own
    w = np.roots(x)
    return z + w


def test_all_problems_are_reported_at_once():
    with pytest.raises(UnsupportedError) as caught:
        translated(several_problems, X)
    assert [p.where.text.strip() for p in caught.value.problems] == ["y = np.fft.hfft(x)", "w = np.roots(x)"]
