"""Breakpoints: the hart stops in front of that very instruction, in every tier, and goes on."""

import time
from random import Random

import pytest
import streams
from assemble import program, word

from vnb.cpu.breakpoints import Breakpoints
from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import ExitKind, Hart
from vnb.cpu.jit import translator
from vnb.cpu.state import BREAKPOINTS
from vnb.errors import UsageError
from vnb.memory import Memory

RAM = 0x8000_0000
TIERS = {
    "python": {"engine": "python"},
    "numba": {"engine": "numba"},
    "llvm": {"engine": "llvm"},
    "translator": {"engine": "llvm", "jit": "eager"},
}
LOOP = program(
    word("addi", d=5, a=5, i=1),
    word("xor", d=6, a=6, b=5),
    word("add", d=7, a=7, b=6),
    word("andi", d=8, a=5, i=63),
    word("bne", a=8, b=0, i=-16 & 0x1FFF),
    word("addi", d=9, a=9, i=1),
    word("jal", d=0, i=-24 & 0x1FFFFF),
)
"""64 rounds of five instructions, then two more."""
INNER, OUTER = RAM + 8, RAM + 20


def made(tier: str, code: bytes = LOOP) -> Hart:
    hart = Hart(Memory(1 << 20), clock="virtual", **TIERS[tier])  # type: ignore[arg-type]
    hart.memory.write(RAM, code)
    return hart


@pytest.fixture(params=TIERS)
def hart(request: pytest.FixtureRequest) -> Hart:
    return made(request.param)


def warm(hart: Hart) -> None:
    """Long enough for regions where there may be any."""
    hart.run(20_000)
    assert hart.translator is None or hart.translator.regions


def stop(hart: Hart) -> int:
    """Run to the next breakpoint; the instructions until then."""
    before = hart.instret
    assert hart.run(1 << 20) is ExitKind.BREAKPOINT
    assert hart.pc in hart.breakpoints
    return hart.instret - before


def test_a_hart_stops_in_front_of_the_instruction_and_goes_on_past_it(hart: Hart) -> None:
    hart.breakpoints.add(INNER)
    assert [stop(hart) for _ in range(4)] == [2, 5, 5, 5]
    assert (hart.pc, hart.x[5], hart.x[7]) == (INNER, 4, 0 + 1 + 3 + 0)


def test_one_is_set_and_cleared_under_running_code(hart: Hart) -> None:
    warm(hart)
    for _ in range(3):
        hart.breakpoints.add(OUTER)
        stop(hart)
        assert (hart.pc, hart.x[5] & 63) == (OUTER, 0)
        assert stop(hart) == 64 * 5 + 2
        hart.breakpoints.discard(OUTER)
        assert hart.run(20_000) is ExitKind.BUDGET
        assert hart.translator is None or hart.translator.regions


def test_code_around_a_breakpoint_is_still_translated() -> None:
    hart = made("translator")
    hart.breakpoints.add(OUTER)
    for _ in range(300):
        stop(hart)
    assert hart.translator is not None
    report = hart.translator.report()
    assert report.regions and report.share > 0.5
    assert all(at != OUTER for region in report.regions for at, *_ in region.guest)


