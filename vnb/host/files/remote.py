"""A share that is any file system of fsspec: an archive, an object store, a web server."""

import errno
import os
import shutil
import stat
import time
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from tempfile import SpooledTemporaryFile
from threading import RLock
from types import TracebackType
from typing import IO, Any, NoReturn
from urllib.parse import quote, unquote

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

LARGEST = 256 << 20
"""Bytes of a file that is open for writing: all of it is kept on this host until it is closed."""

IN_MEMORY = 1 << 20
"""Up to so many bytes in memory, beyond that in a temporary file."""

MOST_EMPTY = 4096
"""Directories that a guest may have made or emptied where the file system has none of its own."""

BLOCK = 4096
DIRECTORY, FILE = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o644
LOCAL = {"file", "local"}
WEB = {"http", "https"}

TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")
"""Where file systems of fsspec say when a file was changed last."""

# What they raise, and what it means where it has no error number.
ERRORS = (
    (FileNotFoundError, errno.ENOENT),
    (KeyError, errno.ENOENT),
    (FileExistsError, errno.EEXIST),
    (NotADirectoryError, errno.ENOTDIR),
    (IsADirectoryError, errno.EISDIR),
    (PermissionError, errno.EACCES),
    (TimeoutError, errno.ETIMEDOUT),
    (NotImplementedError, errno.EOPNOTSUPP),
)


class _Turn:
    """One thread at a time uses a file system; what it raises becomes an OSError."""

    def __init__(self) -> None:
        self._mutex = RLock()

    def __enter__(self) -> None:
        self._mutex.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._mutex.release()
        if not isinstance(error, Exception) or (isinstance(error, OSError) and error.errno):
            return
        code = next((code for kind, code in ERRORS if isinstance(error, kind)), errno.EIO)
        raise OSError(code, str(error) or type(error).__name__) from error


