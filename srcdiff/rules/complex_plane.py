"""Complex numbers inside real functions: one convention, and what is not complex-linear.

A function that is differentiated takes and returns real numbers; what lies
between may be complex.  A tangent of a complex value is complex.  Its
cotangent ``z_bar`` is the complex number with ::

    d(result) = Re(z_bar * dz)

without a conjugate, so that ``z_bar`` is twice the Wirtinger derivative d(result)/dz.
It follows that

* a holomorphic operation ``w = f(z)``, dw = f'(z) dz, gives ``z_bar += w_bar * f'(z)``: the
  transpose is that of the real rule, and each row that holds for complex numbers (`srcdiff.primitives.COMPLEX`)
  serves both modes as it stands;
* a real operand x of a complex operation is moved along the real line only, so
  ``x_bar += Re(...)`` (`srcdiff.rules.emission.settle`, and stores into complex arrays);
* what is linear over the real numbers alone has its transpose here:
  Re(g Re(dz)) = Re(g dz), Re(g Im(dz)) = Re(-i g dz), Re(g conj(dz)) = Re(conj(g) dz).

Everything else that is not holomorphic is made of these three and real operations:
the modulus is ``hypot(z.real, z.imag)``, the argument ``arctan2(z.imag, z.real)``.
"""

from __future__ import annotations

from srcdiff.rules.table import differential, moves, real
from srcdiff.rules.transposes import transpose_of
from srcdiff.syntax import Const

moves("real", "imag", "conjugate")
differential("complex", lambda x, y, dx, dy, ans: dx + 1j * dy, on=(real, real))


@transpose_of("real")
def _(emission, g, values, like):
    return g


@transpose_of("imag")
def _(emission, g, values, like):
    return emission.op("multiply", Const(-1j), g)
