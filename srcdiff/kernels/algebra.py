"""Linear algebra of small matrices in a thread: the functions below, in place of LAPACK.

An operation such as ``x = solve(a, b)`` is replaced by the statements of a
Python function of this module, translated for the types of its operands.  Where
LAPACK would refuse a matrix (singular, not positive definite) the results are
infinite or nan.

>>> from srcdiff.notation import read, run
>>> import numpy as np
>>> program = read('''
... def f(a: "float64[:,:]", b: "float64[:]"):
...     x = solve(a, b)
...     return x
... ''')
>>> a, b = np.array([[0.0, 2.0], [4.0, 1.0]]), np.array([2.0, 5.0])
>>> run(with_algebra(program), a, b)
array([1., 1.])
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from srcdiff.builder import Builder
from srcdiff.frontend import specialise
from srcdiff.syntax import Assign, Const, Program, Stmt, Type, Var, blocks_of, rename, with_blocks

__all__ = ["ALGEBRA", "with_algebra"]


# -- in Python: Gauss --------------------------------------------------------------------

def pivot_row(u, k):
    """Return the row, from k on, with the largest element of column k."""
    best = k
    for i in range(k + 1, u.shape[0]):
        if abs(u[i, k]) > abs(u[best, k]):
            best = i
    return best


def exchange(u, k, other):
    """Exchange two rows."""
    for j in range(u.shape[1]):
        held = u[k, j]
        u[k, j] = u[other, j]
        u[other, j] = held


def solve_vector(a, b):
    """Solve a x = b by elimination with the largest pivot of each column."""
    n = a.shape[0]
    u, x = a * 1.0, b * 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            exchange(u, k, best)
            held = x[k]
            x[k] = x[best]
            x[best] = held
        for i in range(k + 1, n):
            factor = u[i, k] / u[k, k]
            for j in range(k + 1, n):
                u[i, j] = u[i, j] - factor * u[k, j]
            x[i] = x[i] - factor * x[k]
    for back in range(n):
        k = n - 1 - back
        for j in range(k + 1, n):
            x[k] = x[k] - u[k, j] * x[j]
        x[k] = x[k] / u[k, k]
    return x


def solve_matrix(a, b):
    """Solve a x = b for several right-hand sides, the columns of b."""
    n, m = a.shape[0], b.shape[1]
    u, x = a * 1.0, b * 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            exchange(u, k, best)
            exchange(x, k, best)
        for i in range(k + 1, n):
            factor = u[i, k] / u[k, k]
            for j in range(k + 1, n):
                u[i, j] = u[i, j] - factor * u[k, j]
            for j in range(m):
                x[i, j] = x[i, j] - factor * x[k, j]
    for back in range(n):
        k = n - 1 - back
        for c in range(m):
            for j in range(k + 1, n):
                x[k, c] = x[k, c] - u[k, j] * x[j, c]
            x[k, c] = x[k, c] / u[k, k]
    return x


def inv(a):
    """Return the inverse."""
    n = a.shape[0]
    one = a * 0.0
    for i in range(n):
        for j in range(n):
            one[i, j] = 1.0 if i == j else 0.0
    return solve_matrix(a, one)


def pivots(a):
    """Return the pivots of elimination; the first one carries the sign of the row exchanges."""
    n = a.shape[0]
    u = a * 1.0
    found = u[:, 0] * 0.0
    sign = 1.0
    for k in range(n):
        best = pivot_row(u, k)
        if best != k:
            sign = -sign
            exchange(u, k, best)
        found[k] = u[k, k]
        if u[k, k] != 0.0:
            for i in range(k + 1, n):
                factor = u[i, k] / u[k, k]
                for j in range(k + 1, n):
                    u[i, j] = u[i, j] - factor * u[k, j]
    found[0] = sign * found[0]
    return found


def det(a):
    """Return the determinant."""
    return np.prod(pivots(a))


def det_sign(a):
    """Return the sign of the determinant."""
    return np.prod(np.sign(pivots(a)))


def logabsdet(a):
    """Return the logarithm of the magnitude of the determinant."""
    return np.sum(np.log(np.abs(pivots(a))))


# -- in Python: orthogonal and triangular factors ------------------------------------------

def cholesky(a):
    """Return the lower triangular factor of a = l l^T; only the lower triangle of a is read."""
    n = a.shape[0]
    low = a * 0.0
    for j in range(n):
        pivot = a[j, j] * 1.0
        for k in range(j):
            pivot = pivot - low[j, k] * low[j, k]
        root = np.sqrt(pivot)
        low[j, j] = root
        for i in range(j + 1, n):
            total = a[i, j] * 1.0
            for k in range(j):
                total = total - low[i, k] * low[j, k]
            low[i, j] = total / root
    return low


def reflected(a):
    """Apply Householder's reflections I - 2 v v^T / |v|^2, with the signs that LAPACK gives.

    Returns r, with v below its diagonal; the first elements of each v, and its squared length (0: no reflection).
    """
    m, n = a.shape
    k = min(m, n)
    r = a * 1.0
    heads = np.zeros(k)
    lengths = np.zeros(k)
    for j in range(k):
        below = 0.0                     # summed alone: a difference of squares would lose small elements
        for i in range(j + 1, m):
            below = below + r[i, j] * r[i, j]
        if below > 0.0:
            norm = r[j, j] * r[j, j] + below
            alpha = -np.sqrt(norm) if r[j, j] >= 0.0 else np.sqrt(norm)
            head = r[j, j] - alpha
            heads[j] = head
            lengths[j] = head * head + below
            for c in range(j + 1, n):
                dot = head * r[j, c]
                for i in range(j + 1, m):
                    dot = dot + r[i, j] * r[i, c]
                scale = 2.0 * dot / lengths[j]
                r[j, c] = r[j, c] - scale * head
                for i in range(j + 1, m):
                    r[i, c] = r[i, c] - scale * r[i, j]
            r[j, j] = alpha
    return r, heads, lengths


def qr_r(a):
    """Return r of a = q r."""
    r, _, _ = reflected(a)
    for j in range(min(a.shape[0], a.shape[1])):
        for i in range(j + 1, a.shape[0]):
            r[i, j] = 0.0
    return r[:min(a.shape[0], a.shape[1]), :].copy()


def qr_q(a):
    """Return q of a = q r: the reflections, applied to the columns of the identity from the last to the first."""
    m, n = a.shape
    k = min(m, n)
    r, heads, lengths = reflected(a)
    q = a[:, :k] * 0.0
    for j in range(k):
        q[j, j] = 1.0
    for back in range(k):
        j = k - 1 - back
        if lengths[j] > 0.0:
            for c in range(k):
                dot = heads[j] * q[j, c]
                for i in range(j + 1, m):
                    dot = dot + r[i, j] * q[i, c]
                scale = 2.0 * dot / lengths[j]
                q[j, c] = q[j, c] - scale * heads[j]
                for i in range(j + 1, m):
                    q[i, c] = q[i, c] - scale * r[i, j]
    return q


# -- in Python: eigenvalues, by Jacobi's rotations -------------------------------------------

def eigensystem(a):
    """Return the eigenvalues, ascending, and the eigenvectors; only the lower triangle of a is read."""
    n = a.shape[0]
    s = a * 1.0
    v = a * 0.0
    for i in range(n):
        v[i, i] = 1.0
        for j in range(i):
            s[j, i] = s[i, j]
    for _sweep in range(30):            # converges quadratically after a few
        off = 0.0
        for i in range(n):
            for j in range(i):
                off = off + s[i, j] * s[i, j]
        if off > 0.0:
            for p in range(n):
                for q in range(p + 1, n):
                    if s[p, q] != 0.0:
                        theta = (s[q, q] - s[p, p]) / (2.0 * s[p, q])
                        t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                        t = -t if theta < 0.0 else t
                        c = 1.0 / np.sqrt(t * t + 1.0)
                        d = t * c
                        for k in range(n):
                            x, y = s[k, p], s[k, q]
                            s[k, p] = c * x - d * y
                            s[k, q] = d * x + c * y
                        for k in range(n):
                            x, y = s[p, k], s[q, k]
                            s[p, k] = c * x - d * y
                            s[q, k] = d * x + c * y
                            x, y = v[k, p], v[k, q]
                            v[k, p] = c * x - d * y
                            v[k, q] = d * x + c * y
    w = s[:, 0] * 0.0
    for i in range(n):
        w[i] = s[i, i]
    for i in range(n):
        least = i
        for j in range(i + 1, n):
            if w[j] < w[least]:
                least = j
        if least != i:
            held = w[i]
            w[i] = w[least]
            w[least] = held
            for k in range(n):
                held = v[k, i]
                v[k, i] = v[k, least]
                v[k, least] = held
    return w, v


def eigvalsh(a):
    """Return the eigenvalues of a symmetric matrix, ascending."""
    return eigensystem(a)[0]


def eigenvectors(a):
    """Return the eigenvectors of a symmetric matrix, of any sign."""
    return eigensystem(a)[1]


ALGEBRA = {function.__name__: function for function in (
    inv, det, det_sign, logabsdet, cholesky, qr_r, qr_q, eigvalsh, eigenvectors)}
for _function in (*ALGEBRA.values(), pivot_row, exchange, solve_vector, solve_matrix, pivots, reflected, eigensystem):
    _function.__srcdiff_translated__ = True


# -- in place of the operations ----------------------------------------------------------------

def with_algebra(program: Program) -> Program:
    """Return the program with functions of this module in place of operations on matrices."""
    builder = Builder(program.types)
    body = _block(builder, program.body)
    return replace(program, body=body, types=builder.types)


def _block(builder: Builder, body) -> tuple[Stmt, ...]:
    with builder.nested() as block:
        for stmt in body:
            if isinstance(stmt, Assign) and _is_here(builder, stmt):
                _expand(builder, stmt)
            else:
                builder.append(with_blocks(stmt, [_block(builder, inner) for inner in blocks_of(stmt)]))
    return tuple(block)


def _is_here(builder: Builder, stmt: Assign) -> bool:
    """Tell whether a function of this module does what a statement says; most are for real matrices."""
    if "complex" in builder.type_of(stmt.args[0]).dtype if stmt.args else False:
        return stmt.op in ("solve", "inv", "det")
    return stmt.op in ALGEBRA or stmt.op == "solve"


def _expand(builder: Builder, stmt: Assign) -> None:
    types = tuple(builder.type_of(a) for a in stmt.args)
    program = _translated(stmt.op, types)
    names = {p.name: a.name for p, a in zip(program.params, stmt.args, strict=True)}
    names |= {name: builder.fresh(name, type_) for name, type_ in program.types.items() if name not in names}
    for one in rename(program.body, names):
        builder.append(_at(one, stmt.where))
    (result,) = program.results
    atom = result if isinstance(result, Const) else Var(names[result.name])
    builder.append(replace(stmt, op="copy", args=(atom,), static=()))


def _at(stmt: Stmt, where) -> Stmt:
    return with_blocks(replace(stmt, where=where), [tuple(_at(s, where) for s in b) for b in blocks_of(stmt)])


@functools.cache
def _translated(op: str, types: tuple[Type, ...]) -> Program:
    if op == "solve":
        function = solve_vector if types[1].ndim == 1 else solve_matrix
    else:
        function = ALGEBRA[op]
    return specialise(function, types, {}).program
