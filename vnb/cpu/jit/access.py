"""The memory accesses of a region: through the soft TLB, by the engine where that misses."""

from dataclasses import dataclass

from vnb.cpu.jit.graph import Block, Instruction
from vnb.cpu.jit.lines import LIKELY, Lines
from vnb.cpu.jit.meaning import meaning
from vnb.cpu.state import OFFSETS, SINK, TLB_ENTRIES

READ, WRITE = 1, 2
BOX = 0xFFFFFFFF00000000

WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}


def width(row_rest: str) -> tuple[int, str]:
    """Bytes, and what becomes of a narrow value: `sext`, `zext` or `box` (a single)."""
    letter, digits = row_rest[0], row_rest.lstrip("sf")
    return WIDTHS[digits], {"s": "sext", "f": "box"}.get(letter, "zext")


@dataclass(frozen=True)
class Group:
    """Loads, or stores, of a block by the same value of a register: one look at the TLB will do."""

    number: int
    first: int
    """The lowest offset from the register."""
    last: int
    """The offset of the highest byte."""


MOST_APART = 1024


def groups(block: Block) -> dict[Instruction, Group]:
    """The group of every access that has company."""
    versions: dict[int, int] = {}
    found: dict[tuple[int, int, bool], list[Instruction]] = {}
    for i in block.instructions:
        if i.row.kind in ("load", "fload", "store", "fstore"):
            key = i.rs1, versions.get(i.rs1, 0), i.row.kind.endswith("store")
            found.setdefault(key, []).append(i)
        if "d" in i.row.bits.lower():
            versions[i.rd] = versions.get(i.rd, 0) + 1
    told: dict[Instruction, Group] = {}
    for number, members in enumerate(found.values()):
        first = min(i.immediate for i in members)
        last = max(i.immediate + width(i.row.rest)[0] - 1 for i in members)
        if len(members) > 1 and last - first < MOST_APART:
            told |= dict.fromkeys(members, Group(number, first, last))
    return told


