"""What each instruction of PTX does to the registers of a thread (`bench.ptx_machine`).

Integers are kept as their unsigned bits, floating-point numbers as Python's
floats, rounded after each operation in single precision.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np

__all__ = ["operation"]

_LIBM = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
_LIBM.fma.argtypes, _LIBM.fma.restype = [ctypes.c_double] * 3, ctypes.c_double
_LIBM.fmaf.argtypes, _LIBM.fmaf.restype = [ctypes.c_float] * 3, ctypes.c_float
_LIBM.remainderf.argtypes, _LIBM.remainderf.restype = [ctypes.c_float] * 2, ctypes.c_float
COMPARE = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
           "ge": operator.ge, "lo": operator.lt, "ls": operator.le, "hi": operator.gt, "hs": operator.ge}


# -- numbers ------------------------------------------------------------------------------------

def width(kind: str) -> int:
    return int(kind[1:]) if kind != "pred" else 1


def single(x: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float32(x))


def rounded(kind: str) -> Callable:
    return single if kind == "f32" else float


def signed(bits: int, size: int) -> int:
    bits &= (1 << size) - 1
    return bits - (1 << size) if bits >> (size - 1) else bits


def read(frame, operand: str, kind: str):
    """Return an operand as a number of its kind."""
    value = frame.value(operand)
    if kind[0] == "f":
        return value if isinstance(value, float) else from_bits(value, kind)
    if isinstance(value, float):
        value = to_bits(value, "f64" if kind[1:] == "64" else "f32")
    return signed(value, width(kind)) if kind[0] == "s" else value & ((1 << width(kind)) - 1) if kind != "pred" else value


def write(frame, operand: str, kind: str, value) -> None:
    if kind[0] == "s":                   # the sign goes on to the end of a register that is wider
        value = signed(int(value), width(kind)) & ((1 << 64) - 1)
    elif kind[0] in "ub":
        value = int(value) & ((1 << width(kind)) - 1)
    elif kind == "f32":
        value = single(value)
    if operand.startswith("%f") and kind[0] == "b":
        value = from_bits(value, "f64" if operand.startswith("%fd") else "f32")
    frame.registers[operand] = value


def to_bits(value: float, kind: str) -> int:
    return int(np.array(value, f"f{width(kind) // 8}").view(f"u{width(kind) // 8}"))


def from_bits(bits: int, kind: str) -> float:
    return float(np.array(bits & ((1 << width(kind)) - 1), f"u{width(kind) // 8}").view(f"f{width(kind) // 8}"))


def divided(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def root(a: float) -> float:
    return math.sqrt(a) if a >= 0 else math.nan if a == a else a


def power_of_two(a: float) -> float:
    try:
        return 2.0 ** a
    except OverflowError:
        return math.inf


def logarithm(a: float) -> float:
    return math.log2(a) if a > 0 else -math.inf if a == 0 else math.nan


def larger(a, b):
    return b if a != a else a if b != b else max(a, b)


def smaller(a, b):
    return b if a != a else a if b != b else min(a, b)


def quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def bit_count_leading(a: int, size: int) -> int:
    return size - a.bit_length()


FLOAT = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": divided, "neg": lambda a: -a,
         "abs": abs, "sqrt": root, "rcp": lambda a: divided(1.0, a), "ex2": power_of_two, "lg2": logarithm, "max": larger,
         "min": smaller, "rsqrt": lambda a: divided(1.0, root(a)), "copysign": lambda a, b: math.copysign(b, a),
         "sin": math.sin, "cos": math.cos, "tanh": math.tanh}
WHOLE = {"add": operator.add, "sub": operator.sub, "div": quotient, "rem": lambda a, b: a - b * quotient(a, b), "max": max,
         "min": min, "neg": operator.neg, "abs": abs, "and": operator.and_, "or": operator.or_, "xor": operator.xor}


# -- operations ------------------------------------------------------------------------------------

def _arithmetic(name: str) -> Callable:
    """Return what an arithmetic instruction does."""
    base, *flags = name.split(".")
    kind = next((f for f in reversed(flags) if re.fullmatch(r"[fsub](8|16|32|64)|pred", f)), "b32")
    if base == "fma" or base == "mad" and kind[0] == "f":
        return _fused(kind, "rz" in flags)
    if base in ("mad", "madc", "mul") and kind[0] != "f":
        return _product(base, flags, kind)
    if base in ("add", "sub", "addc", "subc") and ("cc" in flags or base in ("addc", "subc")):
        return _with_carry(base, flags, kind)
    if base == "cvt":
        return _converted(flags)
    if base == "setp":
        return _compared(flags, kind)
    if kind[0] == "f" and {"rz", "rm", "rp"} & set(flags):
        raise NotImplementedError(name)
    if kind[0] == "f" and base in FLOAT:
        return _simple(FLOAT[base], kind)
    if base in WHOLE:
        return _simple(WHOLE[base], kind)
    raise NotImplementedError(name)


def _simple(function: Callable, kind: str) -> Callable:
    def act(frame, operands):
        target, *args = operands
        write(frame, target, kind, function(*(read(frame, a, kind) for a in args)))
    return act


def _fused(kind: str, toward_zero: bool) -> Callable:
    function = _LIBM.fma if kind == "f64" else _LIBM.fmaf
    return _simple(functools.partial(_cut, function, np.dtype(f"f{width(kind) // 8}").type) if toward_zero else function, kind)


def _cut(function: Callable, number: type, a: float, b: float, c: float) -> float:
    """Return a * b + c, rounded toward zero."""
    nearest = function(a, b, c)
    if not all(map(math.isfinite, (a, b, c, nearest))):
        return nearest
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    return float(np.nextafter(number(nearest), number(0))) if abs(Fraction(nearest)) > abs(exact) else nearest


def _product(base: str, flags, kind: str) -> Callable:
    size, wide = width(kind), "wide" in flags
    result = f"{kind[0]}{2 * size}" if wide else kind

    def act(frame, operands):
        target, a, b, *c = operands
        product = read(frame, a, kind) * read(frame, b, kind)
        product = product >> size if "hi" in flags else product
        if not wide:
            product &= (1 << size) - 1
        if c:
            product += read(frame, c[0], result if wide else f"u{size}")
        if base == "madc":
            product += frame.carry
        if "cc" in flags:
            frame.carry = product >> size & 1
        write(frame, target, result, product)
    return act


def _with_carry(base: str, flags, kind: str) -> Callable:
    size = width(kind)

    def act(frame, operands):
        target, a, b = operands
        a, b = (read(frame, o, f"u{size}") for o in (a, b))
        carry = frame.carry if base.endswith("c") else 0
        value = a + b + carry if base.startswith("add") else a - b - carry
        if "cc" in flags:
            frame.carry = int(not 0 <= value < 1 << size)
        write(frame, target, kind, value)
    return act


def _converted(flags) -> Callable:
    to, kind = [f for f in flags if re.fullmatch(r"[fsub](8|16|32|64)", f)]
    way = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}
    turn = next((way[f] for f in flags if f in way), None)

    def act(frame, operands):
        value = read(frame, operands[1], kind)
        if kind[0] == "f" and turn and math.isfinite(value):
            value = math.copysign(turn(value), value)
        if to[0] == "f":
            value = float(value)
            value = min(max(value, 0.0), 1.0) if "sat" in flags else value
        elif kind[0] == "f":
            value = _into_range(value, to)
        write(frame, operands[0], to, value)
    return act


def _into_range(value: float, kind: str) -> int:
    size = width(kind)
    low, high = (-(1 << size - 1), (1 << size - 1) - 1) if kind[0] == "s" else (0, (1 << size) - 1)
    return 0 if value != value else low if value < low else high if value > high else int(value)


def _compared(flags, kind: str) -> Callable:
    test = flags[0]
    join = next((f for f in flags if f in ("and", "or", "xor")), None)

    def act(frame, operands):
        target, a, b, *more = operands
        a, b = read(frame, a, kind), read(frame, b, kind)
        unordered = kind[0] == "f" and (a != a or b != b)
        if test in ("num", "nan"):
            found = unordered == (test == "nan")
        elif kind[0] == "f" and unordered:
            found = test.endswith("u")
        else:
            found = COMPARE[test if test in COMPARE else test[:-1]](a, b)
        if join:
            other = _truth(frame, more[0])
            found = {"and": found and other, "or": found or other, "xor": found != other}[join]
        frame.registers[target] = bool(found)
    return act


def _truth(frame, operand: str) -> bool:
    return not frame.registers[operand[1:]] if operand.startswith("!") else frame.registers[operand]


# -- operations that have their own form --------------------------------------------------------------

def _move(frame, operands) -> None:
    target, source = operands
    if target.startswith("{"):
        low, high = target.strip("{}").split(",")
        bits = read(frame, source, "b64")
        write(frame, low, "b32", bits)
        write(frame, high, "b32", bits >> 32)
    elif source.startswith("{"):
        low, high = source.strip("{}").split(",")
        write(frame, target, "b64", read(frame, low, "b32") | read(frame, high, "b32") << 32)
    else:
        value = frame.value(source)
        if isinstance(value, float) and not target.startswith("%f"):
            value = to_bits(value, "f64" if target.startswith("%rd") else "f32")
        elif isinstance(value, int) and target.startswith("%f"):
            value = from_bits(value, "f64" if target.startswith("%fd") else "f32")
        elif isinstance(value, int) and not isinstance(value, bool):
            value &= (1 << 64) - 1
        frame.registers[target] = value


def _address(frame, operand: str) -> tuple[str, int]:
    base, _, offset = operand.strip("[]").partition("+")
    return base, int(offset or 0)


def _moved(name: str, frame, operands) -> None:
    """Load or store: ``ld.global.f64``, ``st.param.b32`` ..., vectors too."""
    kind, load = name.split(".")[-1], name.startswith("ld")
    place, registers = (operands[1], operands[0]) if load else (operands[0], operands[1])
    base, offset = _address(frame, place)
    size = width(kind) // 8
    for k, register in enumerate(registers.strip("{}").split(",")):
        if ".param" in name:
            key = (base, offset + k * size) if offset or base not in frame.params else base
            if load:
                value = frame.params.get(key, frame.params.get((base, offset)))
                write(frame, register, kind, read_raw(value, kind))
            else:
                frame.params[base, offset] = read(frame, register, kind)
            continue
        memory = frame.machine.at(frame.value(base) + offset + k * size, size, name[:2])
        if load:
            bits = int.from_bytes(memory.tobytes(), "little")
            write(frame, register, kind, from_bits(bits, kind) if kind[0] == "f" else bits)
        else:
            value = read(frame, register, kind)
            bits = to_bits(value, kind) if kind[0] == "f" else value & ((1 << width(kind)) - 1)
            memory[:] = np.frombuffer(bits.to_bytes(size, "little"), np.uint8)


def read_raw(value, kind: str):
    """Return a parameter, a number of Python's or NumPy's, as a register holds it."""
    return float(value) if kind[0] == "f" else int(value)


def _chosen(frame, operands) -> None:
    target, a, b, predicate = operands
    frame.registers[target] = frame.value(a if _truth(frame, predicate) else b)


def _shifted(name: str, frame, operands) -> None:
    target, a, b = operands
    kind = name.split(".")[-1]
    by = min(read(frame, b, "u32"), width(kind))
    value = read(frame, a, kind)
    write(frame, target, kind, value << by if name.startswith("shl") else value >> by)


def _inverted(name: str, frame, operands) -> None:
    kind = name.split(".")[-1]
    value = not _truth(frame, operands[1]) if kind == "pred" else ~read(frame, operands[1], kind)
    write(frame, operands[0], kind, value) if kind != "pred" else frame.registers.__setitem__(operands[0], value)


def _leading_zeros(name: str, frame, operands) -> None:
    kind = name.split(".")[-1]
    write(frame, operands[0], "u32", bit_count_leading(read(frame, operands[1], kind), width(kind)))


def _inserted(name: str, frame, operands) -> None:
    target, a, b, at, count = operands
    kind = name.split(".")[-1]
    at, count = read(frame, at, "u32"), read(frame, count, "u32")
    mask = ((1 << count) - 1) << at
    write(frame, target, kind, read(frame, b, kind) & ~mask | read(frame, a, kind) << at & mask)


def _called(frame, operands) -> None:
    returned, name, *args = operands
    code = frame.machine.functions[name]
    found = frame.machine.call(code, {p: frame.params[a, 0] for p, a in zip(code.params, args, strict=True)})
    for key, value in found.items():
        if isinstance(key, tuple) and key[0] == code.returned:
            frame.params[returned, key[1]] = value


def _atomic(name: str, frame, operands) -> None:
    target, place, operand = operands
    kind = name.split(".")[-1]
    base, offset = _address(frame, place)
    memory = frame.machine.at(frame.value(base) + offset, width(kind) // 8, "atom")
    held = np.frombuffer(memory.tobytes(), {"s": "i", "u": "u", "b": "u", "f": "f"}[kind[0]] + str(width(kind) // 8))[0]
    value = {"min": min, "max": max, "add": operator.add}[name.split(".")[2]](held.item(), read(frame, operand, kind))
    memory[:] = np.frombuffer(np.array(value, held.dtype).tobytes(), np.uint8)
    write(frame, target, kind, held.item())


def _nothing(frame, operands) -> None:
    """A jump: the machine itself takes it."""


NAMED = {"mov": _move, "cvta": _move, "selp": _chosen, "call": _called, "bra": _nothing, "ret": _nothing, "exit": _nothing}
BY_NAME = {"ld": _moved, "st": _moved, "shl": _shifted, "shr": _shifted, "not": _inverted, "clz": _leading_zeros,
           "bfi": _inserted, "atom": _atomic}


def operation(name: str) -> Callable:
    """Return what an instruction does: a function of the frame and the operands."""
    base = name.split(".")[0]
    if base in NAMED:
        return NAMED[base]
    return functools.partial(BY_NAME[base], name) if base in BY_NAME else _arithmetic(name)
