"""Everything that the guest can see, put together from its configuration for one power-on."""

import os
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NoReturn

from vnb import boot, virtio
from vnb.agent import OUTPUT, PORT
from vnb.clock import NANOSECONDS_PER_TICK, TIMEBASE
from vnb.config import Config, Console, Transport
from vnb.config.console import Ports
from vnb.cpu.hart import Hart
from vnb.cpu.latch import Latch
from vnb.firmware import Sbi
from vnb.host.chars import Terminal
from vnb.memory import Memory
from vnb.platform.board import Board
from vnb.platform.uart import Register
from vnb.virtio import EmptySlot, MmioTransport, PciTransport, Port
from vnb.virtio.device import Post

VIRTUAL_EPOCH = 1_767_225_600 * 10**9
"""Nanoseconds since 1970 at power-on under the virtual clock: the first of January 2026."""

ENTROPY = 32
"""Bytes with which the guest's kernel seeds its random numbers."""

SUPERVISOR = 1
"""The privilege in which a kernel is entered; firmware and programs of their own begin in 3."""

LAST_WORDS = 1 << 14
"""Bytes of console output in which a kernel's panic is looked for."""


class PowerChange(Exception):
    """The guest asked to be powered off or started again: not an error, but a way out."""

    def __init__(self, action: str, code: int) -> None:
        super().__init__(action, code)
        self.action = action
        self.code = code


def change_power(action: str, code: int) -> NoReturn:
    """What syscon and SBI call: the instruction that asked is the guest's last one."""
    raise PowerChange(action, code)


class Backends:
    """What outlives a power cycle: the terminals, and what is behind each device, until closed."""

    def __init__(self, config: Config) -> None:
        self.terminal = Terminal()
        self.agent = Terminal(scrollback=OUTPUT)
        consoles = [device for device in config.devices if isinstance(device, Console)]
        self.size = (consoles[0].columns, consoles[0].rows) if consoles else (80, 25)
        self.by_name: dict[str, Any] = {}
        with ExitStack() as opened:
            for name, device in zip(config.names, config.devices, strict=True):
                self.by_name[name] = backend = device.open()
                if hasattr(backend, "close"):
                    opened.callback(backend.close)
            self._opened = opened.pop_all()
        self._begin = 0

    def mark(self) -> None:
        """A boot begins here."""
        self._begin = self.terminal.total

    def said(self) -> bytes:
        """The last that the console printed since this boot began."""
        return self.terminal.since(max(self._begin, self.terminal.total - LAST_WORDS))[0]

    def close(self) -> None:
        """Let go of the disks, networks and whatever else is behind a device."""
        self._opened.close()


class Line:
    """One of the lines that share a terminal: each prints there, only the `chosen` one is typed to.

    A guest's input belongs to the line that it opened last: a kernel on hvc0 has the UART open
    while it boots. As a driver opens hvc0 by the way when it finds it, that counts as open once
    something was printed there, or if the UART is not open.
    """

    def __init__(self, terminal: Terminal, is_open: Callable[[], bool]) -> None:
        self.output = terminal.output
        self.room = terminal.room
        self.is_open = is_open
        self.was_open = False
        self.chosen = False
        self._terminal = terminal

    def take(self, limit: int) -> bytes:
        """Input, if it is this line's."""
        return self._terminal.take(limit) if self.chosen else b""


def choose(lines: Sequence[Line]) -> None:
    """Give the terminal's input to the line opened last; while none is open, to the first one."""
    chosen = next((line for line in lines if line.chosen), lines[0])
    if not chosen.is_open():
        chosen = next((line for line in lines if line.is_open()), lines[0])
    for line in lines:
        if line.is_open() and not line.was_open:
            chosen = line
        line.was_open = line.is_open()
    for line in lines:
        line.chosen = line is chosen


class Watch:
    """Has `device` look at its backend, on the machine's thread, after the backend changed.

    However often it changes before the device looks, the device looks once.
    """

    def __init__(self, device: virtio.Device, post: Post) -> None:
        self._device = device
        self._post = post
        self._posted = False

    def __call__(self) -> None:
        if not self._posted:
            self._posted = True
            self._post(self._look)

    def _look(self) -> None:
        self._posted = False  # first: what changes from here on is another look
        self._device.poll()


