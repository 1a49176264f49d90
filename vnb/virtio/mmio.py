"""The MMIO transport: register accesses of the guest become calls of a Device [virtio 4.2]."""

from collections.abc import Callable

from vnb.bus import Line, Property
from vnb.memory import Memory
from vnb.virtio.device import Device, Field, Post
from vnb.virtio.queue import QueueConfig

SIZE = 0x1000
CONFIG = 0x100

MAGIC = 0x7472_6976  # "virt"
VERSION = 2
VENDOR = 0x42_4E56  # "VNB"
IDENTITY = {0x000: MAGIC, 0x004: VERSION, 0x00C: VENDOR}

# InterruptStatus [virtio 4.2.2]
USED_BUFFER, CONFIG_CHANGE = 1, 2

NO_SHARED_MEMORY = 0xFFFF_FFFF
NO_QUEUE = QueueConfig(0)


class MmioTransport:
    """The registers of one device, at any place on the bus, with one interrupt line."""

    def __init__(self, device: Device, memory: Memory, line: Line, post: Post) -> None:
        self.device = device
        self._line = line
        self._interrupts = 0
        self._device_features_sel = 0
        self._driver_features_sel = 0
        self._queue_sel = 0
        device.connect(memory, self._signal, post)
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
            0x014: self._select_device_features,
            0x020: lambda value: device.accept_features(self._driver_features_sel, value),
            0x024: self._select_driver_features,
            0x030: self._select_queue,
            0x038: lambda value: device.configure(self._queue_sel, "size", value),
            0x044: lambda value: device.configure(self._queue_sel, "ready", value & 1),
            0x050: device.notify,
            0x064: self._acknowledge,
            0x070: self._set_status,
            0x080: lambda value: self._set_half("desc", 0, value),
            0x084: lambda value: self._set_half("desc", 32, value),
            0x090: lambda value: self._set_half("avail", 0, value),
            0x094: lambda value: self._set_half("avail", 32, value),
            0x0A0: lambda value: self._set_half("used", 0, value),
            0x0A4: lambda value: self._set_half("used", 32, value),
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

    # Registers.

    @property
    def _queue(self) -> QueueConfig:
        configs = self.device.configs
        return configs[self._queue_sel] if self._queue_sel < len(configs) else NO_QUEUE

    def _device_features(self) -> int:
        return self.device.offered >> min(32 * self._device_features_sel, 128) & 0xFFFF_FFFF

    def _select_device_features(self, value: int) -> None:
        self._device_features_sel = value

    def _select_driver_features(self, value: int) -> None:
        self._driver_features_sel = value

    def _select_queue(self, value: int) -> None:
        self._queue_sel = value

    def _set_half(self, field: Field, shift: int, value: int) -> None:
        whole: int = getattr(self._queue, field)
        kept = whole & ~(0xFFFF_FFFF << shift)
        self.device.configure(self._queue_sel, field, kept | value << shift)

    def _set_status(self, value: int) -> None:
        self.device.set_status(value)
        if value == 0:
            self._acknowledge(USED_BUFFER | CONFIG_CHANGE)

    def _acknowledge(self, bits: int) -> None:
        self._interrupts &= ~bits
        self._line(self._interrupts != 0)

    def _signal(self, queue: int | None) -> None:
        self._interrupts |= CONFIG_CHANGE if queue is None else USED_BUFFER
        self._line(True)


class EmptySlot:
    """A place on the bus with no device in it: drivers read the type 0 and pass on."""

    def read(self, offset: int, size: int) -> int:
        """Magic, version and vendor as everywhere; all else is 0, the device type too."""
        return IDENTITY.get(offset, 0) if size == 4 else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Reaches nothing."""

    def node(self) -> None:
        """Not in the device tree: those who read it need not look here."""
