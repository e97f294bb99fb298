"""Settings for the whole suite: verify after every pass, and a cache of its own."""

import gc
import os
import tempfile

os.environ.setdefault("SRCDIFF_CHECK", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "2")
gc.disable()                # until the tests are collected
if "SRCDIFF_CACHE_DIR" not in os.environ:
    os.environ["SRCDIFF_CACHE_DIR"] = tempfile.mkdtemp(prefix="srcdiff-tests-")

# Third-party warnings raised at import are not ours to turn into errors.
import numba  # noqa: E402, F401
import scipy.optimize  # noqa: E402, F401


def pytest_addoption(parser):
    parser.addoption("--renew", action="store_true", help="write the golden files anew")


def pytest_collection_finish(session):
    """Keep the garbage collector from walking over the thousands of tests, which stay to the end."""
    gc.freeze()
    gc.enable()
