"""What all widgets share: a line to their pages, a turn to speak, and pages that come and go."""

import pathlib
import time
from typing import Any

import anywidget

from vnb.widgets.line import Line, Message
from vnb.widgets.publisher import PUBLISHER

STATIC = pathlib.Path(__file__).parent / "static"
"""Where the bundles of the browser's halves are."""

SILENCE = 15.0
"""Seconds after which a page that says nothing is gone: it asks every five whether we are."""


class Widget(anywidget.AnyWidget):
    """A widget whose halves exchange messages, and never change a trait after the beginning.

    A kind overrides `tell` and `hear`, and calls `_begin()` when it is ready for both.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._publisher = PUBLISHER  # for good: when that room is loaded again it has another one
        self._heard: dict[str, float] = {}  # when each page last said anything
        self._pinged = False  # whether one asked if we are there

    def _begin(self) -> None:
        self._line = Line(self, self._publisher, self._hear)
        self._publisher.add(self)

    def close(self) -> None:
        """Take it off every page, for good."""
        self._publisher.remove(self)
        super().close()

    def tell(self) -> float | None:
        """Send what there is to say; the publisher's thread, whose `speak` says what to return."""
        return None

    def hear(self, page: str, message: Message) -> None:
        """A page says this; on whatever thread the kernel handles messages in."""

    def forget(self, page: str) -> None:
        """This page is gone."""

    def speak(self) -> float | None:
        """A turn: what there is to say, and if that is nothing, an answer to who asked."""
        quiet = time.monotonic() - SILENCE
        for page in [page for page, heard in self._heard.items() if heard < quiet]:
            del self._heard[page]
            self._line.forget(page)
            self.forget(page)
        pinged, self._pinged = self._pinged, False
        before = self._publisher.messages
        wait = self.tell()
        if pinged and self._publisher.messages == before:
            self._line.send({"kind": "here"})
        return wait

    def _hear(self, page: str, message: Message) -> None:
        self._heard[page] = time.monotonic()
        self._pinged = self._pinged or message.get("kind") == "ping"
        self.hear(page, message)
