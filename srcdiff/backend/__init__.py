"""From programs to callables.

``compile_program(program, target)`` gives a `Compiled`: it takes the program's
flat arguments and returns the flat tuple of results.
"""

from srcdiff.backend.callable import Compiled, Options, compile_program, compile_source

__all__ = ["Compiled", "Options", "compile_program", "compile_source"]
