"""From virtual to physical to host addresses: TLBs, page walks, loads and stores that miss."""

# kinds of access, as bits
READ = 1
WRITE = 2
FETCH = 4

# page-table entries [priv 4.4.1]
PTE_V = 1
PTE_R = 2
PTE_W = 4
PTE_X = 8
PTE_U = 16
PTE_A = 64
PTE_D = 128
PTE_RESERVED = 0xFFC0000000000000
PTE_LEAF_ONLY = PTE_D | PTE_A | PTE_U

OFFSET = 0xFFF
PPN = 0xFFFFFFFFFFF
EMPTY = ~0
FAULT = 1 << 63
UPPER_HALF = 0x955  # keeps a kernel's superpages, which begin at 0, from those of programs

MXCSR = 0x1F80  # x86: round to nearest, trap never, no exception noted


def choose_tlbs(S):
    """After mode or mstatus changed: the TLBs of the context [U, S, S with SUM, M] in force."""
    status = S.mstatus
    mode = S.mode
    S.fetch_tlb = S.tlbs + (select(eq(mode, 3), 3, mode) * 3 + 2) * TLB_BYTES
    mode = data_mode(S)
    context = mode
    if mode == 1 and (status & SUM) != 0:
        context = 2
    S.load_tlb = S.tlbs + context * 3 * TLB_BYTES
    S.store_tlb = S.load_tlb + TLB_BYTES
    choose_float(S)


def choose_float(S):
    """After mstatus.FS, frm or fflags changed: which float short cuts hold."""
    on = eq(S.mstatus & FS, FS) & ltu(S.frm, 5)
    S.float_on = on
    S.float_nearest = on & eq(S.frm, 0)
    S.float_fast = S.float_nearest & S.fflags
    S.fma_fast = S.float_fast & S.hostfma
    f = S.fflags
    S.mxcsr = MXCSR | f >> 4 | (f & 8) >> 1 | (f & 4) << 1 | (f & 2) << 3 | (f & 1) << 5


def data_mode(S):
    """The privilege of loads and stores: MPRV lends M the mode in MPP."""
    if S.mode == 3 and (S.mstatus & MPRV) != 0:
        return S.mstatus >> 11 & 3
    return S.mode


def flush(S):
    """Empty every TLB."""
    S.n_flushes += 1
    count = S.fill_count
    if count < FILL_LOG:
        k = 0
        while k < count:
            st64(ld64(S.fill_log + k * 8), EMPTY)
            k += 1
    else:
        memset(S.tlbs, 0xFF, TLBS * TLB_BYTES)
    S.fill_count = 0
    memset(S.superpages, 0, SUPERPAGES)


def superpage(S, va, level):
    """Where the map notes that a superpage of this level (1: 2 MiB, 2: 1 GiB) holds va."""
    if level > 2:
        return S.superpages + (2 << SUPERPAGE_BITS)
    number = va >> (12 + level * 9) ^ select(va >> 63, UPPER_HALF, 0)
    return S.superpages + (level - 1 << SUPERPAGE_BITS) + (number & (1 << SUPERPAGE_BITS) - 1)


def flush_page(S, va):
    """Forget what came from va's leaf entry: if that was a superpage, every page [priv 4.2.1]."""
    noted = ld8(superpage(S, va, 1)) | ld8(superpage(S, va, 2)) | ld8(superpage(S, va, 3))
    if noted != 0:
        flush(S)
        return 0
    entry = S.tlbs + (va >> 8 & TLB_INDEX)
    end = entry + TLBS * TLB_BYTES
    while entry < end:
        st64(entry, EMPTY)
        entry += TLB_BYTES
    return 0


def fill(S, tlb, va, data):
    """Enter va's page: `data` added to an address in it gives its place on the host."""
    entry = tlb + (va >> 8 & TLB_INDEX)
    st64(entry, va & ~OFFSET)
    st64(entry + 8, data)
    count = S.fill_count
    if count < FILL_LOG:
        st64(S.fill_log + count * 8, entry)
        S.fill_count = count + 1


