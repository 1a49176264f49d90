"""What every transport does with a device: it selects for the driver, and interrupts it."""

from vnb.bus import Line
from vnb.memory import Memory
from vnb.virtio.device import Device, Field, Post
from vnb.virtio.queue import QueueConfig

# What a driver is interrupted for [virtio 4.1.4.5, 4.2.2]
USED_BUFFER, CONFIG_CHANGE = 1, 2

NO_QUEUE = QueueConfig(0)
WORD = 0xFFFF_FFFF


class Transport:
    """One device with one interrupt line; a transport adds the registers that reach it.

    `post` has a function run on the machine's thread soon, whoever calls it.
    """

    def __init__(self, device: Device, memory: Memory, line: Line, post: Post) -> None:
        self.device = device
        self._line = line
        self._interrupts = 0  # what the driver has not acknowledged
        self._device_features_sel = 0
        self._driver_features_sel = 0
        self._queue_sel = 0
        device.connect(memory, self._signal, post)

    @property
    def _queue(self) -> QueueConfig:
        configs = self.device.configs
        return configs[self._queue_sel] if self._queue_sel < len(configs) else NO_QUEUE

    def _device_features(self) -> int:
        return self.device.offered >> min(32 * self._device_features_sel, 128) & WORD

    def _driver_features(self) -> int:
        return self.device.accepted >> min(32 * self._driver_features_sel, 128) & WORD

    def _accept_features(self, value: int) -> None:
        self.device.accept_features(self._driver_features_sel, value)

    def _configure(self, field: Field, value: int) -> None:
        self.device.configure(self._queue_sel, field, value)

    def _half(self, field: Field, shift: int) -> int:
        """32 bits of an address of the selected queue."""
        whole: int = getattr(self._queue, field)
        return whole >> shift & WORD

    def _set_half(self, field: Field, shift: int, value: int) -> None:
        whole: int = getattr(self._queue, field)
        self._configure(field, whole & ~(WORD << shift) | value << shift)

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
