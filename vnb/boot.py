"""A guest image comes in, and what its first instruction must find goes out into RAM."""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from vnb.errors import UsageError
from vnb.images import formats
from vnb.memory import PAGE, Memory
from vnb.platform.board import Board

if TYPE_CHECKING:
    from vnb.images import Image

KIB, MIB = 1 << 10, 1 << 20

FIRMWARE_ROOM = 2 * MIB
"""From the start of RAM; kernels are built to leave it alone, and to be loaded behind it."""

TREE_ROOM = 64 * KIB
"""For the device tree, with what firmware adds to it in place, and the note to the firmware."""

TREE_GROWTH = 8 * KIB
TREE_ALIGNMENT = 2 * MIB
SMALL = 16 * MIB
"""In less RAM than this the tree has to do with a page's alignment."""

FARTHEST = 1 << 40
"""No address above this is a matter of more RAM."""

MACHINE, SUPERVISOR = 3, 1

FIRMWARE_INFO = struct.Struct("<6Q")
"""struct fw_dynamic_info: magic, version, next address, next mode, options, boot hart."""

FIRMWARE_MAGIC = int.from_bytes(b"OSBI", "little")
FIRMWARE_VERSION = 2


@dataclass(frozen=True)
class Entry:
    """How the hart starts. In mode 1 the machine serves the SBI; in mode 3 firmware does, or none.

    a0 is the hart's number, a1 the device tree, a2 in machine mode a struct fw_dynamic_info,
    just as they are after QEMU's reset vector.
    """

    pc: int
    mode: int
    a0: int = 0
    a1: int = 0
    a2: int = 0


@dataclass(frozen=True)
class _Piece:
    """`data`, then zeros up to `size` bytes, at `address`."""

    name: str
    address: int
    data: bytes | memoryview
    size: int

    @property
    def end(self) -> int:
        return self.address + self.size

    def __str__(self) -> str:
        return f"{self.name} at {self.address:#x}..{self.end - 1:#x}"


def place(
    image: "Image",
    memory: Memory,
    board: Board,
    *,
    append: str = "",
    firmware: Path | bytes | None = None,
    seed: bytes = b"",
) -> Entry:
    """Load `image`, its initrd, a device tree and perhaps a firmware; say where to start.

    Without `firmware` a "linux" image starts in supervisor mode under the machine's own SBI,
    and the other kinds in machine mode. With it, an OpenSBI image (fw_jump or fw_dynamic, ELF
    or flat) starts in machine mode and is told to go on with `image`. `append` follows the
    image's own words on the command line, `seed` is entropy for its random numbers. UsageError
    for files that are no such thing, and where RAM is too small for it all.
    """
    lowest = memory.base + (FIRMWARE_ROOM if firmware is not None else 0)
    pieces, start = _payload(image, memory, lowest)
    next_stage, mode = start, SUPERVISOR if image.kind == "linux" else MACHINE
    if firmware is not None:
        loads, start = _firmware(firmware, memory)
        pieces, mode = loads + pieces, MACHINE
    elif mode == MACHINE:
        next_stage = 0
    tree, initrd = _tail(image, memory, pieces)
    bootargs = " ".join(words for words in (image.append, append) if words)
    blob = board.devicetree(bootargs, (initrd.address, initrd.end) if initrd else None, seed)
    if len(blob) + TREE_GROWTH > TREE_ROOM:
        raise UsageError(f"append: {len(bootargs)} characters of command line are too many")
    for piece in [*pieces, initrd] if initrd else pieces:
        memory.write(piece.address, piece.data)
        _zero(memory, piece.address + len(piece.data), piece.size - len(piece.data))
    memory.write(tree, blob)
    note = tree + TREE_ROOM - FIRMWARE_INFO.size
    words = (FIRMWARE_MAGIC, FIRMWARE_VERSION, next_stage, SUPERVISOR, 0, 0)
    memory.write(note, FIRMWARE_INFO.pack(*words))
    return Entry(start, mode, a1=tree, a2=note if mode == MACHINE else 0)


