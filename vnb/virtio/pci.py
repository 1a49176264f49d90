"""The PCI transport: register accesses of the guest become calls of a Device [virtio 4.1]."""

import struct
from collections.abc import Callable
from functools import partial
from typing import NoReturn

from vnb.bus import Line
from vnb.errors import GuestError
from vnb.memory import Memory
from vnb.virtio.device import DRIVER_OK, Device, Field, Post
from vnb.virtio.transport import Transport

VENDOR = 0x1AF4
MODERN = 0x1040
"""A device's product is this and its type: no driver before VirtIO 1.0 binds [virtio 4.1.2]."""

# Class codes by device type, by which lspci names a card and some drivers look for one.
KINDS = {
    1: 0x02_0000,  # network: Ethernet controller
    2: 0x01_8000,  # block: mass storage controller, of no older kind
    3: 0x07_8000,  # console: communication controller
    4: 0x10_8000,  # entropy: encryption controller
    9: 0x01_8000,  # 9P: mass storage controller
    16: 0x03_8000,  # GPU: display controller without VGA
    18: 0x09_8000,  # input device controller
}
NO_KIND = 0xFF_0000

# The card's memory: a page for each structure [virtio 4.1.4].
COMMON, ISR, CONFIG, NOTIFY, SIZE = 0x0000, 0x1000, 0x2000, 0x3000, 0x4000
COMMON_BYTES = 0x3C
MULTIPLIER = 4
"""Bytes from one queue's place in NOTIFY to the next one's."""

# Capabilities, one after another from config space 0x40 on [virtio 4.1.4].
CAPABILITY = struct.Struct("<BBBBBB2xII")  # id, next, bytes, type, BAR, id, offset, length
VENDOR_SPECIFIC = 0x09
HEADER = 0x40
# fmt: off
CAPABILITIES = (
    # type  offset  length         what follows
    (1,     COMMON, COMMON_BYTES,  b""),
    (2,     NOTIFY, 0x1000,        struct.pack("<I", MULTIPLIER)),
    (3,     ISR,    1,             b""),
    (4,     CONFIG, 0x1000,        b""),
    (5,     0,      0,             bytes(4)),  # PCI_CFG: a window that the driver moves
)
# fmt: on

NO_VECTOR = 0xFFFF  # there is no MSI-X, so that no vector can be had [virtio 4.1.5.1.2]

Read = Callable[[], int]
Write = Callable[[int], None]
NOTHING: tuple[Read | None, Write | None] = (None, None)


def capabilities() -> bytes:
    """The list, as it lies in config space."""
    found = b""
    for kind, offset, length, more in CAPABILITIES:
        size = CAPABILITY.size + len(more)
        following = 0 if kind == CAPABILITIES[-1][0] else HEADER + len(found) + size
        found += CAPABILITY.pack(VENDOR_SPECIFIC, following, size, kind, 0, 0, offset, length)
        found += more
    return found


LIST = capabilities()

# The driver's window onto BARs, the last capability [virtio 4.1.4.9]: where its fields are.
WINDOW = HEADER + len(LIST) - CAPABILITY.size - 4
WINDOW_BAR, WINDOW_DATA = WINDOW + 4, WINDOW + 16  # between them lie offset and length
WRITABLE = bytes(WINDOW_BAR - HEADER) + b"\xff\0\0\0" + b"\xff" * 12


