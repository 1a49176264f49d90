"""A host that fails on purpose: the system calls of a disk image, made unlucky."""

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from vnb.host.block import file

FAILURES = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.ESTALE)


def fail(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    """Every further use of this system call fails with `code`."""

    def failing(*arguments: Any) -> int:
        raise OSError(code, os.strerror(code))

    if call == "fallocate":
        monkeypatch.setattr(file, "_fallocate", lambda: lambda *arguments: code)
    else:
        monkeypatch.setattr(os, call, failing)


def shorten(monkeypatch: pytest.MonkeyPatch, call: str, most: int) -> None:
    """Every further use of preadv or pwritev moves at most `most` bytes."""
    whole: Callable[..., int] = getattr(os, call)

    def short(fd: int, buffers: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        some, left = [], most
        for buffer in buffers:
            some.append(buffer[:left])
            left -= len(some[-1])
        return whole(fd, some, offset, flags)

    monkeypatch.setattr(os, call, short)