def test_a_run_with_stops_ends_as_one_without(hart: Hart) -> None:
    other = made("llvm")
    other.run(30_000)
    for address in (RAM, INNER, OUTER, RAM + 24):
        hart.breakpoints.add(address)
    stops = 0
    while hart.instret < 30_000:
        stops += hart.run(30_000 - hart.instret) is ExitKind.BREAKPOINT
    rounds, rest = divmod(30_000, 322)
    assert (list(hart.x), hart.pc, hart.instret) == (list(other.x), other.pc, 30_000)
    assert stops == rounds * (64 * 2 + 2) + (rest // 5) * 2 + 1 + (rest % 5 > 2)


def test_random_programs_stop_alike_in_the_interpreter_and_in_regions(rng: Random) -> None:
    given = streams.stream(rng, streams.INTEGER, streams.COMPRESSED, 250)
    back = -(len(given.code) - 4) & 0x1FFFFF
    code = given.code[:-4] + program(word("jal", d=0, i=back))
    harts = made("llvm", code), made("translator", code)
    for hart in harts:
        hart.state.mstatus |= 3 << 13
        for register, value in enumerate(given.x):
            hart.x[register] = value
    kinds = []
    for _ in range(15):
        chosen = [RAM + rng.randrange(0, len(code), 2) for _ in range(rng.randrange(6))]
        budgets = [rng.choice((10, 300, 9000)) for _ in range(5)]
        for hart in harts:
            hart.breakpoints.replace(chosen)
        for budget in budgets:
            ends = [(hart.run(budget), hart.pc, hart.instret, list(hart.x)) for hart in harts]
            assert ends[0] == ends[1]
            kinds.append(ends[0][0])
    assert {ExitKind.BREAKPOINT, ExitKind.BUDGET} == set(kinds)
    assert harts[1].state.n_region_exits > 0


def test_only_the_whole_address_is_a_breakpoint(hart: Hart) -> None:
    """Another page has one at the same offset; what it hides there runs as ever."""
    hart.breakpoints.add(INNER + 0x1000)
    assert hart.run(20_000) is ExitKind.BUDGET
    other = made("llvm")
    other.run(20_000)
    assert (list(hart.x), hart.pc) == (list(other.x), other.pc)


def test_an_instruction_that_lies_on_two_pages_can_have_one(hart: Hart) -> None:
    place = RAM + 0xFFE
    hart.memory.write(place - 4, program(word("addi", d=5, a=5, i=1), word("addi", d=5, a=5, i=16)))
    hart.memory.write(place + 4, program(word("jal", d=0, i=-8 & 0x1FFFFF)))
    hart.pc = place - 4
    warm(hart)
    hart.breakpoints.add(place)
    stop(hart)
    before = hart.x[5]
    assert (stop(hart), hart.pc, hart.x[5] - before) == (3, place, 17)


def test_a_breakpoint_is_where_code_was_overwritten(hart: Hart) -> None:
    hart.breakpoints.add(INNER)
    stop(hart)
    hart.memory.write(INNER, program(word("addi", d=7, a=0, i=77)))
    stop(hart)
    assert (hart.pc, hart.x[7]) == (INNER, 77)


def test_an_exception_at_a_breakpoint_leads_to_the_one_of_its_handler(hart: Hart) -> None:
    handler = RAM + 0x800
    hart.memory.write(RAM, program(word("ecall")))
    hart.memory.write(handler, program(word("mret")))
    hart.state.mtvec = handler
    hart.breakpoints.replace([RAM, handler])
    visited = []
    for _ in range(4):
        stop(hart)
        visited.append((hart.pc, hart.instret))
    assert visited == [(RAM, 0), (handler, 0), (RAM, 1), (handler, 1)]


def test_an_interrupt_on_the_way_past_a_breakpoint_does_not_stop_there_twice(hart: Hart) -> None:
    handler = RAM + 0x800
    hart.memory.write(handler, program(word("csrrwi", i=NUMBERS["mie"]), word("mret")))
    hart.state.mtvec = handler
    hart.state.mstatus |= 1 << 3
    hart.breakpoints.add(INNER)
    stop(hart)
    hart.state.mie = 1 << 11
    hart.set_interrupt(11, True)
    assert stop(hart) == 5 + 2
    assert hart.state.n_interrupts == 1


def test_a_device_access_at_a_breakpoint_happens_once(hart: Hart) -> None:
    hart.memory.write(RAM, program(word("ld", d=6, a=5, i=0), word("jal", d=0, i=-4 & 0x1FFFFF)))
    hart.x[5] = 0x1000_0000
    hart.breakpoints.add(RAM)
    for answer in range(3):
        assert hart.run(100) is ExitKind.BREAKPOINT
        assert hart.run(100) is ExitKind.LOAD
        hart.complete_load(answer)
        assert (hart.x[6], hart.pc, hart.instret) == (answer, RAM + 4, 2 * answer + 1)


def test_a_budget_that_ends_at_a_breakpoint_comes_first(hart: Hart) -> None:
    hart.breakpoints.add(INNER)
    assert (hart.run(2), hart.pc) == (ExitKind.BUDGET, INNER)
    assert (hart.run(1), hart.pc, hart.instret) == (ExitKind.BREAKPOINT, INNER, 2)
    assert (hart.run(1), hart.pc, hart.instret) == (ExitKind.BUDGET, INNER + 4, 3)


def test_who_moves_pc_to_a_breakpoint_stops_there_again(hart: Hart) -> None:
    hart.breakpoints.add(INNER)
    stop(hart)
    hart.pc = INNER
    assert stop(hart) == 0
    hart.reset(INNER)
    assert stop(hart) == 0


def test_breakpoints_outlive_a_reset(hart: Hart) -> None:
    hart.breakpoints.add(INNER)
    hart.reset(RAM)
    assert stop(hart) == 2


TABLES = RAM + 0x4_0000
SV39, LEAF, VA = 8 << 60, 0xCF, 0x40_0000


def process(hart: Hart, root: int, va: int) -> int:
    """The loop's page at va in tables that lie at root, for S-mode; what satp says of them."""
    for level, table in ((2, root), (1, root + 4096)):
        entry = (table + 4096) >> 12 << 10 | 1
        hart.memory.write_u64(table + (va >> 12 + 9 * level & 511) * 8, entry)
    hart.memory.write_u64(root + 8192 + (va >> 12 & 511) * 8, RAM >> 12 << 10 | LEAF)
    return SV39 | root >> 12


def test_a_breakpoint_is_a_virtual_address_in_every_process(hart: Hart) -> None:
    """Two processes run one page at two addresses; a third at the first's."""
    spaces = [(process(hart, TABLES + 0x4000 * n, va), va) for n, va in enumerate((VA, 2 * VA, VA))]

    def switch(n: int) -> None:
        hart.state.satp = spaces[n][0]
        hart.flush()
        hart.pc = spaces[n][1]

    hart.reset(VA, mode=1)
    switch(0)
    warm(hart)
    hart.breakpoints.add(VA + 8)
    for n, stops in ((0, True), (1, False), (2, True), (1, False), (0, True)):
        switch(n)
        kinds = {hart.run(1000) for _ in range(10)}
        assert kinds == {ExitKind.BREAKPOINT if stops else ExitKind.BUDGET}


@pytest.mark.usefixtures("cache")
def test_regions_of_an_earlier_run_hold_no_breakpoint() -> None:
    """They are there before their instructions were decoded, and so before BREAK is."""
    hart = Hart(Memory(1 << 16), clock="virtual", jit="auto")
    assert hart.translator is not None
    hart.memory.write(RAM, LOOP)
    while not hart.translator.regions:
        hart.run(100_000)
        time.sleep(0.01)
    translator._background().submit(int).result(timeout=60)  # what is kept is on disk
    later = Hart(Memory(1 << 16), clock="virtual", jit="auto")
    later.memory.write(RAM, LOOP)
    later.breakpoints.add(INNER)
    later.run(1)
    assert later.translator is not None
    later.translator.serve()
    assert later.translator.refused == 1
    later.pc = RAM
    assert stop(later) == 2


def test_addresses_that_no_instruction_has_are_refused_in_words() -> None:
    heard: list[object] = []
    breakpoints = Breakpoints(heard.append)
    for wrong in (RAM + 1, -2, 1 << 64):
        with pytest.raises(
            UsageError, match=f"address={wrong:#x}: a breakpoint is an even address"
        ):
            breakpoints.add(wrong)
    with pytest.raises(UsageError, match="address='main': a breakpoint is an even address"):
        breakpoints.add("main")  # type: ignore[arg-type]
    for number in range(BREAKPOINTS):
        breakpoints.add(2 * number)
    with pytest.raises(UsageError, match="there are 64 breakpoints, no more"):
        breakpoints.add(RAM)
    breakpoints.add(0)
    assert len(heard) == BREAKPOINTS
    breakpoints.clear()
    breakpoints.clear()
    breakpoints.discard(0)
    assert heard[-1] == () and len(heard) == BREAKPOINTS + 1


def test_breakpoints_read_as_addresses() -> None:
    breakpoints = Breakpoints(lambda _: None)
    assert repr(breakpoints) == "<breakpoints: none>"
    breakpoints |= {RAM + 4, RAM}
    assert repr(breakpoints) == "<breakpoints: 0x80000000, 0x80000004>"
    assert breakpoints == {RAM, RAM + 4}
