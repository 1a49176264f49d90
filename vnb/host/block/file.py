"""A file on the host as a disk: every system call that moves a disk's bytes is made here."""

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Callable
from functools import cache

from vnb.errors import HostError, UsageError
from vnb.host.block.disk import (
    CLUSTER,
    SECTOR,
    ZEROES,
    Buffers,
    beyond,
    check_range,
    fill_zeroes,
    total,
)

IOV_MAX = 1024
"""Buffers that one system call takes."""

# Linux's fallocate(2): give a range's space back without changing the file's size.
KEEP_SIZE, PUNCH_HOLE = 1, 2

NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""Linux's preadv2(2), pwritev2(2): fail rather than wait for the disk."""

UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.ENODEV, errno.EINVAL)

Transfer = Callable[..., int]  # (fd, buffers, offset, flags): os.preadv or os.pwritev


class File:
    """Bytes of a file (or a block device), which has one writer, and nobody else meanwhile.

    UsageError, which names the argument `name`, where that cannot be, where the file is missing,
    may not be opened, or is a directory. With `create` a missing file is made, and empty.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        read_only: bool = False,
        name: str = "path",
        create: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.read_only = read_only
        self._name = name
        self._fd = -1
        self._unsupported: set[Transfer] = set()  # what cannot be done without waiting here
        self._unsynced: HostError | None = None
        try:
            flags = os.O_RDONLY if read_only else os.O_RDWR | (os.O_CREAT if create else 0)
            self._fd = os.open(self.path, flags | os.O_CLOEXEC, 0o666)
            self._check_kind()
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
            self._lock()
        except OSError as error:
            self.close()
            raise UsageError(f"{name}={self.path!r}: {self._in_words(error)}") from error
        except UsageError:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """Whether the file was let go of."""
        return self._fd < 0

    @property
    def identity(self) -> str:
        """Size and time of the last change."""
        return f"{self.size} bytes, changed {os.fstat(self._fd).st_mtime_ns}"

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Fill the buffers from `offset`; HostError if the file has become too short."""
        length = total(buffers)
        check_range(self, offset, length)
        if not wait:
            return self._at_once(os.preadv, offset, buffers, length)
        if self._is_hole(offset, length):
            fill_zeroes(buffers)
        else:
            self._transfer(os.preadv, offset, buffers, "the file was truncated")
        return True

    def write(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Store the buffers from `offset`."""
        length = total(buffers)
        check_range(self, offset, length)
        if not wait:
            return self._at_once(os.pwritev, offset, buffers, length)
        self._transfer(os.pwritev, offset, buffers, "nothing was written")
        return True

    def flush(self, wait: bool = True) -> bool:
        """Return once all that was written is on the host's disk.

        After a failure the host keeps no account of what it has lost, so that no later flush can
        promise anything: it fails too.
        """
        if self._unsynced is not None:
            raise self._unsynced
        if not wait:
            return False
        try:
            _sync(self._fd)
        except OSError as error:
            self._unsynced = self._failed(error)
            raise self._unsynced from error
        return True

    def discard(self, offset: int, length: int, wait: bool = True) -> bool:
        """Give the range's space back to the host where it can take it."""
        check_range(self, offset, length)
        if length and wait:
            self._punch(offset, length)
        return wait or not length

    def write_zeroes(self, offset: int, length: int, wait: bool = True) -> bool:
        """Make the range read as zeros, without using space where the host can do that."""
        check_range(self, offset, length)
        if length and wait and not self._punch(offset, length):
            for start in range(offset, offset + length, CLUSTER):
                self.write(start, [ZEROES[: offset + length - start]])
        return wait or not length

    def append(self, data: bytes) -> None:
        """Make the file longer by these bytes, all at once."""
        self._transfer(os.pwritev, self.size, [memoryview(data)], "nothing was written")
        self.size += len(data)

    def resize(self, size: int) -> None:
        """Zeros are added at the end, which cost no space."""
        try:
            os.ftruncate(self._fd, size)
        except OSError as error:
            raise self._failed(error) from error
        self.size = size

    def close(self) -> None:
        """Let go of the file and of the lock on it; harmless when repeated."""
        if not self.closed:
            os.close(self._fd)
            self._fd = -1

    def _at_once(self, call: Transfer, offset: int, buffers: Buffers, length: int) -> bool:
        """Move all the bytes to or from the host's memory, if it has them there."""
        if NOWAIT is None or call in self._unsupported or len(buffers) > IOV_MAX:
            return not length
        try:
            return call(self._fd, buffers, offset, NOWAIT) == length
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise self._failed(error) from error
            self._unsupported.add(call)
            return False

    def _transfer(self, call: Transfer, offset: int, buffers: Buffers, nothing: str) -> None:
        """Repeat `call` until all buffers are done: the host may do less than it was asked."""
        left = list(buffers)
        try:
            while left:
                done = call(self._fd, left[:IOV_MAX], offset)
                if done == 0 and total(left):
                    raise HostError(f"{self.path}: {nothing} at {offset}")
                offset += done
                left = beyond(left, done)
        except OSError as error:
            raise self._failed(error) from error

    def _is_hole(self, offset: int, length: int) -> bool:
        """Whether there is no data in the range, which a read would fill the host's memory with."""
        try:
            return os.lseek(self._fd, offset, os.SEEK_DATA) >= offset + length
        except OSError as error:
            # No data to the end of the file: which is where the range must still lie.
            return error.errno == errno.ENXIO and os.fstat(self._fd).st_size >= offset + length

    def _punch(self, offset: int, length: int) -> bool:
        """Make a hole; whether this host and its file system can."""
        fallocate = _fallocate()
        code: int = errno.EINTR
        while fallocate is not None and code == errno.EINTR:
            code = fallocate(self._fd, PUNCH_HOLE | KEEP_SIZE, offset, length)
        if fallocate is None or code in UNSUPPORTED:
            return False
        if code:
            raise self._failed(OSError(code, os.strerror(code)))
        return True

    def _check_kind(self) -> None:
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "")
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise UsageError(f"{self._name}={self.path!r}: neither a file nor a block device")

    def _lock(self) -> None:
        kind = fcntl.LOCK_SH if self.read_only else fcntl.LOCK_EX
        try:
            fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            other = "writes it" if self.read_only else "uses it"
            raise UsageError(
                f"{self._name}={self.path!r}: another machine {other}; a disk has one writer,"
                " and nobody else meanwhile"
            ) from None

    def _in_words(self, error: OSError) -> str:
        if error.errno == errno.ENOENT:
            return "there is no such file"
        if error.errno == errno.EISDIR:
            return "a directory; give a disk image"
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and not self.read_only:
            return "no permission to write it; open it read-only or as a snapshot"
        return (error.strerror or str(error)).lower()

    def _failed(self, error: OSError) -> HostError:
        return HostError(f"{self.path}: {error.strerror or error}")


class Raw(File):
    """A disk image file (or a block device) whose bytes are the disk's.

    UsageError also where it is not a positive number of whole sectors.
    """

    def __init__(self, path: str | os.PathLike[str], read_only: bool = False) -> None:
        super().__init__(path, read_only)
        if self.size == 0 or self.size % SECTOR:
            self.close()
            raise UsageError(
                f"path={self.path!r}: {self.size} bytes; a raw disk image is one or more"
                f" sectors of {SECTOR} bytes (is it cut off, or in another format?)"
            )


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
