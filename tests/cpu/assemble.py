"""Instruction words for test programs, put together from the rows of the table."""

from vnb.cpu.isa import BY_NAME

# Which bit of the immediate each i of a row's pattern is, most significant place first.
PLACES = {
    "I": [*range(11, -1, -1)],
    "S": [*range(11, -1, -1)],
    "B": [12, *range(10, 4, -1), *range(4, 0, -1), 11],
    "U": [*range(19, -1, -1)],
    "J": [20, *range(10, 0, -1), 11, *range(19, 11, -1)],
    "C": [*range(11, -1, -1)],
}


def word(name: str, **fields: int) -> int:
    """The instruction `name` with registers d a b c, immediate i, rounding mode m (0 if not given).

    The fields are those of the row's pattern in lower case; - is 0.
    """
    row = BY_NAME[name]
    bits = row.bits.lower()
    places = PLACES.get(row.immediate, [*range(bits.count("i") - 1, -1, -1)])
    unknown = fields.keys() - set(bits)
    if unknown:
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    result = row.match
    for letter in "abcdm":
        first = bits.rfind(letter)
        if first >= 0:
            value = fields.get(letter, 0)
            assert 0 <= value < 1 << bits.count(letter), (name, letter, value)
            result |= value << (31 - first)
    immediate = fields.get("i", 0)
    at = [31 - place for place, letter in enumerate(bits) if letter == "i"]
    for destination, bit in zip(at, places, strict=True) if at else ():
        result |= (immediate >> bit & 1) << destination
    return result


def program(*words: int) -> bytes:
    return b"".join(w.to_bytes(4, "little") for w in words)
