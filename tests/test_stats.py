"""Counters: totals are exact, samples are bounded and hold all of it."""

from vnb.stats import PERIOD, SAMPLES, Counter, Stats


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_events_close_in_time_share_a_sample() -> None:
    clock = Clock()
    counter = Counter("read", "bytes", clock)
    for seconds, amount in ((0, 5), (PERIOD / 2, 6), (PERIOD, 7), (9, 8)):
        clock.now = 100.0 + seconds
        counter.add(amount)
    assert counter.samples() == [(100.0, 11), (100.0 + PERIOD, 7), (109.0, 8)]
    assert counter.total == 26
    assert repr(counter) == "read 26 bytes"


def test_samples_are_bounded_and_totals_are_not() -> None:
    clock = Clock()
    counter = Counter("kicks", clock=clock)
    for _ in range(3 * SAMPLES):
        clock.now += 1
        counter.add()
    assert counter.total == 3 * SAMPLES
    assert len(counter.samples()) == SAMPLES
    assert counter.samples()[-1] == (clock.now, 1)


def test_a_counter_begins_when_something_is_first_counted() -> None:
    stats = Stats("disk")
    assert stats["read"] == 0
    assert stats.counters() == []
    stats.add("read", 512, "bytes")
    stats.add("kicks")
    stats.add("read", 512)
    assert (stats["read"], stats["kicks"]) == (1024, 1)
    assert repr(stats) == "disk: read 1024 bytes, kicks 1"
