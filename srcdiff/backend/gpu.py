"""Which GPU there is, real or simulated, and arrays that live on it."""

from __future__ import annotations

import functools
import importlib.metadata
import types

import numpy as np

from srcdiff.errors import ArgumentError, DeviceError, Problem

__all__ = ["as_device_array", "capability", "compiler", "free_bytes", "is_device_array", "require_device", "require_out", "simulated",
           "stand_in"]


def simulated() -> bool:
    """Tell whether kernels run in Numba's simulator, on the CPU."""
    from numba.core import config
    return bool(config.ENABLE_CUDASIM)


@functools.cache
def _why_not() -> str:
    """Return why no kernel can run, "" if one can."""
    try:
        from numba import cuda
        if simulated() or cuda.is_available():
            return ""
        error = getattr(cuda, "cuda_error", lambda: None)()
    except Exception as failed:
        error = failed
    return str(error or "").strip().split("\n")[0] or "Numba finds no CUDA device"


def require_device() -> None:
    """Raise `DeviceError` where no kernel can run."""
    if why := _why_not():
        raise DeviceError(Problem(
            "SD0510", 'target="cuda" needs a GPU', why=why,
            fix="on a machine with an NVIDIA GPU: install its driver and srcdiff[cuda]; without one, set "
                'NUMBA_ENABLE_CUDASIM=1 before Numba is imported (a slow simulator), or use target="numba"'))


def is_device_array(value) -> bool:
    """Tell whether a value is an array on a device: CuPy's, torch's, Numba's."""
    if isinstance(value, np.ndarray | np.generic | int | float | complex | str | tuple | list | dict):
        return False
    return getattr(type(value), "__cuda_ndarray__", False) or hasattr(value, "__cuda_array_interface__")


def as_device_array(value):
    """Return Numba's array of the same memory."""
    from numba import cuda
    if getattr(type(value), "__cuda_ndarray__", False):
        return value
    if not simulated():
        return cuda.as_cuda_array(value)
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
    return FakeCUDAArray(np.asarray(types.SimpleNamespace(__array_interface__=value.__cuda_array_interface__)))


def stand_in(value) -> np.ndarray:
    """Return a host array of the shape and dtype of a device array, of one element's memory."""
    array = as_device_array(value)
    return np.lib.stride_tricks.as_strided(np.ones((), array.dtype), tuple(array.shape), (0,) * len(array.shape),
                                           writeable=False)


@functools.cache
def compiler() -> str:
    """Return what compiles kernels: the simulator, Numba's own target, or the package numba-cuda with its version."""
    if simulated():
        return "cuda simulator"
    try:
        return f"numba-cuda {importlib.metadata.version('numba-cuda')}"
    except importlib.metadata.PackageNotFoundError:
        return "cuda"


def capability() -> tuple:
    """Return the compute capability of the device, in a tuple; nothing where there is none."""
    from numba import cuda
    return () if simulated() or _why_not() else (tuple(cuda.get_current_device().compute_capability),)


def free_bytes() -> int:
    """Return how much memory the device has left."""
    if simulated():
        return 1 << 30
    from numba import cuda
    return cuda.current_context().get_memory_info()[0]


def require_out(array, dtype: str, shape: tuple[int, ...]):
    """Return a device array given as `out`, if the result fits."""
    if array.dtype != np.dtype(dtype) or tuple(array.shape) != shape:
        raise ArgumentError(Problem(
            "SD0308", f"out has dtype {array.dtype} and shape {tuple(array.shape)}, the result has dtype {dtype} "
            f"and shape {shape}", fix="allocate it with the dtype and shape of the result"))
    return array
