"""The block device: each request becomes reads and writes of a backend [virtio 5.2]."""

import logging
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from vnb.errors import GuestError, HostError, UsageError
from vnb.virtio.device import Device
from vnb.virtio.queue import Chain, Queue, Reader, Writer

log = logging.getLogger(__name__)

SECTOR = 512
QUEUE_SIZE = 256
SERIAL_BYTES = 20

# Features [virtio 5.2.3]
SEG_MAX, RO, BLK_SIZE, FLUSH = 1 << 2, 1 << 5, 1 << 6, 1 << 9
TOPOLOGY, DISCARD, WRITE_ZEROES = 1 << 10, 1 << 13, 1 << 14

# Request types and statuses [virtio 5.2.6]
T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES = 0, 1, 4, 8, 11, 13
OK, IOERR, UNSUPP = 0, 1, 2

HEADER = struct.Struct("<I4xQ")  # type, sector
RANGE = struct.Struct("<QII")  # sector, sectors, flags: of a discard or a write-zeroes
UNMAP = 1

# What one request may ask for; more is an IOERR. No driver comes near, and a guest that points
# at all of its RAM from every descriptor must not keep the machine busy for minutes.
MAX_DATA = 16 << 20
MAX_RANGES = 16
MAX_RANGE_SECTORS = 1 << 16  # 32 MiB

MOST_COPIED = 32 << 20
"""Bytes of data, of requests under way, for which there are copies; no more begin beyond."""

PHYSICAL_BLOCK = 4096
OPTIMAL_IO = 1 << 20

# The config space [virtio 5.2.4]; fields of features that are never offered are zero.
CONFIG = struct.Struct(
    "<Q"  # capacity in sectors
    "4xI"  # seg_max
    "4xI"  # blk_size
    "BBHI"  # topology: blocks per physical block (log 2), offset, minimal and optimal I/O
    "4x"
    "III"  # discard: sectors, ranges, alignment
    "IIB"  # write-zeroes: sectors, ranges, may unmap
    "3x"
)


Windows = Sequence[memoryview]
Ranges = Sequence[tuple[int, int]]  # (offset, length)
Done = Callable[[Future[Any]], object]


