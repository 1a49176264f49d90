"""The console device: its ports carry characters between the guest and the host [virtio 5.3]."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vnb.errors import GuestError, UsageError
from vnb.virtio.device import Device
from vnb.virtio.queue import Chain, Queue
from vnb.words import number_from

QUEUE_SIZE = 128
MAX_PORTS = 32
WINDOW = 1 << 16
"""Characters that pass through host memory at a time, however large the guest's buffers are."""

# Features [virtio 5.3.3]
F_SIZE, F_MULTIPORT, F_EMERG_WRITE = 1 << 0, 1 << 1, 1 << 2

CONFIG = struct.Struct("<HHII")  # columns, rows, ports, emerg_wr [virtio 5.3.4]
EMERG_WR = 8

# Queues [virtio 5.3.2]: port 0 has the first two, the others follow the control queues.
CONTROL_RX, CONTROL_TX = 2, 3

# Control messages [virtio 5.3.6.2]: those of the driver have an odd word or none to add.
CONTROL = struct.Struct("<IHH")  # port, event, value
DEVICE_READY, PORT_ADD, PORT_REMOVE, PORT_READY = 0, 1, 2, 3
CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME = 4, 5, 6, 7
SIZE = struct.Struct("<HH")  # columns, rows: what follows RESIZE


class Chars(Protocol):
    """The host's end of a port."""

    def room(self) -> int:
        """Bytes of output that it takes now."""

    def output(self, data: bytes, /) -> None:
        """The guest wrote this; at most `room()` bytes of it."""

    def take(self, limit: int, /) -> bytes:
        """Input for the guest, at most `limit` bytes; b"" if there is none."""


@dataclass(frozen=True)
class Port:
    """One port: `name` is how the guest finds it, `console` makes it a terminal (hvc in Linux)."""

    chars: Chars
    name: str = ""
    console: bool = False


class _Line:
    """The state of one port while a driver uses it."""

    def __init__(self, port: Port, size: tuple[int, int]) -> None:
        self.port = port
        self.size = size
        self.close()

    def close(self) -> None:
        self.open = False  # whether someone in the guest listens and talks
        self.talked = False  # and has talked
        self.taken = b""  # input on its way that found no buffer yet
        self.sending: Chain | None = None  # output that the host has not yet room for


