"""Characters of a terminal in which cells and widgets read and type."""

import threading
from collections.abc import Callable

from vnb.errors import UsageError
from vnb.host.chars.chars import Chars

SCROLLBACK = 1 << 20
"""Bytes of output that a terminal keeps."""

INPUT = 1 << 20
"""Bytes of input that may wait for the guest."""


class Terminal(Chars):
    """A bounded scrollback of what the guest wrote, and a bounded queue of what it will read.

    Output is addressed by its position: the number of bytes written before it. Any thread may
    call anything here. `on_output` is called after each output, by the thread that made it, and
    must not wait.
    """

    def __init__(self, scrollback: int = SCROLLBACK, input_limit: int = INPUT) -> None:
        self.on_output: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self._scrollback = scrollback
        self._kept = bytearray()
        self._dropped = 0
        self._input_limit = input_limit
        self._input = bytearray()
        self._held: int | None = None  # the position from which on output must be kept
        self._starved = False  # the guest was told that there is no room

    # The guest's side.

    def room(self) -> int:
        """All of the scrollback, but for what is held."""
        with self._lock:
            return self._room()

    def _room(self) -> int:
        held = 0 if self._held is None else self._dropped + len(self._kept) - self._held
        free = max(0, self._scrollback - held)
        self._starved = not free
        return free

    def output(self, data: bytes) -> None:
        """The guest wrote this; the oldest output makes room for it."""
        with self._lock:
            self._kept += data
            excess = len(self._kept) - self._scrollback
            if excess > 0:
                del self._kept[:excess]
                self._dropped += excess
        if self.on_output:
            self.on_output()

    def take(self, limit: int) -> bytes:
        """Input for the guest, at most `limit` bytes; b"" if there is none."""
        with self._lock:
            data = bytes(self._input[:limit])
            del self._input[:limit]
        return data

    # The host's side.

    @property
    def total(self) -> int:
        """Bytes of output so far: the position of the next."""
        with self._lock:
            return self._dropped + len(self._kept)

    @property
    def dropped(self) -> int:
        """Bytes of output that are no longer kept."""
        return self._dropped

    @property
    def waiting(self) -> int:
        """Bytes of input that the guest has not taken yet."""
        return len(self._input)

    @property
    def write_len(self) -> int:
        """Bytes that `write` takes now."""
        return self._input_limit - len(self._input)

    @property
    def can_write(self) -> bool:
        """Whether `write` takes anything now."""
        return self.write_len > 0

    def write(self, data: bytes | str) -> None:
        """Type `data` (a str as UTF-8); UsageError, and nothing typed, if it does not fit."""
        typed = data.encode() if isinstance(data, str) else data
        with self._lock:
            if len(self._input) + len(typed) > self._input_limit:
                raise UsageError(
                    f"{len(typed)} bytes of input do not fit: {len(self._input)} of at most"
                    f" {self._input_limit} still wait for the guest to read them"
                )
            self._input += typed
        self._changed()

    def since(self, position: int) -> tuple[bytes, int]:
        """Output from `position` on, as far as it is kept, and the position of the next."""
        with self._lock:
            begin = max(0, position - self._dropped)
            return bytes(memoryview(self._kept)[begin:]), self._dropped + len(self._kept)

    def hold(self, position: int | None) -> None:
        """Keep output from `position` on until told otherwise: a guest that prints more waits.

        None: nobody minds if the oldest goes.
        """
        with self._lock:
            starved, self._held = self._starved, position
            told = starved and self._room() > 0
        if told:
            self._changed()

    def tail(self, count: int) -> bytes:
        """The last `count` bytes of output, or all that is kept if that is less."""
        with self._lock:
            return bytes(memoryview(self._kept)[-count:]) if count else b""
