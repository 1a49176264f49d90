"""The guest shell's machines rest when no cell ran for a while, and wake for the next."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.kernel.client import Client
from tests.programs import SPIN
from vnb import Machine
from vnb.kernel import rest as room
from vnb.kernel.rest import Rests
from vnb.magics.bench import Bench
from vnb.rest import MINUTES

PAGE: Any = None
"""Nothing is shown on it here."""


class Timer:
    """Goes off when the test says so."""

    last: "Timer"

    def __init__(self, seconds: float, function: Callable[[], None]) -> None:
        self.seconds = seconds
        self.go_off = function
        self.set = False

    def start(self) -> None:
        self.set = True
        Timer.last = self

    def cancel(self) -> None:
        self.set = False


class Clock:
    """Time as the test has it pass."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now

    def ring(self) -> None:
        """It becomes as late as the timer waits for."""
        assert Timer.last.set
        self.now += Timer.last.seconds
        Timer.last.go_off()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv(MINUTES, "2")
    monkeypatch.setattr(room.threading, "Timer", Timer)
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_the_machines_of_a_bench_rest_so_long_after_a_cell_and_wake_for_the_next(
    clock: Clock,
) -> None:
    with Machine(SPIN, memory="1M") as one, Machine(SPIN, memory="1M") as other:
        rests = Rests(Bench(PAGE, {"one": one, "other": other}))
        with rests.cell():
            pass
        assert Timer.last.seconds == pytest.approx(120)
        clock.ring()
        assert (one.state, other.state) == ("paused", "paused")
        assert not Timer.last.set
        with rests.cell():
            assert (one.state, other.state) == ("running", "running")


def test_no_machine_rests_while_a_cell_waits_for_it(clock: Clock) -> None:
    with Machine(SPIN, memory="1M") as machine:
        rests = Rests(Bench(PAGE, {"machine": machine}))
        with rests.cell():
            for _ in range(3):
                machine.console.bell.wait(lambda: clock.ring() or True)
                assert machine.state == "running"


def test_what_a_cell_paused_stays_so(clock: Clock) -> None:
    with Machine(SPIN, memory="1M") as machine:
        rests = Rests(Bench(PAGE, {"machine": machine}))
        with rests.cell():
            machine.pause()
        assert not Timer.last.set
        with rests.cell():
            assert machine.state == "paused"


def test_the_kernel_s_machine_rests_and_wakes() -> None:
    """A guest that runs completes commands; one that rests is not woken for that."""
    kernel = Client(**{MINUTES: "0.01"})
    try:
        kernel.run("%machine image=labos memory=16M\necho on")
        end = time.monotonic() + 60
        while kernel.complete("ech")[0]:
            assert time.monotonic() < end, "it never rested"
            time.sleep(2.5)
        assert kernel.run("echo again").text == "again\n"
    finally:
        kernel.close()
