"""What hands did on a page, as a browser puts it, becomes what input devices are sent."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vnb.errors import UsageError
from vnb.host.input import MOTION, POSITIONS, SLOTS, Keyboard, Mouse, Tablet, Touch
from vnb.host.keys import KEYS

# A browser's names of keys by place [UI Events KeyboardEvent code] that are not Linux's own.
# fmt: off
_CODES = {
    "Escape": "ESC", "Quote": "APOSTROPHE", "Backquote": "GRAVE", "Period": "DOT",
    "BracketLeft": "LEFTBRACE", "BracketRight": "RIGHTBRACE",
    "ControlLeft": "LEFTCTRL", "ControlRight": "RIGHTCTRL", "ShiftLeft": "LEFTSHIFT",
    "ShiftRight": "RIGHTSHIFT", "AltLeft": "LEFTALT", "AltRight": "RIGHTALT",
    "MetaLeft": "LEFTMETA", "MetaRight": "RIGHTMETA", "ContextMenu": "COMPOSE",
    "ArrowUp": "UP", "ArrowDown": "DOWN", "ArrowLeft": "LEFT", "ArrowRight": "RIGHT",
    "PrintScreen": "SYSRQ", "IntlBackslash": "102ND", "IntlRo": "RO", "IntlYen": "YEN",
    "NumpadMultiply": "KPASTERISK", "NumpadSubtract": "KPMINUS", "NumpadAdd": "KPPLUS",
    "NumpadDecimal": "KPDOT", "NumpadDivide": "KPSLASH", "NumpadEnter": "KPENTER",
    "NumpadEqual": "KPEQUAL", "NumpadComma": "KPCOMMA", "NumpadParenLeft": "KPLEFTPAREN",
    "NumpadParenRight": "KPRIGHTPAREN", "NumLock": "NUMLOCK",
    "Lang1": "HANGEUL", "Lang2": "HANJA", "Convert": "HENKAN", "NonConvert": "MUHENKAN",
    "KanaMode": "KATAKANAHIRAGANA",
    "AudioVolumeMute": "MUTE", "AudioVolumeDown": "VOLUMEDOWN", "AudioVolumeUp": "VOLUMEUP",
    "MediaTrackNext": "NEXTSONG", "MediaTrackPrevious": "PREVIOUSSONG",
    "MediaPlayPause": "PLAYPAUSE", "MediaStop": "STOPCD",
}
# fmt: on

BUTTONS = (1, 2, 4, 8, 16)
"""A browser's buttons are in the order of Linux's: left, right, middle, back, forward."""


def key_code(code: str) -> int | None:
    """The Linux code of the key that a browser calls `code`; None for one that Linux has not."""
    name = _CODES.get(code)
    if name is None:
        name = code.upper()
        for prefix, instead in (("KEY", ""), ("DIGIT", ""), ("NUMPAD", "KP")):
            if name.startswith(prefix) and len(name) > len(prefix):
                name = instead + name.removeprefix(prefix)
                break
    return KEYS.get(name)


class Hands:
    """Input devices of one machine, driven from a page.

    A pointer goes to the tablet where there is one, else to the mouse; fingers go to the touch
    screen, else they are pointers. What makes no sense, or finds no device, is passed over.
    """

    def __init__(self, devices: Mapping[str, Any]) -> None:
        self._keyboard = _first(devices, Keyboard)
        self._tablet = _first(devices, Tablet)
        self._mouse = _first(devices, Mouse)
        self._touch = _first(devices, Touch)
        self._last = (0, 0, 0)  # x, y and buttons of the pointer

    @property
    def any(self) -> bool:
        """Whether there is a device at all."""
        return bool(self._keyboard or self._tablet or self._mouse or self._touch)

    def act(self, action: object) -> None:
        """Do what a page says that was done."""
        match action:
            case {"kind": "key", "code": str(code), "down": bool(down)}:
                number = key_code(code)
                if self._keyboard and number is not None:
                    self._keyboard.send_key(number, down)
            case {"kind": "pointer", "x": x, "y": y, "dx": dx, "dy": dy, "buttons": int(buttons)}:
                with suppress(UsageError, TypeError, ValueError, OverflowError):
                    self._point(_position(x), _position(y), round(dx), round(dy), buttons & 31)
            case {"kind": "wheel", "dz": int(dz)}:
                self._turn(max(-MOTION, min(MOTION, dz)))
            case {"kind": "touch", "finger": int(finger), "x": x, "y": y, "down": bool(down)}:
                with suppress(UsageError, TypeError, ValueError, OverflowError):
                    self._finger(finger, _position(x), _position(y), down)

    def _point(self, x: int, y: int, dx: int, dy: int, buttons: int) -> None:
        self._last = (x, y, buttons)
        if self._tablet:
            self._tablet.send_tablet(x, y, buttons)
        elif self._mouse:
            self._mouse.send_mouse(dx, dy, 0, buttons)

    def _turn(self, dz: int) -> None:
        x, y, buttons = self._last
        if self._tablet:
            self._tablet.send_tablet(x, y, buttons, wheel=dz)
        elif self._mouse:
            self._mouse.send_mouse(dz=dz, buttons=buttons)

    def _finger(self, finger: int, x: int, y: int, down: bool) -> None:
        if self._touch and 0 <= finger < SLOTS:
            self._touch.send_touch(finger, x, y, down)
        elif not self._touch and finger == 0:
            if not down:  # where it was: a finger that is lifted points nowhere
                x, y, _ = self._last
            self._point(x, y, 0, 0, int(down))


def _first(devices: Mapping[str, Any], kind: type[Any]) -> Any:
    return next((device for device in devices.values() if type(device) is kind), None)


def _position(share: Any) -> int:
    """A share of the surface, 0 to 1, as a coordinate."""
    return max(0, min(POSITIONS, round(float(share) * POSITIONS)))
