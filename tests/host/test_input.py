"""Keys, motion and touches on their way to the guest: whole groups, in order, never too many."""

import threading

import pytest

from vnb.errors import UsageError
from vnb.host.input import SLOTS, WAITING, Input, Keyboard, Mouse, Tablet, Touch
from vnb.host.keys import KEYS, STROKES, key_code

SYN = (0, 0, 0)
KEY, REL, ABS, LED = 1, 2, 3, 0x11


def groups(source: Input) -> list[list[tuple[int, int, int]]]:
    """All that waits, each group without the SYN_REPORT that must end it."""
    found = []
    while group := source.take():
        assert group[-1] == SYN and SYN not in group[:-1]
        found.append(list(group[:-1]))
    return found


@pytest.mark.parametrize("key", [30, "KEY_A", "key_a", "a", "A"])
def test_a_key_is_known_by_number_and_by_name(key: int | str) -> None:
    keyboard = Keyboard()
    assert keyboard.send_key(key, True)
    assert keyboard.send_key(key, False)
    assert groups(keyboard) == [[(KEY, 30, 1)], [(KEY, 30, 0)]]


LAST = {
    "BACKSPACE": 14, "ENTER": 28, "GRAVE": 41, "RIGHTSHIFT": 54, "F10": 68, "KPDOT": 83,
    "MUHENKAN": 94, "LINEFEED": 101, "DELETE": 111, "KPCOMMA": 121, "FRONT": 132, "FILE": 144,
    "FORWARD": 159, "REWIND": 168, "REDO": 182, "F24": 194, "PRINT": 210, "SEARCH": 217,
    "MEDIA": 226,
}  # fmt: skip


@pytest.mark.parametrize(("name", "code"), LAST.items())
def test_the_last_key_of_each_row_has_the_number_that_linux_gives_it(name: str, code: int) -> None:
    assert KEYS[name] == code


@pytest.mark.parametrize("key", ["no such key", "", "KEY_", 0, 84, 0x110, 10**9])
def test_a_key_that_no_keyboard_has_is_refused_in_words(key: int | str) -> None:
    with pytest.raises(UsageError, match="is no key"):
        key_code(key)


def test_no_two_keys_share_a_number() -> None:
    assert len(set(KEYS.values())) == len(KEYS)


def test_pressing_keys_together_releases_the_last_one_first() -> None:
    keyboard = Keyboard()
    keyboard.press("LEFTCTRL", "LEFTALT", "F1")
    pressed = [(KEY, code, 1) for code in (29, 56, 59)]
    assert groups(keyboard) == [[one] for one in pressed + [(k, c, 0) for k, c, _ in pressed[::-1]]]


def test_text_is_typed_with_shift_where_it_needs_that() -> None:
    keyboard = Keyboard()
    keyboard.type("aB!\n")
    codes = [(code, value) for ((_, code, value),) in groups(keyboard)]
    shift, a, b, one, enter = 42, 30, 48, 2, 28
    assert codes == [
        *[(a, 1), (a, 0)],
        *[(shift, 1), (b, 1), (b, 0), (shift, 0)],
        *[(shift, 1), (one, 1), (one, 0), (shift, 0)],
        *[(enter, 1), (enter, 0)],
    ]


def test_every_printable_character_can_be_typed() -> None:
    assert {chr(code) for code in range(32, 127)} <= STROKES.keys()


def test_text_with_a_character_of_another_keyboard_is_not_typed_at_all() -> None:
    keyboard = Keyboard()
    with pytest.raises(UsageError, match="no key for 'äé'"):
        keyboard.type("aéäb")
    assert not groups(keyboard)


