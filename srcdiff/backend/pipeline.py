"""Numba's compiler for long generated functions: the same steps, without those that are done twice.

Numba runs LLVM's whole function pipeline on a function, and then the whole module pipeline, which holds
the former.  The first only has to make the function small enough for the second: to take structures of
arrays apart and to simplify branches.  In short functions no gain was to be seen.
"""

from __future__ import annotations

import functools

__all__ = ["LONG", "compiler", "settings"]

LONG = 500                              # lines from which a function is worth it

FIRST = ("simplify_cfg", "sroa", "instruction_combine", "simplify_cfg")      # of llvmlite's pass managers


def settings(function) -> dict[str, type]:
    """Return the options of ``njit`` that choose the compiler for a function."""
    first = function.__code__.co_firstlineno
    last = max(line for _, _, line in function.__code__.co_lines() if line is not None)
    return {"pipeline_class": compiler()} if last - first >= LONG and compiler() is not None else {}


@functools.cache
def compiler():
    """Return the class for ``njit(pipeline_class=...)``, or None where this Numba has other parts."""
    try:
        return _compiler()
    except (ImportError, AttributeError):
        return None


def _compiler():
    from llvmlite import binding
    from numba.core.codegen import JITCodeLibrary
    from numba.core.compiler import Compiler

    for name in FIRST:
        getattr(binding.FunctionPassManager, f"add_{name}_pass")
    binding.create_new_function_pass_manager  # noqa: B018
    Compiler._compile_core                    # noqa: B018
    JITCodeLibrary._optimize_functions        # noqa: B018

    class Library(JITCodeLibrary):
        """A library whose functions are only made simple before the module is optimised."""

        def _optimize_functions(self, ll_module):
            ll_module.data_layout = self._codegen._data_layout
            for function in ll_module.functions:
                if not function.is_declaration:
                    passes = binding.create_new_function_pass_manager()
                    for name in FIRST:
                        getattr(passes, f"add_{name}_pass")()
                    passes.run(function, self._codegen._pass_builder())

    class GeneratedCode(Compiler):

        def _compile_core(self):
            if self.state.library is None:
                self.state.library = Library(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
                self.state.library.enable_object_caching()
            return super()._compile_core()

    return GeneratedCode
