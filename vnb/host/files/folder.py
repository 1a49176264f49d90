"""A share that is a folder of the host: no path is ever resolved there, only one name at a time.

Whatever the guest asks for, and whoever changes the folder meanwhile: nothing outside of it is
read, written, or even looked at, because no symbolic link in it is followed.
"""

import errno
import os
import stat
import sys
import weakref
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress

from vnb.errors import UsageError
from vnb.host.files.locks import Locks
from vnb.host.files.status import (
    WRITES,
    Changes,
    Entry,
    Path,
    Status,
    check_names,
    identity_of,
    refuse,
)

OWNER, NOBODY = 0, 65534
"""What the guest sees: who runs vnb is its root, and everybody else is nobody."""

PERMISSIONS = 0o777
"""What the guest can set: no set-user-ID, set-group-ID or sticky bit ever gets to the host."""

XATTRS = "user."
"""The extended attributes that are shared; all others mean something to the host."""

IOV_MAX = 1024

# Where a name is not followed if it turns out to be a symbolic link, a device or a FIFO; and
# where a directory need not be readable to be passed through.
CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
THROUGH = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """The folder at `path`; the guest can only read it unless `write` is true.

    Regular files and directories can be opened. Symbolic links, device nodes, FIFOs and sockets
    are shown for what they are; the guest follows a link within what it sees, and cannot make
    any of these, nor hard links. UsageError unless `path` is a directory that can be read.
    """

    def __init__(self, path: str | os.PathLike[str], write: bool = False) -> None:
        self.path = os.path.abspath(path)
        self.write = write
        self.locks = Locks()
        try:
            self._root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise UsageError(f"path={os.fspath(path)!r}: a folder to share: {words}") from error
        weakref.finalize(self, os.close, self._root)
        self._device = os.fstat(self._root).st_dev

    def __repr__(self) -> str:
        return f"Folder({self.path!r}" + (", write=True)" if self.write else ")")

    def slow(self, request: str) -> bool:
        """Only what waits for the disk to have written."""
        return request == "fsync"

    def stat(self, path: Path) -> Status:
        with self._parent(path) as (parent, name):
            return self.status(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def list(self, path: Path) -> Generator[Entry, None, None]:
        with self._parent(path) as (parent, name):
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | CAREFULLY, dir_fd=parent)
        try:
            device = os.fstat(fd).st_dev
            with os.scandir(fd) as entries:
                for entry in entries:
                    yield entry.name, _kind(entry), self._identity(device, entry.inode())
        finally:
            os.close(fd)

    def open(self, path: Path, flags: int, mode: int, uid: int, gid: int) -> "OpenFile":
        if flags & (WRITES | os.O_CREAT | os.O_TRUNC):
            self._check_write()
        with self._parent(path) as (parent, name):
            # Looked at first, since opening some devices is enough to make them do something.
            with suppress(FileNotFoundError):
                _check_file(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
            fd = _open(parent, name, flags, mode)
        try:
            _check_file(os.fstat(fd).st_mode)
        except OSError:
            os.close(fd)
            raise
        return OpenFile(self, fd)

    def make(
        self, path: Path, mode: int, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> None:
        self._check_write()
        with self._parent(path) as (parent, name):
            if stat.S_ISREG(mode):
                os.close(_open(parent, name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            elif stat.S_ISDIR(mode):
                os.mkdir(name, mode & PERMISSIONS, dir_fd=parent)
                with _held(parent, name) as held:
                    os.chmod(held, mode & PERMISSIONS)  # whatever the umask took away
            else:
                refuse(errno.EPERM)

    def readlink(self, path: Path) -> str:
        with self._parent(path) as (parent, name):
            return os.readlink(name, dir_fd=parent)

    def link(self, path: Path, new: Path) -> None:
        """A second name would let a file be changed that the host believes to be elsewhere."""
        self._check_write()
        refuse(errno.EPERM)

    def rename(self, path: Path, new: Path) -> None:
        self._check_write()
        with self._parent(path) as (parent, name), self._parent(new) as (into, new_name):
            os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=into)

    def remove(self, path: Path, directory: bool) -> None:
        self._check_write()
        with self._parent(path) as (parent, name):
            (os.rmdir if directory else os.unlink)(name, dir_fd=parent)

    def change(self, path: Path, changes: Changes) -> None:
        self._check_write()
        with self._parent(path) as (parent, name), _held(parent, name) as held:
            self.change_held(held, os.stat(held), changes)

    def change_held(self, held: str | int, found: os.stat_result, changes: Changes) -> None:
        """Change a file by its descriptor, or by a name for that; OSError EPERM for its owner."""
        self._check_write()
        status = self.status(found)
        owner = status.uid, status.gid
        if (changes.get("uid", status.uid), changes.get("gid", status.gid)) != owner:
            refuse(errno.EPERM)
        if "size" in changes:
            os.truncate(held, changes["size"])
        if "mode" in changes:
            os.chmod(held, changes["mode"] & PERMISSIONS)
        if "atime" in changes or "mtime" in changes:
            times = changes.get("atime", status.atime), changes.get("mtime", status.mtime)
            os.utime(held, ns=times)

    def xattrs(self, path: Path) -> Sequence[str]:
        with self._attributes(path) as held:
            return [name for name in os.listxattr(held) if name.startswith(XATTRS)]

    def get_xattr(self, path: Path, name: str) -> bytes:
        with self._attributes(path, name) as held:
            return os.getxattr(held, name)

    def set_xattr(self, path: Path, name: str, value: bytes, flags: int) -> None:
        self._check_write()
        with self._attributes(path, name) as held:
            os.setxattr(held, name, value, flags & (os.XATTR_CREATE | os.XATTR_REPLACE))

    def remove_xattr(self, path: Path, name: str) -> None:
        self._check_write()
        with self._attributes(path, name) as held:
            os.removexattr(held, name)

    def usage(self) -> tuple[int, int, int, int, int, int]:
        found = os.statvfs(self._root)
        return (
            *(found.f_frsize, found.f_blocks, found.f_bfree, found.f_bavail),
            *(found.f_files, found.f_ffree),
        )

    def status(self, found: os.stat_result) -> Status:
        """What the guest is told of a file of the host."""
        rdev = 0
        if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
            major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
            rdev = minor & 0xFF | (major & 0xFFF) << 8 | (minor & 0xFFF00) << 12
        return Status(
            self._identity(found.st_dev, found.st_ino),
            hash((found.st_mtime_ns, found.st_size)),
            found.st_mode,
            OWNER if found.st_uid == os.geteuid() else NOBODY,
            OWNER if found.st_gid == os.getegid() else NOBODY,
            *(found.st_nlink, rdev, found.st_size, found.st_blocks),
            *(found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns),
        )

    def _identity(self, device: int, inode: int) -> int:
        """The inode number; elsewhere than on the folder's own file system, one to tell apart."""
        if device == self._device:
            return inode
        return identity_of(f"{device} {inode}")

    def _check_write(self) -> None:
        if not self.write:
            refuse(errno.EROFS)

    @contextmanager
    def _parent(self, path: Path) -> Iterator[tuple[int, str]]:
        """The open directory that `path` is in, and its name in there.

        OSError ENOTDIR if there is anything but directories on the way, such as a symbolic link.
        """
        check_names(path)
        directory = self._root
        try:
            for name in path[:-1]:
                inner = os.open(name, THROUGH, dir_fd=directory)
                if directory != self._root:
                    os.close(directory)
                directory = inner
            yield directory, path[-1] if path else "."
        finally:
            if directory != self._root:
                os.close(directory)

    @contextmanager
    def _attributes(self, path: Path, name: str = XATTRS) -> Iterator[str | int]:
        """The file, held, if this attribute of it is one that is shared."""
        if sys.platform != "linux" or not name.startswith(XATTRS):
            refuse(errno.EOPNOTSUPP)
        with self._parent(path) as (parent, last), _held(parent, last) as held:
            yield held


class OpenFile:
    """A regular file of a folder that is open; also when nobody refers to it, it is closed."""

    def __init__(self, folder: Folder, fd: int) -> None:
        self._folder = folder
        self._fd = fd
        self._close = weakref.finalize(self, os.close, fd)

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> int:
        return os.preadv(self._fd, buffers[:IOV_MAX], offset)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> int:
        return os.pwritev(self._fd, buffers[:IOV_MAX], offset)

    def stat(self) -> Status:
        return self._folder.status(os.fstat(self._fd))

    def change(self, changes: Changes) -> None:
        self._folder.change_held(self._fd, os.fstat(self._fd), changes)

    def sync(self, data_only: bool) -> None:
        (getattr(os, "fdatasync", os.fsync) if data_only else os.fsync)(self._fd)

    def close(self) -> None:
        self._close()


def _open(parent: int, name: str, flags: int, mode: int) -> int:
    """A descriptor of a file in a directory; one that is made has exactly this mode."""
    if flags & os.O_CREAT:
        try:
            fd = os.open(name, flags | os.O_EXCL | CAREFULLY, mode & PERMISSIONS, dir_fd=parent)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
        else:
            os.fchmod(fd, mode & PERMISSIONS)
            return fd
    return os.open(name, flags & ~(os.O_CREAT | os.O_EXCL) | CAREFULLY, dir_fd=parent)


@contextmanager
def _held(parent: int, name: str) -> Iterator[str | int]:
    """What stands for a file or directory itself, whatever its name comes to mean.

    On Linux that is a name for a descriptor for which the file need not be readable.
    """
    linux = sys.platform == "linux"
    fd = os.open(name, (os.O_PATH if linux else os.O_RDONLY) | CAREFULLY, dir_fd=parent)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            refuse(errno.EPERM)
        yield f"/proc/self/fd/{fd}" if linux else fd
    finally:
        os.close(fd)


def _check_file(mode: int) -> None:
    """Only regular files are opened."""
    if stat.S_ISDIR(mode):
        refuse(errno.EISDIR)
    if not stat.S_ISREG(mode):
        refuse(errno.ELOOP if stat.S_ISLNK(mode) else errno.ENXIO)


def _kind(entry: "os.DirEntry[str]") -> int:
    """The type bits of its mode, or 0 if it is gone."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    with suppress(OSError):
        return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    return 0
