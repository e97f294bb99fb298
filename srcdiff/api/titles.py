"""What a generated function is called, and what its docstring says.

A derivative is a chain of recipes on a user's function; its name and its first
line are read off that chain: ``rosen_grad``, "Gradient of rosen (rosen.py:3)
with respect to x.".  Nothing here has a part in what is computed.
"""

from __future__ import annotations

import linecache
from dataclasses import replace

from srcdiff.api.arguments import differentiated
from srcdiff.api.recipes import (
    Cotangent,
    Derivatives,
    Gradient,
    HessianProduct,
    Jacobian,
    Product,
    Pullback,
    Pushforward,
)
from srcdiff.api.special import Special
from srcdiff.errors import ArgumentError
from srcdiff.structure import children, is_leaf, leaves
from srcdiff.syntax import Doc, Program, Static

__all__ = ["titled"]

LETTERS = "ijklmnpq"
WORDS = {"VMap": "", "Value": "", "Element": "", "Pushforward": "directional derivative"}


def titled(function, special: Special) -> Program:
    """Return the program of a specialisation under its final name, with its docstring."""
    program = special.bare
    chain = chain_of(function)
    name = program_name(chain)
    summary = phrase(chain, special)
    doc = Doc(f"{summary[0].upper()}{summary[1:]}.", formula(chain, special), param_texts(chain, special),
              *result_texts(chain, special))
    return replace(program, name=name, doc=doc)


def chain_of(function) -> list:
    """Return the user's function and the objects made of it, innermost first, each transform once."""
    chain = []
    while function is not None:
        base = function.base if function.recipe is not None else None
        if base is None or getattr(base, "recipe", None) is not function.recipe:
            chain.append(function)          # else the same transform at a point, or in chunks
        function = base
    return chain[::-1]


# -- names ------------------------------------------------------------------------------

def program_name(chain) -> str:
    """Return an identifier: the user's function, then what was made of it."""
    user, *rest = chain
    name = user.__name__ if user.__name__.isidentifier() else "lambda"
    words = [w for w in map(word_of, transforms(rest)) if w]
    return "_".join([name, *words]) if words else name if name != "lambda" else "lambda_"


def transforms(functions) -> list:
    """Return the recipes of a chain, the two of a Hessian as one."""
    found = []
    for function in functions:
        recipe = function.recipe
        if found and is_hessian(found[-1], recipe):
            found[-1] = Hessian(recipe)
        else:
            found.append(recipe)
    return found


class Hessian:
    """Two Jacobians after one another, which people call by one name."""

    word = "Hessian"

    def __init__(self, outer):
        self.argnums, self.value = outer.argnums, False


def is_hessian(inner, outer) -> bool:
    plain = isinstance(inner, Jacobian) and isinstance(outer, Jacobian) and not inner.has_aux
    return plain and not (inner.value or outer.value or outer.has_aux) and inner.argnums == outer.argnums


def word_of(recipe) -> str:
    """Return how a transform is named in an identifier."""
    match recipe:
        case Hessian():
            return "hessian"
        case Gradient():
            return "value_and_grad" if recipe.value else "grad"
        case Jacobian():
            word = {"forward": "jacfwd", "reverse": "jacrev"}.get(recipe.mode, "jacobian")
            return f"value_and_{word}" if recipe.value else word
        case HessianProduct() | Product():
            return "hvp"
        case Pushforward():
            return "jvp"
        case Pullback() | Cotangent():
            return "vjp"
        case Derivatives():
            return "derivatives"
    return {"VMap": "vmap", "Value": "", "Element": ""}.get(type(recipe).__name__, type(recipe).__name__.lower())


# -- the first line ---------------------------------------------------------------------

def phrase(chain, special) -> str:
    """Say what is computed of what, and with respect to what."""
    user, *rest = chain
    text, wrt, samples = place_of(user), "", ""
    for recipe in transforms(rest):
        word = WORDS.get(type(recipe).__name__, recipe.word)
        if type(recipe).__name__ == "VMap":
            samples = " for each sample of a batch"
        if not word:
            continue
        word = f"value and {word}" if getattr(recipe, "value", False) else word
        before = f"the {text}" if wrt else text
        names = with_respect_to(recipe, user, special)
        text = f"{word} of {before}" + (f" with respect to {names}" if names and names != wrt else "")
        wrt = names or wrt or " "
    return (text if wrt else f"value of {text}") + samples


