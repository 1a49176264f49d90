"""Traps, interrupts, guest time, and the event that ends a stretch of instructions."""

# mstatus fields [priv 3.1.6]
SIE = 1 << 1
MIE = 1 << 3
SPIE = 1 << 5
MPIE = 1 << 7
SPP = 1 << 8
MPP = 3 << 11
FS = 3 << 13
MPRV = 1 << 17
SUM = 1 << 18
MXR = 1 << 19
TVM = 1 << 20
TW = 1 << 21
TSR = 1 << 22

# interrupts, as bits of mip [priv 3.1.9]
SSIP = 1 << 1
MSIP = 1 << 3
STIP = 1 << 5
MTIP = 1 << 7
SEIP = 1 << 9
MEIP = 1 << 11

# exception causes [priv 3.1.15]
FETCH_ACCESS = 1
ILLEGAL = 2
BREAKPOINT = 3
LOAD_MISALIGNED = 4
LOAD_ACCESS = 5
STORE_MISALIGNED = 6
STORE_ACCESS = 7
ECALL_FROM_U = 8
FETCH_PAGE = 12
LOAD_PAGE = 13
STORE_PAGE = 15

INTERRUPT = 1 << 63
STCE = 1 << 63
NEVER = 1 << 56


def trap(S, cause, value, pc):
    """Take an exception, or an interrupt (bit 63 of cause), that happened at pc [priv 3.1.6.1]."""
    S.n_traps += 1
    S.reservation = 0
    interrupt = cause >> 63
    code = cause & 63
    delegated = select(interrupt, S.mideleg, S.medeleg) >> code & 1
    status = S.mstatus
    if S.mode != 3 and delegated != 0:
        S.scause = cause
        S.sepc = pc
        S.stval = value
        S.mstatus = status & ~(SPP | SPIE | SIE) | (status & SIE) << 4 | S.mode << 8
        vector = S.stvec
        target = 1
    else:
        S.mcause = cause
        S.mepc = pc
        S.mtval = value
        S.mstatus = status & ~(MPP | MPIE | MIE) | (status & MIE) << 4 | S.mode << 11
        vector = S.mtvec
        target = 3
    S.pc = (vector & ~3) + select(interrupt & vector & 1, code << 2, 0)
    S.mode = target
    choose_tlbs(S)
    if (S.n_traps & 1023) == 0:
        look(S)  # a guest that traps for ever retires nothing, and would never be interrupted


def sret(S):
    """Return from a supervisor trap [priv 3.3.2]."""
    status = S.mstatus
    S.pc = S.sepc
    S.mode = status >> 8 & 1
    S.mstatus = status & ~(SPP | SIE | MPRV) | (status & SPIE) >> 4 | SPIE
    choose_tlbs(S)


def mret(S):
    """Return from a machine trap; MPRV survives only a return to M [priv 3.1.6.3]."""
    status = S.mstatus
    mode = status >> 11 & 3
    S.pc = S.mepc
    S.mode = mode
    S.mstatus = status & ~(MPP | MIE | select(eq(mode, 3), 0, MPRV)) | (status & MPIE) >> 4 | MPIE
    choose_tlbs(S)


def look(S):
    """Have the run loop look at events before the next instruction."""
    S.horizon = S.horizon - S.left
    S.left = 0


def retire(S):
    """Count an instruction that a slow function completed by itself."""
    if S.left == 0:
        S.horizon += 1
    else:
        S.left -= 1


def time_at(S, ticks):
    """Guest time in ticks, when the host's clock is at these."""
    if S.virtual != 0:
        ticks = quo(S.horizon - S.left + S.skipped, INSTRUCTIONS_PER_TICK)
    return ticks + S.mtime_offset


def mtime(S):
    """Guest time in ticks."""
    return time_at(S, host_clock(S))


def update_timers(S, now):
    """Raise or lower the timer interrupts [priv 3.2.1, Sstc]."""
    mip = S.mip & ~MTIP
    if now >= S.mtimecmp:
        mip |= MTIP
    if (S.menvcfg & STCE) != 0:
        mip = mip & ~STIP
        if now >= S.stimecmp:
            mip |= STIP
    S.mip = mip


def pending(S):
    """mip as it reads, its timer bits brought up to date."""
    update_timers(S, mtime(S))
    return S.mip | S.lines


def next_timer(S):
    """The tick at which the next timer that may interrupt is due; from NEVER on there is none."""
    due = NEVER
    if (S.mie & MTIP) != 0:
        due = S.mtimecmp
    if (S.mie & STIP) != 0 and (S.menvcfg & STCE) != 0 and S.stimecmp < due:
        due = S.stimecmp
    return due


def interrupt_to_take(S):
    """The number of the interrupt to take now, plus one; 0 for none [priv 3.1.9]."""
    waiting = (S.mip | S.lines) & S.mie
    if waiting == 0:
        return 0
    mode = S.mode
    chosen = 0
    if mode != 3 or (S.mstatus & MIE) != 0:
        chosen = waiting & ~S.mideleg
    if chosen == 0 and (mode == 0 or (mode == 1 and (S.mstatus & SIE) != 0)):
        chosen = waiting & S.mideleg
    if chosen == 0:
        return 0
    if (chosen & MEIP) != 0:
        return 12
    if (chosen & MSIP) != 0:
        return 4
    if (chosen & MTIP) != 0:
        return 8
    if (chosen & SEIP) != 0:
        return 10
    if (chosen & SSIP) != 0:
        return 2
    return 6


def instret_at(S, tick):
    """Virtual clock: the instret at which a tick begins if nothing more is skipped."""
    return (tick - S.mtime_offset) * INSTRUCTIONS_PER_TICK - S.skipped


def idle(S):
    """WFI: 1 to leave and sleep; 0 when an enabled interrupt is there (virtually: soon is)."""
    if (pending(S) & S.mie) != 0:
        return 0
    due = next_timer(S)
    if S.virtual == 0 or due >= NEVER:
        return 1
    S.skipped = instret_at(S, due) + S.skipped - (S.horizon - S.left)
    return 0


def event(S):
    """`left` ran out: leave with an exit kind, or set up the next stretch and return 0."""
    if S.fault != 0:
        cause = S.fault - 1
        S.fault = 0
        trap(S, cause, S.access_virtual, S.pc)
    kind = S.exit
    S.exit = 0
    if kind == EXIT_WFI:
        kind = select(idle(S), EXIT_WFI, 0)
    if kind != 0:
        return kind
    instret = S.horizon - S.left
    due = sample_if_due(S, instret)
    ticks = host_clock(S)
    if due != 0:
        look_at_tier(S, ticks)
    now = time_at(S, ticks)
    update_timers(S, now)
    number = interrupt_to_take(S)
    if number != 0:
        S.n_interrupts += 1
        trap(S, (number - 1) | INTERRUPT, 0, S.pc)
    if S.attention != 0:
        S.attention = 0
        return EXIT_ATTENTION
    if S.translate != 0 or (S.sample_count >= S.sample_limit and S.sample_limit != 0):
        S.translate = 0
        return EXIT_TRANSLATE
    if instret >= S.budget_end:
        return EXIT_BUDGET
    stretch = S.budget_end - instret
    if stretch > S.sample_at - instret:
        stretch = S.sample_at - instret
    if S.virtual != 0:
        due = next_timer(S)
        if due < NEVER:
            until = instret_at(S, due) - instret
            if due > now and until < stretch:
                stretch = until
    S.horizon = instret + stretch
    S.left = stretch
    return 0
