"""The GPU benchmark runs from end to end where there is no GPU, its contestants agree, and what goes wrong is a row."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.gpu import Results

ROOT = Path(__file__).resolve().parents[1]
OURS = {"srcdiff", "srcdiff, out=", "by hand (CUDA)"}


def bench(place, *arguments) -> list[dict]:
    """Run the script in the simulator; return the records that it wrote."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "SRCDIFF_CHECK": "0"}
    done = subprocess.run([sys.executable, "-m", "bench.gpu", *arguments, "--sizes", "2", "--output", str(place)],
                          cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = place.glob("gpu-*.json")
    assert path.stem.endswith("-simulator")
    return json.loads(path.read_text())["microseconds"]


def test_it_runs_in_the_simulator(tmp_path):
    names = ["Jacobian of predict", "bundle", "Greeks", "Newton"]
    found = bench(tmp_path, *names)
    ran = [m for m in found if "absent" not in m]
    assert not [m for m in found if "error" in m]
    assert {(m["samples"], m["device"]) for m in found} == {(2, "simulator")}
    assert {m["dtype"] for m in ran} == {"float32", "float64"} and len({m["workload"] for m in ran}) == len(names)
    assert all(m["agrees"] for m in ran)
    assert {m["contestant"] for m in ran} >= OURS
    assert {m["contestant"].split()[0] for m in found if m not in ran} <= {"JAX", "torch.func"}


def test_what_the_time_does_not_allow_is_a_row_and_replaces_nothing(tmp_path):
    before = bench(tmp_path, "Greeks", "--dtypes", "float64")
    after = bench(tmp_path, "Greeks", "--dtypes", "float64", "float32", "--minutes", "0")
    assert after[:len(before)] == before
    assert [m["error"] for m in after[len(before):]] == ["not started: the time was up"] * 2


def test_a_later_run_replaces_what_it_measures_again(tmp_path):
    row = {"device": "d", "workload": "w", "dtype": "float64", "samples": 2, "contestant": "c", "median": 1.0}
    Results(tmp_path, True).add([row, row | {"samples": 3}])
    again = Results(tmp_path, True)
    again.add([row | {"median": 2.0}])
    assert [m["median"] for m in json.loads(again.path.read_text())["microseconds"]] == [2.0, 1.0]


CRASHES = """
import os, bench.gpu_run
from bench.gpu import in_process
bench.gpu_run.run = lambda *arguments: os.kill(os.getpid(), 9)
print(in_process(60))
bench.gpu_run.run = lambda *arguments: __import__("time").sleep(60)
print(in_process(0.2))
"""


def test_a_process_that_crashes_or_hangs_is_named():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", CRASHES], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}, check=True)
    assert done.stdout.splitlines() == ["ended with exit status -9", "stopped after 0 seconds"]
