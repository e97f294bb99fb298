"""Numba's compiler for generated functions: the same steps, without those that find nothing in them or are done twice.

Numba runs LLVM's whole function pipeline on a function, and then the whole module pipeline, which holds
the former.  The first only has to make the function small enough for the second: to take structures of
arrays apart and to simplify branches.  For a long function that is a quarter of the time to compile it.
"""

from __future__ import annotations

import functools

__all__ = ["compiler"]

FIRST = ("simplify_cfg", "sroa", "instruction_combine", "simplify_cfg")      # of llvmlite's pass managers


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
