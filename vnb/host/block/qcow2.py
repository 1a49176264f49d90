"""A qcow2 image, read: the guest's clusters are looked up, and inflated where they are compressed.

Versions 2 and 3 as QEMU's docs/interop/qcow2.txt describes them. Whatever the image says, nothing
outside it is read, and no table or cluster is taken to be larger than it can be.
"""

import struct
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable

from vnb.errors import HostError, UsageError
from vnb.host.block.disk import (
    SECTOR,
    Buffers,
    ReadOnly,
    Source,
    check_range,
    cut,
    fill_zeroes,
    total,
    up_to,
)

MAGIC = b"QFI\xfb"

HEADER = struct.Struct(
    ">4sI"  # magic, version
    "QI"  # backing file: where its name is, and how long
    "IQI"  # cluster bits, the disk's size in bytes, encryption
    "IQ"  # L1 table: entries, offset
    "QIIQ"  # refcounts and snapshots, which a reader does not need
)
HEADER_3 = struct.Struct(">QQQIIB")  # incompatible, compatible, …, orders, compression

# Incompatible features; a dirty image has but wrong reference counts.
DIRTY, CORRUPT, EXTERNAL, COMPRESSION, EXTENDED = (1 << bit for bit in range(5))
REFUSED = {
    CORRUPT: "it is marked as corrupt; see `qemu-img check -r all`",
    EXTERNAL: "its data are in another file; see `qemu-img convert`",
    EXTENDED: "it has subclusters; see `qemu-img convert`",
}
DEFLATE, ZSTD = 0, 1

LONGEST_NAME = 1023
SMALLEST_CLUSTER, LARGEST_CLUSTER = 9, 21  # bits
LARGEST_L1 = 1 << 22
"""Entries: those of 2 TiB with the smallest clusters, 128 PiB with those of 64 KiB."""

ENTRY = struct.Struct(">Q")
OFFSET = (1 << 56) - (1 << 9)  # the bits of an entry that are a place in the file
COMPRESSED = 1 << 62
ALL_ZEROS = 1

TABLES = 4 << 20
INFLATED = 16 << 20
"""Bytes of L2 tables and of inflated clusters that are kept for the next time."""

ZSTD_WINDOW = 1 << 23
"""The most memory that a zstd frame may ask for."""


