"""Print kernels as a Python module for `numba.cuda`.

In the text, a sample that fails notes itself and what failed in ``status[0]``
(the first sample wins, as on the host), and its thread ends; a full column
of the workspace notes in ``status[1]`` and following how many slots it wanted.
"""

from __future__ import annotations

import ast
import re

import gast

from srcdiff.kernels.helpers import DEVICE_HELPERS
from srcdiff.kernels.kernel import WORDS, Kernel
from srcdiff.kernels.memory import OVERFLOW
from srcdiff.kernels.spelling import spell_for_device
from srcdiff.printing import comments_of, rename_trees, reserved
from srcdiff.printing.helpers import helpers_for
from srcdiff.printing.names import compact
from srcdiff.printing.spelling import expression
from srcdiff.printing.statements import Writer
from srcdiff.printing.text import unparse
from srcdiff.printing.trees import unplaced
from srcdiff.syntax import Program

__all__ = ["device_text", "module_text"]

DEVICE, KERNEL = "@cuda.jit(device=True)\n", "@cuda.jit\n"


class KernelWriter(Writer):
    """Writes the statements of a kernel: no return value, no exceptions."""

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        super().__init__(kernel.program, spell_for_device)

    def _raise(self, stmt, block):
        if stmt.exception == OVERFLOW:
            position = 1 + self.kernel.work.index(stmt.message)
            note = expression("cuda.atomic.max(status, k, top)", k=gast.Constant(position, None),
                              top=expression(f"top_{stmt.message}"))
        else:
            note = expression("cuda.atomic.min(status, 0, code)", code=self._code(stmt))
        self._emit(block, gast.Expr(note), stmt.where)
        self._emit(block, gast.Return(None), stmt.where)

    def _code(self, stmt):
        """Return what tells the sample and the failure: the first sample has the smallest."""
        number = self.kernel.failures.index((stmt.exception, stmt.message))
        count, sample = len(self.kernel.failures), self.kernel.sample
        if not sample:
            return gast.Constant(number, None)
        text = f"{count} * sample" if count > 1 else "sample"
        return expression(text + f" + {number}" * (number > 0), sample=expression(sample))


def taken(program: Program) -> frozenset[str]:
    """Return the names that mean something else in the text of a kernel, and are no parameters that it makes for itself."""
    return (reserved(program.body) | WORDS) - {p.name for p in program.params}


class DeviceWriter(Writer):
    """Writes the statements of a device function; an array that is a result is the caller's."""

    def _result(self, atom, block):
        return self._take(atom, block)


def device_text(program: Program, doc: str = "") -> str:
    """Return the text of a device function: a lowered program whose arrays have places (`device_function`)."""
    writer = DeviceWriter(program, spell_for_device)
    names = compact(program, writer.body, taken(program))
    rename_trees(writer.body, names)
    params = [gast.Name(names[p.name], gast.Param(), None, None) for p in program.params]
    arguments = gast.arguments(params, [], None, [], [], None, [])
    head = [unplaced(gast.Expr(gast.Constant(doc, None)))] * bool(doc)
    function = gast.FunctionDef(program.name, arguments, [*head, *writer.body], [], None, None, [])
    return _module(unparse(gast.Module([function], []), comments_of(writer.body, writer.places)), "", False)


def module_text(kernels: list[Kernel], doc: str = "", jit: bool = False) -> str:
    """Return the text of the module; with `jit` the functions are decorated, as a user would write them."""
    code = "\n\n".join(_kernel(kernel, doc) for kernel in kernels)
    return _module(code, ", ".join(f'"{k.program.name}"' for k in kernels), jit)


def _module(code: str, exported: str, jit: bool) -> str:
    """Put what a text needs before it: device functions and imports."""
    names = {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    helpers = helpers_for(sorted(names), DEVICE_HELPERS)
    if jit:
        helpers = re.sub(r"^def ", DEVICE + "def ", helpers, flags=re.MULTILINE)
        code = re.sub(r"^def ", KERNEL + "def ", code, flags=re.MULTILINE)
    code = helpers + "\n\n" * bool(helpers) + code
    names |= {n.id for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Name)}
    imports = "".join(f"import {m}\n" for m in ("cmath", "math") if m in names)
    imports += "\n" * bool(imports) + "import numpy as np\n" * ("np" in names) + "from numba import cuda\n"
    return f"{imports}\n__all__ = [{exported}]\n\n\n{code.strip()}\n"


def _kernel(kernel: Kernel, doc: str) -> str:
    program = kernel.program
    writer = KernelWriter(kernel)
    body = writer.body[:-1]                         # the last statement returns nothing
    names = compact(program, body, taken(program))
    rename_trees(body, names)
    *params, thread, threads = (names[p.name] for p in program.params)
    head = _numbers(program, body, thread, threads)
    head = [gast.Expr(gast.Constant(doc, None))] * bool(doc) + head
    arguments = gast.arguments([gast.Name(p, gast.Param(), None, None) for p in params], [], None, [], [], None, [])
    function = gast.FunctionDef(program.name, arguments, [*map(unplaced, head), *body], [], None, None, [])
    return unparse(gast.Module([function], []), comments_of(body, writer.places))


def _numbers(program: Program, body, thread: str, threads: str) -> list:
    """Return the statements that say which thread this is, as far as the kernel asks."""
    used = {n.id for stmt in body for n in gast.walk(stmt) if isinstance(n, gast.Name)}
    both = ((thread, "cuda.grid(1)"), (threads, "cuda.gridsize(1)"))
    return [gast.Assign([gast.Name(name, gast.Store(), None, None)], expression(text), None)
            for name, text in both if name in used]
