"""A call on the GPU like one before: what is left to do where types, extents and strides are known.

The kernel of a small batch takes a few microseconds.  To look at every argument
anew takes ten times as long, so calls with Numba's device arrays and numbers are
remembered by the form of these.
"""

from __future__ import annotations

from dataclasses import dataclass

from srcdiff.api.device_values import require_own
from srcdiff.backend import cuda, gpu
from srcdiff.structure import NUMBERS

__all__ = ["Repeated", "form_of", "repeated"]

WIDE = 2 ** 63                          # Numba gives larger integers of Python another type


def form_of(args: tuple, out) -> tuple | None:
    """Return what a call has in common with others that launch the same; None for a call that is not remembered."""
    forms = []
    for value in args if out is None else (*args, out):
        kind = type(value)
        if getattr(kind, "__cuda_ndarray__", False) and value.shape:
            forms.append((value.dtype, value.shape, value.strides))
        elif kind in NUMBERS and (kind is not int or -WIDE <= value < WIDE):
            forms.append(kind)
        else:
            return None
    return out is None, tuple(forms)


@dataclass(frozen=True)
class Repeated:
    """A call whose form is known.

    Attributes
    ----------
    current_captures
        Raises `Stale` where the code was made for other values outside.
    packed
        The results as the caller gets them.
    spans
        Of each argument that is an array its position, and how far its memory reaches from its first element.
    out
        How far the memory for the result reaches, if it is given.
    """

    current_captures: object
    prepared: cuda.Prepared
    packed: object
    spans: tuple[tuple[int, int, int], ...]
    out: tuple[int, int]

    def __call__(self, args: tuple, out, stream):
        self.current_captures()
        if stream is not None:
            require_own(None, stream)
            stream = gpu.as_stream(stream)
        if out is not None:
            start = gpu.address(out)
            gpu.require_apart((start + self.out[0], start + self.out[1]), self._memory(args))
        return self.packed(self.prepared(args, (out,) * len(self.prepared.shapes), stream or 0))

    def _memory(self, args):
        for position, first, last in self.spans:
            start = gpu.address(args[position])
            yield start + first, start + last


def repeated(made, args: tuple, out) -> Repeated | None:
    """Return how a call that has been made is made again, None where each one must be looked at."""
    if gpu.device_count() > 1 or made.special.captures or len(made.special.program.params) != len(args):
        return None
    prepared = made.launcher.prepare(args)
    if prepared is None:
        return None
    spans = tuple((i, *gpu.span(a)) for i, a in enumerate(args) if gpu.is_device_array(a))
    return Repeated(made.current_captures, prepared, made.packed, spans, (0, 0) if out is None else gpu.span(out))
