"""Breakpoints: slots at offsets that one has are BREAK, and hide the instruction that is there.

Slots belong to pages, and breakpoints to virtual addresses, so BREAK compares all of pc.
"""


def breaks(S, pc, mask):
    """1 when pc is a breakpoint, as far as the bits of `mask` tell."""
    place = S.breakpoints
    end = place + (S.breakpoint_count << 3)
    while place < end:
        if ((ld64(place) ^ pc) & mask) == 0:
            return 1
        place += 8
    return 0


def break_here(S, place):
    """BREAK: 0 to leave in front of the instruction, else what turns pc into its slot.

    That is on the scratch page. The first time after the hart left for it, it goes on.
    """
    pc = S.pc
    if breaks(S, pc, ~0) != 0 and S.stopped_at != pc | 1:
        S.stopped_at = pc | 1
        S.exit = EXIT_BREAKPOINT
        look(S)
        return 0
    S.stopped_at = select(eq(S.stopped_at, pc | 1), 0, S.stopped_at)
    return alone(S, instruction_slot(S, place), pc)
