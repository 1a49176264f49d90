"""What every end of a serial line holds; inherit it for each kind of them."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from vnb.errors import UsageError
from vnb.host.chars import Chars

EVERYTHING = bytes(range(256))
LONG = 30.0  # seconds: more than anything here takes


class CharsContract:
    """Override `chars` and `read`."""

    opens = True
    """Whether `open` takes something of the host for itself."""

    def chars(self, tmp: Any) -> Chars:
        """A fresh end."""
        raise NotImplementedError

    def read(self, chars: Chars, count: int) -> bytes:
        """So many bytes of what the guest wrote, as the host's side sees them, or what comes."""
        raise NotImplementedError

    @pytest.fixture
    def line(self, tmp_path: Any) -> Iterator[Chars]:
        threads = set(threading.enumerate())
        line = self.chars(tmp_path)
        line.open()
        yield line
        line.close()
        line.close()
        assert set(threading.enumerate()) <= threads

    def give(self, line: Chars, data: bytes) -> None:
        """Output as the guest's device does it: as there is room."""
        end = time.monotonic() + LONG
        while data and time.monotonic() < end:
            count = min(line.room(), len(data), 1 << 16)
            assert count >= 0
            if count:
                line.output(data[:count])
                data = data[count:]
            else:
                time.sleep(0.001)
        assert not data

    def test_any_output_arrives_whole_and_in_order(self, line: Chars) -> None:
        for piece in (b"hello ", EVERYTHING, b"", b"end"):
            self.give(line, piece)
        assert self.read(line, 265) == b"hello " + EVERYTHING + b"end"

    def test_long_output_arrives_whole_while_somebody_reads(self, line: Chars) -> None:
        data = EVERYTHING * 2000
        writer = threading.Thread(target=self.give, args=(line, data))
        writer.start()
        assert self.read(line, len(data)) == data
        writer.join(LONG)

    def test_it_can_be_closed_and_opened_again(self, line: Chars) -> None:
        line.close()
        line.open()
        self.give(line, b"again")
        assert self.read(line, 5) == b"again"

    def test_one_machine_at_a_time_has_it(self, line: Chars) -> None:
        if self.opens:
            with pytest.raises(UsageError, match="in use by another machine"):
                line.open()


class WaitingContract(CharsContract):
    """An end whose output waits in the guest while nobody reads."""

    def test_output_without_a_reader_is_bounded_and_not_lost(self, line: Chars) -> None:
        given, deadline = 0, time.monotonic() + 0.2
        while time.monotonic() < deadline:
            if count := min(line.room(), 4096):
                line.output(bytes((given + place) % 251 for place in range(count)))
                given += count
            else:
                time.sleep(0.001)
        assert 0 < given <= 4 << 20
        assert line.room() == 0
        heard = threading.Event()
        line.on_change = heard.set
        expected = bytes(place % 251 for place in range(given))
        assert self.read(line, given) == expected
        assert heard.wait(LONG)
        assert line.room() > 0


class InputContract(CharsContract):
    """An end with input, too: override `type`."""

    def type(self, chars: Chars, data: bytes) -> None:
        """Input from the host's side; may wait until the guest takes it."""
        raise NotImplementedError

    def take(self, line: Chars, count: int, piece: int = 1 << 16) -> bytes:
        """So many bytes of input, once they are there."""
        found, end = b"", time.monotonic() + LONG
        while len(found) < count and time.monotonic() < end:
            found += line.take(min(piece, count - len(found))) or (time.sleep(0.001) or b"")
        return found

    def test_any_input_arrives_in_order_and_in_parts(self, line: Chars) -> None:
        expected = b"\x03 and " + EVERYTHING
        self.type(line, expected)
        assert self.take(line, 3) == expected[:3]
        assert self.take(line, len(expected) - 3, piece=7) == expected[3:]
        assert line.take(100) == b""

    def test_input_that_arrives_is_told(self, line: Chars) -> None:
        heard = threading.Event()
        line.on_change = heard.set
        self.type(line, b"x")
        assert heard.wait(LONG)
        assert self.take(line, 1) == b"x"
        heard.clear()
        self.type(line, b"y")
        assert heard.wait(LONG)

    def test_much_input_waits_and_is_not_lost(self, line: Chars) -> None:
        data = EVERYTHING * 1000
        typist = threading.Thread(target=self.type, args=(line, data))
        typist.start()
        assert self.take(line, len(data), piece=5000) == data
        typist.join(LONG)
