"""A guest's output on its way to a page: at most so many messages and bytes in a second."""

import json
import time

from vnb.magics.page import Page
from vnb.magics.pictures import Stream

TICK = 1 / 30
"""Seconds between two messages, on average."""

BURST = 0.1
"""Seconds by which messages may come early, so that a short answer is not late."""

RATE = 800_000
"""Bytes in a second, as they are sent; of more than a million Jupyter's server drops the rest."""

ENVELOPE = 800
"""Bytes of a message besides its text."""


class Output:
    """Call it with output as it comes; `end` it when there will be no more."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._stream = Stream()
        self._next = 0.0

    def __call__(self, data: bytes) -> None:
        time.sleep(max(0.0, self._next - BURST - time.monotonic()))
        due = max(self._next, time.monotonic())
        self._next = due + max(TICK, self._hand_on(data) / RATE)

    def end(self) -> None:
        """The rest, if it ended in the middle of a character or a picture."""
        self._hand_on(b"", final=True)

    def _hand_on(self, data: bytes, final: bool = False) -> int:
        """How many bytes of messages the text in it became."""
        sent = 0
        for piece in self._stream.feed(data, final):
            if isinstance(piece, str):
                sent += ENVELOPE + len(json.dumps(piece, ensure_ascii=False).encode())
                self._page.print(piece)
            else:
                self._page.show(piece)
        return sent
