"""The block device: each request becomes reads and writes of a backend [virtio 5.2]."""

import logging
import struct
from collections.abc import Sequence
from typing import Protocol

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


class Backend(Protocol):
    """What holds the bytes of a disk. All ranges are in bytes; HostError is the guest's IOERR."""

    @property
    def size(self) -> int: ...
    @property
    def read_only(self) -> bool: ...
    def readinto(self, offset: int, buffers: Sequence[memoryview], /) -> None: ...
    def write(self, offset: int, buffers: Sequence[memoryview], /) -> None: ...
    def flush(self) -> None: ...
    def discard(self, offset: int, length: int, /) -> None: ...
    def write_zeroes(self, offset: int, length: int, /) -> None: ...


class Refused(Exception):
    """A request that ends with this status and has done nothing more."""

    def __init__(self, status: int) -> None:
        self.status = status


class Block(Device):
    """A disk over `backend`; `serial` is what GET_ID answers, at most 20 ASCII characters."""

    type = 2
    name = "block"

    def __init__(self, backend: Backend, serial: str = "", block_size: int = SECTOR) -> None:
        if not serial.isascii() or len(serial) > SERIAL_BYTES:
            raise UsageError(f"serial={serial!r}: at most {SERIAL_BYTES} ASCII characters")
        if block_size not in (512, 1024, 2048, 4096):
            raise UsageError(f"block_size={block_size!r}: one of 512, 1024, 2048, 4096")
        if backend.size % block_size:
            raise UsageError(f"block_size={block_size}: the disk has {backend.size} bytes")
        self._backend = backend
        self._serial = serial.encode().ljust(SERIAL_BYTES, b"\0")
        features = SEG_MAX | BLK_SIZE | FLUSH | TOPOLOGY
        features |= RO if backend.read_only else DISCARD | WRITE_ZEROES
        blocks = block_size // SECTOR
        config = CONFIG.pack(
            *(backend.size // SECTOR, QUEUE_SIZE - 2, block_size),
            *((PHYSICAL_BLOCK // block_size).bit_length() - 1, 0),
            *(PHYSICAL_BLOCK // block_size, OPTIMAL_IO // block_size),
            *(MAX_RANGE_SECTORS, MAX_RANGES, blocks),
            *(MAX_RANGE_SECTORS, MAX_RANGES, 1),
        )
        super().__init__(features, [QUEUE_SIZE], config)
        self._requests = {
            T_IN: self._read,
            T_OUT: self._write,
            T_FLUSH: self._flush,
            T_GET_ID: self._get_id,
            T_DISCARD: self._discard,
            T_WRITE_ZEROES: self._write_zeroes,
        }

    def serve(self, index: int, queue: Queue) -> None:
        """Every request is answered before the next one is looked at."""
        for chain in queue:
            queue.push(chain, self._request(chain))

    def _request(self, chain: Chain) -> int:
        """Serve one request; the bytes written from the beginning of its room.

        The status is the last byte of the room, wherever the driver put that; a request without
        one, or without a whole header, breaks the protocol.
        """
        kind, sector = HEADER.unpack(chain.reader.read(HEADER.size))
        room = chain.writer
        if not room.available:
            raise GuestError("a block request without room for its status")
        status_room = room.split(room.available - 1)
        self.stats.add("requests")
        serve = self._requests.get(kind)
        try:
            if serve is None:
                raise Refused(UNSUPP)
            serve(sector * SECTOR, chain.reader, room)
            status = OK
        except Refused as refused:
            status = refused.status
        except HostError as error:
            status = IOERR
            if not self.stats["host errors"]:
                log.warning("virtio block: %s", error)
            self.stats.add("host errors")
        if status != OK:
            self.stats.add("errors")
        status_room.write(bytes((status,)))
        return room.written + (0 if room.available else 1)

    def _read(self, offset: int, reader: Reader, room: Writer) -> None:
        count = room.available
        self._check_data(offset, count)
        self._backend.readinto(offset, room.windows(count))
        room.advance(count)
        self.stats.add("read", count, "bytes")

    def _write(self, offset: int, reader: Reader, room: Writer) -> None:
        count = reader.available
        self._check_data(offset, count)
        self._check_writable()
        self._backend.write(offset, reader.windows(count))
        self._settle()
        self.stats.add("written", count, "bytes")

    def _flush(self, offset: int, reader: Reader, room: Writer) -> None:
        self._backend.flush()
        self.stats.add("flushes")

    def _get_id(self, offset: int, reader: Reader, room: Writer) -> None:
        if not room.available:
            raise GuestError("a block request without room for its data")
        room.write(self._serial[: room.available])

    def _discard(self, offset: int, reader: Reader, room: Writer) -> None:
        for start, length in self._ranges(reader, DISCARD, flags_known=0):
            self._backend.discard(start, length)
            self.stats.add("discarded", length, "bytes")

    def _write_zeroes(self, offset: int, reader: Reader, room: Writer) -> None:
        for start, length in self._ranges(reader, WRITE_ZEROES, flags_known=UNMAP):
            self._backend.write_zeroes(start, length)
            self.stats.add("zeroed", length, "bytes")
        self._settle()

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
        if offset + length > self._backend.size:
            raise Refused(IOERR)

    def _check_writable(self) -> None:
        if self._backend.read_only:
            raise Refused(IOERR)

    def _settle(self) -> None:
        """Without FLUSH a completed write has to be stable [virtio 5.2.6.2]."""
        if not self.negotiated(FLUSH):
            self._backend.flush()
