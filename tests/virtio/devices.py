"""The devices that there are, each with what it takes to use it; contracts are tested on all."""

import struct

from tests.contracts.virtio import VirtioContract
from tests.frames import UDP, ether, unsummed
from tests.virtio.driver import Driver
from tests.virtio.ninep import CORPUS, decode, encode
from tests.virtio.painter import SIZE, Painter
from vnb.frame import Frame
from vnb.host.block import Drive, Memory
from vnb.host.chars import Terminal
from vnb.host.ether import Loop
from vnb.host.files import Tree
from vnb.host.input import Keyboard
from vnb.host.screen import Screen
from vnb.virtio import gpu
from vnb.virtio.block import Block
from vnb.virtio.console import Console, Port
from vnb.virtio.device import Device
from vnb.virtio.entropy import Entropy
from vnb.virtio.gpu import Gpu
from vnb.virtio.input import EVENT, Input
from vnb.virtio.net import Net
from vnb.virtio.ninep import NineP
from vnb.virtio.ninep.messages import NO_FID, VERSION

CONTENT = bytes(range(256)) * 512


class BlockDevice(VirtioContract):
    """A disk of 256 sectors in memory."""

    queue = 0
    phrases = tuple(
        struct.pack("<QQ", kind, sector)
        for kind in (0, 1, 4, 8, 11, 13, 2, 0xFFFF_FFFF)
        for sector in (0, 3, 255, 256, 1 << 60)
    )

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
    phrases = tuple(
        struct.pack("<IHH", port, event, value)
        for port in (0, 1, 2, 0xFFFF_FFFF)
        for event in range(9)
        for value in (0, 1)
    )

    def device(self) -> Device:
        self.terminals = [Terminal(), Terminal()]
        return Console([Port(self.terminals[0], console=True), Port(self.terminals[1], "second")])

    def stir(self) -> None:
        for terminal in self.terminals:
            terminal.write("input")

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
    phrases = tuple(
        EVENT.pack(kind, code, value)
        for kind in (0x11, 0, 1, 0xFFFF)
        for code in (0, 1, 0xFFFF)
        for value in (0, 1, -1)
    )

    def device(self) -> Device:
        self.keyboard = Keyboard()
        return Input(self.keyboard, serial="contract")

    def stir(self) -> None:
        self.keyboard.send_key("a", True)

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


class NetDevice(VirtioContract):
    """A network card that hears itself."""

    queue = 1
    phrases = tuple(
        struct.pack("<BBHHHHH", flags, kind, 66, 1000, start, offset, 0) + data
        for data, start, offset in (unsummed(bytes(3000)), unsummed(bytes(9), 6, UDP))
        for flags, kind in ((0, 0), (1, 0), (1, 1), (1, 4), (0, 1), (1, 0x81), (0xFF, 0xFF))
    ) + tuple(
        struct.pack("<BB", kind, command) + data
        for kind, command in ((0, 0), (0, 5), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (255, 255))
        for data in (b"\0", b"\1", bytes(8), b"\2\0\0\0" + bytes(16), b"\2\2\2\2\2\2")
    )

    def device(self) -> Device:
        self.card = Loop().plug()
        return Net(self.card)

    def stir(self) -> None:
        self.card.deliver(Frame(ether(b"stir")))

    def request(self, driver: Driver) -> None:
        driver.send(1, [bytes(12) + ether(b"request")], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        data = ether(b"round and round")
        (address,) = driver.send(0, [], [1600])
        driver.send(1, [bytes(12) + data])
        driver.device.poll()
        assert driver.rings[1].reap()[0][1] == 0
        assert driver.rings[0].reap()[0][1] == 12 + len(data)
        assert driver.memory.read(address, 12 + len(data)) == bytes(10) + b"\1\0" + data


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

    phrases = tuple(
        gpu.HEADER.pack(kind, flags, 7, 0, 0) + body
        for kind, body in (
            (gpu.CREATE_2D, gpu.CREATE.pack(1, 2, 32, 32)),
            (gpu.ATTACH_BACKING, gpu.ATTACH.pack(1, 1) + gpu.ENTRY.pack(0x8000_0800, 4096)),
            (gpu.SET_SCANOUT, gpu.ON_SCREEN.pack(0, 0, 32, 32, 0, 1)),
            (gpu.TRANSFER_TO_HOST_2D, gpu.TRANSFER.pack(0, 0, 32, 32, 0, 1)),
            (gpu.FLUSH, gpu.IN_PICTURE.pack(0, 0, 32, 32, 1)),
            (gpu.UPDATE_CURSOR, gpu.POINTER.pack(0, 5, 5, 1, 0, 0)),
            (gpu.MOVE_CURSOR, gpu.POINTER.pack(0, -5, 500, 1, 0, 0)),
            (gpu.DETACH_BACKING, gpu.ONE.pack(1)),
            (gpu.UNREF, gpu.ONE.pack(1)),
            (gpu.GET_EDID, gpu.ONE.pack(0)),
            (gpu.GET_CAPSET_INFO, gpu.ONE.pack(0)),
            (gpu.GET_DISPLAY_INFO, b""),
            (0xFFFF_FFFF, bytes(64)),
        )
        for flags in (0, gpu.FENCE)
    )

    def device(self) -> Device:
        self.screen = Screen(64, 64)
        return Gpu(self.screen)

    def request(self, driver: Driver) -> None:
        driver.send(0, [gpu.HEADER.pack(gpu.GET_DISPLAY_INFO, 0, 0, 0, 0)], [1056], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        painter = Painter(driver).begin()
        painter.paint(bytes((1, 2, 3, 0)) * (SIZE[0] * SIZE[1]))
        assert self.screen.size == SIZE
        assert self.screen.frame.reshape(-1, 3).tolist() == [[3, 2, 1]] * (SIZE[0] * SIZE[1])
        painter.done(gpu.UNREF, gpu.ONE.pack(1))


class NinePDevice(VirtioContract):
    """A share of a few files in memory."""

    phrases = CORPUS

    def device(self) -> Device:
        return NineP(Tree({"hello.txt": "hello", "dir": {"inner": "x" * 1000}}), "contract")

    def request(self, driver: Driver) -> None:
        driver.send(0, [encode("version", 1, 8192, VERSION)], [64], kick=False)

    def roundtrip(self, driver: Driver) -> None:
        for name, *values in (
            ("version", 8192, VERSION),
            ("attach", 0, NO_FID, "", "", 0),
            ("walk", 0, 1, ["hello.txt"]),
            ("lopen", 1, 0),
            ("read", 1, 0, 100),
        ):
            length, room = driver.ask(0, [encode(str(name), 5, *values)], [64])
            _, tag, found = decode(room[:length])
            assert tag == 5
        assert found == b"hello"


DEVICES: tuple[type[VirtioContract], ...] = (
    BlockDevice,
    ConsoleDevice,
    InputDevice,
    EntropyDevice,
    NetDevice,
    GpuDevice,
    NinePDevice,
)


def block_header(kind: int, sector: int) -> bytes:
    """The 16 bytes in front of every block request."""
    return kind.to_bytes(8, "little") + sector.to_bytes(8, "little")
