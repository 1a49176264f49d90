"""Random register programs: whatever a driver writes, the device raises nothing and resets."""

import os
import random

import pytest

from tests.virtio.devices import BlockDevice, ConsoleDevice
from tests.virtio.driver import READY, RINGS, Driver
from vnb.memory import Memory

PROGRAMS = int(os.environ.get("VNB_PROGRAMS", "3000"))
STEPS = 50
SEED = int(os.environ.get("VNB_SEED", "1"))

REGISTERS = (*range(0, 0x100, 4), *[0x70] * 30, *[0x44] * 10, *[0x50] * 10, 0x38, 0x38)
VALUES = (*range(20), 127, 128, 255, 0x8000_0000, 0x8001_0000, 0x8001_0100, 0xFFFF_FFFF, 1 << 30)


def step(dice: random.Random, driver: Driver) -> None:
    if dice.random() < 0.8:
        offset = dice.choice(REGISTERS)
        value = dice.choice((1, 3, 11, 15, 15, dice.choice(VALUES)) if offset == 0x70 else VALUES)
        driver.port.write(offset, value)
    elif dice.random() < 0.7:
        size = dice.choice((1, 2, 4, 8))
        driver.port.write(dice.randrange(0x1000 - size), dice.randrange(1 << 8 * size), size)
    else:
        size = dice.choice((1, 2, 4, 8))
        value = driver.port.read(dice.randrange(0x1000 - size), size)
        assert 0 <= value < 1 << 8 * size


@pytest.mark.parametrize("kind", [BlockDevice, ConsoleDevice])
@pytest.mark.parametrize("phase", ["reset", "negotiated", "live"])
def test_no_register_program_does_more_than_break_its_own_device(
    kind: type[BlockDevice] | type[ConsoleDevice], phase: str
) -> None:
    dice = random.Random(f"{SEED} {kind.__name__} {phase}")
    contract = kind()
    driver = Driver(contract.device(), memory=Memory(1 << 22))
    for number in range(PROGRAMS):
        if phase == "live":
            driver.start(size=8)
        elif phase == "negotiated":
            driver.negotiate()
            driver.place(dice.randrange(len(driver.device.configs)), 8)
        else:
            driver.port.status = 0
        driver.memory.write(driver.memory.base + RINGS, dice.randbytes(64))
        try:
            for _ in range(STEPS):
                step(dice, driver)
            if number % 10 == 0:
                contract.roundtrip(driver.start(size=8))
        except BaseException:
            print(f"seed {SEED}, program {number}")
            raise
    driver.start()
    assert driver.port.status == READY
