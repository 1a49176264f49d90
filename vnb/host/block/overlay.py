"""Changes over a disk that is never written: whole clusters, kept in memory or in a file."""

import threading
from typing import Protocol

from vnb.errors import UsageError
from vnb.host.block.disk import (
    CLUSTER,
    SECTOR,
    ZEROES,
    Block,
    Buffers,
    ReadOnly,
    check_range,
    cut,
    fill_zeroes,
    total,
    up_to,
)

ABSENT, ZEROED, KEPT = range(3)
"""What a Store can know of a cluster: nothing, that it is zeros, or its bytes."""


class Store(Protocol):
    """Where an Overlay keeps clusters, by number. One thread at a time changes it, any reads.

    `size` is that of the disk, in bytes. A cluster is CLUSTER bytes, the disk's last one too.
    """

    @property
    def size(self) -> int: ...
    def look(self, number: int) -> int: ...
    def untouched(self, first: int, last: int) -> bool: ...
    def readinto(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool: ...
    def write(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool: ...
    def keep(self, number: int, buffers: Buffers, wait: bool) -> bool: ...
    def forget(self, number: int, zeroed: bool) -> None: ...
    def flush(self, wait: bool) -> bool: ...
    def resize(self, size: int) -> None: ...
    def close(self) -> None:
        """Nothing to do."""


class Overlay:
    """A disk like `base` that can be written: `store` has the changes, in memory by default.

    It closes both when it is closed. After the base's end there are zeros.
    """

    read_only = False
    identity = ""  # nobody's base

    def __init__(self, base: Block, store: Store | None = None) -> None:
        self._base = base
        self._store = store or InMemory(base.size)
        self._changing = threading.Lock()

    @property
    def size(self) -> int:
        """In bytes; at least the base's."""
        return self._store.size

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Fill the buffers from `offset`."""
        length = total(buffers)
        check_range(self, offset, length)
        if self._store.untouched(offset // CLUSTER, (offset + length) // CLUSTER):
            return self._read_base(offset, buffers, wait)
        return all(
            self._read(number, start, parts, wait) for number, start, parts in cut(offset, buffers)
        )

    def write(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Keep the buffers as what is there from `offset` on."""
        check_range(self, offset, total(buffers))
        return all(
            self._write(number, start, parts, wait) for number, start, parts in cut(offset, buffers)
        )

    def flush(self, wait: bool = True) -> bool:
        """Return once all that was written is as safe as the store can make it."""
        return self._store.flush(wait)

    def discard(self, offset: int, length: int, wait: bool = True) -> bool:
        """Forget the range: it reads as zeros and takes no space."""
        return self.write_zeroes(offset, length, wait)

    def write_zeroes(self, offset: int, length: int, wait: bool = True) -> bool:
        """Make the range read as zeros."""
        check_range(self, offset, length)
        end = offset + length
        for number in range(offset // CLUSTER, -(-end // CLUSTER)):
            place = number * CLUSTER
            first, last = max(offset - place, 0), min(end - place, CLUSTER)
            if not self._zero(number, first, last, wait):
                return False
        return True

    def resize(self, size: int) -> None:
        """Zeros are added at the end, which cost nothing."""
        with self._changing:
            self._store.resize(size)

    def close(self) -> None:
        """Close what keeps the changes, and the base."""
        try:
            self._store.close()
        finally:
            self._base.close()

    def _read(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """What a part of one cluster holds now."""
        state = self._store.look(number)
        if state == ABSENT:
            return self._read_base(number * CLUSTER + start, buffers, wait)
        if state == KEPT:
            return self._store.readinto(number, start, buffers, wait)
        fill_zeroes(buffers)
        return True

    def _read_base(self, offset: int, buffers: Buffers, wait: bool) -> bool:
        """What the base has, and zeros after its end."""
        known = self._base.size - offset
        if known >= total(buffers):
            return self._base.readinto(offset, buffers, wait=wait)
        fill_zeroes(buffers)
        return known <= 0 or self._base.readinto(offset, up_to(buffers, known), wait=wait)

    def _write(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """Change a part of one cluster, or all of it."""
        count = total(buffers)
        content = None
        # Before the lock, because it may take the base long.
        if count < CLUSTER and self._store.look(number) == ABSENT:
            content = bytearray(CLUSTER)
            if not self._read_base(number * CLUSTER, [memoryview(content)], wait):
                return False
        if not self._changing.acquire(blocking=wait):
            return False
        try:
            state = self._store.look(number)
            if state == KEPT:
                return self._store.write(number, start, buffers, wait)
            if count == CLUSTER:
                return self._store.keep(number, buffers, wait)
            if content is None or state == ZEROED:  # or it has been zeroed meanwhile
                content = bytearray(CLUSTER)
            content[start : start + count] = b"".join(buffers)
            return self._store.keep(number, [memoryview(content)], wait)
        finally:
            self._changing.release()

    def _zero(self, number: int, first: int, last: int, wait: bool) -> bool:
        """Zero the bytes from `first` to `last` of one cluster."""
        based = number * CLUSTER < self._base.size
        if last - first < min(CLUSTER, self.size - number * CLUSTER):
            if self._store.look(number) == (ABSENT if not based else ZEROED):
                return True
            return self._write(number, first, [memoryview(bytes(last - first))], wait)
        if not self._changing.acquire(blocking=wait):
            return False
        try:
            self._store.forget(number, zeroed=based)
        finally:
            self._changing.release()
        return True


class InMemory:
    """Clusters in memory: they are forgotten on `close`.

    It costs the host the clusters that were written, and one byte for each that there is.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.clusters: dict[int, bytearray] = {}
        self._zeroed = bytearray(-(-size // CLUSTER))

    def look(self, number: int) -> int:
        """What is known of a cluster."""
        return KEPT if number in self.clusters else ZEROED if self._zeroed[number] else ABSENT

    def untouched(self, first: int, last: int) -> bool:
        """Whether nothing is known of any of these clusters."""
        return not (
            any(map(self.clusters.__contains__, range(first, last + 1)))
            or any(self._zeroed[first : last + 1])
        )

    def readinto(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """From a cluster that is kept; zeros if another thread has just forgotten it."""
        cluster = memoryview(self.clusters.get(number, ZEROES))
        for buffer in buffers:
            buffer[:] = cluster[start : start + len(buffer)]
            start += len(buffer)
        return True

    def write(self, number: int, start: int, buffers: Buffers, wait: bool) -> bool:
        """To a cluster that is kept."""
        cluster = self.clusters[number]
        for buffer in buffers:
            cluster[start : start + len(buffer)] = buffer
            start += len(buffer)
        return True

    def keep(self, number: int, buffers: Buffers, wait: bool) -> bool:
        """A whole cluster, from now on."""
        self.clusters[number] = bytearray(b"".join(buffers))
        return True

    def forget(self, number: int, zeroed: bool) -> None:
        """The bytes of a cluster; it is zeros, or as the base has it."""
        self._zeroed[number] = zeroed
        self.clusters.pop(number, None)

    def flush(self, wait: bool) -> bool:
        """Nothing to do: changes live as long as the machine."""
        return True

    def resize(self, size: int) -> None:
        """More clusters, of which nothing is known."""
        self._zeroed.extend(bytes(-(-size // CLUSTER) - len(self._zeroed)))
        self.size = size

    def close(self) -> None:
        """Forget everything."""
        self.clusters.clear()


class Content(ReadOnly):
    """A disk whose bytes are given, or one of nothing at all to lay something over."""

    identity = "from memory"

    def __init__(self, data: bytes = b"") -> None:
        self.size = len(data)
        self._data = memoryview(data)

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Fill the buffers from `offset`."""
        for buffer in buffers:
            buffer[:] = self._data[offset : offset + len(buffer)]
            offset += len(buffer)
        return True

    def close(self) -> None:
        """Nothing to do."""


class Memory(Overlay):
    """A disk in memory: `content` is its first content (padded to whole sectors), or its size.

    Memory is used as the disk is written; zeros cost nothing.
    """

    def __init__(self, content: int | bytes | bytearray | memoryview) -> None:
        if isinstance(content, int):
            size, data = content, b""
            if size <= 0 or size % SECTOR:
                raise UsageError(f"content={content!r}: a size is a positive multiple of {SECTOR}")
        else:
            data = bytes(content)
            size = -(-len(data) // SECTOR) * SECTOR
            if not size:
                raise UsageError("content: a disk has at least one byte")
        super().__init__(Content(data), InMemory(size))
