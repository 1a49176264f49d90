"""Requests about what is in files and directories: open, read, write, list and lock them."""

import errno
import os
import stat
from typing import NamedTuple

from vnb.virtio.ninep.fids import Fid, Fids, child, qid_of
from vnb.virtio.ninep.files import Files, refuse
from vnb.virtio.ninep.messages import Qid, bytes_of
from vnb.virtio.ninep.opened import MAX_XATTR, Attribute, Listing, NewAttribute

LARGEST = (1 << 63) - 1  # bytes in a file
NO_END = 1 << 64  # of a lock without a length

# Linux's flags of open [asm-generic/fcntl.h], and what they are on this host; others are hints.
ACCESS = {0: os.O_RDONLY, 1: os.O_WRONLY, 2: os.O_RDWR}
FLAGS = (
    (0o0000200, os.O_EXCL),
    (0o0001000, os.O_TRUNC),
    (0o0002000, os.O_APPEND),
    (0o0010000, os.O_DSYNC),
    (0o4000000, os.O_SYNC),
)
WRITES = os.O_WRONLY | os.O_RDWR

READ_LOCK, WRITE_LOCK, UNLOCK = 0, 1, 2
LOCKED, BLOCKED = 0, 1


class Owner(NamedTuple):
    """Whose lock it is: a process of a guest's."""

    guest: Fids
    proc_id: int
    client_id: str