class Console(Device):
    """Ports between guest and host; port 0 is the console, the only one for a simple driver.

    Input waits on the host's side until the guest has opened the port and given buffers for it;
    output waits in the guest's buffers while the host has no room. `poll` moves what can move.
    """

    type = 3
    name = "console"

    def __init__(self, ports: Sequence[Port], columns: int = 80, rows: int = 25) -> None:
        if not 1 <= len(ports) <= MAX_PORTS:
            raise UsageError(f"ports: 1 to {MAX_PORTS} of them, not {len(ports)}")
        for port in ports:
            if not port.name.isprintable() or len(port.name.encode()) > 64:
                raise UsageError(f"name={port.name!r}: a port's name is a short printable text")
        size = _checked_size(columns, rows)
        self._lines = [_Line(port, size) for port in ports]
        # One message of each kind and port may wait for a buffer, so there are never many.
        self._messages: dict[tuple[int, int], bytes] = {}
        super().__init__(
            F_SIZE | F_MULTIPORT | F_EMERG_WRITE,
            [QUEUE_SIZE] * (2 * len(ports) + 2),
            CONFIG.pack(columns, rows, len(ports), 0),
        )

    def poll(self) -> None:
        """Input may be waiting, or room for output: move what the guest can accept or gave."""
        if self.live:
            self.run(self._move_all)

    def ready(self, port: int) -> bool:
        """Whether the guest has opened this port."""
        return self._lines[port].open

    def talked(self, port: int) -> bool:
        """Whether the guest has written to this port since it opened it."""
        return self._lines[port].talked

    def resize(self, columns: int, rows: int, port: int = 0) -> None:
        """The terminal at a console port has a new size, in characters; the guest is told.

        The size in the config space is that of port 0.
        """
        line = self._lines[port]
        line.size = _checked_size(columns, rows)
        if port == 0:
            self.change_config(CONFIG.pack(columns, rows, len(self._lines), 0))
        if self.live and self.negotiated(F_MULTIPORT) and line.port.console and line.open:
            self.run(self._send_size, port)

    def write_config(self, offset: int, size: int, value: int) -> None:
        """An emergency write: one character, from a driver in any state [virtio 5.3.5]."""
        if offset != EMERG_WR:
            return super().write_config(offset, size, value)
        self._lines[0].port.chars.output(bytes((value & 0xFF,)))
        self.stats.add("emergency writes")

    def activate(self) -> None:
        if not self.negotiated(F_MULTIPORT):
            self._lines[0].open = True

    def deactivate(self) -> None:
        self._messages.clear()
        for line in self._lines:
            line.close()

    def serve(self, index: int, queue: Queue) -> None:
        if index == CONTROL_RX:
            self._send()
        elif index == CONTROL_TX:
            for chain in queue:
                self._control(chain)
                queue.push(chain, 0)
        else:
            number = index // 2 - (index > CONTROL_TX)
            move = self._move_output if index & 1 else self._move_input
            move(number, self._lines[number])

    # Characters.

    def _move_all(self) -> None:
        for number, line in enumerate(self._lines):
            self._move_output(number, line)
            self._move_input(number, line)

    def _move_input(self, number: int, line: _Line) -> None:
        """From the host into buffers, while there are both."""
        queue = self.queue(_first_queue(number))
        if queue is None or not line.open:
            return
        while line.taken or (taken := line.port.chars.take(WINDOW)):
            line.taken = line.taken or taken
            chain = queue.pop()
            if chain is None:
                break
            part = line.taken[: chain.writer.available]
            chain.writer.write(part)
            line.taken = line.taken[len(part) :]
            queue.push(chain, len(part))
            self.stats.add("received", len(part), "bytes")

    def _move_output(self, number: int, line: _Line) -> None:
        """From buffers to the host, while there is something and room for it."""
        queue = self.queue(_first_queue(number) + 1)
        if queue is None:
            return
        while chain := line.sending or queue.pop():
            line.sending = chain
            while count := min(chain.reader.available, line.port.chars.room(), WINDOW):
                line.port.chars.output(chain.reader.read(count))
                line.talked = line.open
                self.stats.add("sent", count, "bytes")
            if chain.reader.available:
                break
            line.sending = None
            queue.push(chain, 0)

    # Control messages.

    def _control(self, chain: Chain) -> None:
        """The driver says something about a port, or that it is ready to hear of them all."""
        number, event, value = CONTROL.unpack(chain.reader.read(CONTROL.size))
        if event == DEVICE_READY:
            for port in range(len(self._lines)) if value else ():
                self._say(port, PORT_ADD)
        elif number >= len(self._lines):
            raise GuestError(f"a control message about port {number}")
        elif event == PORT_READY and value:
            self._introduce(number, self._lines[number].port)
        elif event == PORT_OPEN:
            self._lines[number].open = bool(value)
            self._lines[number].talked &= bool(value)
            self._move_input(number, self._lines[number])
        self._send()

    def _introduce(self, number: int, port: Port) -> None:
        """Tell a driver that knows of this port what it is."""
        if port.console:
            self._say(number, CONSOLE_PORT)
            self._say(number, RESIZE, SIZE.pack(*self._lines[number].size))
        if port.name:
            self._say(number, PORT_NAME, port.name.encode())
        self._say(number, PORT_OPEN)

    def _send_size(self, number: int) -> None:
        self._say(number, RESIZE, SIZE.pack(*self._lines[number].size))
        self._send()

    def _say(self, number: int, event: int, more: bytes = b"") -> None:
        self._messages[number, event] = CONTROL.pack(number, event, 1) + more

    def _send(self) -> None:
        """Send as many of the waiting messages as the driver has given buffers for."""
        queue = self.queue(CONTROL_RX)
        while self._messages and queue and (chain := queue.pop()):
            message = self._messages.pop(next(iter(self._messages)))
            chain.writer.write(message)
            queue.push(chain, len(message))


def _first_queue(number: int) -> int:
    """A port's receive queue; its transmit queue follows."""
    return 2 * number + 2 if number else 0


def _checked_size(columns: int, rows: int) -> tuple[int, int]:
    number_from(columns, "columns", 1, 0xFFFF)
    number_from(rows, "rows", 1, 0xFFFF)
    return columns, rows
