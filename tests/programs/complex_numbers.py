"""Real functions with complex numbers inside: phases, roots, transforms, moduli, arrays, linear systems."""

import cmath
import math

import numpy as np

from tests.programs import program

X = np.array([0.3, -0.8, 1.7])
Y = np.array([0.9, 0.4, -1.1])
SHIFT = 0.5 + 0.25j


@program(X, 1.3, compiled=True)
def plane_wave(x, k):
    z = np.exp(1j * k * x)
    return np.sum((z * z + 2.0).real * x) + abs(z[0] + 1.0) ** 2


@program(X, compiled=True)
def fourier_power(x):
    n = len(x)
    power = np.zeros(n)
    for m in range(n):
        c = 0j
        for j in range(n):
            c += x[j] * cmath.exp(-2j * math.pi * m * j / n)
        power[m] = c.real ** 2 + c.imag ** 2
    return power


@program(0.7, -1.2)
def scalar_operations(a, b):
    z = complex(a, b)
    w = (z + 2.0) * (1.0 - z) / (z * z + 3j)
    w = -w - 1.0 / z + z ** 2 - z ** -1 + z ** 3
    return w.real * abs(w), w.imag, np.angle(w), abs(z - 1j)


@program(0.7, -1.2, compiled=True)
def elementary_functions(a, b):
    z = a + 1j * b
    w = cmath.sin(z) * cmath.cos(z) - cmath.tan(z / 3) + cmath.sqrt(z + 2) * cmath.log(z)
    v = np.sinh(z) + np.cosh(z / 2) * np.tanh(z) + np.exp(-z)
    u = cmath.atan(z) + cmath.asin(z / 3) - cmath.acos(z / 4) + cmath.asinh(z) + np.arctanh(z / 5)
    t = np.log10(z) + np.log1p(z) - np.expm1(z / 2) + np.log2(z) * np.square(z) / np.reciprocal(z)
    return (w * v).real, (w / v).imag, (u * t).real + (u - t).imag


@program(0.7, -1.2)
def powers(a, b):
    z = complex(a, b)
    return (z ** 0.5).real, (z ** 1.5).imag, (z ** z).real, ((-2.0) ** z).imag, (z ** a).real, (a ** z).imag


@program(-0.7)
def negative_base(a):
    z = a ** 0.3j
    return z.real, z.imag


@program(X, Y)
def arrays_of_parts(x, y):
    z = x + 1j * y
    w = np.conj(z) * z[::-1] + z.conj().imag - np.real(z) * SHIFT
    return np.abs(w), np.angle(z), np.imag(w * w), z.real * 2.0


@program(X, Y)
def reductions(x, y):
    z = x * np.exp(1j * y)
    total = np.sum(z) * np.prod(z + 1.0) + np.mean(z) - np.cumsum(z)[1]
    return total.real, total.imag, np.linalg.norm(z), np.vdot(z, z[::-1]).imag, np.dot(z, z).real, (z @ x).imag


@program(X, 0.4, compiled=True)
def stores(x, t):
    n = len(x)
    z = np.zeros((n, 2), dtype=np.complex128)
    for i in range(n):
        z[i, 0] = x[i] + 1j * t
        z[i, 1] = x[i] * x[i]
        z[i, 0] *= z[i, 1] + 1.0
        z[i, 1] += 1j * x[n - 1 - i]
    z[1:, 1] -= z[:-1, 0]
    z[0] = x[0]
    return np.sum((z[:, 0] * np.conj(z[:, 1])).real), z.imag


@program(X, 0.8)
def tridiagonal(x, omega):
    n = len(x)
    a = np.zeros((n, n), dtype=complex)
    for i in range(n):
        a[i, i] = 2.0 + 1j * omega * x[i]
        if i + 1 < n:
            a[i, i + 1] = a[i + 1, i] = -x[i]
    u = np.linalg.solve(a, np.ones(n))
    return np.abs(u) ** 2, np.linalg.det(a).real, np.linalg.inv(a)[0, 1].imag


@program(X, compiled=True)
def matrices(x):
    a = np.outer(x, x) + 0.5j * np.eye(3)
    b = a @ a.T + x
    c = a @ x
    return (b * b).real, c.imag, np.abs(np.trace(a @ b))


@program(0.3, 0.2, compiled=True)
def mandelbrot(a, b):
    c = complex(a, b)
    z = 0j
    steps = 0
    while abs(z) < 2.0 and steps < 12:
        z = z * z + c
        steps += 1
    return z.real, abs(z)


@program(2.0, 0.7)
def root_of_polynomial(p, q):
    z = 1.0 + 1.0j
    for _ in range(8):
        z = z - (z ** 3 + p * z + q) / (3 * z ** 2 + p)
    return z.real, z.imag


@program(X, 0.5)
def branches(x, t):
    total = 0.0
    z = 1.0
    for v in x:
        z = z * (v + 1j * t) if v > 0 else z + 0.5j
        if z != 0:
            total = total + (z / abs(z)).real
    w = np.where(x > 0, np.exp(1j * x), 1j * t * x)
    return total, w.imag, z.real


@program(2.0, 1.5)
def impedance(r, c):
    omega = np.linspace(0.5, 2.0, 4)
    z = 1.0 / (1.0 / r + 1j * omega * c)
    return 20.0 * np.log10(np.abs(z)), np.angle(z)


def rotated(z, angle):
    return z * cmath.rect(1.0, angle)


@program(0.6, 1.1)
def helper_of_complex(x, angle):
    z = rotated(complex(x), angle)
    radius, phase = cmath.polar(rotated(z * z, -x) + 1)
    return z.imag * radius, phase


@program(np.array([0.3, -0.8, 1.7], dtype=np.float32))
def single_precision(x):
    z = np.exp(x * np.complex64(1j))
    return np.sum((z * z).real * x)
