"""A guest's side of 9P for tests: messages by name, from the same table as the server's."""

import struct
from typing import Any

import pytest

from vnb.virtio.ninep.files import Files
from vnb.virtio.ninep.messages import (
    BY_NAME,
    COUNT,
    DIRECTORY_ENTRY,
    ERROR,
    HEADER,
    LERROR,
    LINUX,
    NO_FID,
    VERSION,
)
from vnb.virtio.ninep.session import MAX_MSIZE, Session
from vnb.virtio.queue import Reader, Writer

RDONLY, WRONLY, RDWR = 0, 1, 2
EXCL, TRUNC, APPEND = 0o200, 0o1000, 0o2000
ROOT = 0


def encode(name: str, tag: int, *values: Any) -> bytes:
    """The bytes of a request."""
    message = BY_NAME[name]
    data = b""
    if message.request.bulk:
        *values, data = values  # type: ignore[assignment]
        values = (*values, len(data))
    body = message.request.pack(values) + data
    return HEADER.pack(HEADER.size + len(body), message.type, tag) + body


def decode(reply: bytes) -> tuple[int, int, Any]:
    """(type, tag, values) of a reply; of an error its number, of data the data."""
    size, number, tag = HEADER.unpack_from(reply)
    assert size == len(reply)
    if number == LERROR:
        return number, tag, ERROR.unpack(reply)[3]
    (fields,) = [message.reply for message in BY_NAME.values() if message.type + 1 == number]
    if fields.bulk:
        (count,) = COUNT.unpack_from(reply, HEADER.size)
        data = reply[HEADER.size + COUNT.size :]
        assert len(data) == count
        return number, tag, data
    return number, tag, fields.unpack(reply[HEADER.size :])


# A guest's day: every request, in an order in which most of them find what they need.
DAY: tuple[tuple[Any, ...], ...] = (
    ("version", 8192, VERSION),
    ("attach", 0, NO_FID, "guest", "", 1000),
    ("auth", 9, "guest", "", 0),
    ("walk", 0, 1, []),
    ("walk", 0, 2, ["dir", "inner"]),
    ("walk", 0, 3, ["dir", "..", "..", "hello.txt"]),
    ("walk", 0, 4, ["dir"]),
    ("walk", 0, 5, ["nothing"]),
    ("walk", 0, 6, ["dir", "nothing", "more"]),
    ("statfs", 0),
    ("getattr", 2, 0x3FFF),
    ("lopen", 1, 0o200000),
    ("readdir", 1, 0, 4000),
    ("readdir", 1, 2, 200),
    ("lopen", 2, RDONLY),
    ("read", 2, 0, 4000),
    ("read", 2, 999, 10),
    ("lopen", 3, RDWR | APPEND),
    ("write", 3, 0, b"some more"),
    ("fsync", 3, 1),
    ("setattr", 3, 0x1EF, 0o600, 1, 2, 3, 4, 5, 6, 7),
    ("setattr", 3, 0x1A0, 0, 0, 0, 0, 1, 2, 3, 4),
    ("lock", 3, 1, 1, 0, 0, 77, "guest"),
    ("getlock", 3, 1, 0, 10, 78, "guest"),
    ("lock", 3, 2, 0, 5, 10, 77, "guest"),
    ("setattr", 3, 0x9, 0o600, 0, 0, 3, 0, 0, 0, 0),
    ("lcreate", 4, "new", RDWR | TRUNC, 0o644, 0),
    ("write", 4, 100, b"x" * 300),
    ("read", 4, 50, 100),
    ("mkdir", 0, "made", 0o755, 0),
    ("mknod", 0, "null", 0o20666, 1, 3, 0),
    ("mknod", 0, "plain", 0o100644, 0, 0, 0),
    ("symlink", 0, "link", "../../etc/passwd", 0),
    ("walk", 0, 7, ["link"]),
    ("readlink", 7),
    ("lopen", 7, RDONLY),
    ("walk", 0, 8, ["plain"]),
    ("link", 0, 8, "hard"),
    ("xattrcreate", 8, "user.one", 5, 0),
    ("write", 8, 0, b"value"),
    ("clunk", 8),
    ("walk", 0, 8, ["plain"]),
    ("xattrwalk", 8, 10, "user.one"),
    ("read", 10, 0, 100),
    ("xattrwalk", 8, 11, ""),
    ("read", 11, 0, 100),
    ("walk", 0, 12, ["plain"]),
    ("xattrcreate", 12, "user.one", 0, 0),
    ("clunk", 12),
    ("rename", 8, 0, "renamed"),
    ("renameat", 0, "renamed", 0, "again"),
    ("unlinkat", 0, "hard", 0),
    ("unlinkat", 0, "made", 0x200),
    ("remove", 8),
    ("flush", 7),
    *(("clunk", fid) for fid in (1, 2, 3, 4, 7, 10, 11, 0, 99)),
)

