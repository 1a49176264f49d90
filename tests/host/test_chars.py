"""The terminal: what the guest prints and what it is typed, bounded on both sides."""

import sys
import threading

import pytest

from vnb.errors import UsageError
from vnb.host.chars import Terminal


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
    terminal.on_input = lambda: heard.append(terminal.take(9))
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
