"""Random instruction streams: they only run forward, and touch no memory but a scratch area."""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from assemble import compressed_row, halfword, word
from ieee import DOUBLE, FORMATS, Format
from vectors import integer, operand

from vnb.cpu.isa import BY_NAME, COMPRESSED_ROWS, FLOAT_ROWS, ROWS, CompressedRow, Row

CODE, SCRATCH, SCRATCH_SIZE = 0x8000_0000, 0x8001_0000, 0x2000
POINTERS = {2: SCRATCH + 0x800, 8: SCRATCH + 0xC00, 9: SCRATCH + 0x1400}  # these are never written
WRITABLE = sorted(set(range(32)) - POINTERS.keys())
LINK = 5  # holds the address that a jalr goes by
FORWARD = 8  # instructions that a branch skips at most
BRANCHES = ("if", "jump")
MEMORY = ("load", "store", "fload", "fstore", "lr", "sc", "amo")
ROUNDING = (0, 1, 2, 3, 4, 7)
FCSR = (0x001, 0x002, 0x003)

Item = tuple[int, Callable[[int], bytes]]
"""What cannot be jumped into: its length, and its bytes, given how far away a branch should go."""


def types(row: Row) -> list[str]:
    return row.name.split(".")[1:]


INTEGER = [row for row in ROWS if row.kind in ("d", *BRANCHES, *MEMORY) and row.kind[0] != "f"]
DOUBLES = [row for row in FLOAT_ROWS if "d" in types(row) and "s" not in types(row)]
SINGLES = [row for row in FLOAT_ROWS if "s" in types(row) and "d" not in types(row)]
DOUBLES += [BY_NAME["fld"], BY_NAME["fsd"]]
SINGLES += [BY_NAME["flw"], BY_NAME["fsw"]]
BRANCHING = [BY_NAME[name] for name in ("beq", "bne", "blt", "bgeu", "xor")]
"""What makes of float arithmetic a program that stays in regions, as nothing sets fcsr."""
COMPRESSED = [
    row
    for row in COMPRESSED_ROWS
    if row.target not in ("jalr", "ebreak") and row.registers[0] != "2"
]


def fixed(*instructions: int) -> Item:
    code = b"".join(i.to_bytes(4, "little") for i in instructions)
    return len(code), lambda _distance: code


def float_control(random: Random) -> Item:
    """frm gets a legal mode, fflags anything."""
    if random.random() < 0.5:
        return fixed(word("csrrwi", d=random.choice(WRITABLE), a=random.randrange(5), i=0x002))
    name = random.choice(("csrrwi", "csrrsi", "csrrci"))
    return fixed(word(name, d=random.choice(WRITABLE), a=random.getrandbits(5), i=0x001))


def draw(random: Random, row: Row) -> Item:
    """An instruction of a row, its fields at random."""
    fields = {letter: random.getrandbits(5) for letter in "abcd" if letter in row.bits.lower()}
    if "d" in row.bits:
        fields["d"] = random.choice(WRITABLE)
    if "m" in row.bits:
        fields["m"] = random.choice(ROUNDING)
    if row.kind in MEMORY:
        fields["a"] = random.choice(list(POINTERS))
    if row.name == "jalr":
        here = word("auipc", d=LINK)
        link = fields["d"]
        return 8, lambda distance: b"".join(
            w.to_bytes(4, "little") for w in (here, word("jalr", d=link, a=LINK, i=distance))
        )
    if row.kind in BRANCHES:
        return 4, lambda distance: word(row.name, **fields, i=distance).to_bytes(4, "little")
    if row.kind == "lr":
        # Nothing comes between the two: what may break a reservation differs between harts.
        conditional = word(row.name.replace("lr", "sc"), **fields, b=random.getrandbits(5))
        return fixed(word(row.name, **fields), conditional)
    return fixed(
        word(row.name, **fields, **({"i": random.getrandbits(20)} if "i" in row.bits else {}))
    )


def draw_compressed(random: Random, row: CompressedRow) -> Item:
    """A 16-bit instruction of a row."""
    fields = {
        letter: random.getrandbits(row.field(letter)[1])
        for letter in "abdABD"
        if letter in row.bits
    }
    if "d" in fields:
        narrow = row.field("d")[1] == 3
        fields["d"] = random.choice(range(2, 8) if narrow else WRITABLE)
    if BY_NAME[row.target].kind in MEMORY and "a" in fields:
        fields["a"] = random.randrange(2)  # x8 or x9
    if BY_NAME[row.target].kind in BRANCHES:
        return 2, lambda distance: halfword(row, distance, **fields).to_bytes(2, "little")
    half = halfword(row, random.getrandbits(18), **fields)
    if compressed_row(half) is not row:  # the fields make it another row's instruction, or none
        return draw_compressed(random, row)
    return 2, lambda _distance: half.to_bytes(2, "little")


def assemble(random: Random, items: Sequence[Item]) -> bytes:
    """Lay the items out, each branch going to the start of a later one; then a loop that stays."""
    starts = [0]
    for length, _ in items:
        starts.append(starts[-1] + length)
    code = b""
    for number, (_, encode) in enumerate(items):
        target = min(number + random.randrange(1, FORWARD), len(items))
        code += encode(starts[target] - starts[number])
    return code + word("jal").to_bytes(4, "little")


def boxed(random: Random, fmt: Format) -> int:
    return operand(random, fmt) | fmt.box


class Stream(NamedTuple):
    """A program for CODE, the registers and the scratch memory that it starts with."""

    code: bytes
    x: list[int]
    f: list[int]
    scratch: bytes

    @property
    def end(self) -> int:
        """Where the program stays when it is through."""
        return CODE + len(self.code) - 4


def stream(
    random: Random, rows: Sequence[Row], compressed: Sequence[CompressedRow], length: int
) -> Stream:
    """A stream of `length` instructions, half of them compressed if there are such rows."""
    items = []
    for _ in range(length):
        if compressed and random.random() < 0.5:
            items.append(draw_compressed(random, random.choice(compressed)))
        else:
            items.append(draw(random, random.choice(rows)))
        if rows[-1].kind.startswith("f") and random.random() < 0.05:
            items.append(float_control(random))
    x = [0] + [POINTERS.get(register, integer(random)) for register in range(1, 32)]
    formats = [fmt for letter, fmt in FORMATS.items() if any(letter in types(row) for row in rows)]
    f = [boxed(random, random.choice(formats or [DOUBLE])) for _ in range(32)]
    numbers = b"".join(operand(random, DOUBLE).to_bytes(8, "little") for _ in range(64))
    return Stream(assemble(random, items), x, f, numbers * (SCRATCH_SIZE // len(numbers)))
