"""How a module gets at the functions of users that have a rule of their own.

One that can be imported is imported; a lambda or a function defined inside
another one is handed over by `srcdiff.custom`, so its module works only in this
process.  ``__custom__`` lists their names for the loader.
"""

from __future__ import annotations

from collections.abc import Sequence

from srcdiff import custom

__all__ = ["MARK", "bindings"]

MARK = "__custom__ = "

EACH = '''\
def {name}_(*operands):
    """Return `{name}` of each element."""
    return np.vectorize({name}, otypes=[np.result_type(*operands, 0.5)])(*operands)
'''


def bindings(used: Sequence[str], names: set[str], jit: bool) -> tuple[list[str], str, str]:
    """Return the operations of users, the text that binds them, and their array forms.

    Parameters
    ----------
    used
        The operations of users in the program.
    names
        The names that its text reads.
    jit
        The module compiles itself: so it does with what it imports.
    """
    used = [name for name in used if name in names or name + "_" in names]
    each = "\n\n".join(EACH.format(name=name) for name in used if name + "_" in names)
    return used, "".join(_binding(name, jit) + "\n\n" for name in used), each


def _binding(name: str, jit: bool) -> str:
    place = custom.importable(name)
    if place is not None and not (jit and custom.needs_interpreter(name)):
        module, own = place
        text = f"from {module} import {own}" + f" as {name}" * (own != name)
        return text + f"\n\n{name} = njit({name})" * (jit and not custom.is_compiled(name))
    code = getattr(custom.bound(name), "__code__", None)
    at = f", line {code.co_firstlineno}," if code else ""
    why = f"# `{name}`{at} cannot be imported: it is found in this process only\n" if place is None else ""
    get = "compiled" if jit else "bound"
    return f'{why}from srcdiff.custom import {get}\n\n{name} = {get}("{name}")'
