"""What a person sees of a translator, in a terminal and below a cell."""

from html.parser import HTMLParser

import pytest
from assemble import program, word

from vnb.cpu.hart import Hart
from vnb.cpu.jit.report import Lines, Report, instructions_of
from vnb.memory import Memory

LOOP = program(
    word("addi", d=5, a=5, i=1),
    word("xor", d=6, a=6, b=5),
    word("bltu", a=5, b=7, i=-8 & 0x1FFF),
    word("addi", d=5, a=0, i=0),
    word("jal", d=0, i=-16 & 0x1FFFFF),
)


class Balanced(HTMLParser):
    """Every tag that is opened is closed, the last first; keeps the texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def hart() -> Hart:
    hart = Hart(Memory(1 << 16), clock="virtual", jit="eager")
    hart.memory.write(hart.memory.base, LOOP)
    hart.x[7] = 1000
    hart.run(100_000)
    return hart


def report(hart: Hart) -> Report:
    assert hart.translator is not None
    return hart.translator.report()


def test_a_report_says_how_much_there_is_and_what_it_did(hart: Hart) -> None:
    told = report(hart)
    assert f"retired     {told.share:.0%} of 100,000 instructions" in repr(told)
    assert f"left        {hart.state.n_region_exits:,} times" in repr(told)
    assert f"joined      {hart.state.n_blocks} block" in repr(told)
    assert repr(told.hottest(1)[0]) in repr(told)
    assert told.share > 0.9 and told.exits > 0 and told.evictions == 0


def test_what_forgotten_regions_retired_still_counts(hart: Hart) -> None:
    before = report(hart)
    assert hart.translator is not None
    hart.translator.restart()
    after = report(hart)
    assert after.regions == () and after.evictions == 1
    assert after.share == before.share > 0.9


def test_a_reset_hart_has_done_nothing(hart: Hart) -> None:
    hart.reset(hart.memory.base)
    told = report(hart)
    assert (told.share, told.total, told.evictions, told.exits) == (0, 0, 0, 0)
    assert "0 regions" in repr(told)
    Balanced(told._repr_html_())


def test_a_cell_shows_the_hottest_regions_each_with_what_the_guest_wrote(hart: Hart) -> None:
    told = report(hart)
    page = Balanced(told._repr_html_())
    assert page.tags.count("details") == len(told.regions)
    text = "".join(page.texts)
    assert told.regions[0].listing() in text and told.regions[0].summary in text


def test_a_region_shows_its_listing_beside_the_code_of_the_host(hart: Hart) -> None:
    region = report(hart).hottest(1)[0]
    page = Balanced(region._repr_html_())
    assert [page.texts[page.texts.index(side) + 1] for side in ("guest", "host")] == [
        region.listing(),
        region.assembly(),
    ]


def test_what_a_region_shows_has_the_colours_of_the_page(hart: Hart) -> None:
    told = report(hart)
    for shown in (told._repr_html_(), told.regions[0]._repr_html_()):
        assert "background:none" in shown and "background:#" not in shown and "color:#" not in shown


def test_lines_show_themselves_as_lines() -> None:
    lines = Lines("a < b\nc")
    assert repr(lines) == "a < b\nc" and "a &lt; b\nc</pre>" in lines._repr_html_()


def test_of_an_assembler_file_instructions_and_labels_are_shown() -> None:
    text = '\t.file\t"x"\nregion:\n\t.cfi_startproc\n.LBB0_1:\n\tretq\n.Lfunc_end0:\n\n'
    assert instructions_of(text) == "region:\n.LBB0_1:\n        retq"
