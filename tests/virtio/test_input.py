"""Input devices: what a driver can ask, whole groups of events, and the way back."""

import struct

import pytest

from tests.virtio.driver import READY, Driver
from vnb.errors import UsageError
from vnb.host.input import Input as Source
from vnb.host.input import Keyboard, Mouse, Tablet, Touch
from vnb.host.keys import KEYS
from vnb.virtio.device import NEEDS_RESET
from vnb.virtio.input import (
    ABS_INFO,
    EV_BITS,
    EVENT,
    EVENTS,
    ID_DEVIDS,
    ID_NAME,
    ID_SERIAL,
    PROP_BITS,
    STATUS,
    Input,
)

KEY, REL, ABS, LED, REP = 1, 2, 3, 0x11, 0x14


class Guest:
    """A driver of one input device."""

    def __init__(self, source: Source, serial: str = "") -> None:
        self.source = source
        self.device = Input(source, serial)
        source.on_change = self.device.poll
        self.driver = Driver(self.device).start()
        self.rooms: list[int] = []

    def ask(self, select: int, subsel: int = 0) -> bytes:
        """What the config space has of this: `size` bytes."""
        port = self.driver.port
        port.set_config(0, 1, select)
        port.set_config(1, 1, subsel)
        size = port.config(2, 1)
        content = bytes(port.config(8 + place, 1) for place in range(128))
        assert not any(content[size:])
        return content[:size]

    def give(self, count: int, size: int = 8) -> None:
        """Buffers for so many events."""
        for _ in range(count):
            self.rooms += self.driver.send(EVENTS, [], [size])

    def heard(self) -> list[tuple[int, int, int]]:
        """Events that arrived since the last call."""
        lengths = [length for _, length in self.driver.rings[EVENTS].reap()]
        assert set(lengths) <= {EVENT.size}
        return [
            EVENT.unpack(self.driver.memory.read(self.rooms.pop(0), EVENT.size)) for _ in lengths
        ]


def bits(bitmap: bytes) -> list[int]:
    number = int.from_bytes(bitmap, "little")
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]


ALL = (Keyboard, Mouse, Tablet, Touch)

# What each device says that it can do: properties, then the codes of each kind of event.
ABILITIES: dict[type[Source], tuple[list[int], dict[int, list[int]]]] = {
    Keyboard: ([], {KEY: sorted(KEYS.values()), LED: [0, 1, 2, 3, 4], REP: [0, 1]}),
    Mouse: ([], {KEY: [0x110, 0x111, 0x112, 0x113, 0x114], REL: [0, 1, 8]}),
    Tablet: ([], {KEY: [0x110, 0x111, 0x112, 0x113, 0x114], REL: [8], ABS: [0, 1]}),
    Touch: ([1], {KEY: [0x14A], ABS: [0, 1, 0x2F, 0x35, 0x36, 0x39]}),
}
AXES: dict[type[Source], dict[int, int]] = {
    Tablet: {0: 32767, 1: 32767},
    Touch: {0: 32767, 1: 32767, 0x2F: 9, 0x35: 32767, 0x36: 32767, 0x39: 65535},
}


@pytest.mark.parametrize("kind", ALL)
def test_a_device_says_who_it_is(kind: type[Source]) -> None:
    guest = Guest(kind(), serial="tablet2")
    assert guest.ask(ID_NAME) == kind.title.encode()
    assert guest.ask(ID_SERIAL) == b"tablet2"
    assert struct.unpack("<HHHH", guest.ask(ID_DEVIDS)) == (6, 0x1AF4, kind.product, 1)
    assert len({kind.product for kind in ALL}) == len(ALL)


@pytest.mark.parametrize("kind", ALL)
def test_a_device_says_what_it_can_do_and_nothing_else(kind: type[Source]) -> None:
    """[39]: every select and subsel that there is."""
    guest = Guest(kind())
    properties, abilities = ABILITIES[kind]
    axes = {axis: struct.pack("<5I", 0, most, 0, 0, 0) for axis, most in AXES.get(kind, {}).items()}
    assert bits(guest.ask(PROP_BITS)) == properties
    for subsel in range(256):
        assert bits(guest.ask(EV_BITS, subsel)) == abilities.get(subsel, [])
        assert guest.ask(ABS_INFO, subsel) == axes.get(subsel, b"")
    for select in (ID_NAME, ID_SERIAL, ID_DEVIDS, PROP_BITS):
        for subsel in (1, 0x7F, 0xFF):
            assert guest.ask(select, subsel) == b""


@pytest.mark.parametrize("kind", ALL)
def test_what_is_not_defined_has_size_0(kind: type[Source]) -> None:
    """[39]"""
    guest = Guest(kind())
    known = {ID_NAME, ID_SERIAL, ID_DEVIDS, PROP_BITS, EV_BITS, ABS_INFO}
    for select in sorted(set(range(256)) - known):
        for subsel in (0, 1, 3, 0xFF):
            assert guest.ask(select, subsel) == b""


def test_a_device_without_a_serial_number_has_none() -> None:
    assert Guest(Mouse()).ask(ID_SERIAL) == b""


