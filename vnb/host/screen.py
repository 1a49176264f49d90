"""What the guest shows: the picture on its screen and the cursor over it, as numpy arrays."""

import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vnb.words import number_from

Pixels = npt.NDArray[np.uint8]
"""height × width × channels."""

SMALLEST = 64
LARGEST = (3840, 2160)
"""Pixels across and down."""

PNG_EFFORT = 1  # of zlib: a screen of text or windows is small in any case
PNG_RED_GREEN_BLUE = 2


class Rectangle(NamedTuple):
    """A part of the screen, in pixels; x counts to the right and y down."""

    x: int
    y: int
    width: int
    height: int


NOTHING = Rectangle(0, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Cursor:
    """The guest's pointer: its upper left corner, its tip within it, and its shape.

    `image` is height × width × 4, red, green, blue and how opaque; None while there is none.
    """

    x: int = 0
    y: int = 0
    hot_x: int = 0
    hot_y: int = 0
    image: Pixels | None = field(default=None, repr=False)


def check_size(width: int, height: int) -> None:
    """UsageError unless a screen can have so many pixels."""
    number_from(width, "width", SMALLEST, LARGEST[0])
    number_from(height, "height", SMALLEST, LARGEST[1])


class Screen:
    """A screen that any thread may look at while the guest draws on it.

    In a notebook it shows itself. It keeps its picture when the guest is switched off.
    """

    def __init__(self, width: int = 1024, height: int = 768) -> None:
        check_size(width, height)
        self.on_change: Callable[[], None] | None = None
        self.preferred = (width, height)
        """The size that the guest is asked to draw in; its picture may have another."""
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Rectangle], None], ...] = ()
        self._cursor = Cursor()
        # The picture as the guest laid it out; `_order` names the four bytes of a pixel.
        self._pixels: Pixels = np.zeros((height, width, 4), np.uint8)
        self._order = "RGBX"

    # The guest's side: the machine's thread.

    def show(self, pixels: Pixels | None, order: str) -> None:
        """The guest shows another picture, maybe of another size, or none: that is black."""
        with self._lock:
            if pixels is None:
                self._pixels = np.zeros_like(self._pixels)
            else:
                self._pixels, self._order = pixels.copy(), order
        self._tell(Rectangle(0, 0, *self.size))

    def update(self, x: int, y: int, pixels: Pixels) -> None:
        """A part of the picture is new: the one that begins at (x, y)."""
        height, width = pixels.shape[:2]
        with self._lock:
            self._pixels[y : y + height, x : x + width] = pixels
        self._tell(Rectangle(x, y, width, height))

    def set_cursor(self, pixels: Pixels | None, order: str, hot_x: int, hot_y: int) -> None:
        """The pointer has another shape, whose `order` has an A, or there is none."""
        image = None if pixels is None else _in_order(pixels, order, "RGBA")
        self._cursor = replace(self._cursor, hot_x=hot_x, hot_y=hot_y, image=image)
        self._tell(NOTHING)

    def move_cursor(self, x: int, y: int) -> None:
        """The pointer's upper left corner is there, perhaps outside the screen."""
        self._cursor = replace(self._cursor, x=x, y=y)
        self._tell(NOTHING)

    # The host's side: any thread.

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        height, width = self._pixels.shape[:2]
        return width, height

    @property
    def frame(self) -> Pixels:
        """The picture, height × width × 3: red, green, blue; without the cursor. A copy."""
        return self.read(Rectangle(0, 0, *self.size))

    def read(self, part: Rectangle) -> Pixels:
        """A copy of the part of the frame that lies in this rectangle."""
        left, top = max(part.x, 0), max(part.y, 0)
        right, bottom = max(part.x + part.width, 0), max(part.y + part.height, 0)
        with self._lock:
            pixels = self._pixels[top:bottom, left:right].copy()
            order = self._order
        return _in_order(pixels, order, "RGB")

    @property
    def cursor(self) -> Cursor:
        """Where the guest's pointer is and how it looks; `frame` does not have it."""
        return self._cursor

    def resize(self, width: int, height: int) -> None:
        """Ask the guest to draw in another size, as when a window is made larger or smaller."""
        check_size(width, height)
        self.preferred = (width, height)
        if self.on_change:
            self.on_change()

    def on_damage(self, listener: Callable[[Rectangle], None]) -> Callable[[], None]:
        """Have `listener` called with each part of the frame that becomes new, until told not to.

        Where only the cursor is new, the part is empty.
        What this returns ends that. The machine's thread calls the listener, which must not wait:
        it notes the rectangle, and another thread reads it.
        """
        with self._lock:
            self._listeners += (listener,)

        def stop() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return stop

    def png(self) -> bytes:
        """The screen as one sees it, with the cursor, as a PNG file."""
        frame = self.frame
        _draw(self._cursor, frame)
        return png(frame)

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        return "<Screen {}×{}>".format(*self.size)

    def _tell(self, part: Rectangle) -> None:
        for listener in self._listeners:
            listener(part)


def png(pixels: Pixels) -> bytes:
    """A picture, height × width × 3, as a PNG file."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, PNG_RED_GREEN_BLUE, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", header),
            (b"IDAT", zlib.compress(rows.data, PNG_EFFORT)),
            (b"IEND", b""),
        )
    )


def _in_order(pixels: Pixels, order: str, wanted: str) -> Pixels:
    """A copy with these channels."""
    return pixels[..., [order.index(channel) for channel in wanted]]


def _draw(cursor: Cursor, frame: Pixels) -> None:
    """Lay the cursor over the frame, as far as it is within."""
    if cursor.image is None:
        return
    left, top = max(-cursor.x, 0), max(-cursor.y, 0)
    below = frame[max(cursor.y, 0) :, max(cursor.x, 0) :]
    above = cursor.image[top:, left:][: below.shape[0], : below.shape[1]]
    below = below[: above.shape[0], : above.shape[1]]
    opaque = above[..., 3:].astype(np.uint16)
    below[:] = (above[..., :3] * opaque + below * (255 - opaque) + 127) // 255
