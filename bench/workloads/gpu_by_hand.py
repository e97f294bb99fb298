"""The kernels of `bench.workloads.gpu` as one writes them by hand, with the derivatives that one finds on paper.

``number = out.dtype.type`` makes constants of the precision of the arrays: a
bare 0.5 is a double in a kernel, and so is all that it meets.
"""

from __future__ import annotations

import math

from numba import cuda

from bench.workloads.gpu_peers import Rival

__all__ = ["by_hand", "greeks", "hessian", "jacobian", "kepler", "reprojection", "sensitivities"]

THREADS = 128
STEPS = 1000
CONTRACT = {"contract"}


@cuda.jit(fastmath=CONTRACT)
def jacobian(weight, bias, xs, out):
    """A thread for each sample and row: J[s, i, :] = (1 - y_i^2) W[i, :]."""
    rows, one = weight.shape[0], out.dtype.type(1)
    for item in range(cuda.grid(1), xs.shape[0] * rows, cuda.gridsize(1)):
        s, i = item // rows, item % rows
        total = bias[i]
        for j in range(weight.shape[1]):
            total += weight[i, j] * xs[s, j]
        y = math.tanh(total)
        slope = one - y * y
        for j in range(weight.shape[1]):
            out[s, i, j] = slope * weight[i, j]


@cuda.jit(fastmath=CONTRACT)
def hessian(weight, bias, xs, out):
    """A thread for each sample and row: H[s, i, j, k] = -2 y_i (1 - y_i^2) W[i, j] W[i, k]."""
    rows, columns = weight.shape
    one, two = out.dtype.type(1), out.dtype.type(2)
    for item in range(cuda.grid(1), xs.shape[0] * rows, cuda.gridsize(1)):
        s, i = item // rows, item % rows
        total = bias[i]
        for j in range(columns):
            total += weight[i, j] * xs[s, j]
        y = math.tanh(total)
        bend = -two * y * (one - y * y)
        for j in range(columns):
            for k in range(columns):
                out[s, i, j, k] = bend * weight[i, j] * weight[i, k]


@cuda.jit(fastmath=CONTRACT)
def greeks(options, out):
    """A thread for each option: delta, dual delta, rho, vega, theta."""
    number = out.dtype.type
    half, two = number(0.5), number(2)
    scale, flat = number(1 / math.sqrt(2.0)), number(1 / math.sqrt(2.0 * math.pi))
    for n in range(cuda.grid(1), options.shape[0], cuda.gridsize(1)):
        spot, strike, rate = options[n, 0], options[n, 1], options[n, 2]
        volatility, time = options[n, 3], options[n, 4]
        root = math.sqrt(time)
        width = volatility * root
        d1 = (math.log(spot / strike) + (rate + half * volatility * volatility) * time) / width
        d2 = d1 - width
        upper, lower = half * math.erfc(-d1 * scale), half * math.erfc(-d2 * scale)
        discount, density = math.exp(-rate * time), math.exp(-half * d1 * d1) * flat
        out[n, 0] = upper
        out[n, 1] = -discount * lower
        out[n, 2] = strike * time * discount * lower
        out[n, 3] = spot * density * root
        out[n, 4] = spot * density * volatility / (two * root) + rate * strike * discount * lower


@cuda.jit(fastmath=CONTRACT)
def kepler(orbits, out):
    """A thread for each orbit: the slope of the solution itself, dE = (dM + sin E de) / (1 - e cos E)."""
    number = out.dtype.type
    one, small = number(1), number(1e-6)
    for n in range(cuda.grid(1), orbits.shape[0], cuda.gridsize(1)):
        mean, eccentricity = orbits[n, 0], orbits[n, 1]
        anomaly, change, steps = mean, one, 0
        while abs(change) > small and steps < 20:
            change = (anomaly - eccentricity * math.sin(anomaly) - mean) / (one - eccentricity * math.cos(anomaly))
            anomaly -= change
            steps += 1
        slope = one / (one - eccentricity * math.cos(anomaly))
        out[n, 0] = slope
        out[n, 1] = slope * math.sin(anomaly)


@cuda.jit(device=True, fastmath=CONTRACT)
def _slopes(a, b, c, d, x, y):
    """Return how the populations change."""
    return a * x - b * x * y, d * x * y - c * y


@cuda.jit(device=True, fastmath=CONTRACT)
def _slopes_dot(a, b, c, d, x, y, parameter, x_dot, y_dot):
    """Return how their sensitivities to one of the rates change."""
    xy = x * y
    xy_dot = x_dot * y + x * y_dot
    p, q = a * x_dot - b * xy_dot, d * xy_dot - c * y_dot
    if parameter == 0:
        p += x
    elif parameter == 1:
        p -= xy
    elif parameter == 2:
        q -= y
    else:
        q += xy
    return p, q


