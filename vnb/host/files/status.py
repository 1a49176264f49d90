"""What every kind of share says of a file."""

import os
from typing import NamedTuple, NoReturn

Path = tuple[str, ...]
"""Names from the root of a share down; () is the root itself."""

Entry = tuple[str, int, int]
"""What a directory says of one file in it: its name, the type bits of its mode, its identity."""

Changes = dict[str, int]
"""Any of mode, uid, gid, size, and atime and mtime in nanoseconds since 1970."""


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
