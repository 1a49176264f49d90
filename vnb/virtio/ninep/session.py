"""The server of a share: the bytes of each request become a call, and its result a reply.

One request is served at a time, so nothing here is ever seen half done.
"""

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from vnb.errors import HostError
from vnb.virtio.ninep.contents import Contents
from vnb.virtio.ninep.fids import Fids
from vnb.virtio.ninep.files import Files, refuse
from vnb.virtio.ninep.messages import (
    COUNT,
    ERROR,
    HEADER,
    LERROR,
    LINUX,
    REQUESTS,
    VERSION,
    Malformed,
    Message,
    linux_errno,
)
from vnb.virtio.ninep.names import Names
from vnb.virtio.queue import Reader, Writer

MAX_MSIZE = 512 << 10
MIN_MSIZE = 4096
BEFORE_DATA = HEADER.size + COUNT.size


class Outcome(NamedTuple):
    """What became of a request: its name, a Linux error number or 0, bytes read or written."""

    request: str
    error: int
    moved: int


class Session:
    """One guest's use of `files`, from the start of its driver to the end."""

    def __init__(self, files: Files) -> None:
        self._fids = Fids(files)
        self._msize = 0  # until the version is agreed
        rooms = (self, Names(files, self._fids), Contents(files, self._fids))
        self.handlers: dict[str, Callable[..., Any]] = {
            message.name: next(getattr(room, message.name) for room in rooms if _has(room, message))
            for message in REQUESTS.values()
        }

    def serve(self, request: Reader, room: Writer) -> Outcome:
        """Answer a request, which has at least a header, and room for at least an error."""
        size, number, tag = HEADER.unpack(request.read(HEADER.size))
        message = REQUESTS.get(number)
        try:
            if size != request.available + HEADER.size:
                raise Malformed("a message whose size is not that of what was sent")
            if size > (self._msize or MIN_MSIZE):
                refuse(errno.EMSGSIZE)
            if message is None:
                refuse(errno.EOPNOTSUPP)
            if not self._msize and message.name != "version":
                raise Malformed("a request before the version was agreed")
            moved = self._answer(message, tag, request, room)
            return Outcome(message.name, 0, moved)
        except Malformed:
            error = LINUX["EPROTO"]
        except HostError:
            error = LINUX["EIO"]
        except OSError as failure:
            error = linux_errno(failure.errno)
        room.write(ERROR.pack(ERROR.size, LERROR, tag, error))
        return Outcome(message.name if message else "unknown", error, 0)

    @property
    def used(self) -> bool:
        """Whether there is anything to close."""
        return len(self._fids) > 0

    def close(self) -> None:
        """The guest is gone: forget all its fids, and close what it had open."""
        self._fids.clear()

    def version(self, msize: int, version: str) -> tuple[int, str]:
        """Agree on the largest message in bytes, and begin anew."""
        self.close()
        self._msize = 0
        if version != VERSION:
            return msize, "unknown"
        if msize < MIN_MSIZE:
            refuse(errno.EMSGSIZE)
        self._msize = min(msize, MAX_MSIZE)
        return self._msize, version

    def auth(self, afid: int, uname: str, aname: str, n_uname: int) -> None:
        """Nobody has to say who they are."""
        refuse(errno.EOPNOTSUPP)

    def flush(self, oldtag: int) -> None:
        """The request of that tag has been answered: they are served one after another."""

    def _answer(self, message: Message, tag: int, request: Reader, room: Writer) -> int:
        """Serve a request and write its reply; how many bytes of a file it moved."""
        handler = self.handlers[message.name]
        values = _values(message, request)
        if message.reply.bulk:
            space = min(values.pop(), self._msize - BEFORE_DATA, room.available - BEFORE_DATA)
            moved: int = handler(*values, _room_for_data(room, space))
            room.write(HEADER.pack(BEFORE_DATA + moved, message.type + 1, tag) + COUNT.pack(moved))
            room.advance(moved)
            return moved
        reply: tuple[Any, ...] = handler(*values) or ()
        fields = message.reply.pack(reply)
        size = HEADER.size + len(fields)
        if size > room.available:
            refuse(errno.EMSGSIZE)
        room.write(HEADER.pack(size, message.type + 1, tag) + fields)
        return int(reply[0]) if message.request.bulk else 0


def _has(room: object, message: Message) -> bool:
    return hasattr(room, message.name)


def _values(message: Message, request: Reader) -> list[Any]:
    """The fields of a request; data stays where it is, and comes as windows on it."""
    fields = message.request
    if not fields.bulk:
        return fields.unpack(request.read(request.available))
    values = fields.unpack(request.read(min(fields.head, request.available)))
    if values.pop() != request.available:
        raise Malformed("data that is not as long as it says")
    return [*values, request.windows(request.available)]


def _room_for_data(room: Writer, space: int) -> list[memoryview]:
    """The windows of the bytes that the data of a reply will be in; none is passed."""
    reply = Writer(room.windows(BEFORE_DATA + space), BEFORE_DATA + space)
    return reply.split(BEFORE_DATA).windows(space)
