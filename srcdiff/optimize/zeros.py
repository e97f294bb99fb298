"""Which variables are zero throughout, arrays in all their elements.

>>> from srcdiff.notation import read
>>> sorted(zero_variables(read('''
... def f(x: "float64[:]", n: "weak int64"):
...     x_bar = zeros(n, dtype='float64')
...     y_bar = zeros(n, dtype='float64')
...     s_bar = 0.0
...     for i in range(0, n, 1):
...         t = x[i]
...         u = add(x_bar, s_bar)
...         y_bar[i] += t
...         s_bar = 0.0
...     return u, y_bar
... ''')))
['s_bar', 'u', 'x_bar']
"""

from __future__ import annotations

from collections import defaultdict

from srcdiff.syntax import Assign, Atom, Const, For, Load, Program, Store, Var, walk

__all__ = ["is_zero", "zero_variables"]

# Operations whose result is zero where all these operands are.  Not `multiply`:
# zero times infinity is not zero.
KEEP_ZERO = {
    "copy": 1, "cast": 1, "weaken": 1, "negative": 1, "positive": 1, "add": 2, "subtract": 2,
    "reshape": 1, "transpose": 1, "expand_dims": 1, "squeeze": 1, "broadcast_to": 1, "sum_to": 1,
    "sum": 1, "cumsum": 1, "full": 1,
}


def zero_variables(program: Program) -> set[str]:
    """Return the variables that hold zeros after all their assignments and stores.

    Optimistic: all count as zero until a statement says otherwise, and then
    what was made of them is looked at again.
    """
    users, queue = defaultdict(list), [p.name for p in program.params]
    zero = set(program.types)
    for stmt in walk(program.body):
        match stmt:
            case Assign(target=name, op="zeros"):
                continue
            case Assign(target=name, op=op, args=args) if op in KEEP_ZERO:
                sources: tuple[Atom, ...] = args[:KEEP_ZERO[op]]
            case Load(target=name, array=array):
                sources = (Var(array),)
            case Store(array=name, value=value):
                sources = (value,)
            case Assign(target=name) | For(var=name):
                queue.append(name)
                continue
            case _:
                continue
        for atom in sources:
            if isinstance(atom, Var):
                users[atom.name].append(name)
            elif not is_zero(atom):
                queue.append(name)
    while queue:
        name = queue.pop()
        if name in zero:
            zero.remove(name)
            queue.extend(users[name])
    return zero


def is_zero(constant: Const) -> bool:
    """Tell whether a constant is the number zero, of either sign."""
    return type(constant.value) is not bool and constant.value == 0
