"""What regions are made of, where their code is kept, and what becomes of failures."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from assemble import program, word

from vnb.cpu import objects
from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import Hart
from vnb.cpu.isa import ROWS
from vnb.cpu.jit import translator
from vnb.cpu.jit.arena import Arena
from vnb.cpu.jit.code import Made, make
from vnb.cpu.jit.graph import UNTRANSLATED, Graph, Lessons, budget
from vnb.cpu.jit.meaning import has_meaning, meaning
from vnb.cpu.jit.report import Report
from vnb.cpu.jit.workshop import Workshop, workshop
from vnb.errors import UsageError
from vnb.memory import Memory

RAM = 0x8000_0000
LOOP = program(
    word("addi", d=5, a=5, i=1),
    word("sd", a=7, b=5, i=0),
    word("ld", a=7, d=6, i=0),
    word("fadd.d", d=3, a=1, b=2, m=7),
    word("div", d=8, a=6, b=5),
    word("bne", a=5, b=0, i=-20 & 0x1FFF),
)


JUMP = word("jalr", d=0, a=10, i=0)


def looping(jit: str = "eager") -> Hart:
    hart = Hart(Memory(1 << 16), jit=jit, clock="virtual")  # type: ignore[arg-type]
    hart.memory.write(RAM, LOOP)
    hart.x[7] = RAM + 0x1000
    hart.state.mstatus |= 3 << 13
    return hart


def made(hart: Hart) -> Report:
    assert hart.translator is not None
    return hart.translator.report()


def test_every_row_that_a_region_may_hold_says_what_it_computes() -> None:
    for row in ROWS:
        if has_meaning(row):
            assert meaning(row).result
        else:
            assert row.kind in (
                *UNTRANSLATED,
                "csr",
                "load",
                "store",
                "fload",
                "fstore",
                "lr",
                "sc",
            ) or (row.meaning == "float")


def test_a_region_is_an_address_a_listing_and_code_of_the_host() -> None:
    hart = looping()
    hart.run(100_000)
    report = made(hart)
    region = report.hottest(1)[0]
    assert region.pc == RAM
    assert "fadd.d" in region.listing() and "i64 @region" in region.ir()
    assert "ret" in region.assembly()
    assert report.share > 0.9 and report.bytes > 0
    assert "6 instructions" in repr(region)


def test_the_budget_is_looked_at_where_a_loop_begins() -> None:
    hart = looping()
    hart.run(100_000)
    graph = made(hart).regions[0].graph
    assert list(budget(graph).needs.values()) == [6]


def test_a_second_hart_takes_its_regions_from_the_cache(cache: Path) -> None:
    first, second = looping(), looping()
    for hart in (first, second):
        hart.run(100_000)
    assert [region.code.cached for region in made(first).regions] == [False]
    assert [region.code.cached for region in made(second).regions] == [True]
    assert list(first.x) == list(second.x)


def test_a_damaged_region_in_the_cache_is_made_anew(cache: Path) -> None:
    looping().run(100_000)
    (place,) = cache.glob("region-*")
    place.write_bytes(place.read_bytes()[:-1])
    hart = looping()
    hart.run(100_000)
    assert [region.code.cached for region in made(hart).regions] == [False]


def test_the_cache_of_regions_keeps_the_newest(cache: Path) -> None:
    for number in range(5):
        objects.put(f"region-{number}", bytes(1000))
    objects.put("engine", bytes(1000))
    objects.trim("region-", 3000)
    assert len(list(cache.glob("region-*"))) == 2
    assert (cache / "engine").exists()


def test_what_sources_no_longer_make_gives_way_to_what_they_make(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "FEW_BYTES", 2500)
    for version in ("old", "older", "new"):
        assert objects.remember(f"engine-{version}", lambda: bytes(1000)) == bytes(1000)
        objects.put("other", b"")
    assert sorted(place.name for place in cache.glob("*")) == [
        "engine-new",
        "engine-older",
        "other",
    ]
    assert objects.remember("engine-new", lambda: b"another") == bytes(1000)


def test_a_translator_that_fails_leaves_the_guest_to_the_interpreter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("no room for code")

    monkeypatch.setattr(translator, "translate", broken)
    hart = looping("auto")
    with pytest.warns(RuntimeWarning, match="no room for code"):
        while not hart.translator.failed:
            hart.run(1 << 24)
    assert made(hart).regions == ()
    hart.run(1 << 20)


def test_a_region_made_in_the_workshop_is_the_one_made_here(cache: Path) -> None:
    hart = looping()
    hart.run(100_000)
    graph = made(hart).regions[0].graph
    assert workshop().make(graph).content == make(graph).content


def test_what_goes_wrong_in_the_workshop_is_told() -> None:
    with pytest.raises(RuntimeError, match=r"StopIteration|Error"):
        workshop().make(Graph({}, (), Lessons()))


def test_a_workshop_ends_when_it_is_closed() -> None:
    another = Workshop()
    another.close()
    assert another.code == 0


def test_a_workshop_that_was_killed_leaves_the_guest_to_the_interpreter(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a run, when there are regions already; those go on."""
    hart = looping("auto")
    assert settled(hart).regions

    def killed(self: Workshop, graph: Graph) -> Made:
        self._process.kill()
        self._process.wait()
        return asked(self, graph)

    asked = Workshop.make
    monkeypatch.setattr(Workshop, "make", killed)
    hart.memory.write(RAM + 0x2000, program(word("addi", d=5, a=5, i=2)) + LOOP[4:])
    hart.pc = RAM + 0x2000
    with pytest.warns(
        RuntimeWarning, match="the translator failed and is off: (EOF|BrokenPipe)"
    ) as told:
        while not hart.translator.failed:
            hart.run(1 << 20)
        for _ in range(10):
            hart.run(1 << 20)
            translator._background().submit(int).result(timeout=60)
    assert len(told) == 1
    assert workshop().code is None  # for the next machine
    interpreted = looping("off")
    hart.pc, interpreted.pc = RAM, RAM
    hart.x[:], hart.f[:] = interpreted.x, interpreted.f
    retired = sum(made(hart).retired)
    hart.run(200_000)
    interpreted.run(200_000)
    assert list(hart.x) == list(interpreted.x) and hart.pc == interpreted.pc
    assert sum(made(hart).retired) > retired


