"""What each variable should be called, by what it is: its *stem*.

=======================  ==========================================
an element               ``x_i`` for x[i], ``x_next`` for x[i + 1]
a position               ``i_next`` for i + 1
an extent                ``n_x``, ``n_w_0`` and ``n_w_1``
what is kept             ``x_i_tape``, ``x_i_stack``
a function's value       ``exp_x_i``, ``exp``
tangents and adjoints    ``x_dot``, ``x_bar`` of what they belong to
anything else            ``t``
=======================  ==========================================
"""

from __future__ import annotations

import re

from srcdiff.syntax import Array, Assign, Const, Doc, For, Load, Program, Span, Store, Var, blocks_of, walk

__all__ = ["MADE", "stems", "users_words"]

KEPT = ("tape", "stack", "held")
FUNCTIONS = {
    "absolute": "magnitude", "sqrt": "root", "root_of_squares": "length", "reciprocal": "inverse", "matmul": "product", "sum": "total",
    **{name: name for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh", "arcsin",
        "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "erf", "erfc", "hypot", "sign", "floor", "ceil")},
}
TESTS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or",
         "logical_not")
ACCUMULATORS = {"add": "total", "subtract": "total", "multiply": "product", "maximum": "largest",
                "minimum": "smallest", "fmax": "largest", "fmin": "smallest"}
LONGEST = 24                            # columns of a name put together from others
_WORD = re.compile(r"[A-Za-z_]\w*")
MADE = re.compile(r"t(_\d+)+|.*_given|.*_\d+_(bar|dot)$")      # parameters that only the compiler knows


def users_words(program: Program) -> frozenset[str]:
    """Return the identifiers of the user's lines, and the parameters; all names of a program without lines."""
    lines = dict.fromkeys(stmt.where.text for stmt in walk(program.body) if stmt.where.line)
    if not lines:
        return frozenset(program.types)
    params = {p.name for p in program.params if not MADE.match(p.name)}
    return frozenset(w for line in lines for w in _WORD.findall(line)) | params


def stems(program: Program) -> dict[str, str]:
    """Return for each variable the name that it should have, without a number."""
    return _Stems(program).found


