"""The interrupt controller, register by register and against a model of a few lines."""

import random

import pytest

from tests.platform.fakes import Wire
from vnb.bus import BusFault
from vnb.platform.plic import CONTEXT, ENABLE, PENDING, SOURCES, Plic

M, S = 0, 1


class Driver:
    """A PLIC as a driver sees it; the wires are the hart's M and S external interrupts."""

    def __init__(self) -> None:
        self.wires = (Wire(), Wire())
        self.plic = Plic(self.wires)
        self.lines = {n: self.plic.line(n) for n in range(1, SOURCES + 1)}

    def priority(self, source: int, value: int) -> None:
        self.plic.write(4 * source, 4, value)

    def enable(self, context: int, *sources: int) -> None:
        for word in range(4):
            bits = sum(1 << n % 32 for n in sources if n // 32 == word)
            self.plic.write(ENABLE + 0x80 * context + 4 * word, 4, bits)

    def threshold(self, context: int, value: int) -> None:
        self.plic.write(CONTEXT + 0x1000 * context, 4, value)

    def claim(self, context: int) -> int:
        return self.plic.read(CONTEXT + 0x1000 * context + 4, 4)

    def complete(self, context: int, source: int) -> None:
        self.plic.write(CONTEXT + 0x1000 * context + 4, 4, source)

    def pending(self) -> set[int]:
        words = [self.plic.read(PENDING + 4 * n, 4) for n in range(4)]
        return {n for n in range(128) if words[n // 32] >> n % 32 & 1}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_a_line_reaches_the_contexts_that_enable_it_and_no_other(driver: Driver) -> None:
    driver.priority(10, 1)
    driver.enable(S, 10)
    driver.lines[10](True)
    assert driver.wires[S].level and not driver.wires[M].level
    driver.enable(M, 10)
    assert driver.wires[M].level


def test_a_priority_at_or_below_the_threshold_is_not_heard_but_can_be_claimed(
    driver: Driver,
) -> None:
    driver.priority(5, 3)
    driver.enable(S, 5)
    driver.threshold(S, 3)
    driver.lines[5](True)
    assert not driver.wires[S].level
    assert driver.claim(S) == 5
    driver.complete(S, 5)
    driver.threshold(S, 2)
    assert driver.wires[S].level


def test_priority_zero_means_never(driver: Driver) -> None:
    driver.enable(S, 5)
    driver.lines[5](True)
    assert not driver.wires[S].level
    assert driver.claim(S) == 0


def test_the_most_urgent_is_claimed_first_and_the_lowest_number_among_equals(
    driver: Driver,
) -> None:
    for source, priority in ((3, 1), (7, 2), (9, 2), (96, 7)):
        driver.priority(source, priority)
        driver.lines[source](True)
    driver.enable(S, 3, 7, 9, 96)
    assert [driver.claim(S) for _ in range(5)] == [96, 7, 9, 3, 0]


def test_a_claimed_source_is_silent_until_it_is_completed(driver: Driver) -> None:
    driver.priority(10, 1)
    driver.enable(S, 10)
    driver.lines[10](True)
    assert driver.claim(S) == 10
    assert not driver.wires[S].level
    driver.lines[10](False)
    driver.lines[10](True)
    assert not driver.wires[S].level and driver.claim(S) == 0
    driver.complete(S, 10)
    assert driver.wires[S].level and driver.claim(S) == 10


def test_a_line_that_fell_before_completion_is_not_requested_again(driver: Driver) -> None:
    driver.priority(10, 1)
    driver.enable(S, 10)
    driver.lines[10](True)
    driver.claim(S)
    driver.lines[10](False)
    driver.complete(S, 10)
    assert not driver.wires[S].level and driver.pending() == set()


def test_a_request_outlives_the_line_that_made_it(driver: Driver) -> None:
    driver.priority(10, 1)
    driver.enable(S, 10)
    driver.lines[10](True)
    driver.lines[10](False)
    assert driver.pending() == {10}
    assert driver.wires[S].level and driver.claim(S) == 10


def test_completing_a_source_that_the_context_does_not_enable_is_ignored(driver: Driver) -> None:
    driver.priority(10, 1)
    driver.enable(S, 10)
    driver.lines[10](True)
    driver.claim(S)
    driver.complete(M, 10)
    driver.complete(S, 11)
    driver.complete(S, 0xFFFF_FFFF)
    assert driver.claim(S) == 0
    driver.complete(S, 10)
    assert driver.claim(S) == 10


def test_registers_keep_only_the_bits_that_exist(driver: Driver) -> None:
    plic = driver.plic
    for offset, kept in (
        (0x0, 0),  # source 0 is nobody
        (4, 7),
        (4 * SOURCES, 7),
        (4 * SOURCES + 4, 0),
        (PENDING, 0),
        (ENABLE, 0xFFFF_FFFE),
        (ENABLE + 0xC, 1),  # source 96
        (ENABLE + 0x10, 0),
        (ENABLE + 0x80 * 2, 0),  # a third context
        (CONTEXT, 7),
        (CONTEXT + 8, 0),
        (CONTEXT + 0x2000, 0),
        (0x1F_FFFC, 0),
    ):
        plic.write(offset, 4, 0xFFFF_FFFF)
        assert plic.read(offset, 4) == kept, hex(offset)


@pytest.mark.parametrize(("offset", "size"), [(4, 1), (4, 2), (8, 8), (6, 4)])
def test_anything_but_an_aligned_word_is_a_bus_fault(
    driver: Driver, offset: int, size: int
) -> None:
    with pytest.raises(BusFault):
        driver.plic.read(offset, size)
    with pytest.raises(BusFault):
        driver.plic.write(offset, size, 1)


def test_there_is_no_line_0_and_none_above_96(driver: Driver) -> None:
    for source in (0, SOURCES + 1):
        with pytest.raises(ValueError, match=str(source)):
            driver.plic.line(source)


class Model:
    """The specification's words, computed afresh whenever asked."""

    def __init__(self) -> None:
        self.level: set[int] = set()
        self.pending: set[int] = set()
        self.served: set[int] = set()
        self.priority = dict.fromkeys(range(SOURCES + 1), 0)
        self.enabled: tuple[set[int], set[int]] = (set(), set())
        self.threshold = [0, 0]

    def forward(self) -> None:
        self.pending |= self.level - self.served

    def notifies(self, context: int) -> bool:
        heard = self.pending & self.enabled[context]
        return any(self.priority[n] > self.threshold[context] for n in heard)

    def claim(self, context: int) -> int:
        waiting = [n for n in self.pending & self.enabled[context] if self.priority[n]]
        best = min(waiting, key=lambda n: (-self.priority[n], n), default=0)
        self.pending -= {best}
        self.served |= {best}
        return best

    def complete(self, context: int, source: int) -> None:
        if source in self.enabled[context]:
            self.served -= {source}
            self.forward()


def test_random_drivers_and_devices_see_what_the_specification_says(
    driver: Driver, rng: random.Random
) -> None:
    sources = [1, 2, 31, 32, 33, 64, 95, 96]
    model = Model()
    for _ in range(6_000):
        context, source = rng.randrange(2), rng.choice(sources)
        match rng.randrange(8):
            case 0:
                value = rng.randrange(8)
                driver.priority(source, value)
                model.priority[source] = value
            case 1:
                some = {n for n in sources if rng.random() < 0.6}
                driver.enable(context, *some)
                model.enabled[context].clear()
                model.enabled[context].update(some)
            case 2:
                value = rng.choice((0, 0, 0, 1, 3, 7))
                driver.threshold(context, value)
                model.threshold[context] = value
            case 3 | 4:
                level = rng.random() < 0.5
                driver.lines[source](level)
                (model.level.add if level else model.level.discard)(source)
                model.forward()
            case 5 | 6:
                assert driver.claim(context) == model.claim(context)
            case 7:
                driver.complete(context, source)
                model.complete(context, source)
        assert driver.pending() == model.pending
        for context in (M, S):
            assert driver.wires[context].level == model.notifies(context)
