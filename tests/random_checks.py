"""What must hold of the derivatives of any program; used on random ones.

``python -m tests.random_checks FIRST COUNT`` checks many and prints what fails.
"""

from __future__ import annotations

import copy
import sys
import traceback
import warnings
from collections import Counter

import numpy as np

from srcdiff import compiler
from srcdiff.backend import compile_program
from srcdiff.errors import NotScalarError, UnsupportedError
from srcdiff.lower import lower
from srcdiff.notation import run as interpreted
from srcdiff.optimize import optimize
from srcdiff.reverse import adjoint
from srcdiff.sample_blocks import sample_blocks
from srcdiff.samples import samples
from srcdiff.schedule import Within
from srcdiff.steady import steady
from srcdiff.vectorize import batched_results, vectorize
from srcdiff.verify import verify
from tests.modes import Modes, flatten
from tests.oracle import differences, flat, inner
from tests.random_programs import Generated, load

__all__ = ["Failure", "check", "check_compiled", "check_halves", "check_memory", "check_samples", "check_second",
           "check_vectorized"]

LIMIT = 1e4     # programs with larger values are passed over: differences cannot be trusted


class Failure(AssertionError):
    """A derivative is wrong."""


def python(program, *args):
    """Run a program as generated Python."""
    args = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    results = compile_program(program, target="python")(*args)
    return results if len(results) != 1 else results[0]


def compiled(program, *args):
    results = compile_program(lower(optimize(program)), target="numba")(*args)
    return results if len(results) != 1 else results[0]


def sound(program):
    verify(program)
    return program


def close(what: str, got, expected, rtol=1e-10, atol=1e-11, errors=None):
    if len(got) != len(expected):
        raise Failure(f"{what}: {len(got)} results instead of {len(expected)}")
    for position, (g, e) in enumerate(zip(got, expected, strict=True)):
        if np.shape(g) != np.shape(e):
            raise Failure(f"{what}: result {position} has shape {np.shape(g)}, not {np.shape(e)}")
        slack = atol + (0.0 if errors is None else 20 * errors[position])
        scale = np.max(np.abs(e), initial=0.0)
        if not np.allclose(g, e, rtol=rtol, atol=slack + rtol * scale, equal_nan=False):
            raise Failure(f"{what}: result {position} is\n{g}\nnot\n{e}")


class Case(Modes):
    """One random function: its values, and its derivative programs, each verified."""

    def __init__(self, generated: Generated):
        super().__init__(generated.function, generated.args, sound)
        self.seed, self.text = generated.seed, generated.text

    def values(self, args=None) -> tuple:
        """Return what the function returns, or the arrays it may write where it returns nothing."""
        given = copy.deepcopy(self.args if args is None else args)
        value = self.function(*given)
        if value is None:
            return tuple(given[k] for k in self.special.written)
        return tuple(copy.deepcopy(flatten(value)))

    def moved(self, direction, h) -> tuple:
        args = list(self.args)
        for position, d in zip(self.positions, direction, strict=True):
            args[position] = args[position] + h * d
        return self.values(args)

    def oracle(self, direction):
        """Return differences, or None where they cannot be trusted: a kink or a branch is near."""
        pairs = differences(lambda h: self.moved(direction, h), (0.0,), (1.0,))
        ahead, at, behind = (self.moved(direction, h) for h in (1e-5, 0.0, -1e-5))
        bends = [np.abs(np.asarray(a, float) - 2 * np.asarray(b, float) + c)
                 for a, b, c in zip(ahead, at, behind, strict=True)]
        if not all(np.all(bend < 1e-8) for bend in bends):
            return None
        return pairs if precise(pairs) else None


def precise(pairs) -> bool:
    return all(np.all(error < 1e-5 * (1 + np.max(np.abs(e), initial=0.0))) for e, error in pairs)


def judged(case: Case) -> bool:
    """Tell whether the values of a program can be judged at all."""
    try:
        values = case.values()
        near = case.moved(case.directions(np.random.default_rng(case.seed)), 1e-13)
    except (OverflowError, ZeroDivisionError, ValueError, IndexError, NotScalarError):
        return False                # the function itself fails there, or asks for the slope of an integer
    if not all(np.allclose(a, b, rtol=1e-9, atol=1e-10) for a, b in zip(near, values, strict=True)):
        return False                # rounding errors grow: no two ways of computing agree
    return bool(case.active and case.outputs
                and all(np.all(np.abs(np.asarray(v, float)) < LIMIT) for v in values))


