"""A file system in memory: what a guest does to it, whoever else changes it meanwhile."""

import errno
import itertools
import os
import stat
from collections.abc import Generator, Sequence
from threading import RLock

from vnb.host.files.locks import Locks
from vnb.host.files.node import Node, Room
from vnb.host.files.status import Changes, Entry, Path, Status, refuse

BLOCK = 4096


class Nodes:
    """Files of all kinds, which take no more than `room` bytes; any thread may call."""

    def __init__(self, room: Room) -> None:
        self.locks = Locks()
        self._room = room
        self._mutex = RLock()
        self._identities = itertools.count(1)
        self._root = self._new(stat.S_IFDIR | 0o755, 0, 0)
        self._root.links = 1

    def slow(self, request: str) -> bool:
        """Nothing here takes any time."""
        return False

    def stat(self, path: Path) -> Status:
        with self._mutex:
            return self._find(path).status()

    def list(self, path: Path) -> Generator[Entry, None, None]:
        with self._mutex:
            node = self._find(path)
            if node.kind != stat.S_IFDIR:
                refuse(errno.ENOTDIR)
            names = [*node.names.items()]
        for name, node in names:
            yield name, node.kind, node.identity

    def open(self, path: Path, flags: int, mode: int, uid: int, gid: int) -> "OpenNode":
        with self._mutex:
            parent, name = self._parent(path)
            node = parent.names.get(name)
            if node is None:
                if not flags & os.O_CREAT:
                    refuse(errno.ENOENT)
                node = self._new(stat.S_IFREG | mode, uid, gid)
                self._add(parent, name, node)
            elif flags & os.O_EXCL:
                refuse(errno.EEXIST)
            if node.kind == stat.S_IFDIR:
                refuse(errno.EISDIR)
            if node.kind != stat.S_IFREG:
                refuse(errno.ELOOP if node.kind == stat.S_IFLNK else errno.ENXIO)
            if flags & os.O_TRUNC:
                node.resize(0)
            node.use(1)
            return OpenNode(node, self._mutex, bool(flags & os.O_APPEND))

    def make(
        self, path: Path, mode: int, uid: int, gid: int, rdev: int = 0, target: str = ""
    ) -> None:
        with self._mutex:
            parent, name = self._parent(path)
            if name in parent.names:
                refuse(errno.EEXIST)
            node = self._new(mode, uid, gid)
            self._add(parent, name, node)
            node.rdev = rdev
            node.data += target.encode("utf-8", "surrogateescape")
            self._room.used += len(node.data)

    def readlink(self, path: Path) -> str:
        with self._mutex:
            node = self._find(path)
            if node.kind != stat.S_IFLNK:
                refuse(errno.EINVAL)
            return node.data.decode("utf-8", "surrogateescape")

    def link(self, path: Path, new: Path) -> None:
        with self._mutex:
            node, (parent, name) = self._find(path), self._parent(new)
            if node.kind == stat.S_IFDIR:
                refuse(errno.EPERM)
            if name in parent.names:
                refuse(errno.EEXIST)
            self._add(parent, name, node)

    def rename(self, path: Path, new: Path) -> None:
        with self._mutex:
            node, (parent, name) = self._find(path), self._parent(path)
            into, new_name = self._parent(new)
            if new[: len(path)] == path and new != path:
                refuse(errno.EINVAL)
            there = into.names.get(new_name)
            if there is node:
                return
            if there is not None:
                if (there.kind == stat.S_IFDIR) != (node.kind == stat.S_IFDIR):
                    refuse(errno.EISDIR if there.kind == stat.S_IFDIR else errno.ENOTDIR)
                self._drop(into, new_name)
            self._add(into, new_name, node)
            self._drop(parent, name, moved=True)

    def remove(self, path: Path, directory: bool) -> None:
        with self._mutex:
            node, (parent, name) = self._find(path), self._parent(path)
            if (node.kind == stat.S_IFDIR) != directory:
                refuse(errno.ENOTDIR if directory else errno.EISDIR)
            self._drop(parent, name)

    def change(self, path: Path, changes: Changes) -> None:
        with self._mutex:
            self._find(path).change(changes)

    def xattrs(self, path: Path) -> Sequence[str]:
        with self._mutex:
            return [*self._find(path).xattrs]

    def get_xattr(self, path: Path, name: str) -> bytes:
        with self._mutex:
            value = self._find(path).xattrs.get(name)
            return refuse(errno.ENODATA) if value is None else value

    def set_xattr(self, path: Path, name: str, value: bytes, flags: int) -> None:
        with self._mutex:
            self._find(path).set_xattr(name, value, flags)

    def remove_xattr(self, path: Path, name: str) -> None:
        with self._mutex:
            self._find(path).remove_xattr(name)

    def usage(self) -> tuple[int, int, int, int, int, int]:
        with self._mutex:
            blocks = self._room.limit // BLOCK
            free = max(0, self._room.limit - self._room.used) // BLOCK
        return BLOCK, blocks, free, free, blocks, free

    def _find(self, path: Path) -> Node:
        """What is there; ENOENT or ENOTDIR."""
        node = self._root
        for name in path:
            if node.kind != stat.S_IFDIR:
                refuse(errno.ENOTDIR)
            node = node.names.get(name) or refuse(errno.ENOENT)
        return node

    def _parent(self, path: Path) -> tuple[Node, str]:
        """The directory in which `path` is or would be, and its name in there."""
        if not path:
            refuse(errno.EBUSY)
        parent = self._find(path[:-1])
        if parent.kind != stat.S_IFDIR:
            refuse(errno.ENOTDIR)
        return parent, path[-1]

    def _new(self, mode: int, uid: int, gid: int) -> Node:
        return Node(self._room, next(self._identities), mode, uid, gid)

    def _add(self, parent: Node, name: str, node: Node) -> None:
        parent.names[name] = node
        parent.touch()
        node.links += 1
        node.use(1)

    def _drop(self, parent: Node, name: str, moved: bool = False) -> None:
        """Take a name away, of an empty directory or of anything else."""
        node = parent.names[name]
        if node.names and not moved:
            refuse(errno.ENOTEMPTY)
        del parent.names[name]
        parent.touch()
        node.links -= 1
        node.use(-1)


class OpenNode:
    """A file of a tree that is open, while it has a name and after that."""

    def __init__(self, node: Node, mutex: RLock, append: bool) -> None:
        self._node = node
        self._mutex = mutex
        self._append = append
        self._open = True

    def readinto(self, offset: int, buffers: Sequence[memoryview]) -> int:
        with self._mutex:
            return self._node.readinto(offset, buffers)

    def write(self, offset: int, buffers: Sequence[memoryview]) -> int:
        with self._mutex:
            return self._node.write(len(self._node.data) if self._append else offset, buffers)

    def stat(self) -> Status:
        with self._mutex:
            return self._node.status()

    def change(self, changes: Changes) -> None:
        with self._mutex:
            self._node.change(changes)

    def sync(self, data_only: bool) -> None:
        """Memory is as stable as it gets."""

    def close(self) -> None:
        with self._mutex:
            if self._open:
                self._open = False
                self._node.use(-1)
