"""A program once more: from the same state, with regions made of what ran the first time."""

from vnb.cpu.hart import Hart
from vnb.cpu.state import FIRST_NAMED, OFFSETS

PAGE = 4096
MACHINERY = tuple(
    name
    for name in OFFSETS
    if name.startswith(("n_", "ticks_", "sample", "region", "block", "breakpoint"))
    or name in ("poll", "translate", "horizon", "left")
    or OFFSETS["ram"] <= OFFSETS[name] < OFFSETS["mstatus"]
)
"""Words of state that are no guest's."""


class Again:
    """Remembers a hart and its memory, and brings them back there; code stays decoded.

    Under the virtual clock time is brought back too, but instructions count on.
    """

    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self.words = hart.state.words.tolist()
        self.ram = hart.memory.read(hart.memory.base, hart.memory.size)
        self.mtime = hart.mtime

    def rewind(self) -> None:
        hart, memory = self.hart, self.hart.memory
        kept = {FIRST_NAMED + k for k, name in enumerate(OFFSETS) if name in MACHINERY}
        for number, word in enumerate(self.words):
            if number not in kept:
                hart.state.words[number] = word
        for offset in range(0, memory.size, PAGE):
            before = self.ram[offset : offset + PAGE]
            if memory.view(memory.base + offset, PAGE) != before:
                memory.write(memory.base + offset, before)
        hart.set_mtime(self.mtime)
        hart.flush()


def translate_here(hart: Hart) -> None:
    """Have a region made of what the hart is about to run, as if it were hot."""
    state, translator = hart.state, hart.translator
    assert translator is not None
    number = translator.decoded.find(translator.decoded.fetch_tlb(), hart.pc)
    if number is not None:
        first = state.samples - state.address >> 3
        place = translator.decoded.base(number) + (hart.pc & 0xFFF) * 4
        state.block[first], state.block[first + 1] = hart.pc, place
        state.sample_count = 1
        translator.serve()
