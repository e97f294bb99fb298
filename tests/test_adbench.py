"""The objectives of ADBench: values and derivatives against the numbers its own tests use."""

import functools

import numpy as np
import pytest

import srcdiff as sd
from bench.workloads.adbench import ba, gmm, hand, lstm
from bench.workloads.adbench.data import expected, read_ba, read_gmm, read_hand, read_lstm

python = functools.partial(sd.differentiate, target="python")


def assert_expected(got, wanted):
    """Compare as ADBench does: |x - y| / max(1, |x| + |y|) < 1e-8 for each element."""
    x, y = np.ravel(got), np.ravel(wanted)
    assert x.shape == y.shape
    assert np.max(np.abs(x - y) / np.maximum(1.0, np.abs(x) + np.abs(y))) < 1e-8


def joined(gradients):
    return np.concatenate([g.ravel() for g in gradients])


# -- Gaussian mixture model ------------------------------------------------------------------

def test_gmm():
    args, wanted = read_gmm("gmm/test.txt"), expected("gmm_test")
    value, gradients = sd.value_and_grad(gmm.objective, argnums=(0, 1, 2))(*args)
    assert_expected(value, wanted["objective"])
    assert_expected(joined(gradients), wanted["gradient"])


def test_gmm_with_points_innermost():
    alphas, means, icf, x, gamma, m = read_gmm("gmm/test.txt")
    wanted = expected("gmm_test")
    of_value = sd.value_and_grad(python(gmm.by_components), argnums=(0, 1, 2))
    value, gradients = of_value(alphas, means, icf, x.T.copy(), gamma, m)
    assert_expected(value, wanted["objective"])
    assert_expected(joined(gradients), wanted["gradient"])


def test_gmm_hessian_vector_product():
    args = read_gmm("gmm/test.txt")
    rng = np.random.default_rng(0)
    v = rng.normal(size=args[1].shape)
    objective = python(gmm.objective)
    product = sd.jvp(lambda means: sd.grad(objective, argnums=1)(args[0], means, *args[2:]), (args[1],), (v,))[1]
    step = 1e-5
    of_means = sd.grad(objective, argnums=1)
    ahead, behind = (of_means(args[0], args[1] + s * v, *args[2:]) for s in (step, -step))
    np.testing.assert_allclose(product, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-7)


# -- bundle adjustment -------------------------------------------------------------------------

def blocks_of(cameras, points, weights, observations, features):
    """Return the Jacobian block of each observation, (p, 2, 15): camera, point, weight."""
    jacobian = sd.vmap(sd.jacobian(ba.reprojection, argnums=(0, 1, 2)))
    of_camera, of_point, of_weight = jacobian(cameras[observations[:, 0]], points[observations[:, 1]],
                                              weights, features)
    return np.concatenate([of_camera, of_point, of_weight[..., None]], axis=2)


def test_ba_values():
    args = read_ba("ba/test.txt")
    (errors, of_weights), _ = sd.vjp(python(ba.residuals), *args)
    wanted = expected("ba_test")
    assert_expected(errors, np.tile(wanted["reproj_err"], len(errors)))
    assert_expected(of_weights, np.full(len(errors), wanted["w_err"]))


def test_ba_blocks():
    args = read_ba("ba/test.txt")
    of_weights = sd.vmap(sd.grad(python(ba.weight_error)))(args[2])
    values = np.concatenate([blocks_of(*args).ravel(), of_weights])
    assert_expected(values, expected("ba_test")["csr_vals"])


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_ba_whole_jacobian(mode):
    args = read_ba("ba/test.txt")
    cameras, points, weights, observations, _ = args
    whole = getattr(sd, mode)(python(ba.residuals), argnums=(0, 1, 2))(*args)
    (of_cameras, of_points, of_weights), last = whole
    blocks = np.array(expected("ba_test")["csr_vals"][:300]).reshape(10, 2, 15)
    want = np.zeros_like(of_cameras), np.zeros_like(of_points), np.zeros_like(of_weights)
    for o, (i, j) in enumerate(observations):
        want[0][o, :, i], want[1][o, :, j], want[2][o, :, o] = np.split(blocks[o], [11, 14], axis=1)[:2] + [
            blocks[o, :, 14]]
    for got, wanted in zip((of_cameras, of_points, of_weights), want, strict=True):
        assert_expected(got, wanted)
    assert_expected(last[2], np.diag(-2.0 * weights))
    assert not last[0].any() and not last[1].any()
    assert len(cameras) == 2 and len(points) == 10


def test_ba_without_rotation():
    camera, point = read_ba("ba/test.txt")[0][0].copy(), np.array([0.3, -0.2, 1.5])
    camera[:3] = 0.0
    jacobian = sd.jacobian(python(ba.project), argnums=1)(camera, point)
    step, project = 1e-6, ba.project.py_func
    for j in range(3):
        e = np.eye(3)[j] * step
        column = (project(camera, point + e) - project(camera, point - e)) / (2 * step)
        np.testing.assert_allclose(jacobian[:, j], column, rtol=1e-6, atol=1e-6)


# -- recurrent network -------------------------------------------------------------------------

def test_lstm():
    args, wanted = read_lstm("lstm/lstm_l2_c1024.txt"), expected("lstm_l2_c1024")
    state = args[2].copy()
    value, gradients = sd.value_and_grad(lstm.objective, argnums=(0, 1))(*args)
    assert abs(value - wanted["objective"]) < 5e-9              # printed to eight digits
    assert_expected(joined(gradients), wanted["gradient"])
    np.testing.assert_array_equal(args[2], state)


# -- hand tracking ---------------------------------------------------------------------------------

def test_hand_simple():
    args, wanted = read_hand("hand/test.txt", False), expected("hand_simple_test")
    value, _ = sd.vjp(python(hand.simple), *args)
    assert_expected(value, wanted["objective"])
    jacobian = sd.jacfwd(python(hand.simple))(*args)            # compiled by the benchmark; the LSTM is, here
    assert_expected(jacobian.T, wanted["jacobian_colmajor"])


def test_hand_complicated_values():
    args, wanted = read_hand("hand/hand_complicated.txt", True), expected("hand_complicated_test")
    value, _ = sd.vjp(python(hand.complicated), *args)
    assert_expected(value, wanted["objective"])


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev"])
def test_hand_complicated(mode):
    args, wanted = read_hand("hand/hand_complicated.txt", True), expected("hand_complicated_test")
    of_theta, of_u = getattr(sd, mode)(python(hand.complicated), argnums=(0, 1))(*args)
    n = len(args[1])
    own = of_u.reshape(n, 3, n, 2)[np.arange(n), :, np.arange(n)].reshape(3 * n, 2)
    assert_expected(np.concatenate([own, of_theta], axis=1).T, wanted["jacobian_colmajor"])
    others = of_u.reshape(n, 3, n, 2).copy()
    others[np.arange(n), :, np.arange(n)] = 0.0
    assert not others.any()


def test_hand_at_rest():
    """Without a global rotation the model takes a branch of its own: the identity."""
    theta, *rest = read_hand("hand/test.txt", False)
    theta[:3] = 0.0
    forward, reverse = (mode(python(hand.simple))(theta, *rest) for mode in (sd.jacfwd, sd.jacrev))
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-13)
    assert not forward[:, :3].any() and forward[:, 3:].any()