def with_respect_to(recipe, user, special) -> str:
    """Return the names of the arguments that a transform differentiates."""
    if isinstance(recipe, Gradient | Jacobian | Hessian):
        argnums = recipe.argnums if isinstance(recipe.argnums, tuple) else (recipe.argnums,)
        return joined([a if isinstance(a, str) else user.argument_name(a) for a in argnums
                       if isinstance(a, str) or a >= 0])
    if isinstance(recipe, HessianProduct | Cotangent | Derivatives):
        return user.argument_name(0)
    return ""


def joined(words) -> str:
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last


def place_of(user) -> str:
    """Return the name of the user's function with its file and line."""
    name = user.__name__ if user.__name__ != "<lambda>" else "the lambda"
    code = getattr(getattr(user, "python", None), "__code__", None)
    if code is None:
        return name
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{name} ({file}:{definition_line(code)})"


def definition_line(code) -> int:
    """Return the line of ``def``: that of the code is the line of the first decorator."""
    for number in range(code.co_firstlineno, code.co_firstlineno + 20):
        if linecache.getline(code.co_filename, number).lstrip().startswith(("def ", "async def ")):
            return number if code.co_name != "<lambda>" else code.co_firstlineno
    return code.co_firstlineno


# -- the mathematics ----------------------------------------------------------------------

def formula(chain, special) -> str:
    """Write the derivative with indices, for one argument and one output."""
    user, *rest = chain
    recipes = transforms(rest)
    if len(recipes) != 1 or getattr(recipes[0], "value", False) and not isinstance(recipes[0], Pushforward):
        return ""
    name = user.__name__ if user.__name__ != "<lambda>" else "f"
    if isinstance(recipes[0], Pushforward):
        return f"J tangents, where J is the Jacobian of {name}"
    if isinstance(recipes[0], Pullback | Cotangent):
        return f"J^T cotangent, where J is the Jacobian of {name}"
    found = one_argument(recipes[0], user, special)
    if found is None:
        return ""
    argument, rank = found
    ranks = result_rank(special)
    if ranks is None:
        return ""
    match recipes[0]:
        case Gradient():
            return f"d {name} / d {indexed(argument, LETTERS[:rank])}"
        case Jacobian():
            out = ranks - rank
            return f"d {indexed(name, LETTERS[:out])} / d {indexed(argument, LETTERS[out:out + rank])}"
        case Hessian():
            out = ranks - 2 * rank
            first, second = LETTERS[out:out + rank], LETTERS[out + rank:out + 2 * rank]
            return (f"d^2 {indexed(name, LETTERS[:out])} / "
                    f"d {indexed(argument, first)} d {indexed(argument, second)}")
        case HessianProduct():
            first, second = LETTERS[:rank], LETTERS[rank:2 * rank]
            sums = f"sum over {', '.join(second)} of " if rank else ""
            return (f"{sums}d^2 {name} / d {indexed(argument, first)} d {indexed(argument, second)} "
                    f"* {indexed(direction_name(special), second)}")
    return ""


def indexed(name: str, letters: str) -> str:
    return f"{name}[{', '.join(letters)}]" if letters else name


def one_argument(recipe, user, special):
    """Return the name and the rank of the one differentiated argument that is no structure."""
    try:
        argnums = getattr(recipe, "argnums", 0)
        tree, _ = differentiated(special, user, argnums)
    except ArgumentError:
        return None
    if not is_leaf(tree) or isinstance(tree, Static):
        return None
    return special.name(tree), special.type(tree).ndim


def result_rank(special):
    tree = special.program.tree
    if not is_leaf(tree) or isinstance(tree, Static):
        return None
    return special.program.type_of(special.program.results[tree]).ndim


def direction_name(special) -> str:
    return next((special.name(p) for p in leaves(special.inputs[0][1:2]) if not isinstance(p, Static)), "v")


# -- parameters and results -------------------------------------------------------------------

