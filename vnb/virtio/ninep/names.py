"""Requests about files as such: find, make, move and remove them, ask and change what they are."""

import errno
import stat
import time
from typing import Any

from vnb.virtio.ninep.contents import LARGEST, WRITES
from vnb.virtio.ninep.fids import Fid, Fids, child, qid_of
from vnb.virtio.ninep.files import Changes, Files, Path, refuse
from vnb.virtio.ninep.messages import NO_FID, Qid, bytes_of

MAX_NAMES = 16  # in one walk
MAX_TARGET = 4095  # bytes in a symbolic link
MAGIC = 0x0102_1997  # what statfs(2) says of a 9P file system
REMOVE_DIRECTORY = 0x200  # the flag of unlinkat
ROOM_FOR_DEVICES = (1 << 12, 1 << 20)  # major and minor numbers in Linux
SECONDS = (-(1 << 31), 1 << 34)  # since 1970: the times that file systems can store
NANO = 10**9
BEST_SIZE = 128 << 10  # bytes to read or write at a time

# What the bits of a setattr ask for.
SET_MODE, SET_UID, SET_GID, SET_SIZE = 1, 2, 4, 8
TOUCH_ATIME, TOUCH_MTIME, SET_ATIME, SET_MTIME = 0x10, 0x20, 0x80, 0x100

ALL_OF_STAT = 0x7FF
"""Which of its fields the reply to getattr fills in: all that stat(2) knows."""


