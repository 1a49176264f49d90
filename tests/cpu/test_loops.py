"""What a region's loops keep: found from its graph alone."""

from assemble import program, word

from vnb.cpu.hart import Hart
from vnb.cpu.jit.loops import steady
from vnb.memory import Memory

BASE = 0x8000_0000


def registers_of(*code: int) -> list[frozenset[int]]:
    """The steady registers of every block in a loop, of the region at BASE."""
    hart = Hart(Memory(1 << 20), clock="virtual", jit="eager")
    hart.memory.write(BASE, program(*code))
    hart.x[5], hart.x[9] = BASE + 0x1000, (1 << 64) - 1
    hart.run(3000)
    assert hart.translator is not None
    region = hart.translator.report().hottest(1)[0]
    return list(steady(region.graph).values())


def test_registers_that_count_are_steady_and_pointers_from_memory_are_not() -> None:
    (found,) = registers_of(
        word("ld", d=6, a=5, i=0),
        word("add", d=7, a=6, b=8),
        word("addi", d=5, a=5, i=8),
        word("and", d=5, a=5, b=9),
        word("jal", d=0, i=-16 & 0x1FFFFF),
    )
    assert {5, 8, 9} <= found and not found & {6, 7}


def test_what_the_loop_around_does_to_a_register_leaves_it_steady_within() -> None:
    code = (
        word("addi", d=5, a=5, i=1024),
        word("addi", d=6, a=0, i=3),
        word("addi", d=6, a=6, i=-1 & 0xFFF),
        word("addi", d=5, a=5, i=8),
        word("bne", a=6, b=0, i=-8 & 0x1FFF),
        word("jal", d=0, i=-20 & 0x1FFFFF),
    )
    found = registers_of(*code)
    assert sorted(5 in registers for registers in found) == [False, False, True]


def test_a_register_that_takes_long_steps_is_not_steady() -> None:
    (found,) = registers_of(
        word("addi", d=5, a=5, i=1024),
        word("addi", d=6, a=6, i=8),
        word("jal", d=0, i=-8 & 0x1FFFFF),
    )
    assert 6 in found and 5 not in found