class Fsspec:
    """What is below `url`, such as "zip://::data.zip" or "https://example.org/data/".

    `options` go to the file system. The guest can only read unless `write` is true; a file that
    it writes is kept here, and stored as a whole when it is synced or closed. Modes, owners and
    times are the file system's own affair, and there are no links, nodes and extended attributes.
    UsageError if there is no such file system, and for local files: Folder confines those.
    """

    def __init__(self, url: str, write: bool = False, **options: Any) -> None:
        import fsspec

        self.url = url
        self.write = write
        self.locks = Locks()
        self.turn = _Turn()
        try:
            with self.turn:
                self.fs, root = fsspec.core.url_to_fs(url, **options)
        except OSError as error:
            raise UsageError(f"url={url!r}: {error.strerror}") from error
        if LOCAL & set(_protocols(self.fs)) or LOCAL & set(
            _protocols(getattr(self.fs, "fs", None))
        ):
            raise UsageError(f"url={url!r}: local files; share the path of their folder instead")
        self._web = bool(WEB & set(_protocols(self.fs)))
        self._root = root.rstrip("/")
        self._began = time.time_ns()
        self._empty: set[Path] = set()  # directories that exist only here, until they are removed

    def __repr__(self) -> str:
        return f"Fsspec({self.url!r}" + (", write=True)" if self.write else ")")

    def slow(self, request: str) -> bool:
        """Everything may have to wait for somebody else's computer."""
        return True

    def stat(self, path: Path) -> Status:
        with self.turn:
            return self._status(path, self._info(path))

    def list(self, path: Path) -> Generator[Entry, None, None]:
        with self.turn:
            found = [*self._entries(path)]
        for name, info in found:
            kind = stat.S_IFDIR if info["type"] == "directory" else stat.S_IFREG
            yield name, kind, _identity((*path, name))

    def open(
        self, path: Path, flags: int, mode: int, uid: int, gid: int
    ) -> "ReadFile | WrittenFile":
        writes = flags & (WRITES | os.O_CREAT | os.O_TRUNC)
        if writes:
            self._check_write()
        with self.turn:
            info = self._there(path)
            if info is None and not flags & os.O_CREAT:
                refuse(errno.ENOENT)
            if info is not None and flags & os.O_EXCL:
                refuse(errno.EEXIST)
            if info is not None and info["type"] == "directory":
                refuse(errno.EISDIR)
            if info is not None and not writes:
                return ReadFile(self, path, self._status(path, info))
            if info is None or flags & os.O_TRUNC:
                self.fs.pipe_file(self.url_of(path), b"")
            return WrittenFile(self, path, bool(flags & os.O_APPEND))

    def make(
        self, path: Path, mode: int, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> None:
        self._check_write()
        with self.turn:
            if self._there(path) is not None:
                refuse(errno.EEXIST)
            if stat.S_ISDIR(mode):
                self.fs.mkdir(self.url_of(path), create_parents=False)
                self._keep(path)
            elif stat.S_ISREG(mode):
                self.fs.pipe_file(self.url_of(path), b"")
            else:
                refuse(errno.EPERM)

    def readlink(self, path: Path) -> NoReturn:
        refuse(errno.EINVAL)

    def link(self, path: Path, new: Path) -> None:
        self._check_write()
        refuse(errno.EPERM)

    def rename(self, path: Path, new: Path) -> None:
        """A directory is not moved: the guest is to copy and remove it, as between disks."""
        self._check_write()
        with self.turn:
            if self._info(path)["type"] == "directory":
                refuse(errno.EXDEV)
            replaced = self._there(new)
            if replaced is not None and replaced["type"] == "directory":
                refuse(errno.EISDIR)
            if new != path:
                self.fs.cp_file(self.url_of(path), self.url_of(new))
                self.fs.rm_file(self.url_of(path))
                self._keep(path[:-1])

    def remove(self, path: Path, directory: bool) -> None:
        self._check_write()
        with self.turn:
            if (self._info(path)["type"] == "directory") != directory:
                refuse(errno.ENOTDIR if directory else errno.EISDIR)
            if not directory:
                self.fs.rm_file(self.url_of(path))
                self._keep(path[:-1])
            elif next(self._entries(path), None) is not None:
                refuse(errno.ENOTEMPTY)
            else:
                self._empty.discard(path)
                if self._there(path) is not None:
                    self.fs.rmdir(self.url_of(path))

    def change(self, path: Path, changes: Changes) -> None:
        """Only the size is the guest's to change; the rest is as it is, and no error."""
        self._check_write()
        if "size" in changes:
            file = self.open(path, os.O_WRONLY, 0, 0, 0)
            try:
                file.change(changes)
            finally:
                file.close()

    def xattrs(self, path: Path) -> Sequence[str]:
        return ()

    def get_xattr(self, path: Path, name: str) -> NoReturn:
        refuse(errno.EOPNOTSUPP)

    def set_xattr(self, path: Path, name: str, value: bytes, flags: int) -> NoReturn:
        refuse(errno.EOPNOTSUPP)

    def remove_xattr(self, path: Path, name: str) -> NoReturn:
        refuse(errno.EOPNOTSUPP)

    def usage(self) -> tuple[int, int, int, int, int, int]:
        """Nobody knows."""
        return BLOCK, 1 << 30, 1 << 29, 1 << 29, 0, 0

    def url_of(self, path: Path) -> str:
        """What the file system calls it; nothing in a name can mean anything but itself."""
        check_names(path)
        names = [quote(name, safe="") for name in path] if self._web else path
        return "/".join([self._root, *names] if self._root else names)

    def size_of(self, path: Path) -> int:
        return int(self._info(path).get("size") or 0)

    def _info(self, path: Path) -> dict[str, Any]:
        """What fsspec says of a file: at least its type."""
        if not path:
            return {"type": "directory"}
        if self._web:  # a web server says what is a directory only in its links
            found = dict(self._entries(path[:-1])).get(path[-1]) or refuse(errno.ENOENT)
            if found["type"] == "directory":
                return found
        self.fs.invalidate_cache()
        try:
            info: dict[str, Any] = self.fs.info(self.url_of(path))
        except FileNotFoundError:
            if path not in self._empty:
                raise
            return {"type": "directory"}
        return info

    def _keep(self, path: Path) -> None:
        """A directory stays for the guest, where the file system has none without files."""
        if self._there(path) is None:
            if len(self._empty) >= MOST_EMPTY:
                refuse(errno.ENOSPC)
            self._empty.add(path)

    def _there(self, path: Path) -> dict[str, Any] | None:
        """The same, or None if there is nothing."""
        try:
            return self._info(path)
        except (FileNotFoundError, KeyError):
            return None

    def _entries(self, path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """The names in a directory, those that a guest can say, and what is known of them."""
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(self.url_of(path) + ("/" if self._web else ""), detail=True)
        except FileNotFoundError:
            if path and path not in self._empty:
                raise
            found = []
        empty = [one[-1] for one in self._empty if one[:-1] == path]
        seen = {"", ".", ".."}
        for info in [*found, *({"name": name, "type": "directory"} for name in empty)]:
            name = info["name"].rstrip("/").rpartition("/")[2]
            if self._web:
                if "?" in name or "#" in name:
                    continue
                name = unquote(name)
            if name not in seen and "/" not in name and "\0" not in name:
                seen.add(name)
                yield name, info

    def _status(self, path: Path, info: dict[str, Any], size: int | None = None) -> Status:
        size = int(info.get("size") or 0) if size is None else size
        changed = _time_of(info) or self._began
        directory = info["type"] == "directory"
        return Status(
            _identity(path),
            hash((changed, size)),
            DIRECTORY if directory else FILE,
            *(0, 0, 1, 0, 0 if directory else size, -(-size // 512)),
            *(changed, changed, changed),
        )

    def status_of(self, path: Path, size: int, changed: int) -> Status:
        """Of a file that is open."""
        return self._status(path, {"type": "file", "mtime": changed / 1e9}, size)

    def _check_write(self) -> None:
        if not self.write:
            refuse(errno.EROFS)


class ReadFile:
    """A file that is open for reading, with what fsspec reads ahead."""

    def __init__(self, files: Fsspec, path: Path, status: Status) -> None:
        self._files = files
        self._path = path
        self._status = status
        self._file = files.fs.open(files.url_of(path), "rb")

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> int:
        with self._files.turn:
            return _fill(self._file, offset, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> NoReturn:
        refuse(errno.EBADF)

    def stat(self) -> Status:
        return self._status

    def change(self, changes: Changes) -> None:
        self._files.change(self._path, changes)

    def sync(self, data_only: bool) -> None:
        """There is nothing to store."""

    def close(self) -> None:
        with self._files.turn:
            self._file.close()


class WrittenFile:
    """A file that is open for writing: a copy here, which is stored when it is complete."""

    def __init__(self, files: Fsspec, path: Path, append: bool) -> None:
        self._files = files
        self._path = path
        self._append = append
        self._changed = time.time_ns()
        self._dirty = False
        self._file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115
        if files.size_of(path) > LARGEST:
            refuse(errno.EFBIG)
        with files.fs.open(files.url_of(path), "rb") as source:
            shutil.copyfileobj(source, self._file)

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> int:
        with self._files.turn:
            return _fill(self._file, offset, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> int:
        with self._files.turn:
            start = self._size() if self._append else offset
            count = sum(map(len, buffers))
            if start + count > LARGEST:
                refuse(errno.EFBIG)
            self._file.seek(start)
            for buffer in buffers:
                self._file.write(buffer)
            self._touch()
            return count

    def stat(self) -> Status:
        with self._files.turn:
            return self._files.status_of(self._path, self._size(), self._changed)

    def change(self, changes: Changes) -> None:
        size = changes.get("size")
        if size is None:
            return
        with self._files.turn:
            if size > LARGEST:
                refuse(errno.EFBIG)
            missing = size - self._size()
            self._file.truncate(size)
            if missing > 0:
                self._file.seek(size - missing)
                self._file.write(bytes(missing))
            self._touch()

    def sync(self, data_only: bool) -> None:
        """Store what has changed."""
        with self._files.turn:
            if self._dirty:
                self._file.seek(0)
                with self._files.fs.open(self._files.url_of(self._path), "wb") as target:
                    shutil.copyfileobj(self._file, target)
                self._dirty = False

    def close(self) -> None:
        try:
            self.sync(data_only=True)
        finally:
            self._file.close()

    def _size(self) -> int:
        return self._file.seek(0, os.SEEK_END)

    def _touch(self) -> None:
        self._changed = time.time_ns()
        self._dirty = True


def _fill(file: Any, offset: int, buffers: Sequence[memoryview]) -> int:
    """Read into the buffers from `offset`; how much there was."""
    file.seek(offset)
    done = 0
    for buffer in buffers:
        data = file.read(len(buffer))
        buffer[: len(data)] = data
        done += len(data)
        if len(data) < len(buffer):
            break
    return done


def _identity(path: Path) -> int:
    return identity_of("/".join(path))


def _protocols(fs: Any) -> Sequence[str]:
    names = getattr(fs, "protocol", ())
    return (names,) if isinstance(names, str) else names


def _time_of(info: dict[str, Any]) -> int | None:
    """Nanoseconds since 1970 at which a file was changed, if the file system says."""
    for name in TIMES:
        found = info.get(name)
        if isinstance(found, datetime):
            return int(found.timestamp() * 10**9)
        if isinstance(found, int | float):
            return int(found * 10**9)
    return None
