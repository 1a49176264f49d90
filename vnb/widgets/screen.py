"""The guest's screen on a page: the parts that changed go out, what hands did there comes in."""

import base64
import html
import io
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import traitlets

from vnb.host.screen import NOTHING, Cursor, Pixels, Rectangle, Screen
from vnb.widgets.hands import Hands
from vnb.widgets.line import Message
from vnb.widgets.widget import STATIC, Widget

IN_FLIGHT = 2
"""Pictures sent that a page has not yet drawn."""

LARGE = 1 << 16
"""Pixels from which a part that changes often is sent with loss, and again when it rests."""

REST = 0.3
"""Seconds without a change after which a part is at rest."""

QUALITY = 75  # of JPEG

PICTURE = 1 << 17
"""Bytes of a picture for pages without a kernel from which on it is one with loss."""


@dataclass
class Page:
    """One view of the screen: the last picture that it has drawn, and whether it can be seen."""

    drawn: int
    visible: bool = False


class Damage:
    """The rectangle around everything that changed and that no page has been told."""

    def __init__(self) -> None:
        self._part: Rectangle | None = None
        self._lock = threading.Lock()

    def add(self, part: Rectangle) -> None:
        """This part is new."""
        with self._lock:
            self._part = part if self._part is None else around(self._part, part)

    def take(self) -> Rectangle | None:
        """All of it, once."""
        with self._lock:
            part, self._part = self._part, None
        return part


class ScreenWidget(Widget):
    """A screen on the page, and, where the machine has `hands`, what one types and points with.

    Only what changed is sent, only while some page can see it, and no more than a page can draw:
    meanwhile changes add up. Large parts in motion are sent with loss; at rest all is exact.
    """

    _esm = STATIC / "screen.js"
    _css = STATIC / "screen.css"
    title = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    hands = traitlets.Bool().tag(sync=True)

    def __init__(self, screen: Screen, title: str, devices: Mapping[str, Any]) -> None:
        hands = Hands(devices)
        width, height = screen.size
        super().__init__(title=title, width=width, height=height, hands=hands.any)
        self._screen = screen
        self._hands = hands
        self._pages: dict[str, Page] = {}
        self._damage = Damage()
        self._sent = 0  # pictures so far
        self._blurred: Rectangle | None = None  # what was sent with loss
        self._moved = 0.0  # when the last of it changed
        self._cursor: Cursor | None = None  # as the pages know it
        self._kept = ""  # the picture for pages without a kernel
        self._stale = True  # whether the screen has another one
        self._stop = screen.on_damage(self._note)
        self._begin()

    def close(self) -> None:
        """Take it off every page, for good."""
        self._stop()
        super().close()

    def _note(self, part: Rectangle) -> None:
        if part != NOTHING:
            self._stale = True
            self._damage.add(part)
        self._publisher.wake()

    @property
    def picture(self) -> str:
        """What it looks like now, as HTML; nothing while the guest has not drawn anything."""
        if self._stale:
            self._stale = False  # first: what changes from here on is another picture
            frame = self._screen.frame
            self._kept = image(frame, self.title) if frame.any() else ""
        return self._kept

    def tell(self) -> float | None:
        """Send what changed, if somebody sees it and has drawn what was sent before."""
        watching = [page for page in self._pages.values() if page.visible]
        if not watching or self._sent - min(page.drawn for page in watching) >= IN_FLIGHT:
            return None
        self._point()
        if part := self._damage.take():
            self._show(part)
        elif self._blurred and time.monotonic() - self._moved >= REST:
            part, self._blurred = self._blurred, None
            self._send_part(part, exact=True)
        return REST if self._blurred else None

    def _show(self, part: Rectangle) -> None:
        """A part that changed: at rest it is sent exactly, in motion with loss if it is large."""
        now = time.monotonic()
        exact = part.width * part.height < LARGE or now - self._moved > REST
        self._moved = now
        if not exact:
            self._blurred = around(self._blurred, part) if self._blurred else part
        self._send_part(part, exact)

    def _send_part(self, part: Rectangle, exact: bool) -> None:
        pixels = self._screen.read(part)
        if not pixels.size:
            return  # the screen has become smaller meanwhile
        self._sent += 1
        content = {"kind": "frame", "frame": self._sent, "x": part.x, "y": part.y}
        self._line.send(content | {"size": self._screen.size}, encoded(pixels, exact))

    def _point(self) -> None:
        """The guest's pointer, if it is elsewhere or another one."""
        cursor, known = self._screen.cursor, self._cursor
        if cursor is known:
            return
        self._cursor = cursor
        content = {"kind": "pointer", "x": cursor.x, "y": cursor.y}
        if cursor.image is None:
            self._line.send(content | {"shape": "none"})
        elif known is not None and cursor.image is known.image:
            self._line.send(content | {"shape": "same"})
        else:
            self._line.send(content | {"shape": "new"}, encoded(cursor.image, exact=True))

    def forget(self, page: str) -> None:
        del self._pages[page]

    def hear(self, page: str, message: Message) -> None:
        view = self._pages.setdefault(page, Page(self._sent))
        match message:
            case {"kind": "visible", "visible": bool(visible)}:
                if visible and not view.visible:
                    view.drawn = self._sent
                    self._cursor = None
                    self._damage.add(Rectangle(0, 0, *self._screen.size))
                view.visible = visible
            case {"kind": "ack", "frame": int(frame)}:
                view.drawn = max(view.drawn, frame)
            case {"kind": "hand", "action": action}:
                self._hands.act(action)


def around(one: Rectangle, other: Rectangle) -> Rectangle:
    """The smallest rectangle that has both in it."""
    left, top = min(one.x, other.x), min(one.y, other.y)
    right = max(one.x + one.width, other.x + other.width)
    bottom = max(one.y + one.height, other.y + other.height)
    return Rectangle(left, top, right - left, bottom - top)


def encoded(pixels: Pixels, exact: bool) -> bytes:
    """A picture as PNG, or, where it need not be exact, as JPEG."""
    from PIL import Image

    file = io.BytesIO()
    image = Image.fromarray(pixels)
    if exact:
        image.save(file, "PNG", compress_level=1)
    else:
        image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def image(pixels: Pixels, title: str) -> str:
    """A picture as HTML, for years to come: exact, if that is not large."""
    data, kind = encoded(pixels, exact=True), "png"
    if len(data) > PICTURE:
        data, kind = encoded(pixels, exact=False), "jpeg"
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    words = html.escape(f"{title}: the guest's screen", quote=True)
    return f'<img alt="{words}" style="max-width:100%;border-radius:4px" src="{source}">'
