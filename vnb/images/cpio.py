"""A guest's first files pass through here, written as the cpio archive that Linux unpacks."""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file, directory, link or device node.

    mode: type and permission bits, as in st_mode. content: a file's bytes or a link's target.
    device: major and minor number of a device node.
    """

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(path: str, permissions: int = 0o755) -> Entry:
    return Entry(path, stat.S_IFDIR | permissions)


def file(path: str, content: bytes, permissions: int = 0o644) -> Entry:
    return Entry(path, stat.S_IFREG | permissions, content)


def link(path: str, target: str) -> Entry:
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device(path: str, major: int, minor: int, permissions: int = 0o600) -> Entry:
    return Entry(path, stat.S_IFCHR | permissions, device=(major, minor))


def archive(entries: Iterable[Entry], mtime: int) -> Iterator[bytes]:
    """The entries as an archive in "newc" format, piece by piece; all owned by root.

    The same entries and mtime (seconds since 1970) give the same bytes: inode numbers count up
    and no other fact of the host goes in. [Linux: initramfs buffer format]
    """
    inode = 0
    for inode, entry in enumerate(entries, start=1):
        yield from _member(entry, inode, mtime)
    yield from _member(Entry(_TRAILER, 0), 0, 0)


def _member(entry: Entry, inode: int, mtime: int) -> Iterator[bytes]:
    name = entry.path.encode() + b"\0"
    is_directory = stat.S_ISDIR(entry.mode)
    fields = (
        inode,
        entry.mode,
        0,  # uid
        0,  # gid
        2 if is_directory else 1,  # nlink
        mtime,
        len(entry.content),
        0,  # major and minor number of the device that it was on
        0,
        *entry.device,
        len(name),
        0,  # check, of the "crc" format only
    )
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    yield head + _padding(len(head))
    yield entry.content + _padding(len(entry.content))


def _padding(length: int) -> bytes:
    return bytes(-length % 4)
