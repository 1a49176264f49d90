"""What a browser calls keys and positions becomes what Linux calls them."""

from typing import Any

import pytest

from vnb.host.input import POSITIONS, Input, Keyboard, Mouse, Tablet, Touch
from vnb.host.keys import KEYS
from vnb.widgets.hands import _CODES, Hands, key_code

TABLET_EVENTS = [(3, 0, 0x4000), (3, 1, 0x2000)]


def taken(device: Input[Any]) -> list[tuple[int, int, int]]:
    """All events that wait for the guest, without what ends each group."""
    found: list[tuple[int, int, int]] = []
    while events := device.take():
        found += events[:-1]
    return found


@pytest.mark.parametrize(
    ("code", "name"),
    [
        *(("KeyA", "A"), ("Digit7", "7"), ("Numpad7", "KP7"), ("F11", "F11"), ("Enter", "ENTER")),
        *(("Minus", "MINUS"), ("PageUp", "PAGEUP"), ("NumLock", "NUMLOCK"), ("Space", "SPACE")),
        *(("ControlLeft", "LEFTCTRL"), ("NumpadEnter", "KPENTER"), ("Quote", "APOSTROPHE")),
    ],
)
def test_a_key_is_known_by_its_place(code: str, name: str) -> None:
    assert key_code(code) == KEYS[name]


def test_every_name_in_the_table_is_a_key_of_linux() -> None:
    assert [code for code in _CODES if key_code(code) is None] == []


@pytest.mark.parametrize("code", ["", "Key", "Digit", "Unidentified", "Fn", "Numpad"])
def test_a_key_that_linux_has_not_is_none(code: str) -> None:
    assert key_code(code) is None


def test_keys_go_to_the_keyboard() -> None:
    keyboard = Keyboard()
    hands = Hands({"keyboard": keyboard})
    hands.act({"kind": "key", "code": "KeyA", "down": True})
    hands.act({"kind": "key", "code": "KeyA", "down": False})
    hands.act({"kind": "key", "code": "Fn", "down": True})
    assert taken(keyboard) == [(1, 30, 1), (1, 30, 0)]


def pointer(**changed: Any) -> dict[str, Any]:
    still = {"kind": "pointer", "x": 0.5, "y": 0.25, "dx": 0, "dy": 0, "buttons": 0}
    return still | changed


def test_a_pointer_is_the_tablets_where_there_is_one() -> None:
    tablet, mouse = Tablet(), Mouse()
    hands = Hands({"tablet": tablet, "mouse": mouse})
    hands.act(pointer(buttons=1))
    hands.act({"kind": "wheel", "dz": -2})
    assert taken(tablet) == [*TABLET_EVENTS, (1, 0x110, 1), *TABLET_EVENTS, (2, 8, -2)]
    assert taken(mouse) == []


def test_without_a_tablet_the_mouse_moves() -> None:
    mouse = Mouse()
    hands = Hands({"mouse": mouse})
    hands.act(pointer(dx=3, dy=-4, buttons=2))
    hands.act({"kind": "wheel", "dz": 1})
    assert taken(mouse) == [(2, 0, 3), (2, 1, -4), (1, 0x111, 1), (2, 8, 1)]


def test_fingers_are_the_touch_screens_and_else_the_first_is_a_pointer() -> None:
    touch, tablet = Touch(), Tablet()
    Hands({"touch": touch}).act({"kind": "touch", "finger": 1, "x": 1, "y": 0, "down": True})
    assert (3, 0x2F, 1) in taken(touch)
    hands = Hands({"tablet": tablet})
    hands.act({"kind": "touch", "finger": 0, "x": 0.5, "y": 0.25, "down": True})
    hands.act({"kind": "touch", "finger": 1, "x": 0.9, "y": 0.9, "down": True})
    hands.act({"kind": "touch", "finger": 0, "x": 0, "y": 0, "down": False})
    assert taken(tablet) == [*TABLET_EVENTS, (1, 0x110, 1), *TABLET_EVENTS, (1, 0x110, 0)]


def test_positions_end_at_the_edges() -> None:
    tablet = Tablet()
    Hands({"tablet": tablet}).act(pointer(x=-3, y=7))
    assert taken(tablet) == [(3, 0, 0), (3, 1, POSITIONS)]


@pytest.mark.parametrize(
    "action",
    [
        None,
        {},
        {"kind": "key", "code": "KeyA"},
        {"kind": "key", "code": 7, "down": True},
        pointer(x="left"),
        pointer(x=None),
        pointer(x=float("nan")),
        {"kind": "touch", "finger": 99, "x": 0, "y": 0, "down": True},
        {"kind": "wheel", "dz": "up"},
    ],
)
def test_what_makes_no_sense_reaches_nobody(action: object) -> None:
    devices = {"keyboard": Keyboard(), "tablet": Tablet(), "mouse": Mouse(), "touch": Touch()}
    Hands(devices).act(action)
    assert [taken(device) for device in devices.values()] == [[], [], [], []]


def test_a_leap_that_no_mouse_makes_is_passed_over() -> None:
    mouse = Mouse()
    Hands({"mouse": mouse}).act(pointer(dx=1e300))
    assert taken(mouse) == []


def test_a_machine_without_input_devices_has_no_hands() -> None:
    assert not Hands({"vda": object()}).any
    assert Hands({"mouse": Mouse()}).any
