"""The console's Python half: output goes out as fast as pages show it, and input comes in."""

from typing import Any

import pytest

from vnb.console import ConsoleSession
from vnb.errors import UsageError
from vnb.host.chars import Terminal
from vnb.waiting import Bell
from vnb.widgets import widget
from vnb.widgets.console import AT_ONCE, PICTURE, UNSEEN, ConsoleWidget
from vnb.widgets.publisher import PUBLISHER


class Page:
    """A widget without its thread, and one page that shows it; a test plays both."""

    def __init__(self, scrollback: int = 1 << 20) -> None:
        self.terminal = Terminal(scrollback=scrollback)
        self.sizes: list[tuple[int, int]] = []
        session = ConsoleSession(
            self.terminal, Bell(), lambda: None, lambda *size: self.sizes.append(size)
        )
        self.widget = ConsoleWidget(session, "test", 80, 25)
        PUBLISHER.remove(self.widget)
        self.sent: list[tuple[dict[str, Any], list[bytes]]] = []
        self.widget.send = lambda content, buffers=None: self.sent.append((content, buffers))

    def say(self, kind: str, page: str = "one", **fields: Any) -> None:
        self.widget._hear(page, {"kind": kind, **fields})

    def hear(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        """What the publisher sends in its next round."""
        self.sent.clear()
        self.widget.speak()
        return list(self.sent)

    def output(self) -> tuple[int, int, bytes] | None:
        """(position, lost, bytes) of the next piece of output."""
        heard = self.hear()
        if not heard:
            return None
        ((content, (data,)),) = heard
        assert content["kind"] == "output"
        return content["position"], content["lost"], data


def test_nothing_is_sent_before_a_page_is_ready() -> None:
    page = Page()
    page.terminal.output(b"hello")
    assert page.hear() == []
    page.say("ready", position=0)
    assert page.output() == (0, 0, b"hello")
    assert page.hear() == []


def test_output_goes_out_in_pieces_each_with_its_position() -> None:
    page = Page()
    page.say("ready", position=0)
    page.terminal.output(bytes(AT_ONCE) + b"end")
    assert page.output() == (0, 0, bytes(AT_ONCE))
    assert page.output() == (AT_ONCE, 0, b"end")


def test_a_page_that_shows_nothing_is_not_flooded_and_misses_nothing() -> None:
    page = Page()
    page.say("ready", position=0)
    page.terminal.output(bytes(UNSEEN + 5 * AT_ONCE))
    pieces = [page.output() for _ in range(20)]
    assert sum(len(piece[2]) for piece in pieces if piece) == UNSEEN
    page.say("ack", position=UNSEEN)
    assert page.output() == (UNSEEN, 0, bytes(AT_ONCE))


def test_what_the_scrollback_lost_is_told_as_lost() -> None:
    page = Page(scrollback=100)
    page.say("ready", position=0)
    page.terminal.output(b"x" * 250)
    assert page.output() == (150, 150, b"x" * 100)


def test_a_second_page_gets_everything_and_the_first_is_no_worse_off() -> None:
    """Both hear all that is sent; pages skip what they know."""
    page = Page()
    page.say("ready", position=0)
    page.terminal.output(b"hello")
    assert page.output() == (0, 0, b"hello")
    page.say("ready", page="two", position=0)
    assert page.output() == (0, 0, b"hello")
    page.say("ack", position=5)
    page.say("ack", page="two", position=5)
    assert page.hear() == []


def test_a_page_that_was_closed_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(widget.time, "monotonic", lambda: now)
    page = Page()
    page.say("ready", page="closed", position=0)
    page.say("ready", position=0)
    page.terminal.output(bytes(UNSEEN + 9))
    while piece := page.output():
        page.say("ack", position=piece[0] + len(piece[2]))
    assert piece is None
    now += widget.SILENCE + 1
    page.say("ping")
    assert page.output() == (UNSEEN, 0, bytes(9))


def test_what_is_typed_reaches_the_guest() -> None:
    page = Page()
    page.say("input", text="grüße\r")
    page.say("input", binary="/wA=")
    assert page.terminal.take(99) == "grüße\r".encode() + b"\xff\0"


def test_typing_at_a_guest_that_reads_nothing_is_no_error() -> None:
    page = Page()
    page.say("input", text="x" * (1 << 20))
    page.say("input", text="y")
    assert page.terminal.waiting == 1 << 20


def test_the_size_of_the_page_reaches_the_guest_once() -> None:
    page = Page()
    page.say("resize", columns=100, rows=30)
    page.say("resize", columns=101, rows=30)
    page.hear()
    page.hear()
    assert page.sizes == [(101, 30)]


def test_a_page_that_asks_whether_anybody_is_there_is_answered() -> None:
    page = Page()
    page.say("ping")
    assert [content["kind"] for content, _ in page.hear()] == ["here"]
    assert page.hear() == []


def test_the_picture_that_a_page_took_is_kept_unless_it_is_huge() -> None:
    page = Page()
    page.say("picture", html="<pre>labos&gt;</pre>")
    page.say("picture", html="x" * (PICTURE + 1))
    assert page.widget.picture == "<pre>labos&gt;</pre>"


@pytest.mark.parametrize(
    "message",
    [{}, {"kind": "ready"}, {"kind": "ready", "position": "x"}, {"kind": "resize", "columns": 1}],
)
def test_a_message_that_makes_no_sense_changes_nothing(message: dict[str, Any]) -> None:
    page = Page()
    page.widget._hear("one", message)
    assert page.hear() == []
    assert page.sizes == []


def test_a_size_that_no_console_has_harms_nobody() -> None:
    def refuse(columns: int, rows: int) -> None:
        raise UsageError("columns=0: columns is a number from 1 to 65535")

    page = Page()
    page.widget._session.resize = refuse
    page.say("resize", columns=0, rows=30)
    assert page.hear() == []
