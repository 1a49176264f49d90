"""Guest time and software interrupts pass through here: the ACLINT in its CLINT layout."""

from typing import Protocol

from vnb.bus import BusFault, Property

MSIP = 0x0000
MTIMECMP = 0x4000
MTIME = 0xBFF8

MACHINE_SOFTWARE = 3
"""The bit of `mip` that msip drives [priv 3.1.9]."""


class Core(Protocol):
    """What the board asks of a hart; the hart itself compares `mtime` with `mtimecmp`."""

    mmu: str  # the deepest page tables that it walks: "sv39", "sv48" or "sv57"
    isa: str  # as the device tree says it: "rv64imafdc_zicsr_…"
    mtimecmp: int

    @property
    def mtime(self) -> int:
        """Guest time in ticks."""
        ...

    def set_mtime(self, value: int) -> None:
        """Let guest time go on from `value`."""
        ...

    def set_interrupt(self, number: int, level: bool) -> None:
        """Drive one bit of `mip`."""
        ...


class Aclint:
    """`msip`, `mtimecmp` and `mtime` of one hart [aclint 2, 3].

    msip is a word; the timers are 8 bytes that may be read and written in halves. What lies
    between them reads 0 and ignores writes, as the registers of absent harts do.
    """

    def __init__(self, hart: Core) -> None:
        self._hart = hart
        self._msip = 0

    def read(self, offset: int, size: int) -> int:
        """4 or 8 bytes at `offset`."""
        _check(offset, size)
        if offset == MSIP:
            return self._msip
        timer = offset & ~7
        if timer == MTIME:
            value = self._hart.mtime
        elif timer == MTIMECMP:
            value = self._hart.mtimecmp
        else:
            return 0
        return value >> (offset & 4) * 8 & (1 << size * 8) - 1

    def write(self, offset: int, size: int, value: int) -> None:
        """4 or 8 bytes at `offset`; half a timer leaves its other half alone."""
        _check(offset, size)
        if offset == MSIP:
            self._msip = value & 1
            self._hart.set_interrupt(MACHINE_SOFTWARE, bool(self._msip))
        elif offset & ~7 == MTIME:
            self._hart.set_mtime(_merged(self._hart.mtime, offset, size, value))
        elif offset & ~7 == MTIMECMP:
            self._hart.mtimecmp = _merged(self._hart.mtimecmp, offset, size, value)

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree."""
        return {"compatible": ["sifive,clint0", "riscv,clint0"]}


def _merged(old: int, offset: int, size: int, value: int) -> int:
    """`old` with `size` bytes replaced by `value`."""
    shift = (offset & 4) * 8
    mask = (1 << size * 8) - 1 << shift
    return old & ~mask | value << shift & mask


def _check(offset: int, size: int) -> None:
    if size not in (4, 8) or offset % size:
        raise BusFault(f"the ACLINT answers 4 or 8 aligned bytes, not {size} at {offset:#x}")
