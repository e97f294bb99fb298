"""Operations that cost more than a few loads: not done twice, and kept apart from what would stop their vectors."""

from __future__ import annotations

from srcdiff.syntax import Assign, Const, Stmt

__all__ = ["EXPENSIVE", "is_expensive"]

EXPENSIVE = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin",
             "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "erf",
             "erfc", "power", "cbrt", "arctan2", "hypot", "logaddexp"}
MOST_FACTORS = 4                # of a power that is written as products


def is_expensive(stmt: Stmt) -> bool:
    """Tell whether a statement is such an operation; a small whole power is a few multiplications."""
    if not isinstance(stmt, Assign) or stmt.op not in EXPENSIVE:
        return False
    match stmt.args:
        case (_, Const(value=int() as exponent)) if stmt.op == "power":
            return abs(exponent) > MOST_FACTORS
    return True
