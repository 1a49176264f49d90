"""The split virtqueue: chains of buffers come out of it checked, as plain byte streams.

A device that holds a `Chain` cannot tell how the driver laid its bytes out, and cannot reach
anything but them: no descriptor and no guest address leaves this room.
"""

import struct
from collections.abc import Iterator

from vnb.errors import GuestError
from vnb.memory import Memory
from vnb.stats import Moment, Stats

MAX_CHAIN_BYTES = 1 << 32

# Descriptor flags [virtio 2.7.5]
NEXT, WRITE, INDIRECT = 1, 2, 4

NO_INTERRUPT = 1  # avail.flags [virtio 2.7.6]

# The three areas of a queue of n entries: bytes before the ring, per entry, and after it, which
# is where the event index of the other side lives; and the alignment [virtio 2.7].
DESCRIPTOR = struct.Struct("<QIHH")  # address, length, flags, next
HALF = struct.Struct("<H")
RING = 4  # flags, idx
AVAIL_ENTRY = 2
USED_ENTRY = 8
EVENT = 2


class QueueConfig:
    """What the driver writes into a queue's registers before it is used; addresses in bytes."""

    def __init__(self, max_size: int) -> None:
        self.max = max_size
        self.reset()

    def reset(self) -> None:
        """Every register to its default [virtio 2.4]."""
        self.size = self.max
        self.desc = self.avail = self.used = 0
        self.ready = False


class _Stream:
    """Bytes that lie in several windows of guest RAM, passed through once from front to back."""

    __slots__ = ("_windows", "available")

    def __init__(self, windows: list[memoryview], available: int) -> None:
        self._windows = windows  # of what was not passed yet; none is empty
        self.available = available

    def windows(self, count: int) -> list[memoryview]:
        """The next `count` bytes as windows of guest RAM; `advance` passes them."""
        return self._cut(count)[0]

    def advance(self, count: int) -> None:
        """Pass `count` bytes."""
        self._windows = self._cut(count)[1]
        self.available -= count

    def _cut(self, count: int) -> tuple[list[memoryview], list[memoryview]]:
        """The windows of the next `count` bytes, and those of all after them."""
        windows = self._windows
        if count == self.available:
            return windows, []
        if count > self.available:
            raise GuestError(f"a buffer has {self.available} bytes where {count} are needed")
        index = 0
        while count >= len(windows[index]):
            count -= len(windows[index])
            index += 1
        if not count:
            return windows[:index], windows[index:]
        window = windows[index]
        return [*windows[:index], window[:count]], [window[count:], *windows[index + 1 :]]


class Reader(_Stream):
    """What the driver sent; asking for more than there is raises GuestError."""

    __slots__ = ()

    def read(self, count: int) -> bytes:
        """The next `count` bytes, copied."""
        data = b"".join(self.windows(count))
        self.advance(count)
        return data


