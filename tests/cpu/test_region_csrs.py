"""CSRs that regions read: as they are at that instruction, and only where they may be read."""

from random import Random

import pytest
from assemble import program, word
from streams import CODE
from test_translator import agree, pair

from vnb.cpu.csr import NUMBERS


@pytest.mark.parametrize("name", ["instret", "time", "cycle", "mscratch", "mstatus", "sip"])
def test_a_csr_is_read_within_a_region_as_it_is_at_that_instruction(name: str, rng: Random) -> None:
    code = [
        word("addi", d=6, a=6, i=1),
        word("csrrs", d=7, a=0, i=NUMBERS[name]),
        word("add", d=8, a=8, b=7),
        word("csrrci", d=9, a=0, i=NUMBERS["minstret"]),
        word("jal", d=0, i=-16 & 0x1FFFFF),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        hart.state.mscratch = 12345
    agree(rng, *harts, slices=60)
    assert harts[1].translator is not None
    assert harts[1].translator.report().share > 0.5


def test_a_csr_that_may_not_be_read_traps_at_its_instruction(rng: Random) -> None:
    """In user mode a counter is the kernel's to give: it gives it, and takes it away."""
    code = [
        word("addi", d=6, a=6, i=1),
        word("csrrs", d=7, a=0, i=NUMBERS["instret"]),
        word("jal", d=0, i=-8 & 0x1FFFFF),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        hart.memory.write(CODE + 0x100, program(word("jal", d=0, i=0)))
        hart.reset(CODE, mode=0)
        hart.state.mtvec = CODE + 0x100
        hart.state.mcounteren = hart.state.scounteren = 7
    agree(rng, *harts, slices=20)
    for hart in harts:
        hart.state.scounteren = 0
    agree(rng, *harts, slices=5)
    assert harts[0].state.mcause == 2 and harts[1].state.mepc == CODE + 4
