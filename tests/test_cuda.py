"""The CUDA target: on a GPU where there is one, else in Numba's simulator; and kernels compiled to PTX without a GPU."""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srcdiff as sd
from srcdiff.backend import gpu
from tests.programs import PROGRAMS

ROOT = Path(__file__).resolve().parents[1]
TOOLKIT = Path("/usr/local/cuda")
FILES = ("tests/cuda_cases.py", "tests/cuda_arguments.py", "tests/cuda_numbers.py")


# What no target takes; and logarithms of complex numbers that CUDA does not have.
REFUSED = {"everyday.guarded_ratio", "complex_numbers.elementary_functions"}


@functools.cache
def has_gpu() -> bool:
    code = "from numba import cuda; print(cuda.is_available())"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "True"


def environment(simulate: bool) -> dict:
    env = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="ignore", SRCDIFF_TARGET="python")
    env.pop("NUMBA_ENABLE_CUDASIM", None)
    if simulate:
        env["NUMBA_ENABLE_CUDASIM"] = "1"
    if "CUDA_HOME" not in env and TOOLKIT.exists():
        env["CUDA_HOME"] = str(TOOLKIT)
    return env


@functools.cache
def corpus(*arguments) -> dict:
    """Return what the script of the corpus prints, once for each process of the suite."""
    simulate = arguments[0] == "run" and not has_gpu()
    # The corpus is verified after every pass where it runs on the CPU, and kernels' own passes in tests/cuda_cases.py.
    done = subprocess.run([sys.executable, "-m", "tests.cuda_corpus", *arguments], capture_output=True, text=True,
                          env=environment(simulate) | {"SRCDIFF_CHECK": "0"}, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


# One test for all programs: the processes of the suite share no results.
def test_each_program_gives_the_numbers_of_the_cpu():
    found = corpus("run")
    tolerance = 1e-10 if has_gpu() else 1e-12
    assert set(found) == set(PROGRAMS)
    ran = {name: r for name, r in found.items() if "refused" not in r}
    assert set(found) - set(ran) <= REFUSED
    assert not {name: r for name, r in ran.items() if not r["launches"]}
    assert not {name: r for name, r in ran.items()
                if not r["difference"] <= (1e-4 if r["single"] and has_gpu() else 1e-6 if r["single"] else tolerance)}


def nvvm() -> bool:
    return (TOOLKIT / "nvvm").exists() or "CUDA_HOME" in os.environ or (
        importlib.util.find_spec("nvidia") is not None
        and importlib.util.find_spec("nvidia.cuda_nvrtc") is not None)


@pytest.mark.skipif(not nvvm(), reason="NVVM is not installed (CUDA toolkit, or the wheels of numba-cuda)")
def test_kernels_compile_to_ptx_spill_nothing_and_are_kept_on_disk():
    everything = corpus("ptx")
    assert everything["kept"] == {"hits": [0, 1], "misses": [1, 0]}
    found = everything["kernels"]
    assert {name.split(".")[0] for name in found if "." in name} == {path.stem for path in (ROOT / "examples").glob("*.py")}
    # What was compiled is executed, instruction by instruction: the simulator runs Python.
    differences = {name: r["difference"] for name, r in found.items() if "difference" in r}
    assert len(differences) > 10 and max(differences.values()) <= 1e-12, differences
    if shutil.which("ptxas"):
        assert not {name: r for name, r in found.items() if r["spill_bytes"]}
        assert found["oscillator"]["local_bytes"] == found["predict"]["local_bytes"] == 0      # their arrays are registers


def test_cases_of_the_batched_path():
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *FILES],
                          capture_output=True, text=True, env=environment(not has_gpu()), cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "[100%]" in done.stdout


def test_without_a_gpu_the_error_says_what_to_do():
    if has_gpu():
        pytest.skip("there is a GPU")
    code = ("import numpy as np, srcdiff as sd\n"
            "try:\n    sd.vmap(sd.grad(lambda x: x * x), target='cuda')(np.ones(2))\n"
            "except sd.errors.DeviceError as error:\n    print(error)")
    place = ROOT / "tests" / "__pycache__"
    place.mkdir(exist_ok=True)
    script = place / "without_a_gpu.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment(False),
                          check=False)
    assert "[SD0510]" in done.stdout and "NUMBA_ENABLE_CUDASIM=1" in done.stdout


def test_where_numbas_cuda_target_cannot_be_loaded_the_error_says_what_to_install(monkeypatch):
    def refresh(context):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    descriptor = pytest.importorskip("numba.cuda.descriptor")
    monkeypatch.setattr(type(descriptor.cuda_target.typing_context), "refresh", refresh)
    monkeypatch.setattr(gpu, "_why_not", lambda: "")
    monkeypatch.setattr(gpu, "_unloadable", gpu._unloadable.__wrapped__)
    with pytest.raises(sd.errors.DeviceError, match=r"(?s)SD0514.*NumPy.*AttributeError.*row_stack.*fix: .*numpy<2\.5"):
        gpu.require_device()


@pytest.mark.skipif(not nvvm() or not shutil.which("ptxas"), reason="NVVM or ptxas is not installed")
def test_explain_counts_registers():
    code = ("import numpy as np, srcdiff as sd\n"
            "f = sd.differentiate(tests.cuda_corpus.predict, target='cuda')\n"
            "jacobian = sd.vmap(sd.jacobian(f, argnums=2), in_dims=(None, None, 0))\n"
            "print(jacobian.explain(np.ones((33, 31)), np.ones(33), np.ones((2, 31))))")
    done = subprocess.run([sys.executable, "-c", "import tests.cuda_corpus\n" + code], capture_output=True, text=True,
                          env=environment(False), cwd=ROOT, check=False)
    assert "registers, 0 bytes of local memory, 0 bytes spilled" in done.stdout, done.stderr[-2000:]
