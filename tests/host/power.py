"""A host that loses its power: what of a file is there afterwards, by the rules of fdatasync."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

SECTOR = 512


class Power:
    """Watches the writes to one file: each sector of what was not synced may be lost, or not.

    `lose()` makes the file what it could be after a loss of power at this moment.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, dice: random.Random) -> None:
        self.path = path
        self.dice = dice
        self.syncs = 0
        self._stable = bytearray()
        self._pending: list[tuple[int, bytes]] = []
        real = {name: getattr(os, name) for name in ("pwritev", "fdatasync")}

        def pwritev(fd: int, buffers: Any, offset: int, flags: int = 0) -> int:
            done: int = real["pwritev"](fd, buffers, offset, flags)
            if self._is_ours(fd):
                self._pending.append((offset, b"".join(buffers)[:done]))
            return done

        def fdatasync(fd: int) -> None:
            real["fdatasync"](fd)
            if self._is_ours(fd):
                self.syncs += 1
                for offset, data in self._pending:
                    self._store(offset, data)
                self._pending.clear()

        monkeypatch.setattr(os, "pwritev", pwritev)
        monkeypatch.setattr(os, "fdatasync", fdatasync)

    def lose(self, to: Path) -> None:
        """Write to `to` what the file may be, if the power is lost now."""
        before = bytes(self._stable)
        for offset, data in self._pending:
            for start in range(0, len(data), SECTOR):
                if self.dice.random() < 0.5:
                    self._store(offset + start, data[start : start + SECTOR])
        to.write_bytes(self._stable.ljust(os.path.getsize(self.path), b"\0"))
        self._stable = bytearray(before)

    def _is_ours(self, fd: int) -> bool:
        return self.path.exists() and os.path.samestat(os.fstat(fd), os.stat(self.path))

    def _store(self, offset: int, data: bytes) -> None:
        if len(self._stable) < offset + len(data):
            self._stable.extend(bytes(offset + len(data) - len(self._stable)))
        self._stable[offset : offset + len(data)] = data
