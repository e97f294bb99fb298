"""Execute the PTX of a kernel as one thread after another, and count what it executes.

No GPU is needed: PTX is what Numba and NVVM really made, libdevice's functions
included, so its results are those of a GPU up to the last bits of the two
approximations (``ex2``, ``rcp`` ...), which are exact here.  It is slow: about a
million instructions a second.

    machine = Machine(text)
    machine.run({"x": array, ...}, thread=3, block=128, blocks=4)
    machine.executed            # instructions by name, e.g. {"fma.rn.f64": 31, ...}
    machine.bytes               # by array and direction, e.g. {("x", "ld"): 248}

Arrays are the arguments by name in the order of the kernel's parameters; numbers
are passed as they are.  Atomics are exact, because threads follow one another.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from bench.ptx_operations import operation

__all__ = ["Machine"]

_LABEL = re.compile(r"^(\$[\w$]+):")
_INSTRUCTION = re.compile(r"^(?:@(!?)(%p\d+)\s+)?([a-z][\w.:]*)\s*(.*)$", re.DOTALL)
_GLOBAL = re.compile(r"\.(?:global|const)\s+(?:\.align (\d+)\s+)?\.(\w+)\s+([\w$]+)(?:\[(\d*)\])?(?:\s*=\s*(\{.*?\}|[^;]+))?;")
_LOCAL = re.compile(r"\.local\s+\.align \d+\s+\.b8\s+([\w$]+)\[(\d+)\];")
APART = 1 << 36                         # between the addresses of two pieces of memory


@dataclass
class Piece:
    """Memory at one address: its bytes, and what it is called in the counts."""

    name: str
    start: int
    bytes: np.ndarray


@dataclass(frozen=True)
class Code:
    """A function: instructions as (predicate, negated, name, what it does, its operands), labels, local memory, parameters."""

    steps: list
    labels: dict[str, int]
    local: tuple[str, int] | None
    params: list[str]
    returned: str


class Machine:
    """The kernels of one text of PTX, and what their threads have executed so far."""

    def __init__(self, ptx: str):
        text = re.sub(r"//[^\n]*", "", ptx)
        self.functions = {name: code for name, code in map(_function, _bodies(text))}
        self.entry = next(name for name in self.functions if re.search(rf"\.entry\s+{re.escape(name)}\b", text))
        self.executed: Counter = Counter()
        self.bytes: dict[tuple[str, str], int] = defaultdict(int)
        self.pieces: list[Piece] = []
        self.addresses: dict[str, int] = {}
        for _, type_, name, count, values in _GLOBAL.findall(text):
            self._constant(name, type_, count, values)
        self._fixed = len(self.pieces)

    # -- memory -----------------------------------------------------------------------------

    def _place(self, name: str, data: np.ndarray) -> int:
        start = (len(self.pieces) + 1) * APART
        self.pieces.append(Piece(name, start, data))
        return start

    def _constant(self, name: str, type_: str, count: str, values: str) -> None:
        numbers = [int(v, 0) for v in re.findall(r"-?\b(?:0x[0-9a-fA-F]+|\d+)\b", values or "")]
        data = np.array(numbers or [0] * int(count or 1), f"u{int(type_[1:]) // 8}")
        self.addresses[name] = self._place("constants", data.view(np.uint8))

    def at(self, address: int, size: int, direction: str) -> np.ndarray:
        """Return the bytes at an address, and note that they were touched."""
        piece = self.pieces[address // APART - 1]
        offset = address - piece.start
        if offset < 0 or offset + size > len(piece.bytes):
            raise IndexError(f"{direction} of {size} bytes at {offset} of {piece.name}, which has {len(piece.bytes)}")
        self.bytes[piece.name, direction] += size
        return piece.bytes[offset:offset + size]

    # -- running ----------------------------------------------------------------------------

    def run(self, arguments: dict, thread: int = 0, block: int = 1, blocks: int = 1) -> None:
        """Execute one thread of a launch; arrays are changed in place."""
        del self.pieces[self._fixed:]
        values = [v for name, given in arguments.items() for v in self._flat(name, given)]
        self.special = {"%tid.x": thread % block, "%ntid.x": block, "%ctaid.x": thread // block, "%nctaid.x": blocks}
        code = self.functions[self.entry]
        self.call(code, dict(zip(code.params, values, strict=True)))

    def _flat(self, name: str, value) -> list:
        """Return what Numba passes for an argument: of an array what its structure holds."""
        if not isinstance(value, np.ndarray):
            return [value.real, value.imag] if isinstance(value, complex | np.complexfloating) else [value]
        extents = sum((n - 1) * s for n, s in zip(value.shape, value.strides, strict=True)) + value.itemsize
        data = np.lib.stride_tricks.as_strided(value.reshape(-1)[:0].view(np.uint8) if not value.size else _bytes(value),
                                               (extents if value.size else 0,), (1,))
        return [0, 0, value.size, value.itemsize, self._place(name, data), *value.shape, *value.strides]

    def call(self, code: Code, params: dict) -> dict:
        """Execute a function; return its parameter space, in which results stand."""
        frame = Frame(self, code, params)
        at, steps, executed = 0, code.steps, self.executed
        while at < len(steps):
            predicate, negated, name, act, operands = steps[at]
            at += 1
            if predicate is not None and frame.registers[predicate] == negated:
                executed["skipped"] += 1
                continue
            executed[name] += 1
            if name.startswith("bra"):
                at = code.labels[operands[0]]
            elif name in ("ret", "exit"):
                break
            else:
                act(frame, operands)
        return frame.params


class Frame:
    """What one call of a function knows: registers, parameters, local memory, the carry."""

    def __init__(self, machine: Machine, code: Code, params: dict):
        self.machine, self.params, self.registers, self.carry = machine, params, dict(machine.special), 0
        self.returned, self.local = code.returned, {}
        if code.local:
            name, size = code.local
            self.local[name] = machine._place("local", np.zeros(size, np.uint8))

    def value(self, operand: str):
        """Return the bits or the number of an operand."""
        if operand[0] == "%" or operand in self.registers:              # inline assembly names its own
            return self.registers[operand]
        if operand[:2] in ("0d", "0D"):
            return float(np.array(int(operand[2:], 16), np.uint64).view(np.float64))
        if operand[:2] in ("0f", "0F"):
            return float(np.array(int(operand[2:], 16), np.uint32).view(np.float32))
        if operand in self.local:
            return self.local[operand]
        if operand in self.machine.addresses:
            return self.machine.addresses[operand]
        return int(operand, 0)


def _bytes(array: np.ndarray) -> np.ndarray:
    """Return the first byte of an array's memory, as an array of bytes."""
    first = np.lib.stride_tricks.as_strided(array, (1,), (array.itemsize,))
    return first.view(np.uint8)[:1]


