"""From memory to decoded instructions: pages of slots, one per halfword, filled when first run.

A slot is a word: operation | rd << 8 | rs1 << 16 | rs2 << 24 | length << 32 | immediate << 40;
registers are numbered as in the state array. Zero means that nobody has decoded the place yet.
"""

LENGTH_4 = 4 << 32

# rounding modes in instructions: DYNAMIC stands for frm
NEAREST_EVEN = 0
TOWARDS_ZERO = 1
DYNAMIC = 7
NOT_FAST = 1 << 23

# the words behind the slots of a decoded page
SENTINEL = SLOTS * 8
STORES = SENTINEL + 8
SOURCE = SENTINEL + 16
TRANSLATED = SENTINEL + 24
KNOWN = SENTINEL + 32
JOINED = SENTINEL + 40

STORES_ALLOWED = 32
PATIENCE_LIMIT = 24


def slot(operation, rd, rs1, rs2, length, immediate):
    """A decoded instruction; the immediate keeps its low 24 bits."""
    return operation | rd << 8 | rs1 << 16 | rs2 << 24 | length << 32 | immediate << 40


def destination(r):
    """x0 as a destination is the word that nobody reads."""
    return select(r, r, SINK)


def code_page(S, pa):
    """Where the number of the decoded page of a physical address stands."""
    return S.code_pages + (pa - S.ram_base >> 12) * 4


def forget_code(S, pa):
    """Before up to eight bytes at pa change: forget what was decoded from them. 0: nothing was.

    A page that is written like data loses its decoded page, so that stores run at full speed again;
    each time it must be written twice as often before that happens. A page of which a region was
    made loses it at once: a region finds out by the decoded page that is no longer there.
    """
    number = ld32(code_page(S, pa))
    if number == 0:
        return 0
    S.n_code_writes += 1
    page = S.decoded + number * SLOT_PAGE_BYTES
    stores = ld64(page + STORES) + 1
    st64(page + STORES, stores)
    patience = S.code_writes + (pa - S.ram_base >> 12)
    if stores >= STORES_ALLOWED << ld8(patience) or ld64(page + TRANSLATED) != 0:
        if ld8(patience) < PATIENCE_LIMIT:
            st8(patience, ld8(patience) + 1)
        st32(code_page(S, pa), 0)
        close_page(page)
        flush(S)
        return 1
    # an instruction may begin one halfword earlier
    first = (pa & OFFSET) >> 1
    first -= ltu(0, first)
    last = (pa & OFFSET) + 7 >> 1
    if last >= SLOTS:
        last = SLOTS - 1
    while first <= last:
        st64(page + first * 8, 0)
        first += 1
    return 1


def close_page(page):
    """Nobody will hear of stores any more: who runs in the page must fetch before it goes on."""
    end = page + SENTINEL
    while page < end:
        st64(page, PAGE_END)
        page += 8


def new_page(S, pa):
    """An empty decoded page for pa's page; when the pool is used up, everything starts anew."""
    number = S.decoded_count
    if number >= S.decoded_limit:
        memset(S.code_pages, 0, (S.ram_size >> 12) * 4)
        memset(S.tlbs, 0xFF, TLBS * TLB_BYTES)
        number = 1
    S.decoded_count = number + 1
    st32(code_page(S, pa), number)
    page = S.decoded + number * SLOT_PAGE_BYTES
    memset(page, 0, SLOTS * 8)
    st64(page + SENTINEL, PAGE_END)
    st64(page + STORES, 0)
    st64(page + TRANSLATED, 0)
    st64(page + KNOWN, 0)
    st64(page + JOINED, 0)
    st64(page + SOURCE, S.ram + ((pa & ~OFFSET) - S.ram_base))
    # stores must now come to forget_code: no store TLB may still know the page
    tlb = S.tlbs + TLB_BYTES
    while tlb < S.tlbs + TLBS * TLB_BYTES:
        memset(tlb, 0xFF, TLB_BYTES)
        tlb += 3 * TLB_BYTES
    return number


