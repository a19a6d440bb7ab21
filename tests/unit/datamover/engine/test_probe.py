"""What a meter makes of what comes, and when: a rate of the second half, and none where too little came."""

import pytest

from datamover.engine.probe import Meter

MB = 1_000_000


def metered(*came):
    """A meter that counted so many bytes at these moments: (seconds, bytes) each."""
    moments = iter([at for at, _ in came])
    meter = Meter(lambda: next(moments))
    for _, size in came:
        meter.count(size)
    return meter


def steadily(rate, seconds=2.0, steps=100, begin=0.0):
    return [(begin + seconds * step / steps, round(rate * seconds / steps)) for step in range(steps + 1)]


def test_what_comes_steadily_has_its_rate():
    meter = metered(*steadily(10 * MB))
    assert meter.rate == pytest.approx(10 * MB, rel=0.03)
    assert meter.figures == {"bytes": meter.bytes, "seconds": 2.0, "rate": round(meter.rate)}


def test_a_slow_beginning_does_not_count():
    meter = metered(*steadily(MB, 0.9, 45), *steadily(20 * MB, 1.1, 55, begin=0.92))
    assert meter.rate == pytest.approx(20 * MB, rel=0.05)


def test_a_burst_at_the_beginning_does_not_count():
    meter = metered((0.0, 5 * MB), *steadily(MB, begin=0.001))
    assert meter.rate == pytest.approx(MB, rel=0.05)


def test_of_few_arrivals_what_came_after_the_first_one_counts():
    assert metered((0.0, 16384), (1.6, 16384)).rate == 10240


@pytest.mark.parametrize("came", [[], [(0.0, MB)], [(0.0, MB), (0.05, MB)]])
def test_too_little_tells_no_rate(came):
    meter = metered(*came)
    assert meter.rate is None and meter.figures["rate"] is None


def test_marks_are_far_fewer_than_what_is_counted():
    meter = metered(*steadily(10 * MB, seconds=2.0, steps=10_000))
    assert len(meter._marks) <= 101
