"""What is to happen a little later: one thread, which is there only while something waits."""

import heapq
import threading
import time
from collections.abc import Callable

LINGER = 0.2
"""Seconds for which the thread waits for more before it ends."""


class Delay:
    """Calls functions at their times, in the order in which they were given if those are equal."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._news = threading.Condition()
        self._running = False

    def call(self, moment: float, function: Callable[[], None]) -> None:
        """Have `function` called when `time.monotonic()` is `moment`, by a thread of its own."""
        with self._news:
            self._number += 1
            heapq.heappush(self._waiting, (moment, self._number, function))
            if not self._running:
                self._running = True
                threading.Thread(target=self._serve, name="vnb-delay", daemon=True).start()
            elif self._waiting[0][1] == self._number:
                self._news.notify()  # sooner than all that the thread knows of

    def _serve(self) -> None:
        while (function := self._next()) is not None:
            function()

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next function that is due; None after a while without any."""
        with self._news:
            while True:
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else LINGER
                if wait <= 0:
                    return heapq.heappop(self._waiting)[2]
                if not self._news.wait(wait) and not self._waiting:
                    self._running = False
                    return None
