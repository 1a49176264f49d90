"""What a region is made of: blocks of instructions, and where they go next."""

from dataclasses import dataclass, field, replace
from functools import cache

from vnb.cpu.csr import NUMBERS
from vnb.cpu.isa import BY_NAME, ROWS, Row
from vnb.cpu.state import F0, SINK

NOT_FAST = 1 << 63
"""The sign of a slot whose rounding mode the host never has, as source/fetch.py sets it."""

READ, WRITE = 1, 2
ACCESSES = {
    "load": READ, "fload": READ, "lr": READ,
    "store": WRITE, "fstore": WRITE, "sc": WRITE, "amo": WRITE,
}  # fmt: skip
"""What rows do to memory, by their kind."""

LINKS = (1, 5)
"""The registers that hold return addresses [unpriv 2.5.1]."""

Place = tuple[int, tuple[int, ...]]
"""Where the hart is: an offset from the region's first page, and the returns that are pending."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """A decoded slot and its row."""

    at: int
    slot: int
    row: Row
    known: int | None = None
    """Where a jalr goes that follows the auipc of its register."""

    @property
    def rd(self) -> int:
        return self.slot >> 8 & 255

    @property
    def rs1(self) -> int:
        return self.slot >> 16 & 255

    @property
    def rs2(self) -> int:
        return self.slot >> 24 & 255

    @property
    def rs3(self) -> int:
        return F0 + (self.immediate & 31)

    @property
    def singles(self) -> list[int]:
        """The registers that must hold NaN-boxed singles."""
        registers = {"a": self.rs1, "b": self.rs2, "c": self.rs3}
        return [registers[letter] for letter in self.row.singles]

    @property
    def sources(self) -> set[int]:
        """The integer registers that it reads."""
        bits = self.row.bits
        return {r for letter, r in (("a", self.rs1), ("b", self.rs2)) if letter in bits}

    @property
    def length(self) -> int:
        return self.slot >> 32 & 7

    @property
    def immediate(self) -> int:
        value = self.slot >> 40
        return value - (1 << 24) if value >> 23 else value

    @property
    def only_reads(self) -> bool:
        """Whether it reads a CSR that no other instruction of a region changes [unpriv 6.1]."""
        reads = self.row.name in READERS and not self.rs1
        return reads and self.immediate & 0xFFF not in FLOAT_CSRS

    @property
    def after(self) -> int:
        return self.at + self.length

    @property
    def target(self) -> int:
        """Where a branch or a direct jump goes."""
        return self.at + self.immediate if self.known is None else self.known

    @property
    def is_direct(self) -> bool:
        return self.row.name == "jal" or self.known is not None

    @property
    def is_indirect(self) -> bool:
        return self.row.name == "jalr" and self.known is None

    @property
    def is_return(self) -> bool:
        return self.is_indirect and self.rd not in LINKS and self.rs1 in LINKS

    def behind(self, before: "Instruction | None") -> "Instruction":
        """The same, behind another in its block: the far call that the two may be."""
        if before is None or self.row.name != "jalr" or before.row.name != "auipc":
            return self
        if before.rd != self.rs1 or before.rd == SINK:
            return self
        return replace(self, known=before.at + (before.immediate << 12) + self.immediate & ~1)


@dataclass
class Block:
    """Instructions that run one after the other, and the places that may follow."""

    place: Place
    instructions: list[Instruction] = field(default_factory=list)
    successors: list[Place] = field(default_factory=list)


@dataclass(frozen=True)
class Lessons:
    """What a region did not know, for the one that takes its place."""

    targets: tuple[int, ...] = ()
    """Offsets that indirect jumps were seen to go to."""
    apart: frozenset[int] = frozenset()
    """Offsets of accesses that, with others, were seen to be in two pages."""


@dataclass
class Graph:
    """A region: its blocks by place, the first of them its entry."""

    blocks: dict[Place, Block]
    returns: tuple[int, ...]
    """Offsets behind calls that the region does not follow with a pending return."""
    lessons: Lessons

    def known(self, jump: Instruction) -> list[Place]:
        """Where an indirect jump without a pending return may go within the region."""
        places = [*(self.returns if jump.is_return else ()), *self.lessons.targets]
        return [(at, ()) for at in dict.fromkeys(places) if (at, ()) in self.blocks]

    @property
    def is_indirect(self) -> bool:
        """Whether it leaves by jumps of which only the run shows where they go."""
        return any(
            block.instructions[-1].is_indirect and not block.place[1]
            for block in self.blocks.values()
        )

    @property
    def is_computed(self) -> bool:
        """Whether it has a jump that is no return and goes where a register says."""
        return any(i.is_indirect and not i.is_return for i in self.instructions())

    def learn(self, seen: list[int]) -> Lessons:
        """What it should have known that was often left for the offsets `seen`.

        An access that leaves may be one of a group in two pages; an indirect jump, one to a place
        that the region does not hold.
        """
        accesses = {i.at for i in self.instructions() if i.row.kind in ACCESSES}
        apart = self.lessons.apart | accesses.intersection(seen)
        jumps = [at for at in seen if at not in accesses] if self.is_indirect else []
        return Lessons(tuple(dict.fromkeys([*self.lessons.targets, *jumps])), apart)

    def said(self) -> str:
        """Everything that its code depends on."""
        blocks = [
            (block.place, [i.slot for i in block.instructions], block.successors)
            for block in self.blocks.values()
        ]
        return repr((blocks, self.returns, self.lessons.targets, sorted(self.lessons.apart)))

    @property
    def size(self) -> int:
        return sum(len(block.instructions) for block in self.blocks.values())

    @property
    def entry(self) -> Place:
        return next(iter(self.blocks))

    def pages(self) -> dict[int, int]:
        """The pages that it covers, by their distance from the entry's; that one is the first."""
        deltas = dict.fromkeys(place[0] >> 12 for place in self.blocks)
        return {delta: number for number, delta in enumerate(deltas)}

    def instructions(self) -> list[Instruction]:
        return [i for block in self.blocks.values() for i in block.instructions]

    def inside(self, place: Place) -> list[Place]:
        """The blocks that may follow a block."""
        block = self.blocks[place]
        last = block.instructions[-1]
        following = list(block.successors)
        if last.is_indirect and not place[1]:
            following += self.known(last)
        return [successor for successor in following if successor in self.blocks]


