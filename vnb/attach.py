"""Your terminal and the guest's console, joined until the guest is off or you leave."""

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vnb.machine import Machine
from vnb.waiting import Deadline

STDIN, STDOUT = 0, 1

PREFIX = 0x01  # Ctrl-A
HELP = (
    "\r\n"
    "Ctrl-A x       leave, and take the machine's power away\r\n"
    "Ctrl-A h       this help\r\n"
    "Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n"
)

TIMED_OUT = 124
"""The exit status of a run that `timeout` ended, as of timeout(1)."""

AHEAD = 1 << 16
"""Bytes of input that may wait for the guest before the rest has to wait in its pipe."""


class Keys:
    """What is typed, sorted into what the guest gets and what is for us."""

    def __init__(self) -> None:
        self._prefixed = False

    def typed(self, data: bytes) -> tuple[bytes, str]:
        """The guest's part of `data`, and our commands in order: "h" and "x"."""
        guest, ours = bytearray(), ""
        for byte in data:
            if not self._prefixed:
                self._prefixed = byte == PREFIX
                if not self._prefixed:
                    guest.append(byte)
                continue
            self._prefixed = False
            if byte == PREFIX:
                guest.append(byte)
            elif chr(byte).lower() in "xh":
                ours += chr(byte).lower()
        return bytes(guest), ours


class Attachment:
    """Standard input goes to `machine`'s console and its output to standard output."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._keys = Keys()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self, timeout: float | None = None) -> int:
        """The exit status of it all: the guest's code, 0 after Ctrl-A x, 124 after `timeout`."""
        deadline = Deadline(timeout)
        printer = threading.Thread(target=self._print, name="vnb-print", daemon=True)
        with raw(STDIN), self._resizing():
            printer.start()
            try:
                status = self._type(deadline)
            finally:
                if self._machine.state != "failed":
                    self._machine.stop()
                printer.join(1)
        return status if status is not None else exit_status(self._machine.wait())

    def _print(self) -> None:
        """Everything the guest prints, until it is off."""
        console = self._machine.console
        try:
            with console.follow():
                while text := console.read(timeout=None):
                    write_all(STDOUT, text.encode())
        except BrokenPipeError:
            self._machine.stop()
        os.write(self._wake, b"o")

    def _type(self, deadline: Deadline) -> int | None:
        """Hand input on; None once the guest is off, else the exit status of leaving early."""
        sources = [STDIN, self._woken]
        console = self._machine.console
        while deadline.left() != 0:
            full = console.waiting > AHEAD
            ready, _, _ = select.select(
                [self._woken] if full else sources, [], [], 0.02 if full else deadline.left()
            )
            if self._woken in ready:
                if b"o" in os.read(self._woken, 64):
                    return None
                console.resize(*window())
            if STDIN in ready:
                data = os.read(STDIN, 4096)
                if not data:
                    sources.remove(STDIN)
                guest, ours = self._keys.typed(data)
                if guest:
                    console.write(guest)
                if "h" in ours:
                    write_all(STDOUT, HELP.encode())
                if "x" in ours:
                    return 0
        return TIMED_OUT

    @contextmanager
    def _resizing(self) -> Iterator[None]:
        """Meanwhile the guest hears of the window's size."""

        def changed(number: int, frame: FrameType | None) -> None:
            os.write(self._wake, b"w")

        before = signal.signal(signal.SIGWINCH, changed)
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)


@contextmanager
def raw(fd: int) -> Iterator[None]:
    """Meanwhile the terminal hands on every key as it is; afterwards it is as it was."""
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    # A SIGTERM must come by the `finally` as well.
    ended = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        tty.setraw(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        signal.signal(signal.SIGTERM, ended)


def window() -> tuple[int, int]:
    """Columns and rows of the terminal that standard output is; 80 and 24 where it is none.

    What COLUMNS and LINES say does not count: they do not change with the window.
    """
    try:
        return os.get_terminal_size(STDOUT)
    except OSError:
        return 80, 24


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, however little the other end takes at a time."""
    while data:
        data = data[os.write(fd, data) :]


def exit_status(code: int | None) -> int:
    """A guest's exit code as a process can say it: what does not fit a byte is 255, never 0."""
    return min(code or 0, 255)
