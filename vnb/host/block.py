"""Where the bytes of a disk live on the host: in a file, in memory, or as changes over either."""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Protocol

from vnb.errors import HostError, UsageError

SECTOR = 512

CLUSTER = 1 << 16
"""Bytes that an Overlay copies, keeps or forgets together."""

ZEROES = memoryview(bytes(CLUSTER))

IOV_MAX = 1024
"""Buffers that one system call takes."""

# Linux's fallocate(2): give a range's space back without changing the file's size.
KEEP_SIZE, PUNCH_HOLE = 1, 2


class Block(Protocol):
    """A disk of `size` bytes. Every range must lie within it; HostError when the host fails.

    Buffers are filled from, or stored to, consecutive bytes. A discarded range may read as
    anything until it is written again; after `flush` returns, all that was written is stable.
    """

    @property
    def size(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    def readinto(self, offset: int, buffers: Sequence[memoryview], /) -> None: ...
    def write(self, offset: int, buffers: Sequence[memoryview], /) -> None: ...
    def flush(self) -> None: ...
    def discard(self, offset: int, length: int, /) -> None: ...
    def write_zeroes(self, offset: int, length: int, /) -> None: ...
    def close(self) -> None: ...


def check_range(disk: Block, offset: int, length: int) -> None:
    """HostError unless the range lies within the disk."""
    if offset < 0 or length < 0 or offset + length > disk.size:
        raise HostError(f"{length} bytes at {offset} are beyond a disk of {disk.size} bytes")


def total(buffers: Sequence[memoryview]) -> int:
    """Bytes in all of the buffers."""
    return sum(map(len, buffers))


class Raw:
    """A disk image file (or a block device) whose bytes are the disk's.

    Two machines may read one file, but who writes it has it alone: opening raises UsageError
    where that cannot be, where the file is missing, may not be opened, is a directory, or is
    not a positive number of whole sectors.
    """

    def __init__(self, path: str | os.PathLike[str], read_only: bool = False) -> None:
        self.path = os.fspath(path)
        self.read_only = read_only
        self._fd = -1
        try:
            self._fd = os.open(self.path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
            self._check_kind()
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
            self._check_size()
            self._lock()
        except OSError as error:
            self.close()
            raise UsageError(f"path={self.path!r}: {self._in_words(error)}") from error
        except UsageError:
            self.close()
            raise

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers from `offset`; HostError if the file has become too short."""
        check_range(self, offset, total(buffers))
        self._transfer(os.preadv, offset, buffers, "the file was truncated")

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Store the buffers from `offset`."""
        check_range(self, offset, total(buffers))
        self._transfer(os.pwritev, offset, buffers, "nothing was written")

    def flush(self) -> None:
        """Return once all that was written is on the host's disk."""
        try:
            _sync(self._fd)
        except OSError as error:
            raise self._failed(error) from error

    def discard(self, offset: int, length: int) -> None:
        """Give the range's space back to the host where it can take it."""
        check_range(self, offset, length)
        if length:
            self._punch(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make the range read as zeros, without using space where the host can do that."""
        check_range(self, offset, length)
        if length and not self._punch(offset, length):
            for start in range(offset, offset + length, CLUSTER):
                self.write(start, [ZEROES[: offset + length - start]])

    def close(self) -> None:
        """Let go of the file and of the lock on it; harmless when repeated."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _transfer(
        self,
        call: Callable[[int, Sequence[memoryview], int], int],
        offset: int,
        buffers: Sequence[memoryview],
        nothing: str,
    ) -> None:
        """Repeat `call` until all buffers are done: the host may do less than it was asked."""
        left = list(buffers)
        try:
            while left:
                done = call(self._fd, left[:IOV_MAX], offset)
                if done == 0:
                    raise HostError(f"{self.path}: {nothing} at {offset}")
                offset += done
                left = beyond(left, done)
        except OSError as error:
            raise self._failed(error) from error

    def _punch(self, offset: int, length: int) -> bool:
        """Make a hole; whether this host and its file system can."""
        fallocate = _fallocate()
        if fallocate is None:
            return False
        code = fallocate(self._fd, PUNCH_HOLE | KEEP_SIZE, offset, length)
        if code in (0, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV):
            return code == 0
        raise self._failed(OSError(code, os.strerror(code)))

    def _check_kind(self) -> None:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "")
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise UsageError(f"path={self.path!r}: neither a file nor a block device")

    def _check_size(self) -> None:
        if self.size == 0 or self.size % SECTOR:
            raise UsageError(
                f"path={self.path!r}: {self.size} bytes; a raw disk image is one or more"
                f" sectors of {SECTOR} bytes (is it cut off, or in another format?)"
            )

    def _lock(self) -> None:
        kind = fcntl.LOCK_SH if self.read_only else fcntl.LOCK_EX
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            other = "writes it" if self.read_only else "uses it"
            raise UsageError(
                f"path={self.path!r}: another machine {other}; a disk has one writer,"
                " and nobody else meanwhile"
            ) from None

    def _in_words(self, error: OSError) -> str:
        if error.errno == errno.ENOENT:
            return "there is no such file"
        if error.errno == errno.EISDIR:
            return "a directory; give a raw disk image"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not self.read_only:
            return "no permission to write it; open it read-only or as a snapshot"
        return (error.strerror or str(error)).lower()

    def _failed(self, error: OSError) -> HostError:
        return HostError(f"{self.path}: {error.strerror or error}")


class Overlay:
    """Changes kept in memory over `base`, which is read and never written.

    It costs the host the clusters that were written, and one byte for each that there is. It
    forgets all on `close`, which closes the base as well.
    """

    read_only = False

    def __init__(self, base: Block) -> None:
        self._base = base
        self.size = base.size
        self._clusters: dict[int, bytearray] = {}
        # 1 for a cluster that is zeros unless it is among the clusters; the base has the rest.
        self._zeroed = bytearray(-(-self.size // CLUSTER))

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Fill the buffers from `offset`."""
        check_range(self, offset, total(buffers))
        for number, start, part in clusters(offset, buffers):
            if cluster := self._clusters.get(number):
                part[:] = memoryview(cluster)[start : start + len(part)]
            elif self._zeroed[number]:
                part[:] = ZEROES[: len(part)]
            else:
                self._base.readinto(number * CLUSTER + start, [part])

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        """Keep the buffers as what is there from `offset` on."""
        check_range(self, offset, total(buffers))
        for number, start, part in clusters(offset, buffers):
            self._own(number, len(part))[start : start + len(part)] = part

    def flush(self) -> None:
        """Nothing to do: changes live as long as the machine."""

    def discard(self, offset: int, length: int) -> None:
        """Forget the range: it reads as zeros and costs no memory."""
        self.write_zeroes(offset, length)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make the range read as zeros."""
        check_range(self, offset, length)
        for number in range(offset // CLUSTER, -(-(offset + length) // CLUSTER)):
            start = max(offset - number * CLUSTER, 0)
            end = min(offset + length - number * CLUSTER, self._length(number))
            if end - start == self._length(number):
                self._clusters.pop(number, None)
                self._zeroed[number] = 1
            elif number in self._clusters or not self._zeroed[number]:
                self._own(number, 0)[start:end] = ZEROES[: end - start]

    def close(self) -> None:
        """Forget all changes and close the base."""
        self._clusters.clear()
        self._base.close()

    def _length(self, number: int) -> int:
        """Bytes in a cluster: the last one may be shorter."""
        return min(CLUSTER, self.size - number * CLUSTER)

    def _own(self, number: int, covered: int) -> bytearray:
        """A cluster to write to; `covered` bytes of it are about to be."""
        cluster = self._clusters.get(number)
        if cluster is None:
            cluster = bytearray(self._length(number))
            if covered < len(cluster) and not self._zeroed[number]:
                self._base.readinto(number * CLUSTER, [memoryview(cluster)])
            self._clusters[number] = cluster
        return cluster


class _Content:
    """A disk whose content is given, and never changes: `data`, and zeros after it."""

    read_only = True

    def __init__(self, size: int, data: bytes) -> None:
        self.size = size
        self._data = memoryview(data)

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> None:
        for buffer in buffers:
            known = self._data[offset : offset + len(buffer)]
            buffer[: len(known)] = known
            for start in range(len(known), len(buffer), CLUSTER):
                rest = buffer[start : start + CLUSTER]
                rest[:] = ZEROES[: len(rest)]
            offset += len(buffer)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        raise HostError("the disk is read-only")

    def flush(self) -> None: ...

    def discard(self, offset: int, length: int) -> None: ...

    def write_zeroes(self, offset: int, length: int) -> None:
        raise HostError("the disk is read-only")

    def close(self) -> None: ...


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
        super().__init__(_Content(size, data))


def clusters(offset: int, buffers: Sequence[memoryview]) -> Iterator[tuple[int, int, memoryview]]:
    """Cut buffers for consecutive bytes from `offset` where clusters begin.

    Yields (cluster number, where in the cluster, that part of a buffer).
    """
    for buffer in buffers:
        done = 0
        while done < len(buffer):
            number, start = divmod(offset, CLUSTER)
            part = buffer[done : done + CLUSTER - start]
            yield number, start, part
            done += len(part)
            offset += len(part)


def beyond(buffers: Sequence[memoryview], done: int) -> list[memoryview]:
    """What is left of the buffers after their first `done` bytes."""
    left = []
    for buffer in buffers:
        if done < len(buffer):
            left.append(buffer[done:])
        done = max(0, done - len(buffer))
    return left


def _sync(fd: int) -> None:
    """Make a file's bytes stable (macOS has no fdatasync)."""
    getattr(os, "fdatasync", os.fsync)(fd)


@cache
def _fallocate() -> Callable[[int, int, int, int], int] | None:
    """Linux's fallocate(2) as a function that returns 0 or an errno; None elsewhere."""
    if sys.platform != "linux":
        return None
    import ctypes

    call = ctypes.CDLL(None, use_errno=True).fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)

    def fallocate(fd: int, mode: int, offset: int, length: int) -> int:
        return 0 if call(fd, mode, offset, length) == 0 else ctypes.get_errno()

    return fallocate
