"""No device makes labos crash, hang or believe it, whatever it answers."""

import random
import re
import struct

import pytest

from tests.guest.prompt import PROMPT
from vnb import Console, Disk, Entropy, Keyboard, Machine, Net, Screen, Share, Tablet
from vnb.config import Transport
from vnb.host.ether import Loop
from vnb.platform.pci import Slot
from vnb.virtio import Device
from vnb.virtio.pci import PciTransport
from vnb.virtio.queue import Chain, Queue, Writer

COMMANDS = (
    "devices",
    "virtio",
    "pci",
    "disk",
    "disk sum 0 300",
    "disk write 0 100; disk verify 0 100",
    "disk zero 0 5; disk flush",
    "disk bench",
    "rng 70",
    "net",
    "net address 10.0.0.2/24 10.0.0.1",
    "ping 10.0.0.2 1",
    "dhcp",
    "9p",
    "9p ls",
    "9p cat a",
    "9p sum a",
    "9p write b text",
    "input leds 0 7",
    "screen",
    "screen card",
    "arp",
)
UNTIL_A_KEY = ("input", "screen follow", "udp echo 7")

NUMBERS = (0, 1, 2, 7, 8, 0x7F, 0xFF, 0x100, 0xFFF, 0xFFFF, 0x10000, 1 << 31, (1 << 32) - 1)
RUNS = 20


class Unruly:
    """Devices that break their rules now and then, from the moment when `rate` is above 0."""

    def __init__(self, patch: pytest.MonkeyPatch, dice: random.Random) -> None:
        self.dice = dice
        self.rate = 0.0
        push, write, read_config = Queue.push, Writer.write, Device.read_config

        def wrong_push(queue: Queue, chain: Chain, written: int) -> None:
            head = chain.head
            if self.now():
                written = dice.choice(NUMBERS)
            if self.now():
                chain.head = dice.choice((head ^ 1, 0, 15, 16, 0xFFFF, (1 << 32) - 1))
            push(queue, chain, written)
            chain.head = head
            if self.now():
                push(queue, chain, written)

        def wrong_write(writer: Writer, data: bytes | memoryview) -> None:
            write(writer, self.garbled(bytes(data)) if self.now() else data)

        def wrong_config(device: Device, offset: int, size: int) -> int:
            right = read_config(device, offset, size)
            return dice.choice(NUMBERS) & ((1 << 8 * size) - 1) if self.now() else right

        patch.setattr(Queue, "push", wrong_push)
        patch.setattr(Writer, "write", wrong_write)
        patch.setattr(Device, "read_config", wrong_config)

    def now(self) -> bool:
        return self.dice.random() < self.rate

    def garbled(self, data: bytes) -> bytes:
        """As many bytes, some of which are others."""
        found = bytearray(data)
        for _ in range(self.dice.randrange(4) if found else 0):
            place = self.dice.randrange(len(found))
            word = struct.pack("<I", self.dice.choice(NUMBERS))
            found[place : place + 4] = word[: len(found) - place]
        return bytes(found)


def devices() -> list[object]:
    return [
        Disk(size="1M"),
        Entropy(),
        Net(Loop()),
        Share({"a": "hello\n" * 1000, "dir": {"b": "c"}}),
        Keyboard(),
        Tablet(),
        Screen(64, 64),
    ]


def survives(machine: Machine, command: str) -> str:
    """The prompt is there again, and no instruction of labos has gone wrong: what it printed."""
    machine.console.write(command + "\r")
    if command in UNTIL_A_KEY:
        machine.console.expect("\r\n")
        machine.console.write("\x03")
    machine.console.write("echo still here\r")
    shown = machine.console.expect("\r\nstill here\r\n" + PROMPT, timeout=30)
    text: str = shown.string[: shown.start()]
    assert "trap: " not in text, text
    return text.removesuffix(PROMPT + "echo still here")


def works_again(machine: Machine) -> None:
    """Every device that had a driver is of use, at the latest when it is asked once more."""
    for command, answer in (
        ("disk sum 0 1", r"1 sector, crc32"),
        ("rng 4", r"\n[0-9a-f]{8}\r\n\Z"),
        ("9p cat dir/b", r"\nc\Z"),
        ("input leds 0 0", r"0 0\r\n\Z"),
        ("screen card", r"card\r\n\Z"),
    ):
        survives(machine, command)
        shown = survives(machine, command)
        assert re.search(answer, shown), shown


@pytest.mark.parametrize("run", range(RUNS))
def test_labos_survives_devices_that_answer_anything(
    transport: Transport, rng: random.Random, monkeypatch: pytest.MonkeyPatch, run: int
) -> None:
    unruly = Unruly(monkeypatch, rng)
    if run % 2:
        unruly.rate = 0.02  # while it starts, too
    with Machine(memory="8M", clock="virtual", devices=devices(), transport=transport) as machine:
        machine.console.expect(PROMPT, timeout=30)
        unruly.rate = rng.choice((0.02, 0.1, 0.4))
        for command in rng.sample(COMMANDS + UNTIL_A_KEY, 12):
            survives(machine, command)
        unruly.rate = 0
        if run % 2 == 0:
            works_again(machine)


