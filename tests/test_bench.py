"""What the report says of recorded figures."""

import math

import pytest

from bench.growth import orders


@pytest.mark.parametrize("peaks, power", [
    ((0, 1000, 10_000, 100_000), 1.0), ((500, 1000, 2000, 4000), math.log10(2.0)),
    ((0, 0, 0, 0), 0.0), ((4096, 0, 0, 0), 0.0), ((0, 0, 1000, 10_000), 1.0),
])
def test_growth_of_memory(peaks, power):
    """Memory that stays 0 does not grow; the power is that of the sizes which need any."""
    sizes = [{"workload": "w", "work": 10**k, "microseconds": 3.0 * 10**k, "peak": peak} for k, peak in enumerate(peaks)]
    assert orders(sizes) == {"w": pytest.approx((1.0, power))}
