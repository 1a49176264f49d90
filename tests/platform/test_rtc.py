"""The wall clock and its alarm, against a clock that the test sets."""

import pytest

from tests.platform.fakes import Wire
from vnb.bus import BusFault
from vnb.platform.rtc import Register, Rtc

NOON = 0x18A1_2345_89AB_CDEF


class Desk:
    """An RTC, the time that it is given, and the line that it drives."""

    def __init__(self) -> None:
        self.now = NOON
        self.wire = Wire()
        self.rtc = Rtc(lambda: self.now, self.wire)

    def read64(self, low: int, high: int) -> int:
        return self.rtc.read(low, 4) | self.rtc.read(high, 4) << 32

    def time(self) -> int:
        return self.read64(Register.TIME_LOW, Register.TIME_HIGH)

    def set_alarm(self, time: int) -> None:
        self.rtc.write(Register.ALARM_HIGH, 4, time >> 32)
        self.rtc.write(Register.ALARM_LOW, 4, time & 0xFFFF_FFFF)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_high_half_belongs_to_the_low_half_read_before_it(desk: Desk) -> None:
    desk.now = 0x0000_0001_FFFF_FFFF
    low = desk.rtc.read(Register.TIME_LOW, 4)
    desk.now += 1
    assert (desk.rtc.read(Register.TIME_HIGH, 4), low) == (1, 0xFFFF_FFFF)


def test_a_guest_that_sets_the_time_goes_on_from_there(desk: Desk) -> None:
    desk.rtc.write(Register.TIME_HIGH, 4, 0x1000)
    desk.rtc.write(Register.TIME_LOW, 4, 0x2000)
    assert desk.time() == 0x1000_0000_2000
    desk.now += 5
    assert desk.time() == 0x1000_0000_2005


def test_the_alarm_rings_at_its_time_until_it_is_cleared(desk: Desk) -> None:
    desk.rtc.write(Register.IRQ_ENABLED, 4, 1)
    desk.set_alarm(NOON + 1000)
    assert desk.read64(Register.ALARM_LOW, Register.ALARM_HIGH) == NOON + 1000
    assert desk.rtc.read(Register.ALARM_STATUS, 4) == 1
    assert desk.rtc.due() == 1000
    desk.now += 999
    desk.rtc.poll()
    assert not desk.wire.level
    desk.now += 1
    assert desk.rtc.due() == 0
    desk.rtc.poll()
    assert desk.wire.level
    assert desk.rtc.due() is None
    assert desk.rtc.read(Register.ALARM_STATUS, 4) == 0
    desk.rtc.write(Register.CLEAR_INTERRUPT, 4, 1)
    assert not desk.wire.level


def test_an_alarm_in_the_past_rings_at_once(desk: Desk) -> None:
    desk.rtc.write(Register.IRQ_ENABLED, 4, 1)
    desk.set_alarm(NOON - 1)
    assert desk.wire.level


def test_a_cleared_alarm_does_not_ring(desk: Desk) -> None:
    desk.rtc.write(Register.IRQ_ENABLED, 4, 1)
    desk.set_alarm(NOON + 10)
    desk.rtc.write(Register.CLEAR_ALARM, 4, 1)
    assert desk.rtc.due() is None
    desk.now += 100
    desk.rtc.poll()
    assert not desk.wire.level


def test_an_alarm_that_rang_unheard_is_heard_when_interrupts_are_enabled(desk: Desk) -> None:
    desk.set_alarm(NOON)
    assert not desk.wire.level
    desk.rtc.write(Register.IRQ_ENABLED, 4, 1)
    assert desk.wire.level
    desk.rtc.write(Register.IRQ_ENABLED, 4, 0)
    assert not desk.wire.level


def test_anything_but_an_aligned_word_is_a_bus_fault(desk: Desk) -> None:
    for offset, size in ((0, 8), (0, 2), (2, 4)):
        with pytest.raises(BusFault):
            desk.rtc.read(offset, size)
        with pytest.raises(BusFault):
            desk.rtc.write(offset, size, 0)
