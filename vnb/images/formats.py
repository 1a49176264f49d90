"""What a file is, and what of it goes where in RAM: kernels, ELF programs, flat binaries."""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from vnb.errors import UsageError
from vnb.images.image import Kind

ELF = b"\x7fELF"
GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"

HEADER = struct.Struct("<8xQQQIIQ8s4sI")
"""The head of a kernel Image: text_offset, image_size, flags, version, two reserved words,
the old magic, the magic, and where its EFI stub's own header is."""

MAGIC_AT, MAGIC = 0x38, b"RSC\x05"
BIG_ENDIAN = 1  # of flags
COFF = struct.Struct("<2xH12xH2x")  # how many sections, the size of the optional header
SECTION = struct.Struct("<16xII16x")  # size and offset of its bytes in the file

ZBOOT_AT, ZBOOT = 4, b"zimg"

# fmt: off
FOREIGN = (
    # offset, bytes there,            what it is
    (0x038, b"ARM\x64",               "an arm64 Linux kernel"),
    (0x202, b"HdrS",                  "an x86 Linux kernel"),
    (0x000, b"PK\x03\x04",            "a zip file"),
    (0x000, b"\xfd7zXZ\0",            "an xz file"),
    (0x000, b"BZh",                   "a bzip2 file"),
    (0x000, b"7z\xbc\xaf\x27\x1c",    "a 7-Zip file"),
    (0x101, b"ustar",                 "a tar archive"),
    (0x000, b"070701",                "a cpio archive, as an initrd is"),
    (0x000, b"!<arch>\ndebian",       "a Debian package"),
    (0x000, b"!<arch>",               "a static library"),
    (0x000, b"\xd0\x0d\xfe\xed",      "a flattened device tree"),
    (0x000, b"QFI\xfb",               "a qcow2 disk image"),
    (0x000, b"KDMV",                  "a VMware disk image"),
    (0x8001, b"CD001",                "an ISO 9660 image"),
    (0x000, b"hsqs",                  "a squashfs file system"),
    (0x438, b"\x53\xef",              "an ext2, ext3 or ext4 file system"),
    (0x1fe, b"\x55\xaa",              "a disk image with a partition table or boot sector"),
    (0x000, b"MZ",                    "a Windows or EFI program"),
    (0x000, b"#!",                    "a script"),
    (0x000, b"%PDF",                  "a PDF file"),
    (0x000, b"\x89PNG",               "a PNG picture"),
    (0x000, b"\xca\xfe\xba\xbe",      "a Java class or a Mach-O program"),
    (0x000, b"\xcf\xfa\xed\xfe",      "a Mach-O program"),
)
"""What people hand over by mistake, the telling ones first."""
# fmt: on

WANTED = "vnb runs a riscv64 Linux kernel (Image, also .gz or .zst), an ELF or a flat binary"

ELF_HEADER = struct.Struct("<4sBB10xHH4xQQ14xHH6x")
"""Magic, class, byte order, type, machine, entry, where the program headers are, the size of
one, how many there are [elf 1]."""

PROGRAM_HEADER = struct.Struct("<I4xQQQQQ8x")
"""Type, offset, virtual and physical address, size in the file and in memory [elf 2]."""

CLASS_64, LITTLE = 2, 1
EM_RISCV = 243
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_INTERP = 1, 3

# fmt: off
MACHINES = {
    3:   "x86",
    8:   "MIPS",
    20:  "PowerPC",
    21:  "64-bit PowerPC",
    22:  "S/390",
    40:  "arm",
    62:  "x86-64",
    183: "arm64",
    258: "LoongArch",
}
NOT_PROGRAMS = {
    0: "an ELF file of no type",
    1: "an object file that has not been linked",
    4: "a core dump",
}
# fmt: on


@dataclass(frozen=True)
class Kernel:
    """A Linux kernel's Image: `data` belongs `text_offset` above the start of RAM, and uses
    `size` bytes from there when it runs."""

    data: bytes
    text_offset: int
    size: int


