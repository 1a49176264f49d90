"""A machine rests when its host asks for that and nobody looks or waits; and wakes for either."""

from collections.abc import Iterator

import pytest

from tests.programs import SPIN
from vnb import Machine
from vnb import rest as room
from vnb.rest import MINUTES, Rest, limit


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("5", 300), ("0.5", 30), ("0", None), ("-1", None), ("x", None)],
)
def test_the_host_says_after_how_many_minutes(
    text: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MINUTES, raising=False)
    if text is not None:
        monkeypatch.setenv(MINUTES, text)
    assert limit() == seconds


class Clock:
    """Time as the test has it pass, and a microsecond at each look at it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(room.time, "monotonic", self)

    def __call__(self) -> float:
        self.now += 1e-6
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv(MINUTES, "2")
    return Clock(monkeypatch)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """It never comes to an end by itself."""
    with Machine(SPIN, memory="1M") as machine:
        yield machine


def test_a_machine_that_nobody_sees_or_uses_is_paused_and_wakes_when_it_is_seen(
    clock: Clock, machine: Machine
) -> None:
    rest = Rest(machine)
    clock.now += 119
    assert rest.look() == pytest.approx(1)
    assert machine.state == "running"
    clock.now += 2
    assert rest.look() is None
    assert machine.state == "paused"
    rest.used()
    rest.look()
    assert machine.state == "running"


def test_a_machine_that_rests_goes_on_resting_however_often_it_is_looked_at(
    clock: Clock, machine: Machine
) -> None:
    rest = Rest(machine)
    clock.now += 121
    for _ in range(5):
        assert rest.look() is None
        assert machine.state == "paused"
        clock.now += 60


def test_a_machine_that_is_seen_or_waited_for_goes_on(clock: Clock, machine: Machine) -> None:
    rest = Rest(machine)
    clock.now += 1000
    rest.used()
    rest.look()
    assert machine.state == "running"
    clock.now += 1000
    machine.console.bell.wait(lambda: rest.look() or True)
    assert machine.state == "running"


def test_what_a_cell_paused_is_not_woken_by_being_seen(clock: Clock, machine: Machine) -> None:
    rest = Rest(machine)
    machine.pause()
    rest.used()
    rest.look()
    assert machine.state == "paused"


def test_a_resting_machine_that_a_cell_takes_over_is_left_to_it(
    clock: Clock, machine: Machine
) -> None:
    rest = Rest(machine)
    clock.now += 1000
    rest.look()
    machine.stop()
    rest.used()
    rest.look()
    assert machine.state == "off"


def test_a_cell_that_needs_the_shell_wakes_a_resting_machine() -> None:
    with Machine(memory="16M") as machine:
        machine.shell("echo awake", timeout=60)
        machine.pause()
        machine.resting = True
        assert machine.shell("echo again", timeout=60).stdout.strip() == "again"
        assert not machine.resting


def test_without_being_asked_nothing_rests(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MINUTES, raising=False)
    clock = Clock(monkeypatch)
    rest = Rest(machine)
    clock.now += 1e6
    assert rest.look() is None
    assert machine.state == "running"
