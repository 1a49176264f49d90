"""What every kind of share says of a file."""

import errno
import hashlib
import os
from typing import NamedTuple, NoReturn

Path = tuple[str, ...]
"""Names from the root of a share down; () is the root itself."""

Entry = tuple[str, int, int]
"""What a directory says of one file in it: its name, the type bits of its mode, its identity."""

Changes = dict[str, int]
"""Any of mode, uid, gid, size, and atime and mtime in nanoseconds since 1970."""

WRITES = os.O_WRONLY | os.O_RDWR
"""Flags of `os.open`, of which a file that is to be written has one."""


class Status(NamedTuple):
    """Of one file: `identity` is its own alone, `version` changes with its content.

    Sizes are in bytes, `blocks` of 512, times in nanoseconds since 1970; `rdev` is a device
    number as Linux encodes it for its users.
    """

    identity: int
    version: int
    mode: int
    uid: int
    gid: int
    links: int
    rdev: int
    size: int
    blocks: int
    atime: int
    mtime: int
    ctime: int


def refuse(code: int) -> NoReturn:
    """Answer with this error."""
    raise OSError(code, os.strerror(code))


def check_names(path: Path) -> None:
    """EINVAL for a name that can mean anything but a file in its directory."""
    for name in path:
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            refuse(errno.EINVAL)


def identity_of(text: str) -> int:
    """64 bits that tell what this text names from everything else."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
