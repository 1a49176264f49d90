"""Every device behind every transport: the contract, and that the transports differ in nothing."""

from typing import Any

import pytest

from tests.contracts.virtio import VirtioContract
from tests.virtio.devices import DEVICES
from tests.virtio.driver import TRANSPORTS, Driver
from vnb.virtio.device import FEATURES_OK, VERSION_1, Device
from vnb.virtio.transport import Transport

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


class Picky(Device):
    """Feature 1 needs feature 0."""

    type, name, needs = 42, "picky", {2: 1}

    def __init__(self) -> None:
        super().__init__(3, [])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(("features", "agreed"), [(0, True), (1, True), (2, False), (3, True)])
def test_a_feature_without_what_it_needs_is_refused(
    transport: Any, features: int, agreed: bool
) -> None:
    """[3]"""
    driver = Driver(Picky(), transport)
    assert driver.negotiate(VERSION_1 | features) == agreed
    assert bool(driver.port.status & FEATURES_OK) == agreed


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_transport_needs_nothing_of_a_device_but_its_own_methods(transport: Any) -> None:
    """A device never knows its transport, so several kinds can carry it."""
    driver = Driver(Picky(), transport)
    assert isinstance(driver.port.registers, Transport)
    assert not any(isinstance(value, Transport) for value in vars(driver.device).values())
