"""A reader of pcap files, written from the format's description for tests to judge with.

https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html
"""

import struct
from pathlib import Path


def read(path: Path) -> list[tuple[int, bytes]]:
    """(nanoseconds since 1970, frame) of each packet in a file of Ethernet frames."""
    content = path.read_bytes()
    order = {b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}[content[:4]]
    major, minor, zero, also_zero, snap, link = struct.unpack_from(order + "HHIIII", content, 4)
    assert (major, minor, zero, also_zero, link) == (2, 4, 0, 0, 1)
    found, place = [], 24
    while place < len(content):
        seconds, fraction, kept, length = struct.unpack_from(order + "IIII", content, place)
        place += 16
        assert fraction < 10**9
        assert kept == length <= snap
        assert place + kept <= len(content)
        found.append((seconds * 10**9 + fraction, content[place : place + kept]))
        place += kept
    return found