class Contents:
    """These requests for one guest, by their names; an OSError is the answer as well."""

    def __init__(self, files: Files, fids: Fids) -> None:
        self._files = files
        self._fids = fids

    def lopen(self, fid: int, flags: int) -> tuple[Qid, int]:
        """Open a file or a directory; nothing else can be."""
        found = self._fids.to_open(fid)
        status = self._files.stat(found.path)
        flags = _host_flags(flags) & ~os.O_EXCL
        if stat.S_ISDIR(status.mode):
            if flags & (WRITES | os.O_TRUNC):
                refuse(errno.EISDIR)
            self._fids.opened(found, Listing(self._files, found.path))
        elif stat.S_ISREG(status.mode):
            file = self._files.open(found.path, flags, 0, found.uid, 0)
            self._fids.opened(found, file, flags)
            status = file.stat()
        else:
            refuse(errno.ELOOP if stat.S_ISLNK(status.mode) else errno.ENXIO)
        return qid_of(status), 0

    def lcreate(self, fid: int, name: str, flags: int, mode: int, gid: int) -> tuple[Qid, int]:
        """Create a file in the directory and open it: from now on `fid` is the file."""
        found = self._fids.to_open(fid)
        path = child(found.path, name)
        flags = _host_flags(flags) | os.O_CREAT
        file = self._files.open(path, flags, mode & 0o7777, found.uid, gid)
        self._fids.opened(found, file, flags)
        found.path = path
        return qid_of(file.stat()), 0

    def read(self, fid: int, offset: int, room: list[memoryview]) -> int:
        """Fill the room from `offset`; less at the end, and nothing beyond it."""
        found = self._fids[fid]
        opened = found.opened
        if isinstance(opened, Listing):
            refuse(errno.EISDIR)
        if opened is None or isinstance(opened, NewAttribute) or found.flags & os.O_WRONLY:
            refuse(errno.EBADF)
        if offset > LARGEST:
            refuse(errno.EINVAL)
        return opened.readinto(offset, room) if room else 0

    def write(self, fid: int, offset: int, data: list[memoryview]) -> tuple[int]:
        """Store the data from `offset`, or at the end of a file that was opened to append."""
        found = self._fids[fid]
        opened = found.opened
        if opened is None or isinstance(opened, Listing | Attribute):
            refuse(errno.EBADF)
        if not isinstance(opened, NewAttribute) and not found.flags & WRITES:
            refuse(errno.EBADF)
        if offset + sum(map(len, data)) > LARGEST:
            refuse(errno.EFBIG)
        return (opened.write(offset, data) if data else 0,)

    def readdir(self, fid: int, offset: int, room: list[memoryview]) -> int:
        """The entries after `offset` for which there is room."""
        opened = self._fids[fid].opened
        if not isinstance(opened, Listing):
            refuse(errno.EBADF if opened is None else errno.ENOTDIR)
        return opened.readinto(min(offset, LARGEST), room)

    def fsync(self, fid: int, datasync: int) -> None:
        """Return when what was written to the file is stable."""
        found = self._fids[fid]
        if found.opened is None:
            refuse(errno.EBADF)
        if found.file is not None:
            found.file.sync(bool(datasync))

    def clunk(self, fid: int) -> None:
        """`fid` is no longer in use; an extended attribute that was written to it is saved."""
        found = self._fids[fid]
        try:
            if isinstance(found.opened, NewAttribute):
                found.opened.save(self._files, found.path)
        finally:
            self._fids.remove(fid)

    # Locks.

    def lock(
        self,
        fid: int,
        type: int,
        flags: int,
        start: int,
        length: int,
        proc_id: int,
        client_id: str,
    ) -> tuple[int]:
        """Lock or unlock a range; who cannot have it is told so, and asks again."""
        found, file, end = self._range(fid, start, length)
        owner, locks = Owner(self._fids, proc_id, client_id), self._files.locks
        if type == UNLOCK:
            locks.release(file, owner, start, end)
            return (LOCKED,)
        if type not in (READ_LOCK, WRITE_LOCK):
            refuse(errno.EINVAL)
        taken = locks.acquire(file, owner, found, type == WRITE_LOCK, start, end)
        return (LOCKED if taken else BLOCKED,)

    def getlock(
        self, fid: int, type: int, start: int, length: int, proc_id: int, client_id: str
    ) -> tuple[int, int, int, int, str]:
        """A lock that is in the way of this one, or UNLOCK if there is none."""
        _, file, end = self._range(fid, start, length)
        owner = Owner(self._fids, proc_id, client_id)
        held = self._files.locks.conflict(file, owner, type == WRITE_LOCK, start, end)
        if held is None:
            return UNLOCK, start, length, proc_id, client_id
        return (
            WRITE_LOCK if held.exclusive else READ_LOCK,
            held.start,
            0 if held.end == NO_END else held.end - held.start,
            held.owner.proc_id,
            held.owner.client_id,
        )

    def _range(self, fid: int, start: int, length: int) -> tuple[Fid, int, int]:
        """The open file of a lock, its identity, and where the lock ends."""
        found = self._fids[fid]
        if found.file is None:
            refuse(errno.EBADF)
        end = start + length if length else NO_END
        if end > NO_END:
            refuse(errno.EINVAL)
        return found, found.file.stat().identity, end

    # Extended attributes.

    def xattrwalk(self, fid: int, newfid: int, name: str) -> tuple[int]:
        """`newfid` is where to read the attribute, or, without a name, the names of all."""
        found = self._fids[fid]
        self._fids.check_open()
        if name:
            value = self._files.get_xattr(found.path, name)
        else:
            value = b"".join(bytes_of(one) + b"\0" for one in self._files.xattrs(found.path))
        if len(value) > MAX_XATTR:
            refuse(errno.E2BIG)
        new = Fid(found.path, found.uid)
        self._fids.add(newfid, new)
        self._fids.opened(new, Attribute(value))
        return (len(value),)

    def xattrcreate(self, fid: int, name: str, size: int, flags: int) -> None:
        """From now on `fid` is where to write the attribute, which the clunk will save."""
        found = self._fids.to_open(fid)
        if not name or "\0" in name:
            refuse(errno.EINVAL)
        if size > MAX_XATTR:
            refuse(errno.E2BIG)
        self._fids.opened(found, NewAttribute(name, size, flags))


def _host_flags(flags: int) -> int:
    """Flags of open as this host has them."""
    access = ACCESS.get(flags & 3)
    if access is None:
        refuse(errno.EINVAL)
    return access | sum(ours for theirs, ours in FLAGS if flags & theirs == theirs)
