"""One file of a share in memory, and the room that it takes there."""

import errno
import stat
import time
from collections.abc import Sequence

from vnb.host.files.status import Changes, Status, refuse

NODE = 1024
"""Bytes that a file counts for besides its content, so that empty ones are not without end."""

XATTR_CREATE, XATTR_REPLACE = 1, 2


class Room:
    """How many bytes there may be in all, and how many there are."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def take(self, count: int) -> None:
        """ENOSPC if there is not so much left; a negative count gives back."""
        if count > 0 and self.used + count > self.limit:
            refuse(errno.ENOSPC)
        self.used += count


class Node:
    """A file, a directory, a symbolic link or a device node, under however many names.

    Only one thread at a time may use its methods.
    """

    def __init__(self, room: Room, identity: int, mode: int, uid: int, gid: int) -> None:
        room.take(NODE)
        self._room = room
        self.identity = identity
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.rdev = 0
        self.data = bytearray()  # of a file, or the target of a symbolic link
        self.names: dict[str, Node] = {}  # of a directory
        self.xattrs: dict[str, bytes] = {}
        self.uses = 0  # names that it has, and how often it is open
        self.links = 0  # only the names
        self._version = 0
        self._atime = self._mtime = self._ctime = time.time_ns()

    @property
    def kind(self) -> int:
        """The type bits of its mode."""
        return stat.S_IFMT(self.mode)

    def status(self) -> Status:
        """What it is; the size of a directory is the number of names in it."""
        size = len(self.names) if self.kind == stat.S_IFDIR else len(self.data)
        return Status(
            *(self.identity, self._version, self.mode, self.uid, self.gid, self.links, self.rdev),
            *(size, -(-len(self.data) // 512), self._atime, self._mtime, self._ctime),
        )

    def touch(self) -> None:
        """Its content has changed now."""
        self._mtime = self._ctime = time.time_ns()
        self._version += 1

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> int:
        """Fill the buffers from `offset`; how much there was."""
        start = offset
        for buffer in buffers:
            part = self.data[offset : offset + len(buffer)]
            buffer[: len(part)] = part
            offset += len(part)
        return offset - start

    def write(self, offset: int, buffers: Sequence[memoryview]) -> int:
        """Store the buffers from `offset`, with zeros before it if it is beyond the end."""
        count = sum(map(len, buffers))
        self._room.take(max(0, offset + count - len(self.data)))
        if offset > len(self.data):
            self.data += bytes(offset - len(self.data))
        for buffer in buffers:
            self.data[offset : offset + len(buffer)] = buffer
            offset += len(buffer)
        self.touch()
        return count

    def resize(self, size: int) -> None:
        """Cut it off, or fill it up with zeros."""
        self._room.take(size - len(self.data))
        del self.data[size:]
        self.data += bytes(size - len(self.data))
        self.touch()

    def change(self, changes: Changes) -> None:
        """Make these changes, first of all that of the size, for which there may be no room."""
        if "size" in changes:
            if self.kind != stat.S_IFREG:
                refuse(errno.EISDIR if self.kind == stat.S_IFDIR else errno.EINVAL)
            self.resize(changes["size"])
        if "mode" in changes:
            self.mode = self.kind | stat.S_IMODE(changes["mode"])
        self.uid = changes.get("uid", self.uid)
        self.gid = changes.get("gid", self.gid)
        self._atime = changes.get("atime", self._atime)
        self._mtime = changes.get("mtime", self._mtime)
        self._ctime = time.time_ns()

    def set_xattr(self, name: str, value: bytes, flags: int) -> None:
        """Give it an extended attribute."""
        there = name in self.xattrs
        if flags & XATTR_CREATE and there:
            refuse(errno.EEXIST)
        if flags & XATTR_REPLACE and not there:
            refuse(errno.ENODATA)
        self._room.take(len(value) - len(self.xattrs[name]) if there else len(name) + len(value))
        self.xattrs[name] = value
        self._ctime = time.time_ns()

    def remove_xattr(self, name: str) -> None:
        """Take it away again."""
        if name not in self.xattrs:
            refuse(errno.ENODATA)
        self._room.take(-len(name) - len(self.xattrs.pop(name)))
        self._ctime = time.time_ns()

    def use(self, count: int) -> None:
        """One more name or opening of it, or one less; without any its room is free again."""
        self.uses += count
        if not self.uses:
            self._room.take(-NODE - len(self.data))
            self._room.take(-sum(len(n) + len(v) for n, v in self.xattrs.items()))
