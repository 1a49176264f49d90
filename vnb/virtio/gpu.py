"""The GPU device in two dimensions: pictures of the guest reach a display [virtio 5.7]."""

import struct
from collections.abc import Callable, Mapping
from typing import Protocol

from vnb.errors import GuestError
from vnb.virtio.device import Device
from vnb.virtio.edid import edid
from vnb.virtio.picture import BYTES, Backing, Picture, Pixels, Rectangle
from vnb.virtio.queue import Chain, Queue, Reader

CONTROL, CURSOR = 0, 1  # the queues [virtio 5.7.2]
QUEUE_SIZES = (64, 16)

F_EDID = 1 << 1  # the one feature offered [virtio 5.7.3]

CONFIG = struct.Struct("<IIII")  # events_read, events_clear, scanouts, capsets [virtio 5.7.4]
EVENTS_CLEAR = 4
EVENT_DISPLAY = 1
SCANOUTS, CAPSETS = 1, 0

# What a guest may keep on the host: two frames of 3840×2160 and their cursors.
MOST_BYTES = 64 << 20
MOST_SIDE = 8192
MOST_PICTURES = 1024
MOST_ENTRIES = 32768  # ranges of guest memory behind all pictures, twice the pages of MOST_BYTES

AT_ONCE = 8
"""Commands after which the machine looks at what else there is: one may take 25 ms."""

HEADER = struct.Struct("<IIQII")  # type, flags, fence, context, ring [virtio 5.7.6.7]
FENCE = 1

# Commands [virtio 5.7.6.8, 5.7.6.10] and what follows the header of each.
GET_DISPLAY_INFO, CREATE_2D, UNREF, SET_SCANOUT = 0x100, 0x101, 0x102, 0x103
FLUSH, TRANSFER_TO_HOST_2D, ATTACH_BACKING, DETACH_BACKING = 0x104, 0x105, 0x106, 0x107
GET_CAPSET_INFO, GET_CAPSET, GET_EDID = 0x108, 0x109, 0x10A
UPDATE_CURSOR, MOVE_CURSOR = 0x300, 0x301

BARE = struct.Struct("")
ONE = struct.Struct("<I4x")  # a picture, or a scanout, or the index of a capset
CREATE = struct.Struct("<IIII")  # picture, format, width, height
ON_SCREEN = struct.Struct("<4III")  # rectangle, scanout, picture
IN_PICTURE = struct.Struct("<4II4x")  # rectangle, picture
TRANSFER = struct.Struct("<4IQI4x")  # rectangle, offset, picture
ATTACH = struct.Struct("<II")  # picture, entries
ENTRY = struct.Struct("<QI4x")  # address, length
POINTER = struct.Struct("<Iii4xIII4x")  # scanout, x, y, picture, hot x, hot y

# Answers [virtio 5.7.6.7]
OK_NODATA, OK_DISPLAY_INFO, OK_EDID = 0x1100, 0x1101, 0x1104
UNSPEC, OUT_OF_MEMORY, INVALID_SCANOUT_ID, INVALID_RESOURCE_ID = 0x1200, 0x1201, 0x1202, 0x1203
INVALID_PARAMETER = 0x1205

MODE = struct.Struct("<4III")  # rectangle, enabled, flags: of each of 16 scanouts
MODES = 16
EDID = struct.Struct("<I4x1024s")  # size, content

# The formats [virtio 5.7.6.8] by the bytes of a pixel as they follow each other.
FORMATS = {
    1: "BGRA", 2: "BGRX", 3: "ARGB", 4: "XRGB",
    67: "RGBA", 68: "XBGR", 121: "ABGR", 134: "RGBX",
}  # fmt: skip

CURSOR_SIDE = 64

Answer = tuple[int, bytes]
DONE: Answer = (OK_NODATA, b"")
Command = tuple[struct.Struct, Callable[..., Answer]]


class Display(Protocol):
    """The host's side. Pixels are only lent: they change when the guest wants them to."""

    @property
    def preferred(self) -> tuple[int, int]:
        """Width and height of the picture that it would like to show."""

    def show(self, pixels: Pixels | None, order: str, /) -> None:
        """This is the picture from now on, or there is none."""

    def update(self, x: int, y: int, pixels: Pixels, /) -> None:
        """This part of the picture, which begins at (x, y), is new."""

    def set_cursor(self, pixels: Pixels | None, order: str, hot_x: int, hot_y: int, /) -> None:
        """This is the cursor from now on, or there is none."""

    def move_cursor(self, x: int, y: int, /) -> None:
        """The upper left corner of the cursor is there, perhaps outside the picture."""


class Refused(Exception):
    """A command that ends with this answer and has done nothing."""

    def __init__(self, answer: int) -> None:
        self.answer = answer


