"""The memory accesses of a region: through the soft TLB, by the engine where that misses."""

from vnb.cpu.jit.graph import Instruction
from vnb.cpu.jit.meaning import Template, meaning
from vnb.cpu.state import OFFSETS, SINK, TLB_ENTRIES

READ, WRITE = 1, 2
BOX = 0xFFFFFFFF00000000

WIDTHS = {"8": 1, "16": 2, "32": 4, "64": 8}


def width(row_rest: str) -> tuple[int, str]:
    """Bytes, and what becomes of a narrow value: `sext`, `zext` or `box` (a single)."""
    letter, digits = row_rest[0], row_rest.lstrip("sf")
    return WIDTHS[digits], {"s": "sext", "f": "box"}.get(letter, "zext")


class Accesses:
    """Loads, stores and atomics; what they write with comes from `text.Writer`."""

    sparing: str
    count: int

    def emit(self, line: str) -> None: ...
    def label(self, name: str) -> None: ...
    def new(self, hint: str = "t") -> str: ...
    def value(self, expression: str) -> str: ...
    def need_float(self, i: Instruction) -> None: ...
    def demand(self, condition: str, otherwise: str) -> None: ...
    def word(self, name: str, kind: str = "i64") -> str: ...
    def register(self, register: int) -> str: ...
    def set_register(self, register: int, value: str) -> None: ...
    def way_out(self, i: Instruction) -> str: ...
    def fill(self, template: Template, values: dict[str, str]) -> str: ...

    def host(self, i: Instruction, va: str, size: int, access: int, aligned: bool = False) -> str:
        """A pointer to where `va` lies on the host; leaves before the instruction if it cannot."""
        tlb = "%store_tlb" if access == WRITE else "%load_tlb"
        hit, miss, found, known = (self.new(hint) for hint in "hmhg")
        shifted = self.value(f"lshr i64 {va}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        entry = self.value(f"getelementptr i8, ptr {tlb}, i64 {index}")
        tag = self.value(f"load i64, ptr {entry}")
        wanted = self.value(f"and i64 {va}, {~(0xFFF ^ (size - 1))}")
        same = self.value(f"icmp eq i64 {tag}, {wanted}")
        self.emit(f"br i1 {same}, label %{hit}, label %{miss}, !prof !0")
        self.label(miss)
        out = self.way_out(i)
        if aligned:
            low = self.value(f"and i64 {va}, {size - 1}")
            even = self.value(f"icmp eq i64 {low}, 0")
            self.demand(even, out)
        function = self.word("region_address", "ptr")
        slow = self.value(
            f"call {self.sparing} i64 {function}"
            f"(i64 %state, i64 {va}, i64 {size}, i64 {access})"
        )
        fine = self.value(f"icmp ne i64 {slow}, 0")
        self.emit(f"br i1 {fine}, label %{found}, label %{out}, !prof !0")
        self.label(found)
        self.emit(f"br label %{known}")
        self.label(hit)
        data = self.value(f"getelementptr i8, ptr {entry}, i64 8")
        data = self.value(f"load i64, ptr {data}")
        fast = self.value(f"add i64 {va}, {data}")
        self.emit(f"br label %{known}")
        self.label(known)
        return self.value(f"phi i64 [ {slow}, %{found} ], [ {fast}, %{hit} ]")

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
