"""An Ethernet frame on its way between two cards, with what its sender left for others to do.

A driver may leave checksums to be filled in, and may send far more TCP than one frame carries,
to be cut up on the way. Where the receiver accepts such frames too, nobody ever needs to: so a
`Frame` carries the sender's notes along, and is made `plain` only where somebody needs it to be.
"""

import struct
from typing import NamedTuple

HEADER = struct.Struct("<BBHHHH")
"""What goes before a frame: flags, GSO type, header length, segment size, checksum start, offset.

It is that of virtio-net without its last field [virtio 5.1.6], and that of Linux's TAP.
"""

NEEDS_CSUM = 1  # flags
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_ECN = 0, 1, 4, 0x80  # the GSO type; ECN comes on top

ETHERNET = 14
SMALLEST, LARGEST = ETHERNET, ETHERNET + 8 + 0xFFFF
"""Bytes of a frame: at least its header; at most two VLAN tags and the longest IP packet more."""

GROUP = 1
"""The bit of an address's first byte that says that it is nobody's in particular."""

MOST_SEGMENTS = 2048
"""Frames that one may be cut into: 64 KiB at an MSS of 32; no TCP goes lower."""

MOST_IP_HEADERS = 256
"""Bytes of IP headers that are repeated in each of those; version 4 has no more than 60."""

VLAN_TAGS = (b"\x81\x00", b"\x88\xa8")
# GSO type: (EtherType, IP version, least bytes of the IP header)
TCP_OVER = {GSO_TCPV4: (b"\x08\x00", 4, 20), GSO_TCPV6: (b"\x86\xdd", 6, 40)}
TCP_CHECKSUM, TCP_HEADER = 16, 20


class Frame(NamedTuple):
    """`data` is the frame from its destination address on, without the check sequence at its end.

    With NEEDS_CSUM in `flags`, the 16 bits at `csum_start + csum_offset` hold the sum of the
    pseudo header, and the Internet checksum from `csum_start` to the end belongs there. With a
    `gso_type`, the TCP payload that follows `header_length` bytes is to be sent in pieces of
    `gso_size` bytes. All of it is checked when a Frame is made by `parse`.
    """

    data: bytes
    flags: int = 0
    gso_type: int = GSO_NONE
    header_length: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0

    def header(self) -> bytes:
        """The HEADER that says about `data` what this Frame knows."""
        return HEADER.pack(*self[1:])

    def plain(self) -> list[bytes]:
        """The frames that a network without offloads would carry instead, in order."""
        if not self.flags:
            return [self.data]
        from vnb.frame.offload import segments, summed  # numpy only where it is needed

        return segments(self) if self.gso_type else [summed(self)]


def parse(header: bytes, data: bytes) -> Frame | None:
    """A frame of which its sender says what `header` holds; None if that cannot be.

    Flags that are not known are passed over, and so is the header length: that one is counted.
    """
    if not SMALLEST <= len(data) <= LARGEST:
        return None
    flags, kind, _, size, start, offset = HEADER.unpack_from(header)
    if not flags & NEEDS_CSUM:
        return None if kind else Frame(data)
    if start < ETHERNET or start + offset + 2 > len(data):
        return None
    if kind == GSO_NONE:
        return Frame(data, NEEDS_CSUM, csum_start=start, csum_offset=offset)
    length = _tcp_headers(data, kind & ~GSO_ECN, start)
    payload = len(data) - length
    if offset != TCP_CHECKSUM or not 0 < payload <= size * MOST_SEGMENTS:
        return None
    return Frame(data, NEEDS_CSUM, kind, length, size, start, offset) if length else None


def network_header(data: bytes) -> int:
    """Where what Ethernet carries begins: after the addresses, VLAN tags and the EtherType."""
    place = ETHERNET
    while data[place - 2 : place] in VLAN_TAGS and place < ETHERNET + 8:
        place += 4
    return place


def _tcp_headers(data: bytes, kind: int, start: int) -> int:
    """Bytes of all headers of a TCP segment whose own begins at `start`; 0 if it is none."""
    if kind not in TCP_OVER or start + TCP_HEADER > len(data):
        return 0
    ether_type, version, least = TCP_OVER[kind]
    place = network_header(data)
    if data[place - 2 : place] != ether_type or data[place] >> 4 != version:
        return 0
    if not least <= start - place <= MOST_IP_HEADERS:
        return 0
    if version == 4 and start - place != (data[place] & 15) * 4:
        return 0
    length = (data[start + 12] >> 4) * 4
    return start + length if length >= TCP_HEADER and start + length < len(data) else 0
