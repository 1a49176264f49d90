"""CSR accesses, environment calls and the other instructions that change what the hart may do."""

FIOM = 1
MISA = 2 << 62 | 0x14112D
SSTATUS = 0x80000003000DE762
STATUS_WRITABLE = 0x7E79AA
STATUS_FIXED = 0xA00000000
DELEGABLE_EXCEPTIONS = 0xB3FF
DELEGABLE_INTERRUPTS = SSIP | STIP | SEIP
INTERRUPTS = 0xAAA
MIP = 0x344
SIP = 0x144
ASID = 0xFFFF << 44


def illegal(S):
    """Trap for the instruction at pc; its bits are the trap value."""
    trap(S, ILLEGAL, instruction_bits(S, S.pc), S.pc)
    return 1


def float_enabled(S):
    return ltu(0, S.mstatus & FS)


def float_dirty(S):
    S.mstatus |= FS
    choose_float(S)


def counter_enabled(S, n):
    """mcounteren rules S and U, scounteren rules U as well [priv 3.1.11, 4.1.5]."""
    if S.mode == 3:
        return 1
    if S.mode == 1:
        return S.mcounteren >> (n & 31) & 1
    return S.mcounteren >> (n & 31) & S.scounteren >> (n & 31) & 1


def stimecmp_enabled(S):
    """[Sstc 2]"""
    if S.mode == 3:
        return 1
    return (S.menvcfg & STCE) >> 63 & S.mcounteren >> 1 & 1


def satp_enabled(S):
    return eq(S.mode, 3) | eq(S.mstatus & TVM, 0)


def counter(S, base, bit):
    """mcycle or minstret: both count retired instructions; inhibited ones stand still."""
    if (S.mcountinhibit & bit) != 0:
        return base
    return S.horizon - S.left + base


def counter_base(S, v, bit):
    """The base that makes a counter read v at the next instruction."""
    if (S.mcountinhibit & bit) != 0:
        return v
    return v - (S.horizon - S.left) - 1


def write_countinhibit(S, v):
    """Stop and start mcycle (bit 0) and minstret (bit 2); each goes on from where it stood."""
    changed = S.mcountinhibit ^ v
    cycle = counter(S, S.cycle_base, 1)
    instret = counter(S, S.instret_base, 4)
    S.mcountinhibit = v
    if (changed & 1) != 0:
        S.cycle_base = counter_base(S, cycle, 1)
    if (changed & 4) != 0:
        S.instret_base = counter_base(S, instret, 4)


def status(S):
    """mstatus with SD, which says that FS is dirty."""
    return S.mstatus | eq(S.mstatus & FS, FS) << 63


def write_status(S, v):
    v = v & STATUS_WRITABLE
    if (v & MPP) == 2 << 11:
        v = v & ~MPP
    if ((S.mstatus ^ v) & MXR) != 0:
        flush(S)
    S.mstatus = v | STATUS_FIXED
    choose_tlbs(S)
    look_if_waiting(S)


def look_if_waiting(S):
    """After interrupts may have become enabled."""
    if ((S.mip | S.lines) & S.mie) != 0:
        look(S)


def write_satp(S, v):
    """Bare, Sv39, Sv48 or Sv57; a write of another mode has no effect [priv 4.1.11]."""
    mode = v >> 60
    v = v & ~ASID
    if (mode == 0 or (mode >= 8 and mode <= 10)) and v != S.satp:
        S.satp = v
        flush(S)


def write_mip(S, v):
    """The timer's STIP cannot be written where stimecmp drives it [priv 3.1.9, Sstc 1.1]."""
    writable = SSIP | SEIP
    if (S.menvcfg & STCE) == 0:
        writable |= STIP
    S.mip = S.mip & ~writable | v & writable
    look(S)


def csr_allowed(S, n, writes):
    """The rules that a CSR's number states, then its own [priv 2.1]."""
    if S.mode < (n >> 8 & 3):
        return 0
    if writes != 0 and n >> 10 == 3:
        return 0
    return csr_guard(S, n)


def csr_instruction(S, w, operation):
    """csrrw, csrrs, csrrc and their immediate forms [unpriv 6.1]."""
    n = w >> 40 & 0xFFF
    source = w >> 16 & 255
    operand = ld64(S + (source << 3))
    kind = operation - CSRRW
    if kind >= 3:
        kind -= 3
        operand = source
    writes = eq(kind, 0) | ltu(0, source)
    if csr_allowed(S, n, writes) == 0:
        return illegal(S)
    old = csr_read(S, n)
    S.pc += 4
    if writes != 0:
        base = old
        if n == MIP or n == SIP:
            # read-modify-write sees the software bit of SEIP alone [priv 3.1.9]
            base = S.mip
        if kind == 0:
            base = operand
        elif kind == 1:
            base |= operand
        else:
            base = base & ~operand
        csr_write(S, n, base)
    st64(S + ((w >> 8 & 255) << 3), old)
    retire(S)
    return 1


def system(S, w):
    """Everything of meaning `csr` or `system`; pc and left are right for whatever follows."""
    operation = w & 255
    if operation <= CSRRCI:
        return csr_instruction(S, w, operation)
    status = S.mstatus
    mode = S.mode
    after = S.pc + (w >> 32 & 7)
    if operation == ECALL:
        if S.sbi == 0 or mode != 1:
            trap(S, ECALL_FROM_U + mode, 0, S.pc)
            return 1
        S.pc = after
        S.exit = EXIT_SBI
        retire(S)
        look(S)
        return 1
    if operation == EBREAK:
        trap(S, BREAKPOINT, S.pc, S.pc)
        return 1
    if operation == SRET:
        if mode == 0 or (mode == 1 and (status & TSR) != 0):
            return illegal(S)
        sret(S)
        look_if_waiting(S)
    elif operation == MRET:
        if mode != 3:
            return illegal(S)
        mret(S)
        look_if_waiting(S)
    elif operation == WFI:
        if mode == 0 or (mode == 1 and (status & TW) != 0):
            return illegal(S)
        S.n_waits += 1
        S.pc = after
        S.exit = EXIT_WFI
        look(S)
    elif operation == SFENCE_VMA:
        if mode == 0 or (mode == 1 and (status & TVM) != 0):
            return illegal(S)
        S.pc = after
        if (w >> 16 & 255) != 0:
            flush_page(S, ld64(S + ((w >> 16 & 255) << 3)))
        else:
            flush(S)
    else:
        # fence.i: stores forgot what they overwrote; going on from a fresh fetch is what is left
        S.pc = after
    retire(S)
    return 1


def float_touch(S):
    """Before a float load or store: trap if FS is off, else FS becomes dirty [priv 3.1.6.6]."""
    if float_enabled(S) == 0:
        return illegal(S)
    float_dirty(S)
    return 0


def float_slow(S, w, a, b):
    """A float instruction that the host could not do: 0 when done, 1 when it trapped."""
    mode = w >> 48 & 7
    if mode == DYNAMIC:
        mode = S.frm
    if float_enabled(S) == 0 or mode >= DYNAMIC - 2:
        return illegal(S)
    operation = (w & 255) - FMADD_S
    c = ld64(S + 8 * F0 + ((w >> 40 & 31) << 3))
    st64(S + (w >> 5 & 0x7F8), float_instruction(S, operation >> 1, operation & 1, a, b, c, mode))
    float_dirty(S)
    return 0
