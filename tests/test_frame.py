"""Frames and what is left to be done to them: done, it is what the RFCs say."""

import random
from itertools import pairwise, product

import pytest

from tests.frames import ACK, CWR, FIN, PSH, TCP, UDP, ether, judge, ones_sum, unsummed
from vnb.frame import (
    GSO_ECN,
    GSO_TCPV4,
    GSO_TCPV6,
    HEADER,
    LARGEST,
    MOST_SEGMENTS,
    NEEDS_CSUM,
    Frame,
    parse,
)

GSO = {4: GSO_TCPV4, 6: GSO_TCPV6}


def sums(version: int, protocol: int, payload: bytes, vlans: tuple[int, ...] = ()) -> Frame:
    data, start, offset = unsummed(payload, version, protocol, vlans=vlans)
    frame = parse(HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, offset), data)
    assert frame
    return frame


def large(payload: bytes, size: int, version: int = 4, ecn: int = 0, **more: object) -> Frame:
    data, start, offset = unsummed(payload, version, TCP, **more)  # type: ignore[arg-type]
    frame = parse(HEADER.pack(NEEDS_CSUM, GSO[version] | ecn, 0, size, start, offset), data)
    assert frame
    return frame


@pytest.mark.parametrize(
    ("version", "protocol", "vlans"), [*product((4, 6), (TCP, UDP), ((), (5,), (5, 6)))]
)
def test_a_checksum_that_was_left_open_is_filled_in(
    version: int, protocol: int, vlans: tuple[int, ...], rng: random.Random
) -> None:
    for length in (0, 1, 2, 3, 99, 1400, 1473):
        payload = rng.randbytes(length)
        (data,) = sums(version, protocol, payload, vlans).plain()
        assert judge(data).payload == payload


def test_a_sum_of_zero_is_not_sent_as_no_sum_at_all() -> None:
    """[RFC 768]"""
    data, start, offset = unsummed(b"\0\0", 4, UDP)
    missing = 0xFFFF - ones_sum(data[start:])
    frame = Frame(data[:-2] + missing.to_bytes(2, "big"), NEEDS_CSUM, 0, 0, 0, start, offset)
    (plain,) = frame.plain()
    assert plain[start + offset : start + offset + 2] == b"\xff\xff"
    assert judge(plain).payload == missing.to_bytes(2, "big")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("vlans", [(), (5,), (5, 6)])
def test_segments_carry_the_same_bytes_as_the_whole(
    version: int, vlans: tuple[int, ...], rng: random.Random
) -> None:
    for length, size in ((1449, 1448), (2896, 1448), (65000, 1448), (999, 100), (700, 1), (5, 9)):
        payload = rng.randbytes(length)
        sequence = rng.choice((1000, 0xFFFF_FF00))
        whole = large(payload, size, version, sequence=sequence, number=0xFFFE, vlans=vlans)
        seen = [judge(data) for data in whole.plain()]
        assert b"".join(one.payload for one in seen) == payload
        assert all(len(one.payload) == size for one in seen[:-1])
        assert {one.ethernet for one in seen} == {whole.data[: 14 + 4 * len(vlans)]}
        for before, after in pairwise(seen):
            assert after.sequence == (before.sequence + size) & 0xFFFF_FFFF
            assert version == 6 or after.number == (before.number + 1) & 0xFFFF


@pytest.mark.parametrize("length", [300, 250])
def test_flags_go_to_the_segments_that_they_belong_to(length: int) -> None:
    whole = large(bytes(length), 100, ecn=GSO_ECN, flags=ACK | PSH | FIN | CWR)
    flags = [judge(data).flags for data in whole.plain()]
    assert flags == [ACK | CWR, ACK, ACK | PSH | FIN]
    one = large(bytes(99), 100, flags=ACK | PSH | FIN | CWR)
    assert [judge(data).flags for data in one.plain()] == [ACK | PSH | FIN | CWR]


def test_a_plain_frame_stays_as_it_is() -> None:
    data = ether(b"hello")
    for flags in (0, 2, 0xFE):  # which are not known, or not for this direction [virtio 5.1.6.2]
        frame = parse(HEADER.pack(flags, 0, 1, 2, 3, 4), data)
        assert frame == Frame(data)
        assert frame.plain() == [data]
        assert frame.header() == bytes(HEADER.size)


def test_the_header_length_is_counted_not_believed() -> None:
    """[37]"""
    data, start, offset = unsummed(bytes(3000))
    for claimed in (0, 1, 5000, 0xFFFF):
        frame = parse(HEADER.pack(NEEDS_CSUM, GSO_TCPV4, claimed, 1448, start, offset), data)
        assert frame
        assert frame.header_length == start + 32
        assert HEADER.unpack(frame.header())[2] == start + 32


SOUND, START, OFFSET = unsummed(bytes(3000))
SOUND_6, START_6, _ = unsummed(bytes(3000), 6)


