"""The exercises of notebook 06: messages of 9P, taken apart and put together."""

import random
import struct

from vnb.labs.exercise import Exercise, asked, expect


def header(message: bytes) -> tuple[int, int, int]:
    """(size, type, tag) of a 9P message."""
    size, tag = (int.from_bytes(field, "little") for field in (message[:4], message[5:7]))
    return size, message[4], tag


def examine_header(answer: object) -> str:
    """Messages of several sizes."""
    draw = random.Random(6)
    for kind, rest in (100, 14), (117, 4096), (7, 4):
        tag = draw.randrange(256, 0xFFFF)
        message = struct.pack("<IBH", 7 + rest, kind, tag) + draw.randbytes(rest)
        found = asked(answer, message)
        right = 7 + rest, kind, tag
        words = f"a message that begins with {message[:8].hex(' ')}"
        expect(isinstance(found, tuple) and len(found) == 3, f"{words}: give (size, type, tag)")
        aligned = found[2] == struct.unpack_from("<H", message, 6)[0]
        expect(not aligned, f"{words}: nothing is aligned; the tag follows the type at once")
        big = found[0] == int.from_bytes(message[:4], "big")
        expect(not big, f"{words}: 9P begins with the low byte of a number")
        expect(tuple(found) == right, f"{words}: {right}, not {found}")
    return "every message begins like this, and its size counts these seven bytes too."


def walk(tag: int, fid: int, newfid: int, names: list[str]) -> bytes:
    """The request that makes `newfid` what one finds by `names` from `fid`."""
    fields = [(110, 1), (tag, 2), (fid, 4), (newfid, 4), (len(names), 2)]
    message = b"".join(value.to_bytes(size, "little") for value, size in fields)
    for name in names:
        encoded = name.encode()
        message += len(encoded).to_bytes(2, "little") + encoded
    return (4 + len(message)).to_bytes(4, "little") + message


def examine_walk(answer: object) -> str:
    """No names, one, several, and one whose letters are more than a byte each."""
    for names in [], ["data"], ["usr", "share", "doc"], ["größe"]:
        found = asked(answer, 5, 1, 2, list(names))
        right = walk(5, 1, 2, names)
        words = f"walk from 1 to 2 by {names}"
        expect(isinstance(found, bytes), f"{words}: a message is bytes, not {found!r}")
        letters = "; how many bytes has a name in UTF-8?" if names == ["größe"] else ""
        expect(
            len(found) == len(right),
            f"{words}: {len(right)} bytes, not {len(found)}{letters}",
        )
        at = next(
            (n for n, pair in enumerate(zip(found, right, strict=True)) if len({*pair}) > 1), 0
        )
        expect(found == right, f"{words}: byte {at} is wrong: {found.hex(' ')}")
    return "a client of your own would begin like this."


def pieces(size: int, most: int) -> list[tuple[int, int]]:
    """(offset, count) of each request that it takes to read `size` bytes, `most` at a time."""
    return [(offset, min(most, size - offset)) for offset in range(0, size, most)]


def examine_pieces(answer: object) -> str:
    """Files that are empty, fit, nearly fit, and do not."""
    for size, most in (4096, 4096), (4097, 4096), (1, 4096), (0, 4096), (100_000, 32_768):
        found = asked(answer, size, most)
        right = pieces(size, most)
        words = f"{size} bytes, {most} at a time"
        expect(isinstance(found, list), f"{words}: give a list of (offset, count)")
        found = [tuple(piece) for piece in found]
        expect(
            len(found) == len(right), f"{words}: {len(right)} requests are enough, not {len(found)}"
        )
        expect(found == right, f"{words}: {right}, not {found}")
    return "the fewer the pieces, the less is said about them."


EXERCISES = {
    "06.1": Exercise(header, examine_header),
    "06.2": Exercise(walk, examine_walk),
    "06.3": Exercise(pieces, examine_pieces),
}
