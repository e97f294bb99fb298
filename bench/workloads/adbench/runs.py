"""ADBench: the objective in plain Numba, its gradient or Jacobian by srcdiff and by JAX."""

from __future__ import annotations

import numpy as np
from numba import njit

import srcdiff as sd
from bench.measure import Contestant, Workload
from bench.peers import jax_, of_jax
from bench.workloads.adbench import ba, data, gmm, hand, lstm, peers

__all__ = ["WORKLOADS"]


def primal(function, args):
    compiled = njit(function)
    return Contestant("objective (Numba)", lambda: compiled(*args), is_primal=True)


def mixture(n, d, k):
    """GMM: points one after the other, and points innermost."""
    args = data.some_gmm(n, d, k)
    active = (0, 1, 2)

    def by_points():
        gradient = sd.grad(gmm.objective, argnums=active)
        peer = of_jax("grad", lambda *a: jax_().grad(peers.gmm_objective, active)(*a), *args[:4])
        return [Contestant("srcdiff grad", lambda: gradient(*args)), primal(gmm.objective, args), *peer]

    def by_components():
        turned = (*args[:3], args[3].T.copy(), *args[4:])
        gradient = sd.grad(gmm.by_components, argnums=active)
        return [Contestant("srcdiff grad", lambda: gradient(*turned)), primal(gmm.by_components, turned)]

    size = f"n = {n}, d = {d}, K = {k}"
    return [Workload(f"GMM {size}", by_points, rtol=1e-9),
            Workload(f"GMM, points innermost, {size}", by_components, rtol=1e-9)]


@njit
def block(jacobian, cameras, points, weights, observations, features):
    """Fill the blocks of all observations by a compiled derivative of one of them."""
    p = observations.shape[0]
    of_camera, of_point, of_weight = np.empty((p, 2, 11)), np.empty((p, 2, 3)), np.empty((p, 2))
    for o in range(p):
        i, j = observations[o, 0], observations[o, 1]
        of_camera[o], of_point[o], of_weight[o] = jacobian(cameras[i], points[j], weights[o], features[o])
    return of_camera, of_point, of_weight


def bundle(path):
    """BA: the 2 x 15 blocks of all observations."""
    args = data.read_ba(path)
    cameras, points, weights, observations, features = args
    active = (0, 1, 2)

    def make():
        jacobian = sd.jacobian(ba.reprojection, argnums=active)
        forward = sd.jacfwd(ba.reprojection, argnums=active)
        many, many_forward = sd.vmap(jacobian), sd.vmap(forward)
        gathered = cameras[observations[:, 0]], points[observations[:, 1]], weights, features

        def peer(cameras, points, weights, observations, features):
            one = jax_().jacrev(peers.reprojection, active)
            return jax_().vmap(one)(cameras[observations[:, 0]], points[observations[:, 1]], weights, features)

        def forward_peer(cameras, points, weights, observations, features):
            one = jax_().jacfwd(peers.reprojection, active)
            return jax_().vmap(one)(cameras[observations[:, 0]], points[observations[:, 1]], weights, features)

        return [Contestant("srcdiff vmap(jacobian)", lambda: many(*gathered)),
                Contestant("srcdiff vmap(jacfwd)", lambda: many_forward(*gathered)),
                Contestant("srcdiff jacobian in a loop", lambda: block(jacobian, *args)),
                primal(ba.residuals, args), *of_jax("vmap(jacrev)", peer, *args),
                *of_jax("vmap(jacfwd)", forward_peer, *args)]

    return Workload(f"BA, {len(weights)} observations", make, rtol=1e-9)


def recurrent(layers, count):
    args = data.some_lstm(layers, count)

    def make():
        gradient = sd.grad(lstm.objective, argnums=(0, 1))
        peer = of_jax("grad", lambda *a: jax_().grad(peers.lstm_objective, (0, 1))(*a), *args)
        return [Contestant("srcdiff grad", lambda: gradient(*args)), primal(lstm.objective, args), *peer]

    return Workload(f"LSTM l = {layers}, c = {count}", make, rtol=1e-8)


def tracking(correspondences):
    args = data.read_hand("hand/test.txt", False)
    rng = np.random.default_rng(0)
    args = (*args[:-2], rng.integers(0, args[4].shape[1], correspondences),
            rng.normal(size=(correspondences, 3)))

    def make():
        jacobian, forward = sd.jacobian(hand.simple), sd.jacfwd(hand.simple)
        peer = peers.hand_simple(tuple(args[1].tolist()))
        return [Contestant("srcdiff jacobian", lambda: jacobian(*args)),
                Contestant("srcdiff jacfwd", lambda: forward(*args)), primal(hand.simple, args),
                *of_jax("jacfwd", lambda *a: jax_().jacfwd(peer)(*a), args[0], *args[2:])]

    return Workload(f"hand tracking, {correspondences} correspondences", make, rtol=1e-9)


WORKLOADS = [*mixture(1000, 10, 25), *mixture(1000, 20, 50), *mixture(10_000, 10, 25),
             bundle("ba/ba1_n49_m7776_p31843.txt"),
             recurrent(2, 1024), recurrent(4, 4096), tracking(100), tracking(10_000)]
