"""A share in memory: the cell writes it down as a dict, and the guest sees files."""

import os
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Union

from vnb.errors import UsageError
from vnb.host.files.node import Room
from vnb.host.files.nodes import Nodes
from vnb.host.files.status import Path

Content = Union[bytes, bytearray, str, "Mapping[str, Content]"]
"""What a cell puts somewhere: the bytes of a file, its text, or a directory of such."""

ROOM = 64 << 20

MAX_NAME = 255  # bytes
MAX_DEPTH = 256  # names in a path


class Tree(Nodes, MutableMapping[str, bytes]):
    """Files in memory, by their paths: `tree["a/b.txt"] = "text"`, `tree["a/b.txt"]` is bytes.

    `files` has names, and for each of them bytes or a text, or a dict for a directory. What the
    cell changes the guest sees at once, and the other way round; several machines may share one
    tree. As a mapping it consists of its regular files; assigning a dict makes a directory, and
    deleting a directory takes all that is in there.

    Guests can fill `room` bytes more than the cell has put there, where each file counts for
    1 KiB besides its content.
    """

    def __init__(self, files: Mapping[str, Content] | None = None, room: int = ROOM) -> None:
        if not isinstance(room, int) or isinstance(room, bool) or room < 0:
            raise UsageError(f"room={room!r}: room is a number of bytes")
        super().__init__(Room(1 << 20))
        with self._limitless():
            self._put((), {} if files is None else files)
        self._room.limit = self._room.used + room

    def __getitem__(self, path: str) -> bytes:
        with self._mutex:
            try:
                node = self._find(_names(path))
            except OSError:
                raise KeyError(path) from None
            if node.kind != stat.S_IFREG:
                raise KeyError(path)
            return bytes(node.data)

    def __setitem__(self, path: str, content: Content) -> None:
        names = _names(path)
        if not names:
            raise UsageError(f'{path!r}: give the path of a file, such as "a/b.txt"')
        with self._limitless():
            self._put(names, content)

    def __delitem__(self, path: str) -> None:
        with self._mutex:
            names = _names(path)
            if not names:
                raise KeyError(path)
            try:
                self._remove_all(names)
            except OSError:
                raise KeyError(path) from None

    def __iter__(self) -> Iterator[str]:
        with self._mutex:
            return iter(["/".join(path) for path in self._walk(()) if self._is_file(path)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"Tree of {len(self)} files"

    def _put(self, path: Path, content: Content) -> None:
        """Put `content` there, and make the directories on the way."""
        where = "/".join(path)
        if not isinstance(content, str | bytes | bytearray | Mapping):
            raise UsageError(f"{where!r}: {content!r} is neither bytes, a text nor a dict of files")
        try:
            for depth in range(1, len(path) + isinstance(content, Mapping)):
                self._make_directory(path[:depth])
            if isinstance(content, Mapping):
                for name, inner in content.items():
                    self._put((*path, *_names(name)), inner)
                return
            file = self.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644, 0, 0)
            file.write(0, [memoryview(content.encode() if isinstance(content, str) else content)])
            file.close()
        except OSError as error:
            raise UsageError(f"{where!r}: {error.strerror}, in the share") from None

    def _make_directory(self, path: Path) -> None:
        if not path or path[-1] in self._find(path[:-1]).names:
            return
        self.make(path, stat.S_IFDIR | 0o755, 0, 0)

    def _remove_all(self, path: Path) -> None:
        for inner in [*self._walk(path)][::-1]:
            self.remove(inner, directory=self._find(inner).kind == stat.S_IFDIR)

    def _walk(self, path: Path) -> Iterator[Path]:
        """`path` and all that is below it, directories before what they hold."""
        waiting = [path]
        while waiting:
            path = waiting.pop()
            yield path
            waiting += [(*path, name) for name in reversed(self._find(path).names)]

    def _is_file(self, path: Path) -> bool:
        return self._find(path).kind == stat.S_IFREG

    @contextmanager
    def _limitless(self) -> Iterator[None]:
        """The cell is not held back, and what it adds is not taken from the guests' room."""
        with self._mutex:
            used, limit = self._room.used, self._room.limit
            self._room.limit = 1 << 62
            try:
                yield
            finally:
                self._room.limit = limit + max(0, self._room.used - used)


def _names(path: object) -> Path:
    """A path as the cell writes it; UsageError for what no file can be called."""
    if not isinstance(path, str):
        raise UsageError(f'{path!r}: a path is a text, such as "a/b.txt"')
    names = tuple(name for name in path.split("/") if name)
    for name in names:
        if name in (".", "..") or "\0" in name or not name.isprintable():
            raise UsageError(f"{path!r}: {name!r} is not the name of a file")
        if len(name.encode()) > MAX_NAME:
            raise UsageError(f"{path!r}: a name has at most {MAX_NAME} bytes")
    if len(names) > MAX_DEPTH:
        raise UsageError(f"{path!r}: at most {MAX_DEPTH} names")
    return names
