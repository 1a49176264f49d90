"""What hands do passes through here: keys, motion and touches, as groups of Linux events."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from vnb.errors import UsageError
from vnb.host.keys import (
    ABS_MT_POSITION_X,
    ABS_MT_POSITION_Y,
    ABS_MT_SLOT,
    ABS_MT_TRACKING_ID,
    ABS_X,
    ABS_Y,
    BTN_TOUCH,
    BUTTONS,
    EV_ABS,
    EV_KEY,
    EV_LED,
    EV_REL,
    EV_REP,
    EV_SYN,
    INPUT_PROP_DIRECT,
    KEYS,
    LEDS,
    REL_WHEEL,
    REL_X,
    REL_Y,
    REPEATS,
    STROKES,
    SYN_REPORT,
    key_code,
)
from vnb.words import number_from

WAITING = 1024
"""Reports that may wait for the guest; one more is dropped, whole."""

POSITIONS = 0x7FFF
"""The largest coordinate of a tablet or a touch screen; the smallest is 0."""

MOTION = 0x7FFF
"""The largest motion in one report, to either side."""

SLOTS = 10
"""Fingers that a touch screen tells apart."""

TRACKING_IDS = 0x1_0000

Event = tuple[int, int, int]
"""type, code and value of one event."""

Report = TypeVar("Report")

SYN: Event = (EV_SYN, SYN_REPORT, 0)


class Input(Generic[Report]):
    """A device under the user's hands: reports wait here, and become events when the guest comes.

    Any thread may report; a report is queued or dropped whole, and what was dropped is counted.
    What a report means is decided when the guest takes it, against what the guest knows by then:
    so after a drop the next report puts buttons and positions right again.
    """

    title: ClassVar[str]
    product: ClassVar[int]
    properties: ClassVar[Collection[int]] = ()
    codes: ClassVar[Mapping[int, Collection[int]]]
    """The kinds of events that there are, each with its codes."""
    axes: ClassVar[Mapping[int, int]] = {}
    """The absolute axes, each with its largest value."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] | None = None
        self.dropped = 0
        self._lock = threading.Lock()
        self._reports: deque[Report] = deque()

    # The guest's side: the machine's thread.

    def take(self) -> Sequence[Event]:
        """The next group of events, which ends with SYN_REPORT; empty if there is none."""
        while True:
            with self._lock:
                if not self._reports:
                    return ()
                report = self._reports.popleft()
            if events := self._events(report):
                return (*events, SYN)

    def status(self, kind: int, code: int, value: int) -> None:
        """The guest sends an event to the device: a light goes on or off."""

    def reset(self) -> None:
        """The guest's driver has gone, and with it all that it knew."""

    def _events(self, report: Report) -> Sequence[Event]:
        """What the guest has to be told so that it knows this report."""
        raise NotImplementedError

    # The host's side: any thread.

    def _send(self, *reports: Report) -> bool:
        """Queue all of the reports, or none; whether they were."""
        with self._lock:
            fits = len(self._reports) + len(reports) <= WAITING
            if fits:
                self._reports += reports
            else:
                self.dropped += len(reports)
        if fits and self.on_change:
            self.on_change()
        return fits


class Keyboard(Input[tuple[int, bool]]):
    """Keys go to the guest, and lights come back.

    Every method that sends returns whether there was room: a guest that does not listen leaves
    at most 1,024 reports waiting, and what does not fit is dropped whole.
    """

    title = "vnb keyboard"
    product = 1
    codes: ClassVar = {EV_KEY: sorted(KEYS.values()), EV_LED: range(len(LEDS)), EV_REP: REPEATS}

    def __init__(self) -> None:
        super().__init__()
        self.leds: frozenset[str] = frozenset()
        """The lights that the guest has switched on, of NUML, CAPSL, SCROLLL, COMPOSE, KANA."""

    def send_key(self, code: int | str, down: bool) -> bool:
        """Press or release one key, by its Linux code or name: 30, "KEY_A", "a", "LEFTSHIFT"."""
        return self._send((key_code(code), bool(down)))

    def press(self, *keys: int | str) -> bool:
        """Press these keys in this order, and release them: `press("LEFTCTRL", "c")`."""
        return self._send(*_stroke([key_code(key) for key in keys]))

    def type(self, text: str) -> bool:
        """Type `text` on a US keyboard; UsageError, and nothing typed, if that has no such key."""
        if unknown := sorted(set(text) - STROKES.keys()):
            raise UsageError(f"text: a US keyboard has no key for {''.join(unknown)!r}")
        return self._send(*(report for character in text for report in _stroke(STROKES[character])))

    def status(self, kind: int, code: int, value: int) -> None:
        if kind == EV_LED and code < len(LEDS):
            light = {LEDS[code]}
            self.leds = self.leds | light if value else self.leds - light

    def reset(self) -> None:
        self.leds = frozenset()

    def _events(self, report: tuple[int, bool]) -> Sequence[Event]:
        code, down = report
        return [(EV_KEY, code, int(down))]


class _Buttons:
    """The buttons of a pointing device, as the guest knows them."""

    def __init__(self) -> None:
        self._known = 0

    def events(self, buttons: int) -> list[Event]:
        """Those that are to be pressed or released."""
        changed = self._known ^ buttons
        self._known = buttons
        return [
            (EV_KEY, code, buttons >> place & 1)
            for place, code in enumerate(BUTTONS)
            if changed >> place & 1
        ]


