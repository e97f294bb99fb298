"""What the README shows is true: generated blocks are up to date, examples run.

Renew the generated blocks with ``python -m tests.readme_blocks``.
"""

import linecache

import numpy as np
import pytest

from tests.readme_blocks import EXAMPLE, ROOT, adjoint, executed_blocks, rendered

README = (ROOT / "README.md").read_text()


def test_generated_blocks_are_current():
    assert rendered(README) == README, "run `python -m tests.readme_blocks`"


def test_the_adjoint_shown_is_right():
    shown = adjoint().split("```python\n")[2].partition("\n```")[0]
    namespace = {"np": np, "math": __import__("math")}
    exec(shown, namespace)
    exec(EXAMPLE, namespace)
    gradient = next(v for k, v in namespace.items() if k.startswith("decay_"))
    noise, h = np.array([0.3, 0.7, 0.2]), 1e-6
    expected = (namespace["decay"](0.5 + h, noise) - namespace["decay"](0.5 - h, noise)) / (2 * h)
    assert gradient(0.5, noise) == pytest.approx(expected, rel=1e-8)


def test_examples_run(capsys):
    for number, block in enumerate(executed_blocks(README)):
        name = f"<readme {number}>"
        linecache.cache[name] = (len(block), None, block.splitlines(True), name)
        exec(compile(block, name, "exec"), {"__name__": "readme"})
    assert "(8, 8)" in capsys.readouterr().out


def test_the_test_command_is_what_ci_runs():
    script = (ROOT / ".ci" / "run").read_text()
    assert "test-command" in script and "README.md" in script
    assert '<!-- test-command -->\n```sh\npip install' in README
