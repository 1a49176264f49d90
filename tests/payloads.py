"""Guests to load that are small enough to read: ELF programs and the heads of kernels."""

import struct
from dataclasses import dataclass

RISCV, X86_64, X86, ARM64 = 243, 62, 3, 183
REL, EXEC, DYN, CORE = 1, 2, 3, 4
LOAD, INTERP = 1, 3


@dataclass(frozen=True)
class Part:
    """A program header and its bytes; `size` in memory, as in the file unless given."""

    address: int
    data: bytes
    size: int | None = None
    virtual: int | None = None
    kind: int = LOAD


def elf(
    *parts: Part,
    entry: int = 0x8000_0000,
    machine: int = RISCV,
    kind: int = EXEC,
    bits: int = 64,
    order: str = "<",
) -> bytes:
    """An ELF file with nothing but its program headers [elf 1, 2]."""
    offset = 64 + 56 * len(parts)
    headers, body = b"", b""
    for part in parts:
        virtual = part.address if part.virtual is None else part.virtual
        size = len(part.data) if part.size is None else part.size
        place = (offset + len(body), virtual, part.address, len(part.data), size, 4096)
        headers += struct.pack(f"{order}IIQQQQQQ", part.kind, 7, *place)
        body += part.data
    identity = bytes((0x7F, *b"ELF", bits // 32, 1 if order == "<" else 2, 1)).ljust(16, b"\0")
    numbers = (kind, machine, 1, entry, 64, 0, 0, 64, 56, len(parts), 64, 0, 0)
    return identity + struct.pack(f"{order}HHIQQQIHHHHHH", *numbers) + headers + body


def kernel(
    body: bytes = b"", *, text_offset: int = 0x20_0000, size: int = 0, flags: int = 0, pe: int = 0
) -> bytes:
    """An Image without an EFI stub: 64 bytes of header, then `body` [riscv/boot-image-header]."""
    head = struct.pack("<IIQQQIIQ", 0x6F, 0, text_offset, size, flags, 2, 0, 0)
    return head + b"RISCV\0\0\0RSC\x05" + struct.pack("<I", pe) + body


def efi_kernel(body: bytes) -> bytes:
    """An Image with an EFI stub whose one section is all of `body`."""
    coff = struct.pack("<HH12xHH", 0x5064, 1, 0, 0x206)
    start = 64 + 24 + 40
    section = b".text\0\0\0" + struct.pack("<IIII16x", len(body), start, len(body), start)
    image = kernel(b"PE\0\0" + coff + section + body, pe=64)
    return b"MZ" + image[2:]