class Hardware:
    """Memory, hart, board and devices with the image in place, ready to run.

    `post` has a function run on the machine's thread; any thread may call it.
    """

    def __init__(self, config: Config, backends: Backends, post: Post) -> None:
        self._virtual = config.clock == "virtual"
        self.memory = Memory(config.memory)
        self.hart = Hart(self.memory, engine=config.engine, clock=config.clock, jit=config.jit)
        self._lines = [Line(backends.terminal, lambda: self.board.uart.listening)]
        self.board = Board(
            self.memory,
            self.hart,
            on_power=change_power,
            terminal=self._lines[0],
            now=self._virtual_now if self._virtual else time.time_ns,
        )
        serial = self.board.serial.base
        self.board.uart.latch = Latch(
            self.hart.state, serial + Register.DATA, serial + Register.LSR
        )
        self.console: virtio.Console | None = None
        self.devices: dict[str, virtio.Device] = {}
        self._post = post
        self._seed = 0 if config.seed is None and self._virtual else config.seed
        for name, part in zip(config.names, config.devices, strict=True):
            device: virtio.Device
            backend = backends.by_name[name]
            if isinstance(part, Console):
                device = self._console(config, backends, part.terminals(), backend)
            else:
                device = part.device(backend, name, self._random(name))
                if hasattr(backend, "on_change"):
                    backend.on_change = Watch(device, post)
                if hasattr(backend, "patient"):  # when a disk answers must not decide anything
                    backend.patient = self._virtual
            self._attach(name, device, config.carrier(part))
        self.board.fill_slots(EmptySlot())
        self.sbi = Sbi(self.hart, self.memory, self.board.uart, change_power)
        self._hand_over(config)

    def poll(self) -> None:
        """Somebody may have typed, or output may have waited for company long enough."""
        choose(self._lines)
        self.board.poll()
        if self.console is not None:
            self.console.poll()

    def nap(self) -> float | None:
        """Seconds for which nothing will happen by itself; None if nothing ever will."""
        state = self.hart.state
        if (state.mip | state.lines) & state.mie:
            return 0  # what was polled a moment ago has raised an interrupt
        waits = [wait for wait in (self.hart.next_timer(), self.board.due()) if wait is not None]
        if not waits:
            return None
        if self._virtual:  # nobody waits: the time of the next event is now
            self.hart.set_mtime(self.hart.mtime + min(waits))
            return 0
        return min(waits) / TIMEBASE

    def resize(self, columns: int, rows: int, port: str = "") -> None:
        """The terminal at the console's port of this name has a new size, in characters."""
        if self.console is not None:
            self.console.resize(columns, rows, self._ports[port])

    def close(self) -> None:
        """Give the guest's memory back to the host, once no device reaches for it any more."""
        for device in self.devices.values():
            device.reset()
        self.memory.clear()

    def _console(
        self, config: Config, backends: Backends, terminals: Sequence[str], ports: Ports
    ) -> virtio.Console:
        def is_open() -> bool:
            return console.ready(0) and (console.talked(0) or not self.board.uart.listening)

        line = Line(backends.terminal, is_open)
        all_ports = [Port(line, console=True)]
        if config.image.agent:
            all_ports.append(Port(backends.agent, name=PORT))
        all_ports += [Port(chars, name, name in terminals) for name, chars in ports.items()]
        self._ports = {port.name: number for number, port in enumerate(all_ports)}
        self.console = console = virtio.Console(all_ports, *backends.size)
        for chars in ports.values():
            chars.on_change = Watch(console, self._post)
        self._lines.append(line)
        return console

    def _attach(self, name: str, device: virtio.Device, transport: Transport) -> None:
        device.stats.owner = name
        device.stats.instructions = partial(getattr, self.hart, "instret")
        self.devices[name] = device
        if transport == "pci":
            self.board.attach_pci(lambda line: PciTransport(device, self.memory, line, self._post))
        else:
            self.board.attach_virtio(
                lambda line: MmioTransport(device, self.memory, line, self._post)
            )

    def _random(self, purpose: str) -> Callable[[int], bytes]:
        """Where random bytes for this purpose come from: the host, or a stream of the seed."""
        if self._seed is None:
            return os.urandom
        return random.Random(f"{self._seed} {purpose}").randbytes

    def _hand_over(self, config: Config) -> None:
        """Load the image, and enter it as firmware does, or the firmware instead."""
        words = (part.append(name) for name, part in zip(config.names, config.devices, strict=True))
        entry = boot.place(
            config.image,
            self.memory,
            self.board,
            append=" ".join(filter(None, (config.append, *words))),
            firmware=config.firmware,
            seed=self._random("kernel")(ENTROPY),
        )
        self.hart.reset(entry.pc, mode=entry.mode, a0=entry.a0, a1=entry.a1, a2=entry.a2)
        if entry.mode == SUPERVISOR:
            self.sbi.prepare()

    def _virtual_now(self) -> int:
        return VIRTUAL_EPOCH + self.hart.mtime * NANOSECONDS_PER_TICK
