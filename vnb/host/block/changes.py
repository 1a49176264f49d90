"""The changes of an Overlay in a file that survives its process, whenever that ends.

The file is a header, a directory of tables, and clusters in the order in which they were first
needed: tables of where each cluster of the disk is, and the clusters themselves. A flush makes
clusters stable first and then the entries that say where they are, so that at any moment the file
holds all that was flushed. What is not flushed is where no stable entry points to.
"""

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from itertools import groupby
from mmap import mmap

from vnb.errors import HostError, UsageError
from vnb.host.block.disk import CLUSTER, Buffers, fill_zeroes
from vnb.host.block.file import File
from vnb.host.block.overlay import ABSENT, KEPT, ZEROED

MAGIC = b"vnb-disk"
VERSION = 1

# The header, at the beginning of the file, and then what it is over, in UTF-8.
HEADER = struct.Struct("<8sIIQII")  # magic, version, cluster, disk's size, CRC of all, base's bytes
HEADER_BYTES = 4096

# A place is a number of a cluster in the file, or one of these two.
NOWHERE, ZEROS = 0, 1
DIRECTORY = 1  # the cluster that holds the directory; the header has the one before
FIRST = 2  # the first one that can hold anything

# A place, and the CRC of whose it is and itself, so that what is no entry is not taken for one.
ENTRY = struct.Struct("<II")
OWNED = struct.Struct("<QI")
TABLE = 1 << 63  # whose: the cluster of this number, or with this bit the table
ENTRIES = CLUSTER // ENTRY.size  # of the directory, and of a table

LARGEST = ENTRIES * ENTRIES * CLUSTER
"""Bytes of the largest disk: 4 TiB."""

AHEAD = 128
"""Clusters, that cost nothing yet, by which the file grows."""