def test_select_and_subsel_can_be_written_together_and_nothing_else_at_all() -> None:
    guest = Guest(Tablet())
    port = guest.driver.port
    port.set_config(0, 2, ABS_INFO | 1 << 8)
    assert (port.config(0, 2), port.config(2, 1)) == (ABS_INFO | 1 << 8, 20)
    before = bytes(port.config(place, 1) for place in range(0x88))
    for offset, size in ((1, 2), (2, 1), (2, 2), (0, 4), (3, 1), (8, 4), (0x84, 4), (0x88, 1)):
        port.set_config(offset, size, 0xFFFF_FFFF >> 32 - 8 * size)
    assert bytes(port.config(place, 1) for place in range(0x88)) == before


def test_what_was_read_and_has_changed_has_another_generation() -> None:
    guest = Guest(Keyboard())
    before = guest.driver.port.generation
    guest.ask(ID_NAME)
    assert guest.driver.port.generation != before


@pytest.mark.parametrize("serial", ["x" * 129, "é"])
def test_a_serial_number_is_short_and_ascii(serial: str) -> None:
    with pytest.raises(UsageError, match="serial"):
        Input(Mouse(), serial)


def test_events_arrive_in_the_buffers_that_wait_for_them() -> None:
    guest = Guest(Keyboard())
    guest.give(8)
    guest.driver.port.interrupts()
    guest.source.press("a")
    assert guest.heard() == [(KEY, 30, 1), (0, 0, 0), (KEY, 30, 0), (0, 0, 0)]
    assert guest.driver.port.interrupts() == (True, False)
    assert guest.device.stats["events"] == 4


def test_negative_values_are_negative() -> None:
    guest = Guest(Mouse())
    guest.give(3)
    guest.source.send_mouse(-1, -32767)
    assert guest.heard() == [(REL, 0, -1), (REL, 1, -32767), (0, 0, 0)]


def test_a_group_waits_until_there_is_a_buffer_for_each_of_its_events() -> None:
    guest = Guest(Tablet())
    guest.source.send_tablet(1, 2, buttons=1)
    guest.source.send_tablet(3, 4, buttons=1)
    for _ in range(3):
        guest.give(1)
        assert guest.heard() == []
    guest.give(1)
    assert guest.heard() == [(ABS, 0, 1), (ABS, 1, 2), (KEY, 0x110, 1), (0, 0, 0)]
    guest.give(2)
    assert guest.heard() == []
    guest.give(2)
    assert guest.heard() == [(ABS, 0, 3), (ABS, 1, 4), (0, 0, 0)]


def test_a_group_that_no_queue_of_this_driver_can_hold_is_dropped_whole() -> None:
    source = Touch()
    device = Input(source)
    driver = Driver(device).start(size=4)
    addresses = [driver.send(EVENTS, [], [8])[0] for _ in range(4)]
    source.send_touch(0, 1, 2, True)
    source.send_touch(0, 0, 0, False)
    device.poll()
    assert device.stats["dropped"] == 1
    events = [EVENT.unpack(driver.memory.read(address, 8)) for address in addresses]
    assert events == [(ABS, 0x2F, 0), (ABS, 0x39, -1), (KEY, 0x14A, 0), (0, 0, 0)]


def test_what_the_user_did_before_there_was_a_driver_waits_for_it() -> None:
    source = Keyboard()
    device = Input(source)
    source.on_change = device.poll
    source.send_key("x", True)
    driver = Driver(device)
    driver.start()
    assert driver.rings[EVENTS].used_idx == 0
    for _ in range(2):
        driver.send(EVENTS, [], [8])
    assert driver.rings[EVENTS].used_idx == 2


def test_lights_come_back_and_go_out_with_the_driver() -> None:
    guest = Guest(Keyboard())
    for code, value in ((0, 1), (1, 1), (0, 0)):
        guest.driver.send(STATUS, [EVENT.pack(LED, code, value)])
    guest.driver.send(STATUS, [EVENT.pack(LED, 2, 1)[:3], EVENT.pack(LED, 2, 1)[3:]])
    guest.driver.send(STATUS, [EVENT.pack(REP, 0, 250)])
    assert guest.source.leds == {"CAPSL", "SCROLLL"}
    assert [length for _, length in guest.driver.rings[STATUS].reap()] == [0] * 5
    guest.driver.port.status = 0
    assert guest.source.leds == frozenset()


def test_after_a_reset_nothing_of_the_old_driver_is_left() -> None:
    guest = Guest(Tablet())
    guest.give(2)
    guest.source.send_tablet(1, 2, buttons=1)  # has two of the four buffers it needs
    guest.driver.start()
    guest.rooms.clear()
    guest.give(8)
    assert guest.heard() == []
    guest.source.send_tablet(3, 4, buttons=1)
    assert guest.heard() == [(ABS, 0, 3), (ABS, 1, 4), (KEY, 0x110, 1), (0, 0, 0)]


@pytest.mark.parametrize(("queue", "out", "room"), [(STATUS, [b"1234567"], []), (STATUS, [], [8])])
def test_a_status_event_that_is_not_whole_breaks_the_protocol(
    queue: int, out: list[bytes], room: list[int]
) -> None:
    guest = Guest(Keyboard())
    guest.driver.send(queue, out, room)
    assert guest.driver.port.status == READY | NEEDS_RESET


def test_a_buffer_too_small_for_an_event_breaks_the_protocol() -> None:
    guest = Guest(Keyboard())
    guest.give(2, size=7)
    guest.source.send_key("a", True)
    assert guest.driver.port.status == READY | NEEDS_RESET
    guest.driver.start()
    guest.rooms.clear()
    guest.give(2, size=64)
    guest.source.send_key("b", True)
    assert guest.heard() == [(KEY, 48, 1), (0, 0, 0)]
