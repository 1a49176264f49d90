"""What a disk on the host is to everyone here, and the arithmetic of its ranges and buffers."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from vnb.errors import HostError, UsageError

SECTOR = 512

CLUSTER = 1 << 16
"""Bytes that an Overlay copies, keeps or forgets together."""

ZEROES = memoryview(bytes(CLUSTER))

Buffers = Sequence[memoryview]


class Source(Protocol):
    """Bytes to read, such as a file or a URL: what a disk image may lie in.

    `identity` says in words which bytes these are, so that others can be told from them.
    """

    @property
    def size(self) -> int: ...
    @property
    def identity(self) -> str: ...
    def readinto(self, offset: int, buffers: Buffers, /, wait: bool = True) -> bool: ...
    def close(self) -> None: ...


class Block(Protocol):
    """A disk of `size` bytes. Every range must lie within it; HostError when the host fails.

    Buffers are filled from, or stored to, consecutive bytes. A discarded range may read as
    anything until it is written again; after `flush` returned True, all is stable that was
    written before it was called. Any thread may call any of these at any time.

    With `wait=False` an operation is done only if that means to wait for no disk and no network:
    they return whether it was. If not, buffers that were to be filled hold anything.
    """

    @property
    def size(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def identity(self) -> str: ...
    def readinto(self, offset: int, buffers: Buffers, /, wait: bool = True) -> bool: ...
    def write(self, offset: int, buffers: Buffers, /, wait: bool = True) -> bool: ...
    def flush(self, wait: bool = True) -> bool: ...
    def discard(self, offset: int, length: int, /, wait: bool = True) -> bool: ...
    def write_zeroes(self, offset: int, length: int, /, wait: bool = True) -> bool: ...
    def resize(self, size: int, /) -> None: ...
    def close(self) -> None: ...


class ReadOnly:
    """The half of a disk that nobody can write."""

    read_only = True

    def write(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """HostError, always."""
        raise HostError("the disk is read-only")

    def flush(self, wait: bool = True) -> bool:
        """Nothing to do: nothing was written."""
        return True

    def discard(self, offset: int, length: int, wait: bool = True) -> bool:
        """HostError, always."""
        raise HostError("the disk is read-only")

    def write_zeroes(self, offset: int, length: int, wait: bool = True) -> bool:
        """HostError, always."""
        raise HostError("the disk is read-only")

    def resize(self, size: int) -> None:
        """UsageError, always."""
        raise UsageError("resize: the disk is read-only")


def check_range(disk: Source, offset: int, length: int) -> None:
    """HostError unless the range lies within the disk."""
    if offset < 0 or length < 0 or offset + length > disk.size:
        raise HostError(f"{length} bytes at {offset} are beyond a disk of {disk.size} bytes")


def total(buffers: Buffers) -> int:
    """Bytes in all of the buffers."""
    return sum(map(len, buffers))


def fill_zeroes(buffers: Buffers) -> None:
    """Zero all of the buffers."""
    for buffer in buffers:
        for start in range(0, len(buffer), CLUSTER):
            part = buffer[start : start + CLUSTER]
            part[:] = ZEROES[: len(part)]


def cut(
    offset: int, buffers: Buffers, size: int = CLUSTER
) -> Iterator[tuple[int, int, list[memoryview]]]:
    """Cut buffers for consecutive bytes from `offset` where clusters of `size` bytes begin.

    Yields (cluster number, where in the cluster, what of the buffers lies in it).
    """
    number, start = divmod(offset, size)
    room = size - start
    parts: list[memoryview] = []
    for buffer in buffers:
        while len(buffer) >= room:
            yield number, start, [*parts, buffer[:room]]
            buffer = buffer[room:]
            number, start, room, parts = number + 1, 0, size, []
        if len(buffer):
            parts.append(buffer)
            room -= len(buffer)
    if parts:
        yield number, start, parts


def beyond(buffers: Buffers, done: int) -> list[memoryview]:
    """What is left of the buffers after their first `done` bytes."""
    left = []
    for buffer in buffers:
        if done < len(buffer):
            left.append(buffer[done:])
        done = max(0, done - len(buffer))
    return left


def up_to(buffers: Buffers, count: int) -> list[memoryview]:
    """The first `count` bytes of the buffers."""
    found = []
    for buffer in buffers:
        if count > 0 and len(buffer):
            found.append(buffer[:count])
        count -= len(buffer)
    return found
