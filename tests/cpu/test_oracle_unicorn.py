"""Random instruction streams, on every engine and on unicorn, an independent RISC-V.

What unicorn 2.1.4 is known to do otherwise, and what is therefore not compared with it:
- it neither boxes singles in their registers nor checks that operands are boxed, so singles have
  streams of their own, where the lower halves of registers count;
- its fmin and fmax answer a signalling NaN with a NaN, as RISC-V did before 2019;
- it has none of Zba, Zbb, Zbs and Zicond.
The tests with rationals and with Spike's traces cover those.
"""

from functools import cache
from random import Random
from typing import NamedTuple

import pytest
import unicorn
import unicorn.riscv_const as registers
from again import Again, translate_here
from streams import (
    CODE,
    COMPRESSED,
    DOUBLES,
    INTEGER,
    SCRATCH,
    SCRATCH_SIZE,
    SINGLES,
    Stream,
    stream,
)

from vnb.cpu.hart import EngineName, ExitKind, Hart, TranslatorName
from vnb.memory import Memory

ENGINES: dict[EngineName, int] = {
    "llvm": 150,
    "numba": 50,
    "python": 15,
}  # and how many streams each is worth
STREAMS_IN_REGIONS = 15
LENGTH = 200
RAM_SIZE = 1 << 20
FLOAT_STATE_ON = 1 << 13
LATER = ("Zba", "Zbb", "Zbs", "Zicond")


class Outcome(NamedTuple):
    pc: int
    x: list[int]
    f: list[int]
    fcsr: int
    scratch: bytes


BASE_ROWS = [row for row in INTEGER if row.extension not in LATER]
FLOAT_FREE = [row for row in COMPRESSED if not row.target.startswith("f")]
KINDS = {
    "integer": (BASE_ROWS, FLOAT_FREE),
    "double": ([row for row in DOUBLES if row.name[:4] not in ("fmin", "fmax")], COMPRESSED),
    "single": ([row for row in SINGLES if row.name[:4] not in ("fmin", "fmax")], FLOAT_FREE),
}


@cache
def case(kind: str, seed: int) -> tuple[Stream, Outcome]:
    """A stream and what unicorn makes of it."""
    given = stream(Random(f"{kind} {seed}"), *KINDS[kind], LENGTH)
    uc = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
    uc.mem_map(CODE, RAM_SIZE)
    uc.mem_write(CODE, given.code)
    uc.mem_write(SCRATCH, given.scratch)
    uc.reg_write(registers.UC_RISCV_REG_MSTATUS, FLOAT_STATE_ON)
    for number in range(32):
        uc.reg_write(registers.UC_RISCV_REG_X0 + number, given.x[number])
        uc.reg_write(registers.UC_RISCV_REG_F0 + number, given.f[number])
    uc.emu_start(CODE, given.end)
    return given, Outcome(
        uc.reg_read(registers.UC_RISCV_REG_PC),
        [uc.reg_read(registers.UC_RISCV_REG_X0 + number) for number in range(32)],
        [uc.reg_read(registers.UC_RISCV_REG_F0 + number) for number in range(32)],
        uc.reg_read(registers.UC_RISCV_REG_FFLAGS) | uc.reg_read(registers.UC_RISCV_REG_FRM) << 5,
        bytes(uc.mem_read(SCRATCH, SCRATCH_SIZE)),
    )


def loaded(engine: EngineName, given: Stream, jit: TranslatorName = "off") -> Hart:
    """A hart in front of the stream."""
    memory = Memory(RAM_SIZE)
    memory.write(CODE, given.code)
    memory.write(SCRATCH, given.scratch)
    hart = Hart(memory, engine=engine, clock="virtual", jit=jit)
    hart.reset(CODE)
    hart.set_csr("mstatus", FLOAT_STATE_ON)
    for number in range(32):
        hart.x[number], hart.f[number] = given.x[number], given.f[number]
    return hart


def outcome(hart: Hart) -> Outcome:
    assert hart.run(3 * LENGTH) is ExitKind.BUDGET  # more than it has: it stays at its end
    scratch = hart.memory.read(SCRATCH, SCRATCH_SIZE)
    return Outcome(hart.pc, list(hart.x), list(hart.f), hart.csr("fcsr"), scratch)


def agree(kind: str, seed: int, got: Outcome, want: Outcome) -> None:
    mask = 0xFFFFFFFF if kind == "single" else 0xFFFFFFFFFFFFFFFF
    for what in Outcome._fields:
        ours, theirs = getattr(got, what), getattr(want, what)
        if what == "f":
            ours, theirs = [v & mask for v in ours], [v & mask for v in theirs]
        assert ours == theirs, f"{what} of {kind} stream {seed}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_random_streams_end_as_on_unicorn(engine: EngineName, kind: str) -> None:
    for seed in range(ENGINES[engine]):
        given, want = case(kind, seed)
        agree(kind, seed, outcome(loaded(engine, given)), want)


@pytest.mark.parametrize("kind", KINDS)
def test_regions_of_random_streams_end_as_on_unicorn(kind: str) -> None:
    """The interpreter decodes them, then regions are made on the way, then they run in those."""
    retired = 0
    for seed in range(STREAMS_IN_REGIONS):
        given, want = case(kind, seed)
        hart = loaded("llvm", given, "eager")
        assert hart.translator is not None
        hart.state.sample_limit = 0  # regions are made where this test says
        again = Again(hart)
        hart.run(3 * LENGTH)
        again.rewind()
        for _ in range(LENGTH // 25):
            translate_here(hart)
            hart.run(25)
        again.rewind()
        agree(kind, seed, outcome(hart), want)
        retired += sum(hart.translator.report().retired)
    assert retired > STREAMS_IN_REGIONS * LENGTH // 5
