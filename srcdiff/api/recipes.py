"""What each transform does to a specialised function: one small class each.

A recipe takes a base function and abstract arguments, and gives the program of
the derived function.  Programs stay unlowered here, so recipes stack: the base
of a recipe may be a function that another recipe made.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace

from srcdiff.api.arguments import (
    Argnums,
    at_least_two,
    chosen,
    differentiated,
    float_leaves,
    moved,
    names_of,
    pair,
    primals_and_one,
    signature_of,
    specialised,
    with_vector,
)
from srcdiff.api.directions import cotangents, fill, tangent_leaves, with_directions
from srcdiff.api.lazy import lazy
from srcdiff.api.special import Special, output_leaves, refuse, require_real, split_aux
from srcdiff.errors import NotScalarError
from srcdiff.structure import is_leaf, map_tree
from srcdiff.syntax import Array, Const, Program, Static

__all__ = [
    "Cotangent", "Derivatives", "Element", "Gradient", "HessianProduct", "Jacobian", "Product", "Pullback", "Pushforward",
    "Recipe",
]

compiler, Builder = lazy("srcdiff.compiler"), lazy("srcdiff.builder", "Builder")
keep, require_equal = lazy("srcdiff.assemble", "keep"), lazy("srcdiff.assemble", "require_equal")


class Recipe:
    """A transform of one function; a frozen dataclass of its options."""

    word = "derivative"
    is_half = False             # whether another program reads what this one keeps, or the other way round

    def specialise(self, base, args: tuple, keywords: dict) -> Special:
        raise NotImplementedError

    def signature(self, base: inspect.Signature) -> inspect.Signature:
        """The derived function takes what its base takes, unless a recipe says otherwise."""
        return base.replace(return_annotation=inspect.Signature.empty)


# -- gradients ------------------------------------------------------------------------

def scalar_output(primal: Special, tree, base) -> int:
    """Return the position of the one real result.

    Raises
    ------
    NotScalarError
        The result is an array, an integer, complex, or there are several.
    """
    name = base.__name__
    fix = "take one number of it, or use jacobian, jacrev or jacfwd"
    if not is_leaf(tree):
        refuse(f"grad needs a function that returns one number; {name} returns "
               f"{len(output_leaves(tree))} values", fix=fix, code="SD0320", error=NotScalarError)
    if isinstance(tree, Static):
        refuse(f"grad needs a function that returns one number; {name} returns {tree.value!r}",
               code="SD0320", error=NotScalarError, fix=fix)
    type_ = primal.program.type_of(primal.program.results[tree])
    if isinstance(type_, Array):
        refuse(f"grad needs a function that returns one number; {name} returns an array "
               f"of type {type_}", fix=fix, code="SD0320", error=NotScalarError)
    if type_.dtype not in ("float32", "float64"):
        refuse(f"grad needs a function that returns one real number; the result of {name} has dtype "
               f"{type_.dtype}", fix="return a float", code="SD0320", error=NotScalarError)
    return tree


def outputs_with(value: bool, outputs, aux, derivative):
    """Arrange value, aux and derivative as `value_and_grad` and `has_aux` promise.

    >>> outputs_with(True, "value", "aux", "grad")
    (('value', 'aux'), 'grad')
    >>> outputs_with(False, "value", None, "grad")
    'grad'
    """
    if value:
        return (outputs if aux is None else (outputs, aux)), derivative
    return derivative if aux is None else (derivative, aux)


@dataclass(frozen=True)
class Gradient(Recipe):
    argnums: Argnums = 0
    has_aux: bool = False
    value: bool = False
    word = "gradient"

    def specialise(self, base, args, keywords):
        primal = specialised(base, args, keywords, self.argnums)
        arguments, active = differentiated(primal, base, self.argnums)
        outputs, aux = split_aux(primal.program.tree, self.has_aux, base.__name__)
        output = scalar_output(primal, outputs, base)
        program = compiler.gradient(primal.bare, names_of(primal, active), output, base.options.within)
        n = len(primal.program.results)
        gradients = moved(arguments, {p: n + i for i, p in enumerate(active)})
        return primal.made(program, outputs_with(self.value, outputs, aux, gradients))


# -- Jacobians --------------------------------------------------------------------------

@dataclass(frozen=True)
class Jacobian(Recipe):
    """All partial derivatives, by columns ("forward") or by rows ("reverse").

    `stacked` puts scalar arguments side by side as the last axis of one array.
    """

    mode: str = "reverse"
    argnums: Argnums = 0
    has_aux: bool = False
    chunk_size: int | None = None
    value: bool = False
    stacked: bool = False
    word = "Jacobian"

    def specialise(self, base, args, keywords):
        primal = specialised(base, args, keywords, self.argnums)
        arguments, active = differentiated(primal, base, self.argnums)
        tree, aux = split_aux(primal.program.tree, self.has_aux, base.__name__)
        require_real(primal.program, tree, base.__name__)
        outputs = tuple(dict.fromkeys(output_leaves(tree)))
        names = names_of(primal, active)
        program = compiler.jacobian(primal.bare, names, outputs, self.mode, self.chunk_size, base.options.within)
        n, k = len(primal.program.results), len(active)
        if self.stacked:
            program = stack_columns(primal.bare, program, len(outputs), k)
            blocks = {o: n + i for i, o in enumerate(outputs)}
            jacobians = moved(tree, blocks)
        else:
            start = {o: n + i * k for i, o in enumerate(outputs)}
            jacobians = map_tree(lambda o: Static(None) if isinstance(o, Static) else moved(
                arguments, {p: start[o] + j for j, p in enumerate(active)}), tree)
        return primal.made(program, outputs_with(self.value, tree, aux, jacobians))


def stack_columns(primal: Program, program: Program, outputs: int, arguments: int) -> Program:
    """Put the derivatives with respect to several numbers side by side, as a last axis."""
    n, builder = len(primal.results), Builder(program.types)
    builder.append(*program.body)
    stacks = []
    for output in range(outputs):
        first = n + output * arguments
        columns = program.results[first:first + arguments]
        ndim, dtype = primal.type_of(primal.results[output]).ndim, program.type_of(columns[0]).dtype
        if any(program.type_of(c).ndim != ndim for c in columns):
            refuse("stacked=True needs arguments that are numbers", fix="leave stacked out", code="SD0307")
        if ndim == 0:
            stacks.append(builder.op("array", *columns, dtype=dtype, shape=(arguments,), stem="jacobian"))
            continue
        columns = [builder.op("expand_dims", c, axis=ndim) for c in columns]
        stacks.append(builder.op("concatenate", *columns, axis=ndim, stem="jacobian"))
    return replace(program, body=builder.take(), results=program.results[:n] + tuple(stacks),
                   types=builder.types)


# -- tangents, cotangents and products ------------------------------------------------------

@dataclass(frozen=True)
class Pushforward(Recipe):
    """``(primals, tangents) -> (out, tangent)``, or the tangent alone."""

    has_aux: bool = False
    value: bool = True
    word = "tangent map"

    def specialise(self, base, args, keywords):
        primals, given = pair(args, "primals", "tangents")
        primal = base.specialise(primals, keywords)
        active, types = tangent_leaves(primal, base, primal.inputs[0], given)
        outputs, aux = split_aux(primal.program.tree, self.has_aux, base.__name__)
        require_real(primal.program, outputs, base.__name__)
        program = compiler.pushforward(primal.bare, names_of(primal, active))
        program, dots = with_directions(program, len(primal.program.params), types)
        n = len(primal.program.results)
        tree = moved(outputs, {p: n + p for p in range(n)})
        if self.value:
            tree = (outputs, tree) if aux is None else (outputs, tree, aux)
        names = ((primal.names[0], fill(given, dots)), {})
        return primal.made(program, tree, names=names, linear=frozenset(dots))

    def signature(self, base):
        return signature_of("primals", "tangents")


@dataclass(frozen=True)
class Pullback(Recipe):
    """``(primals, cotangent) -> cotangents of the primals``, with the value before it if asked.

    A primal that is not floating-point gets None; the cotangent of an integer
    output is ignored.
    """

    has_aux: bool = False
    value: bool = False
    word = "pullback"

    def specialise(self, base, args, keywords):
        primals, given = primals_and_one(args, "the cotangent")
        return self.of(base.specialise(primals, keywords), base, given)

    def of(self, primal: Special, base, given) -> Special:
        """Return the pullback of a specialisation, for cotangents like those of `given`."""
        outputs, aux = split_aux(primal.program.tree, self.has_aux, base.__name__)
        active = float_leaves(primal, primal.inputs[0])
        program, bars, linear = cotangents(primal, outputs, given, active, base)
        n = len(primal.program.results)
        place = {p: n + i for i, p in enumerate(active)}
        tree = map_tree(lambda p: Static(None) if p not in place else place[p], primal.inputs[0])
        names = ((primal.names[0], fill(given, bars)), {})
        tree = outputs_with(True, outputs, aux, tree) if self.value else tree
        return primal.made(program, tree, names=names, linear=linear)

    def signature(self, base):
        return signature_of("primals", "cotangent")


@dataclass(frozen=True)
class Cotangent(Recipe):
    """``(x, v, *args) -> J(x)^T v`` for the first argument."""

    word = "adjoint product"

    def specialise(self, base, args, keywords):
        x, v, *rest = at_least_two(args)
        primal = specialised(base, (x, *rest), keywords, 0)
        active = output_leaves(primal.inputs[0][0])
        program, bars, linear = cotangents(primal, primal.program.tree, v, active, base)
        n = len(primal.program.results)
        tree = moved(primal.inputs[0][0], {p: n + i for i, p in enumerate(active)})
        (first, *others), named = primal.names
        return primal.made(program, tree, names=((first, fill(v, bars), *others), named), linear=linear)

    def signature(self, base):
        return with_vector(base)


def product(base, primal: Special, trees, given, has_aux: bool):
    """Return (program, value tree, aux, product trees, names of the tangents) of a Hessian product."""
    outputs, aux = split_aux(primal.program.tree, has_aux, base.__name__)
    output = scalar_output(primal, outputs, base)
    active, types = tangent_leaves(primal, base, trees, given)
    program = compiler.gradient_along(primal.bare, names_of(primal, active), output, base.options.within)
    program, dots = with_directions(program, len(primal.program.params), types)
    n = len(primal.program.results)
    place = {p: n + i for i, p in enumerate(active)}
    tree = map_tree(lambda p: Static(None) if p not in place else place[p], trees)
    return program, outputs, aux, tree, dots


@dataclass(frozen=True)
class HessianProduct(Recipe):
    """``(x, v, *args) -> (Hessian of f with respect to x) v``; this is SciPy's order too."""

    word = "Hessian-vector product"

    def specialise(self, base, args, keywords):
        x, v, *rest = at_least_two(args)
        primal = specialised(base, (x, *rest), keywords, 0)
        first = primal.inputs[0][:1]
        program, _, _, tree, dots = product(base, primal, first, (v,), False)
        (x_names, *others), named = primal.names
        names = ((x_names, fill(v, dots), *others), named)
        return primal.made(program, tree[0], names=names, linear=frozenset(dots))

    def signature(self, base):
        return with_vector(base)


