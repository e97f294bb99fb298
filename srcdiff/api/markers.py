"""What a user writes inside a function to make something constant."""

from __future__ import annotations

__all__ = ["no_grad", "stop_gradient"]


class no_grad:
    """Make what is computed inside constant: ``with sd.no_grad(): c = x**2``.

    Inside a differentiated function, no derivative flows through what the block
    assigns.  Around a transform, and in plain Python, it changes nothing.
    """

    __srcdiff_no_grad__ = True

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


def stop_gradient(x):
    """Return `x`; inside a differentiated function its derivative is zero."""
    return x


stop_gradient.__srcdiff_stop_gradient__ = True
