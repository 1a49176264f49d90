"""Every floating-point instruction of both formats, in every rounding mode, against rationals.

One guest program per instruction runs through a table of operands: it sets fcsr, executes the
instruction, and stores result and fcsr. So what is compared is what a guest sees.
"""

import struct
from collections.abc import Sequence
from functools import cache
from random import Random

import pytest
from assemble import program, word
from ieee import NX, RNE, ROUNDING_MODES, evaluate
from vectors import operands

from vnb.cpu.hart import EngineName, ExitKind, Hart
from vnb.cpu.isa import FLOAT_ROWS, Row
from vnb.memory import Memory

CODE, TABLE = 0x8000_0000, 0x8001_0000
ENTRY = struct.Struct("<6Q")  # operands a, b, c; fcsr; then what the guest stores: result, fcsr
DYNAMIC = 7
ENGINES: dict[EngineName, int] = {
    "llvm": 1000,
    "numba": 300,
    "python": 40,
}  # and how many operands each is worth
FLOAT_STATE_ON = 1 << 13  # mstatus.FS

Given = tuple[int, int, int, int]
"""a, b, c, fcsr."""
Stored = tuple[int, int]
"""result, fcsr."""


def loop(row: Row, rounding: int) -> list[int]:
    """The guest program: x10 walks the table up to x11."""
    registers = {letter.lower(): "ABC".index(letter) + 1 for letter in set(row.bits) & set("ABC")}
    if "a" in row.bits:
        registers["a"] = 5
    registers["d"] = 4 if "D" in row.bits else 6
    if "m" in row.bits:
        registers["m"] = rounding
    body = [
        word("fld", d=1, a=10, i=0),
        word("fld", d=2, a=10, i=8),
        word("fld", d=3, a=10, i=16),
        word("ld", d=5, a=10, i=0),
        word("ld", d=7, a=10, i=24),
        word("csrrw", d=0, a=7, i=0x003),
        word(row.name, **registers),
        word("fsd", a=10, b=4, i=32) if "D" in row.bits else word("sd", a=10, b=6, i=32),
        word("csrrs", d=7, a=0, i=0x003),
        word("sd", a=10, b=7, i=40),
        word("addi", d=10, a=10, i=ENTRY.size),
    ]
    return [*body, word("bne", a=10, b=11, i=-4 * len(body))]


def execute(
    engine: EngineName, row: Row, rounding: int, table: Sequence[Given], **state: int
) -> list[Stored]:
    """What the guest stored for every entry of the table."""
    memory = Memory(1 << 20)
    hart = Hart(memory, engine=engine, clock="virtual")
    code = loop(row, rounding)
    memory.write(CODE, program(*code))
    memory.write(TABLE, b"".join(ENTRY.pack(*entry, 0, 0) for entry in table))
    hart.reset(CODE)
    for name, value in state.items():
        setattr(hart.state, name, value)
    hart.set_csr("mstatus", FLOAT_STATE_ON)
    hart.x[10], hart.x[11] = TABLE, TABLE + ENTRY.size * len(table)
    assert hart.run(len(code) * len(table)) is ExitKind.BUDGET
    assert hart.pc == CODE + 4 * len(code)
    assert hart.csr("mstatus") >> 13 & 3 == 3, "FS is dirty"
    stored = memory.read(TABLE, ENTRY.size * len(table))
    return [(result, fcsr) for *_, result, fcsr in ENTRY.iter_unpack(stored)]


@cache
def cases(row: Row) -> list[tuple[Given, Stored]]:
    """More than half of them round to nearest; a third starts with NX set and nothing else."""
    random = Random(row.name)
    found = []
    for _ in range(max(ENGINES.values())):
        a, b, c = operands(random, row.name)
        rounding = random.choice((RNE, random.choice(ROUNDING_MODES)))
        before = random.choice((0, NX, random.getrandbits(5)))
        result, flags = evaluate(row.name, a, b, c, rounding)
        fcsr = rounding << 5 | before
        found.append(((a, b, c, fcsr), (result, fcsr | flags)))
    return found


def compare(
    row: Row, table: Sequence[Given], expected: Sequence[Stored], found: Sequence[Stored]
) -> None:
    for (a, b, c, fcsr), want, got in zip(table, expected, found, strict=True):
        assert got == want, (
            f"{row.name} of {a:#x}, {b:#x}, {c:#x} with fcsr {fcsr:#x}"
            f" gave {got[0]:#x}, fcsr {got[1]:#x}; exactly, {want[0]:#x}, fcsr {want[1]:#x}"
        )


@pytest.mark.parametrize("row", FLOAT_ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_float_instruction_is_exact_in_value_and_flags(engine: EngineName, row: Row) -> None:
    table, expected = zip(*cases(row)[: ENGINES[engine]], strict=True)
    compare(row, table, expected, execute(engine, row, DYNAMIC, table))


@pytest.mark.parametrize("row", FLOAT_ROWS[:18], ids=lambda row: row.name)
def test_a_host_without_fused_multiply_add_gets_the_same_results(row: Row) -> None:
    table, expected = zip(*cases(row), strict=True)
    compare(row, table, expected, execute("llvm", row, DYNAMIC, table, hostfma=0))


@pytest.mark.parametrize("rounding", ROUNDING_MODES)
@pytest.mark.parametrize(
    "row", [row for row in FLOAT_ROWS if "m" in row.bits], ids=lambda row: row.name
)
def test_a_static_rounding_mode_overrules_frm(row: Row, rounding: int) -> None:
    table, expected = [], []
    for (a, b, c, fcsr), _ in cases(row)[:50]:
        result, flags = evaluate(row.name, a, b, c, rounding)
        table.append((a, b, c, fcsr))
        expected.append((result, fcsr | flags))
    compare(row, table, expected, execute("llvm", row, rounding, table))


def test_reserved_rounding_modes_are_illegal() -> None:
    memory = Memory(1 << 20)
    memory.write(CODE + 0x100, program(word("jal", d=0, i=0)))
    hart = Hart(memory, engine="python", clock="virtual")
    for static, frm in ((5, 0), (6, 0), (DYNAMIC, 5), (DYNAMIC, 6), (DYNAMIC, 7)):
        memory.write(CODE, program(word("fadd.d", d=1, a=2, b=3, m=static)))
        hart.flush()
        hart.reset(CODE)
        hart.set_csr("mtvec", CODE + 0x100)
        hart.set_csr("mstatus", FLOAT_STATE_ON)
        hart.set_csr("frm", frm)
        hart.run(1)
        assert (hart.csr("mcause"), hart.csr("mepc")) == (2, CODE), (static, frm)
