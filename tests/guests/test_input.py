"""Keyboard, mouse, tablet, touch screen and entropy as an unmodified Debian sees them."""

import random
import re
import time
from collections.abc import Callable, Iterator

import pytest

from vnb import Console, Machine, images
from vnb.config import Entropy, Keyboard, Mouse, Tablet, Touch, Transport

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("input"), pytest.mark.timeout(300)]

SEED = 20261122
EVENT = re.compile(r"^Event: time [\d.]+, type (\d+) \(\w+\), code (\d+) \(\w+\), value (-?\d+)$")
SYN = re.compile(r"^Event: time [\d.]+, -+ SYN_REPORT -+$")

Event = tuple[int, int, int]
KEY, REL, ABS = 1, 2, 3


@pytest.fixture(scope="module", params=["mmio", "pci"])
def guest(request: pytest.FixtureRequest) -> Iterator[Machine]:
    transport: Transport = request.param
    image = images.debian(packages=("evtest",), progress=False)
    devices = [Console(), Keyboard(), Mouse(), Tablet(), Touch(), Entropy(seed=SEED)]
    with Machine(image, memory="256M", devices=devices, transport=transport) as machine:
        machine.shell("true", timeout=120)
        yield machine


def node(guest: Machine, name: str) -> str:
    """The /dev/input/event of a device, found by its serial number."""
    found = guest.shell(f"grep -lx {name} /sys/class/input/event*/device/uniq", check=True).stdout
    return "/dev/input/" + found.split("/")[4]


def until(guest: Machine, command: str, enough: Callable[[str], bool], timeout: float = 20) -> str:
    """What `command` prints as soon as that is enough."""
    deadline = time.monotonic() + timeout
    while not enough(said := guest.shell(command).stdout):
        assert time.monotonic() < deadline, f"after {timeout} s `{command}` prints:\n{said}"
        time.sleep(0.05)
    return said


def events(guest: Machine, name: str, send: Callable[[], object], count: int) -> list[list[Event]]:
    """What evtest prints of what `send` does, once there are `count` groups."""
    guest.shell(f"evtest {node(guest, name)} >/tmp/events 2>&1 </dev/null & echo $! >/tmp/evtest")
    until(guest, "cat /tmp/events", lambda said: "Testing ..." in said)
    send()
    said = until(guest, "cat /tmp/events", lambda said: said.count("SYN_REPORT") >= count)
    guest.shell("kill $(cat /tmp/evtest)", check=True)
    groups: list[list[Event]] = [[]]
    for line in said.partition("Testing ...")[2].splitlines():
        if SYN.match(line):
            groups.append([])
        elif found := EVENT.match(line):
            kind, code, value = map(int, found.groups())
            groups[-1].append((kind, code, value))
    assert groups.pop() == []
    return groups


def test_every_device_has_its_driver_and_its_name(guest: Machine) -> None:
    told = guest.shell("cat /sys/class/input/event*/device/name").stdout
    assert told.splitlines() == ["vnb keyboard", "vnb mouse", "vnb tablet", "vnb touch screen"]


def test_keys_arrive_down_and_up(guest: Machine) -> None:
    keyboard = guest.devices["keyboard"]

    def send() -> None:
        keyboard.press("LEFTSHIFT", "KEY_A")
        keyboard.press(88)

    codes = [(42, 1), (30, 1), (30, 0), (42, 0), (88, 1), (88, 0)]
    assert events(guest, "keyboard", send, 6) == [[(KEY, code, value)] for code, value in codes]


def test_text_is_typed_on_the_console_of_the_screen(guest: Machine) -> None:
    """The kernel's own keyboard map turns the keys back into characters."""
    text = "Hello, World! ~`\"'\\|{[()]}<>?/;:@#$%^&*-_=+ 42"
    guest.shell("chvt 2; head -n2 </dev/tty2 >/tmp/typed 2>&1 &")
    until(guest, "pidof head", bool)
    assert guest.devices["keyboard"].type(f"\n{text}\n")  # ends a line that was begun before
    said = until(guest, "cat /tmp/typed", lambda said: said.count("\n") == 2)
    assert said.splitlines()[1] == text


def test_a_key_that_is_held_down_repeats(guest: Machine) -> None:
    keyboard = guest.devices["keyboard"]

    def send() -> None:
        keyboard.send_key("x", True)
        time.sleep(1)
        keyboard.send_key("x", False)

    first, *rest = events(guest, "keyboard", send, 4)
    assert first == [(KEY, 45, 1)]
    assert [(KEY, 45, 2)] in rest


