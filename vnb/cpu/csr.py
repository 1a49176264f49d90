# ruff: noqa: E501 - a row stays on its line
"""The table of control and status registers: one row each, read by the engine's generator.

A row is   name || number || guard || reads || writes.

guard    beyond the number's own privilege and read-only bits, when access is allowed [priv 2.1]
reads    an expression of the engine's dialect (`n` is the number)
writes   statements, separated by ;  where v is the value written. An empty column ignores it.

Fields that are WARL are masked in the statement itself; CSRs of extensions that the hart lacks
have no row, so access traps.
"""

from dataclasses import dataclass

TABLE = """
fflags        || 0x001 || float_enabled(S)       || S.fflags                        || S.fflags = v & 31; float_dirty(S)
frm           || 0x002 || float_enabled(S)       || S.frm                           || S.frm = v & 7; float_dirty(S)
fcsr          || 0x003 || float_enabled(S)       || S.frm << 5 | S.fflags           || S.fflags = v & 31; S.frm = v >> 5 & 7; float_dirty(S)
cycle         || 0xc00 || counter_enabled(S, n)  || counter(S, S.cycle_base, 1)     ||
time          || 0xc01 || counter_enabled(S, n)  || mtime(S)                        ||
instret       || 0xc02 || counter_enabled(S, n)  || counter(S, S.instret_base, 4)   ||
hpmcounter*   || 0xc03 || counter_enabled(S, n)  || 0                               ||
sstatus       || 0x100 ||                        || status(S) & SSTATUS             || write_status(S, S.mstatus & ~SSTATUS | v & SSTATUS)
sie           || 0x104 ||                        || S.mie & S.mideleg               || S.mie = S.mie & ~S.mideleg | v & S.mideleg; look(S)
stvec         || 0x105 ||                        || S.stvec                         || S.stvec = v & ~2
scounteren    || 0x106 ||                        || S.scounteren                    || S.scounteren = v & 0xffffffff
senvcfg       || 0x10a ||                        || S.senvcfg                       || S.senvcfg = v & FIOM
sscratch      || 0x140 ||                        || S.sscratch                      || S.sscratch = v
sepc          || 0x141 ||                        || S.sepc                          || S.sepc = v & ~1
scause        || 0x142 ||                        || S.scause                        || S.scause = v
stval         || 0x143 ||                        || S.stval                         || S.stval = v
sip           || 0x144 ||                        || pending(S) & S.mideleg          || S.mip = S.mip & ~(SSIP & S.mideleg) | v & SSIP & S.mideleg; look(S)
stimecmp      || 0x14d || stimecmp_enabled(S)    || S.stimecmp                      || S.stimecmp = v; look(S)
satp          || 0x180 || satp_enabled(S)        || S.satp                          || write_satp(S, v)
mstatus       || 0x300 ||                        || status(S)                       || write_status(S, v)
misa          || 0x301 ||                        || MISA                            ||
medeleg       || 0x302 ||                        || S.medeleg                       || S.medeleg = v & DELEGABLE_EXCEPTIONS
mideleg       || 0x303 ||                        || S.mideleg                       || S.mideleg = v & DELEGABLE_INTERRUPTS; look(S)
mie           || 0x304 ||                        || S.mie                           || S.mie = v & INTERRUPTS; look(S)
mtvec         || 0x305 ||                        || S.mtvec                         || S.mtvec = v & ~2
mcounteren    || 0x306 ||                        || S.mcounteren                    || S.mcounteren = v & 0xffffffff
menvcfg       || 0x30a ||                        || S.menvcfg                       || S.menvcfg = v & (STCE | FIOM); look(S)
mcountinhibit || 0x320 ||                        || S.mcountinhibit                 || write_countinhibit(S, v & 5)
mhpmevent*    || 0x323 ||                        || 0                               ||
mscratch      || 0x340 ||                        || S.mscratch                      || S.mscratch = v
mepc          || 0x341 ||                        || S.mepc                          || S.mepc = v & ~1
mcause        || 0x342 ||                        || S.mcause                        || S.mcause = v
mtval         || 0x343 ||                        || S.mtval                         || S.mtval = v
mip           || 0x344 ||                        || pending(S)                      || write_mip(S, v)
pmpcfg0       || 0x3a0 ||                        || S.pmpcfg0                       || S.pmpcfg0 = pmp_config(S.pmpcfg0, v); pmp_changed(S)
pmpcfg2       || 0x3a2 ||                        || S.pmpcfg2                       || S.pmpcfg2 = pmp_config(S.pmpcfg2, v); pmp_changed(S)
pmpaddr*      || 0x3b0 ||                        || read_pmpaddr(S, n & 15)         || write_pmpaddr(S, n & 15, v)
tselect       || 0x7a0 ||                        || 0                               ||
tdata1        || 0x7a1 ||                        || 0                               ||
tdata2        || 0x7a2 ||                        || 0                               ||
tdata3        || 0x7a3 ||                        || 0                               ||
mcycle        || 0xb00 ||                        || counter(S, S.cycle_base, 1)     || S.cycle_base = counter_base(S, v, 1)
minstret      || 0xb02 ||                        || counter(S, S.instret_base, 4)   || S.instret_base = counter_base(S, v, 4)
mhpmcounter*  || 0xb03 ||                        || 0                               ||
mvendorid     || 0xf11 ||                        || 0                               ||
marchid       || 0xf12 ||                        || 0                               ||
mimpid        || 0xf13 ||                        || 0                               ||
mhartid       || 0xf14 ||                        || 0                               ||
mconfigptr    || 0xf15 ||                        || 0                               ||
"""

LAST = {"hpmcounter*": 0xC1F, "mhpmevent*": 0x33F, "pmpaddr*": 0x3BF, "mhpmcounter*": 0xB1F}
"""The last number of the rows that stand for a run of CSRs."""


@dataclass(frozen=True)
class Csr:
    """One row: the CSR numbers `first` to `last` behave alike."""

    name: str
    first: int
    last: int
    guard: str
    reads: str
    writes: tuple[str, ...]


def _csr(line: str) -> Csr:
    name, number, guard, reads, writes = (column.strip() for column in line.split("||"))
    statements = tuple(part.strip() for part in writes.split(";") if part.strip())
    first = int(number, 16)
    return Csr(name, first, LAST.get(name, first), guard, reads, statements)


ROWS: list[Csr] = [_csr(line) for line in TABLE.strip().splitlines()]

NUMBERS: dict[str, int] = {
    row.name.replace("*", str(index + (3 if "hpm" in row.name else 0))): row.first + index
    for row in ROWS
    for index in range(row.last - row.first + 1)
}
"""CSR number by name, runs spelt out: pmpaddr0 … pmpaddr15, hpmcounter3 …"""