@dataclass(frozen=True)
class Segment:
    """`data`, then zeros up to `size` bytes, from physical `address`."""

    address: int
    data: memoryview
    size: int


@dataclass(frozen=True)
class Program:
    """A linked ELF program by physical addresses; `movable` if it runs wherever it is put.

    An entry of 0 means that none was given [elf 1].
    """

    entry: int
    segments: tuple[Segment, ...]
    movable: bool = False


def read(source: Path | bytes, what: str) -> bytes:
    """The bytes of a file that a cell names; UsageError says in words why there are none."""
    if isinstance(source, bytes):
        data = source
    else:
        try:
            data = source.read_bytes()
        except OSError as error:
            raise UsageError(f"{what}: cannot read {source}: {error.strerror}") from error
    if not data:
        raise UsageError(f"{what}: {told(source)} is empty")
    return data


def told(source: Path | bytes) -> str:
    """How an error message names a source."""
    return f"a file of {len(source)} bytes" if isinstance(source, bytes) else str(source)


def recognise(data: bytes, name: str) -> Kind:
    """What kind of guest `data` is, compressed or not; UsageError for what cannot be one.

    Bytes that nothing is known about are a flat binary.
    """
    plain = unpack(data, name)
    if plain.startswith(ELF):
        elf(plain, name)
        return "elf"
    if plain.startswith(MAGIC, MAGIC_AT):
        return "linux"
    refuse_foreign(plain, name)
    if plain is not data:
        raise UsageError(f"{name} is a compressed file, and what is in it is no kernel or ELF")
    return "raw"


def refuse_foreign(data: bytes, name: str) -> None:
    """UsageError if `data` is known to be something that no machine of ours can run."""
    for offset, magic, what in FOREIGN:
        if data.startswith(magic, offset):
            raise UsageError(f"{name} is {what}; {WANTED}")


def unpack(data: bytes, name: str) -> bytes:
    """`data` without its compression (gzip, zstd, or a kernel that unpacks itself under EFI)."""
    if data.startswith(b"MZ") and data.startswith(ZBOOT, ZBOOT_AT):
        start, length = struct.unpack_from("<II", data.ljust(16, b"\0"), 8)
        if start + length > len(data):
            raise UsageError(
                f"{name} is truncated: {start + length} bytes, of which {len(data)} are there"
            )
        data = data[start : start + length]
    if data.startswith(GZIP):
        return _gunzip(data, name)
    return _unzstd(data, name) if data.startswith(ZSTD) else data


def _gunzip(data: bytes, name: str) -> bytes:
    stream = zlib.decompressobj(wbits=31)  # one gzip member; what follows it is padding
    try:
        plain = stream.decompress(data)
    except zlib.error as error:
        raise UsageError(f"{name} is a damaged gzip file: {error}") from error
    if not stream.eof:
        raise UsageError(f"{name} is a truncated gzip file")
    return plain


def _unzstd(data: bytes, name: str) -> bytes:
    import zstandard  # only the few who hand over such a kernel wait for it

    stream = zstandard.ZstdDecompressor().decompressobj()
    try:
        plain = stream.decompress(data)
    except zstandard.ZstdError as error:
        raise UsageError(f"{name} is a damaged zstd file: {error}") from error
    if not stream.eof:
        raise UsageError(f"{name} is a truncated zstd file")
    return plain


def linux(data: bytes, name: str) -> Kernel:
    """The kernel in an Image [linux, riscv/boot-image-header]; UsageError if it is none."""
    data = unpack(data, name)
    if data.startswith(ELF):
        raise UsageError(f"{name} is an ELF file, perhaps vmlinux; give the Image made from it")
    if len(data) < HEADER.size or not data.startswith(MAGIC, MAGIC_AT):
        refuse_foreign(data, name)
        raise UsageError(f"{name} is no riscv64 Linux kernel: it has no Image header")
    text_offset, size, flags, *_, pe = HEADER.unpack_from(data)
    if flags & BIG_ENDIAN:
        raise UsageError(f"{name} is a big-endian kernel; vnb is little-endian")
    expected = _pe_size(data, pe)
    if expected > len(data):
        raise UsageError(f"{name} is truncated: {len(data)} of {expected} bytes")
    return Kernel(data, text_offset, max(size, len(data)))