class PciTransport(Transport):
    """A device as a card with one function, whose registers are behind one BAR.

    It has no MSI-X: every interrupt is INTA#, and reading the ISR acknowledges all of them.
    """

    vendor = VENDOR
    revision = 1
    size = SIZE
    capabilities = LIST
    writable = WRITABLE

    def __init__(self, device: Device, memory: Memory, line: Line, post: Post) -> None:
        super().__init__(device, memory, line, post)
        self.product = MODERN + device.type
        self.subsystem = self.vendor | self.product << 16
        self.kind = KINDS.get(device.type, NO_KIND)
        self._master = False
        self._common = self._registers()

    # Its memory.

    def read(self, offset: int, size: int) -> int:
        """A register in its own width, or 1, 2 or 4 aligned bytes of device config; else 0."""
        if offset == ISR and size == 1:
            return self._take_interrupts()
        if CONFIG <= offset < NOTIFY and size <= 4 and offset % size == 0:
            return self.device.read_config(offset - CONFIG, size)
        read, _ = self._common.get((offset, size), NOTHING)
        if read is None:
            self.device.refuse(f"{size} bytes read at {offset:#x}")
            return 0
        return read()

    def write(self, offset: int, size: int, value: int) -> None:
        """As `read`, and a queue's notification; what is not allowed has no effect."""
        if offset >= NOTIFY and size == 2 and offset % MULTIPLIER == 0:
            return self.device.notify((offset - NOTIFY) // MULTIPLIER)
        if CONFIG <= offset < NOTIFY and size <= 4 and offset % size == 0:
            return self.device.write_config(offset - CONFIG, size, value)
        _, write = self._common.get((offset, size), NOTHING)
        if write is None:
            return self.device.refuse(f"{size} bytes written at {offset:#x}")
        write(value)

    # Its config space.

    def before_read(self, config: bytearray, word: int) -> None:
        """Data that is read through the window is read from the BAR now."""
        if word == WINDOW_DATA and (found := _through_window(config)):
            struct.pack_into("<I", config, WINDOW_DATA, self.read(*found))

    def after_write(self, config: bytearray, word: int) -> None:
        """Data that was written into the window goes to the BAR."""
        if word == WINDOW_DATA and (found := _through_window(config)):
            offset, size = found
            data = config[WINDOW_DATA : WINDOW_DATA + size]
            self.write(offset, size, int.from_bytes(data, "little"))

    def master(self, allowed: bool) -> None:
        """A live device that loses the bus touches nothing more until it is reset."""
        self._master = allowed
        if self.device.live and not allowed:
            self.device.run(_lose_the_bus)

    # Registers [virtio 4.1.4.3].

    def _registers(self) -> dict[tuple[int, int], tuple[Read | None, Write | None]]:
        """The common configuration: by offset and width, how to read and how to write."""
        device = self.device
        found: dict[tuple[int, int], tuple[Read | None, Write | None]] = {
            (0x00, 4): self._selector("_device_features_sel"),
            (0x04, 4): (self._device_features, None),
            (0x08, 4): self._selector("_driver_features_sel"),
            (0x0C, 4): (self._driver_features, self._accept_features),
            (0x10, 2): (lambda: NO_VECTOR, lambda value: None),  # config_msix_vector
            (0x12, 2): (lambda: len(device.configs), None),
            (0x14, 1): (lambda: device.status, self._set_status),
            (0x15, 1): (lambda: device.generation, None),
            (0x16, 2): self._selector("_queue_sel"),
            (0x18, 2): (lambda: self._queue.size, partial(self._configure, "size")),
            (0x1A, 2): (lambda: NO_VECTOR, lambda value: None),  # queue_msix_vector
            (0x1C, 2): (lambda: int(self._queue.ready), self._enable),
            (0x1E, 2): (self._notify_off, None),
            (0x38, 2): (lambda: 0, None),  # queue_notif_config_data: the feature is not offered
            (0x3A, 2): (lambda: 0, None),  # queue_reset: likewise
        }
        fields: tuple[tuple[int, Field], ...] = ((0x20, "desc"), (0x28, "avail"), (0x30, "used"))
        for offset, field in fields:
            for shift in (0, 32):
                halves = partial(self._half, field, shift), partial(self._set_half, field, shift)
                found[offset + shift // 8, 4] = halves
        return found

    def _selector(self, name: str) -> tuple[Read, Write]:
        return partial(getattr, self, name), partial(setattr, self, name)

    def _enable(self, value: int) -> None:
        """A driver enables a queue and cannot go back [virtio 4.1.4.3.2]."""
        if value == 1:
            self._configure("ready", 1)
        else:
            self.device.refuse(f"queue_enable set to {value}")

    def _notify_off(self) -> int:
        """Each queue has its own place; one that does not exist has none."""
        return self._queue_sel if self._queue.max else 0

    def _set_status(self, value: int) -> None:
        """A device that may not reach for memory cannot be driven."""
        if value & DRIVER_OK and not self._master:
            return self.device.refuse("DRIVER_OK without bus mastering")
        super()._set_status(value)

    def _take_interrupts(self) -> int:
        """The ISR; reading it clears it and ends the interrupt [virtio 4.1.4.5]."""
        found = self._interrupts
        self._acknowledge(found)
        return found


def _through_window(config: bytearray) -> tuple[int, int] | None:
    """(offset, bytes) of the access that the window stands for; None if it shows nothing."""
    bar, offset, length = struct.unpack_from("<B3xII", config, WINDOW_BAR)
    inside = length in (1, 2, 4) and offset % length == 0 and offset + length <= SIZE
    return (offset, length) if bar == 0 and inside else None


def _lose_the_bus() -> NoReturn:
    raise GuestError("bus mastering was taken from a live device")
