"""From the graph of a region to LLVM text: one function, guest registers in its variables.

    i64 region(ptr record, ptr S, i64 left)   stores pc and returns what is left of the budget

Every address is `origin`, the virtual address of the entry's page, plus an offset known now. A way
out stores the registers that the region may have changed; the way out of an instruction that the
engine has to do leaves everything as it was before that instruction.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vnb.cpu.jit.access import Accesses, Group, groups
from vnb.cpu.jit.graph import ENDS, Block, Graph, Instruction, Place, budget
from vnb.cpu.jit.meaning import Template, guard, has_meaning, meaning, ordinary
from vnb.cpu.jit.strict import DECLARES, strict
from vnb.cpu.state import F0, OFFSETS, SINK, TLB_ENTRIES

LIKELY = "!prof !0"
METADATA = '!0 = !{!"branch_weights", i32 2000, i32 1}\n'
RETURNS_COMPARED = 6
NOT_FAST = 1 << 63
X86_EXCEPTIONS = 0x3D
"""Bits of MXCSR: all but the one for subnormal operands."""


@dataclass(frozen=True)
class Host:
    """What a region must know of the processor that it is for."""

    sparing: str
    """The calling convention of the engine's functions."""
    x86: bool
    fma: bool


def _computes(i: Instruction) -> bool:
    """Whether an instruction is one that the host's float arithmetic can do."""
    return i.row.kind in ("float", "fma") and has_meaning(i.row) and "when 1" not in i.row.meaning