def fetch(S, pc):
    """Bring pc's page into the fetch TLB: 0 when done, 1 when it trapped."""
    pa = translate(S, pc, FETCH, S.mode)
    if pa >> 63 == 0 and pa - S.ram_base >= S.ram_size:
        pa = access_fault(FETCH)
    if pa >> 63 != 0:
        trap(S, pa & 63, pc, pc)
        return 1
    number = ld32(code_page(S, pa))
    if number == 0:
        number = new_page(S, pa)
    va = pc & ~OFFSET
    fill(S, S.fetch_tlb, va, S.decoded + number * SLOT_PAGE_BYTES - (va << 2))
    return 0


def decode(S, place):
    """Fill the slot at `place`."""
    S.n_decoded += 1
    w = instruction_slot(S, place)
    if S.breakpoint_count != 0 and breaks(S, place_offset(S, place), OFFSET) != 0:
        w = BREAK
    st64(place, w)
    known = place - (place_offset(S, place) << 2) + KNOWN
    st64(known, ld64(known) + 1)
    return 0


def place_offset(S, place):
    """The offset in its page of the instruction whose slot is at `place`."""
    return rem(place - S.decoded, SLOT_PAGE_BYTES) >> 2


def instruction_slot(S, place):
    """The slot that memory has for `place`."""
    offset = place_offset(S, place)
    host = ld64(place - (offset << 2) + SOURCE) + offset
    word = ld16(host)
    if (word & 3) != 3:
        return decode_compressed(word)
    if offset == SLOTS * 2 - 2:
        return ACROSS | LENGTH_4
    return decode_word(ld32(host))


def alone(S, w, pc):
    """What turns pc into a slot that is to run by itself, on the scratch page."""
    st64(S.decoded, w)
    st64(S.decoded + 8, PAGE_END)
    st64(S.decoded + 16, PAGE_END)
    return S.decoded - (pc << 2)


def fetch_across(S, pc):
    """Decode an instruction that begins in one page and ends in the next into the scratch page.

    Returns what turns pc into its slot, 0 when it trapped.
    """
    low = translate(S, pc, FETCH, S.mode)
    high = translate(S, pc + 2, FETCH, S.mode)
    if high >> 63 == 0 and high - S.ram_base >= S.ram_size:
        high = access_fault(FETCH)
    if high >> 63 != 0:
        trap(S, high & 63, pc + 2, pc)
        return 0
    word = ld16(S.ram + (low - S.ram_base)) | ld16(S.ram + (high - S.ram_base)) << 16
    return alone(S, decode_word(word), pc)


def instruction_bits(S, pc):
    """The bits of the instruction at pc, which was fetched a moment ago."""
    pa = translate(S, pc, FETCH, S.mode)
    bits = ld16(S.ram + (pa - S.ram_base))
    if (bits & 3) == 3:
        pa = translate(S, pc + 2, FETCH, S.mode)
        bits |= ld16(S.ram + (pa - S.ram_base)) << 16
    return bits


def immediate_i(w):
    return sar(sext32(w), 20)


def immediate_s(w):
    return sar(sext32(w), 20) & ~31 | w >> 7 & 31


def immediate_b(w):
    return sar(sext32(w), 19) & ~0xFFF | w << 4 & 0x800 | w >> 20 & 0x7E0 | w >> 7 & 0x1E


def immediate_u(w):
    return sar(sext32(w), 12)


def immediate_j(w):
    return sar(sext32(w), 11) & ~0xFFFFF | w & 0xFF000 | w >> 9 & 0x800 | w >> 20 & 0x7FE


def rounding(w):
    """The rounding mode, shifted by 8; NOT_FAST, the slot's sign, rules float_fast out."""
    mode = w >> 12 & 7
    if mode == NEAREST_EVEN or mode == DYNAMIC:
        return mode << 8
    return mode << 8 | NOT_FAST


def truncating(w):
    """The same for conversions to integers, which the host rounds towards zero."""
    mode = w >> 12 & 7
    return mode << 8 | select(eq(mode, TOWARDS_ZERO), 0, NOT_FAST)
