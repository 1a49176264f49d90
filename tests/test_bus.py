"""The address map: who answers where, and who does not."""

import pytest

from vnb.bus import Bus, BusFault, Property
from vnb.errors import UsageError


class Echo:
    """Answers a read with where it was read, and remembers what was written."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int, int]] = []

    def read(self, offset: int, size: int) -> int:
        return offset << 8 | size

    def write(self, offset: int, size: int, value: int) -> None:
        self.written.append((offset, size, value))

    def node(self) -> dict[str, Property] | None:
        return None


def test_a_device_sees_offsets_from_its_own_base() -> None:
    bus, device = Bus(), Echo()
    bus.attach("echo", 0x1000, 0x100, device, irq=3)
    assert bus.read(0x1010, 4) == 0x10 << 8 | 4
    bus.write(0x10FF, 1, 0xAB)
    assert device.written == [(0xFF, 1, 0xAB)]
    (region,) = bus.regions
    assert (region.name, region.base, region.size, region.irq) == ("echo", 0x1000, 0x100, 3)


def test_each_address_finds_its_own_device() -> None:
    bus = Bus()
    devices = {base: Echo() for base in (0x3000, 0x1000, 0x2000)}
    for base, device in devices.items():
        bus.attach(f"at {base:#x}", base, 0x1000, device)
    assert [region.base for region in bus.regions] == [0x1000, 0x2000, 0x3000]
    for base, device in devices.items():
        assert bus.find(base).device is device
        assert bus.find(base + 0xFFF).device is device


@pytest.mark.parametrize("address", [0, 0xFFF, 0x1100, 0xFFFF_FFFF_FFFF_FFFF])
def test_an_address_without_a_device_is_a_fault(address: int) -> None:
    bus = Bus()
    bus.attach("echo", 0x1000, 0x100, Echo())
    with pytest.raises(BusFault, match=f"{address:#x}"):
        bus.read(address, 1)
    with pytest.raises(BusFault):
        bus.write(address, 1, 0)


def test_an_access_that_reaches_past_the_end_of_a_device_is_a_fault() -> None:
    bus, device = Bus(), Echo()
    bus.attach("echo", 0x1000, 0x100, device)
    bus.attach("next", 0x1100, 0x100, Echo())
    with pytest.raises(BusFault):
        bus.write(0x10FE, 4, 1)
    assert device.written == []


@pytest.mark.parametrize(
    ("base", "size"), [(0x1000, 0x100), (0x0F01, 0x100), (0x10FF, 1), (0, 0x1_0000), (0x1010, 1)]
)
def test_two_devices_cannot_share_an_address(base: int, size: int) -> None:
    bus = Bus()
    bus.attach("first", 0x1000, 0x100, Echo())
    with pytest.raises(UsageError, match=r"second .* overlaps first"):
        bus.attach("second", base, size, Echo())
    assert [region.name for region in bus.regions] == ["first"]


def test_neighbours_may_touch() -> None:
    bus = Bus()
    bus.attach("low", 0x1000, 0x100, Echo())
    bus.attach("high", 0x1100, 0x100, Echo())
    assert bus.find(0x10FF).name == "low"
    assert bus.find(0x1100).name == "high"
