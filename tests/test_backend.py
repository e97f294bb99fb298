"""Compiled programs: both targets compute what the program means, and failures point at the user's line."""

import math
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import pytest

import srcdiff
from srcdiff.backend import Options, compile_program, compile_source, harvest, vector_math
from srcdiff.errors import CompileError, Where
from srcdiff.notation import read, run
from srcdiff.primitives import PRIMITIVES, infer
from srcdiff.syntax import Array, Assign, Const, Param, Program, Scalar, Store, Var

FLOAT, INT, WHOLE = Scalar("float64"), Scalar("int64"), Scalar("int64", weak=True)
MEMORY = Options(cache=False)

UNARY = [0.25, 0.5, 0.75, 2.5, 1.0, -0.5, -1.5, -2.0, 0.0, 700.5, -800.0, math.inf, -math.inf, math.nan, 1e-300]
PAIRS = [(0.5, 2.0), (-1.5, 2.0), (2.0, 0.5), (-8.0, 3.0), (0.0, 0.0), (0.0, -2.0), (1.0, 0.0), (-3.5, 2.0),
         (3.5, -2.0), (math.inf, 1.0), (1.0, math.inf), (math.nan, 1.0), (2.0, math.nan), (-0.0, 0.0)]
BITS = ("invert", "bitwise_and", "bitwise_or", "bitwise_xor")
SKIPPED = ("copy", "stop_gradient", "weaken", "cast", "polygamma", "where")


def arity(name):
    try:
        infer(name, (INT,))
        return 1
    except (TypeError, ValueError):
        return 2


def all_scalar_operations():
    """One program with two float and two integer arguments that computes every scalar operation."""
    params = (Param("x", FLOAT), Param("z", FLOAT), Param("i", INT), Param("j", INT))
    types, statements, names = {p.name: p.type for p in params}, [], []
    for p in PRIMITIVES.values():
        if p.kind != "elementwise" or p.name in SKIPPED:
            continue
        args = (("i", "j") if p.name in BITS else ("x", "z"))[:arity(p.name)]
        target, type_ = f"y_{p.name}", infer(p.name, tuple(types[a] for a in args))
        if type_.dtype.startswith("complex"):
            continue                    # does not fit the array of results; tests/test_complex.py has it compiled
        types[target] = type_
        statements.append(Assign(target, p.name, tuple(map(Var, args))))
        names.append(p.name)
    return Program("operations", params, tuple(statements),
                   tuple(Var(f"y_{n}") for n in names), types), names


@pytest.fixture(scope="module")
def operations():
    program, names = all_scalar_operations()
    # The lone program returns 60 numbers; an array keeps Numba's tuples short.
    size = len(names)
    types = {**program.types, "out": Array("float64", 1)}
    fills = [Store("out", (Const(k),), Var(f"y_{n}")) for k, n in enumerate(names)]
    make = Assign("out", "zeros", (Const(size),), (("dtype", "float64"),))
    program = Program("operations", program.params, (make, *program.body, *fills), (Var("out"),), types)
    return names, program, compile_program(program, "numba", MEMORY), compile_program(program, "python")


@pytest.mark.parametrize("x, z", [(u, 0.5) for u in UNARY] + PAIRS)
def test_scalar_operations_agree_on_both_targets(operations, x, z):
    names, program, compiled, plain = operations
    with np.errstate(all="ignore"):
        want = run(program, np.float64(x), np.float64(z), np.int64(6), np.int64(3))
    fast = compiled(x, z, 6, 3)[0]
    slow = plain(np.float64(x), np.float64(z), np.int64(6), np.int64(3))[0]
    for name, w, f, s in zip(names, want, fast, slow, strict=True):
        if name in ("lgamma", "power") and x == -math.inf:
            continue                    # NumPy and SciPy differ from the C standard's +inf
        np.testing.assert_allclose(s, w, rtol=1e-13, err_msg=f"{name}({x}, {z}) in Python")
        np.testing.assert_allclose(f, w, rtol=1e-13, atol=1e-300, err_msg=f"{name}({x}, {z}) in Numba")


SUM = '''
def total(x: "float64[:]", n: "weak int64"):
    s = 0.0
    y = zeros(n, dtype="float64")
    for i in range(0, n, 1):
        t = x[i]
        u = multiply(t, t)
        s = add(s, u)
        y[i] = u
    y = tape_grow(y, 5)
    return s, y
'''


