"""Every float instruction in blocks and in regions, against rationals; and that it does run there.

One guest loop per instruction computes for ever on operands that it reads from memory. The test
puts others there, sets fcsr, and lets it come round a few times.
"""

import struct
from collections.abc import Sequence
from random import Random

import pytest
from assemble import program, word
from ieee import NX, RTZ, evaluate
from streams import CODE
from test_float import DYNAMIC, FLOAT_STATE_ON, TABLE, cases, compare
from test_translator import agree, pair

from vnb.cpu.hart import Hart
from vnb.cpu.isa import FLOAT_ROWS, Row
from vnb.cpu.jit import code, stencils
from vnb.cpu.jit.meaning import has_meaning
from vnb.cpu.jit.region import Region
from vnb.cpu.state import OFFSETS
from vnb.memory import Memory

OPERANDS = struct.Struct("<3Q")
RESULT = TABLE + OPERANDS.size
ONE = 0xFFFFFFFF_3F800000
HALF = 0x3F800000
UNBOXED = [(HALF, ONE, ONE, NX), (ONE, HALF, ONE, NX), (ONE, ONE, HALF, NX)]
"""Operands one of which is no single, and fcsr as the host's arithmetic likes it."""
CASES, ROUNDS = 300, 4
WARM = 40_000
"""Instructions after which a loop is in regions or in blocks."""

TIERS = ("regions", "portable regions", "blocks")


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> str:
    """What runs a loop; portable regions are as for hosts that do not tell of exceptions."""
    request.getfixturevalue("portable" if request.param == "portable regions" else "cache")
    if request.param == "blocks" and stencils.table() is None:
        pytest.skip("blocks need x86-64 and Linux")
    return str(request.param)


def looping(body: Sequence[int]) -> bytes:
    return program(*body, word("jal", d=0, i=-4 * len(body) & 0x1FFFFF))


def warm(tier: str, body: Sequence[int]) -> Hart:
    """A hart that loops in its tier."""
    hart = Hart(Memory(1 << 20), clock="virtual", jit="eager")
    hart.memory.write(CODE, looping(body))
    hart.reset(CODE)
    hart.set_csr("mstatus", FLOAT_STATE_ON)
    hart.set_csr("fflags", NX)
    hart.x[10] = TABLE
    for number in range(32):
        hart.f[number] = ONE
    if tier == "blocks":
        hart.state.sample_limit = 0
    hart.run(WARM * (len(body) + 1))
    return hart


def regions(hart: Hart) -> list[Region]:
    assert hart.translator is not None
    return list(hart.translator.regions)


def around(row: Row, rounding: int) -> list[int]:
    """What loads the operands of a row, computes, and stores the result."""
    registers = {letter.lower(): "ABC".index(letter) + 1 for letter in set(row.bits) & set("ABC")}
    if "a" in row.bits:
        registers["a"] = 5
    if row.rounds:
        registers["m"] = rounding
    return [
        word("fld", d=1, a=10, i=0),
        word("fld", d=2, a=10, i=8),
        word("fld", d=3, a=10, i=16),
        word("ld", d=5, a=10, i=0),
        word(row.name, **registers, d=4 if row.result else 6),
        word("fsd", a=10, b=4, i=24) if row.result else word("sd", a=10, b=6, i=24),
    ]


