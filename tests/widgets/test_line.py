"""A widget's line to its pages: heard in order, answered where it was asked."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from vnb.widgets import line as room
from vnb.widgets.line import PATIENCE, Line
from vnb.widgets.publisher import Publisher

SEED = 20261122


class Widget:
    """What a Line needs of a widget; a test plays the kernel."""

    def __init__(self) -> None:
        self.comm = SimpleNamespace(_reply_subshell_for=lambda data, default: "main")
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.heard: list[tuple[str, object]] = []
        self.publisher = Publisher()
        self.line = Line(
            self, self.publisher, lambda page, message: self.heard.append((page, message["what"]))
        )

    def on_msg(self, receive: Callable[..., None]) -> None:
        self.receive = receive

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append((content, buffers))

    def say(self, number: int, what: object, page: str = "one") -> None:
        self.receive(self, {"page": page, "n": number, "what": what}, [])


def test_no_answer_is_redirected_to_the_shell_that_last_sent() -> None:
    """Where it would wait for the cell that runs there."""
    assert Widget().comm._reply_subshell_for is None


def test_what_is_sent_reaches_the_pages() -> None:
    widget = Widget()
    widget.line.send({"kind": "output"}, b"data")
    assert widget.sent == [({"kind": "output"}, [b"data"])]


def test_messages_that_overtook_each_other_are_heard_in_order() -> None:
    widget = Widget()
    numbers = list(range(200))
    random.Random(SEED).shuffle(numbers)
    for number in numbers:
        widget.say(number, number)
    assert [what for _, what in widget.heard] == list(range(200)), f"seed {SEED}"


def test_what_is_said_twice_is_heard_once() -> None:
    """A page repeats its first messages, which may wait for a cell, by the way that then exists."""
    widget = Widget()
    widget.say(2, "c")
    for number, what in enumerate("abcd"):
        widget.say(number, what)
    widget.say(0, "a")
    widget.say(1, "b")
    assert [what for _, what in widget.heard] == list("abcd")


def test_each_page_has_an_order_of_its_own() -> None:
    widget = Widget()
    widget.say(1, "b")
    widget.say(0, "x", page="two")
    widget.say(0, "a")
    widget.say(1, "y", page="two")
    assert widget.heard == [("two", "x"), ("one", "a"), ("one", "b"), ("two", "y")]


def test_a_message_that_never_comes_is_waited_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(room.time, "monotonic", lambda: now)
    widget = Widget()
    widget.say(1, "b")
    widget.say(2, "c")
    assert widget.heard == []
    now += PATIENCE * 1.1
    widget.say(3, "d")
    widget.say(0, "late")
    widget.say(4, "e")
    assert [what for _, what in widget.heard] == ["b", "c", "d", "late", "e"]


@pytest.mark.parametrize(
    ("kind", "woken"), [("input", False), ("hand", False), ("ack", True), ("ping", True)]
)
def test_a_message_for_the_guest_wakes_no_widget_before_the_guest_answers(
    kind: str, woken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes: list[str] = []
    widget = Widget()
    monkeypatch.setattr(widget.publisher, "wake", lambda: wakes.append(kind))
    widget.receive(widget, {"page": "one", "n": 0, "kind": kind, "what": 0}, [])
    assert bool(wakes) == woken


@pytest.mark.parametrize("message", [{}, {"page": 1, "n": 0}, {"page": "one", "n": "x"}])
def test_a_message_of_no_page_is_heard_by_nobody(message: dict[str, Any]) -> None:
    widget = Widget()
    widget.receive(widget, message, [])
    assert widget.heard == []
