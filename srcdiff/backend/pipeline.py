"""Numba's compiler for generated functions: fewer steps, shorter code, and nothing that LLVM does twice.

The steps are those of `srcdiff.backend.passes`, the code that of `srcdiff.backend.lowering`; both are imported when
something is compiled.  Where a Numba has other parts, its own compiler is used.

Numba runs LLVM's whole function pipeline on a function, and then the whole module pipeline, which holds
the former.  The first only has to make a long function small enough for the second: to take structures of
arrays apart and to simplify branches.  In short functions no gain was to be seen.  Nor is the highest level
of the module pipeline worth its time there: it makes more machine code, which runs no faster.
"""

from __future__ import annotations

import functools

from srcdiff.backend.notes import Notes
from srcdiff.collecting import paused

__all__ = ["LONG", "compiler", "library", "settings"]

LONG = 500                              # lines from which the passes of a function are worth leaving out

LEVEL = 2                               # of LLVM's module pipeline, for these
FIRST = ("simplify_cfg", "sroa", "instruction_combine", "simplify_cfg")      # of llvmlite's pass managers


def settings(function, notes: Notes) -> dict[str, type]:
    """Return the options of ``njit`` that choose the compiler for a function of which this is known."""
    first = function.__code__.co_firstlineno
    last = max(line for _, _, line in function.__code__.co_lines() if line is not None)
    return {"pipeline_class": compiler(notes, last - first >= LONG)}


@functools.cache
def compiler(notes: Notes, long: bool):
    """Return the class for ``njit(pipeline_class=...)``."""
    from numba.core.compiler import Compiler

    class GeneratedCode(Compiler):

        def define_pipelines(self):
            try:
                from srcdiff.backend.passes import passes
                return [passes(self.state, notes, long)]
            except (ImportError, AttributeError):
                return super().define_pipelines()

        def _compile_core(self):
            if long and self.state.library is None and library() is not None:
                self.state.library = library()(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
                self.state.library.enable_object_caching()
            with paused():
                return super()._compile_core()

    return GeneratedCode


@functools.cache
def library():
    """Return the class of a code library whose functions are only made simple before the module is optimised, if it can be."""
    try:
        return _library()
    except (ImportError, AttributeError):
        return None


def _library():
    from llvmlite import binding
    from numba.core import config
    from numba.core.codegen import CPUCodegen, JITCodeLibrary

    for name in FIRST:
        getattr(binding.FunctionPassManager, f"add_{name}_pass")
    binding.create_new_function_pass_manager  # noqa: B018
    JITCodeLibrary._optimize_functions        # noqa: B018
    JITCodeLibrary._optimize_final_module     # noqa: B018
    CPUCodegen._module_pass_manager           # noqa: B018

    class Library(JITCodeLibrary):

        def _optimize_functions(self, ll_module):
            ll_module.data_layout = self._codegen._data_layout
            for function in ll_module.functions:
                if not function.is_declaration:
                    passes = binding.create_new_function_pass_manager()
                    for name in FIRST:
                        getattr(passes, f"add_{name}_pass")()
                    passes.run(function, self._codegen._pass_builder())

        def _optimize_final_module(self):
            make = self._codegen._module_pass_manager
            inlining = {"opt": self._codegen._opt_level, "loop_vectorize": self._codegen._loopvect,
                        "slp_vectorize": False, "cost": "cheap"}
            for options in (inlining, {"opt": min(LEVEL, config.OPT)}):
                passes, builder = make(**options)
                passes.run(self._final_module, builder)

    return Library
