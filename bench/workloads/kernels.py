"""Loop kernels of scientific computing, in place as scientists write them.

Plain functions that Numba compiles as they stand, after PolyBench and NPBench:
what a kernel computes stands in its arguments or is returned.  Each is
registered with a maker of sample arguments of a given size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

__all__ = ["KERNELS", "Kernel"]


@dataclass(frozen=True)
class Kernel:
    """A kernel: `make(n, rng)` returns its arguments for problem size `n`."""

    function: Callable
    make: Callable
    size: int

    @property
    def name(self) -> str:
        return self.function.__name__


KERNELS: dict[str, Kernel] = {}


def kernel(make, size):
    """Register the decorated kernel; `size` is the one that benchmarks use."""
    def register(function):
        KERNELS[function.__name__] = Kernel(function, make, size)
        return function
    return register


# -- stencils ------------------------------------------------------------------------

@kernel(lambda n, rng: (5, rng.normal(size=n), rng.normal(size=n)), 20_000)
def jacobi_1d(steps, a, b):
    for _ in range(steps):
        for i in range(1, len(a) - 1):
            b[i] = 0.33333 * (a[i - 1] + a[i] + a[i + 1])
        for i in range(1, len(a) - 1):
            a[i] = 0.33333 * (b[i - 1] + b[i] + b[i + 1])


@kernel(lambda n, rng: (3, rng.normal(size=(n, n)), rng.normal(size=(n, n))), 150)
def jacobi_2d(steps, a, b):
    for _ in range(steps):
        b[1:-1, 1:-1] = 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1])
        a[1:-1, 1:-1] = 0.2 * (b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1])


@kernel(lambda n, rng: (2, rng.normal(size=(n, n, n)), rng.normal(size=(n, n, n))), 25)
def heat_3d(steps, a, b):
    n = a.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                for k in range(1, n - 1):
                    b[i, j, k] = (0.125 * (a[i + 1, j, k] - 2.0 * a[i, j, k] + a[i - 1, j, k])
                                  + 0.125 * (a[i, j + 1, k] - 2.0 * a[i, j, k] + a[i, j - 1, k])
                                  + 0.125 * (a[i, j, k + 1] - 2.0 * a[i, j, k] + a[i, j, k - 1])
                                  + a[i, j, k])
        a[1:-1, 1:-1, 1:-1] = (
            0.125 * (b[2:, 1:-1, 1:-1] - 2.0 * b[1:-1, 1:-1, 1:-1] + b[:-2, 1:-1, 1:-1])
            + 0.125 * (b[1:-1, 2:, 1:-1] - 2.0 * b[1:-1, 1:-1, 1:-1] + b[1:-1, :-2, 1:-1])
            + 0.125 * (b[1:-1, 1:-1, 2:] - 2.0 * b[1:-1, 1:-1, 1:-1] + b[1:-1, 1:-1, :-2])
            + b[1:-1, 1:-1, 1:-1])


@kernel(lambda n, rng: (3, rng.normal(size=(n, n))), 120)
def seidel_2d(steps, a):
    n = a.shape[0]
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                a[i, j] = (a[i - 1, j - 1] + a[i - 1, j] + a[i - 1, j + 1]
                           + a[i, j - 1] + a[i, j] + a[i, j + 1]
                           + a[i + 1, j - 1] + a[i + 1, j] + a[i + 1, j + 1]) / 9.0


@kernel(lambda n, rng: (*(rng.normal(size=(n, n + 1)) for _ in range(3)), rng.normal(size=4)), 120)
def fdtd_2d(ex, ey, hz, source):
    for t in range(len(source)):
        ey[0, :] = source[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])


@kernel(lambda n, rng: (3, rng.normal(size=(n, n))), 80)
def adi(steps, u):
    n = u.shape[0]
    v, p, q = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    dx, dt = 1.0 / n, 1.0 / steps
    a = c = -2.0 * dt / (dx * dx) / 2.0
    b = 1.0 - 2.0 * a
    d = f = -dt / (dx * dx) / 2.0
    e = 1.0 - 2.0 * d
    for _ in range(1, steps + 1):
        for i in range(1, n - 1):
            v[0, i] = 1.0
            p[i, 0] = 0.0
            q[i, 0] = v[0, i]
            for j in range(1, n - 1):
                p[i, j] = -c / (a * p[i, j - 1] + b)
                q[i, j] = (-d * u[j, i - 1] + (1.0 + 2.0 * d) * u[j, i] - f * u[j, i + 1]
                           - a * q[i, j - 1]) / (a * p[i, j - 1] + b)
            v[n - 1, i] = 1.0
            for j in range(n - 2, 0, -1):
                v[j, i] = p[i, j] * v[j + 1, i] + q[i, j]
        for i in range(1, n - 1):
            u[i, 0] = 1.0
            p[i, 0] = 0.0
            q[i, 0] = u[i, 0]
            for j in range(1, n - 1):
                p[i, j] = -f / (d * p[i, j - 1] + e)
                q[i, j] = (-a * v[i - 1, j] + (1.0 + 2.0 * a) * v[i, j] - c * v[i + 1, j]
                           - d * q[i, j - 1]) / (d * p[i, j - 1] + e)
            u[i, n - 1] = 1.0
            for j in range(n - 2, 0, -1):
                u[i, j] = p[i, j] * u[i, j + 1] + q[i, j]


# -- dense linear algebra --------------------------------------------------------------

def dominant(n, rng):
    """Return a matrix whose diagonal outweighs its rows, so that it needs no pivoting."""
    return rng.normal(size=(n, n)) / n + 2.0 * np.eye(n)


def positive(n, rng):
    a = rng.normal(size=(n, n)) / n
    return a @ a.T + np.eye(n)


@kernel(lambda n, rng: (dominant(n, rng),), 100)
def lu(a):
    n = a.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                a[i, j] -= a[i, k] * a[k, j]
            a[i, j] /= a[j, j]
        for j in range(i, n):
            for k in range(i):
                a[i, j] -= a[i, k] * a[k, j]


@kernel(lambda n, rng: (positive(n, rng),), 120)
def cholesky(a):
    n = a.shape[0]
    for i in range(n):
        for j in range(i):
            for k in range(j):
                a[i, j] -= a[i, k] * a[j, k]
            a[i, j] /= a[j, j]
        for k in range(i):
            a[i, i] -= a[i, k] * a[i, k]
        a[i, i] = np.sqrt(a[i, i])


@kernel(lambda n, rng: (rng.uniform(0.1, 0.4, n) / n,), 300)
def durbin(r):
    n = len(r)
    y = np.empty(n)
    z = np.empty(n)
    y[0] = -r[0]
    beta = 1.0
    alpha = -r[0]
    for k in range(1, n):
        beta = (1.0 - alpha * alpha) * beta
        total = 0.0
        for i in range(k):
            total += r[k - i - 1] * y[i]
        alpha = -(r[k] + total) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha
    return y


@kernel(lambda n, rng: (rng.normal(size=(n + 2, n)) + 2.0 * np.eye(n + 2, n),), 70)
def gramschmidt(a):
    m, n = a.shape
    q = np.zeros((m, n))
    r = np.zeros((n, n))
    for k in range(n):
        norm = 0.0
        for i in range(m):
            norm += a[i, k] * a[i, k]
        r[k, k] = np.sqrt(norm)
        q[:, k] = a[:, k] / r[k, k]
        for j in range(k + 1, n):
            for i in range(m):
                r[k, j] += q[i, k] * a[i, j]
            a[:, j] -= q[:, k] * r[k, j]
    return q, r


@kernel(lambda n, rng: (dominant(n, rng), rng.normal(size=n), rng.normal(size=n)), 400)
def trisolv(lower, x, b):
    for i in range(len(x)):
        x[i] = b[i]
        for j in range(i):
            x[i] -= lower[i, j] * x[j]
        x[i] = x[i] / lower[i, i]


@kernel(lambda n, rng: (1.5, 1.2, rng.normal(size=(n, n + 1)), rng.normal(size=(n, n)),
                        rng.normal(size=(n, n + 1))), 80)
def symm(alpha, beta, c, a, b):
    m, n = c.shape
    for i in range(m):
        for j in range(n):
            temp = 0.0
            for k in range(i):
                c[k, j] += alpha * b[i, j] * a[i, k]
                temp += b[k, j] * a[i, k]
            c[i, j] = beta * c[i, j] + alpha * b[i, j] * a[i, i] + alpha * temp


@kernel(lambda n, rng: (rng.uniform(1.0, 10.0, (n, n)),), 90)
def floyd_warshall(path):
    n = path.shape[0]
    for k in range(n):
        for i in range(n):
            for j in range(n):
                if path[i, k] + path[k, j] < path[i, j]:
                    path[i, j] = path[i, k] + path[k, j]


# -- filters and fields ------------------------------------------------------------------

@kernel(lambda n, rng: (0.25, rng.normal(size=(n, n + 1))), 120)
def deriche(alpha, image):
    w, h = image.shape
    y1, y2 = np.empty((w, h)), np.empty((w, h))
    out = np.empty((w, h))
    k = ((1.0 - np.exp(-alpha)) * (1.0 - np.exp(-alpha))
         / (1.0 + 2.0 * alpha * np.exp(-alpha) - np.exp(2.0 * alpha)))
    a1 = a5 = k
    a2 = a6 = k * np.exp(-alpha) * (alpha - 1.0)
    a3 = a7 = k * np.exp(-alpha) * (alpha + 1.0)
    a4 = a8 = -k * np.exp(-2.0 * alpha)
    b1 = 2.0 ** (-alpha)
    b2 = -np.exp(-2.0 * alpha)
    for i in range(w):
        ym1 = ym2 = xm1 = 0.0
        for j in range(h):
            y1[i, j] = a1 * image[i, j] + a2 * xm1 + b1 * ym1 + b2 * ym2
            xm1 = image[i, j]
            ym2 = ym1
            ym1 = y1[i, j]
    for i in range(w):
        yp1 = yp2 = xp1 = xp2 = 0.0
        for j in range(h - 1, -1, -1):
            y2[i, j] = a3 * xp1 + a4 * xp2 + b1 * yp1 + b2 * yp2
            xp2 = xp1
            xp1 = image[i, j]
            yp2 = yp1
            yp1 = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]
    for j in range(h):
        tm1 = ym1 = ym2 = 0.0
        for i in range(w):
            y1[i, j] = a5 * out[i, j] + a6 * tm1 + b1 * ym1 + b2 * ym2
            tm1 = out[i, j]
            ym2 = ym1
            ym1 = y1[i, j]
    for j in range(h):
        tp1 = tp2 = yp1 = yp2 = 0.0
        for i in range(w - 1, -1, -1):
            y2[i, j] = a7 * tp1 + a8 * tp2 + b1 * yp1 + b2 * yp2
            tp2 = tp1
            tp1 = out[i, j]
            yp2 = yp1
            yp1 = y2[i, j]
    for i in range(w):
        for j in range(h):
            out[i, j] = y1[i, j] + y2[i, j]
    return out


@kernel(lambda n, rng: (rng.normal(size=(n + 4, n + 5, 3)), rng.normal(size=(n, n + 1, 3)),
                        rng.normal(size=(n, n + 1, 3))), 40)
def hdiff(field, out, coeff):
    ni, nj, _ = out.shape
    lap = 4.0 * field[1:ni + 3, 1:nj + 3, :] - (
        field[2:ni + 4, 1:nj + 3, :] + field[0:ni + 2, 1:nj + 3, :]
        + field[1:ni + 3, 2:nj + 4, :] + field[1:ni + 3, 0:nj + 2, :])
    res_x = lap[1:, 1:nj + 1, :] - lap[:-1, 1:nj + 1, :]
    flux_x = np.where(res_x * (field[2:ni + 3, 2:nj + 2, :] - field[1:ni + 2, 2:nj + 2, :]) > 0.0, 0.0, res_x)
    res_y = lap[1:ni + 1, 1:, :] - lap[1:ni + 1, :-1, :]
    flux_y = np.where(res_y * (field[2:ni + 2, 2:nj + 3, :] - field[2:ni + 2, 1:nj + 2, :]) > 0.0, 0.0, res_y)
    out[:, :, :] = field[2:ni + 2, 2:nj + 2, :] - coeff * (
        flux_x[1:, :, :] - flux_x[:-1, :, :] + flux_y[:, 1:, :] - flux_y[:, :-1, :])


@kernel(lambda n, rng: (rng.normal(size=(n, n, 5)), rng.normal(size=(n, n, 5)),
                        rng.uniform(0.1, 0.3, (n + 1, n, 5)), rng.normal(size=(n, n, 5)),
                        rng.normal(size=(n, n, 5)), 1.5), 40)
def vadv(utens_stage, u_stage, wcon, u_pos, utens, dtr):
    ni, nj, nk = utens_stage.shape
    ccol = np.empty((ni, nj, nk))
    dcol = np.empty((ni, nj, nk))
    column = np.empty((ni, nj))
    gcv = 0.25 * (wcon[1:, :, 1] + wcon[:-1, :, 1])
    ccol[:, :, 0] = gcv * 0.5
    bcol = dtr - ccol[:, :, 0]
    correction = -gcv * 0.5 * (u_stage[:, :, 1] - u_stage[:, :, 0])
    dcol[:, :, 0] = (dtr * u_pos[:, :, 0] + utens[:, :, 0] + utens_stage[:, :, 0] + correction) / bcol
    ccol[:, :, 0] = ccol[:, :, 0] / bcol
    for k in range(1, nk - 1):
        gav = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
        gcv = 0.25 * (wcon[1:, :, k + 1] + wcon[:-1, :, k + 1])
        acol = gav * 0.5
        ccol[:, :, k] = gcv * 0.5
        bcol = dtr - acol - ccol[:, :, k]
        correction = (-gav * 0.5 * (u_stage[:, :, k - 1] - u_stage[:, :, k])
                      - gcv * 0.5 * (u_stage[:, :, k + 1] - u_stage[:, :, k]))
        dcol[:, :, k] = dtr * u_pos[:, :, k] + utens[:, :, k] + utens_stage[:, :, k] + correction
        divided = 1.0 / (bcol - ccol[:, :, k - 1] * acol)
        ccol[:, :, k] *= divided
        dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * acol) * divided
    k = nk - 1
    gav = -0.25 * (wcon[1:, :, k] + wcon[:-1, :, k])
    acol = gav * 0.5
    bcol = dtr - acol
    correction = -gav * 0.5 * (u_stage[:, :, k - 1] - u_stage[:, :, k])
    dcol[:, :, k] = dtr * u_pos[:, :, k] + utens[:, :, k] + utens_stage[:, :, k] + correction
    divided = 1.0 / (bcol - ccol[:, :, k - 1] * acol)
    dcol[:, :, k] = (dcol[:, :, k] - dcol[:, :, k - 1] * acol) * divided
    column[:, :] = dcol[:, :, k]
    utens_stage[:, :, k] = dtr * (column - u_pos[:, :, k])
    for k in range(nk - 2, -1, -1):
        column[:, :] = dcol[:, :, k] - ccol[:, :, k] * column
        utens_stage[:, :, k] = dtr * (column - u_pos[:, :, k])


# -- machine learning ----------------------------------------------------------------------

@kernel(lambda n, rng: (rng.normal(size=(n, n + 1)), rng.normal(size=(n, n + 1))), 150)
def softmax(x, out):
    for i in range(x.shape[0]):
        e = np.exp(x[i] - np.max(x[i]))
        out[i] = e / np.sum(e)


@kernel(lambda n, rng: (rng.normal(size=(n, n + 1)), rng.normal(size=(n + 1, n + 2)), rng.normal(size=n + 2),
                        rng.normal(size=(n + 2, n)), rng.normal(size=n)), 100)
def mlp(x, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0.0)
    out = hidden @ w2 + b2
    for i in range(out.shape[0]):
        out[i] -= np.max(out[i])
        out[i] = np.exp(out[i])
        out[i] /= np.sum(out[i])
    return out


@kernel(lambda n, rng: (rng.normal(size=(2, n + 2, n + 1, 3)), rng.normal(size=(3, 3, 3, 4)),
                        rng.normal(size=4), rng.normal(size=(2, n, n - 1, 4))), 24)
def conv2d(image, weights, bias, out):
    batch, rows, columns, filters = out.shape
    size, _, channels, _ = weights.shape
    for b in range(batch):
        for i in range(rows):
            for j in range(columns):
                for o in range(filters):
                    out[b, i, j, o] = bias[o]
                for p in range(size):
                    for q in range(size):
                        for c in range(channels):
                            for o in range(filters):
                                out[b, i, j, o] += image[b, i + p, j + q, c] * weights[p, q, c, o]


# -- irregular and small --------------------------------------------------------------------

def sparse(n, rng, per_row=3):
    """Return a matrix in compressed rows: where each row starts, columns, values."""
    starts = np.arange(0, per_row * n + 1, per_row)
    return starts, rng.integers(0, n, per_row * n), rng.normal(size=per_row * n)


@kernel(lambda n, rng: (*sparse(n, rng), rng.normal(size=n)), 10_000)
def spmv(starts, columns, values, x):
    y = np.empty(len(starts) - 1)
    for i in range(len(y)):
        total = 0.0
        for k in range(starts[i], starts[i + 1]):
            total += values[k] * x[columns[k]]
        y[i] = total
    return y


@njit
def acceleration(position, mass, softening, out):
    n = position.shape[0]
    for i in range(n):
        out[i] = 0.0
        for j in range(n):
            dx = position[j, 0] - position[i, 0]
            dy = position[j, 1] - position[i, 1]
            dz = position[j, 2] - position[i, 2]
            weight = mass[j] * (dx**2 + dy**2 + dz**2 + softening**2) ** (-1.5)
            out[i, 0] += dx * weight
            out[i, 1] += dy * weight
            out[i, 2] += dz * weight


@kernel(lambda n, rng: (rng.uniform(0.5, 1.5, n), rng.normal(size=(n, 3)), rng.normal(size=(n, 3)),
                        0.01, 0.1, 4), 60)
def nbody(mass, position, velocity, dt, softening, steps):
    force = np.zeros(position.shape)
    energy = np.zeros(steps)
    acceleration(position, mass, softening, force)
    for step in range(steps):
        velocity += force * (0.5 * dt)
        position += velocity * dt
        acceleration(position, mass, softening, force)
        velocity += force * (0.5 * dt)
        for i in range(len(mass)):
            energy[step] += 0.5 * mass[i] * np.sum(velocity[i] ** 2)
    return energy


@kernel(lambda n, rng: (rng.normal(size=(n, n)),), 300)
def go_fast(a):
    trace = 0.0
    for i in range(a.shape[0]):
        trace += np.tanh(a[i, i])
    return a + trace


@kernel(lambda n, rng: tuple(rng.uniform(-1.0, 1.0, n) for _ in range(4)), 10_000)
def arc_distance(theta_1, phi_1, theta_2, phi_2):
    temp = (np.sin((theta_2 - theta_1) / 2.0) ** 2
            + np.cos(theta_1) * np.cos(theta_2) * np.sin((phi_2 - phi_1) / 2.0) ** 2)
    return 2.0 * np.arctan2(np.sqrt(temp), np.sqrt(1.0 - temp))