def test_regions_are_asked_for_by_one_of_three_words() -> None:
    with pytest.raises(UsageError, match="jit must be one of auto, off, eager, not 'fast'"):
        Hart(Memory(1 << 16), jit="fast")  # type: ignore[arg-type]
    assert Hart(Memory(1 << 16), engine="python", jit="auto").translator is None


def settled(hart: Hart) -> Report:
    """Run until the translator has something, and until what it keeps is on disk."""
    for _ in range(400):
        hart.run(100_000)
        if made(hart).regions:
            break
        time.sleep(0.01)
    translator._background().submit(int).result(timeout=60)
    return made(hart)


def test_a_later_run_of_the_same_code_begins_with_the_regions_of_the_earlier(cache: Path) -> None:
    first = settled(looping("auto")).regions
    assert first and not first[0].recalled
    later = looping("auto")
    later.run(1)  # the page is decoded now
    assert later.translator is not None
    later.translator.serve()
    (region,) = made(later).regions
    assert region.recalled and region.listing() == first[0].listing()
    assert region.graph == first[0].graph
    interpreted = looping("off")
    interpreted.run(100_001)
    later.run(100_000)
    assert list(later.x) == list(interpreted.x) and list(later.f) == list(interpreted.f)
    assert made(later).share > 0.9


def test_code_that_changed_since_gets_no_regions_of_the_earlier_run(cache: Path) -> None:
    settled(looping("auto"))
    later = looping("auto")
    later.memory.write(RAM + 0x800, b"\x13")  # the page is another
    later.run(1)
    assert later.translator is not None
    later.translator.serve()
    assert not made(later).regions


