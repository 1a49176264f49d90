"""The devices that there are, each with what it takes to use it; contracts are tested on all."""

from tests.contracts.virtio import VirtioContract
from tests.virtio.driver import Driver
from vnb.host.block import Memory
from vnb.host.chars import Terminal
from vnb.virtio.block import Block
from vnb.virtio.console import Console, Port
from vnb.virtio.device import Device

CONTENT = bytes(range(256)) * 512


class BlockDevice(VirtioContract):
    """A disk of 256 sectors in memory."""

    queue = 0

    def device(self) -> Device:
        return Block(Memory(CONTENT), serial="contract")

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


DEVICES: tuple[type[VirtioContract], ...] = (BlockDevice, ConsoleDevice)


def block_header(kind: int, sector: int) -> bytes:
    """The 16 bytes in front of every block request."""
    return kind.to_bytes(8, "little") + sector.to_bytes(8, "little")
