"""The fids of one guest: its own numbers for files of the share, and what it has opened there."""

import errno
import stat
import sys
from contextlib import ExitStack

from vnb.virtio.ninep.files import File, Files, Path, Status, refuse
from vnb.virtio.ninep.messages import Qid, bytes_of
from vnb.virtio.ninep.opened import QID_TYPES, Attribute, Listing, NewAttribute, Opened

# What one guest may have at a time.
MAX_FIDS = 4096
MAX_OPEN = 256

# What is longer is refused.
MAX_NAME = 255  # bytes
MAX_DEPTH = 256  # names in a path


def child(path: Path, name: str) -> Path:
    """`name` in the directory `path`; refused unless it can only be something in there."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        refuse(errno.EINVAL)
    if len(bytes_of(name)) > MAX_NAME or len(path) >= MAX_DEPTH:
        refuse(errno.ENAMETOOLONG)
    return (*path, sys.intern(name))  # one copy of it, however many fids have it in their paths


def qid_of(status: Status) -> Qid:
    """What a guest tells files apart by, and their versions."""
    kind = QID_TYPES.get(stat.S_IFMT(status.mode), 0)
    return Qid(kind, status.version & 0xFFFF_FFFF, status.identity)


class Fid:
    """The file at `path`; `uid` is the user of the guest who attached."""

    __slots__ = ("flags", "opened", "path", "uid")

    def __init__(self, path: Path, uid: int) -> None:
        self.path = path
        self.uid = uid
        self.opened: Opened | None = None
        self.flags = 0  # how it was opened, in words of `os.open`

    @property
    def file(self) -> File | None:
        """The open file, if this is one."""
        opened = self.opened
        return None if isinstance(opened, Listing | Attribute | NewAttribute) else opened


class Fids:
    """All fids of one guest."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._fids: dict[int, Fid] = {}
        self._open = 0

    def __len__(self) -> int:
        return len(self._fids)

    def __getitem__(self, number: int) -> Fid:
        """EBADF if there is no such fid."""
        return self._fids.get(number) or refuse(errno.EBADF)

    def unopened(self, number: int) -> Fid:
        """The same, EINVAL if something is open there."""
        fid = self[number]
        return fid if fid.opened is None else refuse(errno.EINVAL)

    def to_open(self, number: int) -> Fid:
        """The same, EMFILE if nothing more may be opened."""
        self.check_open()
        return self.unopened(number)

    def check_open(self) -> None:
        """EMFILE if nothing more may be opened."""
        if self._open >= MAX_OPEN:
            refuse(errno.EMFILE)

    def add(self, number: int, fid: Fid) -> None:
        """EBADF if the number is taken, ENFILE if there are too many."""
        if number in self._fids:
            refuse(errno.EBADF)
        if len(self._fids) >= MAX_FIDS:
            refuse(errno.ENFILE)
        self._fids[number] = fid

    def opened(self, fid: Fid, opened: Opened, flags: int = 0) -> None:
        """This is open at `fid` from now on."""
        fid.opened, fid.flags = opened, flags
        self._open += 1

    def remove(self, number: int) -> None:
        """Forget the fid and close what it had open."""
        fid = self[number]
        del self._fids[number]
        if fid.opened is not None:
            self._open -= 1
            self._files.locks.release_through(fid)
            fid.opened.close()

    def clear(self) -> None:
        """Forget all of them, also if what one had open cannot be closed."""
        with ExitStack() as removals:
            for number in list(self._fids):
                removals.callback(self.remove, number)

    def renamed(self, old: Path, new: Path) -> None:
        """What had this path, or one that goes on from it, is now elsewhere."""
        for fid in self._fids.values():
            if fid.path[: len(old)] == old:
                fid.path = new + fid.path[len(old) :]

    def status(self, fid: Fid) -> Status:
        """Of the open file, though its name may be gone, or else of what is at the path."""
        return fid.file.stat() if fid.file is not None else self._files.stat(fid.path)
