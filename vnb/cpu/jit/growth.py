"""From decoded slots to a region's graph: how far to follow the code, and which way."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from vnb.cpu.jit.graph import (
    ENDS,
    LINKS,
    Block,
    Graph,
    Instruction,
    Lessons,
    Place,
    rows_by_operation,
)
from vnb.cpu.state import REGION_PAGES

MOST_INSTRUCTIONS = 150
FEWEST_INSTRUCTIONS = 2
MOST_GUESSED = 16
"""Places to which an indirect jump is taken to go before any was seen."""
DEPTH = 2
"""Calls within calls that a region follows with their return addresses."""
LEAF = 60
"""Instructions that a function may have to be followed into."""

Slots = Callable[[int], int]
"""The slot at an offset from the region's first page; 0 where nothing is decoded."""


class _Growth:
    """Follows the code from the entry, breadth first, until the region is large enough."""

    def __init__(
        self,
        slots: Slots,
        entry: int,
        is_entry: Callable[[int], bool],
        targets: tuple[int, ...],
    ) -> None:
        self.targets = targets
        self.slots, self.is_entry, self.entry = slots, is_entry, (entry, ())
        self.rows = rows_by_operation()
        self.seen: dict[Place, Instruction] = {}
        self.leaders: dict[Place, None] = {}
        self.returns: dict[int, None] = {}
        self.pages = {entry >> 12}
        self.waiting: deque[Place] = deque([self.entry])

    def instruction(self, at: int) -> Instruction | None:
        slot = self.slots(at)
        row = self.rows.get(slot & 255)
        found = Instruction(at, slot, row) if row else None
        return None if found and found.row.kind == "csr" and not found.only_reads else found

    def grow(self) -> None:
        while self.waiting and len(self.seen) < MOST_INSTRUCTIONS:
            place = self.waiting.popleft()
            if place in self.leaders:
                continue
            if not self.may_hold(place):
                continue
            page = place[0] >> 12
            if page not in self.pages and len(self.pages) == REGION_PAGES:
                continue
            if self.instruction(place[0]):
                self.pages.add(page)
                self.leaders[place] = None
                self.walk(place)

    def may_hold(self, place: Place) -> bool:
        """Where other regions begin, this one ends, but for jumps that would find them slowly."""
        at, pending = place
        known = place == self.entry or pending or at in self.targets
        return bool(known) or not self.is_entry(at)

    def walk(self, place: Place) -> None:
        at, pending = place
        before: Instruction | None = None
        while (at, pending) not in self.seen:
            instruction = self.instruction(at)
            if instruction is None or len(self.seen) >= 2 * MOST_INSTRUCTIONS:
                return
            self.seen[at, pending] = instruction
            instruction, before = instruction.behind(before), instruction
            if instruction.row.kind in ENDS:
                self.waiting.extend(self.successors(instruction, pending))
                return
            if instruction.after >> 12 != at >> 12:
                self.waiting.append((instruction.after, pending))
                return
            at = instruction.after
            if not self.may_hold((at, pending)):
                return
        self.leaders[at, pending] = None

    def successors(self, instruction: Instruction, pending: tuple[int, ...]) -> list[Place]:
        if instruction.row.kind == "if":
            return [(instruction.target, pending), (instruction.after, pending)]
        if instruction.is_direct:
            return self.called(instruction, pending)
        if instruction.is_return and pending:
            return [(pending[-1], pending[:-1])]
        following: list[Place] = [(target, ()) for target in self.targets] if not pending else []
        if instruction.rd in LINKS and not pending:
            self.returns[instruction.after] = None
            following.append((instruction.after, ()))
        return following

    def called(self, instruction: Instruction, pending: tuple[int, ...]) -> list[Place]:
        target, after = instruction.target, instruction.after
        if instruction.rd not in LINKS:
            return [(target, pending)]
        if len(pending) < DEPTH and self.is_leaf(target):
            return [(target, (*pending, after))]
        if pending:
            return [(target, ())]
        self.returns[after] = None
        return [(target, ()), (after, ())]

    def is_leaf(self, at: int) -> bool:
        """Whether the function there is short, as far as it ever ran."""
        seen: set[int] = set()
        waiting = [at]
        while waiting:
            at = waiting.pop()
            before: Instruction | None = None
            while at not in seen:
                instruction = self.instruction(at)
                if instruction is None:
                    break
                instruction, before = instruction.behind(before), instruction
                seen.add(at)
                if len(seen) > LEAF:
                    return False
                if instruction.row.kind == "if":
                    waiting.append(instruction.target)
                elif instruction.is_indirect:
                    break
                elif instruction.is_direct and instruction.rd not in LINKS:
                    at = instruction.target
                    continue
                at = instruction.after
        return bool(seen)


