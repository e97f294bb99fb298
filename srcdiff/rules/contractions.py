"""Differentials of matrix products and of linear algebra on matrices.

Functions of a symmetric matrix (`cholesky`, `eigvalsh`, `eigenvectors`) read its
lower triangle only, and so do their differentials; on a symmetric argument this
is the derivative among symmetric matrices.  Where eigenvalues (or singular values)
coincide, the vectors have no derivative, and it comes out infinite or nan.
Singular matrices raise in the derivative of `det` as `inv` does.

Sources: Giles, Collected matrix derivative results (2008); Walter and Lehmann,
Algorithmic differentiation of linear algebra functions (2018), for QR.
"""

from __future__ import annotations

import numpy as np
from numpy.linalg import eigvalsh, inv

from srcdiff.primitives import PRIMITIVES
from srcdiff.rules.matrices import beyond, column_dots, folded, gaps, lower, mirrored, mixed, swap
from srcdiff.rules.table import differential, real, zero

_eigenvectors, _qr_q, _qr_r, _svd_u, _svd_vt, _svdvals = (
    PRIMITIVES[name].evaluate for name in ("eigenvectors", "qr_q", "qr_r", "svd_u", "svd_vt", "svdvals"))


# Where tests sample matrices.

def regular(rng, shape):
    """Sample well-conditioned square matrices, and anything else."""
    x = rng.normal(size=shape)
    return x + 3.0 * np.eye(len(x)) if x.ndim == 2 and x.shape[0] == x.shape[1] else x


def symmetric(rng, shape):
    """Sample symmetric positive definite matrices with distinct eigenvalues."""
    x = rng.normal(size=shape)
    return x @ x.T + np.diag(1.0 + np.arange(len(x)))


differential("matmul",       lambda a, b, da, db, ans:  np.matmul(da, b) + np.matmul(a, db),  on=(real, real))
differential("solve",        lambda a, b, da, db, ans:  np.linalg.solve(a, db - np.matmul(da, ans)),
             on=(regular, real))
differential("inv",          lambda x, dx, ans:  -np.matmul(np.matmul(ans, dx), ans),         on=(regular,))
differential("det",          lambda x, dx, ans:  ans * np.sum(swap(inv(x)) * dx, axis=(0, 1)), on=(regular,))
differential("logabsdet",    lambda x, dx, ans:  np.sum(swap(inv(x)) * dx, axis=(0, 1)),      on=(regular,))
differential("cholesky",     lambda x, dx, ans:
             np.matmul(ans, lower(np.matmul(np.matmul(inv(ans), mirrored(dx)), swap(inv(ans))))),
             on=(symmetric,))
differential("eigvalsh",     lambda x, dx, ans:
             column_dots(_eigenvectors(x), np.matmul(mirrored(dx), _eigenvectors(x))),        on=(symmetric,))
differential("eigenvectors", lambda x, dx, ans:
             np.matmul(ans, np.matmul(np.matmul(swap(ans), mirrored(dx)), ans) / gaps(eigvalsh(x))),
             on=(symmetric,))
differential("qr_q",         lambda x, dx, ans:
             np.matmul(dx, inv(_qr_r(x)))
             - np.matmul(ans, folded(np.matmul(swap(ans), np.matmul(dx, inv(_qr_r(x)))))),    on=(regular,))
differential("qr_r",         lambda x, dx, ans:
             np.matmul(folded(np.matmul(swap(_qr_q(x)), np.matmul(dx, inv(ans)))), ans),      on=(regular,))
differential("svdvals",      lambda x, dx, ans:
             column_dots(_svd_u(x), np.matmul(dx, swap(_svd_vt(x)))),                         on=(regular,))
differential("svd_u",        lambda x, dx, ans:
             np.matmul(ans, mixed(np.matmul(swap(ans), np.matmul(dx, swap(_svd_vt(x)))), _svdvals(x)))
             + beyond(np.matmul(dx, swap(_svd_vt(x))), ans) / _svdvals(x),                    on=(regular,))
differential("svd_vt",       lambda x, dx, ans:
             swap(np.matmul(swap(ans), mixed(np.matmul(ans, np.matmul(swap(dx), _svd_u(x))), _svdvals(x)))
                  + beyond(np.matmul(swap(dx), _svd_u(x)), swap(ans)) / _svdvals(x)),         on=(regular,))
zero("det_sign", "is_indefinite")
