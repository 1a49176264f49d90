"""One RISC-V hart: its state, the engine that runs it, and what the machine does at its exits."""

import time
from array import array
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

from vnb.clock import INSTRUCTIONS_PER_TICK, NANOSECONDS_PER_TICK, ClockName
from vnb.cpu.breakpoints import Breakpoints
from vnb.cpu.csr import NUMBERS
from vnb.cpu.isa import ISA_STRING
from vnb.cpu.state import (
    BOX_SINGLE,
    DECODED_PAGES,
    F0,
    NOT_A_LOAD,
    OFFSETS,
    SIGN_EXTEND,
    TLB_BYTES,
    TLBS,
    State,
)
from vnb.errors import UsageError
from vnb.memory import Memory

if TYPE_CHECKING:
    from vnb.cpu.jit.translator import Translator

EngineName = Literal["llvm", "numba", "python"]
TranslatorName = Literal["auto", "off", "eager"]
LOAD_ACCESS, STORE_ACCESS = 5, 7
FETCH = 4
MASK = (1 << 64) - 1
NEVER = 1 << 56

# how often a running engine looks at the clock and for attention, in instructions (≈ 0.1 ms)
POLL = {"llvm": 1 << 16, "numba": 1 << 16, "python": 1 << 7}

# words that the exits touch, as indices into State.words
PC, HORIZON, LEFT, BUDGET_END, ATTENTION = (
    OFFSETS[name] >> 3 for name in ("pc", "horizon", "left", "budget_end", "attention")
)
ADDRESS, SIZE, VALUE, EXTENSION, SLOT = (
    OFFSETS["access_" + name] >> 3 for name in ("address", "size", "value", "extension", "slot")
)
_EMPTY_TLBS = memoryview(b"\xff" * (TLBS * TLB_BYTES)).cast("Q")


class ExitKind(IntEnum):
    """Why `Hart.run` came back."""

    BUDGET = 1
    """The budget of instructions is used up."""
    ATTENTION = 2
    """Somebody called `attend`."""
    LOAD = 3
    """A device is read: finish with `complete_load` or `access_fault`."""
    STORE = 4
    """A device is written: finish with `complete_store` or `access_fault`."""
    SBI = 5
    """A supervisor called the firmware; pc is already behind the ecall."""
    WFI = 6
    """Nothing to do until `next_timer` or an interrupt."""
    BREAKPOINT = 7
    """pc is at one of `breakpoints`; the next `run` goes on past it."""


_KINDS = tuple(ExitKind)
TRANSLATE = len(_KINDS) + 1
"""What the engine says when it leaves for the translator; nobody outside of `run` sees it."""


class Access:
    """The device access that a LOAD or STORE left for: physical address, bytes, value to store."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        self._words = words

    @property
    def address(self) -> int:
        """Physical address, aligned to `size`."""
        return self._words[ADDRESS]

    @property
    def size(self) -> int:
        """1, 2, 4 or 8 bytes."""
        return self._words[SIZE]

    @property
    def value(self) -> int:
        """STORE: the low `size` bytes count."""
        return self._words[VALUE] & ((1 << 8 * self._words[SIZE]) - 1)


@cache
def load_engine(name: EngineName) -> Callable[[int], int]:
    """The engine's run(state address), as that compiler reads it; the first time it compiles."""
    if name == "llvm":
        from vnb.cpu.read_llvm import load
    elif name == "numba":
        from vnb.cpu.read_numba import load
    elif name == "python":
        from vnb.cpu.read_python import load
    else:
        raise UsageError(f"engine must be one of {', '.join(get_args(EngineName))}, not {name!r}")
    return load()


