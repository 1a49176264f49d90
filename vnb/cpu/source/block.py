"""Blocks: what instructions of a page do, one after the other, copied from stencils and patched.

A stencil is the host's code of one operation, with holes for what its slot says. The slot of a
block is BLOCK | code << 8; the word before the code is the slot that it hides. A block runs from
one place of its page to several: it leaves where a branch is taken, where it comes to what has no
stencil, and where a stencil cannot do its instruction, which the interpreter then does.
"""

# words of a stencil, before its holes
STENCIL_CODE = 0
STENCIL_SIZE = 8
STENCIL_KIND = 16
STENCIL_HOLES = 24
STENCIL_FIRST = 32

# a word in the list of ways out that still lack their code: where, hole, pc, count, slot
WAY_OUT = 40

MOST_JOINED = 32
FEW_JOINED = 8
"""Instructions of a block, and those after which it ends where another begins."""
BLOCK_ROOM = 16384


def plain_slot(w):
    """The instruction's own slot, where a block begins."""
    if w & 255 == BLOCK:
        return ld64((w >> 8) - 8)
    return w


def stencil_of(S, operation):
    return S.stencils + operation * STENCIL_BYTES


def stencil_kind(S, w):
    """What an instruction is to a block; rounding modes that the host never has rule some out."""
    kind = ld64(stencil_of(S, w & 255) + STENCIL_KIND)
    if kind == KIND_ROUNDS:
        return select(w >> 63, KIND_NONE, KIND_STRAIGHT)
    return kind


def join_if_new(S, pc):
    """Make blocks of pc's page if that is worth it: once a quarter more of it has been decoded."""
    entry = S.fetch_tlb + (pc >> 8 & TLB_INDEX)
    if ld64(entry) != pc & ~OFFSET:
        return 0
    page = ld64(entry + 8) + ((pc & ~OFFSET) << 2)
    joined = ld64(page + JOINED)
    if ld64(page + KNOWN) <= joined + (joined >> 2) + 1:
        return 0
    ram_page = ld64(page + SOURCE) - S.ram >> 12
    if ld8(S.code_writes + ram_page) > MOST_REWRITTEN:
        return 0
    st64(page + JOINED, ld64(page + KNOWN))
    st64(page + TRANSLATED, 1)
    mark_leaders(S, page)
    index = 0
    while index < SLOTS:
        if ld8(S.leaders + index) != 0:
            if S.block_code + BLOCK_ROOM > S.block_end:
                forget_blocks(S)
                return 0
            make_block(S, page, index)
        index += 1
    return 0


def forget_blocks(S):
    """No room is left: everything is decoded anew, and blocks begin anew."""
    memset(S.code_pages, 0, (S.ram_size >> 12) * 4)
    memset(S.tlbs, 0xFF, TLBS * TLB_BYTES)
    S.fill_count = 0
    S.decoded_count = 1
    S.block_code = S.block_first


def mark_leaders(S, page):
    """Note where the decoded instructions of a page are come to from elsewhere than from before."""
    memset(S.leaders, 0, SLOTS)
    expected = SLOTS
    index = 0
    while index < SLOTS:
        w = plain_slot(ld64(page + (index << 3)))
        if w & 255 != UNDECODED:
            kind = stencil_kind(S, w)
            if index != expected and kind != KIND_NONE:
                st8(S.leaders + index, 1)
            expected = SLOTS
            if kind == KIND_STRAIGHT or kind == KIND_BRANCH:
                expected = index + (w >> 33 & 3)
            if kind == KIND_BRANCH or kind == KIND_JUMP:
                target = (index << 1) + sar(w, 40)
                if target < 4096:
                    st8(S.leaders + (target >> 1), 1)
        index += 1


def copy_stencil(stencil, place):
    """Put a stencil's code somewhere; up to seven bytes more may be written. Where it ends."""
    code = ld64(stencil + STENCIL_CODE)
    size = ld64(stencil + STENCIL_SIZE)
    k = 0
    while k < size:
        st64(place + k, ld64(code + k))
        k += 8
    return place + size


def fill_holes(S, stencil, place, ways, pc, count, w):
    """Fill the holes of a copy; those for ways out join the list of `ways`. How long that is."""
    hole = stencil + STENCIL_FIRST
    end = hole + ld64(stencil + STENCIL_HOLES) * 8
    while hole < end:
        h = ld64(hole)
        if h >> 16 & 255 == HOLE_OUT:
            way = S.ways_out + ways * WAY_OUT
            st64(way, place)
            st64(way + 8, h)
            st64(way + 16, pc)
            st64(way + 24, count)
            st64(way + 32, w)
            ways += 1
        else:
            patch(place, h, ld64(S.holes + (h >> 16 & 255) * 8))
        hole += 8
    return ways


