"""A disk as a machine and its cell hold it: nothing that would make the guest wait is done here."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from vnb.errors import HostError, UsageError
from vnb.host.block.disk import SECTOR, Block, Buffers, total
from vnb.host.pool import Pool
from vnb.sizes import in_words, size_in_bytes

log = logging.getLogger(__name__)

THREADS = 4

PATIENCE = 0.5
"""Seconds that `close` gives the host to finish what it is at."""

Ranges = Sequence[tuple[int, int]]  # (offset, length) in bytes
Done = Callable[[Future[bool]], object]
Operation = Callable[[bool], bool]  # told whether to wait, it tells whether it was done


class Drive:
    """`disk`, with operations that are done at once if that is possible without waiting.

    Those return True then. Otherwise they return False, and later, on a thread of the drive's,
    `done` is called with a future: its result, or the HostError that it raises, is the
    operation's. Several are under way at a time and end in any order; none begins while one
    from before the last `drop` is under way. With `patient` they all wait, and return True.
    """

    def __init__(self, disk: Block) -> None:
        self.on_change: Callable[[], None] | None = None
        self.patient = False
        self._disk = disk
        self._pool = Pool("vnb-disk", THREADS)

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._disk.read_only

    @property
    def size(self) -> int:
        """In bytes."""
        return self._disk.size

    @property
    def sector_count(self) -> int:
        """Sectors of 512 bytes."""
        return self._disk.size // SECTOR

    def resize(self, size: int | str) -> None:
        """Make the disk larger, as in `resize("128M")`; a running guest is told.

        What is added reads as zeros. UsageError if the disk is read-only or would shrink.
        """
        count = size_in_bytes(size, "size")
        if self.read_only:
            raise UsageError("resize: the disk is read-only")
        if count % SECTOR or count < self.size:
            raise UsageError(
                f"size={size!r}: whole sectors of {SECTOR} bytes, and at least the"
                f" {in_words(self.size)} that the disk has"
            )
        self._disk.resize(count)
        if self.on_change is not None:
            self.on_change()

    def read_async(
        self, offset: int, windows: Buffers, done: Callable[[Future[bytearray]], object]
    ) -> bool:
        """Fill the windows if at once; later, the bytes are the future's result."""
        if self._at_once(lambda wait: self._disk.readinto(offset, windows, wait=wait)):
            return True
        count = total(windows)

        def read() -> bytearray:
            data = bytearray(count)
            self._disk.readinto(offset, [memoryview(data)])
            return data

        self._pool.submit(read, done)
        return False

    def write_async(self, offset: int, windows: Buffers, stable: bool, done: Done) -> bool:
        """Store what the windows hold now; with `stable` that is flushed before it is done."""

        def write(buffers: Buffers, wait: bool) -> bool:
            written = self._disk.write(offset, buffers, wait=wait)
            return written and (not stable or self._disk.flush(wait))

        if self._at_once(partial(write, windows)):
            return True
        data = b"".join(windows)  # a copy: the guest's memory may be another's by then
        self._pool.submit(partial(write, [memoryview(data)], True), done)
        return False

    def flush_async(self, done: Done) -> bool:
        """Make stable all that was done before."""
        return self._now_or_later(self._disk.flush, done)

    def discard_async(self, ranges: Ranges, done: Done) -> bool:
        """Give the space of these ranges back."""

        def discard(wait: bool) -> bool:
            return all(self._disk.discard(*one, wait=wait) for one in ranges)

        return self._now_or_later(discard, done)

    def write_zeroes_async(self, ranges: Ranges, stable: bool, done: Done) -> bool:
        """Zero these ranges; with `stable` that is flushed before it is done."""

        def zero(wait: bool) -> bool:
            zeroed = all(self._disk.write_zeroes(*one, wait=wait) for one in ranges)
            return zeroed and (not stable or self._disk.flush(wait))

        return self._now_or_later(zero, done)

    def drop(self) -> None:
        """Nobody waits any more for what is under way, and what has not begun will not."""
        self._pool.drop()

    def close(self) -> None:
        """Drop everything and close the disk; harmless when repeated."""
        self._pool.close(PATIENCE, self._close_disk)

    def __repr__(self) -> str:
        return f"<disk of {in_words(self.size)}{', read-only' if self.read_only else ''}>"

    def _close_disk(self) -> None:
        try:
            self._disk.close()
        except HostError as error:  # as after a loss of power, what was flushed is safe
            log.warning("what was written last may be lost: %s", error)

    def _at_once(self, operation: Operation) -> bool:
        return not self._pool.settling and operation(self.patient)

    def _now_or_later(self, operation: Operation, done: Done) -> bool:
        if self._at_once(operation):
            return True
        self._pool.submit(partial(operation, True), done)
        return False
