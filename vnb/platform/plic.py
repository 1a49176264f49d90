"""Every device's interrupt line passes through here on its way to the hart [plic 1.0.0]."""

from collections.abc import Iterator, Sequence
from functools import partial

from vnb.bus import BusFault, Line, Property

SOURCES = 96

PRIORITY = 0x00_0000  # one word for each source
PENDING = 0x00_1000  # one bit for each source
ENABLE = 0x00_2000  # 0x80 bytes for each context, one bit for each source
CONTEXT = 0x20_0000  # 0x1000 bytes for each context: threshold, claim/complete

HIGHEST_PRIORITY = 7
WORDS = (SOURCES + 32) // 32
WORD_MASK = 0xFFFF_FFFF


class _Context:
    """One interrupt target: what it lets through, and the line of the hart that it drives."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.raised = False
        self.enabled = 0
        self.threshold = 0
        self.audible = 0  # the enabled sources whose priority is above the threshold


class Plic:
    """SiFive's interrupt controller; sets of sources are ints with bit n for source n.

    `contexts` are the hart's lines in the order of the memory map, M before S on QEMU's virt
    board. Registers answer 4-byte accesses only; reserved ones read 0.
    """

    def __init__(self, contexts: Sequence[Line]) -> None:
        self._contexts = [_Context(line) for line in contexts]
        self._priority = [0] * (SOURCES + 1)
        self._level = 0
        self._pending = 0
        self._served = 0  # claimed and not yet completed: their gateways are shut

    def line(self, source: int) -> Line:
        """The input of one source, 1 to 96."""
        if not 1 <= source <= SOURCES:
            raise ValueError(f"source must be 1..{SOURCES}, not {source}")
        return partial(self._drive, 1 << source)

    def _drive(self, bit: int, level: bool) -> None:
        if level == bool(self._level & bit):
            return
        self._level ^= bit
        if level:
            self._forward(bit)

    def _forward(self, bits: int) -> None:
        """Let requests through the open gateways; none is taken back [plic, Gateways]."""
        self._pending |= bits & self._level & ~self._served
        self._notify()

    def _notify(self) -> None:
        for context in self._contexts:
            raised = self._pending & context.audible != 0
            if raised != context.raised:
                context.raised = raised
                context.line(raised)

    def _retune(self) -> None:
        """Priorities, enables or thresholds changed: find out again who hears what."""
        for context in self._contexts:
            context.audible = sum(
                1 << source
                for source in _members(context.enabled)
                if self._priority[source] > context.threshold
            )
        self._notify()

    def _claim(self, context: _Context) -> int:
        """Hand out the most urgent request, the lowest number first among equals [plic, Claim]."""
        best, urgency = 0, 0
        for source in _members(self._pending & context.enabled):
            if self._priority[source] > urgency:
                best, urgency = source, self._priority[source]
        if best:
            self._pending &= ~(1 << best)
            self._served |= 1 << best
            self._notify()
        return best

    def _complete(self, context: _Context, source: int) -> None:
        """Open a gateway again; ignored for a source not enabled here [plic, Completion]."""
        bit = 1 << source if source <= SOURCES else 0
        if bit & context.enabled:
            self._served &= ~bit
            self._forward(bit)

    def read(self, offset: int, size: int) -> int:
        """A register's value; reading claim/complete claims."""
        _check(offset, size)
        if offset < PENDING:
            source = offset >> 2
            return self._priority[source] if source <= SOURCES else 0
        if offset < ENABLE:
            return self._pending >> (offset - PENDING) * 8 & WORD_MASK
        if offset < CONTEXT:
            context, register = self._at(offset - ENABLE, 0x80)
            return context.enabled >> register * 8 & WORD_MASK if context else 0
        context, register = self._at(offset - CONTEXT, 0x1000)
        if context and register == 0:
            return context.threshold
        return self._claim(context) if context and register == 4 else 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Set a register; writing claim/complete completes."""
        _check(offset, size)
        if offset < PENDING:
            if 1 <= offset >> 2 <= SOURCES:
                self._priority[offset >> 2] = value & HIGHEST_PRIORITY
                self._retune()
        elif ENABLE <= offset < CONTEXT:
            context, register = self._at(offset - ENABLE, 0x80)
            if context and register < WORDS * 4:
                word = WORD_MASK << register * 8
                sources = ((1 << SOURCES) - 1) << 1
                context.enabled = context.enabled & ~word | value << register * 8 & word & sources
                self._retune()
        elif offset >= CONTEXT:
            context, register = self._at(offset - CONTEXT, 0x1000)
            if context and register == 0:
                context.threshold = value & HIGHEST_PRIORITY
                self._retune()
            elif context and register == 4:
                self._complete(context, value & WORD_MASK)

    def _at(self, offset: int, stride: int) -> tuple[_Context | None, int]:
        """The context whose block holds `offset`, and the offset in that block."""
        index, register = divmod(offset, stride)
        return (self._contexts[index] if index < len(self._contexts) else None), register

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree."""
        return {
            "compatible": ["sifive,plic-1.0.0", "riscv,plic0"],
            "#interrupt-cells": 1,
            "#address-cells": 0,
            "interrupt-controller": None,
            "riscv,ndev": SOURCES,
        }


def _members(sources: int) -> Iterator[int]:
    """The sources in a set, lowest first."""
    while sources:
        lowest = sources & -sources
        sources ^= lowest
        yield lowest.bit_length() - 1


def _check(offset: int, size: int) -> None:
    if size != 4 or offset & 3:
        raise BusFault(f"the PLIC answers aligned words only, not {size} bytes at {offset:#x}")
