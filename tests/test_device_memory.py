"""The pool of device memory, with a driver that counts; on a GPU arrays come from it (tests/cuda_arguments.py)."""

import pytest

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
