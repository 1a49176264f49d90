"""Screens, input devices and entropy as a cell asks for them: what they become, and what not."""

import random
import subprocess
import sys
from typing import Any

import pytest

from vnb import Machine, UsageError, images
from vnb.config import Entropy, Keyboard, Mouse, Part, Screen, Tablet, Touch

WORDS: list[tuple[Part, str, str, int]] = [
    (Keyboard(), "keyboard", "keyboard", 18),
    (Mouse(), "mouse", "mouse", 18),
    (Tablet(), "tablet", "tablet", 18),
    (Touch(), "touch", "touch", 18),
    (Screen(800, 600), "screen", "screen 800×600", 16),
    (Entropy(), "entropy", "entropy", 4),
    (Entropy(seed=7), "entropy", "entropy (seed 7)", 4),
]


@pytest.mark.parametrize(("part", "name", "words", "kind"), WORDS)
def test_a_part_has_a_name_and_becomes_a_device(
    part: Part, name: str, words: str, kind: int
) -> None:
    assert (part.name(0), part.name(1), str(part)) == (name, f"{name}2", words)
    assert part.device(part.open(), name, bytes).type == kind


def test_a_screen_is_1024_by_768_unless_the_cell_says_otherwise() -> None:
    assert (Screen().open().preferred, Screen(640, 480).open().preferred) == (
        (1024, 768),
        (640, 480),
    )


def test_the_first_screen_asks_the_guest_for_a_shell_on_it() -> None:
    assert [Screen().append(name) for name in ("screen", "screen2")] == ["vnb.shell=tty1", ""]
    assert Keyboard().append("keyboard") == ""


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        *((Screen, "width", value, "from 64 to 3840") for value in (63, 3841, "1024", True, 64.0)),
        *((Screen, "height", value, "from 64 to 2160") for value in (0, 2161, None)),
        *((Entropy, "seed", value, "a number, or None") for value in ("7", 1.5, True)),
        *((kind, "transport", "usb", "'mmio', 'pci'") for kind in (Screen, Entropy, Keyboard)),
    ],
)
def test_what_is_not_allowed_is_refused_by_its_name(
    kind: Any, name: str, value: object, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        kind(**{name: value})
    assert str(refused.value).startswith(f"{name}={value!r}")


def test_random_numbers_are_the_machines_unless_they_have_a_seed_of_their_own() -> None:
    asked = []

    def machines(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    from tests.virtio.driver import Driver

    for part, expected in ((Entropy(), bytes(8)), (Entropy(7), random.Random(7).randbytes(8))):
        for _ in range(2):  # from the beginning at every power-on
            driver = Driver(part.device(None, "entropy", machines)).start()
            assert driver.ask(0, [], [8]) == (8, expected)
    assert asked == [8, 8]


def test_a_cell_holds_what_the_guest_is_typed_and_shown_with() -> None:
    devices = [Keyboard(), Mouse(), Tablet(), Touch(), Screen(), Entropy(), Keyboard()]
    machine = Machine(images.labos(), memory="64M", devices=devices)
    try:
        assert machine.devices["keyboard"].send_key("a", True)
        assert machine.devices["keyboard2"].type("b")
        assert machine.devices["mouse"].send_mouse(1, 1)
        assert machine.devices["tablet"].send_tablet(1, 1)
        assert machine.devices["touch"].send_touch(0, 1, 1, True)
        assert machine.devices["screen"].png().startswith(b"\x89PNG")
        machine.devices["screen"].resize(640, 480)
    finally:
        machine.close()


def test_a_machine_without_a_screen_loads_no_numpy_for_its_devices() -> None:
    code = (
        "import sys, vnb.config as config; config.Keyboard().open(); config.Entropy();"
        " print('numpy' in sys.modules); config.Screen().open(); print('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["False", "True"], "")
