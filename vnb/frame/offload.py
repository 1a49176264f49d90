"""What network cards do for their drivers, in software: Internet checksums, and TCP cut up.

Sums are taken over little-endian words although the network is big-endian: an Internet checksum
comes out with its bytes swapped, which is as it has to be stored [RFC 1071].
"""

import struct
from typing import Any

import numpy as np

from vnb.frame import GSO_ECN, GSO_TCPV4, Frame, network_header

FIN, PUSH, CWR = 0x01, 0x08, 0x80  # TCP flags: of the last segment, the last, and the first
SEQUENCE, FLAGS, CHECKSUM = 4, 13, 16  # in the TCP header
IPV4_LENGTH, IPV4_ID, IPV4_CHECKSUM = 2, 4, 10
IPV6_LENGTH, IPV6_HEADER = 4, 40

WORD = struct.Struct("<H")


def summed(frame: Frame) -> bytes:
    """The frame with its checksum filled in."""
    data = bytearray(frame.data)
    place = frame.csum_start + frame.csum_offset
    WORD.pack_into(data, place, _checksum(_sum(frame.data[frame.csum_start :])))
    return bytes(data)


def segments(frame: Frame) -> list[bytes]:
    """The TCP segments of a frame that is too long to be one."""
    payload = np.frombuffer(frame.data, np.uint8, offset=frame.header_length)
    whole, rest = divmod(len(payload), frame.gso_size)
    cut = whole * frame.gso_size
    rows = _segments(frame, payload[:cut].reshape(whole, -1), 0, not rest) if whole else []
    return rows + (_segments(frame, payload[cut:].reshape(1, -1), whole, True) if rest else [])


def _segments(frame: Frame, payloads: Any, first: int, ends: bool) -> list[bytes]:
    """Segments of one size, one for each row of `payloads`; `first` come before them."""
    count, size = payloads.shape
    start, payload = frame.csum_start, frame.header_length
    length = payload + size
    # One more byte, of zero, where the words that are summed would not come out even.
    rows = np.zeros((count, length + (length - start) % 2), np.uint8)
    rows[:, :payload] = np.frombuffer(frame.data, np.uint8, payload)
    rows[:, payload:length] = payloads
    numbers = np.arange(first, first + count)
    _number_tcp(rows, frame, numbers, ends)
    _number_ip(rows, frame, numbers, length)
    # The field holds the sum of the pseudo header, and with it the length of all the payload.
    total = _words(rows[:, start:]).sum(axis=1, dtype=np.int64)
    total += _swapped(length - start) - _swapped(len(frame.data) - start)
    rows[:, start + CHECKSUM : start + CHECKSUM + 2] = _bytes(_checksum(total), "<u2")
    return [row.tobytes() for row in rows[:, :length]]


def _number_tcp(rows: Any, frame: Frame, numbers: Any, ends: bool) -> None:
    """Sequence numbers, and the flags that belong to one of the segments only."""
    place = frame.csum_start + SEQUENCE
    sequence = int.from_bytes(frame.data[place : place + 4], "big") + numbers * frame.gso_size
    rows[:, place : place + 4] = _bytes(sequence & 0xFFFF_FFFF, ">u4")
    flags = rows[:, frame.csum_start + FLAGS]
    flags[: -1 if ends else None] &= 0xFF ^ (FIN | PUSH)
    flags[0 if numbers[0] else 1 :] &= 0xFF ^ CWR


def _number_ip(rows: Any, frame: Frame, numbers: Any, length: int) -> None:
    """The IP header's length and, in version 4, its identification and checksum."""
    ip = network_header(frame.data)
    if frame.gso_type & ~GSO_ECN != GSO_TCPV4:
        place = ip + IPV6_LENGTH
        rows[:, place : place + 2] = _bytes(np.array([length - ip - IPV6_HEADER]), ">u2")
        return
    place = ip + IPV4_LENGTH
    rows[:, place : place + 2] = _bytes(np.array([length - ip]), ">u2")
    place = ip + IPV4_ID
    number = int.from_bytes(frame.data[place : place + 2], "big") + numbers
    rows[:, place : place + 2] = _bytes(number & 0xFFFF, ">u2")
    place = ip + IPV4_CHECKSUM
    rows[:, place : place + 2] = 0
    total = _words(rows[:, ip : frame.csum_start]).sum(axis=1, dtype=np.int64)
    rows[:, place : place + 2] = _bytes(-total % 0xFFFF, "<u2")


def _sum(data: bytes) -> int:
    """The sum of the data's words; an odd byte at the end is one as well."""
    words = np.frombuffer(data, "<u2", len(data) // 2)
    return int(words.sum(dtype=np.uint64)) + (data[-1] if len(data) % 2 else 0)


def _checksum(total: Any) -> Any:
    """The checksum that a sum makes; UDP means by 0 that there is none, so 0 is sent as ~0."""
    return 0xFFFF - total % 0xFFFF


def _words(rows: Any) -> Any:
    """Each row as little-endian words."""
    return rows.view("<u2")


def _bytes(numbers: Any, kind: str) -> Any:
    """Numbers as rows of their bytes."""
    return numbers.astype(kind).view(np.uint8).reshape(len(numbers), -1)


def _swapped(value: int) -> int:
    """A big-endian word as the little-endian sums see it."""
    return (value & 0xFF) << 8 | value >> 8
