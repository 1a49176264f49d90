"""Makes qcow2 images of every kind that there is to read, for tests that have no qemu-img."""

import random
import struct
import zlib
from collections.abc import Callable

import zstandard

HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
HEADER_3 = struct.Struct(">QQQII")

COPIED, COMPRESSED = 1 << 63, 1 << 62


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {"deflate": deflated, "zstd": zstd}


def image(
    content: bytes,
    dice: random.Random,
    version: int = 3,
    bits: int = 12,
    compression: str = "deflate",
    incompatible: int = 0,
    backing: bytes = b"",
    encryption: int = 0,
) -> bytes:
    """`content` as a qcow2 image, each cluster in a place and of a kind that `dice` decide."""
    size = 1 << bits
    per_table = size // 8
    count = -(-len(content) // size)
    tables = -(-count // per_table)
    padded = content.ljust(count * size, b"\0")
    file = bytearray(2 * size + -(-tables * 8 // size) * size)  # header, name, L1 table
    l1, l2 = [0] * tables, [[0] * per_table for _ in range(tables)]

    def place(data: bytes, alignment: int) -> int:
        file.extend(bytes(-len(file) % alignment))
        file.extend(data)
        return len(file) - len(data)

    numbers = list(range(count))
    dice.shuffle(numbers)
    for number in numbers:
        data = padded[number * size : (number + 1) * size]
        if not any(data) and dice.random() < 0.8:
            entry = 1 if version == 3 and dice.random() < 0.5 else 0
        elif dice.random() < 0.5 and len(packed := PACKERS[compression](data)) < size:
            at = place(packed, 1)
            sectors = (at % 512 + len(packed) + 511) // 512 - 1
            entry = COMPRESSED | sectors << (62 - (bits - 8)) | at
        else:
            entry = COPIED | place(data, size)
        l2[number // per_table][number % per_table] = entry
    for index, entries in enumerate(l2):
        if any(entries):
            l1[index] = COPIED | place(struct.pack(f">{per_table}Q", *entries), size)
    file.extend(bytes(-len(file) % 512))
    file[2 * size : 2 * size + 8 * tables] = struct.pack(f">{tables}Q", *l1)
    file[size : size + len(backing)] = backing
    header = HEADER.pack(
        *(b"QFI\xfb", version, size if backing else 0, len(backing), bits, len(content)),
        *(encryption, tables, 2 * size, 0, 0, 0, 0),
    )
    if version == 3:
        kind = 1 if compression == "zstd" else 0
        header += HEADER_3.pack(incompatible | kind << 3, 0, 0, 4, 112) + bytes([kind])
    file[: len(header)] = header
    return bytes(file)
