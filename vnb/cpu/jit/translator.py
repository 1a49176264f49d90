"""One hart's translator: samples of where it is come in, regions of native code go to its slots."""

import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial

from vnb.cpu.jit.blocks import Blocks
from vnb.cpu.jit.code import Linker, make
from vnb.cpu.jit.graph import Lessons
from vnb.cpu.jit.kept import Digests, Sightings, discard, keep, recall
from vnb.cpu.jit.places import JOINED, TRANSLATED, DecodedPages, Layout, head
from vnb.cpu.jit.region import Region, refine, translate
from vnb.cpu.jit.report import Report, Times
from vnb.cpu.state import OFFSETS, REGION_COUNT, REGION_EXITS, REGION_RECORD, REGIONS, State
from vnb.memory import Memory

SAMPLE_COUNT, TRANSLATE = OFFSETS["sample_count"] >> 3, OFFSETS["translate"] >> 3


@dataclass(frozen=True)
class Pace:
    """How soon something is translated: samples between two looks, samples that make it hot."""

    samples: int
    hot: int
    poll: int
    choosy: bool
    """Whether only what comes back is translated, and what is left too soon given up."""


PLACE = (1 << 48) - 1
CHUNK = 8
"""Samples are counted by 32 slots, so that those of one loop add up."""
EXITS_TO_LEARN = 16
"""Samples at exits of a region after which it may be made again."""
MOST_TARGETS = 12
EXITS_TO_JUDGE = 150_000
"""How often a region has been left before it is judged: by then it has had its chance to learn."""
FEWEST_RETIRED = 50
"""Instructions that it should retire each time, or else blocks are faster."""
SERVES_BETWEEN = 8
"""Turns of the translator from one judgement to the next."""
MOST_TRIES = 4
"""Of one place: where there was little to translate, more may have run since."""

RETIRED_TO_REFINE = 32 << 20
"""Instructions after which a region is worth the time that LLVM takes to do it thoroughly."""
THOROUGHLY = partial(make, thorough=True)

ROOM = 64 << 20
"""Bytes of host code after which a translator begins anew."""

PACES = {
    "auto": Pace(samples=128, hot=20, poll=1 << 14, choosy=True),
    "eager": Pace(samples=1, hot=1, poll=1 << 8, choosy=False),
}


@cache
def _background() -> ThreadPoolExecutor:
    """The one thread that has regions compiled, for all harts of the process."""
    return ThreadPoolExecutor(1, "vnb-translator")


def _translate(
    pc: int, layout: Layout, linker: Linker, lessons: Lessons, choosy: bool
) -> Region | None:
    from vnb.cpu.jit.workshop import made

    return translate(pc, layout, linker, made, lessons, choosy)


