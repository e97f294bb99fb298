"""Differentials of the reductions over static axes.

Ties of `max` and `min` share the differential equally.  `prod` multiplies the
other elements without division, so zeros are like any number, at any order.
An element that is nan makes the derivative of `max` and `min` nan.
"""

from __future__ import annotations

import numpy as np

from srcdiff.rules.table import attained, differential, exclusive, real, zero

differential("sum",   lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(dx, axis=axis, keepdims=keepdims), on=(real,))
differential("prod",  lambda x, dx, ans, *, axis, keepdims=False:
             np.sum(exclusive(x, axis=axis) * dx, axis=axis, keepdims=keepdims), on=(real,))
for _name in ("max", "min"):
    differential(_name, lambda x, dx, ans, *, axis, keepdims=False:
                 np.sum(np.where(attained(x, ans, axis=axis, keepdims=keepdims), dx, 0),
                        axis=axis, keepdims=keepdims)
                 / np.sum(attained(x, ans, axis=axis, keepdims=keepdims), axis=axis, keepdims=keepdims),
                 on=(real,))

zero("any", "all", "argmax", "argmin")
