"""What a region's text is written with: lines, names, guest registers and ways out."""

from dataclasses import dataclass

from vnb.cpu.jit.graph import Instruction
from vnb.cpu.jit.meaning import Template
from vnb.cpu.jit.strict import declares, strict
from vnb.cpu.state import F0, OFFSETS, SINK

ALL_ONES = "bitcast (<4 x i32> <i32 -1, i32 -1, i32 -1, i32 -1> to <4 x float>)"
"""A box without its single; the upper half is never looked at."""
LIKELY = "!prof !0"
METADATA = '!0 = !{!"branch_weights", i32 2000, i32 1}\n'


@dataclass(frozen=True)
class Host:
    """What a region must know of the processor that it is for."""

    sparing: str
    """The calling convention of the engine's functions."""
    chained: str
    """That of regions, which saves no registers: nothing is in them when a region is entered."""
    x86: bool
    fma: bool


class Lines:
    """A function under construction; `cold` collects what rarely runs.

    Within a block, `left` is the budget that it began with and `done` counts instructions before
    the one being written. A register is read from its variable once in a block. `singles` are the
    numbers in registers that hold some, `boxed` the registers that surely hold boxed singles, and
    `unsettled` those that may hold another NaN than the canonical one.
    `float_word`: the word of machine state without which floats of the block are not done, and
    `assured` those without which the region is not entered.
    """

    def __init__(self, host: Host, strict: bool) -> None:
        self.on, self.strict = host, strict
        self.lines: list[str] = []
        self.cold: list[str] = []
        self.declares: set[str] = set()
        self.count = 0
        self.used: dict[int, None] = {}
        self.changed: dict[int, None] = {}
        self.assured: set[str] = set()
        self.begin_block()

    def begin_block(self) -> None:
        """Forget what held in the block before."""
        self.read: dict[int, str] = {}
        self.singles: dict[int, str] = {}
        self.boxed: set[int] = set()
        self.unsettled: set[int] = set()
        self.flags: dict[str, str] = {}
        self.left = self.after = ""
        self.done = 0
        self.float_seen = False
        self.float_word = "float_on"

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
        self.singles.pop(register, None)
        self.boxed.discard(register)
        self.unsettled.discard(register)
        self.emit(f"store {self.kind(register)} {value}, ptr %r{register}")

    def single(self, register: int) -> str:
        """The number in the low half of a float register."""
        if register not in self.singles:
            wide = self.value(
                f"insertelement <2 x double> poison, double {self.register(register)}, i64 0"
            )
            lanes = self.value(f"bitcast <2 x double> {wide} to <4 x float>")
            self.singles[register] = self.value(f"extractelement <4 x float> {lanes}, i64 0")
        return self.singles[register]

    def set_single(self, register: int, value: str) -> None:
        """A register gets a boxed single."""
        lanes = self.value(f"insertelement <4 x float> {ALL_ONES}, float {value}, i64 0")
        wide = self.value(f"bitcast <4 x float> {lanes} to <2 x double>")
        self.set_register(register, self.value(f"extractelement <2 x double> {wide}, i64 0"))
        self.singles[register] = value
        self.boxed.add(register)

    def state(self, register: int) -> str:
        """Where machine state keeps a register."""
        return self.value(f"getelementptr i8, ptr %S, i64 {8 * register}")

    def sources(self, i: Instruction) -> dict[str, str]:
        """What its source registers hold."""
        registers = {"a": i.rs1, "b": i.rs2, "c": i.rs3}
        bits = i.row.bits.lower()
        return {letter: self.register(r) for letter, r in registers.items() if letter in bits}

    def operands(self, i: Instruction) -> dict[str, str]:
        values = {"i": str(i.immediate)} | self.sources(i)
        for letter, register in zip(i.row.singles, i.singles, strict=True):
            values[letter] = self.single(register)
        if "pc" in i.row.meaning:
            values["pc"] = self.address(i.at)
        return values

    def fill(self, template: Template, values: dict[str, str]) -> str:
        """Write out a template; the name of its result."""
        text, result = template.fill(self.new("m"), values)
        self.declares |= template.declares
        if self.strict:
            text = strict(text)
            self.declares |= declares(text)
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

    def way_out(self, i: Instruction, starved: bool = False) -> str:
        """The label of cold code that leaves before an instruction; `starved`: it lacks budget."""
        label = self.new("x")
        done = self.done
        lines, self.lines = self.lines, []
        self.label(label)
        if starved:
            place = self.value(f"getelementptr i8, ptr %S, i64 {OFFSETS['region_refused']}")
            self.emit(f"store i64 1, ptr {place}")
        left = self.value(f"sub i64 {self.left}, {done}")
        self.leave(self.address(i.at), left)
        self.cold += self.lines
        self.lines = lines
        return label

    def demand(self, condition: str, otherwise: str) -> None:
        """Go on only if a condition holds."""
        label = self.new("g")
        self.emit(f"br i1 {condition}, label %{label}, label %{otherwise}, {LIKELY}")
        self.label(label)

    def need_float(self, i: Instruction) -> None:
        """Once a block: FS is dirty and frm as it should be, or the engine sees to it."""
        if not self.float_seen and not self.assured & {self.float_word, "float_nearest"}:
            self.float_seen = True
            self.demand(self.value(f"icmp ne i64 {self.word(self.float_word)}, 0"), self.way_out(i))