def test_text_that_does_not_fit_is_dropped_whole() -> None:
    keyboard = Keyboard()
    assert not keyboard.type("x" * WAITING)
    assert keyboard.dropped == 2 * WAITING
    assert keyboard.type("x" * (WAITING // 2))
    assert len(groups(keyboard)) == WAITING


def test_lights_go_on_and_off_and_out_when_the_driver_goes() -> None:
    keyboard = Keyboard()
    assert keyboard.leds == frozenset()
    keyboard.status(LED, 0, 1)
    keyboard.status(LED, 1, 1)
    keyboard.status(LED, 0, 0)
    for nonsense in ((LED, 5, 1), (LED, 0xFFFF, 1), (0x14, 0, 250), (KEY, 30, 1)):
        keyboard.status(*nonsense)
    assert keyboard.leds == {"CAPSL"}
    keyboard.reset()
    assert keyboard.leds == frozenset()


def test_a_mouse_says_what_moved_and_which_buttons_changed() -> None:
    mouse = Mouse()
    mouse.send_mouse(3, -4)
    mouse.send_mouse(0, 0, -1, buttons=5)
    mouse.send_mouse(1, 0, 0, buttons=4)
    mouse.send_mouse(buttons=4)
    mouse.send_mouse(buttons=0)
    assert groups(mouse) == [
        [(REL, 0, 3), (REL, 1, -4)],
        [(REL, 8, -1), (KEY, 0x110, 1), (KEY, 0x112, 1)],
        [(REL, 0, 1), (KEY, 0x110, 0)],
        [(KEY, 0x112, 0)],
    ]


def test_a_tablet_says_where_it_is_and_which_buttons_changed() -> None:
    tablet = Tablet()
    tablet.send_tablet(0, 32767)
    tablet.send_tablet(7, 8, buttons=2, wheel=1)
    assert groups(tablet) == [
        [(ABS, 0, 0), (ABS, 1, 32767)],
        [(ABS, 0, 7), (ABS, 1, 8), (REL, 8, 1), (KEY, 0x111, 1)],
    ]


def test_a_driver_that_is_new_hears_of_buttons_that_were_held_before() -> None:
    for pointer, send in ((m := Mouse(), m.send_mouse), (t := Tablet(), t.send_tablet)):
        send(1, 1, buttons=1)
        groups(pointer)
        pointer.reset()
        send(1, 1, buttons=1)
        assert (KEY, 0x110, 1) in groups(pointer)[0]


def test_fingers_have_slots_and_numbers_of_their_own() -> None:
    touch = Touch()
    touch.send_touch(0, 100, 200, True)
    touch.send_touch(3, 5, 6, True)
    touch.send_touch(0, 101, 200, True)
    touch.send_touch(0, 0, 0, False)
    touch.send_touch(3, 0, 0, False)
    touch.send_touch(3, 0, 0, False)  # has no effect
    touch.send_touch(3, 1, 1, True)
    slot, x, y, number, press = 0x2F, 0x35, 0x36, 0x39, 0x14A
    pointer, moved = [(ABS, 0, 100), (ABS, 1, 200)], [(ABS, 0, 101), (ABS, 1, 200)]
    down = (KEY, press, 1)
    assert groups(touch) == [
        [(ABS, slot, 0), (ABS, number, 1), (ABS, x, 100), (ABS, y, 200), down, *pointer],
        [(ABS, slot, 3), (ABS, number, 2), (ABS, x, 5), (ABS, y, 6), down, *pointer],
        [(ABS, slot, 0), (ABS, number, 1), (ABS, x, 101), (ABS, y, 200), down, *moved],
        [(ABS, slot, 0), (ABS, number, -1), down, (ABS, 0, 5), (ABS, 1, 6)],
        [(ABS, slot, 3), (ABS, number, -1), (KEY, press, 0)],
        [
            (ABS, slot, 3),
            (ABS, number, 3),
            (ABS, x, 1),
            (ABS, y, 1),
            down,
            (ABS, 0, 1),
            (ABS, 1, 1),
        ],
    ]


def test_all_that_a_device_sends_it_has_announced() -> None:
    keyboard, mouse, tablet, touch = Keyboard(), Mouse(), Tablet(), Touch()
    for key in KEYS:
        keyboard.send_key(key, True)
    mouse.send_mouse(1, 1, 1, buttons=31)
    tablet.send_tablet(1, 1, buttons=31, wheel=1)
    for slot in range(SLOTS):
        touch.send_touch(slot, 1, 1, True)
    for source in (keyboard, mouse, tablet, touch):
        events = [event for group in groups(source) for event in group]
        assert events
        assert all(code in source.codes[kind] for kind, code, _ in events)
        assert all(0 <= value <= source.axes[code] for kind, code, value in events if kind == ABS)


@pytest.mark.parametrize(
    ("send", "said"),
    [
        (lambda: Mouse().send_mouse(dx=32768), "dx=32768"),
        (lambda: Mouse().send_mouse(dz=1.5), "dz=1.5"),  # type: ignore[arg-type]
        (lambda: Mouse().send_mouse(buttons=32), "buttons=32"),
        (lambda: Tablet().send_tablet(-1, 0), "x=-1"),
        (lambda: Tablet().send_tablet(0, 32768), "y=32768"),
        (lambda: Tablet().send_tablet(0, 0, wheel=True), "wheel=True"),
        (lambda: Touch().send_touch(10, 0, 0, True), "slot=10"),
    ],
)
def test_a_number_out_of_range_is_refused_by_its_name(send, said: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=said):
        send()


def test_a_guest_that_never_looks_leaves_a_bounded_queue_and_the_last_drop_heals() -> None:
    tablet = Tablet()
    sent = [tablet.send_tablet(place % 100, 0, buttons=1) for place in range(WAITING + 50)]
    assert (sent.count(True), tablet.dropped) == (WAITING, 50)
    assert len(groups(tablet)) == WAITING
    tablet.send_tablet(1, 1, buttons=0)
    assert (KEY, 0x110, 0) in groups(tablet)[0]


def test_whoever_is_told_of_changes_may_take_them_at_once() -> None:
    keyboard = Keyboard()
    seen: list[list[list[tuple[int, int, int]]]] = []
    keyboard.on_change = lambda: seen.append(groups(keyboard))
    keyboard.type("ab")
    assert len(seen) == 1 and len(seen[0]) == 4


def test_many_threads_type_without_mixing_their_strokes() -> None:
    keyboard = Keyboard()
    threads = [threading.Thread(target=keyboard.type, args=(key * 20,)) for key in "abcde"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [code for ((_, code, _),) in groups(keyboard)]
    assert len(codes) == 200
    assert all(len(set(codes[start : start + 40])) == 1 for start in range(0, 200, 40))
