"""NumPy and SciPy functions written in the Python that is differentiated.

A call of one of them is translated as a call of the function here would be, so
their derivatives need no rules.  The functions use no name of the package: each
is what NumPy computes, in terms of functions that are translated themselves.
What is known at specialisation (ranks, modes, axes) is decided there and leaves
no code.  `FUNCTIONS` says which function stands for which.
"""

from srcdiff.frontend.in_python import (
    algebra,
    calculus,
    fourier,
    iterators,
    orders,
    polynomials,
    shapes,
    special,
)

__all__ = ["FUNCTIONS"]

FUNCTIONS = {**algebra.FUNCTIONS, **calculus.FUNCTIONS, **fourier.FUNCTIONS, **iterators.FUNCTIONS, **orders.FUNCTIONS,
             **polynomials.FUNCTIONS, **shapes.FUNCTIONS, **special.FUNCTIONS}
