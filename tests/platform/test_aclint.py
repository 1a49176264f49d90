"""Software interrupts and timers, in words and in double words."""

import pytest

from tests.platform.fakes import FakeHart
from vnb.bus import BusFault
from vnb.platform.aclint import MSIP, MTIME, MTIMECMP, Aclint


@pytest.fixture
def hart() -> FakeHart:
    return FakeHart()


@pytest.fixture
def aclint(hart: FakeHart) -> Aclint:
    return Aclint(hart)


def test_msip_is_one_bit_and_drives_the_software_interrupt(hart: FakeHart, aclint: Aclint) -> None:
    aclint.write(MSIP, 4, 0xFFFF_FFFF)
    assert aclint.read(MSIP, 4) == 1
    assert hart.lines == {3}
    aclint.write(MSIP, 4, 0xFFFF_FFFE)
    assert aclint.read(MSIP, 4) == 0
    assert hart.lines == set()


def test_time_is_read_whole_and_in_halves(hart: FakeHart, aclint: Aclint) -> None:
    hart.mtime = 0x1122_3344_5566_7788
    assert aclint.read(MTIME, 8) == 0x1122_3344_5566_7788
    assert aclint.read(MTIME, 4) == 0x5566_7788
    assert aclint.read(MTIME + 4, 4) == 0x1122_3344


def test_time_can_be_set_whole_and_in_halves(hart: FakeHart, aclint: Aclint) -> None:
    aclint.write(MTIME, 8, 0x1122_3344_5566_7788)
    assert hart.mtime == 0x1122_3344_5566_7788
    aclint.write(MTIME, 4, 0xAAAA_AAAA)
    assert hart.mtime == 0x1122_3344_AAAA_AAAA
    aclint.write(MTIME + 4, 4, 0xBBBB_BBBB)
    assert hart.mtime == 0xBBBB_BBBB_AAAA_AAAA


def test_a_deadline_can_be_set_whole_and_in_halves(hart: FakeHart, aclint: Aclint) -> None:
    assert aclint.read(MTIMECMP, 8) == (1 << 64) - 1
    aclint.write(MTIMECMP, 4, 0x5566_7788)
    aclint.write(MTIMECMP + 4, 4, 0x1122_3344)
    assert hart.mtimecmp == 0x1122_3344_5566_7788
    assert aclint.read(MTIMECMP + 4, 4) == 0x1122_3344
    aclint.write(MTIMECMP, 8, 99)
    assert (hart.mtimecmp, aclint.read(MTIMECMP, 8)) == (99, 99)


def test_the_registers_of_other_harts_read_zero_and_keep_nothing(
    hart: FakeHart, aclint: Aclint
) -> None:
    for offset in (4, 0x3FF8, MTIMECMP + 8, 0xBFF0, 0xFFF8):
        aclint.write(offset, 4, 0xFFFF_FFFF)
        assert aclint.read(offset, 4) == 0
    assert hart.lines == set()
    assert (hart.mtime, hart.mtimecmp) == (0, (1 << 64) - 1)


@pytest.mark.parametrize(("offset", "size"), [(MTIME, 1), (MTIME, 2), (MTIME + 4, 8), (2, 4)])
def test_narrow_and_misaligned_accesses_are_bus_faults(
    aclint: Aclint, offset: int, size: int
) -> None:
    with pytest.raises(BusFault):
        aclint.read(offset, size)
    with pytest.raises(BusFault):
        aclint.write(offset, size, 0)
