"""Differentials of the reductions over static axes.

Ties of `max` and `min` share the differential equally.  `prod` multiplies the
other elements without division, so zeros are like any number, at any order.
An element that is nan makes the derivative of `max` and `min` nan.
"""

from __future__ import annotations

import numpy as np

from srcdiff.rules.table import differential, exclusive, real, restore, zero

differential("sum",   lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(dx, axis=axis, keepdims=keepdims), on=(real,))
differential("prod",  lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(exclusive(x, axis=axis) * dx, axis=axis, keepdims=keepdims), on=(real,))
differential("max",   lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(np.where(x == restore(ans, axis=axis, keepdims=keepdims), dx, 0), axis=axis, keepdims=keepdims)
             / np.sum(x == restore(ans, axis=axis, keepdims=keepdims), axis=axis, keepdims=keepdims), on=(real,))
differential("min",   lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(np.where(x == restore(ans, axis=axis, keepdims=keepdims), dx, 0), axis=axis, keepdims=keepdims)
             / np.sum(x == restore(ans, axis=axis, keepdims=keepdims), axis=axis, keepdims=keepdims), on=(real,))

zero("any", "all", "argmax", "argmin")