class Backend(Protocol):
    """What holds the bytes of a disk, in sectors of 512. Offsets and lengths are in bytes.

    Each operation is done at once, and returns True, or later: then `done` is called, on any
    thread, with a future of how it went. HostError, raised or the future's, is the guest's IOERR.
    A read that is done later has its bytes in the future. None calls back after `drop`.
    """

    @property
    def sector_count(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    def read_async(self, offset: int, windows: Windows, done: Done, /) -> bool: ...
    def write_async(self, offset: int, windows: Windows, stable: bool, done: Done, /) -> bool: ...
    def flush_async(self, done: Done, /) -> bool: ...
    def discard_async(self, ranges: Ranges, done: Done, /) -> bool: ...
    def write_zeroes_async(self, ranges: Ranges, stable: bool, done: Done, /) -> bool: ...
    def drop(self) -> None: ...


class Refused(Exception):
    """A request that ends with this status and has done nothing more."""

    def __init__(self, status: int) -> None:
        self.status = status


class Request:
    """One that is being served: `counts` says what of how much it does, if all goes well."""

    __slots__ = ("chain", "copied", "counts", "status")

    def __init__(self, chain: Chain, status: Writer) -> None:
        self.chain = chain
        self.status = status
        self.copied = 0
        self.counts: tuple[str, int, str] | None = None


class Block(Device):
    """A disk over `backend`; `serial` is what GET_ID answers, at most 20 ASCII characters.

    Requests that the backend can do at once are answered before the next one is looked at; any
    number of others is under way meanwhile, and ends in any order.
    """

    type = 2
    name = "block"

    def __init__(self, backend: Backend, serial: str = "", block_size: int = SECTOR) -> None:
        if not serial.isascii() or len(serial) > SERIAL_BYTES:
            raise UsageError(f"serial={serial!r}: at most {SERIAL_BYTES} ASCII characters")
        if block_size not in (512, 1024, 2048, 4096):
            raise UsageError(f"block_size={block_size!r}: one of 512, 1024, 2048, 4096")
        if backend.sector_count * SECTOR % block_size:
            sectors = backend.sector_count
            raise UsageError(f"block_size={block_size}: the disk has {sectors} sectors")
        self._backend = backend
        self._serial = serial.encode().ljust(SERIAL_BYTES, b"\0")
        self._block_size = block_size
        self._copied = 0  # bytes of requests that are under way
        self._kinds: dict[int, Callable[[Request, int, Done], bool]] = {
            T_IN: self._read,
            T_OUT: self._write,
            T_FLUSH: self._flush,
            T_GET_ID: self._get_id,
            T_DISCARD: self._discard,
            T_WRITE_ZEROES: self._write_zeroes,
        }
        features = SEG_MAX | BLK_SIZE | FLUSH | TOPOLOGY
        features |= RO if backend.read_only else DISCARD | WRITE_ZEROES
        super().__init__(features, [QUEUE_SIZE], self._describe())

    def activate(self) -> None:
        """From now on answers are for this driver."""
        self._done = self.from_thread(self._complete)

    def deactivate(self) -> None:
        """Nobody waits any more for what is under way."""
        self._backend.drop()
        self._copied = 0

    def poll(self) -> None:
        """The disk may have another size now."""
        config = self._describe()
        if config != self.config:
            self.change_config(config)

    def serve(self, index: int, queue: Queue) -> None:
        """Begin every request, while there is memory for copies of those that end later."""
        while self._copied < MOST_COPIED and (chain := queue.pop()) is not None:
            self._begin(queue, chain)

    def _describe(self) -> bytes:
        """The config space, as the backend is now."""
        blocks = self._block_size // SECTOR
        return CONFIG.pack(
            *(self._backend.sector_count // blocks * blocks, QUEUE_SIZE - 2, self._block_size),
            *((PHYSICAL_BLOCK // self._block_size).bit_length() - 1, 0),
            *(PHYSICAL_BLOCK // self._block_size, OPTIMAL_IO // self._block_size),
            *(MAX_RANGE_SECTORS, MAX_RANGES, blocks),
            *(MAX_RANGE_SECTORS, MAX_RANGES, 1),
        )

    def _begin(self, queue: Queue, chain: Chain) -> None:
        """Serve one request, or have it served.

        The status is the last byte of the room, wherever the driver put that; a request without
        one, or without a whole header, breaks the protocol.
        """
        kind, sector = HEADER.unpack(chain.reader.read(HEADER.size))
        room = chain.writer
        if not room.available:
            raise GuestError("a block request without room for its status")
        request = Request(chain, room.split(room.available - 1))
        begin = self._kinds.get(kind)
        try:
            if begin is None:
                raise Refused(UNSUPP)
            if not begin(request, sector * SECTOR, partial(self._done, request)):
                self._copied += request.copied
                return
            status = OK
        except Refused as refused:
            status = refused.status
        except HostError as error:
            status = self._failed(error)
        self._answer(queue, request, status)

    def _complete(self, request: Request, future: Future[Any]) -> None:
        """A request that could not be done at once has come to its end."""
        self._copied -= request.copied
        queue = self.queue(0)
        if queue is None:
            return
        try:
            data = future.result()
            status = OK
        except HostError as error:
            status = self._failed(error)
        else:
            if isinstance(data, bytearray):
                request.chain.writer.write(memoryview(data))
        self._answer(queue, request, status)
        self.serve(0, queue)  # one that found no memory may find some now

    def _answer(self, queue: Queue, request: Request, status: int) -> None:
        room = request.chain.writer
        if status != OK:
            self.stats.add("errors")
        elif request.counts is not None:
            self.stats.add(*request.counts)
        request.status.write(bytes((status,)))
        queue.push(request.chain, room.written + (0 if room.available else 1))

    def _failed(self, error: HostError) -> int:
        if not self.stats["host errors"]:
            log.warning("virtio block: %s", error)
        self.stats.add("host errors")
        return IOERR

    # The kinds of requests: whether each is done at once.

    def _read(self, request: Request, offset: int, done: Done) -> bool:
        room = request.chain.writer
        count = room.available
        self._check_data(offset, count)
        request.counts = "read", count, "bytes"
        request.copied = count
        if not self._backend.read_async(offset, room.windows(count), done):
            return False
        room.advance(count)
        return True

    def _write(self, request: Request, offset: int, done: Done) -> bool:
        reader = request.chain.reader
        count = reader.available
        self._check_data(offset, count)
        self._check_writable()
        request.counts = "written", count, "bytes"
        request.copied = count
        return self._backend.write_async(offset, reader.windows(count), self._stable, done)

    def _flush(self, request: Request, offset: int, done: Done) -> bool:
        request.counts = "flushes", 1, ""
        return self._backend.flush_async(done)

    def _get_id(self, request: Request, offset: int, done: Done) -> bool:
        room = request.chain.writer
        if not room.available:
            raise GuestError("a block request without room for its data")
        room.write(self._serial[: room.available])
        return True

    def _discard(self, request: Request, offset: int, done: Done) -> bool:
        ranges = self._ranges(request.chain.reader, DISCARD, flags_known=0)
        request.counts = "discarded", sum(length for _, length in ranges), "bytes"
        return self._backend.discard_async(ranges, done)

    def _write_zeroes(self, request: Request, offset: int, done: Done) -> bool:
        ranges = self._ranges(request.chain.reader, WRITE_ZEROES, flags_known=UNMAP)
        request.counts = "zeroed", sum(length for _, length in ranges), "bytes"
        return self._backend.write_zeroes_async(ranges, self._stable, done)

    def _ranges(self, reader: Reader, feature: int, flags_known: int) -> list[tuple[int, int]]:
        """The (offset, length) pairs of a discard or write-zeroes, all of them checked first."""
        if not reader.available:
            raise GuestError("a block request without data")
        self._check_writable()
        if not self.negotiated(feature):
            raise Refused(UNSUPP)
        if reader.available % RANGE.size or reader.available > MAX_RANGES * RANGE.size:
            raise Refused(IOERR)
        found = list(RANGE.iter_unpack(reader.read(reader.available)))
        if any(flags & ~flags_known for _, _, flags in found):
            raise Refused(UNSUPP)
        for sector, sectors, _ in found:
            if sectors > MAX_RANGE_SECTORS:
                raise Refused(IOERR)
            self._check_range(sector * SECTOR, sectors * SECTOR)
        return [(sector * SECTOR, sectors * SECTOR) for sector, sectors, _ in found]

    def _check_data(self, offset: int, count: int) -> None:
        if not count:
            raise GuestError("a block request without data")
        if count % SECTOR or count > MAX_DATA:
            raise Refused(IOERR)
        self._check_range(offset, count)

    def _check_range(self, offset: int, length: int) -> None:
        if offset + length > self._backend.sector_count * SECTOR:
            raise Refused(IOERR)

    def _check_writable(self) -> None:
        if self._backend.read_only:
            raise Refused(IOERR)

    @property
    def _stable(self) -> bool:
        """Without FLUSH a completed write has to be stable [virtio 5.2.6.2]."""
        return not self.negotiated(FLUSH)
