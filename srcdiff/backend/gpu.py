"""Which GPU there is, real or simulated, and arrays that live on it."""

from __future__ import annotations

import functools
import importlib.metadata
import types

import numpy as np

from srcdiff.errors import ArgumentError, DeviceError, Problem

__all__ = ["MOST_REGISTERS", "address", "as_device_array", "as_out", "as_stream", "capability", "compiler", "current_device", "device_count", "free_bytes", "is_device_array",
           "is_stream", "number", "require_apart", "require_device", "require_here", "require_out", "require_target", "shape_of", "simulated", "span",
           "stand_in"]

MOST_REGISTERS = 168                    # three blocks share a multiprocessor; without a number ptxas saves registers, and loses speed
CUDA = 2                                # the kind of device, in the protocol of DLPack


@functools.cache
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
    require_target()


@functools.cache
def _unloadable() -> str:
    """Return why Numba's CUDA target cannot be loaded, "" if it can be."""
    try:
        if not simulated():
            from numba.cuda.descriptor import cuda_target
            cuda_target.typing_context.refresh()
            cuda_target.target_context.refresh()
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip()}".split("\n")[0]
    return ""


def require_target() -> None:
    """Raise `DeviceError` where Numba's CUDA target cannot be loaded, as beside a NumPy that it does not know."""
    if why := _unloadable():
        raise DeviceError(Problem(
            "SD0514", f"Numba's CUDA target ({compiler()}) cannot be loaded beside NumPy {np.__version__}", why=why,
            fix="install versions that fit one another: a newer numba-cuda, or an older NumPy (numba-cuda 0.30.4 needs numpy<2.5)"))


def is_device_array(value) -> bool:
    """Tell whether a value is an array on a device: CuPy's, torch's, Numba's."""
    if isinstance(value, np.ndarray | np.generic | int | float | complex | str | tuple | list | dict):
        return False
    return getattr(type(value), "__cuda_ndarray__", False) or hasattr(value, "__cuda_array_interface__")


def _is_numbas(value) -> bool:
    return getattr(type(value), "__cuda_ndarray__", False)


def as_device_array(value):
    """Return Numba's array of the same memory.

    Raises
    ------
    ArgumentError
        Some of its elements are masked.
    """
    from numba import cuda
    if _is_numbas(value):
        return value
    if value.__cuda_array_interface__.get("mask") is not None:
        raise ArgumentError(Problem("SD0301", f"an argument is a {type(value).__name__} with a mask, for which no code "
                                    "is generated", fix="fill the masked elements, and pass the array without the mask"))
    if not simulated():
        return cuda.as_cuda_array(value)
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray
    return FakeCUDAArray(np.asarray(types.SimpleNamespace(__array_interface__=value.__cuda_array_interface__)))


def stand_in(value) -> np.ndarray:
    """Return a host array of the shape and dtype of a device array, of one element's memory."""
    shape = shape_of(value)
    dtype = value.dtype if _is_numbas(value) else np.dtype(value.__cuda_array_interface__["typestr"])
    return np.lib.stride_tricks.as_strided(np.ones((), dtype), shape, (0,) * len(shape), writeable=False)


def shape_of(value) -> tuple[int, ...]:
    """Return the shape of a device array."""
    return tuple(value.shape if _is_numbas(value) else value.__cuda_array_interface__["shape"])


def number(value):
    """Return the number in a device array without axes; waits for it."""
    return as_device_array(value).copy_to_host()[()]


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


# -- which device ---------------------------------------------------------------------------


def current_device() -> int:
    """Return the number of the device on which kernels run."""
    if simulated():
        return 0
    from numba import cuda
    return cuda.get_current_device().id


@functools.cache
def device_count() -> int:
    """Return how many devices there are."""
    if simulated():
        return 1
    from numba import cuda
    return len(cuda.gpus)


def _device_of(value) -> int | None:
    """Return the number of the device an array lives on, None where it does not say: by DLPack's protocol, or Numba's own."""
    if hasattr(type(value), "__dlpack_device__"):
        kind, device = value.__dlpack_device__()
        return device if kind == CUDA else None
    context = getattr(getattr(value, "gpu_data", None), "context", None)
    return None if context is None else context.device.id


def require_here(values) -> None:
    """Raise `DeviceError` where an array lives on another device than the one on which kernels run."""
    known = {_device_of(v) for v in values if is_device_array(v)} - {None}
    if known and (elsewhere := sorted(known - {here := current_device()})):
        raise DeviceError(Problem(
            "SD0513", f"an array lives on device {elsewhere[0]}, and the kernels run on device {here}",
            why="a kernel reads and writes the memory of one device",
            fix="copy the array, or call inside `with numba.cuda.gpus[...]` for the device on which all arrays live"))


# -- memory for results, streams --------------------------------------------------------------


def as_out(value, given):
    """Return Numba's array of the memory for a result.

    Raises
    ------
    ArgumentError
        It cannot be written, or shares memory with one of the arrays that are `given` to the kernels.
    """
    if not _is_numbas(value) and value.__cuda_array_interface__["data"][1]:
        _refuse_out("out is read-only")
    array = as_device_array(value)
    require_apart(_memory(array), map(_memory, map(as_device_array, filter(is_device_array, given))))
    return array


def require_apart(memory: tuple[int, int], others) -> None:
    """Raise `ArgumentError` where the memory for a result, its first address and the one behind it, overlaps that of an argument."""
    first, last = memory
    for start, stop in others:
        if start < last and first < stop:
            _refuse_out("out shares memory with an argument, which threads read while others write")


def _refuse_out(why: str):
    raise ArgumentError(Problem("SD0308", why, fix="give the result memory of its own, or leave out= away"))


def span(array) -> tuple[int, int]:
    """Return how many bytes from a device array's first element its memory begins, and ends; (0, 0) for one without elements."""
    if 0 in array.shape:
        return 0, 0
    ends = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
    return sum(e for e in ends if e < 0), sum(e for e in ends if e > 0) + array.dtype.itemsize


def address(array) -> int:
    """Return the address of the first element of Numba's device array."""
    if simulated():
        return array._ary.__array_interface__["data"][0]
    pointer = array.device_ctypes_pointer
    return int(getattr(pointer, "value", pointer) or 0)


def _memory(array) -> tuple[int, int]:
    """Return the first address of a device array, and the one behind its last; equal for one without elements."""
    start, (first, last) = address(array), span(array)
    return start + first, start + last


def is_stream(value) -> bool:
    """Tell whether a value is a stream: Numba's, CuPy's, torch's, or one that follows CUDA's protocol."""
    return hasattr(value, "synchronize")


def as_stream(value):
    """Return Numba's stream for one of any library; 0, the default stream, for None."""
    from numba import cuda
    if not value:
        return 0
    if hasattr(value, "__cuda_stream__"):
        address = value.__cuda_stream__()[1]
    else:
        address = getattr(value, "ptr", getattr(value, "cuda_stream", None))
    if address is None:
        return value
    return cuda.external_stream(int(address)) if address and not simulated() else 0


def require_out(array, dtype: str, shape: tuple[int, ...]):
    """Return a device array given as `out`, if the result fits."""
    if array.dtype != np.dtype(dtype) or tuple(array.shape) != shape:
        raise ArgumentError(Problem(
            "SD0308", f"out has dtype {array.dtype} and shape {tuple(array.shape)}, the result has dtype {dtype} "
            f"and shape {shape}", fix="allocate it with the dtype and shape of the result"))
    return array
