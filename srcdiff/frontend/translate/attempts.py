"""Translate a statement in one way, and take that back where it fails."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Attempt"]


@dataclass
class Attempt:
    """What must be put back to try another translation of the same statement."""

    state: dict
    problems: int
    emitted: int
    shared: dict
    twins: dict
    kept: int = 1

    @staticmethod
    def of(t):
        return Attempt(dict(t.state), len(t.problems), len(t.builder.block), dict(t.shared),
                       {name: dict(others) for name, others in t.twins.items()})

    def undo(self, t):
        t.state = self.state
        del t.problems[self.problems:]
        del t.builder.block[self.emitted:]
        t.shared, t.twins = self.shared, self.twins
        t.loaded.clear()                # what was loaded there is gone
