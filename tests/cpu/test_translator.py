"""Translated regions against the interpreter: after every slice of a run, all state is the same."""

from random import Random

import pytest
import streams
from assemble import program, word
from streams import CODE, SCRATCH, SCRATCH_SIZE, Stream

from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import ExitKind, Hart
from vnb.cpu.isa import FLOAT_ROWS
from vnb.memory import Memory

RAM_SIZE = 1 << 20
MIXES = {
    "integer": (streams.INTEGER, []),
    "compressed": (streams.INTEGER, streams.COMPRESSED),
    "double": (streams.DOUBLES, []),
    "single": (streams.SINGLES, []),
    "float": ([*streams.INTEGER, *FLOAT_ROWS], streams.COMPRESSED),
}
FLOAT_ON = 3 << 13
COMPARED = ("pc", "mode", "mstatus", "fflags", "frm", "mcause", "mepc", "mtval", "mip", "reservation")


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
    regions = 0
    for _ in range(4):
        given = streams.stream(rng, rows, compressed, 250)
        code = loop(given)
        harts = hart("off", given, code), hart("eager", given, code)
        agree(rng, *harts, slices=40)
        assert harts[1].translator is not None
        regions += len(harts[1].translator.regions)
        assert harts[1].state.n_region_exits > 0
    assert regions > 4
