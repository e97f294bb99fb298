"""What must hold of the public functions, applied to random programs: structures of arguments, pairs of modes, orders, dtypes.

Each check writes a few functions around the program's own (`WRAPPERS`), and compares what the transforms of
`srcdiff` give for them with the adjoints and tangents of the program, which `random_checks` holds against
differences.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

import srcdiff as sd
from tests.modes import flatten
from tests.oracle import inner
from tests.random_checks import Case, Failure, close, judged
from tests.random_programs import Generated, compiled

__all__ = ["SHARES", "check_directions", "check_inner", "check_orders", "check_single", "check_structures", "check_vmap"]

WRAPPERS = """

def leaves(value):
    if isinstance(value, tuple):
        return value
    return (value,)


def total({params}):
    out = f({params})
    weights = (0.7, -1.3, 0.45)
    s = 0.0
    for k, part in enumerate({outputs}):
        s += weights[k % 3] * np.sum(part)
    return s


def total_and_more({params}):
    return total({params}), {{"seen": np.sum({first}), "all": ({first}, 2.0)}}


def of_dict(p{others}):
    return total({from_dict})


def of_record(p{others}):
    return total({from_record})


def along({params}, direction):
    return np.sum(sd.grad(d_total, argnums={position})({params}) * np.sin(direction))


d_total = sd.differentiate(total, target="python")
"""


def wrapped(case: Case) -> dict:
    """Return the functions of `WRAPPERS` around the program of a case, each with its derivatives."""
    if "wrapped" not in case.made:
        names = [p.name for p in case.special.program.params if not p.captured]
        floats = [names[i] for i in case.positions]
        others = [name for name in names if name not in floats]
        returns = case.function(*copied(case.args)) is not None
        arrays = ", ".join(names[i] for i in case.special.written)
        text = case.text + WRAPPERS.format(
            params=", ".join(names), outputs="leaves(out)" if returns else f"({arrays},)", first=floats[0],
            others="".join(f", {name}" for name in others), position=case.positions[0],
            from_dict=", ".join(f"p['{n}']" if n in floats else n for n in names),
            from_record=", ".join(f"p.{n}" if n in floats else n for n in names))
        space = compiled(text, f"<random {case.seed} wrapped>").__globals__
        case.made["wrapped"] = {name: sd.differentiate(space[name], target="python")
                                for name in ("f", "total", "total_and_more", "of_dict", "of_record", "along")}
    return case.made["wrapped"]


def copied(args):
    return tuple(a.copy() if isinstance(a, np.ndarray) else a for a in args)


def expected_gradient(case: Case) -> list:
    """Return the adjoints of `total`, from the program's own."""
    weights = (0.7, -1.3, 0.45)
    values = case.values()
    return list(case.vjp([weights[k % 3] * np.ones(np.shape(values[k])) for k in case.outputs]))


def expected_total(case: Case) -> float:
    weights = (0.7, -1.3, 0.45)
    return sum(weights[k % 3] * np.sum(v) for k, v in enumerate(case.values()))


def check_structures(case: Case):
    """`grad` by positions, in dicts and in records, with a value and with more results, and within a budget."""
    made, expected = wrapped(case), expected_gradient(case)
    argnums = tuple(case.positions)
    value, found = sd.value_and_grad(made["total"], argnums)(*copied(case.args))
    close("value", [value], [expected_total(case)])
    close("gradient", found, expected)
    close("one gradient", [sd.grad(made["total"], argnums[-1])(*copied(case.args))], expected[-1:])
    found, more = sd.grad(made["total_and_more"], argnums, has_aux=True)(*copied(case.args))
    close("gradient beside more", found, expected)
    if sorted(more) != ["all", "seen"] or not isinstance(more["all"], tuple):
        raise Failure(f"the further results are {more}")
    names = [case.special.program.params[i].name for i in case.positions]
    others = [a for i, a in enumerate(copied(case.args)) if i not in case.positions]
    floats = [copied(case.args)[i] for i in case.positions]
    found = sd.grad(made["of_dict"])(dict(zip(names, floats, strict=True)), *others)
    close("gradient in a dict", [found[n] for n in names], expected)
    record = NamedTuple("Record", [(n, object) for n in names])
    found = sd.grad(made["of_record"])(record(*floats), *others)
    close("gradient in a record", [getattr(found, n) for n in names], expected)


def check_directions(case: Case):
    """`jvp` and `vjp` of the public kind are a pair, and both Jacobians are one; the program passes its own check."""
    f = wrapped(case)["f"]
    rng = np.random.default_rng(case.seed + 9)
    direction = case.directions(rng)
    tangents = [None] * len(case.args)
    for position, d in zip(case.positions, direction, strict=True):
        tangents[position] = d
    value, pushed = sd.jvp(f, copied(case.args), tuple(tangents))
    expected = case.jvp(direction)
    close("jvp", [np.asarray(p, float) for p in flatten(pushed)], [np.asarray(e, float) for e in expected])
    out, pullback = sd.vjp(f, *copied(case.args))
    cotangents = case.random(rng, [np.asarray(v, float) for v in flatten(out)])
    back = pullback(shaped(out, iter(cotangents)))
    back = [np.asarray(back[i]) for i in case.positions]
    left, right = inner([cotangents[i] for i in case.outputs], [expected[i] for i in case.outputs]), inner(back, direction)
    if not abs(left - right) <= 1e-10 * max(abs(left), 1.0, sum(np.sum(np.abs(b * d)) for b, d in zip(back, direction, strict=True))):
        raise Failure(f"vjp: <w, Jv> = {left!r}, <J'w, v> = {right!r}")
    rows, columns = (flatten(j(f, case.positions[0])(*copied(case.args))) for j in (sd.jacrev, sd.jacfwd))
    close("jacfwd", columns, rows)


