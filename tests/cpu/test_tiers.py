"""Random programs that hypothesis finds and shrinks: every tier sees and does the same.

They loop over a random stream, whose stores may go to its own code; timer interrupts come, code is
replaced from outside, and whatever traps goes back to the begin.
"""

import os
from dataclasses import dataclass
from typing import NamedTuple

import streams
from again import translate_here
from assemble import program, word
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams import CODE, SCRATCH, SCRATCH_SIZE
from test_translator import FLOAT_ON, MIXES, loop, seen

from vnb.cpu.csr import NUMBERS
from vnb.cpu.disassemble import disassemble
from vnb.cpu.hart import ExitKind, Hart
from vnb.memory import Memory

RAM_SIZE = 1 << 18
TIERS = {
    "python": {"engine": "python"},
    "numba": {"engine": "numba"},
    "llvm": {"engine": "llvm"},
    "translator": {"engine": "llvm", "jit": "eager"},
}
EXAMPLES = 25 * int(os.environ.get("VNB_CASES", "1"))
HANDLER = SCRATCH + SCRATCH_SIZE
TIMER = 1 << 7
LOCKED = 0x99
"""A PMP entry for four pages, to be read and executed, in M-mode too [priv 3.7.1]."""


HANDLERS = program(
    word("jal", d=0, i=36),
    *[word("addi")] * 6,
    word("csrrwi", i=NUMBERS["mie"]),  # an interrupt, vectored here: no more of it
    word("mret"),
    word("csrrw", a=5, i=NUMBERS["mscratch"]),  # an exception: back to the begin
    word("lui", d=5, i=CODE >> 12),
    word("slli", d=5, a=5, i=32),
    word("srli", d=5, a=5, i=32),
    word("csrrw", a=5, i=NUMBERS["mepc"]),
    word("csrrs", d=5, i=NUMBERS["mscratch"]),
    word("mret"),
)


class Slice(NamedTuple):
    """So many instructions; before them a timer is set, or a word of the code is replaced."""

    budget: int
    timer: int | None
    place: int | None
    bits: int


@dataclass(repr=False)
class Case:
    stream: streams.Stream
    aims_at_code: bool
    """Whether the registers that stores go by point to the code."""
    slices: list[Slice]

    def __repr__(self) -> str:
        """As one reads it who looks for the fault; memory follows from the seed."""
        lines = [f"{at:#x}  {text}" for at, _, text in disassemble(loop(self.stream), CODE)]
        given = {f"x{n}": hex(x) for n, x in enumerate(self.stream.x) if x}
        given |= {f"f{n}": hex(f) for n, f in enumerate(self.stream.f) if f}
        return "\n".join(["", *lines, f"{given}, {self.aims_at_code=}", *map(repr, self.slices)])


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows, compressed = MIXES[draw(st.sampled_from(sorted(MIXES)))]
    random = draw(st.randoms(use_true_random=False))
    stream = streams.stream(random, rows, compressed, draw(st.integers(1, 60)))
    slices = st.builds(
        Slice,
        budget=st.integers(1, 600),
        timer=st.none() | st.integers(0, 20),
        place=st.none()
        | st.none()
        | st.integers(0, len(stream.code) // 2 - 2).map(lambda n: 2 * n),
        bits=st.sampled_from(REPLACEMENTS),
    )
    return Case(stream, draw(st.booleans()), draw(st.lists(slices, min_size=2, max_size=6)))


REPLACEMENTS = (
    word("addi", d=5, a=5, i=1),
    word("jal", d=0, i=4),
    word("sd", a=8, b=5, i=8),
    word("csrrs", d=6, i=NUMBERS["minstret"]),
    word("ebreak"),
    0,
)


def started(tier: str, case: Case) -> Hart:
    hart = Hart(Memory(RAM_SIZE), clock="virtual", **TIERS[tier])  # type: ignore[arg-type]
    hart.memory.write(CODE, loop(case.stream))
    hart.memory.write(SCRATCH, case.stream.scratch)
    hart.memory.write(HANDLER, HANDLERS)
    hart.state.mtvec = HANDLER | 1
    hart.state.mstatus |= FLOAT_ON | 1 << 3 | 3 << 11
    hart.set_csr("pmpaddr0", HANDLER >> 2 | 0x7FF)
    hart.set_csr("pmpcfg0", LOCKED | 4)
    hart.x[:] = memoryview(b"".join(x.to_bytes(8, "little") for x in case.stream.x)).cast("Q")
    hart.f[:] = memoryview(b"".join(f.to_bytes(8, "little") for f in case.stream.f)).cast("Q")
    if case.aims_at_code:
        for pointer in streams.POINTERS:
            hart.x[pointer] = CODE + 8 * pointer
    return hart


def run(hart: Hart, part: Slice) -> list[ExitKind]:
    """What a slice leaves for; no device answers anywhere."""
    if part.timer is not None:
        hart.state.mie = TIMER
        hart.mtimecmp = hart.mtime + part.timer
    if part.place is not None:
        hart.memory.write(CODE + part.place, part.bits.to_bytes(4, "little"))
    kinds, end = [], hart.instret + part.budget
    while hart.instret < end:
        kinds.append(hart.run(end - hart.instret))
        if kinds[-1] in (ExitKind.LOAD, ExitKind.STORE):
            hart.access_fault()
    if hart.translator is not None:
        translate_here(hart)
    return kinds


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_every_tier_ends_every_slice_alike(case: Case) -> None:
    harts = {tier: started(tier, case) for tier in TIERS}
    for part in case.slices:
        told = {tier: (run(hart, part), seen(hart)) for tier, hart in harts.items()}
        for tier in TIERS:
            assert told[tier] == told["llvm"], tier
    hashes = {tier: hart.memory.sha256() for tier, hart in harts.items()}
    assert len(set(hashes.values())) == 1, hashes
    traps = {tier: hart.state.n_traps for tier, hart in harts.items()}
    assert len(set(traps.values())) == 1, traps
