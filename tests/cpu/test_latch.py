"""The latch: a device's bytes and status that the engine serves without leaving."""

import pytest
from assemble import program, word

from vnb.cpu.hart import ExitKind, Hart
from vnb.cpu.latch import Latch
from vnb.cpu.state import LATCH_BYTES
from vnb.memory import Memory

RAM = 0x8000_0000
DATA, STATUS = 0x1000_0000, 0x1000_0005
LOAD, STORE = word("lb", d=6, a=5, i=5), word("sb", a=5, b=7, i=0)
NEXT = word("addi", d=7, a=7, i=1)
BACK = word("jal", d=0, i=-12 & 0x1FFFFF)


@pytest.fixture(params=["llvm", "numba", "python"])
def hart(request: pytest.FixtureRequest) -> Hart:
    """Stores to the device, and loads of its status, in turn; a byte more each time."""
    hart = Hart(Memory(1 << 20), engine=request.param, clock="virtual")
    hart.memory.write(RAM, program(LOAD, STORE, NEXT, BACK))
    hart.x[5], hart.x[7] = DATA, ord("A")
    return hart


@pytest.fixture
def latch(hart: Hart) -> Latch:
    latch = Latch(hart.state, DATA, STATUS)
    latch.open(0xE0)
    return latch


def test_bytes_are_taken_and_the_status_is_told_without_leaving(hart: Hart, latch: Latch) -> None:
    assert hart.run(40) is ExitKind.BUDGET
    assert latch.take() == b"ABCDEFGHIJ" and latch.take() == b""
    assert hart.x[6] == 0xFFFFFFFF_FFFFFFE0
    assert hart.instret == 40
    hart.run(4)
    assert latch.take() == b"K"


def test_a_latch_that_is_closed_takes_nothing(hart: Hart, latch: Latch) -> None:
    latch.close()
    assert hart.run(40) is ExitKind.LOAD
    hart.complete_load(0)
    assert hart.run(40) is ExitKind.STORE
    assert latch.take() == b""


def test_a_newline_is_for_the_device(hart: Hart, latch: Latch) -> None:
    hart.x[7] = ord("\n") - 2
    assert hart.run(40) is ExitKind.STORE
    assert (hart.access.address, hart.access.value) == (DATA, 10)
    assert latch.take() == b"\x08\x09"


def test_bytes_for_which_there_is_no_room_are_for_the_device(hart: Hart, latch: Latch) -> None:
    hart.memory.write(RAM + 8, program(word("addi", d=0, a=0, i=0)))
    assert hart.run(1 << 20) is ExitKind.STORE
    assert latch.take() == b"A" * LATCH_BYTES


def test_a_status_that_is_asked_for_twice_is_for_the_device(hart: Hart, latch: Latch) -> None:
    hart.memory.write(RAM, program(LOAD, LOAD))
    assert hart.run(40) is ExitKind.LOAD
    assert (hart.instret, hart.access.address) == (1, STATUS)


@pytest.mark.parametrize("row", ["sh", "sw", "sd"])
def test_wide_accesses_are_for_the_device(hart: Hart, latch: Latch, row: str) -> None:
    hart.memory.write(RAM, program(word(row, a=5, b=7, i=0)))
    assert hart.run(40) is ExitKind.STORE
    assert hart.access.size > 1 and latch.take() == b""


def test_other_registers_are_for_the_device(hart: Hart, latch: Latch) -> None:
    hart.x[5] += 1
    assert hart.run(40) is ExitKind.LOAD
    hart.complete_load(0)
    assert hart.run(40) is ExitKind.STORE
