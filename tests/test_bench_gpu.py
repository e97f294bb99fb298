"""The GPU benchmark runs from end to end where there is no GPU, and its contestants agree."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_it_runs_in_the_simulator(tmp_path):
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "SRCDIFF_CHECK": "0"}
    names = ["Jacobian of predict", "bundle", "Greeks", "Newton"]
    done = subprocess.run([sys.executable, "-m", "bench.gpu", *names, "--sizes", "2", "--output", str(tmp_path)],
                          cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = tmp_path.glob("gpu-*.json")
    record = json.loads(path.read_text())
    assert record["device"] == "simulator" and path.stem.endswith("-simulator")
    found = record["microseconds"]
    assert {m["samples"] for m in found} == {2} and {m["dtype"] for m in found} == {"float32", "float64"}
    assert all(m["agrees"] for m in found)
    assert len({m["workload"] for m in found}) == 2 * len(names)
    assert {"srcdiff", "srcdiff, out=", "by hand (CUDA)"} == {m["contestant"] for m in found}
