"""A loop around long loops as one loop, so that checkpoints can be taken inside its iterations.

Checkpoints are taken between the iterations of a loop (`checkpoints`), so one iteration must fit the budget.
Where a short loop stands around long ones it does not.  Then the loops become one,
which runs one iteration of an inner loop at a time, and one more to get from an inner loop to
what follows; `stage` counts the inner loops, 0 stands for what is in front of the first of them:

>>> from srcdiff.notation import read, show
>>> program = read('''
... def f(x: "float64", n: "weak int64"):
...     y = copy(x)
...     for i in range(0, 3, 1):
...         y = multiply(y, x)
...         for t in range(0, n, 1):
...             y = sin(y)
...     return y
... ''')
>>> outer = program.body[1]
>>> print(show(unfolded(program, {id(outer)}, {id(outer.body[1])})), end="")
def f(x: "float64", n: "weak int64"):
    y = copy(x)
    trips_2 = 0
    count_2 = 0
    stage = 0
    trips = trips(0, 3, 1)
    count = 0
    while True:
        more = less(count, trips)
        if not more:
            break
        at = equal(stage, 0)
        if at:
            i = copy(count)
            y = multiply(y, x)
            trips_2 = trips(0, n, 1)
            count_2 = 0
            stage = 1
        else:
            more_2 = less(count_2, trips_2)
            if more_2:
                t = copy(count_2)
                y = sin(y)
                count_2 = add(count_2, 1)
            else:
                stage = 0
                count = add(count, 1)
    return y

The states between all these iterations are the same variables.  One that an iteration of the
outer loop sets and uses itself is handed on too, and gets a value before the loop.
"""

from __future__ import annotations

from srcdiff.analysis.uses import changed, exposed
from srcdiff.builder import INT, Builder
from srcdiff.reverse.extents import KnownExtents, emit
from srcdiff.reverse.nodes import Node, Tree, assured
from srcdiff.syntax import Array, Atom, Const, For, Program, Scalar, Stmt, Var, While, with_blocks

__all__ = ["unfolded"]

ZERO, ONE = Const(0), Const(1)
BOOL = Scalar("bool")


def unfolded(program: Program, loops: set[int], inner: set[int]) -> Program:
    """Return `program` with some loops, given by their ids, and those of `inner` in their bodies as one loop each.

    A loop is left as it is where no inner loop stands in its body itself, or where
    an array would be handed on whose extents are not known before the loop.
    """
    return _Writer(program, loops, inner).run()


