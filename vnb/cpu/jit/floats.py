"""The float instructions of a region: by the host where that is exact, else by the engine."""

from vnb.cpu.jit.access import Accesses
from vnb.cpu.jit.graph import Instruction
from vnb.cpu.jit.lines import LIKELY
from vnb.cpu.jit.meaning import guard, has_meaning, meaning, ordinary
from vnb.cpu.state import F0, SINK

DYNAMIC = 7
NOT_FAST = 1 << 63
"""The sign of a slot whose rounding mode the host never has, as source/fetch.py sets it."""
X86_EXCEPTIONS = 0x3D
"""Bits of MXCSR: all but the one for subnormal operands."""
CANONICAL_NAN = "0x7FF8000000000000"


def computes(i: Instruction) -> bool:
    """Whether the host's float arithmetic can do an instruction."""
    return i.row.kind in ("float", "fma") and has_meaning(i.row) and "when 1" not in i.row.meaning


def depends_on_frm(i: Instruction) -> bool:
    """Whether the host rounds as frm has it if that is the nearest, and the engine else."""
    return computes(i) and " when " not in i.row.meaning and i.immediate >> 8 & 7 == DYNAMIC


class Floats(Accesses):
    """Arithmetic, comparisons and conversions."""

    def float(self, i: Instruction) -> None:
        """The host's arithmetic where that is exact, else the engine's."""
        self.need_float(i)
        values = self.operands(i)
        if not self.is_possible(i):
            self.soft_float(i, values)
            return
        slow, done = self.new("s"), self.new("f")
        self.set_register(i.rd, self.host_float(i, values, slow))
        if self.is_sure(i):
            return
        self.emit(f"br label %{done}")
        self.label(slow)
        self.soft_float(i, values)
        self.emit(f"br label %{done}")
        self.label(done)
        self.read.pop(i.rd, None)

    def is_possible(self, i: Instruction) -> bool:
        """Whether the host has the operation, and the rounding mode that the slot names."""
        if not has_meaning(i.row) or (i.row.kind == "fma" and not self.on.fma):
            return False
        return " when " in i.row.meaning or i.slot < NOT_FAST

    def is_sure(self, i: Instruction) -> bool:
        """Whether the host never needs the engine for an operation that it has."""
        if " when " in i.row.meaning:
            return i.row.meaning.endswith(" when 1") or (
                self.strict and "when ordd" in i.row.meaning
            )
        return self.strict and i.row.kind != "fma"

    def host_float(self, i: Instruction, values: dict[str, str], slow: str) -> str:
        """The result on the host; goes to `slow` where that may be wrong."""
        if " when " in i.row.meaning:
            if not self.is_sure(i):
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
        """Any result but a NaN is right, and the host notes the exceptions.

        Of NaNs RISC-V has one, and x86 forgets to raise NV when it adds a NaN to 0 × ∞.
        """
        result = self.fill(meaning(i.row), values)
        number = self.value(f"fcmp ord double {result}, {result}")
        if i.row.kind == "fma":
            self.demand(number, slow)
            return result
        good, bad, done = self.new("g"), self.new("n"), self.new("c")
        self.emit(f"br i1 {number}, label %{good}, label %{bad}, {LIKELY}")
        self.label(bad)
        self.emit(f'call void asm sideeffect "", ""()\nbr label %{done}')  # a jump, and no select
        self.label(good)
        self.emit(f"br label %{done}")
        self.label(done)
        return self.value(f"phi double [ {result}, %{good} ], [ {CANONICAL_NAN}, %{bad} ]")

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
        self.value(
            f"call {self.on.sparing} i64 {function}(i64 %state, i64 {i.slot}, {', '.join(words)})"
        )
        if self.strict:  # the engine's own arithmetic is no business of the guest's flags
            self.emit("call void @llvm.x86.sse.ldmxcsr(ptr %mxcsr) #0")
        if i.rd != SINK:
            value = self.value(f"load {self.kind(i.rd)}, ptr {self.state(i.rd)}")
            self.set_register(i.rd, value)

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
        self.value(f"call {self.on.sparing} i64 {function}(i64 %state, i64 {found})")
        self.emit("br label %handed")
        self.label("handed")
