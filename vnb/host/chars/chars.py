"""What every end of a serial line offers: room for output, input to take, and a call on change."""

from collections.abc import Callable

ROOM = 1 << 20
"""Bytes of output that an end without a limit takes at a time."""


class Chars:
    """The host's end of a serial line of the guest; this one swallows all and says nothing.

    The machine calls `output` with at most `room()` bytes, and `take`, on its own thread: neither
    waits. It calls `open` before it begins and `close` when it is closed; an end may be opened
    again, by another machine. `on_change` is the machine's, and called by any thread when there
    is input after there was none, or room after there was none.
    """

    on_change: Callable[[], None] | None = None

    def open(self) -> None:
        """Begin to listen; UsageError if a machine does already."""

    def close(self) -> None:
        """Listen no more; what the guest wrote has been handed on, as far as somebody takes it."""

    def room(self) -> int:
        """Bytes of output that `output` accepts now; the guest keeps what is more, and waits."""
        return ROOM

    def output(self, data: bytes) -> None:
        """The guest wrote this; at most `room()` bytes of it."""

    def take(self, limit: int) -> bytes:
        """Input for the guest, at most `limit` bytes; b"" if there is none."""
        return b""

    def _changed(self) -> None:
        if self.on_change:
            self.on_change()