class Writer(Accesses):
    """Writes the function of one region, block by block; `cold` collects what rarely runs."""

    def __init__(self, graph: Graph, host: Host) -> None:
        self.graph, self.host_is, self.sparing = graph, host, host.sparing
        self.strict = host.x86 and any(_computes(i) for i in graph.instructions())
        self.lines: list[str] = []
        self.cold: list[str] = []
        self.declares: set[str] = set()
        self.labels = {place: f"b{number}" for number, place in enumerate(graph.blocks)}
        self.needs = budget(graph).needs
        self.pages: dict[int, int] = {graph.entry[0] >> 12: 0}
        self.count = 0
        self.read: dict[int, str] = {}
        self.used: dict[int, None] = {}
        self.changed: dict[int, None] = {}
        self.left = ""
        self.done = 0
        self.after = ""
        self.flags: dict[str, str] = {}
        self.float_seen = False
        self.groups: dict[Instruction, Group] = {}
        self.shared: dict[Group, tuple[str, str]] = {}

    # names ------------------------------------------------------------------------------------

    def new(self, hint: str = "t") -> str:
        self.count += 1
        return f"{hint}{self.count}"

    def emit(self, line: str) -> None:
        self.lines.append(line)

    def value(self, expression: str) -> str:
        name = "%" + self.new()
        self.lines.append(f"{name} = {expression}")
        return name

    def word(self, name: str, kind: str = "i64") -> str:
        """Load a word of machine state."""
        place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS[name]}")
        return self.value(f"load {kind}, ptr {place}")

    def label(self, name: str) -> None:
        self.lines.append(f"{name}:")

    # registers --------------------------------------------------------------------------------

    def kind(self, register: int) -> str:
        return "double" if register >= F0 else "i64"

    def register(self, register: int) -> str:
        """The value of a register."""
        if register == 0:
            return "0"
        if register not in self.read:
            self.used[register] = None
            self.read[register] = self.value(f"load {self.kind(register)}, ptr %r{register}")
        return self.read[register]

    def set_register(self, register: int, value: str) -> None:
        if register == SINK:
            return
        self.used[register] = self.changed[register] = None
        self.read[register] = value
        self.emit(f"store {self.kind(register)} {value}, ptr %r{register}")

    def state(self, register: int) -> str:
        """Where machine state keeps a register."""
        return self.value(f"getelementptr i8, ptr %S, i64 {8 * register}")

    def operands(self, i: Instruction) -> dict[str, str]:
        bits = i.row.bits
        values = {"i": str(i.immediate)}
        if "a" in bits.lower():
            values["a"] = self.register(i.rs1)
        if "b" in bits.lower():
            values["b"] = self.register(i.rs2)
        if "C" in bits:
            values["c"] = self.register(F0 + (i.immediate & 31))
        if "pc" in i.row.meaning:
            values["pc"] = self.address(i.at)
        return values

    def fill(self, template: Template, values: dict[str, str]) -> str:
        """Write out a template; the name of its result."""
        text, result = template.fill(self.new("m"), values)
        if self.strict:
            text = strict(text)
        self.declares |= template.declares
        if text:
            self.emit(text.rstrip("\n"))
        return result

    # ways out ---------------------------------------------------------------------------------

    def address(self, at: int) -> str:
        return self.value(f"add i64 %origin, {at}")

    def leave(self, pc: str, left: str) -> None:
        """Leave for the run loop from here."""
        self.emit(f"store i64 {pc}, ptr %next")
        self.emit(f"store i64 {left}, ptr %left")
        self.emit("br label %leave")

    def way_out(self, i: Instruction) -> str:
        """The label of cold code that leaves before an instruction."""
        label = self.new("x")
        done = self.done
        lines, self.lines = self.lines, []
        self.label(label)
        left = self.value(f"sub i64 {self.left}, {done}")
        self.leave(self.address(i.at), left)
        self.cold += self.lines
        self.lines = lines
        return label

    def go(self, at: int, target: Place) -> None:
        """Go on at a place, in another block or outside."""
        if target not in self.labels:
            self.leave(self.address(target[0]), self.after)
            return
        if target[0] >> 12 != at >> 12:
            self.cross(target)
        self.emit(f"br label %{self.labels[target]}")

    def cross(self, target: Place) -> None:
        """Another page: the fetch TLB must say that it still is the one that was translated."""
        delta = target[0] >> 12
        number = self.pages.setdefault(delta, len(self.pages))
        page = self.address(delta << 12)
        shifted = self.value(f"lshr i64 {page}, 8")
        index = self.value(f"and i64 {shifted}, {(TLB_ENTRIES - 1) << 4}")
        entry = self.value(f"getelementptr i8, ptr %fetch_tlb, i64 {index}")
        tag = self.value(f"load i64, ptr {entry}")
        data = self.value(f"getelementptr i8, ptr {entry}, i64 8")
        data = self.value(f"load i64, ptr {data}")
        place = self.value(f"getelementptr i8, ptr %record, i64 {16 + 8 * number}")
        expected = self.value(f"load i64, ptr {place}")
        slots = self.value(f"shl i64 {page}, 2")
        found = self.value(f"add i64 {data}, {slots}")
        known = self.value(f"icmp eq i64 {tag}, {page}")
        same = self.value(f"icmp eq i64 {found}, {expected}")
        both = self.value(f"and i1 {known}, {same}")
        yes, no = self.new("p"), self.new("x")
        self.emit(f"br i1 {both}, label %{yes}, label %{no}, {LIKELY}")
        self.label(no)
        self.leave(self.address(target[0]), self.after)
        self.label(yes)

    # blocks -----------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        place, count = block.place, len(block.instructions)
        self.read = {}
        self.label(self.labels[place])
        self.left = self.value("load i64, ptr %left")
        self.done = 0
        if place in self.needs:
            enough = self.value(f"icmp uge i64 {self.left}, {self.needs[place]}")
            self.demand(enough, self.way_out(block.instructions[0]))
        self.after = self.value(f"sub i64 {self.left}, {count}")
        self.emit(f"store i64 {self.after}, ptr %left")
        self.flags = {}
        self.float_seen = False
        self.groups, self.shared = groups(block), {}
        for i in block.instructions:
            if i.row.kind in ENDS:
                self.end(i, block)
                return
            self.instruction(i)
            self.done += 1
        self.go(i.at, block.successors[0])

    def instruction(self, i: Instruction) -> None:
        kind = i.row.kind
        if kind == "d":
            if i.rd != SINK:
                self.set_register(i.rd, self.fill(meaning(i.row), self.operands(i)))
        elif kind in ("load", "fload"):
            self.load(i)
        elif kind in ("store", "fstore"):
            self.store(i)
        elif kind in ("lr", "sc", "amo"):
            self.atomic(i)
        else:
            self.float(i)

    def end(self, i: Instruction, block: Block) -> None:
        if i.row.kind == "if":
            condition = self.fill(meaning(i.row), self.operands(i))
            taken, other = self.new("y"), self.new("n")
            self.emit(f"br i1 {condition}, label %{taken}, label %{other}")
            for label, successor in zip((taken, other), block.successors, strict=True):
                self.label(label)
                self.go(i.at, successor)
            return
        if i.row.name == "jal":
            self.set_register(i.rd, self.address(i.after))
            self.go(i.at, block.successors[0])
            return
        target = self.fill(meaning(i.row), self.operands(i))
        self.set_register(i.rd, self.address(i.after))
        self.jump(i, block, target)

    def jump(self, i: Instruction, block: Block, target: str) -> None:
        """An indirect jump: compare it with where returns go, else let the run loop find out."""
        places: list[Place] = []
        if i.is_return:
            pending = block.place[1]
            known = block.successors if pending else [(at, ()) for at in self.graph.returns]
            places = [p for p in known if p in self.labels][:RETURNS_COMPARED]
        for place in places:
            same = self.value(f"icmp eq i64 {target}, {self.address(place[0])}")
            yes, no = self.new("y"), self.new("n")
            self.emit(f"br i1 {same}, label %{yes}, label %{no}")
            self.label(yes)
            self.go(i.at, place)
            self.label(no)
        self.leave(target, self.after)

    # floating point ---------------------------------------------------------------------------

    def need_float(self, i: Instruction) -> None:
        """Once a block: FS is dirty and frm legal, or the engine sees to it."""
        if not self.float_seen:
            self.float_seen = True
            self.demand(self.value(f"icmp ne i64 {self.word('float_on')}, 0"), self.way_out(i))

    def demand(self, condition: str, otherwise: str) -> None:
        """Go on only if a condition holds."""
        label = self.new("g")
        self.emit(f"br i1 {condition}, label %{label}, label %{otherwise}, {LIKELY}")
        self.label(label)

    def float(self, i: Instruction) -> None:
        """The host's arithmetic where that is exact, else the engine's."""
        self.need_float(i)
        values = self.operands(i)
        condition = i.row.meaning.partition(" when ")[2]
        if condition == "1":
            self.set_register(i.rd, self.fill(meaning(i.row), values))
            return
        done = self.new("f")
        possible = self.host_is.fma or i.row.kind != "fma"
        if has_meaning(i.row) and possible and (condition or i.slot < NOT_FAST):
            slow = self.new("s")
            self.set_register(i.rd, self.host_float(i, values, slow))
            self.emit(f"br label %{done}")
            self.label(slow)
        self.soft_float(i, values)
        self.emit(f"br label %{done}")
        self.label(done)
        self.read.pop(i.rd, None)

    def host_float(self, i: Instruction, values: dict[str, str], slow: str) -> str:
        """The result on the host; goes to `slow` where that may be wrong."""
        if "when ordd" in i.row.meaning and self.strict:
            return self.fill(meaning(i.row), values)
        if " when " in i.row.meaning:
            self.demand(self.fill(guard(i.row), values), slow)
            return self.fill(meaning(i.row), values)
        if self.strict:
            return self.strict_float(i, values, slow)
        flag = "fma_fast" if i.row.kind == "fma" else "float_fast"
        if flag not in self.flags:
            self.flags[flag] = self.value(f"icmp ne i64 {self.word(flag)}, 0")
        self.demand(self.flags[flag], slow)
        result = self.fill(meaning(i.row), values)
        self.demand(self.fill(ordinary(), {"result": result}), slow)
        return result

    def strict_float(self, i: Instruction, values: dict[str, str], slow: str) -> str:
        """Any result but a NaN is right, and the host notes the exceptions."""
        if i.immediate >> 8 & 7 and "frm" not in self.flags:
            self.flags["frm"] = self.value(f"icmp eq i64 {self.word('frm')}, 0")
        if i.immediate >> 8 & 7:
            self.demand(self.flags["frm"], slow)
        result = self.fill(meaning(i.row), values)
        self.demand(self.value(f"fcmp ord double {result}, {result}"), slow)
        return result

    def soft_float(self, i: Instruction, values: dict[str, str]) -> None:
        """A call of the engine, which reads the third operand from, and writes to, its state."""
        words = []
        for letter in "ab":
            value = values.get(letter, "0")
            if letter.upper() in i.row.bits:
                value = self.value(f"bitcast double {value} to i64")
            words.append(f"i64 {value}")
        if "c" in values:
            place = self.state(F0 + (i.immediate & 31))
            self.emit(f"store double {values['c']}, ptr {place}")
        if self.strict:
            self.emit("call void @llvm.x86.sse.stmxcsr(ptr %mxcsr) #0")
        function = self.word("region_float", "ptr")
        self.value(f"call {self.sparing} i64 {function}(i64 %state, i64 {i.slot}, {', '.join(words)})")
        if self.strict:  # the engine's own arithmetic is no business of the guest's flags
            self.emit("call void @llvm.x86.sse.ldmxcsr(ptr %mxcsr) #0")
        if i.rd != SINK:
            value = self.value(f"load {self.kind(i.rd)}, ptr {self.state(i.rd)}")
            self.set_register(i.rd, value)

    # the whole --------------------------------------------------------------------------------

    def write(self, breathe: Callable[[], None] = lambda: None) -> str:
        """The whole function; `breathe` is called now and then, for others to take the GIL."""
        for block in self.graph.blocks.values():
            self.block(block)
            breathe()
        body = self.lines + self.cold
        self.lines = []
        self.prologue()
        self.lines += body
        self.epilogue()
        declares = "\n".join(sorted(self.declares | (DECLARES if self.strict else set())))
        return f"{declares}\n" + "\n".join(self.lines) + "\n" + METADATA

    def prologue(self) -> None:
        attribute = " #0" if self.strict else ""
        self.emit(f"define i64 @region(ptr %record, ptr noalias %S, i64 %budget){attribute} {{")
        self.emit("entry:\n%left = alloca i64\n%next = alloca i64\n%state = ptrtoint ptr %S to i64")
        pc = self.word("pc")
        self.emit(f"%origin = sub i64 {pc}, {self.graph.entry[0]}")
        for tlb in ("load_tlb", "store_tlb", "fetch_tlb"):
            place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS[tlb]}")
            self.emit(f"%{tlb} = load ptr, ptr {place}")
        self.emit("store i64 %budget, ptr %left")
        for register in self.used:
            kind = self.kind(register)
            self.emit(f"%r{register} = alloca {kind}")
            value = self.value(f"load {kind}, ptr {self.state(register)}")
            self.emit(f"store {kind} {value}, ptr %r{register}")
        if self.strict:
            self.emit("%mxcsr = alloca i64")
            self.emit(f"store i64 {self.word('mxcsr')}, ptr %mxcsr")
            self.emit("call void @llvm.x86.sse.ldmxcsr(ptr %mxcsr) #0")
        self.emit(f"br label %{self.labels[self.graph.entry]}")

    def hand_flags_over(self) -> None:
        """Tell the engine of exceptions that it does not know of."""
        self.emit("store i64 0, ptr %mxcsr\ncall void @llvm.x86.sse.stmxcsr(ptr %mxcsr) #0")
        found = self.value("load i64, ptr %mxcsr")
        changed = self.value(f"xor i64 {found}, {self.word('mxcsr')}")
        changed = self.value(f"and i64 {changed}, {X86_EXCEPTIONS}")
        known = self.value(f"icmp eq i64 {changed}, 0")
        self.emit(f"br i1 {known}, label %handed, label %news, {LIKELY}")
        self.label("news")
        function = self.word("region_flags", "ptr")
        self.value(f"call {self.sparing} i64 {function}(i64 %state, i64 {found})")
        self.emit("br label %handed")
        self.label("handed")

    def epilogue(self) -> None:
        self.label("leave")
        for register in self.changed:
            kind = self.kind(register)
            value = self.value(f"load {kind}, ptr %r{register}")
            self.emit(f"store {kind} {value}, ptr {self.state(register)}")
        if self.strict:
            self.hand_flags_over()
        pc = self.value("load i64, ptr %next")
        place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS['pc']}")
        self.emit(f"store i64 {pc}, ptr {place}")
        self.emit(f"ret i64 {self.value('load i64, ptr %left')}\n}}")
