"""Under pressure: room for hardly any region, or for hardly any page of slots, for long."""

import time
from random import Random

import pytest
import streams
from streams import CODE
from test_translator import agree, hart, loop

from vnb.cpu.hart import Hart
from vnb.cpu.jit.report import Report
from vnb.cpu.jit.translator import PACES, Pace

PAGES = 8


def pair(rng: Random, jit: str) -> tuple[Hart, Hart]:
    """Each of eight pages holds a loop of its own."""
    given = [streams.stream(rng, streams.INTEGER, streams.COMPRESSED, 60) for _ in range(PAGES)]
    code = b"".join(loop(stream).ljust(4096, b"\0") for stream in given)
    return hart("off", given[0], code), hart(jit, given[0], code)


def wander(rng: Random, harts: tuple[Hart, Hart]) -> None:
    """Go on in one of the loops, and compare."""
    place = CODE + 4096 * rng.randrange(PAGES)
    for one in harts:
        one.pc = place
    agree(rng, *harts, slices=2)


def told(hart: Hart) -> Report:
    assert hart.translator is not None
    return hart.translator.report()


@pytest.mark.parametrize(("room", "pages"), [(1, 4096), (4000, 4096), (1 << 26, 5), (4000, 5)])
def test_who_forgets_all_the_time_still_runs_as_interpreted(
    room: int, pages: int, rng: Random
) -> None:
    """`pages` counts the scratch page: with five of them, the pool for eight starts anew."""
    harts = pair(rng, "eager")
    assert harts[1].translator is not None
    harts[1].translator.room = room
    harts[1].state.decoded_limit = pages
    for _ in range(60):
        wander(rng, harts)
    print(told(harts[1]))
    assert told(harts[1]).share > 0.2 and harts[1].state.decoded_count <= pages
    assert told(harts[1]).evictions > 20 or room == 1 << 26


def test_regions_that_come_when_others_were_forgotten_change_nothing(
    rng: Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made on the other thread, and find a translator that has begun anew."""
    monkeypatch.setitem(PACES, "auto", Pace(samples=1, hot=1, poll=1 << 8, choosy=False))
    harts = pair(rng, "auto")
    translator = harts[1].translator
    assert translator is not None
    translator.room = 8000
    while told(harts[1]).evictions < 10:
        wander(rng, harts)
        time.sleep(0.002)  # regions are made meanwhile
        if rng.random() < 0.02:
            translator.restart()
    print(told(harts[1]))
    assert told(harts[1]).share > 0
