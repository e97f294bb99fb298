"""What the lowering of one statement needs: extents, access functions, loops, buffers.

A `Context` writes the lowered statements with a `Builder` and remembers which
scalar holds which extent, which variables are views that have no memory, and
which buffers exist already and can be filled again.
"""

from __future__ import annotations

from contextlib import contextmanager

from srcdiff.builder import INT, Builder
from srcdiff.lower.entry import equal_extents
from srcdiff.lower.extents import Extents
from srcdiff.lower.forms import ONE, at_least_zero, broadcast, equation, extent, substitute
from srcdiff.lower.views import Axis, Dim, View, add, identity, multiply, subtract
from srcdiff.syntax import Array, Assign, Atom, Const, For, If, Raise, Store, Var, walk

__all__ = ["Context"]

MISFIT = "[SD0342] operands could not be broadcast together"
STRETCHED = "[SD0340] axes of different lengths: this version does not stretch an axis of length 1"


class Context:
    """The state of one lowering.

    Attributes
    ----------
    b
        Writes the statements; owns the types.
    forms
        What is known of extents and integers (`Extents` of the program).
    views
        The variables that are read through another array.
    allocated
        The variables with several definitions that have a buffer here.
    stretch
        Whether an axis of unknown length may turn out to have length 1 and be
        broadcast; otherwise that raises.
    blas
        Whether large matrix products may stay calls.
    """

    def __init__(self, program, stretch: bool = True, blas: bool = True):
        self.stretch, self.blas = stretch, blas
        self.b = Builder(program.types)
        self.equal = {} if stretch else equal_extents(program)
        self.forms = Extents(program, self.equal)
        self.views: dict[str, View] = {}
        self.allocated: set[str] = set()
        self._dims: list[dict[tuple[str, int], Dim]] = [{}]
        self._forms: dict[str, object] = {}
        self._facts: list[dict] = [{}]
        self._fitting: list[set[tuple[Atom, Atom]]] = [set()]
        self._tests: dict[str, list[tuple[Atom, Atom]]] = {}
        self._positions: list[dict[str, list[Var]]] = [{}]
        self._stored = {s.array for s in walk(program.body) if isinstance(s, Store)}

    # -- facts ----------------------------------------------------------------------

    def compare_on_entry(self) -> None:
        """Emit the checks of the extents of parameters that are taken to be equal."""
        for place, other in self.equal.items():
            differs = self.b.op("not_equal", self.b.size(*place), self.b.size(*other), stem="differs")
            with self.b.nested() as raising:
                self.b.fail("ValueError", STRETCHED)
            self.b.branch(differs, raising)

    def is_array(self, atom: Atom) -> bool:
        return isinstance(atom, Var) and isinstance(self.b.types[atom.name], Array)

    def once(self, name: str) -> bool:
        """Tell whether a variable has one definition in the program."""
        return self.forms.counts[name] <= 1

    def form(self, atom: Atom):
        if isinstance(atom, Var) and atom.name in self._forms:
            return self.canonical(self._forms[atom.name])
        return self.canonical(self.forms.scalar(atom))

    def canonical(self, form):
        """Rewrite a form with what the checks so far have established."""
        for facts in self._facts:
            form = substitute(form, facts)
        return form

    def same(self, a: Dim, b: Dim) -> bool:
        """Tell whether two extents are provably equal here."""
        form = self.canonical(a.form)
        return a.atom == b.atom or form is not None and form == self.canonical(b.form)

    def is_one(self, dim: Dim) -> bool:
        return dim.atom == Const(1) or self.canonical(dim.form) == ONE

    def note(self, stmt: Assign) -> None:
        """Remember which integers are equal where a test fails."""
        if stmt.op == "not_equal":
            self._tests[stmt.target] = [stmt.args]
        elif stmt.op == "logical_or":
            tests = [self._tests.get(getattr(a, "name", None), []) for a in stmt.args]
            self._tests[stmt.target] = tests[0] + tests[1]

    def passed(self, check: If) -> None:
        """Learn from a check that raises where integers differ."""
        if check.then and isinstance(check.then[-1], Raise) and not check.orelse \
                and isinstance(check.condition, Var) and self.once(check.condition.name):
            for a, b in self._tests.get(check.condition.name, ()):
                self.equate(a, b)

    def equate(self, a: Atom, b: Atom) -> None:
        forms = self.form(a), self.form(b)
        if None not in forms and forms[0] != forms[1] \
                and (found := equation(*forms)) is not None:
            self._facts[-1][found[0]] = found[1]

    def nonnegative(self, atom: Atom) -> bool:
        form = self.form(atom)
        return form is not None and at_least_zero(form) or self.forms.nonnegative(atom)

    # -- masks ------------------------------------------------------------------------

    def known_positions(self, mask: str) -> list[Var] | None:
        """Return the index arrays of the true elements of a mask, if they have been made before."""
        return next((known[mask] for known in reversed(self._positions) if mask in known), None)

    def note_positions(self, mask: str, positions: list[Var]) -> None:
        if self.once(mask) and mask not in self._stored and mask not in self.views:
            self._positions[-1][mask] = positions

    # -- extents ----------------------------------------------------------------------

    @contextmanager
    def scope(self):
        """What is learnt of extents inside a nested block is forgotten after it."""
        self._dims.append({})
        self._facts.append({})
        self._fitting.append(set())
        self._positions.append({})
        yield
        self._positions.pop()
        self._fitting.pop()
        self._dims.pop()
        self._facts.pop()

    def dim(self, array: str, axis: int) -> Dim:
        """Return an extent of an array in memory, emitting a `size` where needed."""
        for known in reversed(self._dims):
            if (array, axis) in known:
                return known[array, axis]
        form = self.forms.of(array)[axis] if array in self.forms.arrays else None
        if form is not None and not form[1]:
            return Dim(Const(form[0]), form)
        dim = Dim(self.b.size(array, axis), form)
        if form is not None or self.once(array):
            self.know(array, axis, dim)
        return dim

    def dims(self, array: str) -> tuple[Dim, ...]:
        return tuple(self.dim(array, k) for k in range(self.b.types[array].ndim))

    def known(self, array: str, axis: int) -> Dim | None:
        """Return an extent that a scalar holds already."""
        for known in reversed(self._dims):
            if (array, axis) in known:
                return known[array, axis]
        return None

    def learn(self, array: str, axis: int, atom: Atom) -> None:
        """Remember that `atom` holds an extent of `array`."""
        self.know(array, axis, Dim(atom, self.forms.of(array)[axis]))

    def require(self, test: str, x: Atom, y: Atom, message: str) -> None:
        """Emit a check that raises ValueError unless ``test(x, y)``."""
        fails = {"equal": "not_equal", "not_equal": "equal"}[test]
        if isinstance(x, Const) and isinstance(y, Const):
            if (x.value == y.value) == (test == "equal"):
                return
        wrong = self.b.op(fails, x, y, stem="wrong")
        with self.b.nested() as raising:
            self.b.fail("ValueError", message)
        self.b.branch(wrong, raising)
        if test == "equal":
            self.equate(x, y)

    def know(self, array: str, axis: int, dim: Dim) -> None:
        if isinstance(dim.atom, Var) and dim.form is not None:
            self._forms.setdefault(dim.atom.name, dim.form)
        self._dims[-1][array, axis] = dim

    def given(self, atom: Atom) -> Dim:
        """Return the extent that an operand of `zeros`, `broadcast_to`, ... gives."""
        form = self.form(atom)
        if isinstance(atom, Var) and not self.once(atom.name):
            atom = self.b.op("copy", atom, stem="n")
        return Dim(atom, None if form is None else extent(form))

    def common(self, views) -> tuple[Dim, ...]:
        """Return the extents that these operands broadcast to."""
        ndim = max(len(v.dims) for v in views)
        return tuple(self._common([v.dims[len(v.dims) - ndim + k] for v in views
                                   if len(v.dims) >= ndim - k]) for k in range(ndim))

    def _common(self, dims) -> Dim:
        distinct: list[Dim] = []
        for d in dims:
            if not self.is_one(d) and not any(self.same(d, e) for e in distinct):
                distinct.append(d)
        if not distinct:
            return Dim(Const(1), ONE)
        fixed = [d for d in distinct if isinstance(d.atom, Const)]
        if fixed or len(distinct) == 1:
            return (fixed or distinct)[0]
        if not self.stretch:
            for d in distinct[1:]:
                self.require("equal", d.atom, distinct[0].atom, STRETCHED)
            return distinct[0]
        n = distinct[0].atom
        for d in distinct[1:]:
            one = self.b.op("equal", n, Const(1), stem="one")
            n = self.b.op("where", one, d.atom, n, stem="n")
        self._fitting[0].add((distinct[0].atom, n))     # as long as the loop, or 1
        return Dim(n, broadcast([d.form for d in distinct]))

    # -- operands -----------------------------------------------------------------------

    def view(self, atom: Var) -> View:
        """Return the access function of an array operand."""
        found = self.views.get(atom.name)
        return found or identity(atom.name, self.dims(atom.name))

    def fit(self, view: View, dims, misfit: str = MISFIT) -> View:
        """Broadcast a view to extents; emits the run-time checks that are needed."""
        lead = len(dims) - len(view.dims)
        steps = [self._stride(own, dims[lead + k], misfit) for k, own in enumerate(view.dims)]
        axes = tuple(a if a.source is None else
                     Axis(None, a.start) if steps[a.source] == Const(0) else
                     Axis(a.source + lead, a.start, multiply(self.b, a.step, steps[a.source]))
                     for a in view.axes)
        return View(view.base, axes, tuple(dims), view.part)

    def _stride(self, own: Dim, dim: Dim, misfit: str) -> Atom:
        """Return 1 where the axis is as long as the loop, 0 where it is stretched."""
        if self.same(own, dim):
            return Const(1)
        if self.is_one(own):
            return Const(0)
        if not self.stretch:
            self.require("equal", own.atom, dim.atom, STRETCHED)
            return Const(1)
        b = self.b
        differs = b.op("not_equal", own.atom, dim.atom, stem="differs")
        if not any((own.atom, dim.atom) in known for known in self._fitting):
            long = b.op("not_equal", own.atom, Const(1), stem="long")
            wrong = b.op("logical_and", differs, long, stem="wrong")
            with b.nested() as raising:
                b.fail("ValueError", misfit)
            b.branch(wrong, raising)
            self._fitting[-1].add((own.atom, dim.atom))
        return b.op("where", differs, Const(0), Const(1), stem="stride")

    def index(self, view: View, at) -> tuple[Atom, ...]:
        """Return the index into the base of the element of `view` at index `at`."""
        def one(axis):
            if axis.source is None:
                return axis.start
            if axis.step == Const(-1):
                return subtract(self.b, axis.start, at[axis.source])
            return add(self.b, axis.start, multiply(self.b, at[axis.source], axis.step))
        return tuple(map(one, view.axes))

    def element(self, view: View, at, stem: str | None = None) -> Var:
        """Emit the load of one element."""
        return self.b.load(view.base, self.index(view, at), stem=stem or f"{view.base}_e")

    # -- loops and buffers ----------------------------------------------------------------

    @contextmanager
    def nest(self, dims):
        """Open a loop for each extent, the last innermost; yields the indices.

        An extent that is 1 for certain needs no loop.
        """
        with self.b.nested() as body:
            if not dims:
                yield ()
            else:
                one = dims[0].atom == Const(1)
                var = Const(0) if one else Var(self.b.fresh("i", INT))
                with self.nest(dims[1:]) as inner:
                    yield (var, *inner)
        if dims and not one:
            self.b.append(For(var.name, Const(0), dims[0].atom, Const(1), tuple(body),
                              self.b.where))
        else:
            self.b.append(*body)

    def allocate(self, name: str, dims, op: str = "empty") -> None:
        dtype = self.b.types[name].dtype
        self.b.assign(name, op, *(d.atom for d in dims), dtype=dtype)
        if self.once(name):
            for k, d in enumerate(dims):
                self.know(name, k, d)

    def temporary(self, stem: str, dtype: str, dims, op: str = "empty") -> str:
        name = self.b.fresh(stem, Array(dtype, len(dims)))
        self.allocate(name, dims, op)
        return name

    def materialise(self, view: View, stem: str = "t") -> str:
        """Copy a view to memory of its own; returns the new array."""
        name = self.temporary(stem, self.b.types[view.base].dtype, view.dims)
        with self.nest(view.dims) as at:
            self.b.store(name, at, self.element(view, at))
        return name

    def in_memory(self, atom: Var) -> str:
        """Return an array in memory, in C order, with the values of an operand."""
        view = self.views.get(atom.name)
        if view is None:
            return atom.name
        return view.base if view.is_identity else self.materialise(view, atom.name)

    def open(self, target: str, dims, reads=(), op: str = "empty", same_index: bool = True) -> str:
        """Return the array to fill with the value of `target`; `close` finishes it.

        A variable that has a buffer of these extents is filled in place, unless
        the statement reads it at other indices (`reads`, through any view but
        the identity, or at all where not `same_index`).
        """
        mine = [v for v in reads if v.base == target]
        clash = any(not v.is_identity or not same_index for v in mine)
        fits = target in self.allocated and None not in self.forms.of(target)
        if fits and not clash:
            if op == "zeros":
                self.fill(target, dims, Const(0))
            return target
        if mine:
            return self.temporary(target, self.b.types[target].dtype, dims, op)
        self.allocate(target, dims, op)
        return target

    def fill(self, name: str, dims, value: Atom) -> None:
        with self.nest(dims) as at:
            self.b.store(name, at, value)

    def close(self, target: str, buffer: str) -> None:
        if buffer != target:
            self.b.assign(target, "copy", Var(buffer), move=True)
        if not self.once(target):
            self.allocated.add(target)
