"""Bundle adjustment: the reprojection error of each observation, and of all of them.

A camera is (rotation 3, centre 3, focal length 1, principal point 2, radial
distortion 2).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["project", "reprojection", "residuals", "weight_error"]


@njit
def rotate(r, z):
    """Rotate `z` about the axis `r` by the angle |r| (Rodrigues)."""
    square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    out = np.empty(3)
    if square != 0.0:
        theta = math.sqrt(square)
        c, s = math.cos(theta), math.sin(theta)
        v0, v1, v2 = r[0] / theta, r[1] / theta, r[2] / theta
        along = (v0 * z[0] + v1 * z[1] + v2 * z[2]) * (1.0 - c)
        out[0] = z[0] * c + (v1 * z[2] - v2 * z[1]) * s + v0 * along
        out[1] = z[1] * c + (v2 * z[0] - v0 * z[2]) * s + v1 * along
        out[2] = z[2] * c + (v0 * z[1] - v1 * z[0]) * s + v2 * along
    else:
        out[0] = z[0] + r[1] * z[2] - r[2] * z[1]
        out[1] = z[1] + r[2] * z[0] - r[0] * z[2]
        out[2] = z[2] + r[0] * z[1] - r[1] * z[0]
    return out


@njit
def project(camera, point):
    """Project a point into the image of a camera with radial distortion."""
    p = rotate(camera[0:3], point - camera[3:6])
    x, y = p[0] / p[2], p[1] / p[2]
    s = x * x + y * y
    factor = 1.0 + camera[9] * s + camera[10] * s * s
    out = np.empty(2)
    out[0] = x * factor * camera[6] + camera[7]
    out[1] = y * factor * camera[6] + camera[8]
    return out


@njit
def reprojection(camera, point, weight, feature):
    """Return the weighted error of one observation."""
    return weight * (project(camera, point) - feature)


def weight_error(weight):
    return 1.0 - weight * weight


def residuals(cameras, points, weights, observations, features):
    """Return the errors of all observations, (p, 2), and of all weights, (p,)."""
    p = observations.shape[0]
    errors = np.empty((p, 2))
    of_weights = np.empty(p)
    for o in range(p):
        i, j = observations[o, 0], observations[o, 1]
        errors[o] = reprojection(cameras[i], points[j], weights[o], features[o])
        of_weights[o] = 1.0 - weights[o] * weights[o]
    return errors, of_weights
