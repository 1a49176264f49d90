"""The console on a page: what the guest prints goes out by position, what is typed comes in."""

import base64
import uuid
from contextlib import suppress

import traitlets

from vnb.console import ConsoleSession
from vnb.errors import HostError, UsageError
from vnb.widgets.line import Message
from vnb.widgets.widget import STATIC, Widget

AT_ONCE = 1 << 16
"""Bytes in one message."""

UNSEEN = 1 << 18
"""Bytes sent that some page has not yet shown; the rest waits in the scrollback."""

PICTURE = 1 << 20
"""Characters of HTML, at most, of a picture of the console."""


class ConsoleWidget(Widget):
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
        self._shown: dict[str, int] = {}  # the position up to which each page has shown it
        self._sent = 0  # the position of the next byte that the pages will be told
        self._size: tuple[int, int] | None = None  # that a page has, and the guest not yet
        self.picture = ""  # what it looked like on a page not long ago, as HTML
        session.bell.follow(self._publisher.wake)
        self._begin()

    def tell(self) -> float | None:
        """Send the next piece of output, if the pages have shown enough of those before."""
        if self._size:
            size, self._size = self._size, None
            with suppress(UsageError, HostError):  # no such size, or no machine any more
                self._session.resize(*size)
        if not self._shown or self._sent - min(self._shown.values()) >= UNSEEN:
            return None
        data, position = self._session.since(self._sent, AT_ONCE)
        if not data:
            return None
        lost = position - self._sent
        self._sent = position + len(data)
        self._line.send({"kind": "output", "position": position, "lost": lost}, data)
        return 0

    def forget(self, page: str) -> None:
        del self._shown[page]

    def hear(self, page: str, message: Message) -> None:
        self._shown.setdefault(page, self._sent)
        match message:
            case {"kind": "ready", "position": int(position)}:
                self._shown[page] = position
                self._sent = min(self._sent, position)
            case {"kind": "ack", "position": int(position)}:
                self._shown[page] = max(self._shown[page], position)
            case {"kind": "input", "text": str(text)}:
                self._type(text.encode())
            case {"kind": "input", "binary": str(text)}:
                self._type(base64.b64decode(text))
            case {"kind": "resize", "columns": int(columns), "rows": int(rows)}:
                self._size = (columns, rows)
            case {"kind": "picture", "html": str(html)} if len(html) <= PICTURE:
                self.picture = html

    def _type(self, data: bytes) -> None:
        with suppress(UsageError):  # a guest that reads nothing for a megabyte gets no more
            self._session.write(data)