@pytest.mark.parametrize("row", FLOAT_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("tier", TIERS, indirect=True)
def test_every_float_instruction_is_exact_in_value_and_flags_in_its_tier(
    tier: str, row: Row
) -> None:
    for rounding in (DYNAMIC, RTZ) if row.rounds else (DYNAMIC,):
        body = around(row, rounding)
        hart = warm(tier, body)
        left, made = hart.state.n_region_exits, hart.state.n_blocks
        for a, b, c, fcsr in (*UNBOXED, *(given for given, _ in cases(row)[:CASES])):
            hart.memory.write(TABLE, OPERANDS.pack(a, b, c))
            hart.set_csr("fcsr", fcsr)
            hart.run(ROUNDS * (len(body) + 1))
            mode = fcsr >> 5 if rounding == DYNAMIC else rounding
            result, flags = evaluate(row.name, a, b, c, mode)
            got = hart.memory.read_u64(RESULT), hart.csr("fcsr")
            compare(row, [(a, b, c, fcsr)], [(result, fcsr | flags)], [got])
        assert made if tier == "blocks" else hart.state.n_region_exits > left


SINGLES = [
    word("fmul.s", d=2, a=1, b=3, m=DYNAMIC),
    word("fadd.s", d=4, a=4, b=2, m=DYNAMIC),
    word("fdiv.s", d=5, a=4, b=1, m=DYNAMIC),
    word("fsqrt.s", d=6, a=1, m=DYNAMIC),
    word("fsgnjn.s", d=8, a=5, b=5),
    word("flt.s", d=6, a=8, b=1),
    word("fcvt.s.w", d=9, a=6, m=DYNAMIC),
    word("fcvt.d.s", d=11, a=9, m=DYNAMIC),
    word("fcvt.s.d", d=12, a=11, m=DYNAMIC),
]


def test_all_float_instructions_but_one_say_what_the_host_computes() -> None:
    assert {row.name for row in FLOAT_ROWS if not has_meaning(row)} == {"fclass.s", "fclass.d"}


@pytest.mark.skipif(not code.host().x86, reason="elsewhere the engine has to help")
@pytest.mark.usefixtures("cache")
def test_a_region_calls_nobody_for_singles() -> None:
    memory = [word("flw", d=1, a=10, i=0), *SINGLES, word("fsw", a=10, b=12, i=4)]
    (region,) = regions(warm("regions", memory))
    assert "fmul.s" in region.listing()
    assert f"i64 {OFFSETS['region_float']}\n" not in region.ir()


@pytest.mark.skipif(stencils.table() is None, reason="blocks need x86-64 and Linux")
def test_a_loop_of_singles_is_a_block() -> None:
    assert warm("blocks", SINGLES).state.n_blocks > 0


@pytest.mark.usefixtures("cache")
def test_what_a_loop_keeps_in_registers_is_looked_at_only_before_it() -> None:
    body = [word("fadd.s", d=1, a=1, b=2, m=DYNAMIC), word("fmul.s", d=3, a=1, b=1, m=DYNAMIC)]
    (region,) = regions(warm("regions", body))
    before, _, loop = region.ir().partition("\nb0:")
    assert before.count("ashr") == 2, "f1 and f2"
    assert "ashr" not in loop


def test_where_ways_meet_a_register_is_boxed_if_each_of_them_boxed_it(rng: Random) -> None:
    """In every second round it gets half of a double."""
    code = [
        word("beq", a=5, b=0, i=12),
        word("fadd.s", d=5, a=1, b=1, m=DYNAMIC),
        word("jal", d=0, i=8),
        word("fld", d=5, a=10, i=0),
        word("fadd.s", d=6, a=5, b=1, m=DYNAMIC),
        word("xori", d=5, a=5, i=1),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, looping(code))
        hart.memory.write_u64(TABLE, HALF)
        hart.set_csr("mstatus", FLOAT_STATE_ON)
        hart.x[10], hart.f[1] = TABLE, ONE
    agree(rng, *harts, slices=100)
    assert regions(harts[1])


def test_a_region_leaves_what_is_no_boxed_single_to_the_interpreter(rng: Random) -> None:
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, looping(SINGLES))
        hart.set_csr("mstatus", FLOAT_STATE_ON)
    for value in (ONE, 0x3FF0 << 48, ONE):
        left = harts[1].state.n_region_exits
        for hart in harts:
            hart.f[1] = hart.f[3] = hart.f[4] = value
        agree(rng, *harts, slices=20)
        assert (harts[1].state.n_region_exits > left) is (value == ONE)
