"""The 9P device: chains of a queue become requests of a session, and its replies go back.

Device 9 has no chapter in the specification of VirtIO: what it is, is what Linux and QEMU do.
"""

import logging
import struct
from collections import deque
from functools import partial
from typing import NamedTuple

from vnb.errors import GuestError, HostError, UsageError
from vnb.virtio.device import Device
from vnb.virtio.ninep.aside import Aside, Work
from vnb.virtio.ninep.files import Files
from vnb.virtio.ninep.messages import BY_NAME, ERROR, HEADER, LERROR, LINUX, REQUESTS
from vnb.virtio.ninep.session import MAX_MSIZE, Outcome, Session
from vnb.virtio.queue import Chain, Queue, Reader, Writer

log = logging.getLogger(__name__)

QUEUE_SIZE = 128
MAX_TAG = 31
"""Bytes of a mount tag."""

MOUNT_TAG = 1 << 0  # the one feature: config space is the length of the tag and the tag

FLUSH = BY_NAME["flush"].type
OLD_TAG = struct.Struct("<H")

MOVED = {"read": "read", "write": "written"}  # what the bytes that a request moved count as


class Waiting(NamedTuple):
    """A request that was not begun yet, with its type and its tag."""

    chain: Chain
    type: int
    tag: int


class NineP(Device):
    """A share of `files`, which the guest mounts by its `tag`.

    Requests are served one after another in the order of their arrival. One that `files` calls
    slow is served on a thread of its own while the machine runs on, and the others wait for it.
    """

    type = 9
    name = "9p"

    def __init__(self, files: Files, tag: str) -> None:
        if not 1 <= len(tag.encode()) <= MAX_TAG or not tag.isprintable():
            raise UsageError(f"tag={tag!r}: a printable text of 1 to {MAX_TAG} bytes")
        name = tag.encode()
        super().__init__(MOUNT_TAG, [QUEUE_SIZE], struct.pack("<H", len(name)) + name)
        self._files = files
        self._session = Session(files)
        self._waiting: deque[Waiting] = deque()
        self._aside = Aside()
        self._serving: Work | None = None  # the request that is being served there

    def deactivate(self) -> None:
        """What the guest has open is closed, after a request that is still being served."""
        self._waiting.clear()
        session, self._session = self._session, Session(self._files)
        serving, self._serving = self._serving, None
        begun = serving is not None and not self._aside.drop(serving)
        if begun or (session.used and self._files.slow("clunk")):
            self._aside.do(partial(_close, session))
        else:
            _close(session)

    def serve(self, index: int, queue: Queue) -> None:
        for chain in queue:
            if chain.reader.available < HEADER.size or chain.writer.available < ERROR.size:
                raise GuestError("a 9P request without a header, or without room for a reply")
            waiting = _looked_at(chain)
            if waiting.type == FLUSH:
                self._interrupt(queue, _old_tag(chain))
                self._waiting.appendleft(waiting)
            else:
                self._waiting.append(waiting)
            self._go_on(queue)

    def _interrupt(self, queue: Queue, tag: int | None) -> None:
        """End a request that still waits; so its flush can be answered next.

        One that is being served is answered before anything else is, and only then its flush.
        """
        for waiting in self._waiting:
            if waiting.tag == tag:
                self._waiting.remove(waiting)
                room = waiting.chain.writer
                room.write(ERROR.pack(ERROR.size, LERROR, tag, LINUX["EINTR"]))
                queue.push(waiting.chain, room.written)
                break

    def _go_on(self, queue: Queue) -> None:
        """Serve what waits, up to a request that takes its time."""
        while self._waiting and self._serving is None:
            chain, number, _ = self._waiting.popleft()
            message = REQUESTS.get(number)
            fits = chain.reader.available <= MAX_MSIZE
            if message is not None and fits and self._files.slow(message.name):
                self._serve_aside(chain)
            else:
                outcome = self._session.serve(chain.reader, chain.writer)
                self._done(queue, chain, outcome)

    def _serve_aside(self, chain: Chain) -> None:
        """Serve a request on a thread, in memory of the host: the guest's may cease to be ours."""
        data = chain.reader.read(chain.reader.available)
        room = bytearray(min(chain.writer.available, MAX_MSIZE))
        reader = Reader([memoryview(data)], len(data))
        writer = Writer([memoryview(room)], len(room))
        session, finish = self._session, self.from_thread(self._finish)

        def work() -> None:
            outcome = None
            try:
                outcome = session.serve(reader, writer)
            finally:
                finish(chain, outcome, memoryview(room)[: writer.written])

        self._serving = work
        self._aside.name = f"vnb {self.stats.owner}"
        self._aside.do(work)

    def _finish(self, chain: Chain, outcome: Outcome | None, reply: memoryview) -> None:
        """A request was served aside; without an outcome, the thread's last words say why."""
        if outcome is None:
            raise GuestError("a 9P request that could not be served")
        self._serving = None
        queue = self.queue(0)
        if queue is not None:
            chain.writer.write(reply)
            self._done(queue, chain, outcome)
            self._go_on(queue)

    def _done(self, queue: Queue, chain: Chain, outcome: Outcome) -> None:
        queue.push(chain, chain.writer.written)
        if outcome.error:
            self.stats.add("errors")
        if outcome.moved and outcome.request in MOVED:
            self.stats.add(MOVED[outcome.request], outcome.moved, "bytes")


def _close(session: Session) -> None:
    """The guest is gone, and can no longer be told what became of its files."""
    try:
        session.close()
    except (HostError, OSError) as error:
        log.warning("virtio 9p: what was written last may be lost: %s", error)


def _looked_at(chain: Chain) -> Waiting:
    """A request that is still to be read."""
    windows = chain.reader.windows(HEADER.size)
    _, number, tag = HEADER.unpack(windows[0] if len(windows) == 1 else b"".join(windows))
    return Waiting(chain, number, tag)


def _old_tag(chain: Chain) -> int | None:
    """The tag that a flush is about; None if that is missing."""
    if chain.reader.available < HEADER.size + OLD_TAG.size:
        return None
    start = b"".join(chain.reader.windows(HEADER.size + OLD_TAG.size))
    return int(OLD_TAG.unpack_from(start, HEADER.size)[0])
