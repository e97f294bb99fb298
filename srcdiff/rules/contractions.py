"""Differentials of matrix products and of linear algebra."""

from __future__ import annotations

import numpy as np

from srcdiff.rules.table import differential, real

differential("matmul",  lambda a, b, da, db, ans:  np.matmul(da, b) + np.matmul(a, db),  on=(real, real))