def test_lights_that_the_guest_switches_are_seen_from_the_cell(guest: Machine) -> None:
    keyboard = guest.devices["keyboard"]
    for state, lights in ((1, {"CAPSL"}), (0, set())):
        guest.shell(f"echo {state} | tee /sys/class/leds/*::capslock/brightness", check=True)
        assert keyboard.leds == lights
    keyboard.press("NUMLOCK")
    until(guest, "cat /sys/class/leds/*::numlock/brightness", lambda said: said == "1\n")
    assert keyboard.leds == {"NUML"}
    keyboard.press("NUMLOCK")
    until(guest, "cat /sys/class/leds/*::numlock/brightness", lambda said: said == "0\n")
    assert keyboard.leds == set()


def test_a_mouse_moves_turns_its_wheel_and_clicks(guest: Machine) -> None:
    mouse = guest.devices["mouse"]

    def send() -> None:
        mouse.send_mouse(10, -20)
        mouse.send_mouse(0, 0, -1, buttons=3)
        mouse.send_mouse(1, 0, 0, buttons=4)
        mouse.send_mouse(buttons=0)

    assert events(guest, "mouse", send, 4) == [
        [(REL, 0, 10), (REL, 1, -20)],
        [(REL, 8, -1), (KEY, 0x110, 1), (KEY, 0x111, 1)],
        [(REL, 0, 1), (KEY, 0x110, 0), (KEY, 0x111, 0), (KEY, 0x112, 1)],
        [(KEY, 0x112, 0)],
    ]


def test_a_tablet_points_turns_its_wheel_and_clicks(guest: Machine) -> None:
    tablet = guest.devices["tablet"]

    def send() -> None:
        tablet.send_tablet(100, 32767, buttons=1)
        tablet.send_tablet(101, 32767, buttons=1, wheel=2)
        tablet.send_tablet(0, 5)

    assert events(guest, "tablet", send, 3) == [
        [(ABS, 0, 100), (ABS, 1, 32767), (KEY, 0x110, 1)],
        [(ABS, 0, 101), (REL, 8, 2)],
        [(ABS, 0, 0), (ABS, 1, 5), (KEY, 0x110, 0)],
    ]


def test_two_fingers_are_told_apart(guest: Machine) -> None:
    touch = guest.devices["touch"]

    def send() -> None:
        touch.send_touch(1, 1000, 2000, True)
        touch.send_touch(2, 3000, 4000, True)
        touch.send_touch(1, 1001, 2000, True)
        touch.send_touch(1, 0, 0, False)
        touch.send_touch(2, 0, 0, False)

    slot, x, y, number, press = 0x2F, 0x35, 0x36, 0x39, 0x14A
    groups = events(guest, "touch", send, 5)
    first = {code: value for _, code, value in groups[0]}[number]
    finger = [(ABS, slot, 1), (ABS, number, first), (ABS, x, 1000), (ABS, y, 2000)]
    assert groups == [
        [*finger, (KEY, press, 1), (ABS, 0, 1000), (ABS, 1, 2000)],
        [(ABS, slot, 2), (ABS, number, first + 1), (ABS, x, 3000), (ABS, y, 4000)],
        [(ABS, slot, 1), (ABS, x, 1001), (ABS, 0, 1001)],
        [(ABS, number, -1), (ABS, 0, 3000), (ABS, 1, 4000)],
        [(ABS, slot, 2), (ABS, number, -1), (KEY, press, 0)],
    ]


def test_a_stroke_of_the_pen_arrives_point_by_point(guest: Machine) -> None:
    """In pieces: a program in Linux that is slow misses what its kernel keeps no more of."""
    tablet = guest.devices["tablet"]

    def send() -> None:
        for place in range(100):
            assert tablet.send_tablet(1000 + place, 2000 + place)
            time.sleep(0.03 if place % 10 == 0 else 0)

    groups = events(guest, "tablet", send, 100)
    assert groups == [[(ABS, 0, 1000 + n), (ABS, 1, 2000 + n)] for n in range(100)]


def test_random_numbers_are_those_of_the_seed(guest: Machine) -> None:
    """Linux takes some for itself, so what it hands out is somewhere in the stream."""
    assert guest.shell("cat /sys/class/misc/hw_random/rng_current").stdout == "virtio_rng.0\n"
    taken = guest.shell("dd if=/dev/hwrng bs=64 count=8 2>/dev/null", timeout=60, check=True).raw
    stream = random.Random(SEED).randbytes(1 << 20)
    assert len(taken) == 512
    assert taken[:32] in stream
    assert guest.stats["entropy"]["given"] >= 512