def form(
    slots: Slots,
    entry: int,
    is_entry: Callable[[int], bool],
    lessons: Lessons,
) -> Graph | None:
    """The region that begins at an offset; None if there is too little to translate.

    `is_entry` tells where other regions begin: a region goes over to those instead of copying them,
    unless indirect jumps are known to go there. Where nobody has learnt that yet, they are taken to
    go to what has run nearby and cannot have been come to otherwise.
    """
    graph = _form(slots, entry, is_entry, lessons)
    if graph is None or lessons.targets:
        return graph
    jumps = [i for i in graph.instructions() if i.is_indirect and not i.is_return]
    guesses = unexplained(slots, [jump.at for jump in jumps if jump.rd not in LINKS])
    if not guesses:
        return graph
    return _form(slots, entry, is_entry, replace(lessons, targets=tuple(guesses)))


def unexplained(slots: Slots, jumps: list[int]) -> list[int]:
    """What has run for no reason known in the pages of these offsets, the nearest of each first."""
    ran = {page: _unreached(slots, page) for page in {at & ~0xFFF for at in jumps}}
    found: dict[int, None] = {}
    for jump in jumps:
        nearest = sorted(ran[jump & ~0xFFF], key=lambda at: abs(at - jump))
        found |= dict.fromkeys(nearest[:MOST_GUESSED])
    return list(found)


def _unreached(slots: Slots, page: int) -> set[int]:
    """Offsets in a page of what has run there though no instruction before it goes on there.

    No branch and no jump of the page does either: an indirect jump came there, or another page's.
    """
    rows = rows_by_operation()
    ran: set[int] = set()
    explained: set[int] = set()
    before: Instruction | None = None
    for at in range(page, page + 0x1000, 2):
        slot = slots(at)
        if not slot >> 32 & 7:  # nothing ran, or an instruction that ends in the next page
            continue
        ran.add(at)
        row = rows.get(slot & 255)
        if row is None:  # what regions do not have goes on behind itself
            explained.add(at + (slot >> 32 & 7))
            before = None
            continue
        if before is not None and before.after != at:
            before = None
        instruction, before = Instruction(at, slot, row).behind(before), Instruction(at, slot, row)
        if row.kind in ENDS and not instruction.is_indirect:
            explained.add(instruction.target)
        if row.kind != "jump" or instruction.rd in LINKS:
            explained.add(instruction.after)
    return ran - explained


def _form(
    slots: Slots, entry: int, is_entry: Callable[[int], bool], lessons: Lessons
) -> Graph | None:
    growth = _Growth(slots, entry, is_entry, lessons.targets)
    growth.grow()
    if len(growth.seen) < FEWEST_INSTRUCTIONS:
        return None
    blocks = {}
    for place in growth.leaders:
        block = blocks[place] = Block(place)
        at, pending = place
        before: Instruction | None = None
        while (instruction := growth.seen.get((at, pending))) is not None:
            instruction, before = instruction.behind(before), instruction
            block.instructions.append(instruction)
            if instruction.row.kind in ENDS:
                block.successors = growth.successors(instruction, pending)
                break
            at = instruction.after
            if (at, pending) in growth.leaders or at >> 12 != instruction.at >> 12:
                break
        if not block.successors:
            block.successors = [(at, pending)]
    return Graph(blocks, tuple(growth.returns), lessons)
