"""The physical address map: which device answers an access that is not to RAM."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vnb.errors import GuestError, UsageError

Line = Callable[[bool], None]
"""An interrupt line: called with its level whenever that may have changed."""

Property = str | list[str] | int | list[int] | bytes | None
"""A device-tree property: strings, 32-bit cells, raw bytes, or None for a mere name."""


class BusFault(GuestError):
    """No device answers at this address; the hart turns it into an access fault."""


class BusDevice(Protocol):
    """What answers for a range of addresses; offsets count from the range's start."""

    def read(self, offset: int, size: int) -> int:
        """The value of `size` (1, 2, 4, 8) bytes at `offset`."""
        ...

    def write(self, offset: int, size: int, value: int) -> None:
        """Store the low `size` bytes of `value` at `offset`."""
        ...

    def node(self) -> dict[str, Property] | None:
        """Its device-tree properties besides `reg` and `interrupts`; None keeps it out."""
        ...


@dataclass(frozen=True)
class Region:
    """One device's place: `size` bytes at `base`, and its interrupt source if it has one."""

    name: str
    base: int
    size: int
    device: BusDevice
    irq: int | None = None


class Bus:
    """The board's map of regions, sorted by address; no two overlap."""

    def __init__(self) -> None:
        self.regions: tuple[Region, ...] = ()
        self._bases: list[int] = []

    def attach(
        self, name: str, base: int, size: int, device: BusDevice, irq: int | None = None
    ) -> Region:
        """Give `device` the `size` bytes at `base`; UsageError where another one sits."""
        region = Region(name, base, size, device, irq)
        for other in self.regions:
            if base < other.base + other.size and other.base < base + size:
                raise UsageError(
                    f"{name} at {base:#x}..{base + size - 1:#x} overlaps {other.name}"
                    f" at {other.base:#x}..{other.base + other.size - 1:#x}"
                )
        self.regions = tuple(sorted((*self.regions, region), key=lambda r: r.base))
        self._bases = [r.base for r in self.regions]
        return region

    def find(self, address: int, size: int = 1) -> Region:
        """The region that holds all `size` bytes from `address`, else BusFault."""
        index = bisect_right(self._bases, address) - 1
        if index >= 0:
            region = self.regions[index]
            if address + size <= region.base + region.size:
                return region
        raise BusFault(f"no device answers at {address:#x}")

    def read(self, address: int, size: int) -> int:
        """Load `size` bytes from the device at `address`."""
        region = self.find(address, size)
        return region.device.read(address - region.base, size)

    def write(self, address: int, size: int, value: int) -> None:
        """Store `size` bytes to the device at `address`."""
        region = self.find(address, size)
        region.device.write(address - region.base, size, value)