def param_texts(chain, special) -> tuple[str, ...]:
    """Say of each direction what it belongs to."""
    recipe = chain[-1].recipe
    texts = [""] * len(special.program.params)
    args = special.inputs[0]
    if isinstance(recipe, HessianProduct) and len(args) > 1:
        pairs, word = zip(leaves(args[0]), leaves(args[1]), strict=False), "direction"
    elif isinstance(recipe, Pushforward | Product) and len(args) == 2:
        pairs = [(p, d) for primal, dot in zip(children(args[0]), children(args[1]), strict=False)
                 for p, d in zip(leaves(primal), leaves(dot), strict=False)]
        word = "tangent"
    elif isinstance(recipe, Pullback | Cotangent):
        given = args[1] if len(args) > 1 else args[0]
        for p in leaves(given):
            if not isinstance(p, Static):
                texts[p] = f"cotangent of the output of {chain[0].__name__}, shaped like it"
        return tuple(texts)
    else:
        return tuple(texts)
    for primal, dot in pairs:
        if not isinstance(dot, Static) and not isinstance(primal, Static):
            texts[dot] = f"{word} of {special.name(primal)}, shaped like it"
    return tuple(texts)


def result_texts(chain, special) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Say of each result what it is; and how it should be called."""
    count = len(special.program.results)
    texts, names = [""] * count, [""] * count
    if len(chain) > 1:
        for position, text, name in described(chain, special):
            if not isinstance(position, Static):
                texts[position], names[position] = text, name
    return tuple(texts), tuple(names)


def described(chain, special):
    """Yield the position, the description and the name of each result that a transform adds."""
    user, recipe, tree = chain[0].__name__, transforms(chain[1:])[-1], special.program.tree
    single = len(transforms(chain[1:])) == 1
    if getattr(recipe, "value", False):
        yield from ((p, f"value of {user}", "") for p in leaves(children(tree)[0]) if single)
        tree = children(tree)[1]
    match recipe:
        case Gradient():
            for position, name in zip(leaves(tree), argument_names(recipe, chain, special), strict=False):
                if isinstance(position, Static):
                    continue
                like = ", shaped like it" * bool(special.program.type_of(special.program.results[position]).ndim)
                yield position, f"gradient with respect to {name}{like}", ""
        case Jacobian() | Hessian():
            wrt = argument_names(recipe, chain, special)
            several = len(list(leaves(tree))) > 1
            for k, position in enumerate(leaves(tree)):
                if isinstance(position, Static):
                    continue
                name = wrt[k % len(wrt)] if wrt else ""
                shape = shape_text(user, name, 1 + isinstance(recipe, Hessian), special, position)
                word = recipe.word.lower()
                yield position, f"shape {shape}" * (single and shape != "()"), f"{word}_{name}" if several and name else word
        case HessianProduct() | Product():
            for position in leaves(tree):
                yield position, "Hessian times direction, shaped like the argument", ""
        case Pushforward():
            for position in leaves(tree):
                yield position, f"derivative of {user} along the tangents", ""
        case Pullback() | Cotangent():
            names = [special.name(p) for p in leaves(special.inputs[0][0])
                     if not isinstance(p, Static)] if len(special.inputs[0]) > 1 else []
            for position, name in zip(leaves(tree), names, strict=False):
                yield position, f"cotangent of {name}, shaped like it", ""
        case Derivatives():
            for order, position in enumerate(leaves(tree)):
                yield position, f"derivative of order {order}" if order else f"value of {user}", ""


def shape_text(user, name, times, special, position) -> str:
    """Return the shape of a Jacobian, or of a Hessian, in terms of those of output and argument."""
    rank = next((p.type.ndim for p in special.program.params if p.name == name), 0)
    out = special.program.type_of(special.program.results[position]).ndim - times * rank
    return " + ".join([f"{user}.shape"] * (out > 0) + [f"{name}.shape"] * times * (rank > 0)) or "()"


def argument_names(recipe, chain, special) -> list[str]:
    """Return the names of the differentiated leaves, in order."""
    try:
        tree, _ = differentiated(special, chain[0], recipe.argnums)
    except ArgumentError:
        return []
    return [special.name(p) for p in leaves(tree) if not isinstance(p, Static)]
