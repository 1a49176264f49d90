"""The devices that there are, each with what it takes to use it; contracts are tested on all."""

from tests.contracts.virtio import VirtioContract
from tests.virtio.driver import Driver
from tests.virtio.painter import SIZE, Painter
from vnb.host.block import Drive, Memory
from vnb.host.chars import Terminal
from vnb.host.input import Keyboard
from vnb.host.screen import Screen
from vnb.virtio.block import Block
from vnb.virtio.console import Console, Port
from vnb.virtio.device import Device
from vnb.virtio.entropy import Entropy
from vnb.virtio.gpu import GET_DISPLAY_INFO, HEADER, Gpu
from vnb.virtio.input import EVENT, Input

CONTENT = bytes(range(256)) * 512


class BlockDevice(VirtioContract):
    """A disk of 256 sectors in memory."""

    queue = 0

    def device(self) -> Device:
        return Block(Drive(Memory(CONTENT)), serial="contract")

    def request(self, driver: Driver) -> None:
        driver.send(0, [block_header(4, 0)], [1], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        data = b"vnb " * 128
        assert driver.ask(0, [block_header(1, 7), data], [1]) == (1, b"\0")
        assert driver.ask(0, [block_header(0, 7)], [512, 1]) == (513, data + b"\0")


class ConsoleDevice(VirtioContract):
    """A console and a named port."""

    queue = 1

    def device(self) -> Device:
        self.terminals = [Terminal(), Terminal()]
        return Console([Port(self.terminals[0], console=True), Port(self.terminals[1], "second")])

    def request(self, driver: Driver) -> None:
        driver.send(1, [b"x"], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        before = self.terminals[0].total
        driver.send(1, [b"hello, ", b"host"])
        assert self.terminals[0].since(before)[0] == b"hello, host"
        assert driver.rings[1].reap()[0][1] == 0


class InputDevice(VirtioContract):
    """A keyboard."""

    queue = 1

    def device(self) -> Device:
        self.keyboard = Keyboard()
        return Input(self.keyboard, serial="contract")

    def request(self, driver: Driver) -> None:
        driver.send(1, [EVENT.pack(0x11, 1, 1)], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        addresses = [driver.send(0, [], [EVENT.size])[0] for _ in range(2)]
        self.keyboard.send_key("a", True)
        driver.device.poll()
        assert [length for _, length in driver.rings[0].reap()] == [8, 8]
        events = [EVENT.unpack(driver.memory.read(address, 8)) for address in addresses]
        assert events == [(1, 30, 1), (0, 0, 0)]
        driver.send(1, [EVENT.pack(0x11, 1, 1)])
        assert self.keyboard.leds == {"CAPSL"}
        assert driver.rings[1].reap()[0][1] == 0


class EntropyDevice(VirtioContract):
    """A source of bytes that are all alike."""

    def device(self) -> Device:
        return Entropy(lambda count: b"\x55" * count)

    def request(self, driver: Driver) -> None:
        driver.send(0, [], [16], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        assert driver.ask(0, [], [32]) == (32, b"\x55" * 32)


class GpuDevice(VirtioContract):
    """A screen."""

    def device(self) -> Device:
        self.screen = Screen(64, 64)
        return Gpu(self.screen)

    def request(self, driver: Driver) -> None:
        driver.send(0, [HEADER.pack(GET_DISPLAY_INFO, 0, 0, 0, 0)], [1056], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        Painter(driver).begin().paint(bytes((1, 2, 3, 0)) * (SIZE[0] * SIZE[1]))
        assert self.screen.size == SIZE
        assert self.screen.frame.reshape(-1, 3).tolist() == [[3, 2, 1]] * (SIZE[0] * SIZE[1])


DEVICES: tuple[type[VirtioContract], ...] = (
    BlockDevice,
    ConsoleDevice,
    InputDevice,
    EntropyDevice,
    GpuDevice,
)


def block_header(kind: int, sector: int) -> bytes:
    """The 16 bytes in front of every block request."""
    return kind.to_bytes(8, "little") + sector.to_bytes(8, "little")
