"""Instructions for test programs, put together from the rows of the table."""

from vnb.cpu.isa import BY_NAME, COMPRESSED_ROWS, CompressedRow

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
    if unknown := fields.keys() - set(bits):
        raise ValueError(f"{name} has no field {', '.join(sorted(unknown))}")
    result = row.match
    for letter in set("abcdm") & fields.keys():
        assert 0 <= fields[letter] < 1 << bits.count(letter), (name, fields)
        result |= fields[letter] << 31 - bits.rindex(letter)
    at = [31 - position for position, letter in enumerate(bits) if letter == "i"]
    immediate = PLACES.get(row.immediate, range(len(at) - 1, -1, -1)) if at else ()
    return result | scattered(fields.get("i", 0), at, list(immediate))


def halfword(row: CompressedRow, immediate: int = 0, **fields: int) -> int:
    """A 16-bit instruction; registers are given as its fields hold them."""
    result = row.match
    for letter, value in fields.items():
        low, width = row.field(letter)
        assert 0 <= value < 1 << width, (row, fields)
        result |= value << low
    return result | scattered(immediate, row.sources(), [int(p.lstrip("s")) for p in row.scatter])


def scattered(immediate: int, at: list[int], bits: list[int]) -> int:
    """An instruction's bits `at`, each taken from the given bit of the immediate."""
    return sum((immediate >> bit & 1) << place for place, bit in zip(at, bits, strict=True))


def compressed_row(half: int) -> CompressedRow | None:
    """The row that a 16-bit instruction belongs to: the first that fits."""
    for row in COMPRESSED_ROWS:
        if half & row.mask == row.match and all(
            half >> row.field(letter)[0] & (1 << row.field(letter)[1]) - 1
            if letter != "i"
            else any(half >> place & 1 for place in row.sources())
            for letter in row.nonzero
        ):
            return row
    return None


def program(*words: int) -> bytes:
    return b"".join(word.to_bytes(4, "little") for word in words)