@cuda.jit(fastmath=CONTRACT)
def sensitivities(rates, out):
    """A thread for each set of rates and one of its parameters: both populations, and their sensitivities to it."""
    number = out.dtype.type
    h, half, sixth = number(0.01), number(0.005), number(0.01 / 6)
    for item in range(cuda.grid(1), 4 * rates.shape[0], cuda.gridsize(1)):
        n, k = item // 4, item % 4
        a, b, c, d = rates[n, 0], rates[n, 1], rates[n, 2], rates[n, 3]
        x, y, s, t = number(10), number(5), number(0), number(0)
        for _ in range(STEPS):
            x1, y1 = _slopes(a, b, c, d, x, y)
            s1, t1 = _slopes_dot(a, b, c, d, x, y, k, s, t)
            u, v, p, q = x + half * x1, y + half * y1, s + half * s1, t + half * t1
            x2, y2 = _slopes(a, b, c, d, u, v)
            s2, t2 = _slopes_dot(a, b, c, d, u, v, k, p, q)
            u, v, p, q = x + half * x2, y + half * y2, s + half * s2, t + half * t2
            x3, y3 = _slopes(a, b, c, d, u, v)
            s3, t3 = _slopes_dot(a, b, c, d, u, v, k, p, q)
            u, v, p, q = x + h * x3, y + h * y3, s + h * s3, t + h * t3
            x4, y4 = _slopes(a, b, c, d, u, v)
            s4, t4 = _slopes_dot(a, b, c, d, u, v, k, p, q)
            x += sixth * (x1 + x2 + x2 + x3 + x3 + x4)
            y += sixth * (y1 + y2 + y2 + y3 + y3 + y4)
            s += sixth * (s1 + s2 + s2 + s3 + s3 + s4)
            t += sixth * (t1 + t2 + t2 + t3 + t3 + t4)
        out[n, 0, k] = s
        out[n, 1, k] = t


@cuda.jit(device=True, fastmath=CONTRACT)
def _crossed(a0, a1, a2, b0, b1, b2):
    """Return the cross product of two vectors."""
    return a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0


@cuda.jit(device=True, fastmath=CONTRACT)
def _turned(r0, r1, r2, sine, versine, x, y, z):
    """Return R v for R = 1 + sine [r] + versine [r]^2."""
    a, b, c = _crossed(r0, r1, r2, x, y, z)
    d, e, f = _crossed(r0, r1, r2, a, b, c)
    return x + sine * a + versine * d, y + sine * b + versine * e, z + sine * c + versine * f


@cuda.jit(fastmath=CONTRACT)
def reprojection(blocks, features, out):
    """A thread for each block: both rows of the Jacobian, from the derivative of the rotation.

    A row g of d residual / d(R z) gives w = g R for the point, and z x w J_r for the rotation vector r of length a,
    because d(R z) = R dz - R [z] J_r dr, where J_r = 1 - (1 - cos a)/a^2 [r] + (a - sin a)/a^3 [r]^2.
    """
    number = out.dtype.type
    zero, one, two = number(0), number(1), number(2)
    for n in range(cuda.grid(1), blocks.shape[0], cuda.gridsize(1)):
        b = blocks[n]
        r0, r1, r2 = b[0], b[1], b[2]
        z0, z1, z2 = b[11] - b[3], b[12] - b[4], b[13] - b[5]
        square = r0 * r0 + r1 * r1 + r2 * r2
        angle = math.sqrt(square)
        cosine = math.cos(angle)
        sine = math.sin(angle) / angle
        versine = (one - cosine) / square
        rest = (one - sine) / square
        t0, t1, t2 = _turned(r0, r1, r2, sine, versine, z0, z1, z2)
        deep = one / t2
        p0, p1 = t0 * deep, t1 * deep
        s = p0 * p0 + p1 * p1
        bend = one + b[9] * s + b[10] * s * s
        slope = two * b[6] * (b[9] + two * b[10] * s)         # of bend * focal, by p over p
        weight, scale = b[14], bend * b[6]
        for i in range(2):
            p = p0 if i == 0 else p1
            a0, a1 = p * slope * p0 * weight, p * slope * p1 * weight
            if i == 0:
                a0 += scale * weight
            else:
                a1 += scale * weight
            g0, g1 = a0 * deep, a1 * deep
            g2 = -(g0 * p0 + g1 * p1)
            w0, w1, w2 = _turned(-r0, -r1, -r2, sine, versine, g0, g1, g2)      # g R
            c0, c1, c2 = _crossed(z0, z1, z2, w0, w1, w2)                       # -w [z]
            # d(R z) = -R [z] J_r dr; its transpose turns by J_r^T, in which [r] has the other sign.
            c0, c1, c2 = _turned(r0, r1, r2, versine, rest, c0, c1, c2)
            out[n, i, 0], out[n, i, 1], out[n, i, 2] = c0, c1, c2
            out[n, i, 3], out[n, i, 4], out[n, i, 5] = -w0, -w1, -w2
            out[n, i, 6] = weight * p * bend
            out[n, i, 7] = weight if i == 0 else zero
            out[n, i, 8] = weight if i == 1 else zero
            out[n, i, 9] = weight * p * b[6] * s
            out[n, i, 10] = weight * p * b[6] * s * s
            out[n, i, 11], out[n, i, 12], out[n, i, 13] = w0, w1, w2
            out[n, i, 14] = p * scale + b[7 + i] - features[n, i]


def by_hand(kernel, shape: tuple[int, ...], items: int = 1) -> Rival:
    """Return a rival that fills one result array with a kernel of `items` threads a sample; its memory is taken once."""
    def make(arrays, placed):
        count = len(arrays[-1])
        out = cuda.device_array((count, *shape), arrays[-1].dtype)
        threads = min(THREADS, count * items)
        blocks = max(1, min(-(-count * items // THREADS), 1 << 16))

        def call():
            kernel[blocks, threads](*placed, out)
            return out

        return call

    return Rival("by hand (CUDA)", make)
