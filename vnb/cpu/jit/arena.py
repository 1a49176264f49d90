"""Object code to its place in memory, by our own hands where we know its format: ELF for x86-64.

Regions lie side by side here. LLVM's own loader gives each two mappings of its own, of which the
system allows a process only so many, and whose pages each take an entry of the host's TLB.
"""

import ctypes
import mmap
from struct import Struct
from typing import NamedTuple

BLOCK = 1 << 20
"""Bytes that are reserved at a time."""

# ELF64, little-endian [System V ABI, AMD64 4 and 5]
OBJECT = b"\x7fELF\x02\x01\x01"
HEADER = Struct("<16sHHIQQQIHHHHHH")
RELOCATABLE, X86_64 = 1, 62
SECTION = Struct("<IIQQQQIIQQ")
PROGBITS, SYMBOLS, RELOCATIONS, NOBITS, SHORT_RELOCATIONS = 1, 2, 4, 8, 9
ALLOCATED = 2
SYMBOL = Struct("<IBBHQQ")
RELOCATION = Struct("<QQq")
ABSOLUTE_64 = 1
WORD = Struct("<Q")


class Section(NamedTuple):
    name: int
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry: int

    def content(self, whole: bytes) -> memoryview:
        return memoryview(whole)[self.offset : self.offset + self.size]


class Symbol(NamedTuple):
    name: int
    info: int
    other: int
    section: int
    value: int
    size: int


class Patch(NamedTuple):
    """A word of the image that takes an address: another place in the image."""

    at: int
    place: int


class Image(NamedTuple):
    """What of an object file goes to memory, the addresses in there, and where to enter."""

    content: bytes
    patches: list[Patch]
    entry: int


def sections_of(content: bytes) -> list[Section]:
    """The sections of an object file; none if it is not of the format that we know."""
    if not content.startswith(OBJECT) or len(content) < HEADER.size:
        return []
    _, kind, machine, _, _, _, table, *_, count, _ = HEADER.unpack_from(content)
    if (kind, machine) != (RELOCATABLE, X86_64):
        return []
    return [
        Section(*SECTION.unpack_from(content, table + number * SECTION.size))
        for number in range(count)
    ]


def image_of(content: bytes, name: str) -> Image | None:
    """An object file laid out, to be entered at the symbol `name`; None if that is beyond us."""
    places: dict[int, int] = {}
    laid = bytearray()
    sections = sections_of(content)
    for number, section in enumerate(sections):
        if section.type in (NOBITS, SHORT_RELOCATIONS) and section.size:
            return None
        if section.type == PROGBITS and section.flags & ALLOCATED:
            laid += bytes(-len(laid) % section.alignment)
            places[number] = len(laid)
            laid += section.content(content)
    tables = [section for section in sections if section.type == SYMBOLS]
    if len(tables) != 1:
        return None
    symbols = [Symbol(*fields) for fields in SYMBOL.iter_unpack(tables[0].content(content))]
    names = bytes(sections[tables[0].link].content(content))
    patches = _patches(content, sections, symbols, places)
    for symbol in symbols:
        end_of_name = symbol.name + len(name)
        if names[symbol.name : end_of_name + 1] == name.encode() + b"\0" and patches is not None:
            return Image(bytes(laid), patches, places[symbol.section] + symbol.value)
    return None


def _patches(
    content: bytes, sections: list[Section], symbols: list[Symbol], places: dict[int, int]
) -> list[Patch] | None:
    """The relocations of what is laid out; None if some are of a kind that we do not know."""
    patches = []
    for section in sections:
        if section.type != RELOCATIONS or section.info not in places:
            continue
        for offset, info, addend in RELOCATION.iter_unpack(section.content(content)):
            symbol = symbols[info >> 32]
            if info & 0xFFFFFFFF != ABSOLUTE_64 or symbol.section not in places:
                return None
            place = places[symbol.section] + symbol.value + addend
            patches.append(Patch(places[section.info] + offset, place))
    return patches


class Arena:
    """Executable memory that is filled from one end to the other, and freed as a whole."""

    def __init__(self) -> None:
        self._blocks: list[mmap.mmap] = []
        self._next = self._end = 0  # host addresses within the last block

    def place(self, image: Image) -> int | None:
        """Where it is entered; None if another loader has to try."""
        size = len(image.content)
        if not self._has_room(size):
            return None
        start, self._next = self._next, -(-(self._next + size) // 64) * 64
        ctypes.memmove(start, image.content, size)
        for at, place in image.patches:
            ctypes.memmove(start + at, WORD.pack(start + place), WORD.size)
        return start + image.entry

    def _has_room(self, size: int) -> bool:
        """Whether there is; False where the system lets nobody execute what he wrote."""
        if self._next + size <= self._end:
            return True
        prot = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        length = -(-max(size, BLOCK) // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            block = mmap.mmap(-1, length, flags=flags, prot=prot)
        except OSError:
            return False
        self._blocks.append(block)
        self._next = ctypes.addressof(ctypes.c_char.from_buffer(block))
        self._end = self._next + length
        return True
