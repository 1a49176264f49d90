"""Random GPU commands: each is answered, and the host keeps no more than it said it would."""

import random

import numpy as np

from tests.hostile.cases import GPU_COMMANDS, SEED, share
from tests.virtio.driver import READY, Driver
from tests.virtio.painter import Painter
from vnb.host.screen import Screen
from vnb.memory import Memory
from vnb.virtio import gpu
from vnb.virtio.device import NEEDS_RESET
from vnb.virtio.gpu import Gpu

CASES = share(GPU_COMMANDS, 1)

ANSWERS = {gpu.OK_NODATA, gpu.OK_DISPLAY_INFO, gpu.OK_EDID, gpu.UNSPEC, gpu.OUT_OF_MEMORY} | {
    gpu.INVALID_SCANOUT_ID,
    gpu.INVALID_RESOURCE_ID,
    gpu.INVALID_PARAMETER,
}
# What follows the header of each command: its layout, and fields that are in order.
COMMANDS = {
    gpu.GET_DISPLAY_INFO: (gpu.BARE, ()),
    gpu.CREATE_2D: (gpu.CREATE, (1, 1, 64, 64)),
    gpu.UNREF: (gpu.ONE, (1,)),
    gpu.SET_SCANOUT: (gpu.ON_SCREEN, (0, 0, 64, 64, 0, 1)),
    gpu.FLUSH: (gpu.IN_PICTURE, (1, 2, 30, 40, 1)),
    gpu.TRANSFER_TO_HOST_2D: (gpu.TRANSFER, (0, 0, 64, 64, 0, 1)),
    gpu.ATTACH_BACKING: (gpu.ATTACH, (1, 3)),
    gpu.DETACH_BACKING: (gpu.ONE, (1,)),
    gpu.GET_CAPSET: (gpu.ONE, (0,)),
    gpu.GET_EDID: (gpu.ONE, (0,)),
    gpu.UPDATE_CURSOR: (gpu.POINTER, (0, 5, -5, 1, 0, 0)),
    gpu.MOVE_CURSOR: (gpu.POINTER, (0, 5, -5, 1, 0, 0)),
    0x10C: (gpu.ONE, (1,)),
}
OFTEN = (gpu.CREATE_2D, gpu.ATTACH_BACKING, gpu.SET_SCANOUT, gpu.TRANSFER_TO_HOST_2D, gpu.FLUSH)
KINDS = (*COMMANDS, *OFTEN, *OFTEN, *OFTEN)
NUMBERS = (*range(5), 63, 65, 100, 4096, 8192, 8192, 8192, 0x7FFF_FFFF)
LARGE = (0x8000_0000, 0xFFFF_FFFF)


def fields(dice: random.Random, kind: int) -> bytes:
    """The body of a command, with some of its fields exchanged for others."""
    layout, good = COMMANDS[kind]
    signed = layout is gpu.POINTER
    numbers = NUMBERS if signed else NUMBERS + LARGE
    wrong = dice.choice((0, 0.1, 0.2, 0.7))
    return layout.pack(*(dice.choice(numbers) if dice.random() < wrong else one for one in good))


def entries(dice: random.Random, memory: Memory) -> bytes:
    """Ranges of guest memory, some of which are not in RAM."""
    end = memory.base + memory.size
    addresses = (*[memory.base] * 20, end - 0x4000, end - 1, 0, (1 << 64) - 1)
    lengths = (*[0x4000] * 20, 0, 1, 4096, 0xFFFF_FFFF)
    return b"".join(
        gpu.ENTRY.pack(dice.choice(addresses), dice.choice(lengths))
        for _ in range(dice.randrange(6))
    )


def test_random_commands_are_answered_and_the_host_stays_within_its_bounds() -> None:
    dice = random.Random(SEED)
    screen = Screen(64, 64)
    device = Gpu(screen)
    driver = Driver(device, memory=Memory(1 << 22)).start()
    answered: dict[int, int] = {}
    for number in range(CASES):
        where = f"VNB_SEED={SEED}, case {number}"
        kind = dice.choice(KINDS)
        body = fields(dice, kind)
        if kind == gpu.ATTACH_BACKING:
            body += entries(dice, driver.memory)
        if dice.random() < 0.05:
            body = body[: dice.randrange(len(body) + 1)]
        queue = gpu.CURSOR if kind >= gpu.UPDATE_CURSOR else gpu.CONTROL
        room = dice.choice((*[1100] * 60, 24, 24, 23, 0))
        header = gpu.HEADER.pack(kind, dice.choice((0, 1, 3)), number, 0, 0)
        addresses = driver.send(queue, [header + body], [room] if room else [])
        if device.status != READY:
            assert device.status == READY | NEEDS_RESET, where
            assert room < gpu.HEADER.size, where
            driver.start()
            continue
        assert driver.rings[queue].reap(), where
        if room:
            answer = driver.memory.read_u32(addresses[-1])
            assert answer in ANSWERS, where
            answered[answer] = answered.get(answer, 0) + 1
        kept = sum(picture.pixels.nbytes for picture in device._pictures.values())
        assert kept <= gpu.MOST_BYTES, where
        assert screen.frame.nbytes <= gpu.MOST_BYTES, where
    assert answered.keys() == ANSWERS or CASES < GPU_COMMANDS, "of so many, each was given"
    assert answered[gpu.OK_NODATA] > CASES // 10, "and not only errors"
    painter = Painter(Driver(device).start()).begin()
    painter.paint(b"\x05" * (40 * 30 * 4))
    assert np.unique(screen.frame).tolist() == [5]
