"""Translated regions against the interpreter: after every slice of a run, all state is the same."""

import threading
from random import Random

import pytest
import streams
from assemble import program, word
from streams import CODE, SCRATCH, SCRATCH_SIZE, Stream

from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import ExitKind, Hart
from vnb.cpu.isa import FLOAT_ROWS
from vnb.memory import Memory

pytestmark = pytest.mark.usefixtures("thoroughness")

RAM_SIZE = 1 << 20
MIXES = {
    "integer": (streams.INTEGER, []),
    "compressed": (streams.INTEGER, streams.COMPRESSED),
    "double": (streams.DOUBLES, []),
    "single": (streams.SINGLES, []),
    "double, branching": ([*streams.DOUBLES, *streams.BRANCHING], []),
    "single, branching": ([*streams.SINGLES, *streams.BRANCHING], []),
    "float": ([*streams.INTEGER, *FLOAT_ROWS], streams.COMPRESSED),
}
FLOAT_ON = 3 << 13
COMPARED = (
    "pc",
    "mode",
    "mstatus",
    "fflags",
    "frm",
    "mcause",
    "mepc",
    "mtval",
    "mip",
    "reservation",
)


def loop(given: Stream) -> bytes:
    """The stream's code, begun again for ever."""
    back = -(len(given.code) - 4)
    return given.code[:-4] + word("jal", i=back & 0x1FFFFF).to_bytes(4, "little")


def hart(jit: str, given: Stream, code: bytes) -> Hart:
    hart = Hart(Memory(RAM_SIZE), clock="virtual", jit=jit)  # type: ignore[arg-type]
    hart.memory.write(CODE, code)
    hart.memory.write(SCRATCH, given.scratch)
    hart.x[:] = memoryview(b"".join(x.to_bytes(8, "little") for x in given.x)).cast("Q")
    hart.f[:] = memoryview(b"".join(x.to_bytes(8, "little") for x in given.f)).cast("Q")
    hart.state.mstatus |= FLOAT_ON
    return hart


def seen(hart: Hart) -> dict[str, object]:
    state = hart.state
    told: dict[str, object] = {name: getattr(state, name) for name in COMPARED}
    reservation = told["reservation"]
    assert isinstance(reservation, int)
    told["reservation"] = reservation and reservation - state.ram  # RAM is elsewhere in each
    return told | {"x": list(hart.x), "f": list(hart.f), "instret": hart.instret}


def agree(random: Random, interpreted: Hart, translated: Hart, slices: int) -> None:
    """Run both by slices of the same random lengths and compare."""
    for _ in range(slices):
        budget = random.choice((1, 7, 100, 3000, 20_000)) + random.randrange(50)
        kinds = interpreted.run(budget), translated.run(budget)
        assert kinds[0] is kinds[1]
        assert seen(translated) == seen(interpreted)
    assert translated.memory.sha256() == interpreted.memory.sha256()


@pytest.mark.parametrize("mix", MIXES)
def test_random_programs_end_every_slice_as_interpreted(mix: str, rng: Random) -> None:
    rows, compressed = MIXES[mix]
    regions = exits = programs = 0
    while programs < 3 or not exits:  # under most rounding modes regions have nothing to do
        programs += 1
        assert programs < 30
        given = streams.stream(rng, rows, compressed, 250)
        code = loop(given)
        harts = hart("off", given, code), hart("eager", given, code)
        agree(rng, *harts, slices=40)
        assert harts[1].translator is not None
        regions += len(harts[1].translator.regions)
        exits += harts[1].state.n_region_exits
    assert regions > 2


def test_a_region_that_is_left_by_jumps_is_made_again_with_where_they_go(rng: Random) -> None:
    """A loop that picks one of eight pieces of code by a table that it walks through."""
    table = SCRATCH + 0x1000
    dispatch = [
        word("ld", d=6, a=5, i=0),
        word("addi", d=5, a=5, i=8),
        word("and", d=5, a=5, b=7),
        word("or", d=5, a=5, b=8),
        word("jalr", d=0, a=6, i=0),
    ]
    pieces = [
        [word("addi", d=9, a=9, i=n), word("xor", d=10, a=10, b=9)] * 2
        + [word("jal", d=0, i=-4 * (len(dispatch) + 4 + 5 * n) & 0x1FFFFF)]
        for n in range(8)
    ]
    harts = pair()
    order = [rng.randrange(8) for _ in range(128)]
    for hart in harts:
        hart.memory.write(CODE, program(*dispatch, *(w for piece in pieces for w in piece)))
        for k, n in enumerate(order):
            hart.memory.write_u64(table + 8 * k, CODE + 4 * len(dispatch) + 20 * n)
        hart.x[5], hart.x[7], hart.x[8] = table, 0x3FF, table
    agree(rng, *harts, slices=400)
    assert harts[1].translator is not None
    assert max(len(r.graph.lessons.targets) for r in harts[1].translator.regions) > 3


