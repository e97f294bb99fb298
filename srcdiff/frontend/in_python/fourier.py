"""Discrete Fourier transforms, by Stockham's algorithm over the prime factors of the length.

The transform is linear, and its matrix symmetric: reverse mode transforms the
cotangents.  A stage for the factor p costs n p operations.
"""

from __future__ import annotations

import numpy as np

__all__ = ["FUNCTIONS"]


def least_factor(n):
    p = 2
    while p * p <= n:
        if n % p == 0:
            return p
        p = p + 1
    return n


def transformed(x, sign):
    """Return ``sum over j of x[j] exp(sign 2 pi i j k / n)`` for the columns of a complex matrix."""
    n, columns = x.shape
    roots = np.exp(sign * 2j * np.pi * np.arange(n) / n).astype(x.dtype)
    rest, done = n, 1
    while rest > 1:
        p = least_factor(rest)
        rest = rest // p
        k = np.arange(p)
        mixing = roots[np.expand_dims(k, 1) * k % p * (n // p)]
        mixed = (mixing @ x.reshape(p, rest * done * columns)).reshape(p, rest, done * columns)
        turns = roots[np.expand_dims(k, 1) * np.arange(rest) * done]
        x = np.transpose(mixed * np.expand_dims(turns, 2), (1, 0, 2)).reshape(n, columns)
        done = done * p
    return x


def of_length(x, n):
    """Cut the first axis, or fill it up with zeros, to n elements."""
    made = np.zeros((n,) + x.shape[1:], dtype=x.dtype)
    kept = min(n, x.shape[0])
    made[:kept] = x[:kept]
    return made


def scale_of(n, norm, inverse):
    """Return what the sums are multiplied by."""
    if norm == "ortho":
        return 1.0 / np.sqrt(n)
    if norm not in (None, "backward", "forward"):
        raise ValueError('Invalid norm value; should be "backward", "ortho" or "forward".')
    return 1.0 / n if inverse == (norm != "forward") else 1.0


def along(a, n, axis, norm, inverse):
    x = np.asarray(a)
    x = np.moveaxis(x.astype(np.result_type(x.dtype, np.complex64)), axis, 0)
    x = x if n is None else of_length(x, n)
    length = x.shape[0]
    matrix = x.reshape(length, x.size // max(length, 1))
    made = transformed(matrix, 1.0 if inverse else -1.0).reshape(x.shape)
    scale = scale_of(length, norm, inverse)
    return np.moveaxis(made * scale, 0, axis)


def fft(a, n=None, axis=-1, norm=None):
    return along(a, n, axis, norm, False)


def ifft(a, n=None, axis=-1, norm=None):
    return along(a, n, axis, norm, True)


# -- of real numbers ------------------------------------------------------------------------------

def rfft(a, n=None, axis=-1, norm=None):
    whole = np.moveaxis(fft(a, n, axis, norm), axis, 0)
    return np.moveaxis(whole[:whole.shape[0] // 2 + 1], 0, axis)


def irfft(a, n=None, axis=-1, norm=None):
    """The real part of a sum over half the frequencies, all but the ends of it twice."""
    half = np.moveaxis(np.asarray(a), axis, 0)
    length = 2 * (half.shape[0] - 1) if n is None else n
    half = of_length(half, length // 2 + 1)
    twice = np.full(half.shape[0], 2.0)
    twice[0] = 1.0
    if length % 2 == 0:
        twice[length // 2] = 1.0
    for _ in range(half.ndim - 1):
        twice = np.expand_dims(twice, -1)
    return np.moveaxis(ifft(half * twice, length, 0, norm).real, 0, axis)


# -- over several axes ------------------------------------------------------------------------------

def axes_and_lengths(x, s, axes):
    rank = np.ndim(x)
    count = rank if s is None else len(s)
    axes = tuple(range(rank - count, rank)) if axes is None else axes
    return axes, (None,) * len(axes) if s is None else s


def fftn(a, s=None, axes=None, norm=None):
    axes, lengths = axes_and_lengths(a, s, axes)
    for axis, n in zip(axes, lengths):          # noqa: B905
        a = fft(a, n, axis, norm)
    return a


def ifftn(a, s=None, axes=None, norm=None):
    axes, lengths = axes_and_lengths(a, s, axes)
    for axis, n in zip(axes, lengths):          # noqa: B905
        a = ifft(a, n, axis, norm)
    return a


def rfftn(a, s=None, axes=None, norm=None):
    axes, lengths = axes_and_lengths(a, s, axes)
    a = rfft(a, lengths[-1], axes[-1], norm)
    for axis, n in zip(axes[:-1], lengths[:-1]):    # noqa: B905
        a = fft(a, n, axis, norm)
    return a


def irfftn(a, s=None, axes=None, norm=None):
    axes, lengths = axes_and_lengths(a, s, axes)
    for axis, n in zip(axes[:-1], lengths[:-1]):    # noqa: B905
        a = ifft(a, n, axis, norm)
    return irfft(a, lengths[-1], axes[-1], norm)


def fft2(a, s=None, axes=(-2, -1), norm=None):
    return fftn(a, s, axes, norm)


def ifft2(a, s=None, axes=(-2, -1), norm=None):
    return ifftn(a, s, axes, norm)


def rfft2(a, s=None, axes=(-2, -1), norm=None):
    return rfftn(a, s, axes, norm)


def irfft2(a, s=None, axes=(-2, -1), norm=None):
    return irfftn(a, s, axes, norm)


# -- orders of frequencies ------------------------------------------------------------------------------

def fftshift(x, axes=None):
    axes = tuple(range(np.ndim(x))) if axes is None else (axes,) if isinstance(axes, int) else axes
    for axis in axes:
        x = np.roll(x, np.shape(x)[axis] // 2, axis)
    return x


def ifftshift(x, axes=None):
    axes = tuple(range(np.ndim(x))) if axes is None else (axes,) if isinstance(axes, int) else axes
    for axis in axes:
        x = np.roll(x, -(np.shape(x)[axis] // 2), axis)
    return x


def fftfreq(n, d=1.0):
    k = np.arange(n)
    return np.where(k < (n - 1) // 2 + 1, k, k - n) / (n * d)


def rfftfreq(n, d=1.0):
    return np.arange(n // 2 + 1) / (n * d)


FUNCTIONS = {
    np.fft.fft: fft, np.fft.ifft: ifft, np.fft.rfft: rfft, np.fft.irfft: irfft, np.fft.fft2: fft2, np.fft.ifft2: ifft2,
    np.fft.rfft2: rfft2, np.fft.irfft2: irfft2, np.fft.fftn: fftn, np.fft.ifftn: ifftn, np.fft.rfftn: rfftn,
    np.fft.irfftn: irfftn, np.fft.fftshift: fftshift, np.fft.ifftshift: ifftshift, np.fft.fftfreq: fftfreq,
    np.fft.rfftfreq: rfftfreq,
}
