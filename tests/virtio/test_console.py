"""The console device: characters, ports, sizes, and what happens when one side is slow."""

import struct

import pytest

from tests.virtio.driver import EVERYTHING, READY, Driver
from vnb.errors import UsageError
from vnb.host.chars import Terminal
from vnb.virtio.console import (
    CONSOLE_PORT,
    DEVICE_READY,
    F_MULTIPORT,
    PORT_ADD,
    PORT_NAME,
    PORT_OPEN,
    PORT_READY,
    RESIZE,
    Console,
    Port,
)
from vnb.virtio.device import NEEDS_RESET

SIMPLE = EVERYTHING & ~F_MULTIPORT
RX, TX, CONTROL_RX, CONTROL_TX, RX1, TX1 = range(6)


class Guest:
    """A driver of a console with a second port, named `agent`."""

    def __init__(self, features: int = EVERYTHING) -> None:
        self.terminal, self.agent = Terminal(), Terminal()
        self.console = Console(
            [Port(self.terminal, console=True), Port(self.agent, "agent")], columns=100, rows=30
        )
        self.driver = Driver(self.console).start(features)
        self.rooms: dict[int, list[tuple[int, int]]] = {}

    def give(self, queue: int, *sizes: int) -> None:
        """Buffers to receive in."""
        for size in sizes:
            (address,) = self.driver.send(queue, [], [size])
            self.rooms.setdefault(queue, []).append((address, size))

    def received(self, queue: int) -> list[bytes]:
        """What arrived since the last call, buffer by buffer."""
        found = []
        for _, length in self.driver.rings[queue].reap():
            address, _ = self.rooms[queue].pop(0)
            found.append(self.driver.memory.read(address, length))
        return found

    def say(self, port: int, event: int, value: int = 1) -> None:
        self.driver.send(CONTROL_TX, [struct.pack("<IHH", port, event, value)])

    def heard(self) -> list[tuple[int, int, int, bytes]]:
        return [
            (*struct.unpack_from("<IHH", message), message[8:])
            for message in self.received(CONTROL_RX)
        ]

    def introduce(self) -> None:
        """All of what Linux says until both ports are open."""
        self.give(CONTROL_RX, *[64] * 12)
        self.say(0, DEVICE_READY)
        for port in (0, 1):
            self.say(port, PORT_READY)
            self.say(port, PORT_OPEN)
        self.heard()


def test_the_config_space_has_size_and_number_of_ports() -> None:
    guest = Guest()
    port = guest.driver.port
    assert [port.config(0, 2), port.config(2, 2), port.config(4, 4)] == [100, 30, 2]
    assert len(guest.console.configs) == 6


def test_output_reaches_its_port_whole_and_in_order() -> None:
    guest = Guest()
    guest.driver.send(TX, [b"one ", b"", b"two "], kick=False)
    guest.driver.send(TX1, [b"for the agent"])
    guest.driver.send(TX, [b"three"])
    assert guest.terminal.since(0)[0] == b"one two three"
    assert guest.agent.since(0)[0] == b"for the agent"
    assert guest.driver.rings[TX].reap() == [(0, 0), (3, 0)]
    assert guest.console.stats["sent"] == 26


def test_output_larger_than_a_window_passes_through() -> None:
    guest = Guest()
    guest.driver.send(TX, [b"a" * 200_000, b"b" * 70_000])
    assert guest.terminal.since(0)[0] == b"a" * 200_000 + b"b" * 70_000


def test_a_simple_driver_has_port_0_open_at_once() -> None:
    guest = Guest(SIMPLE)
    assert guest.console.ready(0)
    assert not guest.console.ready(1)
    guest.give(RX, 4, 100)
    guest.terminal.write("hello guest")
    guest.console.poll()
    assert guest.received(RX) == [b"hell", b"o guest"]
    assert guest.driver.port.interrupts()[0]


def test_input_waits_on_the_host_until_there_are_buffers() -> None:
    guest = Guest(SIMPLE)
    guest.terminal.write("x" * 300_000)
    guest.console.poll()
    guest.console.poll()
    assert guest.terminal.waiting >= 300_000 - (1 << 16)
    taken = b""
    while len(taken) < 300_000:
        guest.give(RX, *[5000] * 10)
        taken += b"".join(guest.received(RX))
    assert taken == b"x" * 300_000
    assert guest.driver.port.status == READY


