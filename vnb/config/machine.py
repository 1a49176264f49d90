"""The arguments of a machine become its Config here, or an error that names what is wrong."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vnb.clock import ClockName
from vnb.config.console import Console
from vnb.config.part import Part, Transport
from vnb.cpu.hart import EngineName, TranslatorName
from vnb.errors import UsageError
from vnb.images import Image
from vnb.platform.board import VIRT
from vnb.platform.pci import CARDS
from vnb.sizes import in_words, size_in_bytes
from vnb.words import one_of

Engine = Literal["auto", "llvm", "numba", "python"]
FASTEST: EngineName = "llvm"
"""What "auto" means: it starts and runs fastest (see benchmarks/)."""

BOARDS = ("virt",)

SLOTS: dict[Transport, int] = {"mmio": len(VIRT.virtio), "pci": len(CARDS)}
"""Devices that a board has room for."""

SMALLEST_MEMORY = 1 << 20
PAGE = 4096


@dataclass(frozen=True)
class Config:
    """Everything that makes a machine what it is; `check()` has found no fault with it."""

    image: Image
    memory: int
    devices: tuple[Part, ...]
    names: tuple[str, ...]  # of the devices
    transport: Transport
    append: str
    board: str
    firmware: Path | None
    clock: ClockName
    engine: EngineName
    seed: int | None
    jit: TranslatorName

    def carrier(self, part: Part) -> Transport:
        """What carries this device between guest and machine."""
        return part.transport or self.transport


def check(
    image: Image,
    memory: int | str = "256M",
    devices: Sequence[Part] | None = None,
    append: str = "",
    board: str = "virt",
    firmware: str | os.PathLike[str] | None = None,
    clock: ClockName = "real",
    engine: Engine = "auto",
    seed: int | None = None,
    transport: Transport = "mmio",
    jit: TranslatorName = "auto",
) -> Config:
    """The arguments of a Machine as a Config; UsageError names the first that is not allowed."""
    if not isinstance(image, Image):
        raise UsageError(
            f"image={image!r}: give an image such as vnb.images.debian(), labos(),"
            " linux(kernel=…), elf(path) or raw(path)"
        )
    one_of(board, "board", BOARDS)
    one_of(transport, "transport", get_args(Transport))
    one_of(clock, "clock", get_args(ClockName))
    one_of(engine, "engine", get_args(Engine))
    one_of(jit, "jit", get_args(TranslatorName))
    if not isinstance(append, str) or "\0" in append:
        raise UsageError(f"append={append!r}: append is a text for the kernel's command line")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise UsageError(f"seed={seed!r}: seed is a number from 0 upwards, or None")
    parts = _devices(devices, transport)
    return Config(
        image=image,
        memory=_memory(memory, image),
        devices=parts,
        names=_names(parts, transport),
        transport=transport,
        append=append,
        board=board,
        firmware=_firmware(firmware),
        clock=clock,
        engine=FASTEST if engine == "auto" else engine,
        seed=seed,
        jit=jit,
    )


def _memory(memory: int | str, image: Image) -> int:
    count = size_in_bytes(memory, "memory")
    if count < SMALLEST_MEMORY or count % PAGE:
        raise UsageError(f"memory={memory!r}: at least 1M, in whole pages of {PAGE} bytes")
    if count < image.least_memory:
        least = in_words(image.least_memory)
        raise UsageError(f"memory={memory!r}: image {image.name!r} needs at least {least}")
    host = host_memory()
    if count > host:
        raise UsageError(f"memory={memory!r}: this host has only {in_words(host)} of memory in all")
    return count


def host_memory() -> int:
    """Bytes of RAM in this computer."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _devices(devices: object, transport: Transport) -> tuple[Part, ...]:
    if devices is None:
        return (Console(),)
    if isinstance(devices, str) or not isinstance(devices, Sequence):
        raise UsageError(f"devices={devices!r}: give a list such as [Console(), Disk(…)]")
    for device in devices:
        if not isinstance(device, Part):
            hint = "; write Console(), with brackets" if isinstance(device, type) else ""
            raise UsageError(f"devices: {device!r} is no device such as Console() or Disk(…){hint}")
    if sum(isinstance(device, Console) for device in devices) > 1:
        raise UsageError("devices: a machine has one Console at most")
    for carrier, count in Counter(device.transport or transport for device in devices).items():
        if count > SLOTS[carrier]:
            raise UsageError(
                f"devices: {count} of them over {carrier}; the board has {SLOTS[carrier]} slots"
            )
    return tuple(devices)


def _names(devices: Sequence[Part], transport: Transport) -> tuple[str, ...]:
    """What the guest calls each: Linux finds those on PCI before those on MMIO."""
    found = sorted(
        range(len(devices)), key=lambda place: (devices[place].transport or transport) != "pci"
    )
    counts: Counter[type[Part]] = Counter()
    names = [""] * len(devices)
    for place in found:
        device = devices[place]
        names[place] = device.name(counts[type(device)])
        counts[type(device)] += 1
    for name, count in Counter(names).items():
        if count > 1:
            raise UsageError(f"devices: {count} of them are called {name!r}")
    return tuple(names)


def _firmware(firmware: str | os.PathLike[str] | None) -> Path | None:
    if firmware is None:
        return None
    if not isinstance(firmware, str | os.PathLike):
        raise UsageError(f"firmware={firmware!r}: the path of a firmware image, or None")
    path = Path(firmware)
    if not path.is_file():
        raise UsageError(f"firmware={str(path)!r}: there is no such file")
    return path
