"""The MMIO transport: register accesses of the guest become calls of a Device [virtio 4.2]."""

from collections.abc import Callable
from functools import partial

from vnb.bus import Line, Property
from vnb.memory import Memory
from vnb.virtio.device import Device, Post
from vnb.virtio.transport import Transport

SIZE = 0x1000
CONFIG = 0x100

MAGIC = 0x7472_6976  # "virt"
VERSION = 2
VENDOR = 0x42_4E56  # "VNB"
IDENTITY = {0x000: MAGIC, 0x004: VERSION, 0x00C: VENDOR}

NO_SHARED_MEMORY = 0xFFFF_FFFF


class MmioTransport(Transport):
    """The registers of one device, at any place on the bus, with one interrupt line."""

    def __init__(self, device: Device, memory: Memory, line: Line, post: Post) -> None:
        super().__init__(device, memory, line, post)
        self._readers: dict[int, Callable[[], int]] = {
            0x000: lambda: MAGIC,
            0x004: lambda: VERSION,
            0x008: lambda: device.type,
            0x00C: lambda: VENDOR,
            0x010: self._device_features,
            0x034: lambda: self._queue.max,  # QueueSizeMax
            0x044: lambda: int(self._queue.ready),
            0x060: lambda: self._interrupts,  # InterruptStatus
            0x070: lambda: device.status,
            0x0B0: lambda: NO_SHARED_MEMORY,  # SHMLenLow
            0x0B4: lambda: NO_SHARED_MEMORY,  # SHMLenHigh
            0x0B8: lambda: NO_SHARED_MEMORY,  # SHMBaseLow
            0x0BC: lambda: NO_SHARED_MEMORY,  # SHMBaseHigh
            0x0FC: lambda: device.generation,  # ConfigGeneration
        }
        self._writers: dict[int, Callable[[int], None]] = {
            0x014: partial(setattr, self, "_device_features_sel"),
            0x020: self._accept_features,
            0x024: partial(setattr, self, "_driver_features_sel"),
            0x030: partial(setattr, self, "_queue_sel"),
            0x038: partial(self._configure, "size"),
            0x044: lambda value: self._configure("ready", value & 1),
            0x050: device.notify,
            0x064: self._acknowledge,
            0x070: self._set_status,
            0x080: partial(self._set_half, "desc", 0),
            0x084: partial(self._set_half, "desc", 32),
            0x090: partial(self._set_half, "avail", 0),
            0x094: partial(self._set_half, "avail", 32),
            0x0A0: partial(self._set_half, "used", 0),
            0x0A4: partial(self._set_half, "used", 32),
            0x0AC: lambda value: None,  # SHMSel: whichever it selects, there is none
        }

    # A BusDevice.

    def read(self, offset: int, size: int) -> int:
        """A register, 32 bits wide, or 1, 2 or 4 aligned bytes of config space; else 0."""
        if offset >= CONFIG and size <= 4 and offset % size == 0:
            return self.device.read_config(offset - CONFIG, size)
        reader = self._readers.get(offset)
        if reader is None or size != 4:
            self.device.refuse(f"{size} bytes read at {offset:#x}")
            return 0
        return reader()

    def write(self, offset: int, size: int, value: int) -> None:
        """As `read`; what is not allowed has no effect."""
        if offset >= CONFIG and size <= 4 and offset % size == 0:
            return self.device.write_config(offset - CONFIG, size, value)
        writer = self._writers.get(offset)
        if writer is None or size != 4:
            return self.device.refuse(f"{size} bytes written at {offset:#x}")
        writer(value)

    def node(self) -> dict[str, Property]:
        """Its device-tree properties besides `reg` and `interrupts`."""
        return {"compatible": "virtio,mmio"}


class EmptySlot:
    """A place on the bus with no device in it: drivers read the type 0 and pass on."""

    def read(self, offset: int, size: int) -> int:
        """Magic, version and vendor as everywhere; all else is 0, the device type too."""
        return IDENTITY.get(offset, 0) if size == 4 else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Reaches nothing."""

    def node(self) -> None:
        """Not in the device tree: those who read it need not look here."""
