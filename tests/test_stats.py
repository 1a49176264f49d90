"""Counters, levels and histograms: totals are exact, samples are bounded and hold all of it."""

import math
import random

import pytest

from vnb.stats import PERIOD, SAMPLES, Histogram, Stats

START = 100 * PERIOD


class Clock:
    """The host's time in nanoseconds, and the guest's in instructions."""

    def __init__(self) -> None:
        self.now = START
        self.instructions = 7

    def __call__(self) -> int:
        return self.now

    def go(self, nanoseconds: int, instructions: int = 0) -> None:
        self.now += nanoseconds
        self.instructions += instructions


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> Stats:
    stats = Stats("vda", "block", clock)
    stats.instructions = lambda: clock.instructions
    return stats


def test_a_counter_begins_when_something_is_first_counted(stats: Stats) -> None:
    assert stats["read"] == 0
    assert stats.counters() == []
    stats.add("read", 512, "bytes")
    stats.add("kicks")
    stats.add("read", 512)
    assert (stats["read"], stats["kicks"]) == (1024, 1)
    assert repr(stats) == "vda: read 1024 bytes, kicks 1"


def test_events_close_in_time_share_a_sample_with_both_times(stats: Stats, clock: Clock) -> None:
    for nanoseconds, instructions, amount in (
        (0, 0, 5),
        (PERIOD // 2, 10, 6),
        (PERIOD // 2, 20, 7),
    ):
        clock.go(nanoseconds, instructions)
        stats.begin()
        stats.add("read", amount, "bytes")
    clock.go(9 * PERIOD, 100)
    stats.begin()
    stats.add("read", 8)
    (counter,) = stats.counters()
    assert counter.samples() == [
        (START, 7, 11),
        (START + PERIOD, 37, 7),
        (START + 10 * PERIOD, 137, 8),
    ]
    assert sum(amount for _, _, amount in counter.samples()) == counter.total == 26


def test_samples_are_bounded_and_totals_are_not(stats: Stats, clock: Clock) -> None:
    for _ in range(3 * SAMPLES):
        clock.go(PERIOD)
        stats.begin()
        stats.add("kicks")
    (counter,) = stats.counters()
    assert counter.total == 3 * SAMPLES
    assert len(counter.samples()) == SAMPLES + 1  # with the present one
    assert counter.samples()[-1][0] == clock.now


def test_quiet_periods_take_no_room(stats: Stats, clock: Clock) -> None:
    stats.add("kicks")
    for _ in range(1000):
        clock.go(PERIOD)
        stats.begin()
    assert len(stats.counters()[0].samples()) == 1


def test_a_request_is_timed_from_the_kick_by_both_clocks(stats: Stats, clock: Clock) -> None:
    stats.begin()
    first, second = stats.taken(1), stats.taken(2)
    clock.go(1000)
    stats.answered(first)  # at once: the guest stood still
    clock.go(3000, 5000)
    stats.begin()
    stats.answered(second)  # later, when the host was ready
    lower, upper, _ = stats.latency.buckets()[0]
    assert lower <= 1000 < upper
    assert stats.latency.quantile(1) == pytest.approx(4000, rel=0.2)
    assert stats.work.buckets()[0] == (0, 1, 1)
    assert stats.work.quantile(1) == pytest.approx(5000, rel=0.2)
    assert (stats["requests"], stats["waited"]) == (2, 5000)


def test_the_depth_of_a_queue_is_the_highest_of_each_period(stats: Stats, clock: Clock) -> None:
    for depths in ((3, 9, 2), (), (4,)):
        stats.begin()
        for depth in depths:
            stats.taken(depth)
        clock.go(PERIOD)
    assert [amount for _, _, amount in stats.depth.samples()] == [9, 4]
    assert stats.depth.highest == 9


# Histograms


def test_buckets_are_a_quarter_of_an_octave_wide_and_hold_what_they_say() -> None:
    draw = random.Random(20261122)
    for value in [1, 2, 3, 4, 2**32 - 1, 2**32, *(draw.randrange(1, 1 << 40) for _ in range(999))]:
        histogram = Histogram("ns")
        histogram.add(value)
        ((lower, upper, count),) = histogram.buckets()
        assert lower <= value < upper and count == 1
        assert upper / lower == pytest.approx(2**0.25)


def test_zero_has_a_bucket_of_its_own_and_the_largest_number_has_one() -> None:
    histogram = Histogram("ns")
    histogram.add(0)
    histogram.add((1 << 64) - 1)
    assert histogram.buckets()[0] == (0, 1, 1)
    assert histogram.total == 2


def test_quantiles_are_right_to_a_bucket() -> None:
    histogram, draw = Histogram("ns"), random.Random(20261122)
    values = sorted(int(draw.lognormvariate(10, 1)) for _ in range(20_000))
    for value in values:
        histogram.add(value)
    for share in (0.01, 0.5, 0.9, 0.99):
        exact = values[math.ceil(share * len(values)) - 1]
        assert histogram.quantile(share) == pytest.approx(exact, rel=0.19)
    assert Histogram("ns").quantile(0.5) == 0