CORPUS = tuple(encode(str(name), 7, *values) for name, *values in DAY)


class Refusal(Exception):
    """The server answered with this Linux error number."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Guest:
    """Speaks to a session without any device between; fid 0 is the root of the share."""

    def __init__(self, files: Files, uid: int = 0) -> None:
        self.session = Session(files)
        self.ask("version", MAX_MSIZE, VERSION)
        self.ask("attach", ROOT, NO_FID, "guest", "", uid)
        self._next = 0

    def send(self, request: bytes, room: int = MAX_MSIZE) -> bytes:
        """The bytes of the reply to these bytes."""
        answer = bytearray(room)
        writer = Writer([memoryview(answer)], room)
        self.session.serve(Reader([memoryview(request)], len(request)), writer)
        return bytes(answer[: writer.written])

    def ask(self, name: str, *values: Any) -> Any:
        """The values of the reply: one by itself, none as None; Refusal for an error."""
        number, tag, found = decode(self.send(encode(name, 7, *values)))
        assert tag == 7
        if number == LERROR:
            raise Refusal(found)
        assert number == BY_NAME[name].type + 1
        if isinstance(found, bytes):
            return found
        return found[0] if len(found) == 1 else found or None

    def walk(self, path: str, start: int = ROOT) -> int:
        """A new fid for what is there; Refusal if it is not."""
        self._next += 1
        names = [name for name in path.split("/") if name]
        qids = self.ask("walk", start, self._next, names)
        if len(qids) < len(names):
            raise Refusal(2)
        return self._next

    def open(self, path: str, flags: int = RDONLY) -> int:
        fid = self.walk(path)
        self.ask("lopen", fid, flags)
        return fid

    def create(self, path: str, flags: int = RDWR, mode: int = 0o644) -> int:
        directory, _, name = path.rpartition("/")
        fid = self.walk(directory)
        self.ask("lcreate", fid, name, flags, mode, 0)
        return fid

    def read(self, path: str) -> bytes:
        fid = self.open(path)
        found = self.read_fid(fid)
        self.ask("clunk", fid)
        return found

    def read_fid(self, fid: int) -> bytes:
        found = b""
        while part := self.ask("read", fid, len(found), 1 << 16):
            found += part
        return found

    def write(self, path: str, data: bytes) -> None:
        """Make the file what `data` is."""
        try:
            fid = self.open(path, WRONLY | TRUNC)
        except Refusal:
            fid = self.create(path, WRONLY)
        done = 0
        while done < len(data):
            done += self.ask("write", fid, done, data[done : done + (1 << 16)])
        self.ask("clunk", fid)

    def names(self, path: str = "", count: int = 4096) -> list[str]:
        """What a directory holds, besides itself and its parent."""
        fid = self.open(path)
        found: list[str] = []
        offset = 0
        while data := self.ask("readdir", fid, offset, count):
            while data:
                (length,) = struct.unpack_from("<H", data, 22)
                _, offset, _, name = DIRECTORY_ENTRY.unpack(data[: 24 + length])
                found.append(name)
                data = data[24 + length :]
        self.ask("clunk", fid)
        assert found[:2] == [".", ".."]
        return found[2:]

    def attributes(self, path: str) -> dict[str, Any]:
        fid = self.walk(path)
        found = self.attributes_of(fid)
        self.ask("clunk", fid)
        return found

    def attributes_of(self, fid: int) -> dict[str, Any]:
        return dict(
            zip(BY_NAME["getattr"].reply.names, self.ask("getattr", fid, 0x7FF), strict=True)
        )


def error_of(guest: Guest, name: str, *values: Any) -> str:
    """The name of the error that this request is refused with."""
    with pytest.raises(Refusal) as caught:
        guest.ask(name, *values)
    return next(name for name, number in LINUX.items() if number == caught.value.code)
