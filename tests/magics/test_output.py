"""Output reaches a page at a pace that the page's server takes."""

import json

import pytest

from tests.magics.page import Paper
from vnb.magics import output
from vnb.magics.output import BURST, TICK, Output


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        patch.setattr(output.time, "monotonic", lambda: self.now)
        patch.setattr(output.time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_short_messages_come_at_once_and_many_at_most_thirty_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, page = Clock(monkeypatch), Paper()
    begin, hear = clock.now, Output(page)
    for _ in range(3):
        hear(b"x")
    assert clock.now == begin and page.text == "xxx"
    for _ in range(90):
        hear(b"x")
    assert clock.now - begin == pytest.approx(93 * TICK - BURST, abs=2 * TICK)


@pytest.mark.parametrize("data", [b"x", b"y\n", b"\x1b[31m", "→".encode()])
def test_a_flood_is_held_to_less_than_a_megabyte_of_messages_a_second(
    monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    clock = Clock(monkeypatch)
    begin, hear = clock.now, Output(Paper())
    chunk = data * (65536 // len(data))
    for _ in range(100):
        hear(chunk)
    sent = 100 * len(json.dumps(chunk.decode(), ensure_ascii=False).encode())
    assert 600_000 < sent / (clock.now - begin) < 900_000


def test_the_rest_of_a_broken_character_comes_at_the_end() -> None:
    page = Paper()
    hear = Output(page)
    hear("a→".encode()[:-1])
    assert page.text == "a"
    hear.end()
    assert page.text == "a\ufffd"