def check_orders(case: Case):
    """Hessian against products with it, and those against each other."""
    total = wrapped(case)["total"]
    position = min(case.positions, key=lambda i: np.size(case.args[i]))
    hessian = np.asarray(sd.hessian(total, position)(*copied(case.args)))
    rng = np.random.default_rng(case.seed + 10)
    v = rng.normal(size=np.shape(case.args[position]))[()]
    tangents = tuple(v if i == position else zero(a) for i, a in enumerate(case.args))
    product = sd.hvp(total, copied(case.args), tangents)
    product = product[position] if isinstance(product, tuple) else product
    close("hvp", [np.asarray(product)], [np.tensordot(hessian, v, np.ndim(v))], 1e-8, 1e-9)
    close("symmetry", [hessian], [np.moveaxis(hessian, range(np.ndim(v)), range(np.ndim(v), 2 * np.ndim(v)))], 1e-8, 1e-9)


def zero(value):
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.zeros(value.shape)
    return 0.0 if isinstance(value, float) else None


def check_inner(case: Case):
    """A derivative used inside a function: its value, and its derivative against the product with the Hessian."""
    made, position = wrapped(case), case.positions[0]
    x = case.args[position]
    direction = np.random.default_rng(case.seed + 11).normal(size=np.shape(x))[()]
    along = made["along"]
    value = along(*copied(case.args), direction)
    close("a gradient inside", [value], [np.sum(expected_gradient(case)[0] * np.sin(direction))])
    tangents = tuple(np.sin(direction) if i == position else zero(a) for i, a in enumerate(case.args))
    product = sd.hvp(made["total"], copied(case.args), tangents)
    product = product[position] if isinstance(product, tuple) else product
    found = sd.grad(along, position)(*copied(case.args), direction)
    close("the gradient of a gradient", [np.asarray(found)], [np.asarray(product)], 1e-8, 1e-9)


def check_vmap(case: Case):
    """`vmap` over some arguments equals one call after the other, for values and for gradients."""
    total, position = wrapped(case)["total"], case.positions[0]
    rng = np.random.default_rng(case.seed + 12)
    x = case.args[position]
    many = [x + 1e-3 * rng.normal(size=np.shape(x)) for _ in range(3)]
    axis = int(rng.integers(np.ndim(x) + 1))
    in_dims = tuple(axis if i == position else None for i in range(len(case.args)))

    def with_x(value):
        return tuple(value if i == position else a for i, a in enumerate(copied(case.args)))

    for what, function in (("value", total), ("gradient", sd.grad(total, position))):
        together = sd.vmap(function, in_dims=in_dims)(*with_x(np.stack(many, axis)))
        close(f"vmap of the {what}", [together], [np.stack([function(*with_x(v[()])) for v in many])])


def in_single(value, rng):
    """Return an argument in single precision, or as it is."""
    if isinstance(value, float) and rng.random() < 0.3:
        return np.float32(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and rng.random() < 0.8:
        return value.astype(np.float32)
    return value


def floats(values) -> list:
    return [np.asarray(v, float) for v in values]


def check_single(case: Case):
    """With arguments of single precision: the values of NumPy, and the same derivatives to that precision."""
    rng = np.random.default_rng(case.seed + 13)
    args = tuple(in_single(a, rng) for a in copied(case.args))
    low = Case(Generated(case.seed, case.text, case.function, args))
    double = Case(Generated(case.seed, case.text, case.function, tuple(map(as_double, args))))
    if not judged(double) or not near(low.values(), double.values()) or not near(
            double.values(), double.moved(double.directions(rng), 1e-5)):
        return                      # a branch that rounding decides
    results = low.call(low.program)
    close("single precision", floats(results), floats(low.values()), 1e-4, 1e-4)
    direction = low.directions(rng)
    tangents, exact = low.jvp(direction), double.jvp(list(map(as_double, direction)))
    close("tangent in single precision", floats(tangents), floats(exact), 3e-2, 3e-2)
    cotangents = low.random(rng, [results[i] for i in low.outputs])
    adjoints, exact = low.vjp(cotangents), double.vjp(list(map(as_double, cotangents)))
    for name, a, i in zip(low.active, adjoints, low.positions, strict=True):
        if isinstance(a, np.ndarray) and a.dtype != args[i].dtype:
            raise Failure(f"single precision: the adjoint of {name} is {np.asarray(a).dtype}")
    close("adjoint in single precision", floats(adjoints), floats(exact), 3e-2, 3e-2)


def as_double(value):
    return np.asarray(value, float)[()] if np.asarray(value).dtype == np.float32 else value


def near(values, others) -> bool:
    return all(np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-3, atol=1e-3) for a, b in zip(values, others, strict=True))


def shaped(value, leaves):
    """Return a structure like `value` of what `leaves` gives."""
    return tuple(shaped(v, leaves) for v in value) if isinstance(value, tuple) else next(leaves)


SHARES = {check_structures: 15, check_directions: 15, check_orders: 25, check_inner: 25, check_vmap: 20, check_single: 5}
