"""A line to the pages of a widget: they are heard in order, and what is sent reaches them all."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vnb.widgets.publisher import Publisher

PATIENCE = 3.0
"""Seconds that messages wait for one that was sent before them."""

FOR_THE_GUEST = ("input", "hand")
"""Kinds of messages to which widgets have no answer; the guest may, and what it does wakes them."""

Message = dict[str, Any]


@dataclass
class Order:
    """The messages of one page, put back into the order in which it sent them.

    ipykernel handles messages on several threads at once, so that they overtake each other. What a
    page says twice is heard once.
    """

    expected: int = 0
    early: dict[int, Message] = field(default_factory=dict)
    gaps: list[range] = field(default_factory=list)  # numbers that are no longer waited for
    since: float = 0.0  # when the first of the early ones came

    def put(self, number: int, message: Message) -> Iterator[Message]:
        """Everything whose turn it is now; one that is very late is no longer waited for."""
        now = time.monotonic()
        if number < self.expected:
            if any(number in gap for gap in self.gaps):
                yield message
            return
        if not self.early:
            self.since = now
        self.early[number] = message
        if now - self.since > PATIENCE:
            self.gaps.append(range(self.expected, min(self.early)))
            self.expected = self.gaps[-1].stop
        while self.expected in self.early:
            yield self.early.pop(self.expected)
            self.expected += 1
            self.since = now


class Line:
    """Hands what pages say to `hear(page, message)`: in order, on any thread but one at a time."""

    def __init__(
        self, widget: Any, publisher: Publisher, hear: Callable[[str, Message], None]
    ) -> None:
        self._widget = widget
        self._publisher = publisher
        self._hear = hear
        self._orders: dict[str, Order] = {}
        self._lock = threading.Lock()
        # JupyterLab sends messages of widgets to a subshell, where no cell keeps them waiting. But
        # ipykernel 7.4 redirects them to whichever shell the widget last sent from, which for our
        # thread is the main one: unless it is not told.
        widget.comm._reply_subshell_for = None
        widget.on_msg(self._receive)

    def send(self, content: Message, *buffers: bytes) -> None:
        """Send a message to every page; from the publisher's thread alone."""
        self._widget.send(content, list(buffers))
        self._publisher.messages += 1

    def forget(self, page: str) -> None:
        """This page is gone."""
        with self._lock:
            self._orders.pop(page, None)

    def _receive(self, widget: Any, message: Message, buffers: list[memoryview]) -> None:
        match message:
            case {"page": str(page), "n": int(number)}:
                with self._lock:
                    order = self._orders.setdefault(page, Order())
                    for ready in order.put(number, message):
                        self._hear(page, ready)
                        if ready.get("kind") not in FOR_THE_GUEST:
                            self._publisher.wake()
