"""Hand tracking: the distance of measured points from a skinned model of the hand.

theta = (global rotation 3, global translation 3, four angles of each of five
fingers).  The bones are 0 the wrist, four of each finger, 21 the forearm.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["complicated", "simple"]


@njit
def euler(x, z, y):
    """Return Rz Ry Rx."""
    cx, sx, cy, sy, cz, sz = math.cos(x), math.sin(x), math.cos(y), math.sin(y), math.cos(z), math.sin(z)
    out = np.eye(4)
    out[0, 0], out[0, 1], out[0, 2] = cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz
    out[1, 0], out[1, 1], out[1, 2] = cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz
    out[2, 0], out[2, 1], out[2, 2] = -sy, sx * cy, cx * cy
    return out


@njit
def rodrigues(r):
    """Return the rotation about `r` by the angle |r|."""
    out = np.eye(3)
    norm = math.sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2])
    if norm >= 1e-4:
        x, y, z = r[0] / norm, r[1] / norm, r[2] / norm
        s, c = math.sin(norm), math.cos(norm)
        out[0, 0] = x * x + (1.0 - x * x) * c
        out[0, 1] = x * y * (1.0 - c) - z * s
        out[0, 2] = x * z * (1.0 - c) + y * s
        out[1, 0] = x * y * (1.0 - c) + z * s
        out[1, 1] = y * y + (1.0 - y * y) * c
        out[1, 2] = y * z * (1.0 - c) - x * s
        out[2, 0] = x * z * (1.0 - c) - y * s
        out[2, 1] = z * y * (1.0 - c) + x * s
        out[2, 2] = z * z + (1.0 - z * z) * c
    return out


@njit
def bone_angles(theta):
    """Return (x, z, y) of each of the 22 bones."""
    angles = np.zeros((22, 3))
    for f in range(5):
        bone = 1 + 4 * f
        angles[bone + 1, 0] = theta[6 + 4 * f]
        angles[bone + 1, 1] = theta[7 + 4 * f]
        angles[bone + 2, 0] = theta[8 + 4 * f]
        angles[bone + 3, 0] = theta[9 + 4 * f]
    return angles


@njit
def skin(theta, parents, relative, inverse, base, weights):
    """Return the vertices of the posed model, (3, m)."""
    bones, vertices = weights.shape
    angles = bone_angles(theta)
    absolute = np.empty((bones, 4, 4))
    posed = np.zeros((3, vertices))
    for i in range(bones):
        local = np.dot(relative[i], euler(angles[i, 0], angles[i, 1], angles[i, 2]))
        if parents[i] < 0:
            absolute[i] = local
        else:
            absolute[i] = np.dot(absolute[parents[i]], local)
        moved = np.dot(np.dot(absolute[i], inverse[i])[:3], base)
        posed += weights[i] * moved
    posed = np.dot(rodrigues(theta[:3]), posed)
    for a in range(3):
        posed[a] += theta[3 + a]
    return posed


def simple(theta, parents, relative, inverse, base, weights, corresponding, measured):
    """Return 3 n errors; a measured point corresponds to a vertex."""
    vertices = skin(theta, parents, relative, inverse, base, weights)
    n = corresponding.shape[0]
    error = np.empty(3 * n)
    for q in range(n):
        for a in range(3):
            error[3 * q + a] = measured[q, a] - vertices[a, corresponding[q]]
    return error


def complicated(theta, u, parents, relative, inverse, base, weights, triangles, corresponding, measured):
    """Return 3 n errors; a measured point corresponds to a place `u` in a triangle."""
    vertices = skin(theta, parents, relative, inverse, base, weights)
    n = corresponding.shape[0]
    error = np.empty(3 * n)
    for q in range(n):
        i, j, k = triangles[corresponding[q]]
        for a in range(3):
            error[3 * q + a] = measured[q, a] - (u[q, 0] * vertices[a, i] + u[q, 1] * vertices[a, j]
                                                 + (1.0 - u[q, 0] - u[q, 1]) * vertices[a, k])
    return error
