"""Translated regions under paging: shared code, pages that are moved or taken away."""

from random import Random

import pytest
from assemble import program, word
from streams import CODE
from test_translator import FILL, agree, pair, regions

from vnb.cpu.hart import Hart
from vnb.cpu.state import TLB_ENTRIES

pytestmark = pytest.mark.usefixtures("thoroughness")

TABLES = CODE + 0x4_0000
SV39, LEAF, VA = 8 << 60, 0xCF, 0x40_0000


def map_page(hart: Hart, va: int, pa: int, root: int = TABLES) -> None:
    """A page in tables that lie at root, root + 4096 and root + 8192, open to S-mode."""
    for level, table in ((2, root), (1, root + 4096)):
        entry = (table + 4096) >> 12 << 10 | 1
        hart.memory.write_u64(table + (va >> 12 + 9 * level & 511) * 8, entry)
    hart.memory.write_u64(root + 8192 + (va >> 12 & 511) * 8, pa >> 12 << 10 | LEAF)


def paged_loop(step: int) -> tuple[bytes, bytes]:
    """A loop over two pages: the first goes to the second, which counts by `step` and goes back."""
    first = program(*FILL, word("jal", d=0, i=4096 - 16))
    return first, program(word("addi", d=5, a=5, i=step), word("jal", d=0, i=-4100 & 0x1FFFFF))


def paged_pair() -> tuple[Hart, Hart]:
    """The loop mapped at VA; another second page lies at CODE + 0x3000."""
    harts = pair()
    first, second = paged_loop(1)
    for hart in harts:
        hart.memory.write(CODE, first)
        hart.memory.write(CODE + 0x2000, second)
        hart.memory.write(CODE + 0x3000, paged_loop(100)[1])
        hart.reset(VA, mode=1)
        map_page(hart, VA, CODE)
        map_page(hart, VA + 4096, CODE + 0x2000)
        hart.state.satp = SV39 | TABLES >> 12
        hart.flush()
    return harts


def test_a_region_that_lost_its_second_page_does_not_run_it(rng: Random) -> None:
    harts = paged_pair()
    agree(rng, *harts, slices=30)
    assert regions(harts[1]) > 0
    assert max(len(r.outline.pages) for r in harts[1].translator.regions) == 2  # type: ignore[union-attr]
    for place in (0x3000, 0x2000, 0x3000):
        for hart in harts:
            map_page(hart, VA + 4096, CODE + place)
            hart.flush()
        agree(rng, *harts, slices=10)


def test_a_page_that_may_no_longer_be_fetched_faults_where_the_region_enters_it(
    rng: Random,
) -> None:
    harts = paged_pair()
    agree(rng, *harts, slices=30)
    for hart in harts:
        hart.memory.write_u64(TABLES + 8192 + (VA + 4096 >> 12 & 511) * 8, 0)
        hart.memory.write(CODE + 0x8000, program(word("jal", d=0, i=0)))
        hart.state.mtvec = CODE + 0x8000
        hart.flush()
    agree(rng, *harts, slices=2)
    assert harts[1].csr("mcause") == 12 and harts[1].csr("mepc") in (VA + 4096, VA + 4100)


def test_processes_that_share_code_share_its_region(rng: Random) -> None:
    """The same pages at another address: the region is entered there too."""
    harts = paged_pair()
    agree(rng, *harts, slices=30)
    made = regions(harts[1])
    exits = harts[1].state.n_region_exits
    for hart in harts:
        for root in (CODE + 0x5_0000,):
            map_page(hart, 2 * VA, CODE, root)
            map_page(hart, 2 * VA + 4096, CODE + 0x2000, root)
            hart.state.satp = SV39 | root >> 12
        hart.pc = hart.pc + VA
        hart.flush()
    agree(rng, *harts, slices=20)
    assert harts[1].state.n_region_exits > exits and regions(harts[1]) <= made + 1


def test_what_one_look_at_the_tlb_told_outlives_the_entry(rng: Random) -> None:
    """A page at two addresses that share an entry of the TLB, with loads from them in turns."""
    here, there = VA + (1 << 20), VA + (1 << 20) + 4096 * TLB_ENTRIES
    code = [
        word("ld", d=6, a=10, i=0),
        word("ld", d=7, a=11, i=0),
        word("ld", d=8, a=10, i=8),
        word("ld", d=9, a=11, i=8),
        word("bne", a=0, b=0, i=8),
        word("ld", d=5, a=10, i=16),
        word("add", d=12, a=12, b=8),
        word("add", d=12, a=12, b=9),
        word("jal", d=0, i=-32 & 0x1FFFFF),
    ]
    harts = pair()
    for hart in harts:
        hart.memory.write(CODE, program(*code))
        for n in range(3):
            hart.memory.write_u64(CODE + 0x6000 + 8 * n, 1 << 8 * n)
        hart.reset(VA, mode=1)
        for va, pa in ((VA, CODE), (here, CODE + 0x6000), (there, CODE + 0x6000)):
            map_page(hart, va, pa)
        hart.state.satp = SV39 | TABLES >> 12
        hart.flush()
        hart.x[10], hart.x[11] = here, there
    agree(rng, *harts, slices=30)
    assert regions(harts[1]) > 0 and harts[0].x[12]