# -- reading the text ---------------------------------------------------------------------------

def _bodies(text: str):
    """Yield the head and the body of each function."""
    for found in re.finditer(r"\.(?:entry|func)\b[^;{]*?\{", text):
        depth, end = 1, found.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield found[0], text[found.end():end - 1]


def _function(pair) -> tuple[str, Code]:
    head, body = pair
    name = re.search(r"\.(?:entry|func)\s+(?:\(.*?\)\s*)?([\w$]+)", head, re.DOTALL)[1]
    params = re.findall(r"\.param\s+(?:\.align \d+\s+)?\.\w+\s+([\w$]+)", head)
    returned = re.search(r"\.func\s+\(.*?([\w$]+)(?:\[\d+\])?\)", head, re.DOTALL)
    local = _LOCAL.search(body)
    steps, labels = [], {}
    body = re.sub(r"^(\s*\$[\w$]+:)", r"\1;", body, flags=re.MULTILINE)
    for statement in body.split(";"):
        _read(statement.strip().lstrip("{ \n\t}").strip(), steps, labels)
    given = params[1:] if returned else params
    return name, Code(steps, labels, (local[1], int(local[2])) if local else None, given, returned[1] if returned else "")


def _read(statement: str, steps: list, labels: dict) -> None:
    """Read one statement: an instruction, a label, or a declaration, which says nothing."""
    if label := _LABEL.match(statement):
        labels[label[1]] = len(steps)
        return
    if not statement or statement.startswith("."):
        return
    negated, predicate, name, rest = _INSTRUCTION.match(statement).groups()
    if name.startswith("call"):
        operands = re.findall(r"[\w$]+", rest)
    else:
        operands = [re.sub(r"\s+", "", o) for o in re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,{\[]+", rest) if o.strip()]
    steps.append((predicate, bool(negated), name, operation(name), operands))