@pytest.mark.parametrize("target", ["python", "numba"])
def test_results_are_a_flat_tuple(target):
    program = read(SUM)
    x = np.array([1.0, 2.0, 3.0])
    s, y = compile_program(program, target, MEMORY)(x, 3)
    assert s == 14.0
    np.testing.assert_array_equal(y, run(program, x, 3)[1])
    single = read('def f(x: "float64"):\n    y = exp(x)\n    return y\n')
    assert compile_program(single, target, MEMORY)(0.0) == (1.0,)


def test_no_result_is_an_empty_tuple():
    program = Program("f", (Param("x", FLOAT),), (), (), {"x": FLOAT})
    assert compile_program(program, "python")(1.0) == ()


def test_the_dispatcher_is_callable_from_compiled_code():
    import numba
    inner = compile_program(read('def f(x: "float64"):\n    y = exp(x)\n    return y\n'), "numba", MEMORY).dispatcher

    @numba.njit
    def outer(x):
        return inner(x) + 1.0
    assert outer(0.0) == 2.0


def test_unknown_targets_are_refused():
    with pytest.raises(ValueError, match="unknown target"):
        compile_program(read('def f(x: "float64"):\n    return x\n'), "fortran")


def test_tracebacks_show_generated_lines():
    program = read('def f(x: "float64[:]"):\n    y = x[7]\n    return y\n')
    with pytest.raises(IndexError) as caught:
        compile_program(program, "python")(np.ones(2))
    assert "return x[7]" in "".join(traceback.format_exception(caught.value))


def test_exceptions_of_the_program_pass_through():
    program = read('''
def f(x: "float64"):
    c = less(x, 0.0)
    if c:
        raise ValueError("x must not be negative")
    y = sqrt(x)
    return y
''')
    for target in ("python", "numba"):
        compiled = compile_program(program, target, MEMORY)
        assert compiled(4.0) == (2.0,)
        with pytest.raises(ValueError, match="must not be negative"):
            compiled(-1.0)


def test_division_by_zero_follows_ieee_arithmetic():
    program = read('def f(x: "float64", y: "float64"):\n    z = divide(x, y)\n    return z\n')
    assert compile_program(program, "numba", MEMORY)(1.0, 0.0) == (math.inf,)


def test_what_numba_cannot_compile_is_told_by_the_users_line():
    where = Where("model.py", 42, 0, 0, "    m = x.max(axis=0, keepdims=True)", "model")
    types = {"x": Array("float64", 2), "y": Array("float64", 2)}
    stmt = Assign("y", "max", (Var("x"),), (("axis", (0,)), ("keepdims", True)), where)
    program = Program("model_grad", (Param("x", types["x"]),), (stmt,), (Var("y"),), types)
    with pytest.raises(CompileError) as caught:
        compile_program(program, "numba", MEMORY)(np.eye(2))
    message = str(caught.value)
    assert "model.py:42" in message and "m = x.max(axis=0, keepdims=True)" in message
    assert "np.max(x, axis=0, keepdims=True)" in message
    assert len(message.splitlines()) <= 8 and max(map(len, message.splitlines())) < 300


def test_options_are_told_apart_and_read_from_any_object():
    class Asked:
        parallel, fastmath, target = True, {"contract", "reassoc"}, "python"
    options = Options.of(Asked())
    assert options.parallel and options.fastmath == frozenset({"contract", "reassoc"})
    assert Options.of(None) == Options() and Options.of(Asked(), "numba").target == "numba"
    keys = {Options().key(), options.key(), Options(boundscheck=True).key(), Options(vector_math=False).key()}
    assert len(keys) == 4


def test_bounds_are_checked_on_request():
    program = read('def f(x: "float64[:]", i: "weak int64"):\n    y = x[i]\n    return y\n')
    with pytest.raises(IndexError):
        compile_program(program, "numba", Options(cache=False, boundscheck=True))(np.ones(2), 7)


def test_threads_may_compile_the_same_program():
    program = read('def f(x: "float64"):\n    y = expm1(x)\n    return y\n')
    answers = []

    def work():
        answers.append(compile_program(program, "numba", MEMORY)(0.0))
    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert answers == [(0.0,)] * 4


