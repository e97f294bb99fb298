"""Linear algebra made of products, `solve`, QR and singular values.

Least squares and the pseudo-inverse are differentiable where the matrix has
full rank; elsewhere they raise.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS", "dot_of_arrays", "norm_of_order"]


# -- products ------------------------------------------------------------------------------

def as_matrix(x, first, last):
    """Return a matrix whose rows run over the axes `first`, its columns over `last`."""
    rows, columns = 1, 1
    for k in first:
        rows = rows * x.shape[k]
    for k in last:
        columns = columns * x.shape[k]
    return np.transpose(x, [*first, *last]).reshape(rows, columns)


def contracted(a, b, over_a, over_b):
    free_a = [k for k in range(a.ndim) if k not in over_a]
    free_b = [k for k in range(b.ndim) if k not in over_b]
    for i, j in zip(over_a, over_b):        # noqa: B905
        if a.shape[i] != b.shape[j]:
            raise ValueError("shape-mismatch for sum")
    left, right = as_matrix(a, free_a, over_a), as_matrix(b, over_b, free_b)
    if len(free_a) + len(free_b) == 0:
        return np.sum(left.ravel() * right.ravel())
    return (left @ right).reshape([a.shape[k] for k in free_a] + [b.shape[k] for k in free_b])


def tensordot(a, b, axes=2):
    a, b = np.asarray(a), np.asarray(b)
    if isinstance(axes, int):
        return contracted(a, b, list(range(a.ndim - axes, a.ndim)), list(range(axes)))
    first, second = axes
    first = [first] if isinstance(first, int) else first
    second = [second] if isinstance(second, int) else second
    return contracted(a, b, [k % a.ndim for k in first], [k % b.ndim for k in second])


def dot_of_arrays(a, b):
    """`np.dot` with a second operand of more than two axes: over its last but one."""
    return contracted(a, b, [a.ndim - 1], [b.ndim - 2])


def multi_dot(arrays):
    made = arrays[0]
    if len(arrays) < 2 or min([x.ndim for x in arrays[1:-1]], default=2) < 2 or max([x.ndim for x in arrays]) > 2:
        raise ValueError("multi_dot takes two arrays or more; those inside are matrices")
    for x in arrays[1:]:
        made = np.dot(made, x)
    return made


def vecdot(x1, x2):
    return np.sum(np.conj(x1) * x2, axis=-1)


def diagonal_of_operand(x, axis1, axis2):
    """The diagonal that a letter twice in one operand of `einsum` means."""
    if x.shape[axis1] != x.shape[axis2]:
        raise ValueError("dimensions in single operand for collapsing index don't match")
    return np.diagonal(x, 0, axis1, axis2)


# -- norms ---------------------------------------------------------------------------------------

def norm_of_order(x, ord, axis, keepdims):      # noqa: A002
    """The norms that are no plain sum, maximum or minimum of moduli."""
    if axis is None:
        axis = tuple(range(x.ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        if ord == 0:
            return np.sum((x != 0).astype(float), axis=axes[0], keepdims=keepdims)
        return np.sum(np.abs(x) ** ord, axis=axes[0], keepdims=keepdims) ** (1.0 / ord)
    row, column = axes[0] % x.ndim, axes[1] % x.ndim
    if ord in (1, -1, np.inf, -np.inf):
        if abs(ord) != 1:
            row, column = column, row
        sums = np.sum(np.abs(x), axis=row, keepdims=True)
        made = np.max(sums, axis=column, keepdims=True, initial=0.0) if ord > 0 else np.min(sums, axis=column, keepdims=True)
        return made if keepdims else np.squeeze(made, axis=axes)
    s = np.linalg.svd(x, compute_uv=False)
    made = np.sum(s) if ord == "nuc" else s[0] if ord == 2 else s[len(s) - 1]
    return made.reshape(1, 1) if keepdims else made


def cond(x, p=None):
    if p is None or p == 2 or p == -2:
        s = np.linalg.svd(x, compute_uv=False)
        return s[len(s) - 1] / s[0] if p == -2 else s[0] / s[len(s) - 1]
    if x.ndim > 2:
        raise NotImplementedError("np.linalg.cond of this order, of several matrices")
    return np.linalg.norm(x, p) * np.linalg.norm(np.linalg.inv(x), p)


def vector_norm(x, *, axis=None, keepdims=False, ord=2):        # noqa: A002
    return np.linalg.norm(np.ravel(x) if axis is None else x, ord, axis, keepdims)


def matrix_norm(x, *, keepdims=False, ord="fro"):               # noqa: A002
    return np.linalg.norm(x, ord, (-2, -1), keepdims)


# -- least squares ---------------------------------------------------------------------------------

def require_full_rank(r):
    size = np.abs(np.diag(r))
    if len(size) > 0 and np.min(size) <= 1e-13 * np.max(size):
        raise ValueError("[SD0346] a matrix without full rank has no derivative of its pseudo-inverse")


def least_squares(a, b):
    """The solution of least norm of the least squares problem, for a matrix of full rank."""
    if a.shape[0] >= a.shape[1]:
        q, r = np.linalg.qr(a)
        require_full_rank(r)
        return np.linalg.solve(r, q.T @ b)
    q, r = np.linalg.qr(a.T)
    require_full_rank(r)
    return q @ np.linalg.solve(r.T, b)


def lstsq(a, b, rcond=None):
    x = least_squares(a, b)
    n, m = a.shape
    if n > m:
        residue = a @ x - b
        residuals = np.atleast_1d(np.sum(residue * residue, axis=0))
    else:
        residuals = np.zeros(0)
    return x, residuals, min(n, m), np.linalg.svd(a, compute_uv=False)


def pinv(a):
    return least_squares(a, np.eye(a.shape[0]))


# -- stacks of matrices ----------------------------------------------------------------------------

def stack_of(a):
    """The matrices of an array with more axes, along one axis."""
    n, m = a.shape[-2], a.shape[-1]
    return a.reshape(a.size // max(n * m, 1), n, m)


def inverses(a):
    stack = stack_of(a)
    made = np.zeros_like(stack)
    for k in range(stack.shape[0]):
        made[k] = np.linalg.inv(stack[k])
    return made.reshape(a.shape)


def choleskys(a):
    stack = stack_of(a)
    made = np.zeros_like(stack)
    for k in range(stack.shape[0]):
        made[k] = np.linalg.cholesky(stack[k])
    return made.reshape(a.shape)


def determinants(a):
    stack = stack_of(a)
    made = np.zeros(stack.shape[0])
    for k in range(stack.shape[0]):
        made[k] = np.linalg.det(stack[k])
    return made.reshape(a.shape[:-2])


def log_determinants(a):
    stack = stack_of(a)
    signs, logarithms = np.zeros(stack.shape[0]), np.zeros(stack.shape[0])
    for k in range(stack.shape[0]):
        signs[k], logarithms[k] = np.linalg.slogdet(stack[k])
    return LogDeterminant(signs.reshape(a.shape[:-2]), logarithms.reshape(a.shape[:-2]))


LogDeterminant = type(np.linalg.slogdet(np.eye(1)))


def eigenvalues(a):
    stack = stack_of(a)
    made = np.zeros(stack.shape[:2])
    for k in range(stack.shape[0]):
        made[k] = np.linalg.eigvalsh(stack[k])
    return made.reshape(a.shape[:-1])


def spectra(a):
    stack = stack_of(a)
    values, vectors = np.zeros(stack.shape[:2]), np.zeros_like(stack)
    for k in range(stack.shape[0]):
        values[k], vectors[k] = np.linalg.eigh(stack[k])
    return Spectrum(values.reshape(a.shape[:-1]), vectors.reshape(a.shape))


Spectrum = type(np.linalg.eigh(np.eye(1)))


def solutions(a, b):
    """Solve a system for each matrix of a stack; `b` has the leading axes of `a`."""
    if a.ndim != b.ndim or a.shape[:-2] != b.shape[:-2]:
        raise NotImplementedError("np.linalg.solve of stacks whose leading axes differ")
    stack = stack_of(a)
    right = b.reshape(stack.shape[0], b.shape[-2], b.shape[-1])
    made = np.zeros(right.shape)
    for k in range(stack.shape[0]):
        made[k] = np.linalg.solve(stack[k], right[k])
    return made.reshape(b.shape)


FUNCTIONS = {
    np.tensordot: tensordot, np.linalg.tensordot: tensordot, np.linalg.multi_dot: multi_dot, np.vecdot: vecdot,
    np.linalg.vecdot: vecdot, np.linalg.cond: cond, np.linalg.vector_norm: vector_norm,
    np.linalg.matrix_norm: matrix_norm, np.linalg.lstsq: lstsq, np.linalg.pinv: pinv,
}
