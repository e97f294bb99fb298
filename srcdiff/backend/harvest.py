"""Numba's own type inference, without generating machine code.

The compiler pipeline is stopped after typing.  This relies on parts of Numba
that are documented for experts only; they stand in this one module, `works`
tests them, and full compilation is the fallback.  Programs compute their types
themselves (`srcdiff.primitives.infer`); this is for checking them.
"""

from __future__ import annotations

import contextlib
import functools

from numba import njit, types
from numba.core import compiler, errors, ir, typing
from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import FunctionPass, PassManager, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.registry import cpu_target
from numba.core.typed_passes import NopythonTypeInference

from srcdiff.errors import VerifyError
from srcdiff.printing import to_source
from srcdiff.syntax import Array, Program, Scalar

__all__ = ["check", "harvest", "harvest_by_compiling", "numba_type", "numba_types", "works"]


class _Typed(Exception):
    """Carries the result out of Numba's pipeline."""

    def __init__(self, variables, return_type):
        super().__init__("typed")
        self.variables, self.return_type = variables, return_type


def _variables(func_ir, typemap):
    """Return the set of types of each named variable, its versions taken together."""
    found: dict[str, set] = {}
    for block in func_ir.blocks.values():
        for stmt in block.body:
            if isinstance(stmt, ir.Assign) and not stmt.target.unversioned_name.startswith("$"):
                type_ = types.unliteral(typemap[stmt.target.name])
                found.setdefault(stmt.target.unversioned_name, set()).add(type_)
    return found


@register_pass(mutates_CFG=False, analysis_only=True)
class _StopAfterTyping(FunctionPass):
    _name = "srcdiff_stop_after_typing"

    def __init__(self):
        FunctionPass.__init__(self)

    def run_pass(self, state):
        raise _Typed(_variables(state.func_ir, state.typemap), state.return_type)


class _TypeOnly(CompilerBase):
    def define_pipelines(self):
        manager = PassManager("srcdiff_types")
        manager.passes.extend(DefaultPassBuilder.define_untyped_pipeline(self.state).passes)
        manager.add_pass(NopythonTypeInference, "type inference")
        manager.add_pass(_StopAfterTyping, "stop")
        manager.finalize()
        return [manager]


def _typed(function, args, locals_=()):
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    flags = Flags()
    flags.nrt = True
    flags.error_model = "numpy"
    try:
        compiler.compile_extra(cpu_target.typing_context, cpu_target.target_context, function, tuple(args),
                               None, flags, dict(locals_), pipeline_class=_TypeOnly)
    except _Typed as typed:
        return typed
    raise RuntimeError("Numba's pipeline did not stop after typing")


# -- callees -----------------------------------------------------------------------------
#    Typing a call of a jitted function, or of most of NumPy, compiles the callee.
#    For the time of a harvest callees are typed in the same way instead.

class _Callees:
    def __init__(self):
        self.known: dict = {}
        self.active: list = []

    def signature(self, dispatcher, args):
        key = dispatcher, args
        if key not in self.known:
            self.active.append(key)
            try:
                typed = _typed(dispatcher.py_func, args, dispatcher._compiler.locals)
            finally:
                self.active.pop()
            self.known[key] = typing.signature(typed.return_type, *args)
        return self.known[key]


@contextlib.contextmanager
def _type_only():
    template, overload = Dispatcher.get_call_template, Dispatcher.get_overload
    callees = _Callees()

    def get_call_template(self, args, kws):
        pysig, folded = self._compiler.fold_argument_types(args, kws)
        folded = tuple(folded)
        if folded in self.overloads or (self, folded) in callees.active or not self._can_compile:
            return template(self, args, kws)
        signature = callees.signature(self, folded)
        name = self.py_func.__name__
        return typing.make_concrete_template(name, key=name, signatures=[signature]), pysig, folded, {}

    def get_overload(self, signature):
        try:
            return overload(self, signature)
        except KeyError:
            return object()             # stands for an entry point that is never called

    Dispatcher.get_call_template, Dispatcher.get_overload = get_call_template, get_overload
    try:
        yield
    finally:
        Dispatcher.get_call_template, Dispatcher.get_overload = template, overload


