"""The one family of exceptions, and where in the user's source they point.

Every error of the package derives from `SrcdiffError` and from the built-in
exception that people would catch (`TypeError`, `ValueError`, ...).  A message
has four parts: what is wrong, the user's line with a caret, why it matters,
and what to do.  Codes are stable: once published, a code keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from numpy.linalg import LinAlgError

__all__ = [
    "ArgumentError",
    "CheckError",
    "CompileError",
    "DeviceError",
    "IndexOutOfRangeError",
    "IntegerPowerError",
    "LinearAlgebraError",
    "MemoryBudgetError",
    "NoSourceError",
    "NoValueError",
    "NotScalarError",
    "Problem",
    "RuleError",
    "ShapeError",
    "SrcdiffError",
    "UnsupportedError",
    "VerifyError",
    "Where",
]


@dataclass(frozen=True)
class Where:
    """A place in the user's source.

    `line` is the 1-based line in `file`; `column` and `end_column` are 0-based
    offsets into `text`, the full source line without its newline.  `any_order`
    marks what adds to a sum whose order is nobody's: `np.sum`, an adjoint;
    `of_differential` the division of a differential, whose last place is nobody's.
    """

    file: str = "<unknown>"
    line: int = 0
    column: int = 0
    end_column: int = 0
    text: str = ""
    function: str = ""
    any_order: bool = field(default=False, compare=False, repr=False)
    of_differential: bool = field(default=False, compare=False, repr=False)

    def excerpt(self) -> str:
        """Return the arrow, the line and the caret, as shown in every message."""
        if not self.line:
            return ""
        number = str(self.line)
        gutter = " " * len(number)
        head = f"  --> {self.file}:{self.line}"
        if self.function:
            head += f", in {self.function}"
        if not self.text.strip():
            return head
        width = max(1, self.end_column - self.column)
        width = min(width, max(1, len(self.text) - self.column))
        caret = " " * self.column + "^" * width
        return f"{head}\n   {number} | {self.text}\n   {gutter} | {caret}"


NOWHERE = Where()


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: its code, its place, the reason and the way out."""

    code: str
    what: str
    where: Where = NOWHERE
    why: str = ""
    fix: str = ""

    def render(self) -> str:
        lines = [self.what]
        if excerpt := self.where.excerpt():
            lines.append(excerpt)
        if self.why:
            lines.append(f"  why:  {self.why}")
        if self.fix:
            lines.append(f"  fix:  {self.fix}")
        return "\n".join(lines)


class SrcdiffError(Exception):
    """Base of every error that the package raises on purpose.

    Parameters
    ----------
    problems
        One `Problem`, several, or a bare message.
    """

    code = "SD0000"

    def __init__(self, problems: Problem | Sequence[Problem] | str):
        if isinstance(problems, str):
            problems = Problem(self.code, problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self._message())

    def _message(self) -> str:
        rendered = [f"[{p.code}] {p.render()}" for p in self.problems]
        if len(rendered) == 1:
            return rendered[0]
        return f"{len(rendered)} problems:\n\n" + "\n\n".join(rendered)

    def __reduce__(self):
        return type(self), (self.problems,)

    def placed(self, where: Where) -> SrcdiffError:
        """Return the same error; what has no place in it is said to be at `where`."""
        if all(problem.where.line for problem in self.problems):
            return self
        return type(self)([p if p.where.line else replace(p, where=where) for p in self.problems])


class UnsupportedError(SrcdiffError, NotImplementedError):
    """The function uses something whose derivative cannot be proved right."""

    code = "SD0200"


class NoSourceError(SrcdiffError, OSError):
    """The source text of a function cannot be found."""

    code = "SD0100"


class ArgumentError(SrcdiffError, TypeError):
    """An argument has the wrong type, or an argnum names no argument."""

    code = "SD0300"


class ShapeError(SrcdiffError, ValueError):
    """A tangent, cotangent or seed does not have the shape of its primal."""

    code = "SD0310"


class IndexOutOfRangeError(SrcdiffError, IndexError):
    """An index of the user's function is past the end of its axis."""

    code = "SD0343"


class NoValueError(SrcdiffError, TypeError):
    """A name or a result is None, on the path taken, where a value is needed."""

    code = "SD0357"


class IntegerPowerError(SrcdiffError, ValueError):
    """An integer has a negative integer exponent, which NumPy refuses and Python answers with a float."""

    code = "SD0359"
    fix = "make the base a float: float(a) ** b, or a.astype(float) ** b"


class LinearAlgebraError(SrcdiffError, LinAlgError):
    """A matrix that NumPy's linear algebra refuses: singular, not square, not positive definite, not finite."""

    code = "SD0349"


class MemoryBudgetError(SrcdiffError, MemoryError):
    """A loop needs more memory than `memory=` allows, however many iterations are run again."""

    code = "SD0344"


class NotScalarError(SrcdiffError, TypeError):
    """`grad` of a function whose value is not one real number."""

    code = "SD0320"


class CheckError(SrcdiffError, AssertionError):
    """`f.check` found a derivative that disagrees with its oracle."""

    code = "SD0400"


class CompileError(SrcdiffError, RuntimeError):
    """Numba cannot compile the generated code."""

    code = "SD0500"


class DeviceError(SrcdiffError, RuntimeError):
    """There is no GPU to run on, or it cannot take what it is given."""

    code = "SD0510"


class RuleError(SrcdiffError, ValueError):
    """A rule is not linear in its differentials, or is otherwise malformed."""

    code = "SD0600"


class VerifyError(SrcdiffError, AssertionError):
    """A pass left a program that violates the grammar; the pass is named."""

    code = "SD0900"
