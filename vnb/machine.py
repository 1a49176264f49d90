"""A computer for a cell: what it is made of, its power button, its console and its shell."""

import itertools
import sys
import weakref
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from os import PathLike
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from vnb import images
from vnb.agent import SESSION, Agent, Result
from vnb.aio import Aio
from vnb.bus import Bus
from vnb.clock import ClockName
from vnb.config import Console, Engine, Part, Transport, check, in_words
from vnb.console import ConsoleSession
from vnb.cpu.breakpoints import Breakpoints
from vnb.cpu.hart import Hart, TranslatorName
from vnb.errors import UsageError
from vnb.hardware import Backends, Hardware
from vnb.host.chars import Terminal
from vnb.loop import Loop, State
from vnb.memory import Memory
from vnb.panel import Panel
from vnb.tally import Tally
from vnb.waiting import Bell

if TYPE_CHECKING:
    from vnb.cpu.jit.report import Report

T = TypeVar("T")

PANIC = b"Kernel panic - not syncing"
BLOCKING = (
    "start", "pause", "resume", "reset", "stop", "close", "wait", "reached", "shell", "memory_hash",
)  # fmt: skip


class Machine:
    """A RISC-V computer that runs in a background thread of this process.

    `image` is what it boots (default: the embedded `images.labos()`), `memory` its RAM ("256M",
    "1G" or bytes), `devices` a list such as [Console(), Disk(…)], `append` more of the kernel's
    command line, `firmware` a firmware image to run instead of the built-in SBI. With
    `clock="virtual"` time is counted in instructions, so that two runs are the same; `seed` is
    where the guest's randomness starts. `engine` is "llvm", "numba", "python" or "auto".
    `transport` carries the devices that do not say otherwise: "mmio" or "pci". `jit` says whether
    guest code that runs often is translated to code of the host: "auto", "off" or, for tests,
    "eager".

    UsageError names the argument that is wrong; HostError says what the host refused. As a
    context manager it starts, and is closed at the end; so is one that nobody refers to.
    """

    def __init__(
        self,
        image: images.Image | None = None,
        memory: int | str = "256M",
        devices: Sequence[Part] | None = None,
        append: str = "",
        board: str = "virt",
        firmware: str | PathLike[str] | None = None,
        clock: ClockName = "real",
        engine: Engine = "auto",
        seed: int | None = None,
        transport: Transport = "mmio",
        jit: TranslatorName = "auto",
    ) -> None:
        if image is None:
            image = images.labos()
        config = check(
            image, memory, devices, append, board, firmware, clock, engine, seed, transport, jit
        )
        backends = Backends(config)
        bell = Bell()
        # No closure from here on may hold `self`: a machine that nobody refers to must end.
        agent = Agent(backends.agent, bell, lambda: trouble(loop, backends), config.clock == "real")

        def build() -> Hardware:
            agent.restart()
            backends.mark()
            hardware = Hardware(config, backends, loop.post)
            hardware.hart.breakpoints.replace(breakpoints)
            return hardware

        loop = Loop(build, backends.close, bell)
        self.breakpoints = breakpoints = Breakpoints(loop.break_at)
        """Virtual addresses, `machine.breakpoints.add(0x8020_0000)`: the machine pauses in front of
        the instruction there, whichever process comes to it, and `resume()` goes on past it."""
        for terminal in (backends.terminal, backends.agent):
            terminal.on_change = loop.poll
        backends.agent.on_output = bell.ring
        self.config = config

        def session(terminal: Terminal, port: str) -> ConsoleSession:
            def resize(columns: int, rows: int) -> None:
                Console(columns, rows)  # says what is wrong with them, if anything
                if not port:
                    backends.size = (columns, rows)
                loop.call(lambda: loop.hardware.resize(columns, rows, port))

            terminal.on_output = bell.ring
            return ConsoleSession(terminal, bell, loop.ended, resize)

        self.console = session(backends.terminal, "")
        self.consoles: Mapping[str, ConsoleSession] = {"": self.console} | {
            name: session(end, name)
            for name, end in backends.by_name.get("console", {}).items()
            if isinstance(end, Terminal)
        }
        """The console, and those at its ports where the cell put a Terminal, by their names."""
        self.devices: Mapping[str, Any] = MappingProxyType(backends.by_name)
        """What is behind each device, by the name that the guest has for it: `devices["vda"]`."""
        self._agent = agent
        self._backends = backends
        self._face: Any = None  # its widgets, once a notebook shows it
        self.resting = False
        """Paused because nobody looked at it or used it; whoever does either wakes it."""
        self._bell = bell
        self._loop = loop
        self._finalizer = weakref.finalize(self, loop.close)  # also when Python exits

    # The power button

    def start(self) -> Self:
        """Power on, or go on after a pause; a running machine just runs on."""
        self._loop.start()
        _starts[self] = next(_count)
        return self

    def pause(self) -> None:
        """Stop the guest, and its time, where it is; nothing happens to one that is not running."""
        self._loop.pause()

    def resume(self) -> None:
        """Go on after a pause; UsageError if the machine is off."""
        self.resting = False
        self._loop.resume()

    def reset(self) -> None:
        """Start over with empty RAM and the image placed again; a paused machine stays paused."""
        self._loop.reset()

    def stop(self) -> None:
        """Take the power away, as pulling the plug does; `start()` begins again."""
        self._loop.stop()

    def close(self) -> None:
        """Stop, end the thread (within a second) and release memory and disks, for good."""
        self._loop.close()

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait until the machine is off: its exit code, or None if `stop()` took the power.

        TimeoutError after `timeout` seconds; HostError if the machine failed.
        """
        if self.state == "new":
            raise UsageError("wait: the machine was never started; use start()")
        off = self._bell.wait(lambda: self.state in ("off", "failed") or None, timeout)
        self._loop.check()
        if off is None:
            raise TimeoutError(f"the machine is still {self.state} after {timeout} s")
        return self.exit_code

    def reached(self, timeout: float | None = None) -> int:
        """Wait until the machine pauses at one of its breakpoints: the address.

        TimeoutError after `timeout` seconds; EOFError if the machine is off; HostError if it
        failed.
        """
        loop = self._loop
        self._bell.wait(lambda: loop.ended() if loop.stopped_at is None else "there", timeout)
        loop.check()
        if (address := loop.stopped_at) is not None:
            return address
        if ended := loop.ended():
            raise EOFError(f"{ended}, and reached no breakpoint")
        raise TimeoutError(f"no breakpoint was reached within {timeout} s")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if error is None:
            self._loop.check()

    # Its shell, and what else a cell may do with it

    def shell(
        self,
        command: str,
        timeout: float | None = None,
        check: bool = False,
        on_output: Callable[[bytes], None] | None = None,
        session: bool = False,
    ) -> Result:
        """Run `command` with the guest's `sh -c`, and wait for its output and status.

        Waits first for the guest to boot. After `timeout` seconds the command is interrupted and
        TimeoutError says what it printed; Ctrl-C interrupts it too, and the machine runs on. With
        `check`, a status other than 0 raises CommandFailed. `on_output` is called with output as
        it comes, and a guest that prints faster than that returns waits. In a `session` Linux
        guests keep directory, variables and umask for the next command in one. GuestError if the
        guest powers off or panics meanwhile; UsageError if the image has no shell agent.
        """
        if not self.config.image.agent:
            raise UsageError(
                f"shell: image {self.config.image.name!r} has no shell agent; talk to the guest"
                " through machine.console, or boot images.debian()"
            )
        if not any(isinstance(device, Console) for device in self.config.devices):
            raise UsageError("shell: devices has no Console(), which carries the shell's port")
        self._loop.check()
        if self.resting:
            self.resume()
        prelude = SESSION if session and self.config.image.kind == "linux" else ""
        return self._agent.run(command, timeout, check, on_output, prelude)

    def call(self, function: Callable[[], T]) -> T:
        """What `function()` returns, run on the machine's thread between two instructions."""
        return self._loop.call(function)

    def memory_hash(self) -> str:
        """The SHA-256 of all RAM, in hexadecimal."""
        return self.call(self.memory.sha256)

    @property
    def aio(self) -> Aio:
        """Every blocking method as a coroutine: `await machine.aio.shell("make")`."""
        console = Aio(self.console, self._bell, ("read", "write", "expect"))
        return Aio(self, self._bell, BLOCKING, console=console)

    # What there is to see

    @property
    def state(self) -> State:
        """In one word: "new", "running", "paused", "off" or "failed"."""
        return self._loop.state

    @property
    def exit_code(self) -> int | None:
        """What the guest powered off with; None if it did not."""
        return self._loop.exit_code

    @property
    def uptime(self) -> float:
        """Seconds since power-on, without pauses."""
        return self._loop.uptime

    @property
    def console_size(self) -> tuple[int, int]:
        """Columns and rows of the console, in characters."""
        return self._backends.size

    @property
    def hart(self) -> Hart:
        """The processor: `hart.pc`, `hart.x[10]`, `hart.csr("satp")`; pause for a still picture."""
        return self._loop.hardware.hart

    @property
    def jit(self) -> "Report | None":
        """What the translator did so far, and how long the hart was in each tier; None if off."""
        translator = self.hart.translator
        return None if translator is None else translator.report()

    @property
    def memory(self) -> Memory:
        """The guest's RAM, by physical address."""
        return self._loop.hardware.memory

    @property
    def bus(self) -> Bus:
        """The address map: which device answers where."""
        return self._loop.hardware.board.bus

    @property
    def instructions(self) -> int:
        """Instructions retired since power-on."""
        return self.hart.instret

    @property
    def mips(self) -> float:
        """Millions of instructions in a second, of the seconds that the guest was not asleep."""
        busy = self.uptime - self._loop.asleep
        return self.instructions / busy / 1e6 if busy > 0 else 0.0

    @property
    def stats(self) -> Tally:
        """What each device has counted, live; `stats.plot()` draws the disks' throughput."""
        devices = self._loop.hardware.devices
        return Tally({name: device.stats for name, device in devices.items()})

    def __repr__(self) -> str:
        return f"<Machine {self.config.image.name}: {self.state}>"

    def watch(self) -> Any:
        """A widget that plots its statistics, once a second while it can be seen."""
        return import_module("vnb.widgets.live").LivePlot(self)

    def _ipython_display_(self) -> None:
        """Live in a notebook: its panel and its console; elsewhere, what it looks like now."""
        if not in_notebook():
            raise NotImplementedError  # IPython then takes the next best
        if self._face is None:
            # By name, because widgets look at machines and not the other way round.
            self._face = import_module("vnb.widgets.face").Face(self)
        self._face.show()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        panel = self.facts()
        return {"text/plain": panel.text(), "text/html": panel.html()}

    def facts(self) -> Panel:
        """What its panel shows."""
        loop, config = self._loop, self.config
        rows = [
            ("memory", in_words(config.memory)),
            ("devices", ", ".join(map(str, config.devices)) or "none"),
            ("clock, engine", f"{config.clock}, {config.engine}"),
        ]
        if self.state != "new" and loop.powered:
            rows.insert(0, ("uptime", f"{self.uptime:.1f} s"))
            rows.insert(1, ("instructions", f"{self.instructions:,} ({self.mips:.0f} MIPS)"))
        return Panel(
            title=f"vnb · {config.image.name}",
            state=self.state,
            note=repr(loop.failure) if loop.failure else self._why(),
            rows=tuple(rows),
            console=self.console.tail(),
        )

    def _why(self) -> str:
        """Why it does nothing more, if that was the guest's doing, or a breakpoint's."""
        if (address := self._loop.stopped_at) is not None:
            return f"at breakpoint {address:#x}"
        return "" if self.exit_code is None else f"exit code {self.exit_code}"


_starts: "weakref.WeakKeyDictionary[Machine, int]" = weakref.WeakKeyDictionary()
_count = itertools.count()


def last_started() -> Machine | None:
    """Of the machines that are on, the one whose start was the last; None where none is."""
    powered = [machine for machine in _starts if machine.state in ("running", "paused")]
    return max(powered, key=_starts.__getitem__, default=None)


def in_notebook() -> bool:
    """Whether a kernel runs this cell, so that there is a page to show widgets on."""
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")


def trouble(loop: Loop, backends: Backends) -> str | None:
    """In words, why a guest will not answer its shell's port any more, if so."""
    if ended := loop.ended():
        return ended
    if loop.state == "paused":
        at = "" if loop.stopped_at is None else f" at breakpoint {loop.stopped_at:#x}"
        return f"the machine is paused{at}"
    if PANIC in backends.said():
        return "the guest's kernel panicked"
    return None