class Mouse(Input[tuple[int, int, int, int]]):
    """Relative motion, a wheel and five buttons."""

    title = "vnb mouse"
    product = 2
    codes: ClassVar = {EV_KEY: BUTTONS, EV_REL: (REL_X, REL_Y, REL_WHEEL)}

    def __init__(self) -> None:
        super().__init__()
        self._buttons = _Buttons()

    def send_mouse(self, dx: int = 0, dy: int = 0, dz: int = 0, buttons: int = 0) -> bool:
        """Move by (dx, dy), right and down, turn the wheel by dz, away from the hand.

        `buttons` are those held from now on: 1 left, 2 right, 4 middle, 8 side, 16 extra, added
        up. Returns whether there was room for the report.
        """
        for name, value in (("dx", dx), ("dy", dy), ("dz", dz)):
            number_from(value, name, -MOTION, MOTION)
        return self._send((dx, dy, dz, _checked_buttons(buttons)))

    def reset(self) -> None:
        self._buttons = _Buttons()

    def _events(self, report: tuple[int, int, int, int]) -> Sequence[Event]:
        *motion, buttons = report
        moved = zip((REL_X, REL_Y, REL_WHEEL), motion, strict=True)
        return [
            *((EV_REL, code, value) for code, value in moved if value),
            *self._buttons.events(buttons),
        ]


class Tablet(Input[tuple[int, int, int, int]]):
    """A position on the whole of the screen, a wheel and five buttons."""

    title = "vnb tablet"
    product = 3
    codes: ClassVar = {EV_KEY: BUTTONS, EV_REL: (REL_WHEEL,), EV_ABS: (ABS_X, ABS_Y)}
    axes: ClassVar = {ABS_X: POSITIONS, ABS_Y: POSITIONS}

    def __init__(self) -> None:
        super().__init__()
        self._buttons = _Buttons()

    def send_tablet(self, x: int, y: int, buttons: int = 0, wheel: int = 0) -> bool:
        """Point at (x, y), each 0 to 32767 from the left and from the top of the screen.

        `buttons` are those held from now on, as for a mouse; `wheel` turns away from the hand.
        Returns whether there was room for the report.
        """
        number_from(x, "x", 0, POSITIONS)
        number_from(y, "y", 0, POSITIONS)
        number_from(wheel, "wheel", -MOTION, MOTION)
        return self._send((x, y, wheel, _checked_buttons(buttons)))

    def reset(self) -> None:
        self._buttons = _Buttons()

    def _events(self, report: tuple[int, int, int, int]) -> Sequence[Event]:
        x, y, wheel, buttons = report
        return [
            (EV_ABS, ABS_X, x),
            (EV_ABS, ABS_Y, y),
            *([(EV_REL, REL_WHEEL, wheel)] if wheel else []),
            *self._buttons.events(buttons),
        ]


class Touch(Input[tuple[int, int, int, bool]]):
    """A touch screen for ten fingers, each in a slot of its own (Linux's multi-touch protocol B).

    For programs that know of one finger only, the one that has been down longest is also the
    pointer.
    """

    title = "vnb touch screen"
    product = 4
    properties = (INPUT_PROP_DIRECT,)
    axes: ClassVar = {
        ABS_X: POSITIONS,
        ABS_Y: POSITIONS,
        ABS_MT_SLOT: SLOTS - 1,
        ABS_MT_POSITION_X: POSITIONS,
        ABS_MT_POSITION_Y: POSITIONS,
        ABS_MT_TRACKING_ID: TRACKING_IDS - 1,
    }
    codes: ClassVar = {EV_KEY: (BTN_TOUCH,), EV_ABS: sorted(axes)}

    def __init__(self) -> None:
        super().__init__()
        self._next_id = 0
        # slot: (tracking id, x, y) of the fingers that are down, the longest first
        self._fingers: dict[int, tuple[int, int, int]] = {}

    def send_touch(self, slot: int, x: int, y: int, down: bool) -> bool:
        """Finger `slot`, 0 to 9, is at (x, y), each 0 to 32767, or no longer `down`.

        Returns whether there was room for the report.
        """
        number_from(slot, "slot", 0, SLOTS - 1)
        number_from(x, "x", 0, POSITIONS)
        number_from(y, "y", 0, POSITIONS)
        return self._send((slot, x, y, bool(down)))

    def reset(self) -> None:
        self._fingers.clear()

    def _events(self, report: tuple[int, int, int, bool]) -> Sequence[Event]:
        slot, x, y, down = report
        events = [(EV_ABS, ABS_MT_SLOT, slot)]
        if down:
            number = self._fingers[slot][0] if slot in self._fingers else self._new_id()
            self._fingers[slot] = number, x, y
            events += [
                (EV_ABS, ABS_MT_TRACKING_ID, number),
                (EV_ABS, ABS_MT_POSITION_X, x),
                (EV_ABS, ABS_MT_POSITION_Y, y),
            ]
        elif self._fingers.pop(slot, None):
            events.append((EV_ABS, ABS_MT_TRACKING_ID, -1))
        else:
            return ()
        events.append((EV_KEY, BTN_TOUCH, int(bool(self._fingers))))
        if self._fingers:
            _, x, y = next(iter(self._fingers.values()))
            events += [(EV_ABS, ABS_X, x), (EV_ABS, ABS_Y, y)]
        return events

    def _new_id(self) -> int:
        self._next_id = (self._next_id + 1) % TRACKING_IDS
        return self._next_id


def _stroke(codes: Sequence[int]) -> list[tuple[int, bool]]:
    """Reports that press these keys in order and release them in reverse."""
    return [*((code, True) for code in codes), *((code, False) for code in reversed(codes))]


def _checked_buttons(buttons: int) -> int:
    number_from(buttons, "buttons", 0, (1 << len(BUTTONS)) - 1)
    return buttons
