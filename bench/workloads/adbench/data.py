"""The data files of ADBench, and made-up data of any size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

__all__ = ["FOLDER", "expected", "read_ba", "read_gmm", "read_hand", "read_lstm", "some_gmm",
           "some_lstm"]

FOLDER = Path(__file__).parents[2] / "data" / "adbench"


def expected(name: str) -> dict:
    """Return the numbers that the tests of ADBench hold its tools to."""
    return json.loads((FOLDER / "expected" / f"{name}.json").read_text())


def numbers(path: str) -> list[np.ndarray]:
    """Return the lines of a file as arrays of numbers."""
    lines = (FOLDER / path).read_text().split("\n")
    return [np.array(line.split(), float) for line in lines if line.strip()]


def read_gmm(path: str) -> tuple:
    """Return (alphas, means, icf, x, gamma, m)."""
    (d, k, n), *rows = numbers(path)
    d, k, n = int(d), int(k), int(n)
    rows = [np.array(rows[a:b]) for a, b in ((0, k), (k, 2 * k), (2 * k, 3 * k), (3 * k, 3 * k + n))] + rows[-1:]
    gamma, m = rows[4]
    return rows[0].ravel(), rows[1], rows[2], rows[3], float(gamma), int(m)


def some_gmm(n: int, d: int, k: int, seed: int = 0) -> tuple:
    """Return arguments with the distribution of those in the files."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=k), rng.uniform(size=(k, d)), rng.normal(size=(k, d * (d + 1) // 2)),
            rng.normal(size=(n, d)), 1.0, 0)


def read_ba(path: str) -> tuple:
    """Return (cameras, points, weights, observations, features); the one of each in the file is repeated."""
    (n, m, p), camera, point, weight, feature = numbers(path)
    n, m, p = int(n), int(m), int(p)
    observations = np.stack([np.arange(p) % n, np.arange(p) % m], axis=1)
    return (np.tile(camera, (n, 1)), np.tile(point, (m, 1)), np.tile(weight, p), observations,
            np.tile(feature, (p, 1)))


def read_lstm(path: str) -> tuple:
    """Return (main, extra, state, sequence)."""
    (layers, _, _), *rows = numbers(path)
    ends = np.cumsum([0, 2 * int(layers), 3, 2 * int(layers)])
    main, extra, state = (np.array(rows[a:b]) for a, b in zip(ends[:-1], ends[1:], strict=True))
    return main, extra, state, np.array(rows[ends[-1]:])


def some_lstm(layers: int, count: int, width: int = 14, seed: int = 0) -> tuple:
    """Return arguments with the distribution of those in the file: numbers in [0, 1], characters as unit vectors."""
    rng = np.random.default_rng(seed)
    main, extra, state = (rng.uniform(size=s) for s in (
        (2 * layers, 4 * width), (3, width), (2 * layers, width)))
    return main, extra, state, np.eye(width)[rng.integers(0, width, count)]


def read_model() -> dict[str, np.ndarray]:
    """Return the model of the hand; positions are homogeneous, (4, m)."""
    folder = FOLDER / "hand" / "model"
    bones = [line.split(":") for line in (folder / "bones.txt").read_text().split()]
    matrices = np.array([b[2:34] for b in bones], float).reshape(-1, 2, 4, 4)
    lines = [line.split(":") for line in (folder / "vertices.txt").read_text().split()]
    base = np.ones((4, len(lines)))
    weights = np.zeros((len(bones), len(lines)))
    for v, line in enumerate(lines):
        base[:3, v] = line[:3]
        for bone, weight in zip(line[9::2], line[10::2], strict=True):
            weights[int(bone), v] = float(weight)
    triangles = [line.split(":") for line in (folder / "triangles.txt").read_text().split()]
    return {"parents": np.array([int(b[1]) for b in bones]), "relative": matrices[:, 0].copy(),
            "inverse": matrices[:, 1].copy(), "base": base, "weights": weights,
            "triangles": np.array(triangles, int)}


def read_hand(path: str, is_complicated: bool) -> tuple:
    """Return the arguments of `hand.simple` or `hand.complicated`."""
    (n, _), *rows = numbers(path)
    n, model = int(n), read_model()
    found = np.array(rows[:n])
    corresponding, measured = found[:, 0].astype(int), found[:, 1:].copy()
    rows = rows[n:]
    triangles = model.pop("triangles")
    constant = tuple(model.values())
    if not is_complicated:
        return (np.concatenate(rows), *constant, corresponding, measured)
    return (np.concatenate(rows[n:]), np.array(rows[:n]), *constant, triangles, corresponding, measured)