# -- what is offered -----------------------------------------------------------------------

def harvest(function, args) -> dict[str, set]:
    """Return the types that Numba infers for each variable of a Python function.

    Parameters
    ----------
    function
        A plain function; its globals may be dispatchers.
    args
        Numba's types of the arguments.

    Raises
    ------
    numba.core.errors.NumbaError
        Where Numba cannot type the function.
    """
    if not works():
        return harvest_by_compiling(function, args)
    return _harvest(function, args)


def _harvest(function, args):
    with global_compiler_lock:          # the patch of the dispatcher is process-wide
        try:
            with _type_only():
                return _typed(function, args).variables
        except errors.NumbaError:       # recursion, and what else needs compiled callees
            return _typed(function, args).variables


def harvest_by_compiling(function, args) -> dict[str, set]:
    """Return the same by full compilation: slow, but with documented parts only."""
    dispatcher = njit(error_model="numpy")(function)
    dispatcher.compile(tuple(args))
    annotation = dispatcher.overloads[tuple(args)].type_annotation
    found: dict[str, set] = {}
    for name, type_ in annotation.typemap.items():
        stem = name.split(".")[0]
        if stem.isidentifier() and stem not in ("arg",):
            found.setdefault(stem, set()).add(types.unliteral(type_))
    return found


@functools.cache
def works() -> bool:
    """Tell whether this version of Numba can be stopped after typing."""
    def sample(x):
        y = x + 1.0
        return y
    try:
        return _harvest(sample, (types.int64,)).get("y") == {types.float64}
    except Exception:                   # whatever another version of Numba raises
        return False


def numba_types(source: str, args, name: str | None = None) -> dict[str, set]:
    """Return the types of the variables of a printed module's function.

    Parameters
    ----------
    source
        The text of a module.
    args
        Numba's types of the arguments.
    name
        The function; the last one of the module if not given.
    """
    namespace: dict = {"__name__": "srcdiff_harvest"}
    exec(compile(source, "<srcdiff harvest>", "exec", dont_inherit=True), namespace)
    functions = [v for v in namespace.values() if getattr(v, "__module__", "") == "srcdiff_harvest"]
    wanted = namespace[name] if name else functions[-1]
    for function in functions:
        if function is not wanted:
            namespace[function.__name__] = njit(error_model="numpy")(function)
    return harvest(wanted, args)


# -- comparing with our own types ---------------------------------------------------------

def numba_type(type_):
    """Return Numba's type of a parameter: a C-contiguous array or a number."""
    scalar = types.boolean if type_.dtype == "bool" else getattr(types, type_.dtype)
    return types.Array(scalar, type_.ndim, "C") if isinstance(type_, Array) else scalar


def _own(type_):
    """Return our type for one of Numba's, None for anything else (tuples, functions)."""
    if isinstance(type_, types.Array):
        return Array(_dtype(type_.dtype), type_.ndim)
    if isinstance(type_, types.Number | types.Boolean):
        return Scalar(_dtype(type_))
    return None


def _dtype(type_):
    return "bool" if isinstance(type_, types.Boolean) else str(type_)


def check(program: Program) -> dict[str, set]:
    """Compare the types of a program's variables with those that Numba infers.

    A variable may begin as an integer where Numba splits it into versions; in
    the end its widest type must be the declared one.

    Returns
    -------
    dict
        Per variable that stands in the text, Numba's types as ours.

    Raises
    ------
    VerifyError
        With the first variable whose rank or dtype differs.
    """
    source = to_source(program, renamed=False)
    seen = numba_types(source, [numba_type(p.type) for p in program.params], program.name)
    found = {}
    for name, inferred in sorted(seen.items()):
        own = {_own(t) for t in inferred} - {None}
        if name not in program.types or not own:
            continue
        declared = program.types[name]
        plain = Scalar(declared.dtype) if isinstance(declared, Scalar) else declared
        if plain not in own:
            raise VerifyError(f"{name} is declared {declared}, Numba infers {', '.join(map(str, own))}")
        found[name] = own
    return found
