"""Numba's cache of machine code, made safe: whatever is wrong with it costs time only.

Numba lets errors of its cache files surface: a truncated index, a full disk, a
directory that may not be written.  Here each of them means "not in the cache".
"""

from __future__ import annotations

import contextlib

__all__ = ["keep_machine_code"]


class _Forgiving:
    """Numba's cache of one function, without its exceptions."""

    def __init__(self, cache):
        self._cache = cache

    def __getattr__(self, name):
        return getattr(self._cache, name)

    def load_overload(self, sig, target_context):
        from numba.core.sigutils import normalize_signature
        try:
            found = self._cache.load_overload(sig, target_context)
        except Exception:               # unpickling damaged files raises almost anything
            with contextlib.suppress(Exception):
                self._cache.flush()
            return None
        # Two processes that write at once may exchange the files of two signatures.
        if found is not None and tuple(found.signature.args) != tuple(normalize_signature(sig)[0]):
            return None
        return found

    def save_overload(self, sig, data):
        with contextlib.suppress(Exception):
            self._cache.save_overload(sig, data)


def keep_machine_code(dispatcher) -> None:
    """Let a dispatcher keep its machine code beside its module, if that can be written."""
    try:
        dispatcher.enable_caching()
        dispatcher._cache = _Forgiving(dispatcher._cache)
    except (OSError, RuntimeError, AttributeError):
        pass                            # no place for it, or another version of Numba
