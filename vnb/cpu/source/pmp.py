"""Physical memory protection: sixteen entries, grain one page, so that a TLB entry is exact.

With grain 2^12 (G = 10) NA4 cannot be selected, and the address bits below the grain read as the
specification asks [priv 3.7.1].
"""

PMP_R = 1
PMP_X = 4
PMP_A = 0x18
PMP_TOR = 0x08
PMP_NAPOT = 0x18
PMP_L = 0x80
PMP_ENTRIES = 16
PMP_ADDRESS = 0x3FFFFFFFFFFFFF
GRAIN_TOR = 0x3FF
GRAIN_NAPOT = 0x1FF


def pmp_entry(S, k):
    """The configuration byte of entry k."""
    return select(k & 8, S.pmpcfg2, S.pmpcfg0) >> ((k & 7) * 8) & 255


def pmp_address(S, k):
    """Where the word of pmpaddr k lies."""
    return S + PMPADDR0 + k * 8


def pmp_matches(S, k, entry, page):
    """1 when entry k covers a physical page number."""
    address = ld64(pmp_address(S, k))
    if (entry & PMP_A) == PMP_TOR:
        low = 0
        if k != 0:
            low = ld64(pmp_address(S, k - 1)) >> 10
        return ltu(page, address >> 10) & (ltu(page, low) ^ 1)
    if (entry & PMP_A) == PMP_NAPOT:
        address |= GRAIN_NAPOT
        # a run of ones below a zero gives the size: those bits, and the zero, are not compared
        ignored = address ^ (address + 1)
        return eq((page << 10 ^ address) & ~ignored & PMP_ADDRESS, 0)
    return 0


def pmp_denies(S, pa, access, mode):
    """1 when PMP refuses the access [priv 3.7.1]; the first entry that matches decides."""
    if (S.pmp_free >> mode & 1) != 0:
        return 0
    k = 0
    while k < PMP_ENTRIES:
        entry = pmp_entry(S, k)
        if pmp_matches(S, k, entry, pa >> 12) != 0:
            if mode == 3 and (entry & PMP_L) == 0:
                return 0
            return eq(entry & access, 0)
        k += 1
    return ltu(mode, 3)


def pmp_changed(S):
    """Note which modes PMP lets do everything; forget translations made under the old rules."""
    locked = (S.pmpcfg0 | S.pmpcfg2) & 0x8080808080808080
    free = select(locked, 0, 8)
    first = S.pmpcfg0 & 0x1F
    if first == (PMP_NAPOT | 7) and (S.pmpaddr0 | GRAIN_NAPOT) == PMP_ADDRESS:
        free |= 3
    S.pmp_free = free
    flush(S)


def pmp_config(old, new):
    """Eight configuration bytes after a write: locked ones stay, reserved values are not taken."""
    result = 0
    k = 0
    while k < 64:
        byte = new >> k & 0x9F
        if (byte & 3) == 2:
            byte = byte & ~2
        if (byte & PMP_A) == 0x10:
            byte = byte & ~PMP_A | old >> k & PMP_A
        if (old >> k & PMP_L) != 0:
            byte = old >> k & 255
        result |= byte << k
        k += 8
    return result


def read_pmpaddr(S, k):
    """pmpaddr k with the bits below the grain as its mode asks."""
    address = ld64(pmp_address(S, k))
    if (pmp_entry(S, k) & 0x10) != 0:
        return address | GRAIN_NAPOT
    return address & ~GRAIN_TOR


def write_pmpaddr(S, k, v):
    """Set pmpaddr k unless its entry, or a TOR entry that starts at it, is locked."""
    if (pmp_entry(S, k) & PMP_L) != 0:
        return 0
    if k < PMP_ENTRIES - 1:
        above = pmp_entry(S, k + 1)
        if (above & PMP_L) != 0 and (above & PMP_A) == PMP_TOR:
            return 0
    st64(pmp_address(S, k), v & PMP_ADDRESS)
    pmp_changed(S)
    return 0