def test_what_is_kept_is_of_no_use_to_a_host_that_refuses_it_and_does_no_harm(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(looping("auto"))
    monkeypatch.setattr(Arena, "place", lambda *_: None)
    later = looping("auto")
    later.run(1)
    assert later.translator is not None
    later.translator.serve()
    assert not made(later).regions and settled(later).regions


def test_a_region_of_an_earlier_run_runs_past_no_breakpoint(cache: Path) -> None:
    settled(looping("auto"))
    later = looping("auto")
    later.breakpoints.add(RAM + 8)
    later.run(100)
    assert later.pc == RAM + 8 and later.translator is not None
    later.translator.serve()
    assert not made(later).regions


def test_only_who_adds_to_the_cache_trims_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(looping("auto"))
    trimmed: list[str] = []
    monkeypatch.setattr(objects, "trim", lambda prefix, most: trimmed.append(prefix))
    objects.trim_once.cache_clear()
    assert settled(looping("auto")).cached and not trimmed
    other = looping("auto")
    other.memory.write(RAM, program(word("addi", d=5, a=5, i=2)) + LOOP[4:])
    assert settled(other).regions and "page-" in trimmed


def test_what_a_region_holds_gets_no_region_of_its_own(cache: Path) -> None:
    """Two places that jump to one another by a register: a stretch may end at either."""
    hart = looping("auto")
    there = [word("addi", d=5, a=5, i=1)] * 20 + [word("xor", d=10, a=10, b=11), JUMP]
    hart.memory.write(RAM, program(*there))
    hart.memory.write(RAM + 0x100, program(*there))
    hart.x[10], hart.x[11] = RAM, 0x100
    first = settled(hart).regions
    for _ in range(200):
        hart.run(1 << 16)
        translator._background().submit(int).result(timeout=60)
    assert len(first) == 1 and made(hart).regions == first
    assert made(hart).share > 0.5


@pytest.mark.parametrize("jit", ["eager", "auto"])
def test_the_hottest_regions_are_made_once_more_thoroughly(
    jit: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translator, "RETIRED_TO_REFINE", 10_000)
    hart, interpreted = looping(jit), looping("off")
    assert hart.translator is not None
    for _ in range(400):
        hart.run(1 << 18)
        translator._background().submit(int).result(timeout=60)
        if any(region.made.thorough for region in made(hart).regions):
            break
    assert [region.made.thorough for region in made(hart).regions] == [False, True]
    hart.run(1 << 20)
    assert made(hart).retired[1] > 1 << 19
    interpreted.run(hart.instret)
    assert list(hart.x) == list(interpreted.x) and list(hart.f) == list(interpreted.f)
    assert "1 thorough" in repr(made(hart))
    assert hart.translator.regions[1].assembly() != hart.translator.regions[0].assembly()


def test_a_later_run_begins_with_what_was_made_thoroughly(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(translator, "RETIRED_TO_REFINE", 10_000)
    hart = looping("auto")
    while len(settled(hart).regions) < 2:
        hart.run(1 << 18)
    later = looping("auto")
    later.run(1)
    assert later.translator is not None
    later.translator.serve()
    (region,) = made(later).regions
    assert region.recalled and region.made.thorough


SHORT = program(
    word("addi", d=5, a=0, i=3),
    word("addi", d=6, a=6, i=1),
    word("addi", d=5, a=5, i=-1),
    word("bne", a=5, b=0, i=-8 & 0x1FFF),
    word("csrrw", d=7, a=6, i=NUMBERS["mscratch"]),
    word("jal", d=0, i=-20 & 0x1FFFFF),
)
"""A loop of three rounds, and an instruction that regions do not have."""


def choosy(monkeypatch: pytest.MonkeyPatch, code: bytes) -> Hart:
    """A hart that translates at once, but gives up what does not pay."""
    monkeypatch.setattr(translator, "EXITS_TO_JUDGE", 500)
    hart = looping()
    hart.memory.write(RAM, code)
    assert hart.translator is not None
    hart.translator.pace = replace(hart.translator.pace, choosy=True)
    return hart


def test_a_region_that_is_left_too_soon_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hart = choosy(monkeypatch, SHORT)
    hart.run(200_000)
    entered = hart.state.n_region_exits
    assert len(made(hart).regions) > 0 and entered > 500
    hart.run(200_000)
    assert hart.state.n_region_exits == entered
    plain = looping("off")
    plain.memory.write(RAM, SHORT)
    plain.run(400_000)
    assert (list(hart.x), hart.pc) == (list(plain.x), plain.pc)


def test_a_region_that_can_do_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    single = word("fadd.s", d=3, a=1, b=2, m=7)
    hart = choosy(monkeypatch, program(single, single, word("jal", d=0, i=-8 & 0x1FFFFF)))
    hart.f[1] = 0x3F80_0000  # not boxed
    hart.run(3_000_000)
    assert hart.translator is not None
    assert hart.translator.regions and hart.translator.retired() == [0]
    assert not hart.translator._is_entered(0)


def test_a_region_that_loops_long_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    hart = choosy(monkeypatch, LOOP)
    for _ in range(20):
        hart.run(20_000)
    assert made(hart).share > 0.9