class _Writer:
    def __init__(self, program: Program, loops: set[int], inner: set[int]):
        self.program, self.loops, self.inner = program, loops, inner
        self.builder, self.tree = Builder(program.types), Tree(program)
        self.known = KnownExtents(program, self.tree)

    def run(self) -> Program:
        return self.program.with_body(self.block(self.tree.top, set(self.tree.params)), types=self.builder.types)

    def block(self, block, sure: set[str]) -> tuple[Stmt, ...]:
        """Return a block with its loops as one; the variables of `sure` have a value where it starts."""
        with self.builder.nested() as out:
            for node in block.nodes:
                if id(node.stmt) in self.loops and any(id(n.stmt) in self.inner for n in node.blocks[-1].nodes):
                    with self.builder.at(node.stmt.where):
                        self.loop(node, sure)
                elif id(node.stmt) in self.loops or not node.blocks:
                    self.builder.append(node.stmt)
                else:
                    index = {node.stmt.var} if isinstance(node.stmt, For) else set()
                    self.builder.append(with_blocks(node.stmt, [self.block(b, sure | index) for b in node.blocks]))
                sure |= assured([node])
        return tuple(out)

    # -- one loop ---------------------------------------------------------------------------------

    def loop(self, node: Node, sure: set[str]) -> None:
        """Append a loop and those in it as one, or as it is where that cannot be done."""
        builder, outer = self.builder, node.stmt
        stage, counter = builder.fresh("stage", INT), None
        with builder.nested() as before:
            builder.copy(stage, ZERO)
            if isinstance(outer, For):
                counter = _Counter(builder, outer)
                counter.start(builder)
        with builder.nested() as test:
            more = counter.more(builder) if counter else self.more(outer, stage)
        with builder.nested() as body:
            self.stages(outer, counter, stage)
        whole = While(tuple(test), more, tuple(body), outer.where)
        read = exposed((whole,)) | assured([node])      # what the test sets may be read behind the loop
        handed = [name for name in changed((whole,)) if name in read - sure - set(changed(before))]
        known = {name: self.known.sources(name, before=node) for name in handed if isinstance(builder.types[name], Array)}
        if None in known.values():
            builder.append(outer)
            return
        for name in handed:
            self.begin(name, known.get(name, ()))
        builder.append(*before, whole)

    def begin(self, name: str, sources) -> None:
        """Append what gives a variable a value, which nothing reads."""
        type_ = self.builder.types[name]
        if isinstance(type_, Array):
            self.builder.assign(name, "zeros", *emit(self.builder, sources), dtype=type_.dtype)
        else:
            self.builder.copy(name, Const({"b": False, "i": 0, "c": 0j}.get(type_.dtype[0], 0.0)))

    def more(self, outer: While, stage: str) -> Atom:
        """Append the test of an outer `while`, for where an iteration of it starts."""
        builder = self.builder
        more = builder.fresh("more", BOOL)
        at = builder.op("equal", Var(stage), ZERO, stem="at")
        with builder.nested() as first:
            builder.append(*outer.test)
            builder.copy(more, outer.condition)
        with builder.nested() as later:
            builder.copy(more, Const(True))
        builder.branch(at, first, later)
        return Var(more)

    def stages(self, outer: For | While, counter: _Counter | None, stage: str) -> None:
        """Append the branches: what is in front of the first inner loop, and each of these."""
        builder = self.builder
        pieces, inner = self.split(outer.body)
        counters = [_Counter(builder, loop) if isinstance(loop, For) else None for loop in inner]

        def go_on(number: int) -> None:
            """Append what follows an inner loop, up to the next one or to the end."""
            builder.append(*pieces[number])
            if number == len(inner):
                builder.copy(stage, ZERO)
                if counter:
                    counter.count_on(builder)
                return
            if counters[number]:
                counters[number].start(builder)
            builder.copy(stage, Const(number + 1))

        def one(number: int) -> None:
            if number == 0:
                if counter:
                    counter.index(builder)
                go_on(0)
                return
            loop, own = inner[number - 1], counters[number - 1]
            again = own.more(builder) if own else None
            if own is None:
                builder.append(*loop.test)
            with builder.nested() as then:
                if own:
                    own.index(builder)
                builder.append(*loop.body)
                if own:
                    own.count_on(builder)
            with builder.nested() as orelse:
                go_on(number)
            builder.branch(again or loop.condition, then, orelse)

        def from_(number: int) -> None:
            if number == len(inner):
                one(number)
                return
            at = builder.op("equal", Var(stage), Const(number), stem="at")
            with builder.nested() as here:
                one(number)
            with builder.nested() as further:
                from_(number + 1)
            builder.branch(at, here, further)

        from_(0)

    def split(self, body) -> tuple[list[list[Stmt]], list[For | While]]:
        """Take a body apart: what stands before, between and after the inner loops, and these."""
        pieces: list[list[Stmt]] = [[]]
        inner: list[For | While] = []
        for stmt in body:
            if id(stmt) in self.inner:
                inner.append(stmt)
                pieces.append([])
            else:
                pieces[-1].append(stmt)
        return pieces, inner


class _Counter:
    """The iterations of a `for` loop, counted by variables."""

    def __init__(self, builder: Builder, loop: For):
        self.loop = loop
        self.trips, self.count = builder.fresh("trips", INT), builder.fresh("count", INT)
        self.first, self.step = (Var(builder.fresh(stem, INT)) if isinstance(atom, Var) else atom
                                 for stem, atom in (("first", loop.start), ("step", loop.step)))

    def start(self, builder: Builder) -> None:
        """Append what is read once, before the first iteration."""
        for held, atom in ((self.first, self.loop.start), (self.step, self.loop.step)):
            if isinstance(held, Var):
                builder.copy(held.name, atom)
        builder.assign(self.trips, "trips", self.first, self.loop.stop, self.step)
        builder.copy(self.count, ZERO)

    def more(self, builder: Builder) -> Var:
        return builder.op("less", Var(self.count), Var(self.trips), stem="more")

    def index(self, builder: Builder) -> None:
        """Append what sets the index of an iteration."""
        number: Atom = Var(self.count)
        if self.step != ONE:
            number = builder.op("multiply", number, self.step, stem="k")
        builder.assign(self.loop.var, *(("copy", number) if self.first == ZERO else ("add", self.first, number)))

    def count_on(self, builder: Builder) -> None:
        builder.assign(self.count, "add", Var(self.count), ONE)
