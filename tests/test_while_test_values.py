"""What the test of a `while` computes may be read by its body: one adjoint for the whole loop."""

import numpy as np

from srcdiff.forward import tangent
from srcdiff.notation import read, run
from srcdiff.reverse import adjoint


def test_reverse_agrees_with_forward():
    program = read('''
def f(x: "float64", e: "float64"):
    b = copy(x)
    k = 0
    while True:
        t = sin(b)
        c = less(k, 4)
        if not c:
            break
        u = multiply(e, t)
        b = subtract(b, u)
        k = add(k, 1)
    return b
''')
    forward = tangent(program, ("x", "e"))
    columns = [run(forward, 0.7, 0.3, *direction)[1] for direction in ((1.0, 0.0), (0.0, 1.0))]
    np.testing.assert_allclose(run(adjoint(program, ("x", "e")), 0.7, 0.3, 1.0)[1:], columns, 1e-14)