def check(case: Case) -> str:
    """Check primal, tangent and adjoint; says whether there were differences to compare with."""
    rng = np.random.default_rng(case.seed + 1)
    expected = case.values()
    close("primal", case.call(sound(case.program)), expected)
    direction = case.directions(rng)
    tangents = case.jvp(direction)
    cotangents = case.random(rng, [expected[i] for i in case.outputs])
    adjoints = case.vjp(cotangents)
    for name, a, position in zip(case.active, adjoints, case.positions, strict=True):
        if np.shape(a) != np.shape(case.args[position]):
            raise Failure(f"adjoint of {name} has shape {np.shape(a)}")
    left = inner(cotangents, [tangents[i] for i in case.outputs])
    right = inner(adjoints, direction)
    size = sum(np.sum(np.abs(a * d)) for a, d in zip(adjoints, direction, strict=True))
    if not abs(left - right) <= 1e-11 * max(size, abs(left), 1.0):
        raise Failure(f"<w, Jv> = {left!r}, <J'w, v> = {right!r}")
    pairs = case.oracle(direction)
    if pairs is not None:
        close("tangent", tangents, [p[0] for p in pairs], 1e-6, 1e-8, [np.max(p[1], initial=0.0) for p in pairs])
    return "checked" if pairs is not None else "not smooth"


def check_optimised(case: Case):
    """Optimised programs give what the plain ones give."""
    rng = np.random.default_rng(case.seed + 6)
    direction = case.directions(rng)
    cotangents = case.random(rng, [case.values()[i] for i in case.outputs])
    for name, program, more in (("tangent", case.tangent_program(), direction),
                                ("adjoint", case.adjoint_program(), cotangents)):
        better = case.remembered(f"optimised {name}", lambda program=program: optimize(program))
        close(f"optimised {name}", case.call(better, *more), case.call(program, *more), 1e-12, 1e-12)


def check_lowered(case: Case):
    """Lowered programs, printed and run as Python, give what the interpreted ones give."""
    rng = np.random.default_rng(case.seed + 5)
    direction = case.directions(rng)
    cotangents = case.random(rng, [case.values()[i] for i in case.outputs])
    for name, program, more in (("tangent", case.tangent_program(), direction),
                                ("adjoint", case.adjoint_program(), cotangents)):
        values = case.call(program, *more)
        close(f"printed {name}", flat(python(program, *case.inputs, *more)), values, 1e-12, 1e-12)
        better = case.remembered(f"optimised {name}", lambda program=program: optimize(program))
        lowered = sound(lower(better))
        close(f"lowered {name}", flat(python(lowered, *case.inputs, *more)), values, 1e-11, 1e-11)
        try:
            got = case.call(sound(lower(better, stretch=False)), *more)
        except ValueError as error:
            if "SD0340" not in str(error):
                raise
        else:
            close(f"tight {name}", got, values, 1e-11, 1e-11)


def check_second(case: Case):
    """Check forward and reverse over reverse, the latter also optimised and lowered."""
    rng = np.random.default_rng(case.seed + 2)
    direction = case.directions(rng)
    results = case.call(case.program)
    cotangents = case.random(rng, [results[i] for i in case.outputs])
    forward, reverse = case.second_order(cotangents, direction)
    close("reverse over reverse", reverse, forward, 1e-8, 1e-9)
    pairs = case.second_oracle(cotangents, direction)
    if case.oracle(direction) is not None and precise(pairs):
        close("second order", forward, [p[0] for p in pairs], 1e-5, 1e-6,
              [np.max(p[1], initial=0.0) for p in pairs])
    for name, program, own in zip(("forward", "reverse"), case.second_programs(), (forward, reverse), strict=True):
        better = case.remembered(f"optimised {name} over reverse", lambda program=program: optimize(program))
        lowered = case.remembered(f"lowered {name} over reverse", lambda better=better: lower(better))
        for what, run in (("optimised", better), ("lowered", lowered)):
            close(f"{what} {name} over reverse", case.call(run, *cotangents, *direction)[-len(own):], own, 1e-9, 1e-10)


