"""The float instructions of a region: by the host where that is exact, else by the engine."""

from vnb.cpu.isa import Row
from vnb.cpu.jit.access import Accesses
from vnb.cpu.jit.graph import NOT_FAST, Instruction
from vnb.cpu.jit.lines import LIKELY
from vnb.cpu.jit.meaning import FLOATS, guard, has_meaning, meaning, ordinary
from vnb.cpu.jit.nans import is_lazy, shown
from vnb.cpu.state import SINK

DYNAMIC = 7
X86_EXCEPTIONS = 0x3D
"""Bits of MXCSR: all but the one for subnormal operands."""


def computes(i: Instruction) -> bool:
    """Whether the host's float arithmetic can do an instruction."""
    row = i.row
    return row.kind in FLOATS and has_meaning(row) and not (row.is_exact and row.guard == "1")


def is_float(i: Instruction) -> bool:
    """Whether an instruction wants FS to be on [priv 3.1.6.6]."""
    return i.row.kind in ("fload", "fstore", *FLOATS)


def depends_on_frm(i: Instruction) -> bool:
    """Whether the host rounds as frm has it if that is the nearest, and the engine else."""
    rounded = computes(i) and i.row.rounds and not i.row.is_exact
    return rounded and i.slot < NOT_FAST and i.immediate >> 8 & 7 == DYNAMIC


class Floats(Accesses):
    """Arithmetic, comparisons and conversions."""

    def float(self, i: Instruction) -> None:
        """The host's arithmetic where that is exact, else the engine's."""
        self.need_float(i)
        self.settle(shown(i))
        self.need_boxed(i)
        sources, values = self.sources(i), self.operands(i)
        if not self.is_possible(i):
            self.soft_float(i, sources)
            return
        slow, done = self.new("s"), self.new("f")
        put = self.set_single if i.row.result == "s" else self.set_register
        put(i.rd, self.host_float(i, values, slow))
        if self.strict and is_lazy(i):
            self.unsettled.add(i.rd)
        if self.is_sure(i):
            return
        self.emit(f"br label %{done}")
        self.label(slow)
        self.soft_float(i, sources)
        self.emit(f"br label %{done}")
        self.label(done)
        for known in (self.read, self.singles):
            known.pop(i.rd, None)

    def need_boxed(self, i: Instruction) -> None:
        """What else an operand reads as that is no boxed single, the interpreter knows."""
        for register in i.singles:
            if register not in self.boxed:
                self.demand(self.is_boxed(register), self.way_out(i))
                self.boxed.add(register)

    def is_boxed(self, register: int) -> str:
        bits = self.value(f"bitcast double {self.register(register)} to i64")
        upper = self.value(f"ashr i64 {bits}, 32")
        return self.value(f"icmp eq i64 {upper}, -1")

    def is_possible(self, i: Instruction) -> bool:
        """Whether the host has the operation, and the rounding mode that the slot names."""
        if not has_meaning(i.row) or (i.row.kind == "fma" and not self.on.fma):
            return False
        return i.row.is_exact or i.slot < NOT_FAST

    def tests(self, row: Row) -> bool:
        """Whether there is a guard to look at; strict comparisons and conversions know NaNs."""
        return row.guard not in ("", "1") and not (self.strict and row.guard.startswith("ord"))

    def is_sure(self, i: Instruction) -> bool:
        """Whether the host never needs the engine for an operation that it has."""
        if self.tests(i.row) or i.row.kind == "fma":
            return False
        return self.strict or i.row.is_exact

    def host_float(self, i: Instruction, values: dict[str, str], slow: str) -> str:
        """The result on the host; goes to `slow` where that may be wrong."""
        row = i.row
        if not self.strict and not row.is_exact:
            flag = "fma_fast" if row.kind == "fma" else "float_fast"
            if flag not in self.flags:
                self.flags[flag] = self.value(f"icmp ne i64 {self.word(flag)}, 0")
            self.demand(self.flags[flag], slow)
        if self.tests(row):
            self.demand(self.fill(guard(row), values), slow)
        result = self.fill(meaning(row), values)
        if self.strict:
            return result if is_lazy(i) else self.one_nan(row, result, slow)
        if not row.guard:
            self.demand(self.fill(ordinary(row), {"result": result}), slow)
        return result

    def one_nan(self, row: Row, result: str, slow: str) -> str:
        """Any result of strict arithmetic but a NaN is right, and the host notes the exceptions.

        Of NaNs RISC-V has one, and x86 forgets to raise NV when it adds a NaN to 0 × ∞.
        """
        if not row.result or (row.guard and not row.guard.startswith("ord")):
            return result
        kind = "float" if row.result == "s" else "double"
        if row.kind == "fma":
            self.demand(self.value(f"fcmp ord {kind} {result}, {result}"), slow)
            return result
        return self.canonical(kind, result)

    def soft_float(self, i: Instruction, sources: dict[str, str]) -> None:
        """A call of the engine, which reads the third operand from, and writes to, its state."""
        words = []
        for letter in "ab":
            value = sources.get(letter, "0")
            if letter.upper() in i.row.bits:
                value = self.value(f"bitcast double {value} to i64")
            words.append(f"i64 {value}")
        if "c" in sources:
            place = self.state(i.rs3)
            self.emit(f"store double {sources['c']}, ptr {place}")
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
        if i.row.result == "s":
            self.boxed.add(i.rd)

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
