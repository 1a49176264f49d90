"""Which float registers may hold another NaN than the one that RISC-V has, where blocks begin.

x86 hands on the NaN of an operand, RISC-V makes all the canonical one [unpriv 21.3]. Arithmetic
cannot tell them apart, so a result need not be looked at before its bits are: when it is stored or
moved, and when the region is left. Most results are operands of the next before that.
"""

from collections.abc import Collection

from vnb.cpu.jit.flow import Registers, flow
from vnb.cpu.jit.graph import NOT_FAST, Block, Graph, Instruction, Place
from vnb.cpu.jit.lines import LIKELY, Lines
from vnb.cpu.jit.loops import innermost
from vnb.cpu.jit.meaning import FLOATS

CANONICAL_NAN = "0x7FF8000000000000"
INFINITY = 0x7FF << 52

LAZY = frozenset(f"{name}.d" for name in ("fadd", "fsub", "fmul", "fdiv", "fsqrt"))
"""Rows whose result nobody looks at yet."""
BLIND = LAZY | {f"{name}.d" for name in ("feq", "flt", "fle", "fmadd", "fmsub", "fnmsub", "fnmadd")}
"""Rows to which all NaNs are one."""


def is_lazy(i: Instruction) -> bool:
    """Whether the host's result is taken as it is."""
    return i.row.name in LAZY and i.slot < NOT_FAST


def shown(i: Instruction) -> set[int]:
    """The float registers whose bits an instruction hands on."""
    if i.row.kind == "fstore":
        return {i.rs2}
    if i.row.kind not in FLOATS or i.row.name in BLIND:
        return set()
    registers = {"A": i.rs1, "B": i.rs2, "C": i.rs3}
    return {register for letter, register in registers.items() if letter in i.row.bits}


def unsettled(graph: Graph) -> dict[Place, Registers]:
    """By block; a region begins only if none of those of its first is such a NaN already.

    That first block expects results of the innermost loop around it, which come around again.
    """
    around = [graph.blocks[place] for place in innermost(graph, graph.entry)]
    results = {i.rd for block in around for i in block.instructions if is_lazy(i)}
    return flow(graph, frozenset(results), _after)


def _after(block: Block, before: Registers) -> Registers:
    known = set(before)
    for i in block.instructions:
        known -= shown(i)
        if i.row.result or i.row.kind == "fload":
            known.discard(i.rd)
        if is_lazy(i):
            known.add(i.rd)
    return frozenset(known)


class Nans(Lines):
    """Makes NaNs the one of RISC-V, where that can no longer wait."""

    def canonical(self, kind: str, result: str) -> str:
        """A result of arithmetic, or if that is a NaN, the one that RISC-V has."""
        number = self.value(f"fcmp ord {kind} {result}, {result}")
        good, bad, done = self.new("g"), self.new("n"), self.new("c")
        self.emit(f"br i1 {number}, label %{good}, label %{bad}, {LIKELY}")
        self.label(bad)
        self.emit(f'call void asm sideeffect "", ""()\nbr label %{done}')  # a jump, and no select
        self.label(good)
        self.emit(f"br label %{done}")
        self.label(done)
        return self.value(f"phi {kind} [ {result}, %{good} ], [ {CANONICAL_NAN}, %{bad} ]")

    def settle(self, registers: Collection[int]) -> None:
        """From here on these hold the canonical NaN, if one."""
        for register in sorted(self.unsettled.intersection(registers)):
            self.set_register(register, self.canonical("double", self.register(register)))

    def settle_aside(self, but: Collection[int] = ()) -> None:
        """The same for all registers but these, on a way that leads out of the block."""
        for register in sorted(self.unsettled.difference(but)):
            value = self.canonical("double", self.value(f"load double, ptr %r{register}"))
            self.emit(f"store double {value}, ptr %r{register}")

    def leave(self, pc: str, left: str) -> None:
        """Leave for the run loop from here."""
        self.settle_aside()
        super().leave(pc, left)

    def is_settled(self, register: int) -> str:
        """Whether a register holds a number, or the canonical NaN."""
        bits = self.value(f"bitcast double {self.register(register)} to i64")
        magnitude = self.value(f"and i64 {bits}, {(1 << 63) - 1}")
        number = self.value(f"icmp ule i64 {magnitude}, {INFINITY}")
        one = self.value(f"icmp eq i64 {bits}, {int(CANONICAL_NAN, 16)}")
        return self.value(f"or i1 {number}, {one}")
