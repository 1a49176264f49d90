"""Characters into a file of the host that does not grow without end."""

import logging
import os
from pathlib import Path
from typing import IO

from vnb.errors import HostError, UsageError
from vnb.host.chars.chars import Chars

log = logging.getLogger(__name__)

LIMIT = 16 << 20


class Log(Chars):
    """What the guest writes is appended to the file at `path`; there is no input.

    A file that has grown to `limit` bytes becomes PATH.1, in place of an older one, and another
    is begun. What the host's disk refuses is counted in `lost`.
    """

    def __init__(self, path: str | os.PathLike[str], limit: int = LIMIT) -> None:
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"path={path!r}: path is the name of a file to write")
        if limit < 1:
            raise UsageError(f"limit={limit!r}: limit is a number of bytes, 1 or more")
        self.path = Path(path)
        self._limit = limit
        self._file: IO[bytes] | None = None
        self.lost = 0
        """Bytes of output that could not be written."""

    def open(self) -> None:
        if self._file is not None:
            raise UsageError(f"{self!r} is in use by another machine")
        try:
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            raise HostError(f"cannot write {self.path}: {error.strerror}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def output(self, data: bytes) -> None:
        try:
            while data:
                data = data[self._write(data) :]
        except OSError as error:
            if not self.lost:
                log.warning("%s: %s; the guest goes on", self.path, error.strerror)
            self.lost += len(data)

    def _write(self, data: bytes) -> int:
        """Write what still fits; how many bytes that were."""
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        room = self._limit - self._file.tell()
        if room > 0:
            return self._file.write(data[:room]) or 0
        self._file.close()
        self._file = None
        self.path.replace(f"{self.path}.1")
        return 0

    def __repr__(self) -> str:
        return f"Log({str(self.path)!r})"