class Translator:
    """Serves one hart, on the hart's thread; only `translate` runs on another."""

    def __init__(
        self, state: State, memory: Memory, pace: Pace, background: bool, operations: int
    ) -> None:
        """`operations`: the address of the run loop's table."""
        self.state, self.background, self.pace = state, background, pace
        self.decoded = DecodedPages(state, memory)
        self.regions: list[Region] = []
        self.heat: Counter[int] = Counter()
        self.refused = self.restarts = self.forgotten = 0
        self.room = ROOM
        self.failed = False
        self._hot: dict[int, tuple[int, int]] = {}  # chunks to translate: where they were sampled
        self._pending: tuple[Future[Region | None], Linker] | None = None
        self._linker: Linker | None = None
        self._tried: Counter[int] = Counter()  # places of slots: how often that was tried
        self._exits: dict[int, Counter[int]] = {}  # where each region was seen to be left for
        self._pupil: int | None = None
        self._entries: list[tuple[int, int]] = []  # the decoded page and the slot of each region
        self._given_up: set[int] = set()
        self._refined: set[int] = set()  # those that are thorough, or are to be
        self._served = 0
        self._records = self.decoded.records
        first = (state.samples - state.address) >> 3
        self._samples = state.block[first : first + 2 * pace.samples]
        self._sightings = Sightings(self.decoded) if background else None
        self.blocks = Blocks(state, operations)
        state.sample_limit = pace.samples
        state.poll = pace.poll

    def serve(self) -> None:
        """The engine left for the translator."""
        if self._pending is not None and self._pending[0].done():
            self._collect()
        if self.failed:
            return
        count = self.state.words[SAMPLE_COUNT]
        samples = self._samples[: 2 * count].tolist()
        self.state.words[SAMPLE_COUNT] = 0
        for pc, packed in zip(samples[::2], samples[1::2], strict=True):
            number, place = packed >> 48, packed & PLACE
            if number:
                self._note_exit(number - 1, pc)
            if self.decoded.is_region(self.decoded.at(place)):
                continue
            self.heat[place >> CHUNK] += 1
            if self.heat[place >> CHUNK] >= self.pace.hot:
                self._hot[place >> CHUNK] = pc, place
        self._recall()  # behind the samples, which it may explain
        self._served += 1
        if self.pace.choosy and self._served % SERVES_BETWEEN == 0:
            self._judge()
        if self._pending is None and self._pupil is not None:
            self._teach(self._pupil)
        if self._pending is None:
            self._refine()
        while self._pending is None and self._hot:
            chunk = max(self._hot, key=self.heat.__getitem__)
            self.heat[chunk] = 0
            self._start(*self._head(*self._hot.pop(chunk)))
        if self._pending is not None:
            self.state.sample_limit = 0  # the thread that works on it needs the GIL more

    def _recall(self) -> None:
        """Install what earlier runs knew of pages that came up since."""
        if self._sightings is None:
            return
        for kept, layout in self._sightings.look():
            if len(self.regions) < REGIONS and not layout.is_entry(kept.outline.entry):
                linker = self._linker = self._linker or Linker()
                with suppress(LookupError):  # then it has to be made anew
                    self._install(recall(kept, layout, linker))

    def _judge(self) -> None:
        """Give up the regions that are left so soon that blocks would be faster."""
        counts = zip(self._counts(REGION_EXITS), self.retired(), strict=True)
        for number, (left, retired) in enumerate(counts):
            soon = left >= EXITS_TO_JUDGE and retired < left * FEWEST_RETIRED
            if soon and number not in self._given_up:
                self._give_up(number)

    def _give_up(self, number: int) -> None:
        """Leave a place to blocks, in later runs, too."""
        self._given_up.add(number)
        page, index = self._entries[number]
        self._close(number)
        self.decoded.set_word(page, JOINED, 0)  # blocks may lead past the entry again
        self._tried[self.decoded.base(page) + index * 8] = MOST_TRIES
        self._on_disk(discard, self.regions[number])

    def _close(self, number: int) -> None:
        """Have the interpreter enter a region no longer."""
        if self._is_entered(number):
            hidden = self._records[(number * REGION_RECORD >> 3) + 1]
            self.decoded.set_word(*self._entries[number], hidden)

    def _is_entered(self, number: int) -> bool:
        """Whether its slot is still a region's, and not another's."""
        return self.decoded.word(*self._entries[number]) == self._slot(number * REGION_RECORD)

    def restart(self) -> None:
        """Forget every region and the code of all of them; what is hot will come again."""
        for number in range(len(self.regions)):
            self._close(number)
        self.restarts += bool(self.regions)
        self.forgotten += sum(self.retired())
        self.regions, self._entries = [], []
        self._linker = None
        self._exits.clear()
        self._given_up.clear()
        self._refined.clear()
        self._pupil = None
        self._tried.clear()
        self.heat.clear()
        self._hot.clear()
        if self._sightings is not None:
            self._sightings.forget()

    def reset(self) -> None:
        """The hart begins anew, and its counters with it."""
        self.restart()
        self.blocks.forget()
        self.refused = self.restarts = self.forgotten = 0

    def _slot(self, at: int) -> int:
        """The slot that enters the region whose record is at this offset."""
        return self.decoded.region | at << 8

    def _note_exit(self, number: int, pc: int) -> None:
        """A region was left for pc; where that happens often it may have something to learn."""
        if number < len(self.regions):
            exits = self._exits.setdefault(number, Counter())
            exits[pc - self.regions[number].layout.origin] += 1
            if exits.total() == EXITS_TO_LEARN:
                self._pupil = number

    def _teach(self, number: int) -> None:
        """Translate a region once more, with what can be learnt from where it was left for."""
        self._pupil = None
        old = self.regions[number]
        lessons = old.graph.learn([at for at, _ in self._exits[number].most_common(MOST_TARGETS)])
        if lessons == old.graph.lessons:
            return
        layout = Layout(self.decoded, self.decoded.fetch_tlb(), old.pc)
        if layout.number(0) == old.layout.number(0) and layout.is_entry(old.outline.entry):
            self._translate(old.pc, layout, lessons)

    def _head(self, pc: int, place: int) -> tuple[int, int]:
        """Where the region is to begin that runs what was sampled, and the place of its slot."""
        offset = pc & 0xFFF
        number = self.decoded.number(place)

        def slot(at: int) -> int:
            return self.decoded.plain(self.decoded.word(number, at >> 1))

        start = head(slot, offset)
        return pc - offset + start, place + (start - offset) * 4

    def _start(self, pc: int, place: int) -> None:
        if self._tried[place] == MOST_TRIES:
            return
        if len(self.regions) == REGIONS or sum(r.code.size for r in self.regions) > self.room:
            self.restart()
        layout = Layout(self.decoded, self.decoded.fetch_tlb(), pc)
        if layout.number(0) != self.decoded.number(place) or layout.is_entry(pc & 0xFFF):
            return
        self._tried[place] += 1
        self._translate(pc, layout, Lessons())

    def _translate(self, pc: int, layout: Layout, lessons: Lessons) -> None:
        linker = self._linker = self._linker or Linker()
        if self.background:
            self._later(_translate, pc, layout, linker, lessons, self.pace.choosy)
        elif (region := translate(pc, layout, linker, make, lessons)) is not None:
            self._install(region)

    def _refine(self) -> None:
        """Have LLVM take its time over the code of the region that retired most."""
        rough = [
            (retired, number)
            for number, retired in enumerate(self.retired())
            if retired >= RETIRED_TO_REFINE and number not in self._refined
        ]
        if self._linker is None or not rough:
            return
        _, number = max(rough)
        self._refined.add(number)
        if not self._is_entered(number):
            return
        region = self.regions[number]
        if self.background:
            self._later(refine, region, self._linker, THOROUGHLY)
        else:
            self._install(refine(region, self._linker, THOROUGHLY))

    def _later(self, make: Callable[..., Region | None], *arguments: object) -> None:
        """Have a region made on the background thread; it rings when it is there."""
        assert self._linker is not None
        future = _background().submit(make, *arguments)
        self._pending = future, self._linker
        future.add_done_callback(self._ring)

    def _ring(self, _done: object) -> None:
        self.state.words[TRANSLATE] = 1

    def _collect(self) -> None:
        assert self._pending is not None
        pending, linker = self._pending
        self._pending = None
        self.state.sample_limit = self.pace.samples
        if (error := pending.exception()) is not None:
            self.failed = True
            self.state.sample_limit = 0
            warnings.warn(
                f"the translator failed and is off: {error!r}", RuntimeWarning, stacklevel=2
            )
            return
        region = pending.result()
        if region is not None and linker is self._linker:
            self._install(region)
            self._on_disk(keep, region)

    def _on_disk(self, do: Callable[[Region, Digests], None], region: Region) -> None:
        """Keep or discard a region, for later runs."""
        if self._sightings is not None and (digests := self._sightings.of(region)):
            _background().submit(do, region, digests)

    def _install(self, region: Region) -> None:
        """Have the interpreter enter the region, if its code is still what it was made from."""
        decoded, layout, outline = self.decoded, region.layout, region.outline
        if not self._is_true(region):
            self.refused += 1
            return
        at = len(self.regions) * REGION_RECORD
        record = at >> 3
        entry = outline.entry >> 1
        self._records[record] = region.code.address
        self._records[record + 1] = outline.slot
        self._records[at + REGION_COUNT >> 3] = self._records[at + REGION_EXITS >> 3] = 0
        for delta, index in outline.pages.items():
            number = layout.number(delta)
            assert number is not None
            self._records[record + 2 + index] = decoded.base(number)
            decoded.set_word(number, TRANSLATED, 1)
        first = layout.number(0)
        assert first is not None
        decoded.set_word(first, entry, self._slot(at))
        decoded.set_word(first, JOINED, 0)  # blocks that lead past the entry are made anew
        layout.settle()
        self._cool(region)
        if region.made.thorough:
            self._refined.add(len(self.regions))
        self.regions.append(region)
        self._entries.append((first, entry))

    def _cool(self, region: Region) -> None:
        """What a region holds was hot because there was no region."""
        for at, raw in region.outline.guest:
            number = region.layout.number(at >> 12)
            assert number is not None
            first = self.decoded.base(number) + (at & 0xFFF) * 4
            for chunk in range(first >> CHUNK, (first + len(raw) * 4 >> CHUNK) + 1):
                self.heat.pop(chunk, None)
                self._hot.pop(chunk, None)

    def _is_true(self, region: Region) -> bool:
        """Whether a region does what the guest's code now says."""
        layout = region.layout
        numbers = [layout.number(delta) for delta in region.outline.pages]
        if not all(number and self.decoded.is_current(number) for number in numbers):
            return False
        if region.recalled and not self.state.breakpoint_count:
            return True  # its code was compared when it was recalled; breakpoints are in no code
        return all(layout.slot(i.at) == i.slot for i in region.graph.instructions())

    # what notebooks look at ---------------------------------------------------------------------

    def retired(self) -> list[int]:
        """Instructions that each region retired."""
        return self._counts(REGION_COUNT)

    def _counts(self, at: int) -> list[int]:
        """A word of each region's record."""
        words = REGION_RECORD >> 3
        return self._records[at >> 3 : len(self.regions) * words : words].tolist()

    def report(self) -> Report:
        """What was translated so far, and what came of it."""
        return Report(
            regions=tuple(self.regions),
            retired=tuple(self.retired()),
            forgotten=self.forgotten,
            total=self.state.horizon - self.state.left,
            blocks=self.state.n_blocks,
            exits=self.state.n_region_exits,
            refused=self.refused,
            evictions=self.restarts,
            time=Times.of(self.state),
        )
