"""The console on a page: what the guest prints goes out by position, what is typed comes in."""

import base64
import pathlib
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from vnb.console import ConsoleSession
from vnb.errors import HostError, UsageError
from vnb.widgets.line import Line, Message
from vnb.widgets.publisher import PUBLISHER

STATIC = pathlib.Path(__file__).parent / "static"

AT_ONCE = 1 << 16
"""Bytes in one message."""

UNSEEN = 1 << 18
"""Bytes sent that some page has not yet shown; the rest waits in the scrollback."""

SILENCE = 15.0
"""Seconds after which a page that says nothing is gone: it asks every five whether we are."""


PICTURE = 1 << 20
"""Characters of HTML, at most, of a picture of the console."""


@dataclass
class Page:
    """One browser's page: how far it has shown the output, and when it last said anything."""

    shown: int
    heard: float


class ConsoleWidget(anywidget.AnyWidget):
    """A terminal on the page, for the console `session`; one widget may be shown many times.

    Pages name the position up to which they have shown the output. The next piece goes out only
    while the slowest page is less than UNSEEN behind; what is not sent waits in the terminal's
    scrollback, and what falls out of that is told as lost.
    """

    _esm = STATIC / "console.js"
    _css = STATIC / "console.css"
    key = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    columns = traitlets.Int(80).tag(sync=True)
    rows = traitlets.Int(25).tag(sync=True)

    def __init__(self, session: ConsoleSession, title: str, columns: int, rows: int) -> None:
        super().__init__(key=uuid.uuid4().hex, title=title, columns=columns, rows=rows)
        self._session = session
        self._line = Line(self, self._hear)
        self._pages: dict[str, Page] = {}
        self._sent = 0  # the position of the next byte that the pages will be told
        self._answer = False  # whether a page asked if we are there
        self._size: tuple[int, int] | None = None  # that a page has, and the guest not yet
        self.picture = ""  # what it looked like on a page not long ago, as HTML
        session.bell.follow(PUBLISHER.wake)
        PUBLISHER.add(self)

    def close(self) -> None:
        """Take it off every page, for good."""
        PUBLISHER.remove(self)
        super().close()

    # The publisher's thread

    def speak(self) -> float | None:
        """Send the next piece of output, if the pages have shown enough of those before."""
        if self._size:
            size, self._size = self._size, None
            with suppress(UsageError, HostError):  # no such size, or no machine any more
                self._session.resize(*size)
        output = self._next_output()
        if output is not None:
            self._line.send(*output)
        elif self._answer:
            self._line.send({"kind": "here"})
        self._answer = False
        return 0 if output else None

    def _next_output(self) -> tuple[dict[str, Any], bytes] | None:
        quiet = time.monotonic() - SILENCE
        for name in [name for name, page in self._pages.items() if page.heard < quiet]:
            del self._pages[name]
            self._line.forget(name)
        shown = [page.shown for page in self._pages.values()]
        if not shown or self._sent - min(shown) >= UNSEEN:
            return None
        data, position = self._session.since(self._sent, AT_ONCE)
        if not data:
            return None
        lost = position - self._sent
        self._sent = position + len(data)
        return {"kind": "output", "position": position, "lost": lost}, data

    # Whatever thread the kernel handles messages in

    def _hear(self, name: str, message: Message) -> None:
        page = self._pages.get(name) or Page(self._sent, 0.0)
        page.heard = time.monotonic()
        match message:
            case {"kind": "ready", "position": int(position)}:
                page.shown = position
                self._sent = min(self._sent, position)
            case {"kind": "ack", "position": int(position)}:
                page.shown = max(page.shown, position)
            case {"kind": "input", "text": str(text)}:
                self._type(text.encode())
            case {"kind": "input", "binary": str(text)}:
                self._type(base64.b64decode(text))
            case {"kind": "resize", "columns": int(columns), "rows": int(rows)}:
                self._size = (columns, rows)
            case {"kind": "ping"}:
                self._answer = True
            case {"kind": "picture", "html": str(html)} if len(html) <= PICTURE:
                self.picture = html
        self._pages[name] = page

    def _type(self, data: bytes) -> None:
        with suppress(UsageError):  # a guest that reads nothing for a megabyte gets no more
            self._session.write(data)