class Qcow2(ReadOnly):
    """The disk in the qcow2 image `source`, which it closes in the end.

    UsageError, without its name, if that is no such image or uses what is not supported:
    encryption, another file for the data or behind them, subclusters.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            self._read_header()
        except HostError as error:
            raise UsageError(str(error)) from error
        self.identity = f"{source.identity}, qcow2"
        self._tables = _Kept(max(2, TABLES // self._cluster))
        self._inflated = _Kept(max(2, INFLATED // self._cluster))

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Fill the buffers from `offset`; HostError where the image is damaged."""
        check_range(self, offset, total(buffers))
        runs: list[tuple[int, list[memoryview]]] = []  # what lies together in the file
        end = 0
        for number, start, parts in cut(offset, buffers, self._cluster):
            entry = self._look(number, wait)
            if entry is None:
                return False
            if entry & COMPRESSED:
                if not self._inflate(entry, start, parts, wait):
                    return False
            elif entry & self._all_zeros or not entry & OFFSET:
                fill_zeroes(parts)
            else:
                place = (entry & OFFSET) + start
                if runs and place == end:
                    runs[-1][1].extend(parts)
                else:
                    runs.append((place, parts))
                end = place + total(parts)
        return all(self._read_data(place, parts, wait) for place, parts in runs)

    def close(self) -> None:
        """Close the image."""
        self._source.close()

    def _look(self, number: int, wait: bool) -> int | None:
        """The entry of a cluster: 0 if it was never written, None if that takes waiting."""
        index, slot = divmod(number, self._cluster // ENTRY.size)
        place = int(ENTRY.unpack_from(self._l1, index * ENTRY.size)[0]) & OFFSET
        if not place:
            return 0
        table = self._tables.get(place)
        if table is None:
            table = bytearray(self._cluster)
            if not self._source.readinto(place, [memoryview(table)], wait=wait):
                return None
            self._tables.put(place, table)
        return int(ENTRY.unpack_from(table, slot * ENTRY.size)[0])

    def _read_data(self, place: int, parts: Buffers, wait: bool) -> bool:
        """From clusters as they are; the last one of a file may end where its zeros begin."""
        known = self._source.size - place
        if known <= 0:
            raise HostError("the qcow2 image is damaged, or cut off")
        if known < total(parts):
            fill_zeroes(parts)
            parts = up_to(parts, known)
        return self._source.readinto(place, parts, wait=wait)

    def _inflate(self, entry: int, start: int, parts: Buffers, wait: bool) -> bool:
        """From a compressed cluster: `entry` says where it begins and how many sectors it has."""
        cluster = self._inflated.get(entry)
        if cluster is None:
            if not wait:
                return False
            bits = 62 - (self._cluster.bit_length() - 9)
            place = entry & ((1 << bits) - 1)
            sectors = ((entry & (COMPRESSED - 1)) >> bits) + 1
            count = min(sectors * SECTOR - place % SECTOR, self._source.size - place)
            packed = bytearray(max(0, count))
            self._source.readinto(place, [memoryview(packed)])
            cluster = self._unpack(packed, self._cluster)
            if len(cluster) != self._cluster:
                raise HostError("a compressed cluster of the qcow2 image is damaged")
            self._inflated.put(entry, cluster)
        for part in parts:
            part[:] = memoryview(cluster)[start : start + len(part)]
            start += len(part)
        return True

    def _read_header(self) -> None:
        data = bytearray(min(self._source.size, HEADER.size + HEADER_3.size))
        self._source.readinto(0, [memoryview(data)])
        data = data.ljust(HEADER.size + HEADER_3.size, b"\0")
        found = HEADER.unpack_from(data)
        magic, version, backing, named, bits, self.size, encryption, entries, l1, *_ = found
        if magic != MAGIC or version not in (2, 3):
            raise UsageError("not a qcow2 image of version 2 or 3")
        self._all_zeros = ALL_ZEROS if version == 3 else 0
        self._unpack = UNPACKERS[self._check_features(data) if version == 3 else DEFLATE]
        if encryption:
            raise UsageError("it is encrypted; see `qemu-img convert`")
        if backing:
            name = bytearray(min(named, LONGEST_NAME))
            self._source.readinto(backing, [memoryview(name)])
            raise UsageError(
                f"it is but the changes over {name.decode(errors='replace')!r}; join them with"
                " `qemu-img convert`"
            )
        if not SMALLEST_CLUSTER <= bits <= LARGEST_CLUSTER:
            raise UsageError(f"damaged: clusters of 2 ** {bits} bytes")
        self._cluster = 1 << bits
        needed = -(-self.size // (self._cluster * (self._cluster // ENTRY.size)))
        if not self.size or self.size % SECTOR or needed > min(entries, LARGEST_L1):
            raise UsageError(f"damaged: a disk of {self.size} bytes in {entries} tables")
        self._l1 = bytearray(needed * ENTRY.size)
        self._source.readinto(l1, [memoryview(self._l1)])

    def _check_features(self, data: bytearray) -> int:
        """UsageError unless all features are known that matter; how clusters are compressed."""
        incompatible, _, _, _, length, compression = HEADER_3.unpack_from(data, HEADER.size)
        for bit, words in REFUSED.items():
            if incompatible & bit:
                raise UsageError(words)
        if incompatible & ~(DIRTY | COMPRESSION) or compression not in UNPACKERS:
            raise UsageError("it uses what a later version of qcow2 has; see `qemu-img convert`")
        return int(compression) if length > HEADER.size + HEADER_3.size - 1 else DEFLATE


class _Kept:
    """The `most` things that were used last, by where they are in the image."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._things: OrderedDict[int, bytes | bytearray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: int) -> bytes | bytearray | None:
        """What was put there, if it has been kept."""
        with self._lock:
            if place in self._things:
                self._things.move_to_end(place)
            return self._things.get(place)

    def put(self, place: int, thing: bytes | bytearray) -> None:
        """Keep this, and something else no longer."""
        with self._lock:
            self._things[place] = thing
            if len(self._things) > self._most:
                self._things.popitem(last=False)


def _from_deflate(packed: bytearray, size: int) -> bytes:
    """At most `size` bytes of a stream without header."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size)
    except zlib.error as error:
        raise HostError(f"a compressed cluster of the qcow2 image is damaged: {error}") from error


def _from_zstd(packed: bytearray, size: int) -> bytes:
    """At most `size` bytes of a frame."""
    import zstandard

    inflater = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    try:
        with inflater.stream_reader(packed) as stream:
            return stream.read(size)
    except zstandard.ZstdError as error:
        raise HostError(f"a compressed cluster of the qcow2 image is damaged: {error}") from error


UNPACKERS: dict[int, Callable[[bytearray, int], bytes]] = {DEFLATE: _from_deflate, ZSTD: _from_zstd}
