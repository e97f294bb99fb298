"""The cache on disk: it saves time, and whatever happens to it never costs an answer."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from srcdiff.backend import Options, compile_program, modules
from srcdiff.notation import read

TEXT = "import math\n\n__all__ = ['f']\n\n\ndef f(x):\n    return math.exp(x) + {}\n"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SRCDIFF_CACHE_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache"
    for name in [n for n in sys.modules if n.startswith("_srcdiff_")]:
        module = sys.modules[name]
        if str(tmp_path) in str(getattr(module, "__file__", "")):
            del sys.modules[name]


def forget():
    """Forget the loaded modules, as a new process would."""
    for name in [n for n in sys.modules if n.startswith("_srcdiff_")]:
        del sys.modules[name]


def files(place):
    return sorted(p for p in place.iterdir() if p.suffix == ".py")


def test_a_module_is_written_once_and_never_rewritten(place):
    module = modules.load(TEXT.format(1), Options())
    assert module.f(0.0) == 2.0 and modules.is_on_disk(module)
    (path,) = files(place)
    assert path.read_text() == TEXT.format(1)
    os.utime(path, ns=(10**18, 10**18))
    forget()
    again = modules.load(TEXT.format(1), Options())
    assert again is not module and again.f(0.0) == 2.0
    assert path.stat().st_mtime_ns == 10**18
    assert modules.load(TEXT.format(1), Options()) is again


def test_other_texts_and_options_are_other_modules(place):
    a = modules.load(TEXT.format(1), Options())
    b = modules.load(TEXT.format(2), Options())
    c = modules.load(TEXT.format(1), Options(parallel=True))
    assert len({a.__name__, b.__name__, c.__name__}) == 3 == len(files(place))


@pytest.mark.parametrize("damage", [b"", b"def f(x:\n", b"\xff\xfe\x00", b"def f(x): return 13\n"])
def test_a_damaged_module_is_written_anew(place, damage):
    modules.load(TEXT.format(3), Options())
    (path,) = files(place)
    forget()
    path.write_bytes(damage)
    assert modules.load(TEXT.format(3), Options()).f(0.0) == 4.0
    assert path.read_text() == TEXT.format(3)


def test_a_directory_that_cannot_be_made_costs_only_time(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("SRCDIFF_CACHE_DIR", str(blocked / "below"))
    module = modules.load(TEXT.format(4), Options())
    assert module.f(0.0) == 5.0 and not modules.is_on_disk(module)
    assert modules.lookup("key") is None and modules.store("key", "text", {}) is False


def test_a_read_only_or_full_directory_costs_only_time(place, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(modules.tempfile, "mkstemp", refuse)
    module = modules.load(TEXT.format(5), Options())
    assert module.f(0.0) == 6.0 and not modules.is_on_disk(module)
    assert modules.store("key", "text", {}) is False and modules.lookup("key") is None


def test_a_write_that_breaks_off_leaves_nothing_behind(place, monkeypatch):
    def refuse(*args):
        raise OSError(5, "Input/output error")
    monkeypatch.setattr(modules.os, "replace", refuse)
    assert modules.load(TEXT.format(6), Options()).f(0.0) == 7.0
    assert list(place.iterdir()) == []


def test_a_damaged_machine_code_cache_costs_only_time(place):
    program = read('def f(x: "float64"):\n    y = exp(x)\n    return y\n')
    assert compile_program(program, "numba", Options())(0.0) == (1.0,)
    kept = [p for p in place.rglob("*") if p.suffix in (".nbi", ".nbc")]
    assert len(kept) == 2
    for damage in (b"", b"nonsense" * 10):
        for path in kept:
            path.write_bytes(damage)
        forget()
        assert compile_program(program, "numba", Options())(0.0) == (1.0,)


def test_a_machine_code_cache_that_cannot_be_written_costs_only_time(place, monkeypatch):
    from numba.core import caching

    def refuse(*args, **kwargs):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", refuse)
    program = read('def f(x: "float64"):\n    y = sinh(x)\n    return y\n')
    assert compile_program(program, "numba", Options())(0.0) == (0.0,)


def test_without_cache_nothing_is_written(place):
    module = modules.load(TEXT.format(7), Options(cache=False))
    assert module.f(0.0) == 8.0 and not place.exists()


def test_whole_results_are_found_again(place):
    assert modules.lookup("key") is None
    assert modules.store("key", "text", {"results": 2, "names": ["a"]})
    assert modules.lookup("key") == ("text", {"results": 2, "names": ["a"]})
    assert modules.lookup("other key") is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"{}", b"\xff", b"null"])
def test_a_damaged_entry_counts_as_absent(place, damage):
    modules.store("key", "text", {})
    (path,) = place.glob("*.json")
    path.write_bytes(damage)
    assert modules.lookup("key") is None
    assert modules.store("key", "text", {}) and modules.lookup("key") == ("text", {})


def test_a_changed_entry_counts_as_absent(place):
    modules.store("key", "text", {})
    (path,) = place.glob("*.json")
    path.write_text(path.read_text().replace('"text": "text"', '"text": "evil"'))
    assert modules.lookup("key") is None


def test_threads_get_the_same_module(place):
    found = []

    def work():
        found.append(modules.load(TEXT.format(8), Options()))
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 8 and len({id(m) for m in found}) == 1 and found[0].f(0.0) == 9.0


def _load_in_process(directory):
    os.environ["SRCDIFF_CACHE_DIR"] = directory
    return modules.load(TEXT.format(9), Options()).f(0.0)


def test_processes_may_write_the_same_module(place):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_load_in_process, [str(place)] * 6) == [10.0] * 6
    assert len(files(place)) == 1


SECOND = '''
from srcdiff.backend import Options, compile_program
from srcdiff.notation import read
program = read("""
def f(x: "float64[:]"):
    y = tape_grow(x, 5)
    s = sum(y, axis=(0,))
    d = digamma(s)
    return d, y
""")
import numpy as np
compiled = compile_program(program, "numba", Options())
compiled(np.ones(2))
stats = compiled.dispatcher.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
'''


def test_a_second_process_compiles_nothing(place):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SRCDIFF_CACHE_DIR": str(place)}
    outputs = [subprocess.run([sys.executable, "-c", SECOND], env=environment, capture_output=True, text=True,
                              check=True).stdout.split() for _ in range(2)]
    assert outputs == [["0", "1"], ["1", "0"]]


def test_the_directory_follows_the_platform(tmp_path, monkeypatch):
    monkeypatch.delenv("SRCDIFF_CACHE_DIR")
    monkeypatch.setattr(modules.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert modules.directory() == tmp_path / "srcdiff"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(modules.tempfile, "gettempdir", lambda: str(tmp_path))
    assert modules.directory().parent == tmp_path
