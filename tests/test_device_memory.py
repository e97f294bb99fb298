"""Memory for results, and launches that are made again, with a device that is not there; on a GPU see tests/cuda_arguments.py."""

import ctypes
import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from srcdiff.backend import device_memory, direct, gpu
from srcdiff.backend.device_memory import Kept


def made(size):
    return f"new {size}"


def never(size):
    raise MemoryError


def test_a_piece_is_taken_by_its_size():
    place = Kept(100)
    number, piece = place.take(10, made)
    assert piece == "new 10" and place.size == 0
    place.give_back(number)
    assert place.size == 10 and place.take(11, made)[1] == "new 11"
    assert place.take(10, never)[1] == "new 10" and place.size == 0


def test_what_was_not_given_back_lately_is_let_go_of_first():
    place = Kept(25)
    first, second, third = (place.take(size, made)[0] for size in (10, 12, 5))
    for number in (first, second):
        place.give_back(number)
    place.give_back(place.take(10, never)[0])
    place.give_back(third)
    assert place.size == 15 and [place.take(size, never)[1] for size in (10, 5)] == ["new 10", "new 5"]
    with pytest.raises(MemoryError):
        place.take(12, never)
    place.give_back(place.take(26, made)[0])
    assert place.size == 0


def test_what_garbage_gives_back_from_within_waits_after_that():
    place = Kept(100)
    number, _ = place.take(10, made)
    with place._lock:                               # as while the collector comes
        place.give_back(number)
        assert place.size == 0
    assert place.take(10, never)[1] == "new 10"


def test_all_that_waits_is_let_go_of():
    place = Kept(100)
    place.give_back(place.take(10, made)[0])
    place.clear()
    with pytest.raises(MemoryError):
        place.take(10, never)


class Piece:
    def __init__(self, device_pointer):
        self.device_pointer = device_pointer


class Device:
    """What allocates for Numba: pieces at addresses that grow; counts them."""

    def __init__(self):
        self.addresses, self.room = [], 10

    def device_array(self, size, dtype=None, strides=None, stream=0):
        if len(self.addresses) == self.room:
            raise MemoryError("CUDA_ERROR_OUT_OF_MEMORY")
        self.addresses.append(4096 * (1 + len(self.addresses)))
        return SimpleNamespace(gpu_data=Piece(ctypes.c_void_p(self.addresses[-1])))


@pytest.fixture
def device(monkeypatch):
    from numba import cuda
    found, place = Device(), Kept(1 << 20)
    monkeypatch.setattr(device_memory, "kept", lambda: place)
    monkeypatch.setattr(cuda, "current_context", lambda: "context")
    monkeypatch.setattr(cuda, "device_array", found.device_array)
    device_memory._form.cache_clear()
    yield found
    device_memory._form.cache_clear()


pytestmark = pytest.mark.skipif(gpu.simulated(), reason="the simulator has arrays of its own")


def test_arrays_have_their_form_and_memory_of_their_own(device):
    array, turned = device_memory.new_array((4, 3), "float32"), device_memory.new_array((4, 3), "float64", (8, 32))
    assert (array.shape, array.strides, array.dtype, array.alloc_size) == ((4, 3), (12, 4), np.float32, 48)
    assert (turned.strides, turned.size, turned.alloc_size) == ((8, 32), 12, 96)
    assert [gpu.address(array), gpu.address(turned)] == device.addresses
    assert array.is_c_contiguous() and turned.is_f_contiguous()


def test_memory_is_used_again_when_the_last_view_is_gone(device):
    array = device_memory.new_array((4, 3), "float32")
    rows, first = array.gpu_data.view(12, 36), gpu.address(array)           # what a slice of the array holds
    del array
    other = device_memory.new_array((4, 3), "float32")
    assert gpu.address(other) != first
    del rows
    assert gpu.address(device_memory.new_array((2, 6), "int32")) == first and len(device.addresses) == 2


def test_garbage_that_holds_an_array_gives_its_memory_back_whole(device):
    freed = []
    array = device_memory.new_array((4, 3), "float32")
    circle = [array]
    circle.append(circle)
    piece = next(iter(device_memory.kept()._lent.values()))[0]
    weakref.finalize(piece, freed.append, "as Numba frees memory")
    del array, circle, piece
    gc.collect()
    assert not freed and device_memory.kept().size == 48


def test_a_full_device_gets_back_what_is_kept(device):
    device_memory.new_array((4, 3), "float32")
    device.room = 1
    with pytest.raises(MemoryError):
        device_memory.new_array((5, 3), "float32")
    assert device_memory.kept().size == 0


class Library:
    """A driver that writes down what a kernel would be given."""

    def __init__(self):
        self.launches, self.status = [], 0

    def cuLaunchKernel(self, handle, *rest):
        grid, (_, words, _) = rest[:7], rest[7:]
        self.launches.append((handle, grid, [ctypes.c_int64.from_address(w).value for w in words]))
        return self.status


class Dispatcher:
    """One that has compiled a kernel of a float64 matrix, a number and the matrix of results, with Numba's own preparation."""

    def __init__(self):
        from numba import types
        from numba.cuda.dispatcher import _Kernel
        matrix = types.Array(types.float64, 2, "C")
        types_ = matrix, types.int64, types.Array(types.float64, 2, "F")
        kernel = SimpleNamespace(argument_types=types_, extensions=[], _codelibrary=SimpleNamespace(
            get_cufunc=lambda: SimpleNamespace(handle=ctypes.c_void_p(77))))
        kernel._prepare_args = lambda *given: _Kernel._prepare_args(kernel, *given)
        self.overloads = {types_: kernel}
        self.typeof_pyval = lambda value: types.int64 if isinstance(value, int) else types_[0 if value.strides[0] == 24 else 2]


@pytest.fixture
def driver(monkeypatch):
    found = Library()
    monkeypatch.setattr(direct, "library", lambda: found)
    return found


def arrays(count=1):
    return [(device_memory.new_array((4, 3), "float64"), k, device_memory.new_array((4, 3), "float64", (8, 32)))
            for k in range(count)]


def test_a_launch_is_made_again_with_other_addresses_and_numbers(device, driver):
    first, second = arrays(2)
    launch = direct.direct(Dispatcher(), 5, 128, first, (0, 1, 2))
    assert launch(second) and not driver.status
    (handle, grid, words), (x, y) = driver.launches[0], (second[0], second[2])
    assert (handle, grid) == (77, (5, 1, 1, 128, 1, 1, 0))
    assert words == [0, 0, 12, 8, gpu.address(x), 4, 3, 24, 8, 1, 0, 0, 12, 8, gpu.address(y), 4, 3, 8, 32]
    driver.status = 201
    assert not launch(second)


def test_what_numba_prepares_in_another_way_is_left_to_it(device, driver):
    [args] = arrays()
    for changed in ({"strides": (8, 24)}, {"shape": (4, 4)}):
        other = arrays()[0][0]
        vars(other).update(changed)
        dispatcher = Dispatcher()
        dispatcher.typeof_pyval = lambda v, o=other, t=dispatcher.typeof_pyval, a=args[0]: t(a if v is o else v)
        kernel, = dispatcher.overloads.values()
        prepare = kernel._prepare_args
        kernel._prepare_args = lambda t, v, *rest, p=prepare, o=other, a=args[0]: p(t, a if v is o else v, *rest)
        assert direct.direct(dispatcher, 5, 128, (other, *args[1:]), (0,)) is None
    assert direct.direct(SimpleNamespace(overloads={}), 5, 128, args, (0,)) is None