class Writer(_Stream):
    """Room for what the device answers; writing past its end raises GuestError.

    `written` counts the bytes written so far, which lie without a gap at the beginning.
    """

    __slots__ = ("written",)

    def __init__(self, windows: list[memoryview], available: int) -> None:
        super().__init__(windows, available)
        self.written = 0

    def advance(self, count: int) -> None:
        """Pass `count` bytes that were written through `windows`."""
        super().advance(count)
        self.written += count

    def write(self, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        done = 0
        for window in self.windows(len(data)):
            window[:] = data[done : done + len(window)]
            done += len(window)
        self.advance(done)

    def split(self, count: int) -> "Writer":
        """Keep the next `count` bytes of room here; the returned Writer has the rest."""
        self._windows, rest = self._cut(count)
        left, self.available = self.available - count, count
        return Writer(rest, left)


class Chain:
    """One request of the driver: what it sent, and the room it left for the answer.

    `begun` is since when it has been waiting for that; None for room that waits for input.
    """

    __slots__ = ("begun", "head", "reader", "writer")

    def __init__(self, head: int, reader: Reader, writer: Writer) -> None:
        self.head = head
        self.reader = reader
        self.writer = writer
        self.begun: Moment | None = None


class Queue:
    """An active split virtqueue: its geometry never changes again [virtio 2.7].

    `pop` and `push` raise GuestError when the driver broke a rule of the ring; the device is
    then beyond repair until it is reset. Requests are counted in `stats`: chains with a word from
    the driver, or with `room_is_request` also those that are nothing but room.
    """

    def __init__(
        self,
        memory: Memory,
        config: QueueConfig,
        *,
        event_idx: bool,
        indirect: bool,
        stats: Stats | None = None,
        room_is_request: bool = False,
    ) -> None:
        self.size = size = config.size
        self._memory = memory
        self._event_idx = event_idx
        self._indirect = indirect
        self._stats = stats or Stats("queue")
        self._room_is_request = room_is_request
        for area, address, alignment in (
            ("descriptor table", config.desc, 16),
            ("available ring", config.avail, 2),
            ("used ring", config.used, 4),
        ):
            if address % alignment:
                raise GuestError(f"the {area} at {address:#x} is not aligned to {alignment}")
        self._desc = memory.view(config.desc, DESCRIPTOR.size * size)
        self._avail = memory.view(config.avail, RING + AVAIL_ENTRY * size + EVENT)
        memory.view(config.used, RING + USED_ENTRY * size + EVENT)
        self._used = config.used
        self._used_event = RING + AVAIL_ENTRY * size
        self._avail_event = config.used + RING + USED_ENTRY * size
        self._next_avail = 0  # both count modulo 2 ** 16, as the rings do
        self._next_used = 0
        self._told = 0  # the value of _next_used when the driver was last interrupted
        self._in_flight = 0

    def pop(self) -> Chain | None:
        """The next chain, validated whole, or None if the driver has made none available.

        Before it answers None it asks for a notification of the next one. GuestError for: more
        entries than the queue holds, available or in flight; and all that `_walk` refuses.
        """
        waiting = (HALF.unpack_from(self._avail, 2)[0] - self._next_avail) & 0xFFFF
        if waiting == 0:
            if self._event_idx:
                self._memory.write_u16(self._avail_event, self._next_avail)
            return None
        if waiting > self.size:
            raise GuestError(f"{waiting} chains made available in a queue of {self.size}")
        if self._in_flight == self.size:
            raise GuestError(f"more than {self.size} chains in flight")
        slot = RING + AVAIL_ENTRY * (self._next_avail % self.size)
        chain = self._walk(HALF.unpack_from(self._avail, slot)[0])
        self._next_avail = (self._next_avail + 1) & 0xFFFF
        if chain.reader.available or self._room_is_request:
            chain.begun = self._stats.taken(waiting + self._in_flight)
        self._in_flight += 1
        return chain

    def __iter__(self) -> Iterator[Chain]:
        """Pop until there is none."""
        while (chain := self.pop()) is not None:
            yield chain

    def push(self, chain: Chain, written: int) -> None:
        """Give `chain` back; its first `written` bytes of room hold the answer [virtio 2.7.8]."""
        entry = self._used + RING + USED_ENTRY * (self._next_used % self.size)
        self._memory.write_u64(entry, chain.head | written << 32)
        self._next_used = (self._next_used + 1) & 0xFFFF
        self._in_flight -= 1
        # The index last: from then on the driver may read the entry.
        self._memory.write_u16(self._used + 2, self._next_used)
        if chain.begun is not None:
            self._stats.answered(chain.begun)

    def wants_interrupt(self) -> bool:
        """Whether the driver asked to hear of what was pushed since this was last asked.

        [virtio 2.7.7.2]: with EVENT_IDX, when the entry at used_event has been passed (and
        avail.flags means nothing); otherwise unless avail.flags says NO_INTERRUPT.
        """
        new, old = self._next_used, self._told
        if new == old:
            return False
        self._told = new
        if not self._event_idx:
            return not HALF.unpack_from(self._avail, 0)[0] & NO_INTERRUPT
        return passed(HALF.unpack_from(self._avail, self._used_event)[0], new, old)

    def _walk(self, head: int) -> Chain:
        """Follow one chain to its end and check all of it [virtio 2.7.4, 2.7.5].

        GuestError for: an index outside the table, more buffers than the queue has entries (so
        a loop ends), a buffer outside RAM, more than 4 GiB in all, a readable buffer after a
        writable one, and an indirect table that is nested, chained on, empty, no multiple of 16
        bytes, or not negotiated.
        """
        memory, table, entries = self._memory, self._desc, self.size
        readable: list[memoryview] = []
        writable: list[memoryview] = []
        sizes = [0, 0]
        index, steps = head, 0
        while True:
            if index >= entries:
                raise GuestError(f"descriptor {index} in a table of {entries}")
            address, length, flags, following = DESCRIPTOR.unpack_from(table, index * 16)
            if flags & INDIRECT:
                if table is not self._desc or flags & NEXT:
                    raise GuestError("an indirect table inside or before another descriptor")
                table = self._table(address, length)
                entries, index = length // 16, 0
                continue
            steps += 1
            if steps > self.size:
                raise GuestError(f"a chain longer than the queue of {self.size}")
            if length and flags & WRITE:
                writable.append(memory.writable(address, length))
                sizes[1] += length
            elif length:
                if writable:
                    raise GuestError("a device-readable buffer after a device-writable one")
                readable.append(memory.view(address, length))
                sizes[0] += length
            if not flags & NEXT:
                break
            index = following
        if sum(sizes) > MAX_CHAIN_BYTES:
            raise GuestError(f"a chain of {sum(sizes)} bytes")
        return Chain(head, Reader(readable, sizes[0]), Writer(writable, sizes[1]))

    def _table(self, address: int, length: int) -> memoryview:
        """An indirect table [virtio 2.7.5.3]."""
        if not self._indirect:
            raise GuestError("an indirect table that was not negotiated")
        if length % DESCRIPTOR.size:
            raise GuestError(f"an indirect table of {length} bytes")
        return self._memory.view(address, length)


def passed(event: int, new: int, old: int) -> bool:
    """Whether an index that went from `old` to `new` passed `event`, all modulo 2 ** 16."""
    return (new - event - 1) & 0xFFFF < (new - old) & 0xFFFF