def with_byte(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + bytes((value,)) + data[place + 1 :]


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ((0, 0, 0, 0, 0, 0), b"\xff" * 13),
        ((0, 0, 0, 0, 0, 0), bytes(LARGEST + 1)),
        ((1, 0, 0, 0, 13, 0), SOUND),
        ((1, 0, 0, 0, len(SOUND) - 1, 0), SOUND),
        ((1, 0, 0, 0, START, len(SOUND)), SOUND),
        ((1, 0, 0, 0, 0xFFFF, 0xFFFF), SOUND),
        ((0, GSO_TCPV4, 0, 1448, START, OFFSET), SOUND),
        ((1, GSO_TCPV4, 0, 0, START, OFFSET), SOUND),
        ((1, GSO_TCPV4, 0, 1, START, OFFSET), SOUND),
        ((1, GSO_TCPV4, 0, 1448, START, 6), SOUND),
        ((1, GSO_TCPV4, 0, 1448, START + 2, OFFSET), SOUND),
        ((1, GSO_TCPV4, 0, 1448, START - 4, OFFSET), SOUND),
        ((1, GSO_TCPV4, 0, 1448, START, OFFSET), SOUND[: START + 32]),
        ((1, GSO_TCPV4, 0, 1448, START, OFFSET), SOUND[: START + 19]),
        ((1, GSO_TCPV4, 0, 1448, START, OFFSET), with_byte(SOUND, START + 12, 0x40)),
        ((1, GSO_TCPV4, 0, 1448, START, OFFSET), with_byte(SOUND, 14, 0x65)),
        ((1, GSO_TCPV4, 0, 1448, START, OFFSET), with_byte(SOUND, 14, 0x46)),
        ((1, GSO_TCPV4, 0, 1448, START_6, OFFSET), SOUND_6),
        ((1, GSO_TCPV6, 0, 1448, START_6 - 8, OFFSET), SOUND_6),
        ((1, GSO_TCPV6, 0, 1448, START, OFFSET), SOUND),
        (
            (1, GSO_TCPV6, 0, 1448, START_6 + 1000, OFFSET),
            SOUND_6[:54] + bytes(1000) + SOUND_6[54:],
        ),
        ((1, GSO_ECN, 0, 1448, START, OFFSET), SOUND),
        ((1, 3, 0, 1448, START, OFFSET), SOUND),
        ((1, 5, 0, 1448, START, OFFSET), SOUND),
        ((1, 0x7F, 0, 1448, START, OFFSET), SOUND),
    ],
)
def test_what_cannot_be_is_no_frame(fields: tuple[int, ...], data: bytes) -> None:
    """[37]"""
    assert parse(HEADER.pack(*fields), data) is None


def test_nobody_can_have_one_frame_cut_into_crumbs() -> None:
    data, start, offset = unsummed(bytes(MOST_SEGMENTS * 2 + 1))
    assert parse(HEADER.pack(NEEDS_CSUM, GSO_TCPV4, 0, 2, start, offset), data) is None
    frame = parse(HEADER.pack(NEEDS_CSUM, GSO_TCPV4, 0, 3, start, offset), data)
    assert frame
    assert len(frame.plain()) < MOST_SEGMENTS


def test_headers_of_extensions_are_repeated_in_every_segment() -> None:
    data, start, offset = unsummed(bytes(range(200)) * 10, 6)
    longer = bytearray(data[:54] + bytes(8) + data[54:])
    longer[18:20] = (len(longer) - 54).to_bytes(2, "big")
    frame = parse(HEADER.pack(1, GSO_TCPV6, 0, 500, start + 8, offset), bytes(longer))
    assert frame
    for piece in frame.plain():
        assert piece[54:62] == bytes(8)
        plain = bytearray(piece[:54] + piece[62:])
        plain[18:20] = (len(plain) - 54).to_bytes(2, "big")
        judge(bytes(plain))


def test_whatever_a_driver_says_a_frame_is_refused_or_can_be_made_plain(
    rng: random.Random,
) -> None:
    made = 0
    for _ in range(20_000):
        payload = bytes(rng.choice((0, 1, 40, 3000)))
        data, start, offset = unsummed(payload, rng.choice((4, 6)), rng.choice((TCP, UDP)))
        data = bytearray(data)
        for _ in range(rng.choice((0, 0, 1, 3))):
            data[rng.randrange(min(len(data), 80))] = rng.randrange(256)
        fields = [
            rng.choice((0, 1, 1, 1, 0xFF)),
            rng.choice((0, 1, 4, 0x81, 0x84, rng.randrange(256))),
            rng.randrange(1 << 16),
            rng.choice((1, 2, 100, 1448, 0xFFFF)),
            rng.choice((start, start, start, rng.randrange(100), 0xFFFF)),
            rng.choice((offset, offset, 6, 16, 0xFFFF)),
        ]
        if frame := parse(HEADER.pack(*fields), bytes(data)):
            made += 1
            plain = frame.plain()
            assert sum(map(len, plain)) >= len(data)
            assert all(14 <= len(one) <= len(data) for one in plain)
    assert made > 1000