def test_input_for_a_closed_port_is_not_lost() -> None:
    guest = Guest()
    guest.give(RX1, 100)
    guest.agent.write("early")
    guest.console.poll()
    assert guest.received(RX1) == []
    guest.introduce()
    assert guest.received(RX1) == [b"early"]


def test_a_port_that_the_guest_closed_receives_nothing_more() -> None:
    guest = Guest()
    guest.introduce()
    assert guest.console.ready(1)
    guest.say(1, PORT_OPEN, 0)
    assert not guest.console.ready(1)
    guest.give(RX1, 100)
    guest.agent.write("later")
    guest.console.poll()
    assert guest.received(RX1) == []
    guest.say(1, PORT_OPEN)
    assert guest.received(RX1) == [b"later"]


def test_buffers_without_room_come_back_empty() -> None:
    guest = Guest(SIMPLE)
    guest.driver.send(RX, [b"nothing to write into"])
    guest.rooms[RX] = [(0x8000_0000, 0)]
    guest.give(RX, 9)
    guest.terminal.write("x")
    guest.console.poll()
    assert guest.received(RX) == [b"", b"x"]


def test_a_port_that_a_driver_only_found_has_not_talked_yet() -> None:
    guest = Guest()
    guest.introduce()
    assert (guest.console.ready(0), guest.console.talked(0)) == (True, False)
    guest.driver.send(TX, [b"# "])
    assert guest.console.talked(0)
    assert not guest.console.talked(1)
    guest.say(0, PORT_OPEN, 0)
    assert not guest.console.talked(0)


class Narrow(Terminal):
    """A host that has room for a few bytes at a time."""

    free = 0

    def room(self) -> int:
        return self.free

    def output(self, data: bytes) -> None:
        assert len(data) <= self.free
        self.free -= len(data)
        super().output(data)


def test_output_waits_in_the_guests_buffers_while_the_host_has_no_room() -> None:
    narrow = Narrow()
    console = Console([Port(narrow)])
    driver = Driver(console).start()
    driver.send(TX, [b"0123456789"])
    driver.send(TX, [b"abc"])
    assert driver.rings[TX].reap() == []
    seen = []
    for free in (4, 0, 6, 1, 100):
        narrow.free = free
        console.poll()
        seen.append((narrow.since(0)[0], len(driver.rings[TX].reap())))
    assert seen == [
        (b"0123", 0),
        (b"0123", 0),
        (b"0123456789", 1),
        (b"0123456789a", 0),
        (b"0123456789abc", 1),
    ]


def test_what_was_on_its_way_at_a_reset_is_forgotten() -> None:
    """[5]"""
    narrow = Narrow()
    console = Console([Port(narrow)])
    driver = Driver(console).start()
    driver.send(TX, [b"old"])
    driver.start()
    narrow.free = 100
    console.poll()
    assert narrow.total == 0
    assert driver.rings[TX].used_idx == 0
    driver.send(TX, [b"new"])
    assert narrow.since(0)[0] == b"new"


def test_messages_for_an_earlier_driver_are_forgotten() -> None:
    """[5]"""
    guest = Guest()
    guest.say(0, DEVICE_READY)
    guest.driver.start()
    guest.give(CONTROL_RX, *[64] * 4)
    assert guest.heard() == []


# Control messages.


def test_ports_are_introduced_as_the_driver_asks() -> None:
    """[38], [virtio 5.3.6.2]"""
    guest = Guest()
    guest.give(CONTROL_RX, *[64] * 12)
    guest.say(0, DEVICE_READY)
    assert guest.heard() == [(0, PORT_ADD, 1, b""), (1, PORT_ADD, 1, b"")]
    guest.say(0, PORT_READY)
    assert guest.heard() == [
        (0, CONSOLE_PORT, 1, b""),
        (0, RESIZE, 1, struct.pack("<HH", 100, 30)),
        (0, PORT_OPEN, 1, b""),
    ]
    guest.say(1, PORT_READY)
    assert guest.heard() == [(1, PORT_NAME, 1, b"agent"), (1, PORT_OPEN, 1, b"")]
    assert not guest.console.ready(0)
    guest.say(0, PORT_OPEN)
    assert guest.console.ready(0)


def test_a_driver_that_failed_is_told_nothing() -> None:
    guest = Guest()
    guest.give(CONTROL_RX, *[64] * 4)
    guest.say(0, DEVICE_READY, 0)
    guest.say(1, PORT_READY, 0)
    assert guest.heard() == []


