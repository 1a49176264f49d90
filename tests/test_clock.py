"""The numbers that guest time is made of."""

from vnb.clock import INSTRUCTIONS_PER_TICK, NANOSECONDS_PER_TICK, TIMEBASE


def test_mtime_ticks_at_ten_megahertz_as_on_qemus_board() -> None:
    assert TIMEBASE == 10_000_000
    assert NANOSECONDS_PER_TICK * TIMEBASE == 1_000_000_000


def test_virtual_ticks_are_whole_powers_of_two_of_instructions() -> None:
    assert INSTRUCTIONS_PER_TICK & INSTRUCTIONS_PER_TICK - 1 == 0