def page_fault(access):
    """The result of translate() for a page fault."""
    return select(access & FETCH, FETCH_PAGE, select(access & WRITE, STORE_PAGE, LOAD_PAGE)) | FAULT


def access_fault(access):
    """The result of translate() for an access fault."""
    return (
        select(access & FETCH, FETCH_ACCESS, select(access & WRITE, STORE_ACCESS, LOAD_ACCESS))
        | FAULT
    )


def translate(S, va, access, mode):
    """The physical address of va, or FAULT with the cause, for an access in that mode [priv 4.3.2].

    Sets A, and D for a write, in the page-table entry; PMP has the last word.
    """
    satp = S.satp
    if mode == 3 or satp >> 60 == 0:
        if pmp_denies(S, va, access, mode) != 0:
            return access_fault(access)
        return va
    S.n_walks += 1
    level = (satp >> 60) - 6
    unused = 43 - level * 9
    if sar(va << unused, unused) != va:
        return page_fault(access)
    table = (satp & PPN) << 12
    while True:
        place = table + (va >> (12 + level * 9) & 511) * 8
        if place - S.ram_base >= S.ram_size or pmp_denies(S, place, READ, 1) != 0:
            return access_fault(access)
        host = S.ram + (place - S.ram_base)
        pte = ld64(host)
        if (pte & PTE_V) == 0 or (pte & (PTE_R | PTE_W)) == PTE_W or (pte & PTE_RESERVED) != 0:
            return page_fault(access)
        if (pte & (PTE_R | PTE_W | PTE_X)) != 0:
            break
        if (pte & PTE_LEAF_ONLY) != 0 or level == 0:
            return page_fault(access)
        level -= 1
        table = (pte >> 10 & PPN) << 12
    within = (1 << (12 + level * 9)) - 1
    base = (pte >> 10 & PPN) << 12
    if pte_denies(S, pte, access, mode) != 0 or (base & within) != 0:
        return page_fault(access)
    marked = pte | PTE_A | select(access & WRITE, PTE_D, 0)
    if marked != pte:
        if pmp_denies(S, place, WRITE, 1) != 0:
            return access_fault(access)
        st64(host, marked)
        forget_code(S, place)
    if level != 0:
        st8(superpage(S, va, level), 1)
    pa = base | va & within
    if pmp_denies(S, pa, access, mode) != 0:
        return access_fault(access)
    return pa


def pte_denies(S, pte, access, mode):
    """1 when the permissions of a leaf refuse the access [priv 4.3.2, steps 6 and 7]."""
    if (pte & PTE_U) == 0:
        if mode == 0:
            return 1
    elif mode == 1 and (access == FETCH or (S.mstatus & SUM) == 0):
        return 1
    if access == READ:
        readable = pte & PTE_R
        if (S.mstatus & MXR) != 0:
            readable |= pte & PTE_X
        return eq(readable, 0)
    if access == WRITE:
        return eq(pte & PTE_W, 0)
    return eq(pte & PTE_X, 0)


def host_address(S, tlb, va, access):
    """Where va lies on the host, through the TLB; else FAULT with the cause; 0 if not in RAM."""
    entry = tlb + (va >> 8 & TLB_INDEX)
    if ld64(entry) == va & ~OFFSET:
        return va + ld64(entry + 8)
    pa = translate(S, va, access, data_mode(S))
    if pa >> 63 != 0:
        return pa
    if pa - S.ram_base >= S.ram_size:
        S.access_address = pa
        return 0
    host = S.ram + (pa - S.ram_base)
    # a page that holds decoded instructions stays out of the store TLB, so that stores come here
    if access == READ or forget_code(S, pa) == 0:
        fill(S, tlb, va, host - va)
    return host


def extend(value, size, extension):
    """A loaded value as its register holds it."""
    if extension == SIGN_EXTEND:
        shift = 64 - size * 8
        return sar(value << shift, shift)
    if extension == BOX_SINGLE:
        return value | BOX
    return value


def read(host, size):
    """`size` bytes from the host."""
    if size == 1:
        return ld8(host)
    if size == 2:
        return ld16(host)
    if size == 4:
        return ld32(host)
    return ld64(host)