def test_an_interrupt_that_nobody_explains_and_that_never_ends_is_cut_off() -> None:
    with Machine(memory="8M", devices=[Console()], transport="pci") as machine:
        machine.console.expect(PROMPT)
        line = machine._loop.hardware.board.plic.line(33)  # that of the console's card
        machine.call(lambda: line(True))
        machine.console.write("echo still here\r")
        machine.console.expect("\r\nstill here\r\n" + PROMPT)
        machine.console.write("irq\r")
        machine.console.expect(re.compile(r"33 pci +1\d\d\d\r\n"))


def test_a_chain_that_comes_back_twice_ends_the_work_with_the_device(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Queue.push
    devices = [Console(transport="mmio"), Disk(size="1M")]
    with Machine(memory="8M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        assert machine.shell("disk write 0 300 7", timeout=5).status == 0

        def twice(queue: Queue, chain: Chain, written: int) -> None:
            push(queue, chain, written)
            if chain.writer.written > 512:  # only the disk answers at such length
                push(queue, chain, written)

        monkeypatch.setattr(Queue, "push", twice)
        assert machine.shell("disk bench", timeout=8).status == 1, "without waiting for nothing"
        monkeypatch.setattr(Queue, "push", push)
        assert machine.shell("disk verify 0 300 7", timeout=5).status == 0


def test_an_answer_that_says_it_is_longer_than_its_room_is_refused(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    pop, push = Queue.pop, Queue.push
    room, read_reply, most = 0x4000, 117, 0x9000
    headers: list[memoryview] = []  # where the answer to come begins

    def look(queue: Queue) -> Chain | None:
        chain = pop(queue)
        if chain is not None and chain.writer.available == room:
            headers[:] = chain.writer.windows(11)
        return chain

    def boast(queue: Queue, chain: Chain, written: int) -> None:
        if headers and headers[0][4] == read_reply:
            headers[0][0:4] = struct.pack("<I", most)
            headers[0][7:11] = struct.pack("<I", most - 11)
            written = most
        push(queue, chain, written)

    devices = [Console(transport="mmio"), Share({"a": "x" * 50_000})]
    with Machine(memory="8M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        monkeypatch.setattr(Queue, "pop", look)
        monkeypatch.setattr(Queue, "push", boast)
        machine.console.write("9p cat a\r")
        machine.console.expect("a: this cannot be asked, or the answer makes no sense\r\n")
        assert headers
        monkeypatch.setattr(Queue, "pop", pop)
        monkeypatch.setattr(Queue, "push", push)
        assert machine.shell("9p cat a", timeout=5).stdout == "x" * 50_000


REGISTERS, DOORBELLS, ISR = 0, 16, 36  # where the capabilities of these are in the list


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (REGISTERS + 8, 0x4000),  # begin at the BAR's end
        (REGISTERS + 8, 0xFFFF_FFF0),  # and far beyond
        (REGISTERS + 8, 2),  # not at a word
        (REGISTERS + 12, 0x37),  # too short
        (REGISTERS + 12, 0xFFFF_FFFF),
        (REGISTERS + 4, 1),  # in a BAR that is not there
        (REGISTERS + 4, 6),
        (DOORBELLS + 8, 0x4000),
        (DOORBELLS + 12, 0),
        (DOORBELLS + 16, 0x8000_0000),  # the second queue's is nowhere
        (ISR + 8, 0x8000),
    ],
)
def test_registers_that_cannot_be_where_a_card_says_are_not_used(
    monkeypatch: pytest.MonkeyPatch, place: int, value: int
) -> None:
    damaged = bytearray(PciTransport.capabilities)
    damaged[place : place + 4] = struct.pack("<I", value)
    monkeypatch.setattr(PciTransport, "capabilities", bytes(damaged))
    devices = [Console(transport="mmio"), Keyboard()]
    with Machine(memory="8M", devices=devices, transport="pci") as machine:
        listed = machine.shell("devices", timeout=5).stdout.splitlines()
        assert listed[1].startswith("no driver   input ")


def test_a_list_of_capabilities_that_is_a_ring_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = bytearray(PciTransport.capabilities)
    ring[ISR + 1] = 0x40
    monkeypatch.setattr(PciTransport, "capabilities", bytes(ring))
    with Machine(memory="8M", devices=[Console()], transport="pci") as machine:
        assert machine.shell("devices", timeout=5).stdout.startswith("console 0 ")


@pytest.mark.parametrize("run", range(RUNS))
def test_labos_comes_up_whatever_is_in_the_config_space_of_pci(
    rng: random.Random, monkeypatch: pytest.MonkeyPatch, run: int
) -> None:
    read = Slot.read
    rate = rng.choice((0.001, 0.01, 0.1, 0.5))

    def wrong(slot: Slot, offset: int, size: int) -> int:
        right = read(slot, offset, size)
        return rng.choice(NUMBERS) & ((1 << 8 * size) - 1) if rng.random() < rate else right

    monkeypatch.setattr(Slot, "read", wrong)
    with Machine(memory="8M", clock="virtual", devices=devices(), transport="pci") as machine:
        machine.console.expect(PROMPT, timeout=30)
        for command in ("pci", "devices", "virtio", "disk sum 0 8", "screen card"):
            survives(machine, command)
