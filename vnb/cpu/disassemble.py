"""Instructions as text, read off the same rows that the engine is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from vnb.cpu.csr import NUMBERS
from vnb.cpu.isa import BY_NAME, COMPRESSED_ROWS, ROWS, CompressedRow, Row

X = (  # noqa: SIM905 - easier to check against the calling convention
    "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7"
    " s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
).split()
F = (  # noqa: SIM905
    "ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7"
    " fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11"
).split()
ROUNDING = ("rne", "rtz", "rdn", "rup", "rmm", None, None, "dyn")
ORDERING = ("", ".rl", ".aq", ".aqrl")
CSR_NAMES = {number: name for name, number in NUMBERS.items()}


@dataclass(frozen=True)
class Instruction:
    """One decoded instruction: its row, its operands by letter, its length in bytes."""

    row: Row
    operands: dict[str, int]
    immediate: int
    length: int

    @property
    def name(self) -> str:
        """The mnemonic, with the ordering of atomics."""
        ordering = self.immediate if self.row.kind in ("lr", "sc", "amo") else 0
        return self.row.name + ORDERING[ordering]

    def text(self, address: int = 0) -> str:
        """As an assembler takes it; jumps name their target as seen from `address`."""
        return " ".join([self.name, ", ".join(self._arguments(address))]).strip()

    def _register(self, letter: str) -> str:
        if letter.upper() in self.operands:
            return F[self.operands[letter.upper()]]
        return X[self.operands[letter]]

    def _arguments(self, address: int) -> Iterator[str]:
        row, kind = self.row, self.row.kind
        present = [c for c in "dabc" if c in self.operands or c.upper() in self.operands]
        if row.name == "fence":
            return
        if kind in ("load", "fload", "store", "fstore") or row.name == "jalr":
            yield self._register("b" if kind.endswith("store") else "d")
            yield f"{self.immediate}({self._register('a')})"
        elif kind in ("lr", "sc", "amo"):
            yield from (self._register(c) for c in present if c != "a")
            yield f"({self._register('a')})"
        elif kind == "csr":
            yield self._register("d")
            yield CSR_NAMES.get(self.immediate, f"{self.immediate:#x}")
            yield str(self.operands["a"]) if row.name.endswith("i") else self._register("a")
        else:
            yield from (self._register(c) for c in present)
            if kind in ("if", "jump"):
                yield f"{address + self.immediate & (1 << 64) - 1:#x}"
            elif row.immediate == "U":
                yield f"{self.immediate & 0xFFFFF:#x}"
            elif row.immediate in "IH":
                yield str(self.immediate)
            elif row.rounds and self.immediate != 7:
                yield str(ROUNDING[self.immediate])


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _immediate(row: Row, w: int) -> int:
    """The immediate of a 32-bit instruction, signed where its format is [unpriv 2.3]."""
    match row.immediate:
        case "I":
            return _signed(w >> 20, 12)
        case "S":
            return _signed(w >> 25 << 5 | w >> 7 & 31, 12)
        case "B":
            high = w >> 31 << 12 | (w >> 7 & 1) << 11
            return _signed(high | (w >> 25 & 63) << 5 | (w >> 8 & 15) << 1, 13)
        case "U":
            return _signed(w >> 12, 20)
        case "J":
            high = w >> 31 << 20 | w & 0xFF000
            return _signed(high | (w >> 20 & 1) << 11 | (w >> 21 & 1023) << 1, 21)
        case "H":
            return w >> 20 & 63
        case "C":
            return w >> 20
        case "M" | "T" | "4":
            return w >> 12 & 7
    return w >> 25 & 3 if row.kind in ("lr", "sc", "amo") else 0


def _decode_word(w: int) -> Instruction | None:
    fields = {"d": w >> 7 & 31, "a": w >> 15 & 31, "b": w >> 20 & 31, "c": w >> 27 & 31}
    for row in ROWS:
        if w & row.mask == row.match:
            if row.rounds and ROUNDING[w >> 12 & 7] is None:
                return None
            operands = {c: fields[c.lower()] for c in "dabcDABC" if c in row.bits}
            return Instruction(row, operands, _immediate(row, w), 4)
    return None


def _compressed_immediate(row: CompressedRow, h: int) -> int:
    value = 0
    for source, token in zip(row.sources(), row.scatter, strict=True):
        bit = h >> source & 1
        value += -bit << int(token[1:]) if token.startswith("s") else bit << int(token)
    return value


def _decode_halfword(h: int) -> Instruction | None:
    for row in COMPRESSED_ROWS:
        masks = (sum(1 << 15 - k for k, c in enumerate(row.bits) if c == n) for n in row.nonzero)
        if h & row.mask != row.match or not all(h & mask for mask in masks):
            continue
        operands = {}
        for letter, token in zip("dab", row.registers, strict=True):
            if token == ".":
                continue
            if token.isdigit():
                operands[letter] = int(token)
                continue
            low, width = row.field(token[0])
            number = (h >> low & (1 << width) - 1) + (8 if "'" in token else 0)
            operands[letter.upper() if token[0].isupper() else letter] = number
        return Instruction(BY_NAME[row.target], operands, _compressed_immediate(row, h), 2)
    return None


def decode(word: int) -> Instruction | None:
    """The instruction that a 32-bit word begins with; None where there is none."""
    return _decode_word(word) if word & 3 == 3 else _decode_halfword(word & 0xFFFF)


def disassemble(code: bytes, address: int = 0) -> Iterator[tuple[int, bytes, str]]:
    """(address, bytes, text) of each instruction in `code`, which begins at `address`."""
    place = 0
    while place + 2 <= len(code):
        length = 4 if code[place] & 3 == 3 else 2
        raw = code[place : place + length]
        if len(raw) < length:
            return
        instruction = decode(int.from_bytes(raw, "little"))
        text = instruction.text(address + place) if instruction else f".insn {raw[::-1].hex()}"
        yield address + place, raw, text
        place += length
