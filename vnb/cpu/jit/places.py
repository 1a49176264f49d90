"""Decoded pages as the translator sees them: which slots there are, and where a loop begins."""

from collections.abc import Callable

from vnb.cpu.jit.blocks import hidden
from vnb.cpu.jit.graph import Instruction, rows_by_operation
from vnb.cpu.state import (
    MOST_REWRITTEN,
    REGION_RECORD,
    REGIONS,
    SLOT_PAGE_BYTES,
    SLOTS,
    TLB_BYTES,
    TLB_ENTRIES,
    State,
)
from vnb.memory import Memory

PAGE_WORDS = SLOT_PAGE_BYTES >> 3
SOURCE, TRANSLATED, JOINED = SLOTS + 2, SLOTS + 3, SLOTS + 5
"""Words behind the slots of a decoded page, as source/fetch.py numbers them."""

MASK = (1 << 64) - 1
BACKWARD, FORWARD = 48, 96
"""Instructions to search before and behind a sample."""


class DecodedPages:
    """The pool of decoded pages of one hart."""

    def __init__(self, state: State, memory: Memory) -> None:
        self.state, self.memory = state, memory
        first = (state.decoded - state.address) >> 3
        self.words = state.block[first:]
        self.address = state.decoded
        first = (state.regions - state.address) >> 3
        self.records = state.block[first : first + REGIONS * REGION_RECORD // 8]
        from vnb.cpu.generate import OPERATIONS

        self.region, self.block = OPERATIONS["REGION"], OPERATIONS["BLOCK"]

    def number(self, place: int) -> int:
        """The decoded page that a slot's host address is in."""
        return (place - self.address) // SLOT_PAGE_BYTES

    def word(self, number: int, index: int) -> int:
        return self.words[number * PAGE_WORDS + index]

    def plain(self, word: int) -> int:
        """An instruction's own slot, where a region or a block begins."""
        if self.is_region(word):
            return self.records[(word >> 11) + 1]
        return hidden(word) if word & 255 == self.block else word

    def is_region(self, word: int) -> bool:
        """Whether a slot enters a region."""
        return word & 255 == self.region

    def at(self, place: int) -> int:
        """The slot at a host address."""
        return self.words[place - self.address >> 3]

    def set_word(self, number: int, index: int, value: int) -> None:
        self.words[number * PAGE_WORDS + index] = value

    def base(self, number: int) -> int:
        """The host address of a decoded page."""
        return self.address + number * SLOT_PAGE_BYTES

    def _ram_page(self, number: int) -> int:
        return (self.word(number, SOURCE) - self.state.ram) >> 12

    def content(self, number: int) -> bytes:
        """What the page in RAM holds that a decoded page mirrors."""
        return self.memory.read(self.memory.base + (self._ram_page(number) << 12), 4096)

    def is_current(self, number: int) -> bool:
        """Whether a page still mirrors the RAM that it was decoded from."""
        page = self._ram_page(number)
        return 0 <= page < len(self.memory.code_pages) and self.memory.code_pages[page] == number

    def is_rewritten(self, number: int) -> bool:
        """Whether the page's code changes again and again."""
        place = self.state.code_writes - self.state.address + self._ram_page(number)
        return self.state.block[place >> 3] >> 8 * (place & 7) & 255 > MOST_REWRITTEN

    def fetch_tlb(self) -> memoryview:
        """A copy of the fetch TLB in force."""
        first = (self.state.fetch_tlb - self.state.address) >> 3
        return memoryview(bytes(self.state.block[first : first + TLB_BYTES // 8])).cast("Q")

    def find(self, tlb: memoryview, va: int) -> int | None:
        """The number of the decoded page that a virtual address is fetched from."""
        entry = (va >> 12) % TLB_ENTRIES * 2
        if tlb[entry] != va & ~0xFFF & MASK:
            return None
        number, rest = divmod(
            (tlb[entry + 1] + (va & ~0xFFF) * 4 & MASK) - self.address, SLOT_PAGE_BYTES
        )
        return number if rest == 0 and 0 < number < self.state.decoded_count else None


_EMPTY = memoryview(b"\xff" * TLB_BYTES).cast("Q")


class Layout:
    """The decoded pages around one virtual address, by their distance in pages."""

    def __init__(self, decoded: DecodedPages, tlb: memoryview, va: int) -> None:
        self.decoded, self.tlb, self.origin = decoded, tlb, va & ~0xFFF
        self.numbers: dict[int, int | None] = {}

    @classmethod
    def of(cls, decoded: DecodedPages, va: int, numbers: dict[int, int]) -> "Layout":
        """Pages that are known already, and no others."""
        layout = cls(decoded, _EMPTY, va)
        layout.numbers |= numbers
        return layout

    def number(self, delta: int) -> int | None:
        if delta not in self.numbers:
            number = self.decoded.find(self.tlb, (self.origin + (delta << 12)) & MASK)
            if number is not None and self.decoded.is_rewritten(number):
                number = None
            self.numbers[delta] = number
        return self.numbers[delta]

    def settle(self) -> None:
        """Keep what was looked up, and let go of the copy of the TLB."""
        self.tlb = _EMPTY

    def code(self, at: int, length: int) -> bytes:
        """The bytes at an offset, in RAM."""
        number = self.number(at >> 12)
        if number is None:
            return bytes(length)
        memory = self.decoded.memory
        place = self.decoded.word(number, SOURCE) - self.decoded.state.ram + memory.base
        return memory.read(place + (at & 0xFFF), length)

    def word(self, at: int) -> int:
        """The slot at an offset; 0 where nothing is decoded."""
        number = self.number(at >> 12)
        return 0 if number is None else self.decoded.word(number, (at & 0xFFF) >> 1)

    def slot(self, at: int) -> int:
        """The same, but where a region or a block begins the slot that it hides."""
        return self.decoded.plain(self.word(at))

    def is_entry(self, at: int) -> bool:
        """Whether a region begins there."""
        return self.decoded.is_region(self.word(at))


def head(slot: Callable[[int], int], at: int) -> int:
    """Where a region should begin that is to run the instruction at offset `at` of a page.

    At the head of the innermost loop around it if a branch nearby closes one, else where the
    straight run of instructions begins.
    """
    rows = rows_by_operation()

    def instruction(at: int) -> Instruction | None:
        word = slot(at)
        row = rows.get(word & 255) if 0 <= at < 4096 else None
        return Instruction(at, word, row) if row else None

    start = at
    for _ in range(BACKWARD):
        before = next(
            (i for i in map(instruction, (start - 2, start - 4)) if i and i.after == start), None
        )
        if before is None or before.row.kind == "jump":
            break
        start = before.at
    loops = []
    here = at
    for _ in range(FORWARD):
        i = instruction(here)
        if i is None:
            break
        if (i.row.kind == "if" or i.row.name == "jal") and start <= i.target <= at:
            loops.append(i.target)
        here = i.after
    return max(loops, default=start)