def check_vectorized(case: Case):
    """Many tangents and cotangents together equal one at a time."""
    rng = np.random.default_rng(case.seed + 3)
    results = case.call(case.program)
    likes = ([case.args[i] for i in case.positions], [results[i] for i in case.outputs])
    for what, program, like, axis in zip(
            ("tangents", "adjoints"), (case.tangent_program(), case.adjoint_program()), likes, (-1, 0), strict=True):
        names = [p.name for p in program.params[len(case.program.params):]]
        many = [case.random(rng, like) for _ in range(3)]
        together = sound(vectorize(program, frozenset(names), axis))
        seeds = [np.stack(parts, axis) for parts in zip(*many, strict=True)]
        single = [case.call(program, *one) for one in many]
        flags = batched_results(program, frozenset(names))
        expected = [np.stack(parts, axis) if flag else parts[0]
                    for flag, parts in zip(flags, zip(*single, strict=True), strict=True)]
        better = optimize(together)
        close(f"vectorized {what}", case.call(together, *seeds), expected)
        close(f"optimised vectorized {what}", case.call(sound(better), *seeds), expected)
        close(f"lowered vectorized {what}", case.call(sound(lower(better)), *seeds), expected)


def within_least_memory(case: Case, program, cotangents):
    """Return the adjoint program with the smallest memory budget that it accepts, and its results; None if it refuses any."""
    memory = 1
    while True:
        budgeted = adjoint(program, case.active, memory=memory)
        try:
            return budgeted, case.call(sound(budgeted), *cotangents)
        except ValueError as error:
            if "SD0345" in str(error):          # a list that grows: said when the loop runs
                return None
            if "SD0344" not in str(error):
                raise
            _, allowed, needed = error.args
            memory = 2 * memory + needed - allowed


def check_memory(case: Case):
    """With the smallest memory budgets the adjoints are the same; where no loop keeps anything, so is the program."""
    rng = np.random.default_rng(case.seed + 7)
    cotangents = case.random(rng, [case.values()[i] for i in case.outputs])
    program = optimize(case.program)
    expected = case.call(adjoint(program, case.active), *cotangents)
    least = within_least_memory(case, program, cotangents)
    if least is None:
        return
    budgeted, found = least
    close("budgeted adjoint", found, expected, 1e-12, 1e-12)
    deeper = sound(adjoint(program, case.active, memory=Within(10**9, 1 + case.seed % 2)))
    close("unfolded adjoint", case.call(deeper, *cotangents), expected, 1e-12, 1e-12)
    better = optimize(budgeted)
    close("optimised budgeted adjoint", case.call(sound(better), *cotangents), expected, 1e-11, 1e-11)
    close("lowered budgeted adjoint", case.call(sound(lower(better)), *cotangents), expected, 1e-11, 1e-11)


def tuple_of(results) -> tuple:
    return results if isinstance(results, tuple) else (results,)


def check_halves(case: Case):
    """The forward sweep alone, then the reverse sweep from what it has kept, give the adjoints; as often as asked."""
    rng = np.random.default_rng(case.seed + 8)
    cotangents = case.random(rng, [case.values()[i] for i in case.outputs])
    expected = case.call(case.adjoint_program(), *cotangents)
    first, second = map(sound, compiler.pullback_halves(case.program, case.active, tuple(case.outputs)))
    given = copy.deepcopy(case.inputs)
    n = len(case.program.results)
    values = tuple_of(interpreted(first, *given))
    close("forward half", values[:n], expected[:n], 1e-12, 1e-12)
    for _ in range(2):
        close("reverse half", tuple_of(interpreted(second, *case.args, *values[n:], *cotangents)), expected[n:], 1e-11, 1e-11)


def check_compiled(case: Case):
    """The compiled adjoint equals the interpreted one."""
    rng = np.random.default_rng(case.seed + 4)
    results = case.call(case.program)
    cotangents = case.random(rng, [results[i] for i in case.outputs])
    program = case.adjoint_program()
    expected = case.call(program, *cotangents)
    close("compiled", flat(compiled(program, *case.inputs, *cotangents)), expected)


