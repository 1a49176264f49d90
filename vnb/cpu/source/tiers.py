"""How long the hart is in which tier: looks now and then, and visits to regions that are timed.

Time up to a look belongs to the tier that it finds. That is nearly what the instructions say, for
looks come every so many of them; but regions are fast and often left, so their time is taken: of
visits that look random, all of each. Reports put the two together (`vnb.cpu.jit.report`).
"""

BETWEEN_TIMED_VISITS = 64 - REGION_VISITS
"""By how much a scattered count is shifted: one in 2 ** REGION_VISITS then is 0."""
LONGEST = 10_000
"""Ticks, 1 ms: where so few instructions took longer, the host did something else."""


def host_clock(S):
    """The host's clock in ticks."""
    return host_ticks(S.clock_id, S.clock_buffer)


def arrive(S):
    """The engine is entered: what the host did meanwhile was no tier's time."""
    now = host_clock(S)
    if S.ticks_left == 0:
        S.ticks_left = now
        S.ticks_looked = now
    outside = now - S.ticks_left
    S.ticks_outside += outside
    S.ticks_looked += outside


def look_at_tier(S, ticks):
    """Give the time since the last look to the tier of the next instruction."""
    pc = S.pc
    operation = UNDECODED
    entry = S.fetch_tlb + (pc >> 8 & TLB_INDEX)
    if ld64(entry) == pc & ~OFFSET:
        operation = ld64(ld64(entry + 8) + (pc << 2)) & 255
    spent = ticks - S.ticks_looked
    S.ticks_looked = ticks
    if spent > LONGEST:
        S.ticks_outside += spent
    elif S.region_refused != 0 or operation == REGION:
        S.ticks_regions += spent
    elif S.block_refused != 0 or operation == BLOCK:
        S.ticks_blocks += spent
    else:
        S.ticks_interpreter += spent
    S.region_refused = 0
    S.block_refused = 0


def visit(S, record, left):
    """Enter a region, and the regions that it leads to: what is left of the budget."""
    if S.n_region_exits * SCATTER >> BETWEEN_TIMED_VISITS == 0:
        return timed_visit(S, record, left)
    return enter(record, S, left)


def timed_visit(S, record, left):
    """The same, and note how long that took, without what looking at the clock takes."""
    before = host_clock(S)
    begin = host_clock(S)
    after = enter(record, S, left)
    end = host_clock(S)
    if end - before <= LONGEST:
        S.ticks_visits += end - begin - (begin - before)
    return after