def test_numba_can_be_switched_off_for_debugging(monkeypatch):
    import numba
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    program = read('def f(x: "float64"):\n    y = log(x)\n    z = digamma(y)\n    return y, z\n')
    compiled = compile_program(program, "numba", MEMORY)
    assert not hasattr(compiled.dispatcher, "py_func")
    np.testing.assert_allclose(compiled(2.0), run(program, 2.0))
    assert compiled(0.0)[0] == -math.inf


# -- vector math --------------------------------------------------------------------------

OWN = {"acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
       "atanh": "arctanh", "atan2": "arctan2", "pow": "power"}
VECTOR = vector_math.ONE + vector_math.TWO
LOOP = """
    for ROW in range(0, n, 1):
        tROW = x[ROW]
        vROW = y[ROW]
        uROW = CALL
        out[NUMBER, ROW] = uROW"""


def _vector_loop(number, name):
    call = f"{OWN.get(name, name)}(tROW{', vROW' * (name in vector_math.TWO)})"
    return LOOP.replace("CALL", call).replace("NUMBER", str(number)).replace("ROW", f"i{number}")


@pytest.fixture(scope="module", params=["float64", "float32"])
def vectorised(request):
    """One loop for each function that may be vectorised; one function a row of the result."""
    names = [name for name in VECTOR if request.param == "float64" or name not in ("erf", "erfc")]   # NumPy has none
    head = f"""
def f(x: "{request.param}[:]", y: "{request.param}[:]"):
    n = size(x, axis=0)
    out = zeros({len(names)}, n, dtype="{request.param}")"""
    program = read(head + "".join(map(_vector_loop, range(len(names)), names)) + "\n    return out\n")
    fast = compile_program(program, "numba", Options(cache=False, vector_math=True))
    plain = compile_program(program, "numba", Options(cache=False, vector_math=False))
    return np.dtype(request.param), names, fast, plain


@pytest.mark.skipif(not vector_math.available(), reason="no vector math on this system")
@pytest.mark.parametrize("values", [
    np.linspace(-40.0, 40.0, 1003), np.linspace(0.0, 1.0, 37), np.geomspace(1e-300, 1e300, 201), np.geomspace(1e-38, 1e38, 201),
    np.array([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 5e-324, 710.0, -745.2, 1e22, 3.0, 88.7, -103.9])],
    ids=["wide", "unit", "magnitudes", "small magnitudes", "special"])
def test_vector_math_is_accurate(vectorised, values):
    dtype, names, *both = vectorised
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
    got, want = (compiled(values, values[::-1].copy())[0] for compiled in both)
    few = 4.5 * np.finfo(dtype).eps
    for g, w, name in zip(got, want, names, strict=True):
        np.testing.assert_allclose(g, w, rtol=few, atol=np.finfo(dtype).smallest_subnormal, err_msg=name)
        real = ~np.isnan(w)
        np.testing.assert_array_equal(np.signbit(g[real]), np.signbit(w[real]), err_msg=name)


@pytest.mark.skipif(not vector_math.available(), reason="no vector math on this system")
def test_loops_over_functions_are_vectorised(vectorised):
    dtype, names, *both = vectorised
    for compiled in both:
        compiled(np.ones(3, dtype), np.ones(3, dtype))
    fast, plain = (next(iter(c.dispatcher.inspect_asm().values())) for c in both)
    suffix = "f" if dtype == np.float32 else ""
    assert [name for name in names if vector_math._vector_name(name + suffix) not in fast] == []
    assert "_ZGV" not in plain


def test_vector_math_is_off_where_it_cannot_work(monkeypatch):
    from numba.core import config
    monkeypatch.setattr(config, "CPU_NAME", "generic")
    assert vector_math.available.__wrapped__() == ()
    monkeypatch.undo()
    monkeypatch.setattr(vector_math, "LIBRARY", "libmissing.so.1")
    assert vector_math.available.__wrapped__() == ()


USER = '''
import sys
sys.path.insert(0, {place!r})
import numpy as np
import user_module
print(user_module.total(np.ones(9)))
'''
USER_MODULE = '''
import numba
import numpy as np
from srcdiff.backend import Options, compile_program
from srcdiff.notation import read
inner = compile_program(read("""
def f(x: "float64[:]"):
    n = size(x, axis=0)
    y = zeros(n, dtype="float64")
    for i in range(0, n, 1):
        t = x[i]
        u = tanh(t)
        y[i] = u
    return y
"""), "numba", Options()).dispatcher

@numba.njit(cache=True)
def total(x):
    return inner(x).sum()
'''


