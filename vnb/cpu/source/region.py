"""Where translated regions meet the engine: samples of where the hart is, accesses that miss."""

EXITS_BETWEEN_SAMPLES = 64 - 12
"""By how much a scattered count is shifted: one in 4,096 then is 0."""
SCATTER = 0x9E3779B97F4A7C15
LOOKS_BETWEEN = 1024
"""After so many looks the translator has its turn even if there is nothing to note."""


def sample(S, pc, origin):
    """Note for the translator that the hart is at pc, which slot that is, and what region it left.

    `origin` is that region's number plus one, 0 for none; it goes above the 48 bits of the place.
    Where a region begins there is nothing to note, unless another did not hold that place.
    """
    count = S.sample_count
    entry = S.fetch_tlb + (pc >> 8 & TLB_INDEX)
    if count < S.sample_limit and ld64(entry) == pc & ~OFFSET:
        place = ld64(entry + 8) + (pc << 2)
        if origin != 0 or ld64(place) & 255 != REGION:
            st64(S.samples + count * 16, pc)
            st64(S.samples + count * 16 + 8, place | origin << 48)
            S.sample_count = count + 1


def sample_if_due(S, instret):
    """Every S.poll instructions: where the hart is then tells what is hot.

    Not if a region had refused to run for want of budget: then it is the region that is hot.
    """
    if S.sample_at - instret - 1 < S.poll:
        return 0
    S.sample_at = instret + S.poll
    S.looks += 1
    if S.looks & LOOKS_BETWEEN - 1 == 0:
        S.translate = 1
    if S.stencils != 0:
        join_if_new(S, S.pc)
    if S.region_refused == 0:
        sample(S, S.pc, 0)
    return 1


def region_next(S, record, pc, count):
    """A region is done, after `count` instructions: the record of the one that begins at pc.

    0: there is none, and the run loop goes on. Where regions often end deserves one, so some of
    these places become samples: which, looks random, for programs are periodic.
    """
    place = record + REGION_COUNT
    st64(place, ld64(place) + count)
    st64(record + REGION_EXITS, ld64(record + REGION_EXITS) + 1)
    S.n_region_exits += 1
    if S.n_region_exits * SCATTER >> EXITS_BETWEEN_SAMPLES == 0:
        sample(S, pc, quo(record - S.regions, REGION_RECORD) + 1)
    entry = S.fetch_tlb + (pc >> 8 & TLB_INDEX)
    if ld64(entry) != pc & ~OFFSET:
        return 0
    w = ld64(ld64(entry + 8) + (pc << 2))
    if w & 255 != REGION:
        return 0
    return S.regions + (w >> 8)


def single_step(S, record, pc, left):
    """The instruction that a region's slot hides, on the scratch page: what turns pc into its slot.

    For a region that could not do a single block: its budget ran out, or its first access missed.
    That counts as a visit, so one that can never do anything is given up, too.
    """
    st64(record + REGION_EXITS, ld64(record + REGION_EXITS) + 1)
    S.region_refused |= ltu(left, REGION_LIMIT)
    return alone(S, ld64(record + 8), pc)


def region_address(S, va, size, access):
    """Host address for accesses of a region to `size` bytes from va; 0 as in region_miss."""
    if (va & OFFSET) + size > 4096:
        return 0
    entry = select(eq(access, READ), S.load_tlb, S.store_tlb) + (va >> 8 & TLB_INDEX)
    if ld64(entry) == va & ~OFFSET:
        return va + ld64(entry + 8)
    return region_miss(S, va, access)


def region_miss(S, va, access):
    """Host address for an access of a region that missed its TLB.

    0: the region must leave before this instruction, for the interpreter to do it. That is so for
    faults, devices, accesses over the end of a page, and whenever decoded code is about to change.
    """
    writes = S.n_code_writes
    host = host_address(S, select(eq(access, READ), S.load_tlb, S.store_tlb), va, access)
    if host >> 63 != 0 or S.n_code_writes != writes:
        return 0
    return host


def region_csr(S, n, left):
    """Read a CSR for a region, with `left` as it is at that instruction: 0 if that would trap."""
    S.left = left
    if csr_allowed(S, n, 0) == 0:
        return 0
    S.csr_value = csr_read(S, n)
    return 1


def region_flags(S, m):
    """Exceptions that x86 noted in its control register while a region ran: fflags gets them."""
    S.fflags |= (m & 1) << 4 | (m & 4) << 1 | (m & 8) >> 1 | (m & 16) >> 3 | (m & 32) >> 5
    choose_float(S)
    return 0


def region_float(S, w, a, b):
    """A float instruction that a region's host arithmetic could not do; float_on is 1."""
    return float_slow(S, w, a, b)
