"""Compile a generated module with Numba, and explain where that fails.

Division by zero and domain errors follow IEEE arithmetic
(``error_model="numpy"``), which also lets LLVM vectorise loops that divide.
"""

from __future__ import annotations

import re
import threading
import types

from srcdiff.backend import large_pages, modules, notes, pipeline, python, vector_math
from srcdiff.backend.machine_code import keep_machine_code
from srcdiff.errors import CompileError, Problem, Where

__all__ = ["explain", "is_compile_error", "load"]

_LOCK = threading.RLock()


def load(name: str, source: str, options):
    """Return Numba's dispatcher of the function `name` of a module text."""
    module = modules.load(source, options, vector_math.state() if options.vector_math else "")
    with _LOCK:
        if not hasattr(module, "_srcdiff_jitted"):
            _jit_functions(module, options)
            module._srcdiff_jitted = True
    return getattr(module, name)


def _jit_functions(module, options):
    """Put a dispatcher in the place of each function of a module."""
    import numba

    if numba.config.DISABLE_JIT:        # for debuggers: the module stays plain Python
        if "math" in vars(module):
            module.math = python.MATH
        return
    settings = {
        "error_model": "numpy", "boundscheck": options.boundscheck,
        "fastmath": options.fastmath if isinstance(options.fastmath, bool) else set(options.fastmath),
    }
    if own := getattr(module, "__custom__", ()):
        from srcdiff import custom
        for name in own:
            setattr(module, name, custom.compiled(name))
    if options.vector_math and "math" in vars(module) and vector_math.available():
        module.math = vector_math.vector_module()
    if "np" in vars(module) and large_pages.available():
        module.np = large_pages.numpy_module()
    for key, value in list(vars(module).items()):
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            parallel = options.parallel and "prange" in value.__code__.co_names
            chosen = {} if parallel else pipeline.settings(value, notes.of(module, key, options.fastmath, options.vector_math))
            dispatcher = numba.njit(parallel=parallel, **settings, **chosen)(value)
            if modules.is_on_disk(module):
                keep_machine_code(dispatcher)
            setattr(module, key, dispatcher)


def is_compile_error(error: Exception) -> bool:
    """Tell whether Numba could not compile (rather than the code raising when it ran)."""
    from numba.core.errors import NumbaError
    return isinstance(error, NumbaError)


_COMMENT = re.compile(r"\s*# line (\d+)(?:, in (\w+))?: ?(.*)")
_LINE = re.compile(r'File "[^"]*", line (\d+)')


def explain(error: Exception, name: str, source: str, file: str = "<unknown>") -> CompileError:
    """Return our error for one of Numba's: the user's line first, then one line of reason."""
    lines = source.splitlines()
    generated = _generated_line(error, len(lines))
    where, code = _users_line(lines, generated, file)
    why = _reason(str(error))
    if code:
        why = f"{why} In the generated code, line {generated}: {code}"
    return CompileError(Problem(
        CompileError.code, f"Numba cannot compile the code generated for {name}", where, why,
        'use target="python" to run it uncompiled, or write this line in another way'))


def _generated_line(error, count):
    loc = getattr(error, "loc", None)
    found = [int(n) for n in _LINE.findall(str(error))]
    if loc is not None:
        found.append(loc.line)
    return next((n for n in found if 0 < n <= count), 0)


def _users_line(lines, generated, file):
    """Return the place that the nearest comment above a generated line names, and that line."""
    if not generated:
        return Where(), ""
    code = lines[generated - 1].strip()
    for line in reversed(lines[:generated]):
        if match := _COMMENT.match(line):
            number, function, text = match.groups()
            return Where(file, int(number), 0, len(text), text, function or ""), code
    return Where(), code


def _reason(message):
    """Return the first informative sentence of Numba's message."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", message)
    skip = ("Failed in", "During", "File", "Traceback", "There are", " -", "-", "In definition", "Known signatures",
            "*", "raised from")
    for line in plain.splitlines():
        if line.strip() and not line.strip().startswith(skip):
            return line.strip()[:160].rstrip(".") + "."
    return "Numba gives no reason."
