"""The memory accesses of a region: through the soft TLB, by the engine where that misses."""

from collections.abc import Callable
from dataclasses import dataclass

from vnb.cpu.jit.graph import ACCESSES, WRITE, Block, Instruction
from vnb.cpu.jit.lines import LIKELY
from vnb.cpu.jit.meaning import meaning
from vnb.cpu.jit.nans import Nans, shown
from vnb.cpu.state import OFFSETS, SINK, TLB_ENTRIES

ATOMIC = ("lr", "sc", "amo")
"""Kinds whose address is a register as it is."""

WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}


def width(row_rest: str) -> tuple[int, str]:
    """Bytes, and what becomes of a narrow value: `sext`, `zext` or `box` (a single)."""
    letter, digits = row_rest[0], row_rest.lstrip("sf")
    return WIDTHS[digits], {"s": "sext", "f": "box"}.get(letter, "zext")


@dataclass(frozen=True)
class Group:
    """Loads, or stores, of a block by the same value of a register: one look at the TLB will do."""

    number: int
    base: int
    """The register."""
    access: int
    first: int
    """The lowest offset from the register."""
    size: int
    """Bytes from there to the end of the last of them."""

    @property
    def key(self) -> tuple[int, int]:
        """Groups with the same key share what a loop keeps of a page."""
        return self.base, self.access


MOST_APART = 1024


def groups(block: Block, apart: frozenset[int]) -> dict[Instruction, Group]:
    """The group of every access; atomics have one each, and so do those with one of `apart`."""
    versions: dict[int, int] = {}
    found: dict[tuple[int, ...], list[Instruction]] = {}
    for i in block.instructions:
        if (access := ACCESSES.get(i.row.kind)) is not None:
            key = i.rs1, access, versions.get(i.rs1, 0), i.at if i.row.kind in ATOMIC else -1
            found.setdefault(key, []).append(i)
        if "d" in i.row.bits:
            versions[i.rd] = versions.get(i.rd, 0) + 1
    told: dict[Instruction, Group] = {}
    for (base, access, *_), members in found.items():
        near = _reach(members)[1] <= MOST_APART and not any(i.at in apart for i in members)
        for together in (members,) if near else ([i] for i in members):
            group = Group(len(told), base, access, *_reach(together))
            told |= dict.fromkeys(together, group)
    return told


def _reach(members: list[Instruction]) -> tuple[int, int]:
    """The lowest offset of accesses, and how many bytes there are up to the end of the last."""
    offsets = [0 if i.row.kind in ATOMIC else i.immediate for i in members]
    ends = [at + width(i.row.rest.split()[0])[0] for at, i in zip(offsets, members, strict=True)]
    return min(offsets), max(ends) - min(offsets)


def kept_names(key: tuple[int, int]) -> tuple[str, str, str]:
    """The variables in which a loop keeps a page, what to add to addresses in it, and its room."""
    name = "{}{}".format(*key)
    return f"%page{name}", f"%data{name}", f"%room{name}"