class _Stems:
    def __init__(self, program: Program):
        self.program, self.words = program, users_words(program)
        self.made: dict[str, Assign | Load] = {}
        self.stored: dict[str, Store] = {}
        self.kept: dict[str, str] = {}
        self.updates: dict[str, str] = {}
        self.loops: dict[str, list[str]] = {}
        self._read(program.body, [])
        self.found: dict[str, str] = {}
        self._name_results(program.doc)
        for name in program.types:
            self.stem(name)

    def _read(self, body, around):
        for stmt in body:
            match stmt:
                case Assign(target=name) | Load(target=name):
                    self.made.setdefault(name, stmt)
                    self.loops.setdefault(name, around)
                    if isinstance(stmt, Assign) and Var(name) in stmt.args:
                        self.updates.setdefault(name, stmt.op)
                case Store(array=array, value=Var(name)):
                    self.stored.setdefault(name, stmt)
                    self.kept.setdefault(array, name)
            inner = [*around, stmt.var] if isinstance(stmt, For) else around
            for block in blocks_of(stmt):
                self._read(block, inner)

    def _name_results(self, doc):
        names = doc.names if isinstance(doc, Doc) else ()
        params = {p.name for p in self.program.params}
        for atom, name in zip(self.program.results, names, strict=False):
            if name and isinstance(atom, Var) and atom.name not in params | self.words:
                self.found[atom.name] = name

    # -- the parts of a name ---------------------------------------------------------------

    def split(self, name: str) -> tuple[str, list[str]]:
        """Return the user's name that `name` begins with ("" for a temporary), and the other parts."""
        parts = name.split("_")
        for count in range(len(parts), 0, -1):
            base, rest = "_".join(parts[:count]), parts[count:]
            if base in self.words and not (rest and rest[0].isdigit() and self._is_made(name, base)):
                return base, rest
        return "", parts

    def _is_made(self, name, base) -> bool:
        """Tell whether a name with a number is the compiler's, though the user has one like it."""
        if base == "k":
            made = self.made.get(name)
            return isinstance(made, Assign) and made.op in ("subtract", "floor_divide") and (
                self.program.types[name].dtype == "int64")
        return base == "t"

    def stem(self, name: str) -> str:
        if name not in self.found:
            self.found[name] = re.sub(r"(_\d+)+$", "", name) or name        # for one that leads back here
            base, rest = self.split(name)
            self.found[name] = self._of_view(name) if self._viewed(name) else \
                self._of_users(name, base, rest) if base else self._of_made(name, rest)
        return self.found[name]

    def _viewed(self, name: str) -> str | None:
        """Return the array that a view of other axes is of."""
        made = self.made.get(name)
        return made.args[0].name if isinstance(made, Assign) and made.op == "view" else None

    def _of_view(self, name: str) -> str:
        return f"{self.stem(self._viewed(name))}_{'flat' if self.program.types[name].ndim == 1 else 'rows'}"

    def _of_users(self, name, base, rest):
        if not rest:
            return base
        if rest[-1] == "bar" and rest[0].isdigit() and any(p.name == name for p in self.program.params):
            return "y_bar"              # of the user's variable that is returned, which a parameter may be called
        rest = [part for part in rest if not part.isdigit()]
        if "part" in rest and isinstance(self.made.get(name), Load):
            return self._loaded(self.made[name])
        if rest[-1:] == ["e"]:
            return self._element(name, "_".join([base, *rest[:-1]]))
        if rest[-1:] == ["given"]:
            rest = rest[:-1]
        return "_".join([base, *rest])

    def _of_made(self, name, parts):
        """Name what has no name of the user's in it."""
        rest = [p for p in parts if p and not p.isdigit()] or ["t"]
        made = self.made.get(name)
        if isinstance(made, Assign) and made.op == "size" and name.startswith(f"n_{made.args[0]}"):
            return self._extent(made)
        if "part" in rest and isinstance(made, Load):
            return self._loaded(made)
        if rest[0] != "t" and (rest[0] != "k" or made is None):
            rest = rest[:-1] if len(rest) > 1 and rest[-1] == "e" else rest
            return "_".join(rest)
        rest = rest[1:]
        if rest and rest[-1] in KEPT:
            return self._tape(name, rest)
        if isinstance(made, Load):
            return self._loaded(made)
        element, rest = "e" in rest, [p for p in rest if p not in ("e", "given")]
        if rest:
            return self._derived(name, parts, rest)
        if made is None:
            return "t"
        stem, store = self._computed(made), self.stored.get(name)
        if not element or store is None or stem == "t":
            return stem
        placed = self._with_index(stem, store.index)
        suffix = placed.removeprefix(stem)
        return stem if placed.startswith(stem) and stem.endswith(suffix) else placed

    def _derived(self, name, parts, rest):
        """Name a tangent or adjoint after what it belongs to."""
        first = next(i for i, p in enumerate(parts) if not p.isdigit() and i)
        primal = "_".join(parts[:first])
        known = self.stem(primal) if primal in self.program.types else ""
        if not known and name in (p.name for p in self.program.params):
            known = "y"
        return "_".join([known or "t", *rest])

    def _tape(self, name, rest):
        held = self.kept.get(name)
        stem = self.stem(held) if held else "t"
        return "_".join([stem, rest[-1]])

    def _extent(self, made):
        array = made.args[0]
        if not isinstance(array, Var):
            return "n"
        several = self.program.types[array.name].ndim > 1
        like = next((p.like for p in self.program.params if p.name == array.name), None) or array.name
        return f"n_{self.stem(like)}" + f"_{made.keywords['axis']}" * several

    # -- elements and positions -------------------------------------------------------------------

    def _element(self, name, stem):
        """Name an element after its array: by the place that it is stored to, or the innermost loop."""
        made, store = self.made.get(name), self.stored.get(name)
        if isinstance(made, Load):
            return self._loaded(made)
        if store is not None:
            return self._with_index(stem, store.index)
        loops = self.loops.get(name) or ["i"]
        return f"{stem}_{self.stem(loops[-1])}"

    def _loaded(self, made: Load):
        stem = self.stem(self._viewed(made.array) or made.array)
        for suffix in KEPT:
            if stem.endswith("_" + suffix):
                return stem.removesuffix("_" + suffix)
        return self._with_index(stem, made.index)

    def _with_index(self, stem, index):
        items = [i for i in index if not isinstance(i, Span)]
        if not items:
            return f"{stem}_part"
        if len(index) == 1 and (step := self._step(items[0])) in (1, -1):
            return f"{stem}_{'next' if step == 1 else 'prev'}"
        parts = [self._item(i) for i in items]
        joint = "" if all(len(p) == 1 for p in parts) else "_"
        made = f"{stem}_{joint.join(p for p in parts if p) or 'at'}"
        return made if len(made) <= LONGEST else f"{stem}_at"

    def _item(self, item) -> str:
        if isinstance(item, Const):
            return str(item.value) if item.value >= 0 else f"last{item.value}".replace("-1", "").replace("-", "_")
        if isinstance(self.program.types[item.name], Array):
            return "at"
        found = self._moved(item.name)
        if found is not None:
            variable, step = found
            return f"{self.stem(variable)}{'p' if step > 0 else 'm'}{abs(step)}"
        return self.stem(item.name).strip("_")

    def _step(self, item) -> int | None:
        found = self._moved(item.name) if isinstance(item, Var) else None
        return None if found is None else found[1]

    def _moved(self, name):
        """Return (i, 1) for ``name = i + 1``, where the name is not the user's."""
        made = self.made.get(name)
        if name in self.words or not isinstance(made, Assign) or made.op not in ("add", "subtract"):
            return None
        variable, step = made.args
        if not isinstance(variable, Var) or not isinstance(step, Const) or type(step.value) is not int:
            return None
        return variable.name, step.value if made.op == "add" else -step.value

    # -- computed values ---------------------------------------------------------------------------

    def _computed(self, made) -> str:
        type_ = self.program.types[made.target]
        if made.op in TESTS:
            return "test"
        if made.target in self.updates and not type_.ndim:
            word = ACCUMULATORS.get(self.updates[made.target], "t")
            return "count" if word == "total" and type_.dtype == "int64" else word
        if type_.dtype == "int64" and not type_.ndim:
            found = self._moved(made.target)
            if found is not None and abs(found[1]) == 1:
                return f"{self.stem(found[0])}_{'next' if found[1] == 1 else 'prev'}"
            return "k"
        if made.op in ("empty", "zeros") and made.target in self.kept:
            return self._filled(made)
        operand = made.args[0] if len(made.args) == 1 else None
        known = isinstance(operand, Var) and (self.split(operand.name)[0] or isinstance(
            self.made.get(operand.name), Load))
        if made.op in ("copy", "cast", "weaken") and isinstance(operand, Var):
            return self.stem(operand.name)
        word = FUNCTIONS.get(made.op, "t")
        if known and word not in ("t", "product"):
            named = f"{word}_{self.stem(operand.name)}"
            return named if len(named) <= LONGEST else word
        return word


    def _filled(self, made):
        """Name an array after the function whose values its elements are."""
        element = self.made.get(self.kept[made.target])
        return FUNCTIONS.get(element.op, "t") if isinstance(element, Assign) else "t"
