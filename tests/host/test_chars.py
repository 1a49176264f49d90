"""The ends of serial lines: bounded on both sides, and what they take they hand on."""

import os
import select
import socket
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.chars import LONG, CharsContract, InputContract, WaitingContract
from tests.descriptors import descriptors
from vnb.errors import HostError, UsageError
from vnb.host.chars import Chars, HostTerminal, Log, Pipe, Pty, Terminal


def read_all(descriptor: int, count: int) -> bytes:
    """So many bytes, as they come."""
    found = b""
    while len(found) < count and select.select([descriptor], [], [], LONG)[0]:
        found += os.read(descriptor, count - len(found))
    return found


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class TestTerminal(InputContract):
    opens = False

    def chars(self, tmp: Path) -> Terminal:
        return Terminal(scrollback=1 << 22)

    def read(self, chars: Any, count: int) -> bytes:
        while chars.total < count:
            time.sleep(0.001)
        text, _ = chars.since(0)
        return bytes(text)

    def type(self, chars: Any, data: bytes) -> None:
        chars.write(data)


class TestFollowedTerminal(WaitingContract):
    """A terminal whose reader must not miss anything."""

    opens = False

    def chars(self, tmp: Path) -> Terminal:
        terminal = Terminal(scrollback=10_000)
        terminal.hold(0)
        self.position = 0
        return terminal

    def read(self, chars: Any, count: int) -> bytes:
        found = b""
        while len(found) < count:
            text, self.position = chars.since(self.position)
            chars.hold(self.position)
            found += text
        return found


class TestSocket(WaitingContract, InputContract):
    """A Pipe over one descriptor, for both directions."""

    def chars(self, tmp: Path) -> Pipe:
        self.far, self.near = socket.socketpair()
        return Pipe(self.near, self.near)

    def read(self, chars: Chars, count: int) -> bytes:
        return read_all(self.far.fileno(), count)

    def type(self, chars: Chars, data: bytes) -> None:
        self.far.sendall(data)


class TestTwoPipes(WaitingContract, InputContract):
    """A Pipe over two descriptors."""

    def chars(self, tmp: Path) -> Pipe:
        (ours, self.typist), (self.reader, out) = os.pipe(), os.pipe()
        self.files = [os.fdopen(ours, "rb"), os.fdopen(out, "wb")]
        return Pipe(*self.files)

    def read(self, chars: Chars, count: int) -> bytes:
        return read_all(self.reader, count)

    def type(self, chars: Chars, data: bytes) -> None:
        write_all(self.typist, data)


class TestPty(WaitingContract, InputContract):
    def chars(self, tmp: Path) -> Pty:
        pty = Pty()
        self.far = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        return pty

    def read(self, chars: Chars, count: int) -> bytes:
        return read_all(self.far, count)

    def type(self, chars: Chars, data: bytes) -> None:
        write_all(self.far, data)


