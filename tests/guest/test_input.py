"""labos shows by name what keyboards, mice and tablets say, over both transports."""

import re
from collections.abc import Iterator

import pytest

from tests.guest.prompt import PROMPT, typed
from vnb import Console, Keyboard, Machine, Mouse, Tablet
from vnb.config import Transport

BEGUN = "until a key is pressed here:\r\n"


@pytest.fixture
def machine(transport: Transport) -> Iterator[Machine]:
    """With a keyboard, a mouse and a tablet."""
    devices = [Console(), Keyboard(), Mouse(), Tablet()]
    with Machine(memory="8M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        yield machine


def events(machine: Machine, groups: int) -> list[str]:
    """The next groups of events as labos shows them, each with its device's number."""
    lines = []
    while groups:
        line = machine.console.expect(re.compile(r"\Ainput (.*)\r\n"))[1]
        lines.append(line)
        groups -= "SYN_REPORT" in line
    return lines


def test_each_device_says_what_happened_to_it(machine: Machine) -> None:
    machine.console.write("input\r")
    machine.console.expect("input 0: vnb keyboard\r\ninput 1: vnb mouse\r\ninput 2: vnb tablet\r\n")
    machine.console.expect(BEGUN)
    machine.devices["keyboard"].press("LEFTSHIFT", "a")
    assert events(machine, 4) == [
        "0: EV_KEY KEY_LEFTSHIFT down",
        "0: EV_SYN SYN_REPORT 0",
        "0: EV_KEY KEY_A down",
        "0: EV_SYN SYN_REPORT 0",
        "0: EV_KEY KEY_A up",
        "0: EV_SYN SYN_REPORT 0",
        "0: EV_KEY KEY_LEFTSHIFT up",
        "0: EV_SYN SYN_REPORT 0",
    ]
    machine.devices["mouse"].send_mouse(-7, 3, 1, 1)
    moved = events(machine, 1)
    assert moved[-1] == "1: EV_SYN SYN_REPORT 0"
    assert set(moved[:-1]) == {
        "1: EV_REL REL_X -7",
        "1: EV_REL REL_Y 3",
        "1: EV_REL REL_WHEEL 1",
        "1: EV_KEY BTN_LEFT down",
    }
    machine.devices["tablet"].send_tablet(1234, 32767)
    assert set(events(machine, 1)) == {
        "2: EV_ABS ABS_X 1234",
        "2: EV_ABS ABS_Y 32767",
        "2: EV_SYN SYN_REPORT 0",
    }
    machine.console.write("q")
    machine.console.expect(PROMPT)
    assert typed(machine, "echo on\r") == "on\n", "the key was not for the prompt"


def test_it_ends_by_itself_after_so_many_and_shows_nothing_old(machine: Machine) -> None:
    machine.devices["keyboard"].type("old news")
    machine.console.write("input show 2\r")
    machine.console.expect(BEGUN)
    machine.devices["keyboard"].press("ENTER")
    assert events(machine, 2)[0] == "0: EV_KEY KEY_ENTER down"
    machine.console.expect(PROMPT)


def test_more_events_than_buffers_arrive_in_order(machine: Machine) -> None:
    machine.console.write("input show 200\r")
    machine.console.expect(BEGUN)
    machine.devices["keyboard"].type("abcdefghij" * 10)
    keys = [line.split()[2] for line in events(machine, 200) if line.endswith("down")]
    assert keys == [f"KEY_{letter}" for letter in "ABCDEFGHIJ" * 10]


def test_a_keyboard_s_lights_are_switched(machine: Machine) -> None:
    assert machine.shell("input leds 0 3", timeout=5).status == 0
    assert machine.devices["keyboard"].leds == {"NUML", "CAPSL"}
    assert machine.shell("input leds 0 0", timeout=5).status == 0
    assert machine.devices["keyboard"].leds == set()
    refused = machine.shell("input leds 3 0", timeout=5)
    assert (refused.status, refused.stdout[:7]) == (2, "DEVICE ")
