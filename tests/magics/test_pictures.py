"""Pictures are found in output however it is cut, and nothing else is taken for one."""

import base64
import itertools
import random

import pytest

from vnb.magics import pictures
from vnb.magics.pictures import Picture, Stream, picture

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
CODE = base64.b64encode(PNG)


def pieces(output: bytes, *cuts: int) -> list[str | Picture]:
    """What a stream makes of output that comes in parts, texts put together."""
    stream, found = Stream(), []
    edges = [0, *sorted(cuts), len(output)]
    for begin, end in itertools.pairwise(edges):
        found += stream.feed(output[begin:end])
    found += stream.feed(b"", final=True)
    joined: list[str | Picture] = []
    for piece in found:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def test_a_picture_is_taken_out_wherever_the_output_is_cut(rng: random.Random) -> None:
    name = base64.b64encode("ä.png".encode()).decode()
    begin = f"\x1b]1337;File=inline=1;width=30px;name={name}:".encode()
    output = "vör\x1b[31m".encode() + begin + CODE + b"\a\n" + begin + CODE + b"\x1b\\end\x1b"
    shown = Picture("ä.png", "image/png", PNG, {"width": 30})
    expected = ["vör\x1b[31m", shown, "\n", shown, "end\x1b"]
    assert pieces(output) == expected
    assert pieces(output, *range(len(output))) == expected
    for _ in range(50):
        assert pieces(output, *(rng.randrange(len(output)) for _ in range(3))) == expected


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]1337;File=inline=1:aGFsbG8",  # no end
        "\x1b]1337;File=inline=1",
        "\x1b]1337;SetMark\a and \x1b]0;a title\a",
        "\x1b",
    ],
)
def test_what_is_no_whole_picture_stays_text(text: str) -> None:
    assert pieces(text.encode(), 1, 5) == [text]


def test_text_is_not_kept_back_for_an_escape_that_is_no_picture_s() -> None:
    assert list(Stream().feed(b"\x1b[31mred")) == ["\x1b[31mred"]
    assert list(Stream().feed("ab\xc3".encode("latin-1"))) == ["ab"]


@pytest.mark.parametrize("broken", ["inline=1:aGFsbG8\x1b[0m and more", "oops\a and more"])
def test_text_is_not_kept_back_for_a_picture_that_was_broken_off(broken: str) -> None:
    text = f"\x1b]1337;File={broken}"
    assert list(Stream().feed(text.encode())) == [text]


def test_a_sequence_without_end_is_text_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "LARGEST", 1000)
    stream = Stream()
    begin = b"\x1b]1337;File=:" + b"x" * 900
    assert list(stream.feed(begin)) == []
    assert list(stream.feed(b"x" * 100)) == [(begin + b"x" * 100).decode()]


@pytest.mark.parametrize("code", [b"aGFsbG8=", b"!", b"a", b""])
def test_a_picture_that_cannot_be_drawn_is_said_to_be_none(code: bytes) -> None:
    (said,) = pieces(b"\x1b]1337;File=inline=1:" + code + b"\a")
    assert isinstance(said, str) and "no " in said


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x0a\0\0\0WEBPVP8", "image/webp"),
        (b"<svg/>", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- a > b -->\n<svg xmlns="">', "image/svg+xml"),
        (b"<svgx", None),
        (b"P6 1 1 255", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_how_it_begins(content: bytes, kind: str | None) -> None:
    found = picture("x", content)
    assert (found and found.kind) == kind


def test_a_picture_shows_itself_as_jupyter_wants_it() -> None:
    data, metadata = Picture("a", "image/png", PNG, {"width": 5})._repr_mimebundle_()
    assert data == {"image/png": CODE.decode(), "text/plain": "<a: image/png, 264 bytes>"}
    assert metadata == {"image/png": {"width": 5}}
    data, _ = Picture("a", "image/svg+xml", b"<svg/>", {})._repr_mimebundle_()
    assert data["image/svg+xml"] == "<svg/>"