class Accesses(Lines):
    """Loads, stores and atomics."""

    groups: dict[Instruction, Group]
    """Of the block."""
    shared: dict[Group, tuple[str, str]]
    """What the look at the TLB gave, by group: whether it hit, and what to add to addresses."""

    def host(self, i: Instruction, va: str, size: int, access: int, aligned: bool = False) -> str:
        """The address of `va` on the host; leaves before the instruction if there is none."""
        group = self.groups.get(i)
        if group is None:
            hit, data = self.look_up(va, size, access)
        else:
            if group not in self.shared:
                self.shared[group] = self.look_up_all(group, self.register(i.rs1), access)
            hit, data = self.shared[group]
        known, miss, found, same = (self.new(hint) for hint in "kmhg")
        self.emit(f"br i1 {hit}, label %{same}, label %{miss}, {LIKELY}")
        self.label(miss)
        slow = self.miss(i, va, size, access, aligned)
        self.emit(f"br label %{found}")
        self.label(found)
        self.emit(f"br label %{known}")
        self.label(same)
        address = self.value(f"add i64 {va}, {data}")
        self.emit(f"br label %{known}")
        self.label(known)
        return self.value(f"phi i64 [ {slow}, %{found} ], [ {address}, %{same} ]")

    def entry(self, va: str, access: int) -> tuple[str, str]:
        """Where the TLB would know an address, and the page that it knows there."""
        tlb = "%store_tlb" if access == WRITE else "%load_tlb"
        shifted = self.value(f"lshr i64 {va}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        entry = self.value(f"getelementptr i8, ptr {tlb}, i64 {index}")
        return entry, self.value(f"load i64, ptr {entry}")

    def data(self, entry: str) -> str:
        """What an entry adds to an address."""
        place = self.value(f"getelementptr i8, ptr {entry}, i64 8")
        return self.value(f"load i64, ptr {place}")

    def look_up(self, va: str, size: int, access: int) -> tuple[str, str]:
        """Whether the TLB knows an aligned address; what to add to it then."""
        entry, tag = self.entry(va, access)
        wanted = self.value(f"and i64 {va}, {~(0xFFF ^ (size - 1))}")
        return self.value(f"icmp eq i64 {tag}, {wanted}"), self.data(entry)

    def look_up_all(self, group: Group, base: str, access: int) -> tuple[str, str]:
        """Whether the TLB knows the page that all accesses of a group lie in; what to add then.

        That is read at once: another access of the block may miss and take over the entry.
        """
        first = self.value(f"add i64 {base}, {group.first}")
        last = self.value(f"add i64 {base}, {group.last}")
        entry, tag = self.entry(first, access)
        one = self.value(f"icmp eq i64 {tag}, {self.value(f'and i64 {first}, -4096')}")
        other = self.value(f"icmp eq i64 {tag}, {self.value(f'and i64 {last}, -4096')}")
        return self.value(f"and i1 {one}, {other}"), self.data(entry)

    def miss(self, i: Instruction, va: str, size: int, access: int, aligned: bool) -> str:
        """The address on the host as the engine finds it."""
        out = self.way_out(i)
        if aligned:
            low = self.value(f"and i64 {va}, {size - 1}")
            self.demand(self.value(f"icmp eq i64 {low}, 0"), out)
        function = self.word("region_address", "ptr")
        slow = self.value(
            f"call {self.on.sparing} i64 {function}(i64 %state, i64 {va}, i64 {size}, i64 {access})"
        )
        self.demand(self.value(f"icmp ne i64 {slow}, 0"), out)
        return slow

    def read_memory(self, host: str, size: int, extension: str) -> str:
        place = self.value(f"inttoptr i64 {host} to ptr")
        if size == 8:
            return self.value(f"load i64, ptr {place}, align 1")
        narrow = self.value(f"load i{8 * size}, ptr {place}, align 1")
        if extension == "box":
            wide = self.value(f"zext i32 {narrow} to i64")
            return self.value(f"or i64 {wide}, {BOX}")
        return self.value(f"{extension} i{8 * size} {narrow} to i64")

    def write_memory(self, host: str, size: int, value: str) -> None:
        place = self.value(f"inttoptr i64 {host} to ptr")
        if size < 8:
            value = self.value(f"trunc i64 {value} to i{8 * size}")
        self.emit(f"store i{8 * size} {value}, ptr {place}, align 1")

    def effective(self, i: Instruction) -> str:
        """a + i."""
        base = self.register(i.rs1)
        return self.value(f"add i64 {base}, {i.immediate}") if i.immediate else base

    def load(self, i: Instruction) -> None:
        size, extension = width(i.row.rest)
        if i.row.kind == "fload":
            self.need_float(i)
        host = self.host(i, self.effective(i), size, READ)
        value = self.read_memory(host, size, extension)
        if i.row.kind == "fload":
            value = self.value(f"bitcast i64 {value} to double")
        self.set_register(i.rd, value)

    def store(self, i: Instruction) -> None:
        size, _ = width(i.row.rest)
        va = self.effective(i)
        value = self.register(i.rs2)
        if i.row.kind == "fstore":
            self.need_float(i)
            value = self.value(f"bitcast double {value} to i64")
        self.write_memory(self.host(i, va, size, WRITE), size, value)

    def atomic(self, i: Instruction) -> None:
        """lr, sc and amo [unpriv 13]; misaligned ones are the engine's."""
        size, extension = width(i.row.rest.split()[0])
        a, b = self.register(i.rs1), self.register(i.rs2)
        reservation = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS['reservation']}")
        host = self.host(i, a, size, READ if i.row.kind == "lr" else WRITE, aligned=True)
        if i.row.kind == "lr":
            self.emit(f"store i64 {host}, ptr {reservation}")
            self.set_register(i.rd, self.read_memory(host, size, extension))
        elif i.row.kind == "sc":
            self.conditional(i, host, size, reservation, b)
        else:
            m = self.read_memory(host, size, extension)
            if size == 4:
                narrow = self.value(f"trunc i64 {b} to i32")
                b = self.value(f"sext i32 {narrow} to i64")
            self.write_memory(host, size, self.fill(meaning(i.row), {"m": m, "b": b}))
            self.set_register(i.rd, m)

    def conditional(
        self, i: Instruction, host: str, size: int, reservation: str, value: str
    ) -> None:
        reserved = self.value(f"load i64, ptr {reservation}")
        self.emit(f"store i64 0, ptr {reservation}")
        kept = self.value(f"icmp eq i64 {reserved}, {host}")
        yes, after = self.new("y"), self.new("z")
        self.emit(f"br i1 {kept}, label %{yes}, label %{after}")
        self.label(yes)
        self.write_memory(host, size, value)
        self.emit(f"br label %{after}")
        self.label(after)
        failed = self.value(f"xor i1 {kept}, true")
        if i.rd != SINK:
            self.set_register(i.rd, self.value(f"zext i1 {failed} to i64"))
