"""The examples run, find what they should, and save their pictures."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture
def example(request):
    """Import an example under its own name, so that its functions can be pickled and compiled."""
    name = request.param
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


def run_example(name):
    return pytest.mark.parametrize("example", [name], indirect=True, ids=[name])


@run_example("newton_in_numba")
def test_newton(example, tmp_path, capsys):
    example.main(tmp_path / "orbits.png")
    assert (tmp_path / "orbits.png").stat().st_size > 5000
    anomaly, steps = example.solve(1.0, 0.3)
    assert anomaly - 0.3 * np.sin(anomaly) == pytest.approx(1.0, abs=1e-14) and steps < 8
    assert "Newton steps each" in capsys.readouterr().out


@run_example("fit_predator_prey")
def test_fit(example, tmp_path, capsys):
    example.main(tmp_path / "fit.png")
    assert (tmp_path / "fit.png").stat().st_size > 5000
    _, hare, lynx = np.loadtxt(example.DATA, delimiter=",", skiprows=1, unpack=True)
    found = example.fit(hare, lynx)
    # Rates per year, as found for these data by maximum likelihood elsewhere (Carpenter 2018).
    np.testing.assert_allclose(found.x[:4], [0.55, 0.028, 0.024, 0.80], rtol=0.05)


@run_example("jacobians_hessians")
def test_tutorial(example, monkeypatch, capsys):
    monkeypatch.setattr(example, "median_time", lambda call, repeat=1: call() is None and 0.0 or 0.0)
    example.main()
    printed = capsys.readouterr().out
    assert "all four agree" in printed and "(64, 33, 31, 31)" in printed and "np.tanh" in printed