class Hart:
    """A hart over `memory`. Only one thread at a time may use it; `attend` is for all others.

    `state` holds every word of machine state by name (mstatus, satp, …); `x` and `f` are the
    register files, raw 64-bit words. What is written there counts from the next `run` on; after a
    change of satp or mstatus call `flush`.
    """

    isa = ISA_STRING
    mmu = "sv57"

    def __init__(
        self,
        memory: Memory,
        *,
        engine: EngineName = "llvm",
        clock: ClockName = "real",
        jit: TranslatorName = "off",
    ) -> None:
        if clock not in get_args(ClockName):
            allowed = " or ".join(get_args(ClockName))
            raise UsageError(f"clock must be {allowed}, not {clock!r}")
        self.memory = memory
        self.engine = engine
        self._run = load_engine(engine)
        self.state = state = State(memory.size >> 12)
        self._words = state.words
        self.access = Access(state.words)
        self.x = state.words[0:32]
        self.f = state.words[F0 : F0 + 32]
        state.ram, state.ram_base, state.ram_size = memory.address, memory.base, memory.size
        state.code_pages = memory.code_pages_address
        state.decoded_limit = DECODED_PAGES
        state.poll = POLL[engine]
        state.virtual = int(clock == "virtual")
        state.clock_id = time.CLOCK_MONOTONIC
        state.hostfma = int(self._host_fma())
        memory.on_code_write = self._forget_code
        self.breakpoints = Breakpoints(self._break_at)
        """Addresses in front of which `run` leaves with BREAKPOINT, whatever process is there."""
        self.translator: Translator | None = None
        self.reset(memory.base)
        self.translator = self._translator(jit)

    def _translator(self, jit: TranslatorName) -> "Translator | None":
        """The translator that serves this hart; regions call functions of the LLVM engine."""
        if jit not in get_args(TranslatorName):
            allowed = ", ".join(get_args(TranslatorName))
            raise UsageError(f"jit must be one of {allowed}, not {jit!r}")
        if jit == "off" or self.engine != "llvm":
            return None
        from vnb.cpu.jit.translator import PACES, Translator
        from vnb.cpu.lower_llvm import CALLED_BY_REGIONS

        for name in CALLED_BY_REGIONS:
            function = self._run.linker.get_function_address(name)  # type: ignore[attr-defined]
            setattr(self.state, name, function)
        operations = self._run.linker.get_global_value_address("operations")  # type: ignore[attr-defined]
        return Translator(self.state, self.memory, PACES[jit], jit == "auto", operations)

    def _host_fma(self) -> bool:
        if self.engine == "python":
            return False
        from vnb.cpu.read_llvm import has_fma

        return has_fma()

    def reset(self, pc: int, mode: int = 3, a0: int = 0, a1: int = 0, a2: int = 0) -> None:
        """Power up: registers zero but for a0–a2, interrupts off, guest time at zero.

        Below M-mode (3) there is no firmware to open PMP, so it starts open to all.
        """
        state = self.state
        for name, offset in OFFSETS.items():
            if offset >= OFFSETS["mstatus"] or name in ("exit", "fault", "skipped", "stopped_at"):
                state.words[offset >> 3] = 0
        self.x[:] = memoryview(bytes(256)).cast("Q")
        self.f[:] = memoryview(bytes(256)).cast("Q")
        self.x[10], self.x[11], self.x[12] = a0, a1, a2
        state.pc, state.mode = pc, mode
        state.left = state.horizon = 0
        state.mstatus = 2 << 34 | 2 << 32
        state.mtimecmp = state.stimecmp = MASK
        state.pmp_free = 1 << 3
        if mode != 3:
            state.pmpcfg0, state.pmpaddr0, state.pmp_free = 0x1F, (1 << 54) - 1, 0b1011
        self.set_mtime(0)
        self._forget_code(0, len(self.memory.code_pages) - 1)
        state.decoded_count = 1
        if self.translator is not None:
            self.translator.reset()

    def run(self, budget: int) -> ExitKind:
        """Retire at most `budget` instructions, exactly; returns why it stopped. Frees the GIL."""
        words = self._words
        words[BUDGET_END] = words[HORIZON] + budget
        kind = self._run(self.state.address)
        while kind == TRANSLATE:
            if self.translator is not None:
                self.translator.serve()
            kind = self._run(self.state.address)
        return _KINDS[kind - 1]

    def attend(self) -> None:
        """From any thread: have `run` leave with ATTENTION within a fraction of a millisecond."""
        self._words[ATTENTION] = 1

    # what the machine does at exits -------------------------------------------------------------

    def _complete(self) -> None:
        words = self._words
        words[PC] += words[SLOT] >> 32 & 7
        words[HORIZON] += 1

    def complete_load(self, value: int) -> None:
        """Finish a LOAD with what the device answered."""
        words = self._words
        size = words[SIZE]
        value &= (1 << 8 * size) - 1
        extension = words[EXTENSION]
        if extension == SIGN_EXTEND and value >> (8 * size - 1):
            value |= MASK << 8 * size & MASK
        elif extension == BOX_SINGLE:
            value |= 0xFFFFFFFF_00000000
        words[words[SLOT] >> 8 & 255] = value
        self._complete()

    def complete_store(self) -> None:
        """Finish a STORE that the device took."""
        self._complete()

    def access_fault(self) -> None:
        """Finish a LOAD or STORE that no device answered: the guest traps at that instruction."""
        stored = self.state.access_extension == NOT_A_LOAD
        self.state.fault = 1 + (STORE_ACCESS if stored else LOAD_ACCESS)

    def flush(self) -> None:
        """Forget every cached translation."""
        tlbs = self.state.tlb_words
        tlbs[:] = _EMPTY_TLBS
        self.state.fill_count = 0

    def _break_at(self, addresses: Sequence[int]) -> None:
        """Have the engine stop at these: all slots are decoded anew, and so are regions."""
        state = self.state
        first = (state.breakpoints - state.address) >> 3
        state.block[first : first + len(addresses)] = memoryview(array("Q", addresses))
        state.breakpoint_count = len(addresses)
        if state.stopped_at - 1 not in addresses:
            state.stopped_at = 0
        self._forget_code(0, len(self.memory.code_pages) - 1)
        state.decoded_count = 1
        if self.translator is not None:
            self.translator.restart()

    def _forget_code(self, first: int, last: int) -> None:
        """RAM pages `first` to `last` change behind the hart's back."""
        self.memory.code_pages[first : last + 1] = memoryview(bytes(4 * (last + 1 - first))).cast(
            "I"
        )
        self.flush()

    @property
    def sbi(self) -> bool:
        """Whether an ecall from S-mode leaves with SBI instead of trapping to M-mode."""
        return bool(self.state.sbi)

    @sbi.setter
    def sbi(self, served: bool) -> None:
        self.state.sbi = int(served)

    # interrupts and time ------------------------------------------------------------------------

    def set_interrupt(self, number: int, level: bool) -> None:
        """Hold the interrupt line `number` of mip (3 MSI, 9 SEI, 11 MEI, …) high or low."""
        if level:
            self.state.lines |= 1 << number
        else:
            self.state.lines &= ~(1 << number) & MASK

    def _clock(self) -> int:
        """Ticks since some moment, as the engine counts them."""
        if self.state.virtual:
            return (self.instret + self.state.skipped) // INSTRUCTIONS_PER_TICK
        return time.clock_gettime_ns(self.state.clock_id) // NANOSECONDS_PER_TICK

    @property
    def mtime(self) -> int:
        """Guest time in ticks of 100 ns."""
        return (self._clock() + self.state.mtime_offset) & MASK

    def set_mtime(self, ticks: int) -> None:
        """Let guest time go on from `ticks`."""
        self.state.mtime_offset = (ticks - self._clock()) & MASK

    def next_timer(self) -> int | None:
        """Ticks until a timer interrupt that the guest has enabled; None when none will come."""
        state = self.state
        due = NEVER
        if state.mie >> 7 & 1:
            due = state.mtimecmp
        if state.mie >> 5 & 1 and state.menvcfg >> 63:
            due = min(due, state.stimecmp)
        return None if due >= NEVER else max(0, due - self.mtime)

    @property
    def mtimecmp(self) -> int:
        """The tick at which the machine timer interrupt is due."""
        return self.state.mtimecmp

    @mtimecmp.setter
    def mtimecmp(self, ticks: int) -> None:
        self.state.mtimecmp = ticks & MASK

    @property
    def stimecmp(self) -> int:
        """The tick at which the supervisor timer interrupt is due [Sstc]."""
        return self.state.stimecmp

    @stimecmp.setter
    def stimecmp(self, ticks: int) -> None:
        self.state.stimecmp = ticks & MASK

    # what notebooks look at ---------------------------------------------------------------------

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self.state.pc

    @pc.setter
    def pc(self, value: int) -> None:
        self.state.pc = value
        self.state.stopped_at = 0

    @property
    def mode(self) -> int:
        """Privilege: 0 user, 1 supervisor, 3 machine."""
        return self.state.mode

    @mode.setter
    def mode(self, value: int) -> None:
        self.state.mode = value

    @property
    def instret(self) -> int:
        """Instructions retired since the reset."""
        words = self._words
        return words[HORIZON] - words[LEFT]

    def csr(self, name: str) -> int:
        """What the guest would read from a CSR, whatever its privilege."""
        from vnb.cpu.read_python import functions

        return functions()["csr_read"](self.state.address, self._csr_number(name))

    def set_csr(self, name: str, value: int) -> None:
        """Write a CSR by its own rules (read-only fields stay), whatever its privilege."""
        from vnb.cpu.read_python import functions

        functions()["csr_write"](self.state.address, self._csr_number(name), value & MASK)

    def disassemble(self, address: int | None = None, count: int = 8) -> str:
        """`count` instructions from a virtual address (default pc) as the hart would fetch them."""
        from vnb.cpu.disassemble import disassemble

        address = self.pc if address is None else address
        code = b"".join(self._fetch(address + offset) for offset in range(0, 4 * count, 2))
        lines = (
            f"{at:#x}  {raw[::-1].hex():>8}  {text}" for at, raw, text in disassemble(code, address)
        )
        return "\n".join(line for _, line in zip(range(count), lines, strict=False))

    def _fetch(self, address: int) -> bytes:
        """The halfword at a virtual address; nothing where a fetch would fault."""
        from vnb.cpu.read_python import functions

        state = self.state
        physical = functions()["translate"](state.address, address & MASK, FETCH, state.mode)
        if not self.memory.contains(physical, 2):
            return b""
        return self.memory.read(physical, 2)

    @staticmethod
    def _csr_number(name: str) -> int:
        if name not in NUMBERS:
            raise UsageError(f"name must be a CSR of this hart, not {name!r}")
        return NUMBERS[name]
