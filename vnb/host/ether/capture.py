"""Frames on their way into a file, as Wireshark and tcpdump read it."""

import logging
import os
import struct
import threading
import time
import weakref
from typing import Self

from vnb.errors import UsageError
from vnb.frame import Frame

log = logging.getLogger(__name__)

# The file: a header, then before each frame another, in the byte order of the magic number.
MAGIC = 0xA1B2_3C4D  # times are in nanoseconds
VERSION = (2, 4)
SNAP = 1 << 18  # bytes of a frame that are kept: all of any
LINK_ETHERNET = 1
FILE = struct.Struct("<IHHiIII")  # magic, version, zone, accuracy, snap, link type
RECORD = struct.Struct("<IIII")  # seconds, nanoseconds, bytes kept, bytes there were


class Capture:
    """The file at `path`, made anew, for whoever calls `write`; UsageError if it cannot be made.

    Frames are cut and summed first, so that they look as on a cable. Any thread may write. When
    the host's disk fails, `failure` says how, and nothing more is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.failure = ""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._fd = os.open(self.path, flags, 0o666)
        except OSError as error:
            raise UsageError(f"path={self.path!r}: {(error.strerror or '').lower()}") from error
        self._close = weakref.finalize(self, os.close, self._fd)
        self._lock = threading.Lock()
        self._put(FILE.pack(MAGIC, *VERSION, 0, 0, SNAP, LINK_ETHERNET))

    def write(self, frame: Frame) -> None:
        """A frame that passes now."""
        with self._lock:
            moment = divmod(time.time_ns(), 10**9)
            parts = []
            for data in frame.plain():
                parts += [RECORD.pack(*moment, len(data), len(data)), data]
            self._put(b"".join(parts))

    def close(self) -> None:
        """Write nothing more; harmless when repeated."""
        with self._lock:
            self._close()

    def _put(self, data: bytes) -> None:
        if not self._close.alive:
            return
        try:
            done = 0
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as error:
            self.failure = error.strerror or str(error)
            log.warning("the capture in %s ends: %s", self.path, self.failure)
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self.failure or ("open" if self._close.alive else "closed")
        return f"<capture in {self.path}: {state}>"