class Gpu(Device):
    """One scanout, on `display`; every command is done before the next one is looked at."""

    type = 16
    name = "gpu"

    def __init__(self, display: Display) -> None:
        super().__init__(F_EDID, QUEUE_SIZES, CONFIG.pack(0, 0, SCANOUTS, CAPSETS))
        self._display = display
        self._pictures: dict[int, Picture] = {}
        self._scanout: tuple[Picture, Rectangle] | None = None
        self._told = display.preferred  # the size that the guest has heard of, or will ask for
        self._commands: tuple[Mapping[int, Command], Mapping[int, Command]] = (
            {
                GET_DISPLAY_INFO: (BARE, self._get_display_info),
                CREATE_2D: (CREATE, self._create),
                UNREF: (ONE, self._unref),
                SET_SCANOUT: (ON_SCREEN, self._set_scanout),
                FLUSH: (IN_PICTURE, self._flush),
                TRANSFER_TO_HOST_2D: (TRANSFER, self._transfer),
                ATTACH_BACKING: (ATTACH, self._attach),
                DETACH_BACKING: (ONE, self._detach),
                GET_CAPSET_INFO: (ONE, self._no_capset),
                GET_CAPSET: (ONE, self._no_capset),
                GET_EDID: (ONE, self._get_edid),
            },
            {
                UPDATE_CURSOR: (POINTER, self._update_cursor),
                MOVE_CURSOR: (POINTER, self._move_cursor),
            },
        )

    def poll(self) -> None:
        """The display may like another size now: a driver that is there is told."""
        if self.live and self._told != self._display.preferred:
            self._told = self._display.preferred
            self.change_config(CONFIG.pack(EVENT_DISPLAY, 0, SCANOUTS, CAPSETS))

    def write_config(self, offset: int, size: int, value: int) -> None:
        """The driver has heard of these events; nothing else can be written [virtio 5.7.4.1]."""
        if (offset, size) != (EVENTS_CLEAR, 4):
            return super().write_config(offset, size, value)
        events = self.read_config(0, 4) & ~value
        self.config = CONFIG.pack(events, 0, SCANOUTS, CAPSETS)

    def activate(self) -> None:
        self._told = self._display.preferred

    def deactivate(self) -> None:
        """The guest's pictures go; the display keeps what it shows, as a console keeps its text."""
        self._pictures.clear()
        self._scanout = None
        self._display.set_cursor(None, "", 0, 0)
        self.config = CONFIG.pack(0, 0, SCANOUTS, CAPSETS)

    def serve(self, index: int, queue: Queue) -> None:
        for done, chain in enumerate(queue, 1):
            queue.push(chain, self._serve(chain, index))
            if done == AT_ONCE:
                return self.from_thread(self._go_on)(index)

    def _go_on(self, index: int) -> None:
        if queue := self.queue(index):
            self.serve(index, queue)

    def _serve(self, chain: Chain, index: int) -> int:
        """Do one command; the bytes of its answer.

        A command without a whole header cannot be told from another, and one without room for a
        header not be answered: both break the protocol, but cursor commands need no answer.
        """
        kind, flags, fence, context, _ = HEADER.unpack(chain.reader.read(HEADER.size))
        self.stats.add("commands")
        try:
            answer, data = self._do(kind, chain.reader, self._commands[index])
        except Refused as refused:
            answer, data = refused.answer, b""
            self.stats.add("errors")
        if index == CURSOR and not chain.writer.available:
            return 0
        if HEADER.size + len(data) > chain.writer.available:
            answer, data = UNSPEC, b""
        fenced = (flags & FENCE, fence, context) if flags & FENCE else (0, 0, 0)
        chain.writer.write(HEADER.pack(answer, *fenced, 0) + data)
        return HEADER.size + len(data)

    def _do(self, kind: int, reader: Reader, commands: Mapping[int, Command]) -> Answer:
        if kind not in commands:
            raise Refused(UNSPEC)
        layout, command = commands[kind]
        if reader.available < layout.size:
            raise Refused(INVALID_PARAMETER)
        fields = layout.unpack(reader.read(layout.size))
        return command(reader, *fields) if kind == ATTACH_BACKING else command(*fields)

    # The display.

    def _get_display_info(self) -> Answer:
        self._told = self._display.preferred
        mode = MODE.pack(0, 0, *self._told, 1, 0)
        return OK_DISPLAY_INFO, mode.ljust(MODES * MODE.size, b"\0")

    def _get_edid(self, scanout: int) -> Answer:
        if not self.negotiated(F_EDID):
            raise Refused(UNSPEC)
        _check_scanout(scanout)
        found = edid(*self._display.preferred)
        return OK_EDID, EDID.pack(len(found), found)

    def _no_capset(self, index: int) -> Answer:
        """Capability sets are for three dimensions; there are CAPSETS of them."""
        raise Refused(INVALID_PARAMETER)

    def _set_scanout(self, *fields: int) -> Answer:
        *corners, scanout, number = fields
        _check_scanout(scanout)
        if not number:
            self._scanout = None
            self._display.show(None, "")
            return DONE
        picture, area = self._area(number, corners)
        if not area.width or not area.height:
            raise Refused(INVALID_PARAMETER)
        self._scanout = picture, area
        self._display.show(picture.part(area), picture.order)
        return DONE

    def _flush(self, *fields: int) -> Answer:
        *corners, number = fields
        picture, area = self._area(number, corners)
        self.stats.add("flushes")
        if self._scanout and self._scanout[0] is picture:
            seen = self._scanout[1]
            new = area.shared(seen)
            if new.width > 0 and new.height > 0:
                self._display.update(new.x - seen.x, new.y - seen.y, picture.part(new))
        return DONE

    # Pictures.

    def _create(self, number: int, kind: int, width: int, height: int) -> Answer:
        if number == 0 or number in self._pictures:
            raise Refused(INVALID_RESOURCE_ID)
        if kind not in FORMATS or not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
            raise Refused(INVALID_PARAMETER)
        kept = sum(picture.pixels.nbytes for picture in self._pictures.values())
        if kept + width * height * BYTES > MOST_BYTES or len(self._pictures) == MOST_PICTURES:
            raise Refused(OUT_OF_MEMORY)
        self._pictures[number] = Picture(width, height, FORMATS[kind])
        return DONE

    def _unref(self, number: int) -> Answer:
        picture = self._picture(number)
        if self._scanout and self._scanout[0] is picture:
            self._scanout = None
            self._display.show(None, "")
        del self._pictures[number]
        return DONE

    def _attach(self, reader: Reader, number: int, count: int) -> Answer:
        """Guest memory to fill a picture from: so many entries follow in the command."""
        picture = self._picture(number)
        if picture.backing:
            raise Refused(UNSPEC)
        if reader.available < count * ENTRY.size:
            raise Refused(INVALID_PARAMETER)
        backings = (other.backing for other in self._pictures.values())
        if count + sum(backing.entries for backing in backings if backing) > MOST_ENTRIES:
            raise Refused(OUT_OF_MEMORY)
        assert self._memory is not None, "it was there when the queue was made"
        try:
            entries = ENTRY.iter_unpack(reader.read(count * ENTRY.size))
            picture.backing = Backing(self._memory, entries)
        except GuestError:
            raise Refused(INVALID_PARAMETER) from None
        return DONE

    def _detach(self, number: int) -> Answer:
        picture = self._picture(number)
        if not picture.backing:
            raise Refused(UNSPEC)
        picture.backing = None
        return DONE

    def _transfer(self, *fields: int) -> Answer:
        *corners, offset, number = fields
        picture, area = self._area(number, corners)
        if not picture.backing:
            raise Refused(UNSPEC)
        if not picture.fill(area, offset, picture.backing):
            raise Refused(INVALID_PARAMETER)
        self.stats.add("transferred", area.width * area.height * BYTES, "bytes")
        return DONE

    def _picture(self, number: int) -> Picture:
        picture = self._pictures.get(number)
        if picture is None:
            raise Refused(INVALID_RESOURCE_ID)
        return picture

    def _area(self, number: int, corners: list[int]) -> tuple[Picture, Rectangle]:
        """A picture, and an area that lies within it."""
        picture, area = self._picture(number), Rectangle(*corners)
        if not area.within(picture.width, picture.height):
            raise Refused(INVALID_PARAMETER)
        return picture, area

    # The cursor.

    def _update_cursor(
        self, scanout: int, x: int, y: int, number: int, hot_x: int, hot_y: int
    ) -> Answer:
        _check_scanout(scanout)
        if number:
            picture = self._picture(number)
            if (picture.width, picture.height) != (CURSOR_SIDE, CURSOR_SIDE):
                raise Refused(INVALID_PARAMETER)
            # Linux draws cursors with alpha in pictures that it has made without.
            order = picture.order.replace("X", "A")
            self._display.set_cursor(picture.pixels, order, hot_x, hot_y)
        else:
            self._display.set_cursor(None, "", 0, 0)
        self._display.move_cursor(x, y)
        return DONE

    def _move_cursor(self, scanout: int, x: int, y: int, *ignored: int) -> Answer:
        _check_scanout(scanout)
        self._display.move_cursor(x, y)
        return DONE


def _check_scanout(number: int) -> None:
    if number >= SCANOUTS:
        raise Refused(INVALID_SCANOUT_ID)