def test_messages_wait_for_buffers_and_are_never_many() -> None:
    guest = Guest()
    for _ in range(1000):
        guest.say(0, DEVICE_READY)
        guest.say(1, PORT_READY)
        guest.driver.rings[CONTROL_TX].reap()
    guest.give(CONTROL_RX, *[64] * 20)
    assert guest.heard() == [
        (0, PORT_ADD, 1, b""),
        (1, PORT_ADD, 1, b""),
        (1, PORT_NAME, 1, b"agent"),
        (1, PORT_OPEN, 1, b""),
    ]


def test_a_resize_changes_the_config_space_and_tells_console_ports() -> None:
    """[24], [38]"""
    guest = Guest()
    guest.introduce()
    guest.driver.port.interrupts()
    before = guest.driver.port.generation
    guest.console.resize(132, 50)
    assert [guest.driver.port.config(0, 2), guest.driver.port.config(2, 2)] == [132, 50]
    assert guest.driver.port.generation != before
    assert guest.heard() == [(0, RESIZE, 1, struct.pack("<HH", 132, 50))]
    assert guest.driver.port.interrupts()[1]


def test_each_console_port_has_a_size_of_its_own() -> None:
    console = Console([Port(Terminal(), console=True), Port(Terminal(), "hvc1", console=True)])
    driver = Driver(console).start()
    for port in (0, 1):
        driver.send(CONTROL_TX, [struct.pack("<IHH", port, PORT_OPEN, 1)])
    (address,) = driver.send(CONTROL_RX, [], [64])
    driver.port.interrupts()
    console.resize(132, 43, port=1)
    ((_, length),) = driver.rings[CONTROL_RX].reap()
    message = driver.memory.read(address, length)
    assert message == struct.pack("<IHHHH", 1, RESIZE, 1, 132, 43)
    assert [driver.port.config(0, 2), driver.port.config(2, 2)] == [80, 25]
    assert driver.port.interrupts() == (True, False)


def test_a_resize_before_there_is_a_driver_is_seen_by_the_first() -> None:
    guest = Guest()
    guest.driver.port.status = 0
    guest.console.resize(132, 50)
    assert guest.driver.port.interrupts() == (False, False)
    guest.driver.start()
    guest.rooms.clear()
    guest.give(CONTROL_RX, *[64] * 4)
    guest.say(0, PORT_READY)
    assert (0, RESIZE, 1, struct.pack("<HH", 132, 50)) in guest.heard()


@pytest.mark.parametrize("message", [b"", b"\0" * 7, struct.pack("<IHH", 2, PORT_OPEN, 1)])
def test_a_broken_control_message_costs_a_reset(message: bytes) -> None:
    guest = Guest()
    guest.driver.send(CONTROL_TX, [message])
    assert guest.driver.port.status == READY | NEEDS_RESET


def test_a_buffer_too_small_for_a_message_costs_a_reset() -> None:
    guest = Guest()
    guest.give(CONTROL_RX, 4)
    guest.say(0, DEVICE_READY)
    assert guest.driver.port.status == READY | NEEDS_RESET


def test_unknown_events_are_ignored() -> None:
    guest = Guest()
    guest.give(CONTROL_RX, *[64] * 4)
    for event in {*range(40), 0xFFFF} - {DEVICE_READY, PORT_READY, PORT_OPEN}:
        guest.say(1, event)
    assert guest.heard() == []
    assert guest.driver.port.status == READY


def test_an_emergency_write_needs_no_driver() -> None:
    """[38]"""
    guest = Guest()
    guest.driver.port.status = 0
    for letter in b"panic":
        guest.driver.port.set_config(8, 4, letter)
    guest.driver.port.set_config(8, 1, ord("!"))
    assert guest.terminal.since(0)[0] == b"panic!"
    assert guest.driver.port.config(8, 4) == 0
    for offset in (0, 4, 12):
        guest.driver.port.set_config(offset, 4, 0xFFFF_FFFF)
    assert guest.terminal.total == 6


def test_polling_a_console_without_a_driver_is_harmless() -> None:
    console = Console([Port(Terminal())])
    console.poll()
    assert not console.ready(0)


@pytest.mark.parametrize(
    ("ports", "size", "named"),
    [
        (0, (80, 25), "ports"),
        (33, (80, 25), "ports"),
        (1, (0, 25), "columns"),
        (1, (80, 65536), "rows"),
    ],
)
def test_a_wrong_argument_is_named(ports: int, size: tuple[int, int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Console([Port(Terminal())] * ports, *size)


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "a\0"])
def test_a_port_name_is_short_and_printable(name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        Console([Port(Terminal(), name)])
