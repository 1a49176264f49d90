"""The machine's one thread: it alone touches what the guest can see; everybody else posts to it."""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Literal, TypeVar

from vnb.cpu.hart import ExitKind
from vnb.errors import GuestError, HostError, UsageError
from vnb.hardware import Hardware, PowerChange
from vnb.waiting import Answer, Bell

T = TypeVar("T")

State = Literal["new", "running", "paused", "off", "failed"]

BUDGET, ATTENTION, LOAD, STORE, SBI, WFI, BREAKPOINT = ExitKind
"""As names of this module: the loop asks thousands of times a second."""

SLICE = 1 << 24
"""Instructions in one entry of the hart; `attend()` makes it leave sooner."""

HANDOVER = 0.0005
"""Seconds that a cell which computes keeps the interpreter from the guest's devices: of Python's
own 5 ms, a guest that reads its disk would wait for each request, and a key at every thread that
it passes on its way to the page and back."""

LONGEST_SLEEP = 3600.0
"""Seconds; a guest may arm a timer for the next century, a host's condition may not."""

PATIENCE = 0.8
"""Seconds that `close()` gives the thread; a device stuck in the host's files takes longer."""


class Loop:
    """Runs the hardware that `build()` makes, and its inbox, on one daemon thread.

    `release()` is called once, at the end, when nothing touches the hardware any more.
    """

    def __init__(
        self, build: Callable[[], Hardware], release: Callable[[], None], bell: Bell
    ) -> None:
        self.state: State = "new"
        self.exit_code: int | None = None
        self.stopped_at: int | None = None  # the breakpoint that it paused in front of
        self.failure: Exception | None = None
        self.asleep = 0.0  # seconds of running time that the guest spent in WFI
        self._build = build
        self._release = release
        self._bell = bell
        self._hardware: Hardware | None = None
        self._inbox: deque[Callable[[], object]] = deque()
        self._mail = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._over = False  # nothing that is posted will be done any more
        self._ran = 0.0
        self._since = 0.0
        self._frozen = 0

    # What any thread may ask for

    @property
    def hardware(self) -> Hardware:
        """The parts that the guest can see; made when first needed, and again at each reset."""
        if self._hardware is None:
            self._check_open()
            self._hardware = self._build()
        return self._hardware

    @property
    def powered(self) -> bool:
        """Whether there is hardware to look at."""
        return self._hardware is not None

    @property
    def uptime(self) -> float:
        """Seconds that the guest has been running since it was last powered on."""
        running = time.monotonic() - self._since if self.state == "running" else 0.0
        return self._ran + running

    def start(self) -> None:
        """Power on, or go on after a pause."""
        self.check()
        self._check_open()
        with self._mail:
            if self._thread is None:
                _ = self.hardware  # made in this thread: its progress belongs to this cell
                sys.setswitchinterval(min(HANDOVER, sys.getswitchinterval()))
                self._thread = threading.Thread(target=self._serve, name="vnb-machine", daemon=True)
                self._thread.start()
        self.call(self._start)

    def pause(self) -> None:
        """Stop the guest's time where it is."""
        self.check()
        if self.state == "running":
            self.call(self._pause)

    def resume(self) -> None:
        """Go on after a pause."""
        self.check()
        if self.state not in ("running", "paused"):
            raise UsageError(f"resume: the machine is {self.state}, not paused; use start()")
        self.call(self._start)

    def reset(self) -> None:
        """Start over from the image with empty RAM; a paused machine stays paused."""
        self.check()
        self._check_open()
        if self.state != "new":
            self.call(self._reset)

    def stop(self) -> None:
        """Take the power away, as pulling the plug does."""
        if self.state in ("running", "paused"):
            self.call(self._stop)

    def close(self) -> None:
        """End the thread and release what the machine held; a second time does nothing."""
        if self._closing:
            return
        self._closing = True
        if self._thread is None:
            self._end()
            return
        self.post(lambda: None)
        if threading.current_thread() is not self._thread:
            self._thread.join(PATIENCE)

    def post(self, function: Callable[[], object]) -> None:
        """Have `function` run on the machine's thread soon (≤ ~0.2 ms after its present exit)."""
        self._inbox.append(function)
        hardware = self._hardware  # looked at once: it may go meanwhile
        if hardware is not None:
            hardware.hart.attend()
        with self._mail:
            self._mail.notify()

    def call(self, function: Callable[[], T]) -> T:
        """What `function()` returns or raises, run on the machine's thread."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return function()
        future: Future[T] = Future()

        def work() -> None:
            with Answer(future):
                future.set_result(function())
            self._bell.ring()

        self.post(work)
        self._bell.wait(lambda: future.done() or self._over or None)
        if not future.done():
            raise UsageError("the machine is closed; make a new Machine")
        return future.result()

    def break_at(self, addresses: Sequence[int]) -> None:
        """Breakpoints are others now; without hardware, those of the next are made with them."""
        if self.powered:
            self.call(lambda: self.hardware.hart.breakpoints.replace(addresses))

    def poll(self) -> None:
        """Somebody typed: have the devices look, at the next exit."""
        if self.state in ("running", "paused"):
            self.post(lambda: self.hardware.poll())

    def ended(self) -> str | None:
        """In words why the guest does nothing more, if so."""
        match self.state:
            case "failed":
                return f"the machine failed ({self.failure!r})"
            case "off" if self.exit_code is not None:
                return f"the guest powered off (exit code {self.exit_code})"
            case "off" | "new":
                return f"the machine is {self.state}"
        return None

    def check(self) -> None:
        """Raise what the machine's thread died of, if it did."""
        if self.failure is not None:
            raise HostError(f"the machine failed: {self.failure!r}") from self.failure

    def _check_open(self) -> None:
        if self._closing:
            raise UsageError("the machine is closed; make a new Machine")

    # What only the machine's thread does

    def _start(self) -> None:
        if self.state == "off":
            self._power_on()
        if self.state in ("new", "paused"):
            self.hardware.hart.set_mtime(self._frozen)
        self._become("running")

    def _pause(self, at: int | None = None) -> None:
        if self.state == "running":
            self._frozen = self.hardware.hart.mtime
            self._become("paused", at)

    def _reset(self) -> None:
        self._power_on()
        self._frozen = self.hardware.hart.mtime
        self._become("paused" if self.state == "paused" else "running")

    def _power_on(self) -> None:
        """Every part anew, over the same disks and terminals."""
        fresh = self._build()
        old, self._hardware = self._hardware, fresh
        if old is not None:
            old.close()
        self.exit_code = None
        self.asleep = self._ran = 0.0
        self._since = time.monotonic()

    def _stop(self) -> None:
        if self.state in ("running", "paused"):  # or the guest was quicker, and had a code
            self._power_off(None)

    def _power_off(self, code: int | None) -> None:
        self.exit_code = code
        self._become("off")

    def _obey(self, change: PowerChange) -> None:
        self.hardware.poll()  # lets the guest's last words out
        if change.action == "reboot":
            self._power_on()
        else:
            self._power_off(change.code)

    def _become(self, state: State, at: int | None = None) -> None:
        now = time.monotonic()
        if self.state == "running":
            self._ran += now - self._since
        self._since = now
        self.state, self.stopped_at = state, at
        self._bell.ring()

    def _serve(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception as error:  # the only such line: whatever it was, the cells must see it
                self.failure = error
                self._become("failed")
        self._end()

    def _turn(self) -> None:
        """Everything in the inbox, then the guest or, if it is not to run, sleep."""
        while self._inbox and not self._closing:
            self._inbox.popleft()()
        if self._closing:
            return
        if self.state != "running":
            self._sleep(None)
            return
        try:
            self._run()
        except PowerChange as change:
            self._obey(change)

    def _run(self) -> None:
        """Run the hart and serve its exits until there is something in the inbox."""
        hardware, inbox = self.hardware, self._inbox
        hart, bus = hardware.hart, hardware.board.bus
        run, access, read, write = hart.run, hart.access, bus.read, bus.write
        serve_call = hardware.sbi.call
        while not inbox:
            kind = run(SLICE)
            if kind is STORE:
                try:
                    write(access.address, access.size, access.value)
                except GuestError:
                    hart.access_fault()
                else:
                    hart.complete_store()
            elif kind is LOAD:
                try:
                    value = read(access.address, access.size)
                except GuestError:
                    hart.access_fault()
                else:
                    hart.complete_load(value)
            elif kind is SBI:
                serve_call()
            elif kind is WFI:
                hardware.poll()
                self._doze()
            elif kind is BUDGET:
                hardware.poll()
            elif kind is BREAKPOINT:
                hardware.poll()  # lets out what the guest said before
                self._pause(at=hart.pc)
                return

    def _doze(self) -> None:
        """The guest waits for an interrupt: so does this thread."""
        seconds = self.hardware.nap()
        began = time.monotonic()
        self._sleep(None if seconds is None else min(seconds, LONGEST_SLEEP))
        self.asleep += time.monotonic() - began

    def _sleep(self, seconds: float | None) -> None:
        with self._mail:
            if not self._inbox:
                self._mail.wait(seconds)

    def _end(self) -> None:
        if self.state != "failed":
            self._become("off")
        if self._hardware is not None:
            self._hardware.close()
            self._hardware = None
        self._release()
        self._over = True
        self._bell.ring()
