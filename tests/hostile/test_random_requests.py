"""Chains that are in order and ask for anything: an answer that fits its room, or a reset."""

import random
from itertools import pairwise
from typing import Any

import pytest

from tests.contracts.virtio import VirtioContract
from tests.hostile.cases import REQUESTS, SEED, share
from tests.virtio.devices import DEVICES
from tests.virtio.driver import READY, TRANSPORTS, Driver
from vnb.virtio.device import NEEDS_RESET

CASES = share(REQUESTS, len(DEVICES) * len(TRANSPORTS))
ROOMS = ((), (1,), (16,), (1, 1), (512, 1), (20, 1), (4096,), (24, 512), (1, 7, 513))


class Asker:
    """Sends requests, and starts the device again whenever one broke it."""

    def __init__(self, contract: VirtioContract, transport: Any) -> None:
        self.contract = contract
        self.driver = Driver(contract.device(), transport).start()
        self.answers = self.resets = 0

    def ask(self, queue: int, parts: list[bytes], room: tuple[int, ...]) -> None:
        """One request on this queue; everything that came back is checked."""
        driver = self.driver
        ring = driver.rings[queue]
        if len(ring.free) < len(parts) + len(room):
            driver.start()
            ring = driver.rings[queue]
        head = ring.free[0]
        driver.send(queue, parts, room)
        driver.settle()
        for found, length in ring.reap():
            assert found != head or length <= sum(room)
            self.answers += 1
        if driver.port.status != READY:
            assert driver.port.status == READY | NEEDS_RESET
            self.resets += 1
            driver.start()

    def finish(self) -> None:
        """The device works as it always did."""
        self.contract.roundtrip(self.driver.start())


def spoiled(dice: random.Random, phrase: bytes) -> bytes:
    """`phrase`, most often with something wrong about it."""
    match dice.randrange(5):
        case 0:
            return phrase
        case 1:
            return phrase[: dice.randrange(len(phrase))]
        case 2:
            return phrase + dice.randbytes(dice.choice((1, 16, 512)))
    data = bytearray(phrase)
    for _ in range(dice.choice((1, 1, 2, 4))):
        data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(data)


def split(dice: random.Random, data: bytes) -> list[bytes]:
    """`data` in one to three buffers."""
    cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.choice((0, 0, 1, 2))))
    edges = [0, *cuts, len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("kind", DEVICES)
def test_whatever_is_asked_the_answer_fits_or_the_device_wants_a_reset(
    kind: type[VirtioContract], transport: Any
) -> None:
    dice = random.Random(f"{SEED} {kind.__name__} {transport.__name__}")
    asker = Asker(kind(), transport)
    queues = [*range(len(asker.driver.device.configs)), *[kind.queue] * 6]
    for number in range(CASES):
        parts = split(dice, spoiled(dice, dice.choice(kind.phrases)))
        try:
            asker.ask(dice.choice(queues), parts, dice.choice(ROOMS))
        except BaseException:
            print(f"VNB_SEED={SEED}, request {number}: {parts}")
            raise
    asker.finish()
    assert asker.answers > CASES // 10


@pytest.mark.parametrize("kind", DEVICES)
def test_no_request_that_ends_too_early_does_harm(kind: type[VirtioContract]) -> None:
    asker = Asker(kind(), TRANSPORTS[0])
    for phrase in kind.phrases:
        for length in range(len(phrase) + 1):
            for room in ((), (1,), (4096, 1)):
                asker.ask(kind.queue, [phrase[:length]], room)
    asker.finish()