class Changes:
    """Clusters of a disk in the file `path`, which is made if it is not there.

    `base` says what they are changes of, and `size` how large that is, in bytes. UsageError if
    the file is over something else, in use, damaged, or not such a file.
    """

    def __init__(self, path: str | os.PathLike[str], base: str, size: int) -> None:
        self._file = File(path, name="changes", create=True)
        self._base = base
        self._flushing = threading.Lock()
        self._changing = threading.Lock()  # what stands below, and the file's size
        self._changed: set[int] = set()  # clusters whose entries in the file are not true any more
        self._freed: list[int] = []  # places that are free after the next flush
        self._free: list[int] = []
        self._end = FIRST
        self._tables = [NOWHERE] * ENTRIES
        try:
            self.size = self._read_header(size)
            self._places = _numbers(self.size)
            self._read_tables()
        except (HostError, UsageError) as error:
            self._file.close()
            raise UsageError(f"changes={self._file.path!r}: {error}") from error

    def look(self, number: int) -> int:
        """What is known of a cluster."""
        place = self._places[number]
        return KEPT if place >= FIRST else ZEROED if place == ZEROS else ABSENT

    def untouched(self, first: int, last: int) -> bool:
        """Whether nothing is known of any of these clusters."""
        return not any(self._places[first : last + 1])

    def readinto(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """From a cluster that is kept; zeros if another thread has just forgotten it."""
        place = self._places[number]
        if place < FIRST:
            fill_zeroes(buffers)
            return True
        return self._file.readinto(place * CLUSTER + start, buffers, wait)

    def write(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """To a cluster that is kept."""
        return self._file.write(self._places[number] * CLUSTER + start, buffers, wait)

    def keep(self, number: int, buffers: Buffers, wait: bool) -> bool:
        """A whole cluster, from now on."""
        if not wait:
            return False
        place = self._take()
        try:
            self._file.write(place * CLUSTER, buffers)
        except HostError:
            with self._changing:
                self._free.append(place)
            raise
        self._set(number, place)
        return True

    def forget(self, number: int, zeroed: bool) -> None:
        """The bytes of a cluster; it is zeros, or as the base has it."""
        self._set(number, ZEROS if zeroed else NOWHERE)

    def flush(self, wait: bool) -> bool:
        """Return once all that was written so far would survive a loss of power."""
        if not wait:
            return False
        with self._flushing:
            with self._changing:
                changed, self._changed = self._changed, set()
                freed, self._freed = self._freed, []
                places = {number: self._places[number] for number in sorted(changed)}
            try:
                self._make_stable(places)
            except HostError:
                with self._changing:
                    self._changed |= changed
                    self._freed += freed
                raise
            for place in freed:  # from now on nothing points there
                self._file.discard(place * CLUSTER, CLUSTER)
            with self._changing:
                self._free += freed
        return True

    def resize(self, size: int) -> None:
        """More clusters, of which nothing is known."""
        if size > LARGEST:
            raise UsageError(f"resize: a disk with changes in a file has at most {LARGEST} bytes")
        places = _numbers(size)
        places[: len(self._places)] = self._places
        self._file.write(0, [memoryview(_header(size, self._base))])
        self._file.flush()
        self._places = places
        self.size = size

    def close(self) -> None:
        """Flush, and let go of the file; harmless when repeated."""
        try:
            if not self._file.closed:
                self.flush(wait=True)
        finally:
            self._file.close()

    def _take(self) -> int:
        """A place in the file that is free, even as the file was after the last flush."""
        with self._changing:
            if self._free:
                return self._free.pop()
            if (self._end + 1) * CLUSTER > self._file.size:
                self._file.resize((self._end + AHEAD) * CLUSTER)
            self._end += 1
            return self._end - 1

    def _set(self, number: int, place: int) -> None:
        with self._changing:
            old = self._places[number]
            if old >= FIRST:
                self._freed.append(old)
            self._places[number] = place
            self._changed.add(number)

    # The file.

    def _make_stable(self, places: dict[int, int]) -> None:
        """Have the file say that these clusters, by ascending number, are in these places."""
        added: dict[int, int] = {}
        late: list[
            tuple[int, bytes]
        ] = []  # what may be written once all that it points to is there
        for index, numbers in groupby(places, key=lambda number: number // ENTRIES):
            table = self._tables[index]
            if table == NOWHERE:
                added[index] = table = self._take()
                content = bytearray(CLUSTER)
                for number in numbers:
                    start = number % ENTRIES * ENTRY.size
                    content[start : start + ENTRY.size] = _entry(number, places[number])
                self._file.write(table * CLUSTER, [memoryview(content)])
                entry = _entry(TABLE | index, table)
                late.append((DIRECTORY * CLUSTER + index * ENTRY.size, entry))
                continue
            for number in numbers:
                offset = table * CLUSTER + number % ENTRIES * ENTRY.size
                late.append((offset, _entry(number, places[number])))
        self._file.flush()
        for offset, data in _joined(late):
            self._file.write(offset, [memoryview(data)])
        if late:
            self._file.flush()
        for index, table in added.items():
            self._tables[index] = table

    def _read(self, offset: int, length: int) -> bytearray:
        data = bytearray(length)
        self._file.readinto(offset, [memoryview(data)])
        return data

    def _read_header(self, size: int) -> int:
        """The size of the disk; a file that is empty gets a header first."""
        if size > LARGEST:
            raise UsageError(f"for disks of at most {LARGEST} bytes")
        if self._file.size == 0:
            self._file.append(_header(size, self._base))
            self._file.flush()
            _flush_folder(self._file.path)
        data = self._read(0, min(HEADER_BYTES, self._file.size)).ljust(HEADER_BYTES, b"\0")
        magic, version, cluster, found, _, length = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise UsageError("not a file with the changes of a disk")
        if (version, cluster) != (VERSION, CLUSTER):
            raise UsageError(f"made by another vnb (version {version}, clusters of {cluster})")
        base = data[HEADER.size : HEADER.size + length].decode(errors="replace")
        if data != _header(found, base):
            raise UsageError("its header is damaged")
        if base != self._base:
            raise UsageError(
                f"made over another disk, or that has changed since: then it was {base!r},"
                f" now it is {self._base!r}"
            )
        if self._file.size < FIRST * CLUSTER:  # it was made just now, or not quite
            self._file.resize(FIRST * CLUSTER)
        return int(found)

    def _read_tables(self) -> None:
        """Where everything is, and what is free; UsageError if that cannot be."""
        last = self._file.size // CLUSTER
        used = bytearray(last)

        def check(owner: int, entry: bytes) -> int:
            place = int(ENTRY.unpack(entry)[0])
            least = FIRST if owner & TABLE else ZEROS
            if entry != _entry(owner, place) or not least <= place < last or used[place]:
                raise UsageError("damaged, or cut off")
            used[place] = place >= FIRST
            return place

        for index, entry in _present(self._read(DIRECTORY * CLUSTER, CLUSTER)):
            table = self._tables[index] = check(TABLE | index, entry)
            for slot, entry in _present(self._read(table * CLUSTER, CLUSTER)):
                number = index * ENTRIES + slot
                if number >= len(self._places):
                    raise UsageError("damaged: it has more than its disk")
                self._places[number] = check(number, entry)
        self._end = max(FIRST, used.rfind(1) + 1)
        self._free = [place for place in range(FIRST, self._end) if not used[place]]


def _header(size: int, base: str) -> bytes:
    """The first bytes of the file."""
    text = base.encode()[: HEADER_BYTES - HEADER.size]

    def whole(check: int) -> bytes:
        header = HEADER.pack(MAGIC, VERSION, CLUSTER, size, check, len(text))
        return (header + text).ljust(HEADER_BYTES, b"\0")

    return whole(zlib.crc32(whole(0)))


def _entry(owner: int, place: int) -> bytes:
    """Where `owner` is, as the file says it: nothing at all if it is nowhere."""
    return ENTRY.pack(place, zlib.crc32(OWNED.pack(owner, place)) if place else 0)


def _present(table: bytearray) -> Iterator[tuple[int, bytes]]:
    """(slot, entry) of what a table has."""
    for start in range(0, CLUSTER, 512):
        if any(table[start : start + 512]):
            for offset in range(start, start + 512, ENTRY.size):
                if any(entry := bytes(table[offset : offset + ENTRY.size])):
                    yield offset // ENTRY.size, entry


def _joined(writes: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytearray]]:
    """The same writes, those of consecutive bytes as one."""
    joined: list[tuple[int, bytearray]] = []
    for offset, data in writes:
        if joined and joined[-1][0] + len(joined[-1][1]) == offset:
            joined[-1][1].extend(data)
        else:
            joined.append((offset, bytearray(data)))
    yield from joined


def _numbers(size: int) -> memoryview:
    """A zero for each cluster; it costs the host nothing until it is changed."""
    return memoryview(mmap(-1, -(-size // CLUSTER) * 4)).cast("I")


def _flush_folder(path: str) -> None:
    """Make it stable that there is a file of that name."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
