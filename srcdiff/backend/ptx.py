"""What a kernel takes of a GPU: compile it to PTX, and let ptxas count registers and spills.

No GPU is needed, only NVVM (the CUDA toolkit, or the wheels that come with
``srcdiff[cuda]``), and for the counts `ptxas`, which is part of the toolkit.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from srcdiff.backend.gpu import MOST_REGISTERS, require_target
from srcdiff.errors import DeviceError, Problem
from srcdiff.kernels import Kernel, module_text

__all__ = ["Resources", "assembled", "compile_ptx", "ptx_of", "resources"]

CAPABILITY = (9, 0)                     # the compute capability where there is no device to ask


@dataclass(frozen=True)
class Resources:
    """What ptxas says of one kernel, per thread.

    Attributes
    ----------
    registers
        32-bit registers.
    local_bytes
        Memory that is not registers: arrays that are indexed by variables, and what did not fit.
    spill_bytes
        Stores of values for which no register was left.
    """

    kernel: str
    registers: int
    local_bytes: int
    spill_bytes: int

    def __str__(self) -> str:
        return (f"{self.kernel}: {self.registers} registers, {self.local_bytes} bytes of local memory, "
                f"{self.spill_bytes} bytes spilled")


def compile_ptx(kernel: Kernel, capability: tuple[int, int] = CAPABILITY, types: tuple | None = None) -> str:
    """Return the PTX text of a kernel, by default for arrays in C order; `types` are Numba's of its arguments.

    Raises
    ------
    DeviceError
        NVVM is not installed, or Numba's CUDA target cannot be loaded.
    """
    text = module_text([kernel], jit=True).replace("@cuda.jit\n", "")
    scope: dict = {}
    exec(compile(text, f"<{kernel.program.name}>", "exec"), scope)
    return ptx_of(scope[kernel.program.name], types or signature(kernel), capability)


def ptx_of(function, types_: tuple, capability: tuple[int, int] = CAPABILITY) -> str:
    """Return the PTX text of a Python function as a kernel."""
    from numba import cuda
    require_target()
    with _device(capability):
        try:
            return cuda.compile_ptx(function, types_, cc=capability)[0]
        except Exception as error:
            if not any(word in str(error).lower() for word in ("nvvm", "nvrtc", "libdevice")):
                raise
            raise DeviceError(Problem(
                "SD0510", "kernels cannot be compiled here: NVVM is not found", why=str(error).splitlines()[0],
                fix="set CUDA_HOME to a CUDA toolkit, or install srcdiff[cuda]")) from None


def signature(kernel: Kernel) -> tuple:
    """Return Numba's types of the parameters of a kernel."""
    import numba
    from numba import types as numba_types

    def one(param):
        dtype = numba.from_dtype(np.dtype(param.type.dtype))
        return numba_types.Array(dtype, param.type.ndim, "C") if param.type.ndim else dtype

    return tuple(one(p) for p, _ in zip(kernel.program.params, kernel.roles, strict=False))


@contextlib.contextmanager
def _device(capability):
    """Answer for the device that Numba asks for when it compiles device functions."""
    import numba.cuda.compiler
    import numba.cuda.dispatcher
    fake = SimpleNamespace(compute_capability=capability, id=0, name="offline")
    places = [m for m in (numba.cuda.dispatcher, numba.cuda.compiler) if hasattr(m, "get_current_device")]
    kept = [m.get_current_device for m in places]
    for module in places:
        module.get_current_device = lambda: fake
    try:
        yield
    finally:
        for module, function in zip(places, kept, strict=True):
            module.get_current_device = function


def resources(kernel: Kernel, capability: tuple[int, int] = CAPABILITY) -> Resources:
    """Return what a kernel takes; numbers are -1 where ptxas is not found."""
    return assembled(kernel.program.name, compile_ptx(kernel, capability), capability)


def assembled(name: str, ptx: str, capability: tuple[int, int] = CAPABILITY) -> Resources:
    """Let ptxas translate a kernel, and return what it takes.

    Raises
    ------
    DeviceError
        ptxas refuses the kernel.
    """
    program = shutil.which("ptxas")
    if program is None:
        return Resources(name, -1, -1, -1)
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "kernel.ptx"
        source.write_text(ptx)
        options = ["-v", "-arch=sm_{}{}".format(*capability), f"-maxrregcount={MOST_REGISTERS}"]
        done = subprocess.run([program, *options, str(source), "-o", str(source.with_suffix(".cubin"))],
                              capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode:
        raise DeviceError(Problem("SD0512", f"ptxas refuses {name}: {said.strip()[:300]}",
                                  fix="use target=\"numba\", and report this"))
    local, spilled, registers = map(int, re.search(
        r"(\d+) bytes stack frame, (\d+) bytes spill stores.*?Used (\d+) registers", said, re.DOTALL).groups())
    return Resources(name, registers, local, spilled)