def _pe_size(data: bytes, at: int) -> int:
    """Bytes that the EFI stub's section table promises, 0 without a stub [pe, Section Table]."""
    if not data.startswith(b"MZ") or not data.startswith(b"PE\0\0", at):
        return 0
    sections, optional = COFF.unpack(data[at + 4 : at + 24].ljust(COFF.size, b"\0"))
    start = at + 24 + optional
    table = data[start : start + sections * SECTION.size]
    whole = table[: len(table) - len(table) % SECTION.size]
    return max((size + offset for size, offset in SECTION.iter_unpack(whole)), default=0)


def elf(data: bytes, name: str) -> Program:
    """What an ELF program puts in RAM, and where it starts; UsageError if it is not for us."""
    if len(data) < ELF_HEADER.size:
        raise UsageError(f"{name} is truncated: {len(data)} bytes are no ELF file")
    magic, bits, order, kind, machine, entry, at, size, count = ELF_HEADER.unpack_from(data)
    if magic != ELF:
        raise UsageError(f"{name} is no ELF file")
    _check_machine(bits, order, machine, kind, name)
    end = at + size * count
    if count and (size < PROGRAM_HEADER.size or end > len(data)):
        raise UsageError(f"{name} is truncated or damaged: its headers end at {end} of {len(data)}")
    headers = [_Header(*PROGRAM_HEADER.unpack_from(data, at + size * n)) for n in range(count)]
    if any(header.type == PT_INTERP for header in headers):
        raise UsageError(f"{name} is a program for an operating system, not for a bare machine")
    loads = [header for header in headers if header.type == PT_LOAD and header.size]
    if not loads:
        raise UsageError(f"{name} is an ELF file with nothing to load")
    segments = tuple(_segment(header, data, name) for header in loads)
    return Program(_physical(entry, loads), segments, kind == ET_DYN)


class _Header(NamedTuple):
    """One program header."""

    type: int
    offset: int
    virtual: int
    physical: int
    stored: int
    size: int


def _check_machine(bits: int, order: int, machine: int, kind: int, name: str) -> None:
    """Refuse programs for other machines, and what is no program."""
    if order == LITTLE and machine != EM_RISCV:
        other = MACHINES.get(machine, f"another machine (number {machine})")
        raise UsageError(f"{name} is an ELF program for {other}; vnb runs 64-bit RISC-V")
    if (bits, order) != (CLASS_64, LITTLE):
        words = f"{64 if bits == CLASS_64 else 32}-bit {'little' if order == LITTLE else 'big'}"
        raise UsageError(f"{name} is a {words}-endian ELF file; vnb is 64-bit little-endian RISC-V")
    if kind not in (ET_EXEC, ET_DYN):
        what = NOT_PROGRAMS.get(kind, f"an ELF file of type {kind}")
        raise UsageError(f"{name} is {what}, not a program")


def _segment(header: _Header, data: bytes, name: str) -> Segment:
    end = header.offset + header.stored
    if end > len(data):
        raise UsageError(f"{name} is truncated: {len(data)} of {end} bytes")
    if header.stored > header.size:
        raise UsageError(f"{name} is a damaged ELF file: a segment is larger in it than in memory")
    return Segment(header.physical, memoryview(data)[header.offset : end], header.size)


def _physical(entry: int, loads: list[_Header]) -> int:
    """The entry's physical address: before paging is on, nothing runs at another."""
    for header in loads:
        if header.virtual <= entry < header.virtual + header.size:
            return entry - header.virtual + header.physical
    return entry