def test_accesses_that_were_in_two_pages_look_at_the_tlb_one_by_one(rng: Random) -> None:
    """A frame over the end of a page, as a stack may have it."""
    code = [
        word("addi", d=6, a=6, i=1),
        word("sd", a=5, b=6, i=0),
        word("sd", a=5, b=7, i=8),
        word("ld", d=7, a=5, i=0),
        word("ld", d=8, a=5, i=8),
        word("jal", d=0, i=-20 & 0x1FFFFF),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        hart.x[5] = SCRATCH + 4096 - 8
    agree(rng, *harts, slices=200)
    assert harts[1].translator is not None
    assert any(r.graph.lessons.apart for r in harts[1].translator.regions)


def test_a_loop_that_keeps_a_page_goes_on_to_the_next_and_stops_where_there_is_none(
    rng: Random,
) -> None:
    """It writes and reads from page to page until one is missing, and begins again."""
    code = [
        word("sd", a=5, b=6, i=0),
        word("ld", d=7, a=5, i=-8 & 0xFFF),
        word("xor", d=6, a=6, b=7),
        word("addi", d=5, a=5, i=9),
        word("jal", d=0, i=-16 & 0x1FFFFF),
        word("addi", d=5, a=8, i=0),  # the handler
        word("csrrw", d=0, a=9, i=NUMBERS["mepc"]),
        word("mret"),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        hart.state.mtvec, hart.state.mstatus = CODE + 20, hart.state.mstatus | 3 << 11
        hart.x[8] = hart.memory.base + RAM_SIZE - 3 * 4096
        hart.x[5], hart.x[9] = hart.x[8], CODE
    agree(rng, *harts, slices=60)
    assert regions(harts[1]) > 0 and harts[1].state.n_traps > 10


@pytest.mark.parametrize("alone", [False, True])
def test_a_far_call_is_followed_unless_its_jump_is_entered_alone(rng: Random, alone: bool) -> None:
    """auipc and jalr call one function; another way to the same jalr leads to the other."""
    code = [
        word("addi", d=5, a=5, i=1),
        word("andi", d=6, a=5, i=3),
        word("addi", d=1, a=20, i=0),
        word("beq", a=6, b=0, i=8) if alone else word("addi", d=0, a=0, i=0),
        word("auipc", d=1, i=0),
        word("jalr", d=1, a=1, i=16),
        word("addi", d=7, a=7, i=3),
        word("jal", d=0, i=-28 & 0x1FFFFF),
        word("add", d=8, a=8, b=5),
        word("jalr", d=0, a=1, i=0),
        word("xor", d=9, a=9, b=1),
        word("jalr", d=0, a=1, i=0),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        hart.x[20] = CODE + 24
    agree(rng, *harts, slices=60)
    assert harts[0].x[8] and bool(harts[0].x[9]) is alone
    assert harts[1].translator is not None
    graphs = [region.graph for region in harts[1].translator.regions]
    assert any(i.known for graph in graphs for i in graph.instructions()) is not alone


def test_nans_are_the_one_of_risc_v_wherever_their_bits_show(rng: Random) -> None:
    """Payloads are copied as they are; what arithmetic makes of them has none, at any exit."""
    code = program(
        word("fmv.x.d", d=9, a=6),
        word("add", d=11, a=11, b=9),
        word("fld", d=1, a=5, i=0),
        word("fadd.d", d=2, a=1, b=8, m=7),
        word("fmul.d", d=3, a=2, b=2, m=7),
        word("fsd", a=5, b=1, i=8),
        word("fadd.d", d=6, a=6, b=3, m=7),
        word("beq", a=7, b=0, i=20),
        word("fsd", a=5, b=3, i=16),
        word("fsgnj.d", d=4, a=2, b=1),
        word("fmv.x.d", d=8, a=2),
        word("fsqrt.d", d=2, a=4, m=7),
        word("xori", d=7, a=7, i=1),
        word("jal", d=0, i=-52 & 0x1FFFFF),
    )
    entered = 0
    for _ in range(12):
        given = streams.stream(rng, streams.INTEGER, [], 4)
        harts = hart("off", given, code), hart("eager", given, code)
        for one in harts:
            one.x[5], one.x[7] = SCRATCH, 1
            one.state.frm = 0
        for _ in range(25):
            for register in (0, 1, 6, 8):
                nan = 0x7FF << 52 | rng.randrange(2) << 51 | rng.choice((1, 0xFFFFFFFF))
                value = rng.choice((nan, 0x3FF << 52, 0x7FF << 52)) | rng.randrange(2) << 63
                for one in harts:
                    one.f[register] = value
                    one.memory.write_u64(SCRATCH, one.f[0])
            agree(rng, *harts, slices=3)
        entered += harts[1].state.n_region_exits
    assert entered > 100


def test_after_a_reset_regions_are_made_again(rng: Random) -> None:
    given = streams.stream(rng, streams.INTEGER, [], 100)
    code = loop(given)
    harts = hart("off", given, code), hart("eager", given, code)
    for _ in range(2):
        agree(rng, *harts, slices=20)
        assert regions(harts[1]) > 0
        for one in harts:
            one.reset(CODE)
            for register, value in streams.POINTERS.items():
                one.x[register] = value
        assert regions(harts[1]) == 0


HANDLER = SCRATCH + SCRATCH_SIZE
TIMER = 1 << 7


def test_a_timer_interrupt_lands_on_the_same_instruction(rng: Random) -> None:
    given = streams.stream(rng, streams.INTEGER, streams.COMPRESSED, 200)
    code = loop(given)
    harts = hart("off", given, code), hart("eager", given, code)
    for one in harts:
        one.memory.write(HANDLER, program(word("csrrwi", i=NUMBERS["mie"]), word("mret")))
        one.state.mtvec = HANDLER
        one.state.mstatus |= 1 << 3
    for _ in range(30):
        ticks = rng.randrange(500)
        for one in harts:
            one.state.mie = TIMER
            one.mtimecmp = one.mtime + ticks
        agree(rng, *harts, slices=1)
    assert harts[1].state.n_interrupts == harts[0].state.n_interrupts > 2


def pair(jit_ram: int = RAM_SIZE) -> tuple[Hart, Hart]:
    return Hart(Memory(jit_ram), clock="virtual"), Hart(
        Memory(jit_ram), clock="virtual", jit="eager"
    )


def regions(hart: Hart) -> int:
    assert hart.translator is not None
    return len(hart.translator.regions)


FILL = [word("addi", d=9, a=9, i=1)] * 4
"""Something to translate."""


@pytest.mark.parametrize("fence", [True, False])
@pytest.mark.parametrize("distance", [0, 2048])
def test_a_region_never_runs_code_that_was_overwritten(
    rng: Random, fence: bool, distance: int
) -> None:
    """A loop that, every 1000 rounds, stores another instruction over one of its own."""
    jump = [word("jal", d=0, i=distance)] if distance else []
    start = CODE + 0x800  # so that what is far lies in the next page
    other = start + 4 * len(FILL) + distance
    head = [*FILL, *jump]
    tail = [
        word("addi", d=5, a=5, i=1),  # overwritten by what x6 and x7 hold, in turn
        word("addi", d=10, a=10, i=-1),
        word("bne", a=10, b=0, i=-4 * len(FILL) - 8 - distance & 0x1FFF),
        word("sw", a=8, b=6, i=0),
        word("xor", d=6, a=6, b=7),
        word("fence.i") if fence else word("addi"),
        word("addi", d=10, a=0, i=1000),
        word("jal", d=0, i=-4 * len(FILL) - 28 - distance & 0x1FFFFF),
    ]
    harts = pair()
    one, two = word("addi", d=5, a=5, i=1), word("addi", d=5, a=5, i=5)
    for hart in harts:
        hart.memory.write(start, program(*head))
        hart.memory.write(other, program(*tail))
        hart.pc = start
        hart.x[6], hart.x[7], hart.x[8], hart.x[10] = two, one ^ two, other, 1000
    for _ in range(60):
        agree(rng, *harts, slices=1)
    assert regions(harts[1]) > 0 and harts[1].state.n_code_writes > 2


def test_code_that_a_device_writes_is_run_as_written(rng: Random) -> None:
    harts = pair()
    for step in (1, 2, 3):
        code = program(*FILL, word("addi", d=5, a=5, i=step), word("jal", d=0, i=-20 & 0x1FFFFF))
        for hart in harts:
            hart.memory.write(CODE, code)
        agree(rng, *harts, slices=20)
    assert regions(harts[1]) == 3


def test_an_access_that_a_device_answers_leaves_before_its_instruction(rng: Random) -> None:
    """Every tenth round a load goes to a device."""
    code = program(
        *FILL,
        word("ld", d=6, a=5, i=0),
        word("add", d=7, a=7, b=6),
        word("addi", d=10, a=10, i=-1),
        word("bne", a=10, b=0, i=-28 & 0x1FFF),
        word("ld", d=6, a=8, i=0),
        word("addi", d=10, a=0, i=10),
        word("jal", d=0, i=-40 & 0x1FFFFF),
    )
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, code)
        hart.x[5], hart.x[8], hart.x[10] = SCRATCH, 0x1000_0000, 10
    for answer in range(300):
        kinds = [hart.run(10_000) for hart in harts]
        assert kinds == [ExitKind.LOAD, ExitKind.LOAD]
        assert seen(harts[1]) == seen(harts[0])
        for hart in harts:
            hart.complete_load(answer)
    assert regions(harts[1]) > 0


def test_attend_is_heard_while_a_region_loops() -> None:
    hart = Hart(Memory(RAM_SIZE), jit="auto")
    hart.memory.write(CODE, program(*FILL, word("jal", d=0, i=-16 & 0x1FFFFF)))
    assert hart.translator is not None
    for _ in range(1000):
        hart.run(1 << 22)
        if hart.translator.regions:
            break
    timer = threading.Timer(0.05, hart.attend)
    timer.start()
    assert hart.run(1 << 50) is ExitKind.ATTENTION
    timer.join()