class TestHostTerminal(WaitingContract, InputContract):
    @pytest.fixture(autouse=True)
    def stdio(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.far, near = os.openpty()
        with os.fdopen(near, "rb+", buffering=0) as file:
            monkeypatch.setattr(sys, "__stdin__", file)
            monkeypatch.setattr(sys, "__stdout__", file)
            self.before = termios.tcgetattr(near)
            yield
            assert termios.tcgetattr(near) == self.before

    def chars(self, tmp: Path) -> HostTerminal:
        return HostTerminal()

    def read(self, chars: Chars, count: int) -> bytes:
        return read_all(self.far, count)

    def type(self, chars: Chars, data: bytes) -> None:
        write_all(self.far, data)


class TestLog(CharsContract):
    def chars(self, tmp: Path) -> Log:
        self.path = tmp / "guest.log"
        return Log(self.path)

    def read(self, chars: Chars, count: int) -> bytes:
        while not self.path.exists() or self.path.stat().st_size < count:
            time.sleep(0.001)
        return self.path.read_bytes()


# Descriptors that go away


def test_an_input_that_ends_is_silent_and_costs_nothing() -> None:
    ours, typist = os.pipe()
    pipe = Pipe(ours)
    pipe.open()
    os.write(typist, b"last")
    os.close(typist)
    while not (found := pipe.take(100)):
        time.sleep(0.001)
    assert found == b"last"
    time.sleep(0.05)
    spent = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - spent < 0.1  # nothing spins
    assert pipe.take(100) == b""
    pipe.output(b"nobody")
    assert pipe.lost == 6
    pipe.close()
    os.close(ours)


def test_a_pipe_that_was_closed_writes_to_nobody_elses_file() -> None:
    """The host gives the numbers of files that were closed to the next ones that are opened."""
    ours, out = os.pipe()
    pipe = Pipe(output=out)
    pipe.open()
    pipe.close()
    others = [os.pipe() for _ in range(4)]
    pipe.output(b"late")
    assert select.select([reader for reader, _ in others], [], [], 0)[0] == []
    for descriptor in (ours, out, *(one for pair in others for one in pair)):
        os.close(descriptor)


def test_output_whose_reader_is_gone_is_counted_and_the_guest_goes_on() -> None:
    reader, out = os.pipe()
    pipe = Pipe(output=out)
    pipe.open()
    os.close(reader)
    pipe.output(b"into the void")
    while pipe.lost < 13:
        time.sleep(0.001)
    assert pipe.room() > 0
    pipe.output(b"more")
    assert pipe.lost == 17
    pipe.close()
    os.close(out)


def test_a_pty_is_there_between_two_who_open_it() -> None:
    pty = Pty()
    pty.open()
    for word in (b"first", b"second"):
        far = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        os.write(far, word)
        found = b""
        while found != word:
            found += pty.take(100)
        pty.output(b"to " + word)
        assert read_all(far, 3 + len(word)) == b"to " + word
        os.close(far)
    pty.close()


def test_what_the_guest_writes_to_a_pty_is_not_typed_back() -> None:
    pty = Pty()
    pty.open()
    pty.output(b"echo?\n")
    time.sleep(0.05)
    assert pty.take(100) == b""
    pty.close()


def test_a_pty_that_nobody_has_any_more_gives_its_descriptors_back() -> None:
    before = descriptors()
    pty = Pty()
    pty.open()
    pty.close()
    assert len(descriptors() - before) == 2  # its path is still there
    del pty
    assert descriptors() <= before


def test_closing_does_not_wait_for_ever_for_a_reader() -> None:
    pty = Pty()
    pty.open()
    pty.output(b"x" * 50_000)
    began = time.monotonic()
    pty.close()
    assert time.monotonic() - began < 0.8


# Logs


def test_a_log_is_bounded_and_keeps_the_latest(tmp_path: Path) -> None:
    log = Log(tmp_path / "log", limit=1000)
    log.open()
    for number in range(100):
        log.output(b"%098d\n\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]
    kept = (tmp_path / "log.1").read_bytes() + (tmp_path / "log").read_bytes()
    assert kept == b"".join(b"%098d\n\n" % number for number in range(80, 100))


def test_a_log_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for word in (b"one ", b"two"):
        log = Log(tmp_path / "log")
        log.open()
        log.output(word)
        log.close()
    assert (tmp_path / "log").read_bytes() == b"one two"


def test_a_log_on_a_full_disk_loses_and_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = Log("/dev/full")
    log.open()
    for _ in range(3):
        log.output(b"twelve bytes")
    assert log.lost == 36
    assert caplog.text.count("No space left") == 1
    log.close()


# Wrong arguments


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Pipe(), "Pipe: give an input, an output, or both"),
        (lambda: Pipe("name"), "input='name': input is a file of the host"),
        (lambda: Pipe(0, limit=0), "limit=0: limit is a number of bytes"),
        (lambda: Log(7), "path=7: path is the name of a file"),
        (lambda: Log("x", limit=0), "limit=0: limit is a number of bytes"),
    ],
)
def test_a_wrong_argument_is_named(make: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make()


def test_a_log_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot write .*: No such file"):
        Log(tmp_path / "nosuch" / "log").open()


# The terminal


def test_held_output_makes_the_guest_wait_until_it_is_read_or_let_go() -> None:
    terminal = Terminal(scrollback=10)
    heard: list[int] = []
    terminal.on_change = lambda: heard.append(terminal.room())
    terminal.output(b"12345678")
    assert terminal.room() == 10  # nobody minds: the oldest goes
    terminal.hold(0)
    assert terminal.room() == 2
    terminal.output(b"90")
    assert (terminal.room(), heard) == (0, [])
    terminal.hold(4)
    assert heard == [4]
    terminal.hold(5)
    assert heard == [4]
    terminal.hold(None)
    assert terminal.room() == 10


def test_how_much_may_be_typed_is_told() -> None:
    terminal = Terminal(input_limit=10)
    terminal.write(b"1234567")
    assert (terminal.write_len, terminal.can_write) == (3, True)
    terminal.write(b"890")
    assert (terminal.write_len, terminal.can_write) == (0, False)


def test_output_is_read_from_any_position() -> None:
    terminal = Terminal()
    terminal.output(b"hello ")
    text, position = terminal.since(0)
    assert (text, position) == (b"hello ", 6)
    assert terminal.since(position) == (b"", 6)
    terminal.output(b"world")
    assert terminal.since(position) == (b"world", 11)
    assert terminal.since(3) == (b"lo world", 11)
    assert terminal.since(99) == (b"", 11)
    assert terminal.total == 11


def test_a_flood_costs_bounded_memory_and_what_was_lost_is_counted() -> None:
    terminal = Terminal(scrollback=1000)
    for _ in range(1000):
        terminal.output(b"0123456789" * 10)
    assert (terminal.total, terminal.dropped) == (100_000, 99_000)
    assert terminal.since(0) == (b"0123456789" * 100, 100_000)
    assert terminal.since(99_995) == (b"56789", 100_000)
    terminal.output(b"x" * 5000)
    assert terminal.since(0) == (b"x" * 1000, 105_000)
    assert sys.getsizeof(terminal._kept) < 20_000


def test_the_tail_is_the_end_of_the_output() -> None:
    terminal = Terminal()
    assert terminal.tail(5) == b""
    terminal.output(b"abcdef")
    assert [terminal.tail(count) for count in (0, 2, 6, 100)] == [b"", b"ef", b"abcdef", b"abcdef"]


def test_input_is_taken_in_order_and_in_parts() -> None:
    terminal = Terminal()
    terminal.write("grüße\n")
    terminal.write(b"\x03")
    assert terminal.waiting == 9
    assert terminal.take(3) == b"gr\xc3"
    assert terminal.take(100) == b"\xbc\xc3\x9fe\n\x03"
    assert terminal.take(100) == b""


def test_input_that_does_not_fit_is_refused_whole() -> None:
    terminal = Terminal(input_limit=10)
    terminal.write("12345678")
    with pytest.raises(UsageError, match="3 bytes of input do not fit: 8 of at most 10"):
        terminal.write("abc")
    assert terminal.take(100) == b"12345678"
    terminal.write("0123456789")


def test_it_calls_who_listens_after_each_change() -> None:
    terminal = Terminal()
    heard: list[object] = []
    terminal.on_output = lambda: heard.append(terminal.total)
    terminal.on_change = lambda: heard.append(terminal.take(9))
    terminal.output(b"abc")
    terminal.write("d")
    assert heard == [3, b"d"]


def test_many_threads_may_read_and_type_while_the_guest_prints() -> None:
    terminal = Terminal(scrollback=1 << 22)
    seen = [b"", b""]

    def read(place: int) -> None:
        position = 0
        while position < 40_000:
            text, position = terminal.since(position)
            seen[place] += text

    def type_lines() -> None:
        for number in range(500):
            terminal.write(f"{number}\n")

    threads = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    threads += [threading.Thread(target=type_lines) for _ in range(2)]
    for thread in threads:
        thread.start()
    taken = b""
    for _ in range(10_000):
        terminal.output(b"abcd")
        taken += terminal.take(7)
    for thread in threads:
        thread.join(60)
    taken += terminal.take(1 << 20)
    assert seen == [b"abcd" * 10_000] * 2
    assert sorted(map(int, taken.split())) == sorted([*range(500)] * 2)