def test_a_users_cached_function_may_hold_our_code(tmp_path):
    (tmp_path / "user_module.py").write_text(USER_MODULE)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]),
                   "SRCDIFF_CACHE_DIR": str(tmp_path / "cache")}
    outputs = [subprocess.run([sys.executable, "-c", USER.format(place=str(tmp_path))], env=environment,
                              capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert math.isclose(float(outputs[0]), 9 * math.tanh(1.0), rel_tol=1e-14)


# -- type inference -------------------------------------------------------------------

def test_numba_infers_the_types_that_we_compute():
    program = read('''
def f(x: "float64[:]", A: "float32[:,:]", k: "weak int64"):
    s = 0.0
    y = zeros(k, dtype="float32")
    for i in range(0, k, 1):
        t = x[i]
        u = exp(t)
        s = add(s, u)
        w = A[i, 0]
        v = multiply(w, 2.0)
        y[i] = v
        c = less(u, 1.0)
        if c:
            k2 = add(i, 1)
            y[0] = 1.0
            s = add(s, k2)
    z = copy(y)
    return s, y, z
''')
    seen = harvest.check(program)
    assert seen["s"] == {FLOAT} and seen["y"] == {Array("float32", 1)}


def test_single_precision_stays_in_compiled_code():
    program = read('''
def f(x: "float32[:]", a: "float32", w: "weak float64", n: "weak int64"):
    s = zeros(dtype="float32")
    y = zeros(n, dtype="float32")
    for i in range(0, n, 1):
        t = x[i]
        u = multiply(t, 0.1)
        v = exp(u)
        p = power(v, 2)
        q = power(v, 0.5)
        q2 = divide(q, w)
        k = multiply(q2, n)
        c = less(v, 0.1)
        m = maximum(k, 0.0)
        z = where(c, m, p)
        h = sqrt(z)
        g = square(h)
        r = arctan2(g, a)
        r2 = hypot(r, 2.0)
        r3 = quotient(r2, 2)
        r4 = reciprocal(r3)
        r5 = fmod(r4, 0.75)
        r6 = erf(r5)
        r7 = sign(r6)
        r8 = multiply(2, r7)
        s = add(s, r8)
        y[i] = k
    return s, y
''')
    seen = harvest.check(program)
    narrow = {name for name, types in seen.items() if types == {Scalar("float32")}}
    assert {"s", "v", "q", "k"} & seen.keys() <= narrow and "s" in narrow
    args = (np.linspace(0.1, 2.0, 7).astype(np.float32), np.float32(0.3), 1.7, 7)
    for got, want in zip(compile_program(program, "numba", MEMORY)(*args), run(program, *args), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_numba_types_of_plain_text():
    import numba
    text = "import numpy as np\ndef f(n):\n    a = np.zeros(n)\n    b = a[0]\n    c = 1\n    return a, b, c\n"
    types = harvest.numba_types(text, (numba.int64,))
    assert types["a"] == {numba.float64[::1]} and types["b"] == {numba.float64} and types["c"] == {numba.int64}


def test_the_type_only_pipeline_agrees_with_full_compilation():
    import numba
    assert harvest.works()
    namespace = {"np": np}
    exec("def f(x):\n    y = np.sum(x)\n    z = y + 1\n    return z\n", namespace)
    args = (numba.float64[::1],)
    assert harvest.harvest(namespace["f"], args) == harvest.harvest_by_compiling(namespace["f"], args)


def test_load_and_compile_a_text():
    text = '__all__ = ["g"]\n\n\ndef h(x):\n    return x + 1.0\n\n\ndef g(x):\n    return h(x) * 2.0\n'
    assert compile_source("g", text, 1, "numba", MEMORY)(1.0) == (4.0,)
    assert compile_source("g", text, 1, "python")(1.0) == (4.0,)



def test_what_lapack_gives_in_another_order_is_reshaped():
    a, b = np.array([[1.0, 0.1], [0.2, 0.9]]), np.array([[0.3], [0.5]])
    plain = srcdiff.jacrev(srcdiff.differentiate(np.linalg.solve, target="python"))(a, b)
    np.testing.assert_allclose(srcdiff.jacrev(np.linalg.solve)(a, b), plain, rtol=1e-13)
