"""How far a region follows the code, and where it takes indirect jumps to go."""

import pytest
from assemble import program, word

from vnb.cpu.hart import Hart
from vnb.cpu.jit.graph import Lessons
from vnb.cpu.jit.growth import form, unexplained
from vnb.cpu.jit.places import DecodedPages, Layout
from vnb.memory import Memory

RAM = 0x8000_0000
FIRST, SECOND, HELPER = 0x40, 0x60, 0x80
NEXT = (word("xor", d=10, a=10, b=11), word("jalr", d=0, a=10, i=0))
CALL = word("jal", d=1, i=HELPER - SECOND)
RETURN = word("jalr", d=0, a=1, i=0)


@pytest.fixture
def slots() -> Layout:
    """Two places that jump to one another by a register; one of them calls a helper."""
    hart = Hart(Memory(1 << 16), clock="virtual")
    hart.memory.write(RAM, program(word("jal", d=0, i=FIRST)))
    hart.memory.write(RAM + FIRST, program(*NEXT))
    hart.memory.write(RAM + SECOND, program(CALL, *NEXT))
    hart.memory.write(RAM + HELPER, program(RETURN))
    hart.x[10], hart.x[11] = RAM + FIRST, FIRST ^ SECOND
    hart.run(100)
    decoded = DecodedPages(hart.state, hart.memory)
    return Layout(decoded, decoded.fetch_tlb(), RAM)


def test_what_ran_and_nothing_leads_to_is_unexplained(slots: Layout) -> None:
    assert unexplained(slots.slot, [FIRST + 4]) == [SECOND, 0]


def test_indirect_jumps_go_to_what_is_unexplained_until_more_is_known(slots: Layout) -> None:
    graph = form(slots.slot, FIRST, slots.is_entry, Lessons())
    assert graph is not None
    places = {at for at, _ in graph.blocks}
    assert {FIRST, SECOND, HELPER} <= places
    assert (SECOND, ()) in graph.inside((FIRST, ()))


def test_what_was_seen_is_believed_rather(slots: Layout) -> None:
    graph = form(slots.slot, FIRST, slots.is_entry, Lessons(targets=(FIRST,)))
    assert graph is not None
    assert {at for at, _ in graph.blocks} == {FIRST}


def test_calls_and_returns_by_registers_are_not_guessed(slots: Layout) -> None:
    graph = form(slots.slot, HELPER, slots.is_entry, Lessons())
    assert graph is None or not graph.lessons.targets
