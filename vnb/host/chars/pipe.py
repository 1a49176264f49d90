"""Characters to and from descriptors of the host: pipes, sockets, files, and its own terminal."""

import contextlib
import os
import select
import sys
import termios
import threading
import tty
from typing import IO, Any

from vnb.errors import UsageError
from vnb.host.chars.chars import Chars

LIMIT = 1 << 16
"""Bytes that wait on the host in each direction; the rest waits with who sends it."""

PIECE = 512
"""Bytes written at a time: so many fit a pipe or a terminal that says it is ready, without wait."""

PATIENCE = 0.3
"""Seconds for which `close` waits for the other side to take what was still on its way."""


class Pipe(Chars):
    """What the guest writes goes to `output`, what arrives at `input` is typed to the guest.

    Each is a descriptor, or anything with `fileno()`, or None; they stay the caller's to close.
    A thread moves the bytes, at most `limit` on their way in each direction. An `input` that ends
    is silent from then on; what can no longer be written, because the reader is gone, is counted
    in `lost`.
    """

    def __init__(
        self,
        input: int | IO[Any] | None = None,
        output: int | IO[Any] | None = None,
        limit: int = LIMIT,
    ) -> None:
        if input is None and output is None:
            raise UsageError("Pipe: give an input, an output, or both")
        if limit < 1:
            raise UsageError(f"limit={limit!r}: limit is a number of bytes, 1 or more")
        self._input = _descriptor(input, "input")
        self._output = _descriptor(output, "output")
        self._limit = limit
        self._change = threading.Condition()
        self._arrived = bytearray()
        self._leaving = bytearray()
        self._starved = False  # the guest was told that there is no room
        self._thread: threading.Thread | None = None
        self._closing = False
        self._wake = -1
        self.lost = 0
        """Bytes of output that nobody was there to take."""

    def open(self) -> None:
        with self._change:
            if self._thread is not None:
                raise UsageError(f"{self!r} is in use by another machine")
            woken, self._wake = os.pipe()
            os.set_blocking(self._wake, False)
            self._closing = False
            self._thread = threading.Thread(
                target=self._move, args=(woken,), name="vnb-chars", daemon=True
            )
        self._thread.start()

    def close(self) -> None:
        with self._change:
            thread = self._thread
            if thread is None:
                return
            self._change.wait_for(lambda: not self._leaving, PATIENCE)
            self._closing = True
            self._ring()
        thread.join()
        with self._change:
            os.close(self._wake)
            self._wake = -1  # the host may give the number to another file now
            self._thread = None

    def room(self) -> int:
        with self._change:
            free = self._limit - len(self._leaving)
            self._starved = free <= 0
        return free

    def output(self, data: bytes) -> None:
        with self._change:
            if self._output is None:
                self.lost += len(data)
                return
            self._leaving += data
            self._ring()

    def take(self, limit: int) -> bytes:
        with self._change:
            data = bytes(self._arrived[:limit])
            if data:
                del self._arrived[:limit]
                self._ring()
        return data

    def _ring(self) -> None:
        """Have the thread look again what there is to wait for."""
        with contextlib.suppress(OSError):  # no thread is there, or was rung often enough
            os.write(self._wake, b"!")

    # The thread.

    def _move(self, woken: int) -> None:
        try:
            while not self._closing:
                ready = self._wait(woken)
                if ready.get(woken):
                    os.read(woken, 4096)
                changed = False
                if self._output is not None and ready.get(self._output, 0) & ~select.POLLIN:
                    changed |= self._send(self._output)
                if self._input is not None and ready.get(self._input, 0) & ~select.POLLOUT:
                    changed |= self._receive(self._input)
                if changed:
                    self._changed()
        finally:
            os.close(woken)

    def _wait(self, woken: int) -> dict[int, int]:
        """Which descriptors have something to be done, once there is one."""
        events = {woken: select.POLLIN}
        with self._change:
            if self._input is not None and len(self._arrived) < self._limit:
                events[self._input] = select.POLLIN
            if self._output is not None and self._leaving:
                events[self._output] = events.get(self._output, 0) | select.POLLOUT
        waiting = select.poll()
        for descriptor, event in events.items():
            waiting.register(descriptor, event)
        found = dict(waiting.poll())
        return {descriptor: event for descriptor, event in found.items() if descriptor in events}

    def _send(self, output: int) -> bool:
        """Write a piece; whether the guest has been waiting for the room that this made."""
        with self._change:
            piece = bytes(self._leaving[:PIECE])
        if not piece:
            return False
        try:
            count = os.write(output, piece)
        except BlockingIOError:
            return False
        except OSError:
            self._output = None  # who read there is gone
        with self._change:
            if self._output is None:
                self.lost += len(self._leaving)
                self._leaving.clear()
            else:
                del self._leaving[:count]
            self._change.notify_all()
            enough = self._starved and 2 * len(self._leaving) <= self._limit
            self._starved &= not enough
        return enough

    def _receive(self, input: int) -> bool:
        """Read what fits; whether there was nothing before, so that the guest has to be told."""
        try:
            data = os.read(input, self._limit - len(self._arrived))
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._input = None
            return False
        with self._change:
            first = not self._arrived
            self._arrived += data
        return first

    def __repr__(self) -> str:
        return f"Pipe({self._input}, {self._output})"


class HostTerminal(Pipe):
    """The terminal in which this Python runs, handed to the guest key by key until closed.

    Ctrl-C goes to the guest too: have another way to end the program.
    """

    def __init__(self) -> None:
        super().__init__(sys.__stdin__, sys.__stdout__)
        self._before: list[Any] | None = None

    def open(self) -> None:
        super().open()
        if self._input is not None and os.isatty(self._input):
            self._before = termios.tcgetattr(self._input)
            tty.setraw(self._input)

    def close(self) -> None:
        super().close()
        if self._before is not None and self._input is not None:
            termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)
            self._before = None

    def __repr__(self) -> str:
        return "HostTerminal()"


def _descriptor(file: int | IO[Any] | None, name: str) -> int | None:
    if file is None or isinstance(file, int):
        return file
    try:
        return file.fileno()
    except (AttributeError, OSError, ValueError) as error:
        raise UsageError(f"{name}={file!r}: {name} is a file of the host, or None") from error
