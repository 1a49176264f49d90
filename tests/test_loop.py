"""The machine's thread, over hardware that is played by the test: its states and its honesty."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from vnb.bus import BusFault
from vnb.cpu.hart import ExitKind
from vnb.errors import HostError, UsageError
from vnb.hardware import change_power
from vnb.loop import HANDOVER, Loop
from vnb.waiting import Bell, Deadline


class FakeHart:
    """A hart whose exits are `script`; afterwards it spins, as a guest may, until attended."""

    def __init__(self, script: list[ExitKind]) -> None:
        self.script = script
        self.access = SimpleNamespace(address=0x1000, size=4, value=7)
        self.completed: list[Any] = []
        self.mtime = 100
        self.runs = 0
        self._attention = threading.Event()

    def run(self, budget: int) -> ExitKind:
        self.runs += 1
        if self._attention.is_set():
            self._attention.clear()
            return ExitKind.ATTENTION
        if self.script:
            return self.script.pop(0)
        self._attention.wait(1)
        return ExitKind.BUDGET

    def attend(self) -> None:
        self._attention.set()

    def set_mtime(self, ticks: int) -> None:
        self.mtime = ticks

    def complete_load(self, value: int) -> None:
        self.completed.append(value)

    def complete_store(self) -> None:
        self.completed.append("stored")

    def access_fault(self) -> None:
        self.completed.append("fault")


class FakeBus:
    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, address: int, size: int) -> int:
        return 42

    def write(self, address: int, size: int, value: int) -> None:
        self.written.append((address, size, value))


class FakeHardware:
    def __init__(self, *script: ExitKind) -> None:
        self.hart = FakeHart(list(script))
        self.board = SimpleNamespace(bus=FakeBus())
        self.nap: Callable[[], float | None] = lambda: None
        self.sbi = SimpleNamespace(call=lambda: None)
        self.polls = 0
        self.closed = False

    def poll(self) -> None:
        self.polls += 1

    def close(self) -> None:
        self.closed = True


class Rig:
    """A loop over hardware made by `make`, and all the hardware that was made."""

    def __init__(self, make: Callable[[], FakeHardware]) -> None:
        self.made: list[FakeHardware] = []
        self.released = 0
        self.bell = Bell()

        def build() -> Any:
            self.made.append(make())
            return self.made[-1]

        def release() -> None:
            self.released += 1

        self.loop = Loop(build, release, self.bell)

    def until(self, state: str, seconds: float = 5) -> None:
        self.bell.wait(lambda: self.loop.state == state or None, seconds)
        assert self.loop.state == state

    def settle(self) -> None:
        self.loop.call(lambda: None)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    rigs = []

    def make(hardware: Callable[[], FakeHardware] = FakeHardware) -> Rig:
        rigs.append(Rig(hardware))
        return rigs[-1]

    yield make
    for each in rigs:
        each.loop.close()


Make = Callable[..., Rig]


def test_the_states_have_their_names(rig: Make) -> None:
    loop = rig().loop
    assert loop.state == "new"
    loop.start()
    assert loop.state == "running"
    loop.pause()
    assert loop.state == "paused"
    loop.resume()
    assert loop.state == "running"
    loop.stop()
    assert loop.state == "off"
    loop.start()
    assert loop.state == "running"
    loop.close()
    assert loop.state == "off"


def test_doing_it_twice_is_doing_it_once(rig: Make) -> None:
    it = rig()
    for twice in (it.loop.start, it.loop.pause, it.loop.resume, it.loop.stop, it.loop.close):
        twice()
        state = it.loop.state
        twice() if twice != it.loop.resume else None
        assert it.loop.state == state
    assert (len(it.made), it.released) == (1, 1)


def test_a_machine_that_is_off_cannot_be_resumed_but_started(rig: Make) -> None:
    it = rig()
    with pytest.raises(UsageError, match=r"new.*start\(\)"):
        it.loop.resume()
    it.loop.start()
    it.loop.stop()
    with pytest.raises(UsageError, match=r"off.*start\(\)"):
        it.loop.resume()
    it.loop.start()
    assert len(it.made) == 2
    assert it.made[0].closed


def test_a_closed_machine_says_so(rig: Make) -> None:
    loop = rig().loop
    loop.start()
    loop.close()
    for late in (loop.start, loop.reset, lambda: loop.call(lambda: None), lambda: loop.hardware):
        with pytest.raises(UsageError, match="closed"):
            late()


def test_reset_makes_all_hardware_anew_and_keeps_a_pause(rig: Make) -> None:
    it = rig()
    it.loop.reset()
    assert (it.loop.state, it.made) == ("new", [])
    it.loop.start()
    it.loop.reset()
    assert (it.loop.state, len(it.made)) == ("running", 2)
    it.loop.pause()
    it.loop.reset()
    assert (it.loop.state, len(it.made)) == ("paused", 3)
    assert it.loop.hardware is it.made[2]


def test_a_pause_freezes_the_guests_time(rig: Make) -> None:
    it = rig()
    it.loop.start()
    it.loop.pause()
    hart = it.made[0].hart
    frozen = hart.mtime
    hart.mtime += 12345  # the host's clock goes on
    it.loop.resume()
    assert hart.mtime == frozen


def test_a_paused_guest_does_not_run(rig: Make) -> None:
    it = rig()
    it.loop.start()
    it.loop.pause()
    runs = it.made[0].hart.runs
    it.settle()
    assert it.made[0].hart.runs == runs


def test_loads_and_stores_go_to_the_bus_and_are_completed(rig: Make) -> None:
    it = rig(lambda: FakeHardware(ExitKind.LOAD, ExitKind.STORE))
    it.loop.start()
    it.settle()
    assert it.made[0].hart.completed == [42, "stored"]
    assert it.made[0].board.bus.written == [(0x1000, 4, 7)]


def test_an_access_that_nothing_answers_is_the_guests_fault(rig: Make) -> None:
    def nothing(*access: int) -> int:
        raise BusFault("no device")

    def make() -> FakeHardware:
        hardware = FakeHardware(ExitKind.LOAD, ExitKind.STORE)
        hardware.board.bus.read = hardware.board.bus.write = nothing
        return hardware

    it = rig(make)
    it.loop.start()
    it.settle()
    assert it.made[0].hart.completed == ["fault", "fault"]
    assert it.loop.state == "running"


@pytest.mark.parametrize("code", [0, 7])
def test_a_guest_that_powers_off_ends_with_its_code(rig: Make, code: int) -> None:
    def make() -> FakeHardware:
        hardware = FakeHardware(ExitKind.STORE)
        hardware.board.bus.write = lambda *access: change_power("off", code)
        return hardware

    it = rig(make)
    it.loop.start()
    it.until("off")
    assert it.loop.exit_code == code
    assert it.made[0].hart.completed == []
    assert it.made[0].polls  # its last words were let out
    assert f"exit code {code}" in it.loop.ended()


def test_a_guest_that_reboots_finds_everything_new(rig: Make) -> None:
    first = FakeHardware(ExitKind.SBI)
    first.sbi.call = lambda: change_power("reboot", 0)
    hardware = iter([first, FakeHardware()])
    it = rig(lambda: next(hardware))
    it.loop.start()
    it.bell.wait(lambda: len(it.made) == 2 or None, 5)
    it.settle()
    assert (it.loop.state, len(it.made), first.closed) == ("running", 2, True)


def test_a_sleeping_guest_uses_no_time_and_wakes_for_its_timer(rig: Make) -> None:
    def make() -> FakeHardware:
        hardware = FakeHardware(*[ExitKind.WFI] * 99)
        hardware.nap = lambda: 0.1
        return hardware

    it = rig(make)
    it.loop.start()
    deadline = Deadline(60)
    while it.loop.asleep < 0.29 and deadline.left():
        time.sleep(0.005)
    assert 0.29 < it.loop.asleep < 1
    assert it.made[0].hart.runs < 15


def test_a_guest_that_sleeps_for_ever_wakes_for_the_inbox(rig: Make) -> None:
    it = rig(lambda: FakeHardware(*[ExitKind.WFI] * 1000))
    it.loop.start()
    began = time.monotonic()
    assert it.loop.call(lambda: "awake") == "awake"
    assert time.monotonic() - began < 0.5


def test_a_call_is_run_on_the_machines_thread_and_its_error_is_the_callers(rig: Make) -> None:
    it = rig()
    assert it.loop.call(threading.current_thread) is threading.current_thread()
    it.loop.start()
    assert it.loop.call(lambda: threading.current_thread().name) == "vnb-machine"
    with pytest.raises(ZeroDivisionError):
        it.loop.call(lambda: 1 // 0)
    assert it.loop.state == "running"


def test_a_failure_is_kept_and_raised_in_whatever_comes_next(rig: Make) -> None:
    def make() -> FakeHardware:
        hardware = FakeHardware(ExitKind.LOAD)
        hardware.board.bus.read = lambda *access: 1 // 0
        return hardware

    it = rig(make)
    it.loop.start()
    it.until("failed")
    assert "ZeroDivisionError" in it.loop.ended()
    for call in (it.loop.start, it.loop.pause, it.loop.resume, it.loop.reset, it.loop.check):
        with pytest.raises(HostError, match="ZeroDivisionError") as raised:
            call()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert it.loop.call(lambda: "still answers") == "still answers"
    it.loop.stop()
    it.loop.close()
    assert (it.loop.state, it.released) == ("failed", 1)


def test_hardware_that_cannot_be_made_again_leaves_the_old_one_running(rig: Make) -> None:
    hardware = iter([FakeHardware()])

    def make() -> FakeHardware:
        try:
            return next(hardware)
        except StopIteration:
            raise HostError("the image is gone") from None

    it = rig(make)
    it.loop.start()
    with pytest.raises(HostError, match="gone"):
        it.loop.reset()
    assert it.loop.state == "running"
    assert not it.made[0].closed


def test_close_waits_for_no_work_that_makes_more_work(rig: Make) -> None:
    """As a guest does that keeps a device busy."""
    loop = rig().loop
    loop.start()

    def busy() -> None:
        time.sleep(0.01)
        loop.post(busy)

    loop.post(busy)
    began = time.monotonic()
    loop.close()
    assert loop.state == "off"
    assert time.monotonic() - began < 0.5


def test_a_call_that_a_closing_machine_no_longer_does_is_an_error_and_no_wait(rig: Make) -> None:
    loop = rig().loop
    loop.start()
    stuck, errors = threading.Event(), []

    def call() -> None:
        try:
            loop.call(lambda: None)
        except UsageError as error:
            errors.append(str(error))

    loop.post(stuck.wait)
    caller = threading.Thread(target=call)
    caller.start()
    while len(loop._inbox) < 1:
        time.sleep(0.001)
    loop._closing = True
    stuck.set()
    caller.join(5)
    assert errors == ["the machine is closed; make a new Machine"]


def test_close_returns_though_the_thread_is_stuck(rig: Make) -> None:
    stuck = threading.Event()

    def make() -> FakeHardware:
        hardware = FakeHardware(ExitKind.LOAD)
        hardware.board.bus.read = lambda *access: stuck.wait(10) and 0
        return hardware

    it = rig(make)
    it.loop.start()
    began = time.monotonic()
    it.loop.close()
    assert time.monotonic() - began < 1
    assert it.released == 0  # not under the feet of the thread …
    stuck.set()
    deadline = Deadline(60)
    while not it.released and deadline.left():
        time.sleep(0.01)
    assert it.released == 1  # … but as soon as it is done


@pytest.mark.parametrize(("before", "after"), [(0.005, HANDOVER), (0.0001, 0.0001)])
def test_a_cell_that_computes_gives_way_to_the_devices_soon(
    rig: Make, before: float, after: float
) -> None:
    usual = sys.getswitchinterval()
    try:
        sys.setswitchinterval(before)
        rig().loop.start()
        assert sys.getswitchinterval() == pytest.approx(after, abs=2e-6)
    finally:
        sys.setswitchinterval(usual)


def test_uptime_counts_running_only(rig: Make) -> None:
    it = rig()
    assert it.loop.uptime == 0
    it.loop.start()
    time.sleep(0.05)
    it.loop.pause()
    ran = it.loop.uptime
    time.sleep(0.05)
    assert it.loop.uptime == ran >= 0.05
    it.loop.resume()
    time.sleep(0.02)
    assert it.loop.uptime >= ran + 0.02


def test_whoever_looks_during_a_reset_sees_the_new_hardware(rig: Make) -> None:
    """To find none would be to make some more, which the backends would then belong to."""
    seen = []

    class Looked(FakeHardware):
        def close(self) -> None:
            seen.append(rigged.loop.hardware)
            super().close()

    rigged = rig(Looked)
    rigged.loop.start()
    rigged.loop.reset()
    assert seen == rigged.made[1:] and len(seen) == 1


def test_what_is_posted_while_the_hardware_goes_fails_nobody(
    rig: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by another machine, whose frame arrives when this one is closed."""
    loop = rig().loop
    there = [FakeHardware()]
    now_and_then = property(lambda self: there.pop() if there else None, lambda self, value: None)
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_hardware", now_and_then, raising=False)
        loop.post(lambda: None)
    assert not there
