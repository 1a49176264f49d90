"""What a cell asks for: the arguments of a machine and its devices, checked before any exists."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vnb.clock import ClockName
from vnb.cpu.hart import EngineName
from vnb.errors import UsageError
from vnb.host import block
from vnb.images import Image
from vnb.platform.board import VIRT

Engine = Literal["auto", "llvm", "numba", "python"]
FASTEST: EngineName = "llvm"
"""What "auto" means: it starts and runs fastest (see benchmarks/)."""

DiskMode = Literal["rw", "ro", "snapshot"]

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
BOARDS = ("virt",)

SLOTS = len(VIRT.virtio)

SMALLEST_MEMORY = 1 << 20
PAGE = 4096
SECTOR = 512


def size_in_bytes(value: int | str, name: str) -> int:
    """Bytes in `value`: an int, or a text such as "256M" (K, M, G, T are powers of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", value, re.IGNORECASE)
        if match:
            return int(float(match[1]) * UNITS[match[2].upper()])
    raise UsageError(f'{name}={value!r}: give a size such as "256M", "1G" or a number of bytes')


def in_words(count: int) -> str:
    """A number of bytes as a cell would write it: 268435456 is "256M"."""
    for unit in ("T", "G", "M", "K"):
        if count >= UNITS[unit]:
            amount = count / UNITS[unit]
            return f"{amount:.0f}{unit}" if amount == int(amount) else f"{amount:.1f}{unit}"
    return str(count)


def one_of(value: object, name: str, allowed: Sequence[str]) -> None:
    """UsageError unless `value` is one of the words `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(map(repr, allowed))
        raise UsageError(f"{name}={value!r}: {name} is one of {words}")


@dataclass(frozen=True)
class Console:
    """The guest's console: /dev/hvc0 in Linux, with the UART before that is up.

    `columns` and `rows` are the size that the guest is told, in characters.
    """

    columns: int = 80
    rows: int = 25

    def __post_init__(self) -> None:
        for name in ("columns", "rows"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= 0xFFFF:
                raise UsageError(f"{name}={value!r}: {name} is a number from 1 to 65535")

    def __str__(self) -> str:
        return f"console {self.columns}×{self.rows}"


@dataclass(frozen=True)
class Disk:
    """A disk of the guest: /dev/vda, vdb … in Linux, in the order of the list of devices.

    `path` is a raw disk image on the host and `mode` says what the guest may do to it: "rw"
    writes it, "ro" only reads it, "snapshot" writes into memory and never to the file. With
    `size` instead of a path the disk is empty, in memory, and gone with the machine.
    """

    path: str | os.PathLike[str] | None = None
    mode: DiskMode = "rw"
    size: int | str | None = None

    def __post_init__(self) -> None:
        one_of(self.mode, "mode", get_args(DiskMode))
        if (self.path is None) == (self.size is None):
            raise UsageError('Disk needs either a path, as in Disk("a.img"), or Disk(size="64M")')
        if self.path is not None and not isinstance(self.path, str | os.PathLike):
            raise UsageError(f"path={self.path!r}: path is the file name of a raw disk image")
        if self.size is not None:
            count = size_in_bytes(self.size, "size")
            if count <= 0 or count % SECTOR:
                raise UsageError(f"size={self.size!r}: a disk is one or more sectors of 512 bytes")

    def __str__(self) -> str:
        if self.path is None:
            return f"disk of {in_words(size_in_bytes(self.size or 0, 'size'))} in memory"
        return f"disk {os.fspath(self.path)}" + ("" if self.mode == "rw" else f" ({self.mode})")

    def open(self) -> block.Block:
        """The backend that serves this disk; HostError or UsageError says why there is none."""
        if self.path is None:
            return block.Memory(size_in_bytes(self.size or 0, "size"))
        if self.mode == "snapshot":
            return block.Overlay(block.Raw(self.path, read_only=True))
        return block.Raw(self.path, read_only=self.mode == "ro")


Device = Console | Disk


@dataclass(frozen=True)
class Config:
    """Everything that makes a machine what it is; `check()` has found no fault with it."""

    image: Image
    memory: int
    devices: tuple[Device, ...]
    append: str
    board: str
    firmware: Path | None
    clock: ClockName
    engine: EngineName
    seed: int | None


def check(
    image: Image,
    memory: int | str,
    devices: Sequence[Device] | None,
    append: str,
    board: str,
    firmware: str | os.PathLike[str] | None,
    clock: ClockName,
    engine: Engine,
    seed: int | None,
) -> Config:
    """The arguments of a Machine as a Config; UsageError names the first that is not allowed."""
    if not isinstance(image, Image):
        raise UsageError(
            f"image={image!r}: give an image such as vnb.images.debian(), labos(),"
            " linux(kernel=…), elf(path) or raw(path)"
        )
    one_of(board, "board", BOARDS)
    one_of(clock, "clock", get_args(ClockName))
    one_of(engine, "engine", get_args(Engine))
    if not isinstance(append, str) or "\0" in append:
        raise UsageError(f"append={append!r}: append is a text for the kernel's command line")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise UsageError(f"seed={seed!r}: seed is a number from 0 upwards, or None")
    return Config(
        image=image,
        memory=_memory(memory, image),
        devices=_devices(devices),
        append=append,
        board=board,
        firmware=_firmware(firmware),
        clock=clock,
        engine=FASTEST if engine == "auto" else engine,
        seed=seed,
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


def _devices(devices: object) -> tuple[Device, ...]:
    if devices is None:
        return (Console(),)
    if isinstance(devices, str) or not isinstance(devices, Sequence):
        raise UsageError(f"devices={devices!r}: give a list such as [Console(), Disk(…)]")
    for device in devices:
        if not isinstance(device, Device):
            hint = "; write Console(), with brackets" if isinstance(device, type) else ""
            raise UsageError(f"devices: {device!r} is no device: Console or Disk{hint}")
    if sum(isinstance(device, Console) for device in devices) > 1:
        raise UsageError("devices: a machine has one Console at most")
    if len(devices) > SLOTS:
        raise UsageError(f"devices: {len(devices)} of them; the board has {SLOTS} slots")
    return tuple(devices)


def _firmware(firmware: str | os.PathLike[str] | None) -> Path | None:
    if firmware is None:
        return None
    if not isinstance(firmware, str | os.PathLike):
        raise UsageError(f"firmware={firmware!r}: the path of a firmware image, or None")
    path = Path(firmware)
    if not path.is_file():
        raise UsageError(f"firmware={str(path)!r}: there is no such file")
    return path