def _payload(image: "Image", memory: Memory, lowest: int) -> tuple[list[_Piece], int]:
    """What `image` itself puts in RAM, and its first instruction."""
    data = formats.read(image.payload, image.name)
    if image.kind == "linux":
        kernel = formats.linux(data, image.name)
        address = memory.base + max(kernel.text_offset, FIRMWARE_ROOM)
        return [_Piece("kernel", address, kernel.data, kernel.size)], address
    if image.kind == "elf":
        return _program(formats.elf(formats.unpack(data, image.name), image.name), memory, lowest)
    address = lowest if image.address is None else image.address
    return [_Piece("program", address, data, len(data))], address


def _program(
    program: formats.Program, memory: Memory, lowest: int, name: str = "program"
) -> tuple[list[_Piece], int]:
    """An ELF program's segments and entry, moved to `lowest` if it may be and is not in RAM.

    What reaches below RAM is left out, as on QEMU: linkers put the file's own headers there.
    """
    first = min(segment.address for segment in program.segments)
    move = lowest - first if program.movable and not memory.contains(first, 1) else 0
    pieces = []
    for segment in program.segments:
        address = segment.address + move
        below = max(0, memory.base - address) if address + segment.size > memory.base else 0
        rest = segment.size - below
        pieces.append(_Piece(name, address + below, segment.data[below:], rest))
    entry = program.entry + move if program.entry else min(piece.address for piece in pieces)
    if not any(piece.address <= entry < piece.end for piece in pieces):
        raise UsageError(f"the {name} starts at {entry:#x}, where it puts nothing into RAM")
    return pieces, entry


def _firmware(source: Path | bytes, memory: Memory) -> tuple[list[_Piece], int]:
    """A firmware's pieces, which take all the room there is for it, and its first instruction."""
    data = formats.read(source, "firmware")
    name = f"firmware: {formats.told(source)}"
    match formats.recognise(data, name):
        case "linux":
            raise UsageError(f"{name} is a Linux kernel; give that as the image")
        case "elf":
            program = formats.elf(formats.unpack(data, name), name)
            return _program(program, memory, memory.base, "firmware")
    room = max(len(data), FIRMWARE_ROOM)
    return [_Piece("firmware", memory.base, data, room)], memory.base


def _tail(image: "Image", memory: Memory, pieces: list[_Piece]) -> tuple[int, _Piece | None]:
    """Where the device tree goes, near the end of RAM, and the initrd that goes below it."""
    _check_addresses(memory, pieces)
    initrd = b""
    if image.initrd is not None:
        initrd = formats.read(image.initrd, f"{image.name}'s initrd")
    alignment = TREE_ALIGNMENT if memory.size >= SMALL else PAGE
    tree = _down(memory.base + memory.size - TREE_ROOM, alignment)
    address = _down(tree - len(initrd), PAGE)
    tail = _Piece("initrd", address, initrd, len(initrd)) if initrd else None
    highest = max(piece.end for piece in pieces)
    if address < highest:
        needed = highest - memory.base + len(initrd) + PAGE + TREE_ROOM + TREE_ALIGNMENT
        sizes: dict[str, int] = {}
        for piece in [*pieces, tail] if tail else pieces:
            sizes[piece.name] = sizes.get(piece.name, 0) + piece.size
        parts = " and ".join(f"{_mib(size)} of {name}" for name, size in sizes.items())
        raise UsageError(
            f"memory: {image.name} needs {_mib(needed)} of RAM for {parts}, not {_mib(memory.size)}"
        )
    return tree, tail


def _check_addresses(memory: Memory, pieces: Iterable[_Piece]) -> None:
    """UsageError for pieces that lie where no RAM can be, or on each other."""
    ordered = sorted(pieces, key=lambda piece: piece.address)
    for piece in ordered:
        if piece.address < memory.base or piece.end > FARTHEST:
            raise UsageError(f"{piece} is not in RAM, which begins at {memory.base:#x}")
    for before, after in pairwise(ordered):
        if after.address < before.end:
            raise UsageError(f"{before} overlaps {after}")


def _zero(memory: Memory, address: int, length: int) -> None:
    """Clear what an earlier run left, without touching pages that hold nothing yet."""
    end = address + length
    while address < end:
        size = min(PAGE - address % PAGE, end - address)
        if memory.read(address, size) != bytes(size):
            memory.fill(address, size)
        address += size


def _down(address: int, alignment: int) -> int:
    return address - address % alignment


def _mib(size: int) -> str:
    return f"{-(-size // MIB)} MiB"
