"""What a guest can have open besides files: directories, and extended attributes."""

import errno
import itertools
import stat
from collections.abc import Generator, Sequence

from vnb.virtio.ninep.files import Entry, File, Files, Path, refuse
from vnb.virtio.ninep.messages import DIRECTORY_ENTRY, Qid

MAX_XATTR = 1 << 16
"""Bytes in the value of an extended attribute, or in the list of all names."""

QID_TYPES = {stat.S_IFDIR: 0x80, stat.S_IFLNK: 0x02}
"""What a qid says of a file besides that it is one."""


class Listing:
    """An open directory: its entries stream by, so that a large one costs nothing to have open.

    An entry's offset is the number of entries up to and with it, which holds for as long as
    they are asked for in order; whoever jumps gets the directory anew, from that number on.
    """

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._path = path
        self._entries = self._all()
        self._next: Entry | None = None  # an entry that there was no room for
        self._offset = 0

    def readinto(self, offset: int, room: Sequence[memoryview]) -> int:
        """Fill the room with whole entries after `offset`; nothing at the end of them."""
        if offset != self._offset:
            self.close()
            self._entries, self._next = self._all(), None
            self._offset = sum(1 for _ in itertools.islice(self._entries, offset))
        space = sum(map(len, room))
        found = bytearray()
        while (entry := self._next or next(self._entries, None)) is not None:
            name, mode, identity = self._next = entry
            kind = stat.S_IFMT(mode)
            qid = Qid(QID_TYPES.get(kind, 0), 0, identity)
            data = DIRECTORY_ENTRY.pack((qid, self._offset + 1, kind >> 12, name))
            if len(found) + len(data) > space:
                if not found:
                    refuse(errno.EINVAL)
                break
            found += data
            self._offset += 1
            self._next = None
        return pour(found, room)

    def close(self) -> None:
        """Stop reading the directory."""
        self._entries.close()

    def _all(self) -> Generator[Entry, None, None]:
        """The entries, and first the directory itself and its parent, as Linux expects."""
        for name, path in ((".", self._path), ("..", self._path[:-1])):
            status = self._files.stat(path)
            yield name, status.mode, status.identity
        yield from self._files.list(self._path)


class Attribute:
    """The value of an extended attribute, or the names of all, on the way to the guest."""

    def __init__(self, value: bytes) -> None:
        self.value = value

    def readinto(self, offset: int, room: Sequence[memoryview]) -> int:
        """Fill the room from `offset`."""
        return pour(self.value[offset : offset + sum(map(len, room))], room)

    def close(self) -> None:
        """Nothing is held but memory."""


class NewAttribute:
    """An extended attribute on the way from the guest; it is saved when all of it has come."""

    def __init__(self, name: str, size: int, flags: int) -> None:
        self._name = name
        self._size = size
        self._flags = flags
        self._value = b""

    def write(self, offset: int, data: Sequence[memoryview]) -> int:
        """Take the next bytes: they come in order."""
        count = sum(map(len, data))
        if offset != len(self._value) or offset + count > self._size:
            refuse(errno.EINVAL)
        self._value += b"".join(data)
        return count

    def save(self, files: Files, path: Path) -> None:
        """Store it; an attribute of no bytes is how Linux says that one is to be removed."""
        if len(self._value) != self._size:
            refuse(errno.EINVAL)
        if self._size:
            files.set_xattr(path, self._name, self._value, self._flags)
        else:
            files.remove_xattr(path, self._name)

    def close(self) -> None:
        """Nothing is held but memory."""


Opened = File | Listing | Attribute | NewAttribute


def pour(data: bytes | bytearray, room: Sequence[memoryview]) -> int:
    """Copy the beginning of `data` to the windows in their order; how much there was room for."""
    done = 0
    for window in room:
        part = data[done : done + len(window)]
        window[: len(part)] = part
        done += len(part)
    return done
