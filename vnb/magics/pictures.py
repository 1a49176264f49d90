"""Pictures in what a guest prints are taken out here: iTerm2's escape sequence for them.

    ESC ] 1337 ; File = ARGUMENT ; ARGUMENT … : BASE64 BEL        (or ESC \\ instead of BEL)

Of the arguments `name` (in Base64) counts, and `width` and `height` where they are in pixels, as
`width=300px`. `imgcat FILE` in the Debian guest prints just this.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BEGIN = b"\x1b]1337;File="
SEQUENCE = re.compile(rb"\x1b\]1337;File=([^:\x07\x1b]*):([^\x07\x1b]*)(?:\x07|\x1b\\)")
OPEN = re.compile(rb"[^\x07\x1b]*\x1b?\Z")  # what may follow BEGIN in one that is not over yet

LARGEST = 16 << 20
"""Bytes of a sequence; one that is not over by then is text like any other."""

# fmt: off
KINDS = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"),                "image/png"),
    (re.compile(rb"\xff\xd8\xff"),                     "image/jpeg"),
    (re.compile(rb"GIF8[79]a"),                        "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.S),               "image/webp"),
    (re.compile(rb"\s*(<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>]*>|\s)*<svg\b", re.S), "image/svg+xml"),
)
# fmt: on
"""How a picture begins that a browser can draw."""


@dataclass(frozen=True)
class Picture:
    """A picture that a notebook draws; `size` has width and height in pixels, if given."""

    name: str
    kind: str
    content: bytes
    size: dict[str, int]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        code = self.content if self.kind == "image/svg+xml" else base64.b64encode(self.content)
        bundle = {self.kind: code.decode(errors="replace"), "text/plain": repr(self)}
        return bundle, {self.kind: self.size} if self.size else {}

    def __repr__(self) -> str:
        return f"<{self.name}: {self.kind}, {len(self.content):,} bytes>"


def picture(name: str, content: bytes, size: dict[str, int] | None = None) -> Picture | None:
    """The picture that a file of that content is; None if no browser can draw it."""
    kind = next((kind for begin, kind in KINDS if begin.match(content)), None)
    return Picture(name, kind, content, size or {}) if kind else None


class Stream:
    """Output as it comes, cut anywhere, becomes texts and pictures in their order."""

    def __init__(self) -> None:
        self._waiting = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, final: bool = False) -> Iterator[str | Picture]:
        """What is certain, now that `data` has come as well; with `final`, all the rest."""
        data = self._waiting + data
        place = 0
        while found := SEQUENCE.search(data, place):
            yield from self._text(data[place : found.start()])
            yield _decoded(found[1], found[2])
            place = found.end()
        rest = data[place:]
        end = len(rest) if final else _begun(rest)
        self._waiting = rest[end:]
        yield from self._text(rest[:end], final)

    def _text(self, data: bytes, final: bool = False) -> Iterator[str]:
        if text := self._decoder.decode(data, final):
            yield text


def _begun(data: bytes) -> int:
    """Where a sequence begins in `data` that more data may complete; else its end."""
    place = data.rfind(BEGIN)
    if place >= 0 and OPEN.match(data, place + len(BEGIN)):
        return place if len(data) - place < LARGEST else len(data)
    place = data.rfind(b"\x1b")
    return place if place >= 0 and BEGIN.startswith(data[place:]) else len(data)


def _decoded(arguments: bytes, code: bytes) -> str | Picture:
    """The picture of a whole sequence, or a word on why there is none."""
    given = dict(re.findall(r"(\w+)=([^;]*)", arguments.decode(errors="replace")))
    size = {
        side: int(value.removesuffix("px"))
        for side in ("width", "height")
        if re.fullmatch(r"\d{1,5}px", value := given.get(side, ""))
    }
    try:
        name = base64.b64decode(given.get("name", "")).decode(errors="replace") or "picture"
        content = base64.b64decode(code)
    except binascii.Error:
        return "<a picture that is no Base64>"
    return picture(name, content, size) or f"<{name}: no picture that a notebook can draw>"