@dataclass(frozen=True)
class Product(Recipe):
    """``(primals, tangents) -> Hessian times tangents``, shaped like the primals."""

    has_aux: bool = False
    value: bool = False
    word = "Hessian-vector product"

    def specialise(self, base, args, keywords):
        primals, given = pair(args, "primals", "tangents")
        primal = base.specialise(primals, keywords)
        program, outputs, aux, tree, dots = product(base, primal, primal.inputs[0], given, self.has_aux)
        names = ((primal.names[0], fill(given, dots)), {})
        tree = outputs_with(self.value, outputs, aux, tree[0] if len(primals) == 1 else tree)
        return primal.made(program, tree, names=names, linear=frozenset(dots))

    def signature(self, base):
        return signature_of("primals", "tangents")


@dataclass(frozen=True)
class Derivatives(Recipe):
    """``(x, *args) -> (f, f', f'', ...)`` for a scalar function of a scalar."""

    order: int = 1
    word = "derivatives"

    def specialise(self, base, args, keywords):
        primal = specialised(base, args, keywords, 0)
        name, position = chosen(*primal.inputs, base, 0)
        output = scalar_output(primal, primal.program.tree, base)
        if not is_leaf(position) or primal.type(position).ndim:
            refuse(f"derivatives needs a number as argument '{name}'", fix="use jacobian or hessian",
                   code="SD0320", error=NotScalarError)
        program = compiler.derivatives(keep(primal.bare, [output]), primal.name(position), self.order)
        return primal.made(program, tuple(range(self.order + 1)))


@dataclass(frozen=True)
class Element(Recipe):
    """The one element of an array result as a number, as torch counts shape (1,) as a scalar."""

    word = "element"

    def specialise(self, base, args, keywords):
        primal = base.specialise(args, keywords)
        tree = primal.program.tree
        type_ = None
        if is_leaf(tree) and not isinstance(tree, Static):
            type_ = primal.program.type_of(primal.program.results[tree])
        if not isinstance(type_, Array):
            return primal
        builder = Builder(primal.program.types)
        builder.append(*primal.program.body)
        name = primal.program.results[tree].name
        for extent in builder.extents(name):
            require_equal(builder, extent, Const(1),
                          f"[SD0320] {base.__name__} must return one element, it returns several")
        one = builder.load(name, (Const(0),) * type_.ndim, stem=f"{name}_element")
        program = replace(primal.bare, body=builder.take(), results=(one,), types=builder.types)
        return primal.made(program, 0)
