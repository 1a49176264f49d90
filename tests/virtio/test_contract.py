"""Every device behind every transport: the contract, and that the transports differ in nothing."""

import pytest

from tests.contracts.virtio import VirtioContract
from tests.virtio.devices import DEVICES
from tests.virtio.driver import TRANSPORTS, Driver

for device in DEVICES:
    for transport in TRANSPORTS:
        name = f"Test{device.__name__}Over{transport.__name__}"
        globals()[name] = type(name, (device,), {"transport": transport})


@pytest.mark.parametrize("kind", DEVICES)
def test_both_transports_show_the_same_device(kind: type[VirtioContract]) -> None:
    ports = [Driver(kind().device(), transport).port for transport in TRANSPORTS]
    mmio, pci = (
        (
            port.device.type,
            port.features(),
            [port.queue_max(index) for index in range(len(port.device.configs) + 1)],
            bytes(port.config(place, 1) for place in range(0x100)),
            port.generation,
            port.status,
        )
        for port in ports
    )
    assert mmio == pci
