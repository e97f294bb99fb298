"""Generated modules on disk: written once, found again by name.

The name of a module is the hash of its text, of the options and of the versions
of what compiles it.  A file that is there already with the same content is
never written again, because Numba stamps its own cache by modification time.
Nothing here is needed for an answer: where the directory is damaged, read-only
or full, the module lives in memory and is compiled afresh.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import json
import os
import sys
import tempfile
import threading
import types
from pathlib import Path

from srcdiff.backend.python import register_lines

__all__ = ["directory", "is_on_disk", "load", "lookup", "store", "versions"]

_LOCK = threading.RLock()


@functools.cache
def versions() -> str:
    """Return the versions that shape generated code and what is compiled from it."""
    packages = ", ".join(f"{name} {importlib.import_module(name).__version__}"
                         for name in ("srcdiff", "numba", "numpy", "llvmlite"))
    return f"python {'.'.join(map(str, sys.version_info[:3]))}, {packages}"


# -- where -------------------------------------------------------------------------

def _candidates():
    if named := os.environ.get("SRCDIFF_CACHE_DIR"):
        yield Path(named)
        return
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(base) / "srcdiff"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    yield Path(tempfile.gettempdir()) / f"srcdiff-{user}"


def directory() -> Path | None:
    """Return the cache directory, made if need be; None where none can be written."""
    for path in _candidates():
        with contextlib.suppress(OSError):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if os.access(path, os.W_OK | os.X_OK):
                return path
    return None


# -- writing -------------------------------------------------------------------------

def _write(path: Path, content: str) -> bool:
    """Put `content` at `path` in one step, unless it is there; tell whether it is there now."""
    try:
        if path.read_text(encoding="utf-8") == content:
            return True
    except (OSError, UnicodeDecodeError):
        pass
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        os.replace(temporary, path)
        return True
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False


# -- modules ---------------------------------------------------------------------------

def load(source: str, options, system: str = "") -> types.ModuleType:
    """Return the module of this text, the same one for the same text and options.

    `system` names what else the machine code depends on.
    """
    depends = "\n".join((source, options.key(), versions(), system))
    digest = hashlib.sha256(depends.encode()).hexdigest()[:24]
    name = f"_srcdiff_{digest}"
    with _LOCK:
        if name in sys.modules:
            return sys.modules[name]
        place = directory() if options.cache else None
        path = place / f"{name}.py" if place else None
        if path is not None and _write(path, source):
            return _from_file(name, path, source)
        return _from_memory(name, source)


def _from_file(name, path, source):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Numba's cache names the module; it has to be found under that name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception:
        del sys.modules[name]
        return _from_memory(name, source)
    return module


def _from_memory(name, source):
    module = types.ModuleType(name)
    module.__file__ = f"<{name}>"
    register_lines(module.__file__, source)
    sys.modules[name] = module
    try:
        exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def is_on_disk(module: types.ModuleType) -> bool:
    return getattr(module, "__spec__", None) is not None


# -- whole pipelines ---------------------------------------------------------------------

def _entry(key: str) -> Path | None:
    place = directory()
    digest = hashlib.sha256("\n".join((key, versions())).encode()).hexdigest()[:32]
    return place / f"{digest}.json" if place else None


def lookup(key: str) -> tuple[str, dict] | None:
    """Return the text and the metadata that were stored for `key`, or None.

    `key` names everything that the text depends on; the versions are added here.
    An entry that cannot be read, or is not what was written, counts as absent.
    """
    path = _entry(key)
    try:
        entry = json.loads(path.read_text(encoding="utf-8")) if path else None
        if entry is None or entry["key"] != key or entry["check"] != _check(entry["text"], entry["metadata"]):
            return None
        return entry["text"], entry["metadata"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store(key: str, text: str, metadata: dict) -> bool:
    """Keep `text` and `metadata` (of JSON types) for `key`; tell whether that worked."""
    path = _entry(key)
    if path is None:
        return False
    entry = {"key": key, "text": text, "metadata": metadata, "check": _check(text, metadata)}
    return _write(path, json.dumps(entry, sort_keys=True))


def _check(text, metadata):
    return hashlib.sha256((text + json.dumps(metadata, sort_keys=True)).encode()).hexdigest()
