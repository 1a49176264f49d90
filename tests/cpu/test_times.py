"""How long a hart is told to have been in each tier: fractions, since hosts differ in speed."""

import time

import pytest
from assemble import program, word

from vnb.cpu.hart import Hart
from vnb.cpu.jit import stencils
from vnb.cpu.jit.report import Times
from vnb.memory import Memory

LOOP = program(
    word("addi", d=5, a=5, i=1),
    word("xor", d=6, a=6, b=5),
    word("jal", d=0, i=-8 & 0x1FFFFF),
)
MSCRATCH = program(word("csrrw", d=5, a=6, i=0x340), word("jal", d=0, i=-4 & 0x1FFFFF))
"""Nothing that a block could be made of."""
TICKS = 10_000_000
"""In a second."""

needs_blocks = pytest.mark.skipif(stencils.table() is None, reason="blocks need x86-64 and Linux")


def running(code: bytes, regions: bool = False) -> Hart:
    hart = Hart(Memory(1 << 16), clock="virtual", jit="eager")
    hart.memory.write(hart.memory.base, code)
    if not regions:
        hart.state.sample_limit = 0
    hart.run(100_000)
    return hart


def times(hart: Hart) -> Times:
    assert hart.translator is not None
    return hart.translator.report().time


def test_a_loop_that_became_a_region_spends_its_time_there() -> None:
    hart = running(LOOP, regions=True)
    hart.state.poll = 1 << 14
    hart.run(100_000_000)
    told = times(hart)
    assert told.regions > told.inside / 2 > 0


@needs_blocks
def test_a_loop_in_blocks_spends_its_time_there_wherever_it_is_looked_at() -> None:
    hart = running(LOOP)
    before = times(hart)
    hart.run(1_000_000)
    after = times(hart)
    assert after.inside > before.inside and after.regions == 0
    assert after.interpreter <= before.interpreter + 1e-6


def test_what_neither_blocks_nor_regions_do_is_the_interpreters() -> None:
    hart = running(MSCRATCH)
    hart.run(1_000_000)
    told = times(hart)
    assert told.interpreter == told.inside > 0


@pytest.mark.parametrize("regions", [False, True])
def test_a_hart_was_not_busier_than_its_time_allowed(regions: bool) -> None:
    began = time.perf_counter()
    hart = running(LOOP, regions)
    for _ in range(20):
        hart.run(100_000)
    told = times(hart)
    assert 0 < told.inside <= told.inside + told.outside <= time.perf_counter() - began
    assert min(told.regions, told.blocks, told.interpreter) >= 0


def test_the_time_between_two_runs_is_no_tiers() -> None:
    hart = running(LOOP)
    before = times(hart)
    time.sleep(0.02)
    began = time.perf_counter()
    hart.run(100_000)
    busy = time.perf_counter() - began
    after = times(hart)
    assert after.outside - before.outside >= 0.02
    assert after.inside - before.inside <= busy


def test_a_pause_of_the_host_within_a_run_is_no_tiers_either() -> None:
    hart = running(LOOP)
    before = times(hart)
    hart.state.ticks_looked -= 3600 * TICKS
    hart.run(100_000)
    after = times(hart)
    assert after.outside - before.outside >= 3600
    assert after.inside - before.inside < 3600


def test_a_report_tells_shares_of_the_time_in_the_engine() -> None:
    told = Times(regions=1.0, blocks=0.5, interpreter=0.5, outside=3.25)
    assert str(told) == "2.00 s: about 50% in regions, 25% in blocks, 25% interpreting"
    assert str(Times(0.0, 0.0, 0.0, 0.0)) == "0.00 s"


def test_in_a_report_stands_how_long_the_hart_ran_and_was_away() -> None:
    hart = running(LOOP, regions=True)
    assert hart.translator is not None
    told = hart.translator.report()
    assert f"ran         {told.time}" in repr(told)
    assert f"was away    {told.time.outside:.2f} s" in repr(told)
    assert str(told.time) in told._repr_html_()


def test_a_reset_hart_has_spent_no_time() -> None:
    hart = running(LOOP, regions=True)
    hart.reset(hart.memory.base)
    assert times(hart) == Times(0.0, 0.0, 0.0, 0.0)