ENDS = ("if", "jump")
READERS = ("csrrs", "csrrc", "csrrsi", "csrrci")
"""What reads a CSR, and changes nothing when its source is 0."""
FLOAT_CSRS = (NUMBERS["fflags"], NUMBERS["frm"], NUMBERS["fcsr"])
UNTRANSLATED = ("csr", "system")


@cache
def rows_by_operation() -> dict[int, Row]:
    """What regions can do, by the operation numbers of slots."""
    from vnb.cpu.generate import OPERATIONS

    rows = {OPERATIONS[row.constant]: row for row in ROWS}
    for row in BY_NAME.values():
        if (twin := f"C_{row.constant}") in OPERATIONS:
            rows[OPERATIONS[twin]] = row
    return {
        number: row
        for number, row in rows.items()
        if row.kind not in UNTRANSLATED or row.name in READERS
    }


@dataclass(frozen=True)
class Budget:
    """Where a region looks at its budget, and how much it needs there."""

    needs: dict[Place, int]


def budget(graph: Graph) -> Budget:
    """At the entry and at the heads of loops: the longest way from there to the next look."""
    heads = {graph.entry}
    state: dict[Place, bool] = {}  # True while on the way
    stack = [(graph.entry, iter(graph.inside(graph.entry)))]
    state[graph.entry] = True
    while stack:
        place, rest = stack[-1]
        for successor in rest:
            if successor not in state:
                state[successor] = True
                stack.append((successor, iter(graph.inside(successor))))
                break
            if state[successor]:
                heads.add(successor)
        else:
            state[place] = False
            stack.pop()
    lengths: dict[Place, int] = {}

    def length(place: Place) -> int:
        if place not in lengths:
            following = [length(s) for s in graph.inside(place) if s not in heads]
            lengths[place] = len(graph.blocks[place].instructions) + max(following, default=0)
        return lengths[place]

    return Budget({place: length(place) for place in heads})