def write(host, size, value):
    """`size` bytes to the host."""
    if size == 1:
        st8(host, value)
    elif size == 2:
        st16(host, value)
    elif size == 4:
        st32(host, value)
    else:
        st64(host, value)


def memory_fault(S, fault, va):
    """Trap for an access that translate() refused; 1, as pc moved."""
    trap(S, fault & 63, va, S.pc)
    return 1


def device_access(S, w, va, size, kind):
    """Leave for the bus, with pc still at the instruction; 1. Misaligned accesses are refused.

    0: the latch took it.
    """
    S.access_virtual = va
    if (va & (size - 1)) != 0:
        return memory_fault(S, select(eq(kind, EXIT_LOAD), LOAD_ACCESS, STORE_ACCESS), va)
    S.n_devices += 1
    if S.latch_open & eq(size, 1) != 0 and latched(S, w, kind) != 0:
        return 0
    S.exit = kind
    S.access_size = size
    S.access_slot = w
    look(S)
    return 1


def load_slow(S, w, va, size, extension):
    """Complete a load that missed the TLB: 0 when done, 1 when pc moved or the engine leaves."""
    rd = S + ((w >> 8 & 255) << 3)
    if (va & OFFSET) + size > 4096:
        return load_across(S, va, size, extension, rd)
    host = host_address(S, S.load_tlb, va, READ)
    if host >> 63 != 0:
        return memory_fault(S, host, va)
    if host == 0:
        S.access_extension = extension
        return device_access(S, w, va, size, EXIT_LOAD)
    st64(rd, extend(read(host, size), size, extension))
    return 0


def both_pages(S, tlb, va, access):
    """For an access over the end of a page: the host address of va as either page would have it.

    Both pages are checked before anything happens; 0, 0 when it trapped.
    """
    second = (va | OFFSET) + 1
    host = host_address(S, tlb, va, access)
    if host >> 63 != 0:
        memory_fault(S, host, va)
        return 0, 0
    host2 = host_address(S, tlb, second, access)
    if host2 >> 63 != 0:
        memory_fault(S, host2, second)
        return 0, 0
    if host == 0 or host2 == 0:
        memory_fault(S, access_fault(access), va)
        return 0, 0
    return host, host2 - (second - va)


def load_across(S, va, size, extension, rd):
    """A load over the end of a page, byte by byte."""
    host, host2 = both_pages(S, S.load_tlb, va, READ)
    if host == 0:
        return 1
    first = 4096 - (va & OFFSET)
    value = 0
    k = 0
    while k < size:
        value |= ld8(select(ltu(k, first), host, host2) + k) << (k * 8)
        k += 1
    st64(rd, extend(value, size, extension))
    return 0


def store_slow(S, w, va, size, value):
    """Complete a store that missed the TLB: 0 when done, 1 when pc moved or the engine leaves."""
    if (va & OFFSET) + size > 4096:
        return store_across(S, va, size, value)
    host = host_address(S, S.store_tlb, va, WRITE)
    if host >> 63 != 0:
        return memory_fault(S, host, va)
    if host == 0:
        S.access_value = value
        S.access_extension = NOT_A_LOAD
        return device_access(S, w, va, size, EXIT_STORE)
    write(host, size, value)
    return 0


def store_across(S, va, size, value):
    """A store over the end of a page, byte by byte."""
    host, host2 = both_pages(S, S.store_tlb, va, WRITE)
    if host == 0:
        return 1
    first = 4096 - (va & OFFSET)
    k = 0
    while k < size:
        st8(select(ltu(k, first), host, host2) + k, value >> (k * 8))
        k += 1
    return 0


def atomic_address(S, va, size, access):
    """Host address for an atomic; 0 when it trapped. Misaligned and device ones are refused."""
    if (va & (size - 1)) != 0:
        trap(S, select(eq(access, READ), LOAD_MISALIGNED, STORE_MISALIGNED), va, S.pc)
        return 0
    host = host_address(S, select(eq(access, READ), S.load_tlb, S.store_tlb), va, access)
    if host == 0:
        host = access_fault(access)
    if host >> 63 != 0:
        memory_fault(S, host, va)
        return 0
    return host