class Accesses(Nans):
    """Loads, stores and atomics.

    A loop keeps, by register, the page that was found last, what to add to addresses in it, and how
    much room there is for the first byte of a group: none until a page was found.
    """

    groups: dict[Instruction, Group]
    """Of the block."""
    found: dict[Group, str]
    """Where the first byte of a group is on the host."""
    kept: dict[tuple[int, int], int]
    """The size of the largest group by its key, of groups in loops whose register is steady."""
    steady: frozenset[int]
    """The steady registers of the block, if it is in a loop."""

    def host(self, i: Instruction) -> str:
        """Where an access is on the host; leaves before the instruction if there is no such place.

        What was found holds to the end of the block, whatever other accesses miss in between.
        """
        group = self.groups[i]
        if group not in self.found:
            base = self.register(group.base)
            first = self.value(f"add i64 {base}, {group.first}") if group.first else base
            self.found[group] = self.find(i, group, first)
        distance = 0 if i.row.kind in ATOMIC else i.immediate - group.first
        return self.value(f"getelementptr i8, ptr {self.found[group]}, i64 {distance}")

    def find(self, i: Instruction, group: Group, first: str) -> str:
        """The page that the loop keeps, else the one in the TLB, else what the engine finds."""

        def engine() -> str:
            return self.miss(i, group, first)

        def tlb() -> str:
            return self.near(self.look_up(group, first), first, otherwise=engine)

        def another() -> str:
            host = tlb()
            self.keep(group, first, host)
            return host

        if group.base in self.steady:
            address = self.near(self.recall(group, first), first, otherwise=another)
        else:
            address = tlb()
        return self.value(f"inttoptr i64 {address} to ptr")

    def near(self, looked: tuple[str, str], first: str, otherwise: Callable[[], str]) -> str:
        """`first` on the host: by what to add to it if it is known, or some other way."""
        known, data = looked
        yes, no, came, done = (self.new(hint) for hint in "gmhk")
        self.emit(f"br i1 {known}, label %{yes}, label %{no}, {LIKELY}")
        self.label(no)
        other = otherwise()
        self.emit(f"br label %{came}")
        self.label(came)
        self.emit(f"br label %{done}")
        self.label(yes)
        address = self.value(f"add i64 {first}, {data}")
        self.emit(f"br label %{done}")
        self.label(done)
        return self.value(f"phi i64 [ {other}, %{came} ], [ {address}, %{yes} ]")

    def look_up(self, group: Group, first: str) -> tuple[str, str]:
        """Whether the TLB knows the page that a group lies in; what to add to addresses then.

        The entry is that of the first byte, the page that of the last: no other page is there.
        """
        tlb = "%store_tlb" if group.access == WRITE else "%load_tlb"
        shifted = self.value(f"lshr i64 {first}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        entry = self.value(f"getelementptr i8, ptr {tlb}, i64 {index}")
        tag = self.value(f"load i64, ptr {entry}")
        place = self.value(f"getelementptr i8, ptr {entry}, i64 8")
        last = self.value(f"add i64 {first}, {group.size - 1}")
        page = self.value(f"and i64 {last}, -4096")
        return self.value(f"icmp eq i64 {tag}, {page}"), self.value(f"load i64, ptr {place}")

    def recall(self, group: Group, first: str) -> tuple[str, str]:
        """Whether a group lies in the page that the loop keeps; what to add to addresses then."""
        page, data, room = (self.value(f"load i64, ptr {name}") for name in kept_names(group.key))
        offset = self.value(f"sub i64 {first}, {page}")
        return self.value(f"icmp ult i64 {offset}, {room}"), data

    def keep(self, group: Group, first: str, host: str) -> None:
        """Keep the page of a group that was found."""
        page = self.value(f"and i64 {first}, -4096")
        data = self.value(f"sub i64 {host}, {first}")
        room = 4097 - self.kept[group.key]
        for name, value in zip(kept_names(group.key), (page, data, room), strict=True):
            self.emit(f"store i64 {value}, ptr {name}")

    def miss(self, i: Instruction, group: Group, first: str) -> str:
        """The address on the host as the engine finds it."""
        function = self.word("region_address", "ptr")
        arguments = f"i64 %state, i64 {first}, i64 {group.size}, i64 {group.access}"
        slow = self.value(f"call {self.on.sparing} i64 {function}({arguments})")
        self.demand(self.value(f"icmp ne i64 {slow}, 0"), self.way_out(i))
        return slow

    def read_memory(self, place: str, size: int, extension: str) -> str:
        if size == 8:
            return self.value(f"load i64, ptr {place}, align 1")
        narrow = self.value(f"load i{8 * size}, ptr {place}, align 1")
        return self.value(f"{extension} i{8 * size} {narrow} to i64")

    def write_memory(self, place: str, size: int, value: str) -> None:
        if size < 8:
            value = self.value(f"trunc i64 {value} to i{8 * size}")
        self.emit(f"store i{8 * size} {value}, ptr {place}, align 1")

    def load(self, i: Instruction) -> None:
        size, extension = width(i.row.rest)
        if i.row.kind == "load":
            self.set_register(i.rd, self.read_memory(self.host(i), size, extension))
            return
        self.need_float(i)
        kind, put = ("double", self.set_register) if size == 8 else ("float", self.set_single)
        put(i.rd, self.value(f"load {kind}, ptr {self.host(i)}, align 1"))

    def store(self, i: Instruction) -> None:
        size, _ = width(i.row.rest)
        if i.row.kind == "store":
            value = self.register(i.rs2)
            self.write_memory(self.host(i), size, value)
            return
        self.need_float(i)
        self.settle(shown(i))
        kind, get = ("double", self.register) if size == 8 else ("float", self.single)
        value = get(i.rs2)
        self.emit(f"store {kind} {value}, ptr {self.host(i)}, align 1")

    def atomic(self, i: Instruction) -> None:
        """lr, sc and amo [unpriv 13]; misaligned ones are the engine's."""
        size, extension = width(i.row.rest.split()[0])
        a, b = self.register(i.rs1), self.register(i.rs2)
        low = self.value(f"and i64 {a}, {size - 1}")
        self.demand(self.value(f"icmp eq i64 {low}, 0"), self.way_out(i))
        reservation = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS['reservation']}")
        place = self.host(i)
        host = self.value(f"ptrtoint ptr {place} to i64")
        if i.row.kind == "lr":
            self.emit(f"store i64 {host}, ptr {reservation}")
            self.set_register(i.rd, self.read_memory(place, size, extension))
        elif i.row.kind == "sc":
            reserved = self.value(f"load i64, ptr {reservation}")
            self.emit(f"store i64 0, ptr {reservation}")
            self.conditional(i, self.value(f"icmp eq i64 {reserved}, {host}"), place, size, b)
        else:
            m = self.read_memory(place, size, extension)
            if size == 4:
                narrow = self.value(f"trunc i64 {b} to i32")
                b = self.value(f"sext i32 {narrow} to i64")
            self.write_memory(place, size, self.fill(meaning(i.row), {"m": m, "b": b}))
            self.set_register(i.rd, m)

    def conditional(self, i: Instruction, kept: str, place: str, size: int, value: str) -> None:
        """Store if the reservation was kept; the result is 0 then."""
        yes, after = self.new("y"), self.new("z")
        self.emit(f"br i1 {kept}, label %{yes}, label %{after}")
        self.label(yes)
        self.write_memory(place, size, value)
        self.emit(f"br label %{after}")
        self.label(after)
        failed = self.value(f"xor i1 {kept}, true")
        if i.rd != SINK:
            self.set_register(i.rd, self.value(f"zext i1 {failed} to i64"))
