"""The console session: every character is read once, and what is expected comes or is missed."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from vnb.console import UNREAD, ConsoleSession
from vnb.errors import UsageError
from vnb.host.chars import Terminal
from vnb.waiting import Bell


@dataclass
class Desk:
    """A session with its terminal; `end` is why the machine is off."""

    terminal: Terminal = field(default_factory=Terminal)
    bell: Bell = field(default_factory=Bell)
    end: str | None = None
    sizes: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.terminal.on_output = self.bell.ring
        self.session = ConsoleSession(
            self.terminal, self.bell, lambda: self.end, lambda *size: self.sizes.append(size)
        )

    def later(self, *actions: Callable[[], object]) -> None:
        def work() -> None:
            for action in actions:
                time.sleep(0.03)
                action()

        threading.Thread(target=work).start()

    def switch_off(self) -> None:
        self.end = "the machine is off"
        self.bell.ring()


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_output_is_read_once(desk: Desk) -> None:
    desk.terminal.output(b"one ")
    desk.terminal.output(b"two")
    assert desk.session.read() == "one two"
    assert desk.session.read() == ""


def test_reading_waits_for_output_as_long_as_it_is_told(desk: Desk) -> None:
    desk.later(lambda: desk.terminal.output(b"late"))
    assert desk.session.read(timeout=5) == "late"
    assert desk.session.read(timeout=0.01) == ""


def test_reading_without_end_ends_when_the_machine_is_off(desk: Desk) -> None:
    desk.later(lambda: desk.terminal.output(b"bye"), desk.switch_off)
    assert desk.session.read(timeout=None) == "bye"
    assert desk.session.read(timeout=None) == ""


def test_a_character_cut_in_two_is_one_character(desk: Desk) -> None:
    first, second = b"\xc3", b"\xa9"
    desk.terminal.output(first)
    assert desk.session.read() == ""
    desk.terminal.output(second + b"\xff")
    assert desk.session.read() == "é\ufffd"


def test_expect_reads_up_to_the_end_of_what_it_found(desk: Desk) -> None:
    desk.terminal.output(b"login: please\r\n# ")
    assert desk.session.expect("login: ").group() == "login: "
    assert desk.session.read() == "please\r\n# "


def test_expect_takes_a_text_as_it_stands_and_a_pattern_as_a_pattern(desk: Desk) -> None:
    desk.terminal.output(b"[12] $ ")
    match = desk.session.expect(re.compile(r"\[(\d+)\]"))
    assert match[1] == "12"
    assert desk.session.expect("$ ", timeout=0)


def test_expect_finds_what_comes_in_pieces(desk: Desk) -> None:
    desk.later(*[lambda c=c: desk.terminal.output(c) for c in (b"re", b"ad", b"y.")])
    assert desk.session.expect("ready", timeout=5)
    assert desk.session.read(1) == "."


def test_expect_says_what_came_instead(desk: Desk) -> None:
    desk.terminal.output(b"Kernel panic\r\nat \x1b[1mhome\x1b[0m\r\n")
    with pytest.raises(TimeoutError, match=r"'login'.*0\.05 s") as raised:
        desk.session.expect("login", timeout=0.05)
    assert str(raised.value).endswith("Kernel panic\nat home")
    assert "Kernel panic" in desk.session.read()


def test_expect_ends_at_once_when_the_machine_goes_off(desk: Desk) -> None:
    desk.later(desk.switch_off)
    with pytest.raises(EOFError, match="the machine is off, and never printed 'login'"):
        desk.session.expect("login", timeout=60)


def test_the_guests_last_words_are_still_expected(desk: Desk) -> None:
    desk.terminal.output(b"halting")
    desk.switch_off()
    assert desk.session.expect("halting")


@pytest.mark.parametrize("pattern", [5, None, b"x", re.compile(b"x")])
def test_expect_takes_only_text(desk: Desk, pattern: object) -> None:
    with pytest.raises(UsageError, match="pattern"):
        desk.session.expect(pattern)


def test_what_is_written_is_typed(desk: Desk) -> None:
    desk.session.write("ls é\n")
    desk.session.write(b"\x03")
    assert desk.session.waiting == 7
    assert desk.terminal.take(99) == b"ls \xc3\xa9\n\x03"
    with pytest.raises(UsageError, match="text"):
        desk.session.write(5)


def test_a_cell_that_never_reads_keeps_the_newest_output(desk: Desk) -> None:
    for _ in range(3):
        desk.terminal.output(b"x" * UNREAD)
        desk.session._fetch()
    desk.terminal.output(b"end")
    text = desk.session.read()
    assert len(text) == UNREAD
    assert text.endswith("xend")


def test_who_follows_misses_nothing_because_the_guest_waits() -> None:
    desk = Desk(Terminal(scrollback=100))
    desk.terminal.output(b"x" * 70)
    with desk.session.follow():
        assert desk.terminal.room() == 30
        desk.terminal.output(b"y" * 30)
        assert desk.terminal.room() == 0
        assert desk.session.read() == "x" * 70 + "y" * 30
        assert desk.terminal.room() == 100
    desk.terminal.output(b"z" * 60)
    assert desk.terminal.room() == 100


def test_what_a_follower_leaves_unread_is_bounded_too() -> None:
    desk = Desk(Terminal(scrollback=UNREAD))
    with desk.session.follow():
        for letter in b"ab":
            desk.terminal.output(bytes((letter,)) * UNREAD)
            with pytest.raises(TimeoutError):
                desk.session.expect("c", timeout=0)
        assert desk.terminal.room() == 0
        assert desk.session.read() == "a" * UNREAD
        assert desk.session.read() == "b" * UNREAD


def test_how_much_may_be_typed_is_told(desk: Desk) -> None:
    before = desk.session.write_len
    desk.session.write("x" * 10)
    assert (desk.session.write_len, desk.session.can_write) == (before - 10, True)
    desk.session.write("x" * desk.session.write_len)
    assert (desk.session.write_len, desk.session.can_write) == (0, False)


def test_the_repr_is_the_last_lines_without_escapes(desk: Desk) -> None:
    assert repr(desk.session) == "<console: nothing printed yet>"
    desk.terminal.output(
        b"".join(b"line %d\r\n" % n for n in range(30)) + b"\x1b[2J<b>\x1b]0;t\x07"
    )
    assert repr(desk.session).startswith("line 19\n")
    assert repr(desk.session).endswith("line 29\n<b>")
    assert "&lt;b&gt;" in desk.session._repr_html_()