class Names:
    """These requests for one guest, by their names; an OSError is the answer as well."""

    def __init__(self, files: Files, fids: Fids) -> None:
        self._files = files
        self._fids = fids

    def attach(self, fid: int, afid: int, uname: str, aname: str, n_uname: int) -> tuple[Qid]:
        """`fid` is the root of the share; there is nothing else to attach to."""
        if afid != NO_FID:
            refuse(errno.EOPNOTSUPP)
        if aname not in ("", "/"):
            refuse(errno.ENOENT)
        qid = qid_of(self._files.stat(()))
        self._fids.add(fid, Fid((), 0 if n_uname == NO_FID else n_uname))
        return (qid,)

    def walk(self, fid: int, newfid: int, names: list[str]) -> tuple[list[Qid]]:
        """`newfid` is what these names lead to from `fid`, if all of them are there."""
        start = self._fids[fid]
        if len(names) > MAX_NAMES:
            refuse(errno.EINVAL)
        path, qids = start.path, list[Qid]()
        for name in names:
            try:
                # Who goes up from the root stays there.
                path = path[:-1] if name == ".." else child(path, name)
                qids.append(qid_of(self._files.stat(path)))
            except OSError:
                if not qids:
                    raise
                return (qids,)
        if newfid == fid:
            self._fids.unopened(fid).path = path
        else:
            self._fids.add(newfid, Fid(path, start.uid))
        return (qids,)

    def getattr(self, fid: int, request_mask: int) -> tuple[Any, ...]:
        """All that is known of the file, whatever was asked for."""
        status = self._fids.status(self._fids[fid])
        times = (divmod(when, NANO) for when in (status.atime, status.mtime, status.ctime))
        return (
            *(ALL_OF_STAT, qid_of(status), status.mode, status.uid, status.gid),
            *(status.links, status.rdev, status.size, BEST_SIZE, status.blocks),
            *(word & (1 << 64) - 1 for time in times for word in time),
            *(0, 0, 0, 0),
        )

    def setattr(
        self,
        fid: int,
        valid: int,
        mode: int,
        uid: int,
        gid: int,
        size: int,
        atime_sec: int,
        atime_nsec: int,
        mtime_sec: int,
        mtime_nsec: int,
    ) -> None:
        """Change what `valid` says."""
        found = self._fids[fid]
        changes: Changes = {}
        if valid & SET_MODE:
            changes["mode"] = mode & 0o7777
        if valid & SET_UID:
            changes["uid"] = uid
        if valid & SET_GID:
            changes["gid"] = gid
        if valid & SET_SIZE:
            changes["size"] = size if size <= LARGEST else refuse(errno.EFBIG)
        if valid & TOUCH_ATIME:
            changes["atime"] = _moment(valid & SET_ATIME, atime_sec, atime_nsec)
        if valid & TOUCH_MTIME:
            changes["mtime"] = _moment(valid & SET_MTIME, mtime_sec, mtime_nsec)
        file = found.file
        if file is not None and (found.flags & WRITES or "size" not in changes):
            file.change(changes)
        else:
            self._files.change(found.path, changes)

    def statfs(self, fid: int) -> tuple[int, ...]:
        """How much room there is."""
        self._fids[fid]
        block, blocks, free, available, files, files_free = self._files.usage()
        return MAGIC, block, blocks, free, available, files, files_free, 0, 255

    def mkdir(self, dfid: int, name: str, mode: int, gid: int) -> tuple[Qid]:
        """Make a directory."""
        return self._make(dfid, name, stat.S_IFDIR | mode & 0o7777, gid)

    def mknod(
        self, dfid: int, name: str, mode: int, major: int, minor: int, gid: int
    ) -> tuple[Qid]:
        """Make an empty file, a device node, a FIFO or a socket."""
        kind = stat.S_IFMT(mode)
        if kind not in (stat.S_IFREG, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK):
            refuse(errno.EINVAL)
        rdev = 0
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            if major >= ROOM_FOR_DEVICES[0] or minor >= ROOM_FOR_DEVICES[1]:
                refuse(errno.EINVAL)
            rdev = minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
        return self._make(dfid, name, kind | mode & 0o7777, gid, rdev)

    def symlink(self, fid: int, name: str, target: str, gid: int) -> tuple[Qid]:
        """Make a symbolic link, which nobody but the guest will ever follow."""
        if len(bytes_of(target)) > MAX_TARGET:
            refuse(errno.ENAMETOOLONG)
        if not target or "\0" in target:
            refuse(errno.EINVAL)
        return self._make(fid, name, stat.S_IFLNK | 0o777, gid, 0, target)

    def readlink(self, fid: int) -> tuple[str]:
        """Where a symbolic link points to."""
        return (self._files.readlink(self._fids[fid].path),)

    def link(self, dfid: int, fid: int, name: str) -> None:
        """Give a file another name."""
        path = child(self._fids[dfid].path, name)
        self._files.link(self._fids[fid].path, path)

    def rename(self, fid: int, dfid: int, name: str) -> None:
        """Move a file, over another one if need be."""
        self._rename(self._fids[fid].path, child(self._fids[dfid].path, name))

    def renameat(self, dfid: int, name: str, newdfid: int, newname: str) -> None:
        """The same, by names."""
        old = child(self._fids[dfid].path, name)
        self._rename(old, child(self._fids[newdfid].path, newname))

    def unlinkat(self, dfid: int, name: str, flags: int) -> None:
        """Remove a name, of a directory if the flag says so."""
        path = child(self._fids[dfid].path, name)
        self._files.remove(path, bool(flags & REMOVE_DIRECTORY))

    def remove(self, fid: int) -> None:
        """Remove the file; `fid` is no longer in use, whatever becomes of that."""
        found = self._fids[fid]
        try:
            if not found.path:
                refuse(errno.EBUSY)
            directory = stat.S_ISDIR(self._files.stat(found.path).mode)
            self._files.remove(found.path, directory)
        finally:
            self._fids.remove(fid)

    def _make(
        self, directory: int, name: str, mode: int, gid: int, rdev: int = 0, target: str = ""
    ) -> tuple[Qid]:
        found = self._fids[directory]
        path = child(found.path, name)
        self._files.make(path, mode, found.uid, gid, rdev, target)
        return (qid_of(self._files.stat(path)),)

    def _rename(self, old: Path, new: Path) -> None:
        if not old:
            refuse(errno.EBUSY)
        if new[: len(old)] == old and new != old:
            refuse(errno.EINVAL)
        self._files.rename(old, new)
        self._fids.renamed(old, new)


def _moment(given: int, seconds: int, nanoseconds: int) -> int:
    """Nanoseconds since 1970 of a time that was given, or of now."""
    if not given:
        return time.time_ns()
    seconds -= (seconds >> 63) << 64
    if not SECONDS[0] <= seconds < SECONDS[1] or nanoseconds >= NANO:
        refuse(errno.EINVAL)
    return seconds * NANO + nanoseconds