def check_steady(case: Case):
    """Where arrays keep their shapes, code that takes them to do so gives what other code gives."""
    optimised = optimize(case.program)
    program = steady(optimised)
    if program is optimised:
        return
    rng = np.random.default_rng(case.seed + 9)
    cotangents = case.random(rng, [case.call(case.program)[i] for i in case.outputs])
    along = sound(lower(optimize(sound(adjoint(sound(program), case.active))), stretch=False))
    try:
        got = case.call(along, *cotangents)
    except ValueError as error:
        if "SD0340" not in str(error):
            raise
        return
    close("steady adjoint", got, case.call(case.adjoint_program(), *cotangents))


def check_samples(case: Case):
    """A loop over samples gives what one sample after the other gives."""
    rng = np.random.default_rng(case.seed + 8)
    many = [tuple(a + 1e-3 * d for a, d in zip((case.args[i] for i in case.positions), case.directions(rng), strict=True))
            for _ in range(3)]
    single = []
    for sample in many:
        inputs = list(case.inputs)
        for position, value in zip(case.positions, sample, strict=True):
            inputs[position] = value
        single.append(flat(case.execute(case.program, *inputs)))
    in_axes = tuple(0 if k in case.positions else None for k in range(len(case.inputs)))
    together = sound(samples(case.program, in_axes, (0,) * len(case.program.results)))
    stacked = list(case.inputs)
    for position, values in zip(case.positions, zip(*many, strict=True), strict=True):
        stacked[position] = np.stack(values)
    expected = [np.stack(v) for v in zip(*single, strict=True)]
    close("samples", flat(case.execute(together, *stacked)), expected)
    blocks = sample_blocks(case.program, in_axes, (0,) * len(case.program.results), size=2)
    if blocks is not None:
        close("samples side by side", flat(case.execute(sound(blocks), *stacked)), expected)
        close("lowered samples side by side", flat(case.execute(sound(lower(optimize(blocks))), *stacked)), expected)
        check_adjoint_samples(case, rng, in_axes, stacked)


def check_adjoint_samples(case: Case, rng, in_axes, stacked):
    """Adjoints of samples side by side are those of one sample after the other."""
    program = case.adjoint_program()
    seeds = [case.random(rng, [case.call(case.program)[i] for i in case.outputs]) for _ in range(3)]
    stacked = [*stacked, *(np.stack(v) for v in zip(*seeds, strict=True))]
    in_axes, out_axes = (*in_axes, *[0] * len(seeds[0])), (0,) * len(program.results)
    blocks = sample_blocks(program, in_axes, out_axes, size=2)
    if blocks is not None:
        single = flat(case.execute(samples(program, in_axes, out_axes), *stacked))
        close("adjoints side by side", flat(case.execute(sound(optimize(blocks)), *stacked)), single)


SHARES = {check_optimised: 3, check_second: 10, check_vectorized: 10, check_lowered: 4, check_memory: 2,
          check_samples: 12, check_halves: 3, check_steady: 4}


def one(seed: int, counts: Counter, shares=SHARES) -> str | None:
    """Check one seed and count what became of it; return a report of what failed."""
    with np.errstate(all="ignore"):
        try:
            case = Case(load(seed))
            if not judged(case):
                counts["passed over"] += 1
                return None
            counts[check(case)] += 1
            for more, period in shares.items():
                if seed % period == 0:
                    more(case)
                    counts[more.__name__] += 1
        except (UnsupportedError, NotScalarError) as error:
            problem = error.problems[0]
            counts[f"refused {problem.code} {problem.what[:90]}"] += 1
            if not problem.where.line:
                return f"a refusal without a line: {error}"
        except Failure as error:
            return str(error)
        except Exception:
            return traceback.format_exc(limit=-4)
    return None


def main(first: int, count: int):
    from tests.random_api import SHARES as OF_THE_API
    warnings.simplefilter("ignore")
    counts: Counter = Counter()
    for seed in range(first, first + count):
        report = one(seed, counts, SHARES | OF_THE_API)
        counts["programs"] += 1
        if report:
            counts["failed"] += 1
            print(f"=== seed {seed}: {report}", flush=True)
        if counts["programs"] % 500 == 0 or seed == first + count - 1:
            print(f"--- up to seed {seed}")
            for what, number in counts.most_common():
                print(f"{number:7d}  {what}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
