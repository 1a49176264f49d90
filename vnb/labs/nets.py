"""The exercises of notebook 05: frames, checksums, and how fast TCP can be."""

import random

from vnb.labs.exercise import Exercise, asked, expect


def header(frame: bytes) -> tuple[str, str, int]:
    """(to, from, type) of an Ethernet frame: two addresses as "02:00:…", and a number."""
    return frame[0:6].hex(":"), frame[6:12].hex(":"), int.from_bytes(frame[12:14], "big")


def examine_header(answer: object) -> str:
    """Frames of three protocols, between addresses of all kinds."""
    draw = random.Random(5)
    for kind, name in (0x0800, "IPv4"), (0x0806, "ARP"), (0x86DD, "IPv6"):
        to, sender = draw.randbytes(6), draw.randbytes(6)
        frame = to + sender + kind.to_bytes(2, "big") + draw.randbytes(46)
        found = asked(answer, frame)
        words = f"a frame that begins with {frame[:14].hex(' ')}"
        expect(isinstance(found, tuple) and len(found) == 3, f"{words}: give (to, from, type)")
        right = to.hex(":"), sender.hex(":"), kind
        turned = found[:2] == right[1::-1]
        expect(not turned, f"{words}: the address that it goes to comes first")
        swapped = found[2] == int.from_bytes(frame[12:14], "little")
        expect(not swapped, f"{words}: numbers on a network begin with their high byte")
        expect(found == right, f"{words}: {right}, not {found}; it is {name}")
    return "these 14 bytes are all that a switch ever looks at."


def checksum(data: bytes) -> int:
    """The Internet checksum: the complement of the sum, with carries, of 16-bit words."""
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def examine_checksum(answer: object) -> str:
    """Words, carries, twice a carry, and an odd byte."""
    cases = (
        (b"\x12\x34", "one word"),
        (b"\x12\x34\x56\x78", "two words"),
        (b"\xff\xff\x00\x02", "a sum with a carry, which is added at the low end"),
        (b"\xff\xff" * 3 + b"\x00\x03", "a sum with several carries"),
        (b"\x80\x00\x80\x00" * 0x8000, "a sum whose carries carry once more"),
        (b"\x12\x34\x56", "three bytes: the last one is the high half of a word"),
        (random.Random(6).randbytes(1480), "a long packet"),
    )
    for data, words in cases:
        found = asked(answer, data)
        expect(found != checksum(data) ^ 0xFFFF, f"{words}: this is the sum; invert its 16 bits")
        expect(found == checksum(data), f"{words}: {checksum(data):#06x}, not {found:#06x}")
    return "your function and Linux agree about what is a whole packet."


def limit(window: float, rtt: float, bandwidth: float) -> float:
    """Bits in a second that TCP brings at most, with `window` bytes under way for `rtt` seconds."""
    return min(bandwidth, 8 * window / rtt)


def examine_limit(answer: object) -> str:
    """Wires that are the limit, and windows that are."""
    cases = (
        (1e6, 0.1, 1e6, "a window of 1 MB on a wire of 1 Mbit/s"),
        (64e3, 0.1, 1e9, "a window of 64 kB, 100 ms there and back, on a wire of 1 Gbit/s"),
        (64e3, 0.001, 1e9, "the same window, 1 ms there and back"),
        (64e3, 0.5, 1e9, "the same window, by satellite"),
    )
    for window, rtt, bandwidth, words in cases:
        found = asked(answer, window, rtt, bandwidth)
        right = limit(window, rtt, bandwidth)
        bits = abs(8 * found - right) > 1e-6 * right
        expect(bits, f"{words}: the window is in bytes, and the answer in bits")
        expect(found <= bandwidth, f"{words}: no more than {bandwidth:g} bits fit on the wire")
        close = abs(found - right) < 1e-6 * right
        expect(close, f"{words}: {right:g} bit/s, not {found:g}")
    return "bandwidth × delay is what has to be under way to keep a wire busy."


EXERCISES = {
    "05.1": Exercise(header, examine_header),
    "05.2": Exercise(checksum, examine_checksum),
    "05.3": Exercise(limit, examine_limit),
}
