"""Blocks against the interpreter: regions are off, so that only they run the code."""

from collections.abc import Iterator
from random import Random

import pytest
import streams
from assemble import program, word
from streams import CODE, SCRATCH
from test_translator import MIXES, agree, hart, loop, pair

from vnb.cpu.hart import Hart
from vnb.cpu.jit import stencils
from vnb.cpu.state import STENCIL_BYTES

pytestmark = pytest.mark.skipif(stencils.table() is None, reason="blocks need x86-64 and Linux")


def only_blocks(*harts: Hart) -> None:
    for each in harts:
        each.state.sample_limit = 0


@pytest.mark.parametrize("mix", sorted(MIXES))
def test_random_programs_end_every_slice_as_interpreted(mix: str, rng: Random) -> None:
    rows, compressed = MIXES[mix]
    for _ in range(3):
        given = streams.stream(rng, rows, compressed, 250)
        code = loop(given)
        harts = hart("off", given, code), hart("eager", given, code)
        only_blocks(*harts)
        agree(rng, *harts, slices=60)
        assert harts[1].state.n_blocks > 0 and harts[1].state.n_region_exits == 0


def test_every_row_that_says_what_it_computes_has_a_stencil() -> None:
    made = stencils._compiled()
    assert {f"i_{name}" for name in stencils.rows()} <= made.keys()
    assert max(len(piece.holes) for piece in made.values()) <= STENCIL_BYTES // 8 - 4


def test_where_blocks_have_no_room_left_all_are_made_anew(rng: Random) -> None:
    given = streams.stream(rng, streams.INTEGER, streams.COMPRESSED, 400)
    harts = hart("off", given, loop(given)), hart("eager", given, loop(given))
    only_blocks(*harts)
    state = harts[1].state
    state.block_end = state.block_first + 20_000
    agree(rng, *harts, slices=60)
    assert state.n_blocks > 0 and state.block_code < state.block_end


def counting() -> Iterator[int]:
    """A loop that counts, and a store of x6 into its second instruction while x8 is not zero."""
    yield word("addi", d=5, a=5, i=1)
    yield word("addi", d=9, a=9, i=1)
    yield word("xor", d=10, a=9, b=5)
    yield word("beq", a=8, b=0, i=8)
    yield word("sw", a=7, b=6, i=4)
    yield word("jal", d=0, i=-20 & 0x1FFFFF)


def test_a_block_never_runs_code_that_was_overwritten(rng: Random) -> None:
    """The loop overwrites itself now and then, in the middle of a block."""
    harts = pair()
    only_blocks(*harts)
    for each in harts:
        each.memory.write(CODE, program(*counting()))
        each.x[7] = CODE
    for turn in range(30):
        agree(rng, *harts, slices=4)
        for each in harts:
            each.x[6], each.x[8] = word("addi", d=9, a=9, i=turn + 2), turn & 1
    assert harts[1].state.n_blocks > 5 and harts[1].x[9]


def test_a_block_that_lacks_budget_runs_instruction_by_instruction(rng: Random) -> None:
    harts = pair()
    only_blocks(*harts)
    for each in harts:
        each.memory.write(CODE, program(*counting()))
        each.x[7] = SCRATCH
        each.run(5000)
    assert harts[1].state.n_blocks > 0
    for _ in range(200):
        count = rng.randrange(1, 8)
        for each in harts:
            each.run(count)
        assert harts[1].pc == harts[0].pc and harts[1].x[5] == harts[0].x[5]
