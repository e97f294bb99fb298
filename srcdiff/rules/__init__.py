"""The derivative of each operation, stated once.

Each operation of `srcdiff.primitives` has at most one rule, a row of one of the
tables `elementwise`, `reductions`, `contractions`, `structure`, `complex_plane`.  Forward mode,
reverse mode and the values that must be kept are derived from the row.  An
operation without a row has no known derivative and is refused where it is used
on an active value.
"""

from srcdiff.rules import complex_plane, contractions, elementwise, reductions, structure
from srcdiff.rules.rule import Rule
from srcdiff.rules.table import RULES

__all__ = ["RULES", "Rule", "complex_plane", "contractions", "elementwise", "reductions", "structure"]
