"""One kernel: a lowered program, and what each of its threads does.

The last loop of the program, if it is given, runs with the number of threads as
its stride.  Each array has a place (`srcdiff.kernels.memory`), and what is raised
is a number in the status that the host reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from srcdiff import batches
from srcdiff.builder import INT, Builder
from srcdiff.errors import Problem, UnsupportedError
from srcdiff.kernels.counting import with_whiles
from srcdiff.kernels.helpers import DEVICE_HELPERS
from srcdiff.kernels.memory import OVERFLOW, Memory
from srcdiff.kernels.spelling import is_known
from srcdiff.primitives import PRIMITIVES
from srcdiff.syntax import Array, Assign, Atom, For, Param, Program, Raise, Stmt, Var, atoms_of, defined, walk

__all__ = ["WORDS", "Kernel", "kernel", "memory_of", "names_of", "require_device_code", "require_known", "without_unread"]

WORDS = frozenset({"cuda", "cmath", "status", "thread", "threads", *DEVICE_HELPERS, *batches.WORDS})


@dataclass(frozen=True)
class Kernel:
    """One kernel.

    Attributes
    ----------
    program
        Its statements; the parameters are those of the kernel, in order.
    roles
        What the host passes for each parameter: ``("count", "")``, ``("parts", n)`` (how many threads share
        a sample, at most n), ``("input", position)``,
        ``("given", name)``, ``("size", name)``, ``("result", position)``, ``("work", dtype)`` or
        ``("status", "")``.
    failures
        What the kernel can raise, by number.
    sample
        The variable that counts samples; "" where there is one thread.
    items
        How many there are, if that is known; else the host says how many samples.
    slots
        Of each workspace as many as are known to be needed, in the order of `work`.
    """

    program: Program
    roles: tuple[tuple[str, object], ...]
    failures: tuple[tuple[str, str], ...]
    sample: str
    items: int | None = None
    slots: tuple[int, ...] = ()

    @property
    def work(self) -> tuple[str, ...]:
        """The dtypes of the workspaces."""
        return tuple(what for role, what in self.roles if role == "work")


def require_device_code(program: Program) -> None:
    """Refuse functions with a rule of their own, which only the host can call."""
    own = [s for s in walk(program.body) if isinstance(s, Assign) and PRIMITIVES[s.op].opaque]
    if own:
        raise UnsupportedError([Problem(
            "SD0351", f"{s.op} is a function with a rule of its own; it does not run on the GPU", s.where,
            why="it is not plain Python, reads values from outside, or calls another such function",
            fix='write it in Python with its values as arguments, or use target="numba"') for s in own])


def names_of(atoms: Iterable[Atom]) -> set[str]:
    """Return the variables among some atoms."""
    return {a.name for a in atoms if isinstance(a, Var)}


def kernel(program: Program, roles, loop: For | None = None, after: Callable = lambda builder, thread: None,
           items: int | None = None, sample: str = "") -> Kernel:
    """Return a lowered program without results as a kernel.

    Parameters
    ----------
    roles
        Of its parameters, in order.
    loop
        Its last statement, over what the threads share.
    after
        Writes what each thread does after that.
    items, sample
        See `Kernel`; the sample is the variable of the loop, if it is not given.
    """
    require_known(program)
    builder = Builder(program.types)
    thread, threads = builder.fresh("thread", INT), builder.fresh("threads", INT)
    memory = Memory(replace(program, types=builder.types), thread)
    front = program.body[:-1] if loop else program.body
    memory.declare()
    for stmt in front:
        memory.statement(stmt)
    if loop:
        _strided(memory, program.body[-1], threads)
    b = memory.builder
    after(b, Var(thread))
    body = without_unread(b.take())
    raised = [(s.exception, s.message) for s in walk(body) if isinstance(s, Raise) and s.exception != OVERFLOW]
    passed = [*zip(program.params, roles, strict=True),
              *((Param(name, b.types[name]), ("work", dtype)) for dtype, name in memory.work.items())]
    if raised or memory.work:
        b.types["status"] = Array("int64", 1)
        passed.append((Param("status", b.types["status"]), ("status", "")))
    touched = _touched(body)
    passed = [(p, role) for p, role in passed if role[0] not in ("input", "given") or p.name in touched]
    params = (*(p for p, _ in passed), Param(thread, INT), Param(threads, INT))
    final = with_whiles(replace(program, params=params, body=body, results=(), types=b.types))
    return Kernel(final, tuple(role for _, role in passed), tuple(dict.fromkeys(raised)),
                  sample or (loop.var if loop else ""), items, tuple(memory.slots().values()))


def memory_of(kernel: Kernel) -> tuple[int, int]:
    """Return how much memory of its own a thread has: workspaces, and elements of local arrays."""
    local = (math.prod(a.value for a in s.args) for s in walk(kernel.program.body)
             if isinstance(s, Assign) and s.op == "empty")
    return len(kernel.work), sum(local)


def require_known(program: Program) -> None:
    """Refuse what no thread can compute: operations on numbers that only NumPy knows."""
    problems = []
    for stmt in walk(program.body):
        if isinstance(stmt, Assign) and PRIMITIVES[stmt.op].kind == "elementwise" and stmt.op not in ("cast", "weaken"):
            types = tuple(map(program.type_of, stmt.args))
            if not is_known(stmt.op, types, program.types[stmt.target]):
                problems.append(Problem(
                    "SD0351", f"{stmt.op} of {types[0].dtype} numbers does not run on the GPU", stmt.where,
                    why="neither CUDA's functions nor those of srcdiff have it",
                    fix='use target="numba", or write it with other functions'))
    if problems:
        raise UnsupportedError(list(dict.fromkeys(problems)))


def _strided(memory: Memory, loop: For, threads: str) -> None:
    """Write the loop of one thread over its samples."""
    b, sample = memory.builder, Var(loop.var)
    inside = {defined(s) for s in walk(loop.body)} & set(memory.columns)
    outside = {defined(s) for s in walk(memory.program.body[:-1])}
    bases = {dtype: b.op("copy", Var(memory.top(dtype)), stem="base") for dtype in memory.work}
    b.copy(loop.var, memory.thread)
    with b.nested() as test:
        busy = b.op("less", sample, loop.stop, stem="busy")
    with b.nested() as body:
        for dtype, base in bases.items():
            b.copy(memory.top(dtype), base)
        memory.forget(sorted(inside - outside))
        for stmt in loop.body:
            memory.statement(stmt)
        b.assign(loop.var, "add", sample, Var(threads))
    b.repeat(test, busy, body)


def without_unread(body, results=()) -> tuple[Stmt, ...]:
    """Return a block without the numbers that nobody reads."""
    read = {n for s in walk(body) for n in names_of(atoms_of(s))} | names_of(results)
    return tuple(s for s in body if not (isinstance(s, Assign) and s.target not in read and s.op != "empty"))


def _touched(body) -> set[str]:
    names = set()
    for stmt in walk(body):
        names |= names_of(atoms_of(stmt)) | {defined(stmt)}
    return names
