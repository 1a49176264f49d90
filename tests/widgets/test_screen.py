"""The screen's Python half: what changed, to those who can see it, no faster than they draw it."""

import io
import random
import re
from base64 import b64decode
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vnb.host.input import Keyboard
from vnb.host.screen import Screen
from vnb.widgets import screen as room
from vnb.widgets.publisher import PUBLISHER
from vnb.widgets.screen import IN_FLIGHT, REST, ScreenWidget
from vnb.widgets.widget import SILENCE

WIDTH, HEIGHT = 640, 480
SEED = 20261122


class Page:
    """A screen without the publisher's thread, and pages that show it; a test plays all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(room.time, "monotonic", lambda: self.now)
        self.screen = Screen(WIDTH, HEIGHT)
        self.keyboard = Keyboard()
        self.widget = ScreenWidget(self.screen, "test", {"keyboard": self.keyboard})
        PUBLISHER.remove(self.widget)
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def say(self, kind: str, page: str = "one", **fields: Any) -> None:
        self.widget._hear(page, {"kind": kind, **fields})

    def draw(self, x: int, y: int, width: int, height: int, shade: int = 255) -> None:
        pixels = np.full((height, width, 4), shade, np.uint8)
        self.screen.update(x, y, pixels)

    def hear(self, kind: str = "frame") -> list[tuple[dict[str, Any], Image.Image | None]]:
        """What is sent in the next round, of this kind."""
        self.sent.clear()
        self.widget.speak()
        return [
            (content, Image.open(io.BytesIO(buffers[0])) if buffers else None)
            for content, buffers in self.sent
            if content["kind"] == kind
        ]

    def shown(self) -> "Page":
        """A page that sees the screen and has drawn all of it."""
        self.say("visible", visible=True)
        ((frame, _),) = self.hear()
        self.say("ack", frame=frame["frame"])
        return self


def shades(picture: str) -> set[int]:
    """The shades of what an <img> shows."""
    found = re.search(r'src="data:image/\w+;base64,([^"]*)"', picture)
    assert found
    return set(np.asarray(Image.open(io.BytesIO(b64decode(found[1])))).ravel())


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(monkeypatch)


def test_nobody_is_sent_what_nobody_sees(page: Page) -> None:
    page.draw(0, 0, 10, 10)
    assert page.hear() == []
    page.say("visible", visible=False)
    assert page.hear() == []


def test_a_page_that_begins_to_see_gets_all_of_it(page: Page) -> None:
    page.draw(0, 0, 10, 10)
    page.say("visible", visible=True)
    ((content, picture),) = page.hear()
    assert (content["x"], content["y"], content["size"]) == (0, 0, (WIDTH, HEIGHT))
    assert picture is not None and picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), page.screen.frame)


def test_only_what_changed_is_sent_and_changes_add_up(page: Page) -> None:
    page.shown()
    page.draw(10, 20, 30, 40)
    page.draw(100, 50, 10, 10)
    ((content, picture),) = page.hear()
    assert (content["x"], content["y"]) == (10, 20)
    assert picture is not None and picture.size == (100, 40)
    assert np.array_equal(np.asarray(picture), page.screen.frame[20:60, 10:110])
    assert page.hear() == []


def test_no_more_is_sent_than_a_page_can_draw(page: Page) -> None:
    page.shown()
    frames = []
    for n in range(10):
        page.draw(n, 0, 1, 1)
        frames += [content["frame"] for content, _ in page.hear()]
    assert len(frames) == IN_FLIGHT
    page.say("ack", frame=frames[-1])
    ((content, picture),) = page.hear()
    assert picture is not None and (content["x"], picture.size) == (IN_FLIGHT, (10 - IN_FLIGHT, 1))


def test_large_parts_in_motion_lose_a_little_and_are_exact_at_rest(page: Page) -> None:
    page.shown()
    page.now += 1
    formats = []
    for n in range(3):
        page.now += 0.05
        page.draw(0, 0, WIDTH, HEIGHT, shade=n)
        ((content, picture),) = page.hear()
        page.say("ack", frame=content["frame"])
        formats.append(picture and picture.format)
    assert formats == ["PNG", "JPEG", "JPEG"]
    assert page.widget.speak() == REST, "there is something left to be said"
    page.now += 1.1 * REST
    ((content, picture),) = page.hear()
    assert picture is not None and picture.format == "PNG"
    assert np.array_equal(np.asarray(picture), page.screen.frame)
    page.say("ack", frame=content["frame"])
    assert page.widget.speak() is None


def test_small_parts_are_always_exact(page: Page) -> None:
    page.shown()
    for n in range(3):
        page.draw(0, 0, 100, 20, shade=n)
        ((content, picture),) = page.hear()
        page.say("ack", frame=content["frame"])
        assert picture is not None and picture.format == "PNG"


def test_the_pointer_is_told_when_it_moves_and_drawn_when_it_changes(page: Page) -> None:
    page.shown()
    page.screen.set_cursor(np.full((8, 8, 4), 200, np.uint8), "RGBA", 1, 2)
    ((content, picture),) = page.hear("pointer")
    assert content["shape"] == "new" and picture is not None and picture.size == (8, 8)
    page.screen.move_cursor(30, 40)
    ((content, picture),) = page.hear("pointer")
    assert (content["shape"], content["x"], content["y"], picture) == ("same", 30, 40, None)
    page.screen.set_cursor(None, "RGBA", 0, 0)
    assert [content["shape"] for content, _ in page.hear("pointer")] == ["none"]


def test_a_picture_of_another_size_says_so(page: Page) -> None:
    page.shown()
    page.screen.show(np.zeros((600, 800, 4), np.uint8), "RGBX")
    ((content, picture),) = page.hear()
    assert picture is not None and (content["size"], picture.size) == ((800, 600), (800, 600))


def test_a_page_that_was_closed_holds_nobody_up(page: Page) -> None:
    page.shown()
    page.say("visible", page="closed", visible=True)
    page.hear()
    page.say("ack", frame=2)
    for n in range(IN_FLIGHT + 3):
        page.draw(n, 0, 1, 1)
        for content, _ in page.hear():
            page.say("ack", frame=content["frame"])
    assert page.hear() == []
    page.now += SILENCE / 2
    page.say("ping")
    page.now += SILENCE / 2 + 1
    assert len(page.hear()) == 1


def test_what_hands_do_on_it_reaches_the_machine(page: Page) -> None:
    page.say("hand", action={"kind": "key", "code": "KeyA", "down": True})
    assert page.keyboard.take()[0] == (1, 30, 1)


def test_the_picture_for_pages_without_a_kernel_is_the_last_that_was_drawn(page: Page) -> None:
    assert page.widget.picture == ""
    for shade in (100, 200):
        page.draw(0, 0, WIDTH, HEIGHT, shade)
        assert shades(page.widget.picture) == {shade}
        assert page.widget.picture is page.widget.picture


def test_a_picture_that_would_be_large_is_one_with_loss(page: Page) -> None:
    noise = np.frombuffer(random.Random(SEED).randbytes(WIDTH * HEIGHT * 4), np.uint8)
    page.screen.update(0, 0, noise.reshape(HEIGHT, WIDTH, 4))
    assert "data:image/jpeg" in page.widget.picture
    page.draw(0, 0, WIDTH, HEIGHT)
    assert "data:image/png" in page.widget.picture