def add_stencil(S, stencil, place, ways, pc, count, w):
    """Copy a stencil and fill its holes: where it ends, and how many ways out there are."""
    end = copy_stencil(stencil, place)
    st64(S.holes + HOLE_ON * 8, end)
    return end, fill_holes(S, stencil, place, ways, pc, count, w)


def patch(place, h, value):
    """Put a value into a hole: offset, number << 16, HOLE_WIDE, HOLE_RELATIVE, addend << 32."""
    where = place + (h & 0xFFFF)
    value += sar(h, 32)
    if h & HOLE_RELATIVE != 0:
        value -= where
    if h & HOLE_WIDE != 0:
        st64(where, value)
    else:
        st32(where, value)


def set_holes(S, w, pc, count):
    """What the holes of an instruction's stencil hold; pc and count are as the block began."""
    immediate = sar(w, 40)
    st64(S.holes + HOLE_A * 8, w >> 13 & 0x7F8)
    st64(S.holes + HOLE_B * 8, w >> 21 & 0x7F8)
    st64(S.holes + HOLE_C * 8, (F0 + (immediate & 31)) << 3)
    st64(S.holes + HOLE_D * 8, w >> 5 & 0x7F8)
    st64(S.holes + HOLE_I * 8, immediate)
    st64(S.holes + HOLE_PC * 8, pc)
    st64(S.holes + HOLE_AFTER * 8, pc + (w >> 32 & 7))
    st64(S.holes + HOLE_COUNT * 8, count)
    st64(S.holes + HOLE_SLOT * 8, w)


def go_on(S, place, first, target, count):
    """Have a block leave for an offset of its page, or outside, after `count` instructions."""
    stencil = stencil_of(S, select(ltu(target, 4096), STENCIL_GO, STENCIL_LEAVE))
    set_holes(S, 0, target - first, count)
    return add_last(S, stencil, place)


def add_last(S, stencil, place):
    """A stencil without ways out: where it ends."""
    end = copy_stencil(stencil, place)
    fill_holes(S, stencil, place, 0, 0, 0, 0)
    return end


def make_block(S, page, index):
    """A block that begins at a slot; none, nor the one before, if it held a single instruction."""
    begin = (S.block_code + 15 & ~15) + 16
    entry = stencil_of(S, STENCIL_ENTER)
    hidden = plain_slot(ld64(page + (index << 3)))
    first = index << 1
    place = copy_stencil(entry, begin)
    ways = 1
    at = first
    count = 0
    joining = 1
    while joining != 0:
        w = UNDECODED
        if at < 4096:
            w = plain_slot(ld64(page + (at << 2)))
        stencil = stencil_of(S, w & 255)
        kind = stencil_kind(S, w)
        if ends_before(S, kind, at, count) != 0:
            place = go_on(S, place, first, at, count)
            joining = 0
        else:
            pc = at - first
            target = at + sar(w, 40)
            count += 1
            at += w >> 32 & 7
            if kind == KIND_END:
                set_holes(S, w, pc, count)
                place, ways = add_stencil(S, stencil, place, ways, 0, 0, 0)
                joining = 0
            elif kind == KIND_BRANCH:
                set_holes(S, w, pc, count)
                place, ways = add_stencil(S, stencil, place, ways, target, count, 0)
            else:
                set_holes(S, w, pc, count - 1)
                place, ways = add_stencil(S, stencil, place, ways, pc, count - 1, w)
                if kind == KIND_JUMP:
                    at = target
    st64(page + (index << 3), hidden)
    if count > 1:
        set_holes(S, 0, 0, count)
        fill_holes(S, entry, begin, 0, 0, 0, hidden)
        S.block_code = make_ways_out(S, place, first, ways)
        st64(begin - 8, hidden)
        st64(page + (index << 3), BLOCK | begin << 8)
        S.n_blocks += 1


def ends_before(S, kind, at, count):
    """Whether a block ends before an instruction."""
    if kind == KIND_NONE or count == MOST_JOINED:
        return 1
    return select(ltu(count, FEW_JOINED), 0, ld8(S.leaders + (at >> 1)))


def make_ways_out(S, place, first, ways):
    """The code at the ends of ways out: on to where a branch goes, or the interpreter's turn."""
    k = 0
    while k < ways:
        way = S.ways_out + k * WAY_OUT
        patch(ld64(way), ld64(way + 8), place)
        pc = ld64(way + 16)
        count = ld64(way + 24)
        w = ld64(way + 32)
        if w == 0:
            place = go_on(S, place, first, pc, count)
        else:
            set_holes(S, w, pc, count)
            place = add_last(S, stencil_of(S, select(k, STENCIL_STEP, STENCIL_REFUSE)), place)
        k += 1
    return place
