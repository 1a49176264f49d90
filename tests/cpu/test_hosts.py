"""Regions for other hosts than this one: AArch64 by cross-compiling, floats without x86's flags."""

from functools import cache
from random import Random

import llvmlite.binding as llvm
import pytest
import streams
from assemble import word
from test_translator import MIXES, agree, hart, loop

from vnb.cpu.isa import Row
from vnb.cpu.jit.graph import Graph, Lessons, rows_by_operation
from vnb.cpu.jit.growth import form
from vnb.cpu.jit.lines import Host
from vnb.cpu.jit.text import Writer
from vnb.cpu.read_python import functions

HOSTS = {
    "aarch64-unknown-linux-gnu": b"\x7fELF",
    "arm64-apple-darwin": b"\xcf\xfa\xed\xfe",
    "x86_64-unknown-linux-gnu": b"\x7fELF",
    "x86_64-apple-darwin": b"\xcf\xfa\xed\xfe",
}
"""Triples, and how their object code begins."""
ROWS_IN_A_REGION = 40


def instruction(row: Row) -> int:
    source = 0 if row.kind == "csr" else 6  # regions read CSRs, and write none
    fields = {"a": source, "b": 7, "c": 8, "d": 10, "i": 8, "m": 7}
    bits = row.bits.lower()
    return word(row.name, **{letter: fields[letter] for letter in fields if letter in bits})


def graph(rows: list[Row]) -> Graph:
    """A region that does these, each followed by jumps to the next, as far as jumps go."""
    cell = [word("jal", d=0, i=distance) for distance in (12, 8, 4)]
    code = [w for row in rows for w in (instruction(row), *cell)]
    decode = functions()["decode_word"]
    slots = [decode(w) for w in code]
    known = dict(enumerate(slots))
    graph = form(lambda at: known.get(at >> 2, 0), 0, lambda _: False, Lessons())
    assert graph is not None
    return graph


@cache
def graphs() -> tuple[Graph, ...]:
    """Regions in which every row occurs that regions may hold; from jalr nothing goes on."""
    known = {row.name: row for row in rows_by_operation().values()}
    rows = sorted(known.values(), key=lambda row: row.name == "jalr")
    chunks = [rows[k : k + ROWS_IN_A_REGION] for k in range(0, len(rows), ROWS_IN_A_REGION)]
    return tuple(map(graph, chunks))


def test_the_regions_that_are_tried_hold_every_row_that_regions_may_hold() -> None:
    held = {i.row.name for graph in graphs() for i in graph.instructions()}
    assert held == {row.name for row in rows_by_operation().values()}


@pytest.mark.parametrize("triple", HOSTS)
def test_every_row_can_be_generated_for_every_kind_of_host(triple: str) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(opt=1)
    for graph in graphs():
        for fma in (True, False):
            host = Host("preserve_allcc", "preserve_nonecc", triple.startswith("x86"), fma)
            module = llvm.parse_assembly(Writer(graph, host).write())
            module.verify()
            module.triple = triple
            assert machine.emit_object(module).startswith(HOSTS[triple])


@pytest.mark.usefixtures("portable")
@pytest.mark.parametrize("mix", ["double", "single", "float"])
def test_floats_are_exact_where_no_register_of_the_host_tells_of_exceptions(
    mix: str, rng: Random
) -> None:
    rows, compressed = MIXES[mix]
    for _ in range(2):
        given = streams.stream(rng, rows, compressed, 250)
        harts = hart("off", given, loop(given)), hart("eager", given, loop(given))
        agree(rng, *harts, slices=30)
        assert harts[1].translator is not None
        made = harts[1].translator.regions
        assert made and not any("mxcsr" in each.ir() for each in made)
