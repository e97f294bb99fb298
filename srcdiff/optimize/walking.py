"""The forward walk that most passes share: rewrite each statement, knowing what still holds.

Identity is kept: where nothing changes, the same blocks and the same program
come back, so a pass that has nothing to do costs one walk.
"""

from __future__ import annotations

from srcdiff.analysis.uses import Stamps, changed
from srcdiff.syntax import Atom, For, If, Program, Stmt, Var, While, atoms_of, blocks_of, defined, with_blocks

__all__ = ["Forward", "map_blocks", "replace_blocks", "touched"]


class Forward:
    """Walk a program forwards and rewrite it.

    Subclasses define `simple` (a statement without blocks: what replaces it)
    and may define `header` (a loop or branch, at the point where it reads its atoms).
    """

    def __init__(self, program: Program):
        self.program, self.types = program, program.types
        self.stamps = Stamps()
        self.depth = 0                  # how many loops and branches surround the statement

    def simple(self, stmt: Stmt) -> Stmt | tuple[Stmt, ...]:
        return stmt

    def header(self, stmt: Stmt) -> Stmt:
        return stmt

    def type_of(self, atom: Atom):
        return self.program.type_of(atom)

    def stamped(self, atom: Atom):
        """Return a key that two reads of an atom share only if they give the same value."""
        return (atom.name, self.stamps[atom.name]) if isinstance(atom, Var) else atom

    # -- the walk -------------------------------------------------------------------

    def run(self) -> Program:
        body = self.block(self.program.body)
        return self.program if body is self.program.body else self.program.with_body(body)

    def block(self, body) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        same = True
        for stmt in body:
            new = self.nest(stmt) if isinstance(stmt, For | While | If) else self.simple(stmt)
            same = same and new is stmt
            if isinstance(new, tuple):
                out.extend(new)
            else:
                out.append(new)
        return body if same else tuple(out)

    def nest(self, stmt: Stmt) -> Stmt:
        self.depth += 1
        match stmt:
            case For(var=var, body=body):
                stmt = self.header(stmt)
                self.stamps.bump(var, *changed(body))
                blocks = (self.isolated(body),)
            case While(test=test, body=body):
                self.stamps.bump(*changed(test, body))
                test = self.block(test)
                stmt = self.header(stmt)            # the condition is read after the test
                blocks = (test, self.branch(stmt, body, True))
            case If(then=then, orelse=orelse):
                stmt = self.header(stmt)
                blocks = (self.branch(stmt, then, True), self.branch(stmt, orelse, False))
                self.stamps.bump(*changed(then, orelse))
        self.depth -= 1
        return replace_blocks(stmt, blocks)

    def branch(self, stmt: If | While, body, outcome: bool) -> tuple[Stmt, ...]:
        """Walk a block that runs where the condition of `stmt` has this outcome."""
        return self.isolated(body)

    def isolated(self, body) -> tuple[Stmt, ...]:
        """Walk a block after which what it changed counts as it did before."""
        saved = self.stamps.save(changed(body))
        body = self.block(body)
        self.stamps.restore(saved)
        return body

    def assigned(self, stmt: Stmt) -> None:
        """Note what a simple statement changes; `simple` calls it at the right moment."""
        name = defined(stmt)
        if name is not None:
            self.stamps.bump(name)


def replace_blocks(stmt: Stmt, blocks) -> Stmt:
    """Return `stmt` with these blocks; `stmt` itself where they are the blocks it has."""
    same = all(new is old for new, old in zip(blocks, blocks_of(stmt), strict=True))
    return stmt if same else with_blocks(stmt, blocks)


def map_blocks(program: Program, change) -> Program:
    """Apply ``change(block) -> block`` to every block, inner ones first, keeping identity."""
    def block(body):
        new = tuple(replace_blocks(s, tuple(map(block, blocks_of(s)))) for s in body)
        return change(body if all(a is b for a, b in zip(new, body, strict=True)) else new)

    body = block(program.body)
    return program if body is program.body else program.with_body(body)


def touched(stmt: Stmt) -> list[str | None]:
    """Return what a statement itself, without its blocks, reads or changes; to measure an array is nothing."""
    measures = getattr(stmt, "op", None) == "size"
    return [defined(stmt), *(a.name for a in atoms_of(stmt) if isinstance(a, Var) and not measures)]
