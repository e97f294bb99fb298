"""The pool of device memory, with a driver that counts; on a GPU arrays come from it (tests/cuda_arguments.py)."""

import numpy as np
import pytest

from srcdiff.backend import device_memory, gpu
from srcdiff.backend.device_memory import Pool


class Driver:
    """What the pool asks of CUDA's driver."""

    def __init__(self, room: int = 10):
        self.room, self.live, self.has_context, self.trimmed = room, [], True, 0

    def cuMemPoolCreate(self, pool, properties):
        return 0

    def cuMemPoolSetAttribute(self, pool, attribute, value):
        return 0

    def cuMemAllocFromPoolAsync(self, address, size, pool, stream):
        if len(self.live) == self.room:
            return 2
        address._obj.value = 1000 + len(self.live)
        self.live.append(address._obj.value)
        return 0

    def cuMemFreeAsync(self, address, stream):
        if not self.has_context:
            return 201
        self.live.remove(address.value)
        return 0

    def cuMemPoolTrimTo(self, pool, size):
        self.trimmed += 1
        return 0


def test_memory_is_taken_and_given_back():
    driver = Driver(room=1)
    pool = Pool(driver, 0, 1 << 20)
    address = pool.take(64)
    assert driver.live == [address] and pool.take(64) is None
    pool.give_back(address)
    assert not driver.live and pool.take(64) == address


def test_what_a_thread_without_a_context_frees_is_freed_by_the_next_call():
    driver = Driver(room=1)
    pool = Pool(driver, 0, 1 << 20)
    address = pool.take(64)
    driver.has_context = False
    pool.give_back(address)
    assert driver.live == [address]
    driver.has_context = True
    assert pool.take(64) == address and driver.live == [address]


def test_a_driver_that_makes_no_pool_is_reported():
    driver = Driver()
    driver.cuMemPoolCreate = lambda pool, properties: 801
    with pytest.raises(OSError, match="801"):
        Pool(driver, 0, 1 << 20)


@pytest.fixture
def pool(monkeypatch):
    """A pool from which `new_array` takes, with a driver that is not there."""
    from numba import cuda
    found = Pool(Driver(), 0, 1 << 20)
    monkeypatch.setattr(device_memory, "pool", lambda: found)
    monkeypatch.setattr(cuda, "current_context", lambda: "context")
    device_memory._form.cache_clear()
    yield found
    device_memory._form.cache_clear()


@pytest.mark.skipif(gpu.simulated(), reason="the simulator has arrays of its own")
def test_arrays_of_the_pool_have_their_form_and_free_their_memory_with_their_last_view(pool):
    live = pool._library.live
    array, turned = device_memory.new_array((4, 3), "float32"), device_memory.new_array((4, 3), "float64", (8, 32))
    assert (array.shape, array.strides, array.dtype, array.alloc_size) == ((4, 3), (12, 4), np.float32, 48)
    assert (turned.strides, turned.size, turned.alloc_size) == ((8, 32), 12, 96)
    assert [gpu.address(array), gpu.address(turned)] == live
    assert array.is_c_contiguous() and turned.is_f_contiguous()
    rows, kept = array.gpu_data.view(12, 36), list(live)          # what a slice of the array holds
    del array
    assert live == kept
    del rows
    assert live == kept[1:]


@pytest.mark.skipif(gpu.simulated(), reason="the simulator has arrays of its own")
def test_what_finds_no_room_is_asked_of_numba(pool, monkeypatch):
    from numba import cuda
    monkeypatch.setattr(cuda, "device_array", lambda shape, dtype, strides=None: ("Numba's", shape, strides))
    pool._library.room = 0
    assert device_memory.new_array((2, 2), "float64", (8, 16)) == ("Numba's", (2, 2), (8, 16))
    assert pool._library.trimmed == 1
