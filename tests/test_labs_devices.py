"""Mistakes in the exercises about networks, shares, hands and write-ups are told by name."""

from typing import Any

import pytest

from vnb import labs
from vnb.labs import hands, nets, shares, study


def packs_with_gaps(message: bytes) -> tuple[int, int, int]:
    size, kind, _ = shares.header(message)
    return size, kind, int.from_bytes(message[6:8], "little")


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("05.1", lambda frame: (frame[6:12].hex(":"), frame[:6].hex(":"), 0x0800), "comes first"),
        (
            "05.1",
            lambda frame: (*nets.header(frame)[:2], int.from_bytes(frame[12:14], "little")),
            "high byte",
        ),
        ("05.2", lambda data: nets.checksum(data) ^ 0xFFFF, "invert"),
        ("05.2", lambda data: ~sum(data) & 0xFFFF, "one word"),
        ("05.3", lambda window, rtt, bandwidth: min(bandwidth / 8, window / rtt), "in bits"),
        ("05.3", lambda window, rtt, bandwidth: 8 * window / rtt, "fit on the wire"),
        ("06.1", packs_with_gaps, "nothing is aligned"),
        ("06.2", lambda tag, fid, new, names: shares.walk(tag, fid, new, []), "bytes, not"),
        ("06.2", lambda tag, fid, new, names: shares.walk(tag, new, fid, names), "byte 7 is wrong"),
        ("06.3", lambda size, most: [*shares.pieces(size, most), (size, 0)], "are enough"),
        ("07.1", lambda x, y, w, h: (x * 32768 // (w - 1), y * 32768 // (h - 1)), "beside"),
        ("07.1", lambda x, y, w, h: (x * 32, y * 32), "is not there"),
        ("07.2", lambda keys: [(key, True) for key in keys], "who lets go"),
        ("07.2", lambda keys: [(k, d) for k in keys for d in (True, False)], "held at the same"),
        (
            "07.3",
            lambda a, b: tuple(hands.damage(a, b)[n] for n in (1, 0, 3, 2)),
            "the first axis of a picture goes down",
        ),
        ("08.1", lambda measured, predicted: (predicted[0] - measured[0]) / measured[0], "sign"),
        ("08.2", lambda values: (sum(values) / len(values), study.spread(values)[1]), "median is"),
        ("08.3", lambda citation: "@software{vnb,\n}", "no field title"),
    ],
)
def test_a_mistake_is_named(name: str, answer: Any, words: str) -> None:
    verdict = labs.check(name, answer)
    assert not verdict
    assert words in verdict.words


def test_a_pointer_may_be_rounded_either_way() -> None:
    def down(x: int, y: int, width: int, height: int) -> tuple[int, int]:
        return x * 32767 // (width - 1), y * 32767 // (height - 1)

    assert labs.check("07.1", down)
