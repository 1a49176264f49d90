"""Frames for tests, made and judged by the letter of the RFCs, with nothing of vnb's own."""

import struct
from typing import NamedTuple

BROADCAST = b"\xff" * 6
ALICE, BOB, CAROL = (b"\x02\0\0\0\0" + letter for letter in (b"a", b"b", b"c"))

TCP, UDP = 6, 17
FIN, SYN, PSH, ACK, CWR = 0x01, 0x02, 0x08, 0x10, 0x80


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of big-endian words [RFC 1071]."""
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ether(
    payload: bytes,
    to: bytes = BROADCAST,
    sender: bytes = ALICE,
    kind: int = 0x88B5,
    vlans: tuple[int, ...] = (),
) -> bytes:
    """An Ethernet frame; 0x88B5 is the type that is for experiments."""
    tags = b"".join(struct.pack(">HH", 0x8100, vlan) for vlan in vlans)
    return to + sender + tags + struct.pack(">H", kind) + payload


def ip(version: int, protocol: int, payload: bytes, number: int = 0) -> tuple[bytes, bytes]:
    """(an IP packet, the addresses in its header)"""
    if version == 4:
        addresses = bytes((10, 0, 0, 1, 10, 0, 0, 2))
        parts = (0x45, 0, 20 + len(payload), number, 0x4000, 64, protocol)
        header = struct.pack(">BBHHHBBH", *parts, 0) + addresses
        header = struct.pack(">BBHHHBBH", *parts, 0xFFFF - ones_sum(header)) + addresses
    else:
        addresses = b"\xfd" + bytes(14) + b"\1" + b"\xfd" + bytes(14) + b"\2"
        header = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + addresses
    return header + payload, addresses


def pseudo(addresses: bytes, protocol: int, length: int) -> bytes:
    return addresses + struct.pack(">II", length, protocol)


def unsummed(
    payload: bytes,
    version: int = 4,
    protocol: int = TCP,
    flags: int = ACK | PSH,
    sequence: int = 1000,
    options: bytes = b"\1" * 12,
    number: int = 7,
    vlans: tuple[int, ...] = (),
) -> tuple[bytes, int, int]:
    """(frame, checksum start, checksum offset) of a packet whose checksum is left to others."""
    if protocol == TCP:
        words = (40000, 5000, sequence, 9, (20 + len(options)) << 2, flags, 500, 0, 0)
        header, place = struct.pack(">HHIIBBHHH", *words) + options, 16
    else:
        header, place = struct.pack(">HHHH", 40000, 5000, 8 + len(payload), 0), 6
    _, addresses = ip(version, protocol, b"")
    partial = ones_sum(pseudo(addresses, protocol, len(header) + len(payload)))
    header = header[:place] + struct.pack(">H", partial) + header[place + 2 :]
    packet, _ = ip(version, protocol, header + payload, number)
    data = ether(packet, kind=0x0800 if version == 4 else 0x86DD, vlans=vlans)
    return data, len(data) - len(header) - len(payload), place


class Seen(NamedTuple):
    """What a receiver makes of a frame."""

    ethernet: bytes
    number: int
    sequence: int
    flags: int
    payload: bytes


def judge(data: bytes) -> Seen:
    """Read a frame of TCP or UDP over IP, and check every sum and length in it."""
    place = 14
    while data[place - 2 : place] == b"\x81\x00":
        place += 4
    packet = data[place:]
    version = packet[0] >> 4
    if version == 4:
        assert data[place - 2 : place] == b"\x08\x00"
        header, (length, number) = 20, struct.unpack_from(">HH", packet, 2)
        assert ones_sum(packet[:header]) == 0xFFFF
        addresses, protocol = packet[12:20], packet[9]
    else:
        assert data[place - 2 : place] == b"\x86\xdd"
        header, length, number = 40, struct.unpack_from(">H", packet, 4)[0] + 40, 0
        addresses, protocol = packet[8:40], packet[6]
    assert length == len(packet)
    segment = packet[header:]
    assert ones_sum(pseudo(addresses, protocol, len(segment)) + segment) == 0xFFFF
    if protocol == UDP:
        assert segment[6:8] != b"\0\0"  # which would mean that there is no checksum
        return Seen(data[:place], number, 0, 0, segment[8:])
    sequence = int.from_bytes(segment[4:8], "big")
    return Seen(data[:place], number, sequence, segment[13], segment[(segment[12] >> 4) * 4 :])
