"""Machine state: one array of 64-bit words that Python, numba and LLVM address by the same offsets.

Words 0–31 are x0–x31, word 32 takes what is written to x0, words 64–95 are f0–f31, and the named
words follow. A snapshot of a hart is a copy of this array.
"""

import ctypes
import mmap

SINK = 32
"""The register number that a write to x0 is decoded to."""
F0 = 64
"""The register number of f0."""
FIRST_NAMED = 96

TABLE = """
pc              the address of the next instruction
mode            privilege: 0 U, 1 S, 3 M
left            instructions left before the next event is looked at
horizon         instret when `left` reaches zero: instret = horizon - left
budget_end      instret at which run() leaves with BUDGET
poll            the most instructions between two looks at clock and attention
attention       set by any thread to make run() leave with ATTENTION
exit            why the engine leaves: an ExitKind, or 0
access_address  LOAD, STORE: physical address of the device access
access_size     LOAD, STORE: bytes
access_virtual  LOAD, STORE: virtual address of it
access_value    STORE: the value
access_extension what becomes of a loaded value, or NOT_A_LOAD
access_slot     LOAD, STORE: the decoded instruction that waits
latch_open      1: the engine itself takes bytes for a device, and answers for its status
latch_data      physical address of the byte that is stored
latch_status    physical address of the status
latch_value     what a load of the status gives, once between stores
latch_asked     1: it was loaded since the last store
latch_count     bytes taken that the device has not seen
latch_bytes     host address of them
breakpoints     host address of the list of breakpoints
breakpoint_count how many there are
stopped_at      1 + the breakpoint that run() left for and that the hart has not passed since; or 0
fault           cause + 1 of an access fault that the bus found, taken at the next entry
virtual         1: mtime counts instructions; 0: it follows the host's clock
skipped         virtual clock: instructions' worth of time that WFI jumped over
mtime_offset    ticks added to the clock, set by writes to mtime
clock_id        the host's monotonic clock, for clock_gettime
clock_buffer    where clock_gettime puts seconds and nanoseconds
sbi             1: an ecall from S-mode leaves with SBI instead of trapping
hostfma         1: the host multiplies and adds with one rounding
translate       set by any thread to make run() leave for the translator
samples         host address: pairs of words, as source/region.py packs them
sample_count    samples taken since the translator looked
sample_limit    samples after which run() leaves for the translator; 0: none are taken
sample_at       instret when the next sample is due, and the latest for the next event
looks           how often a sample was due
region_refused  1: a region would have run, or run on, had the stretch been longer
block_refused   likewise a block
regions         host address of the records of regions
region_address  host address of the function, for regions to call
region_float    host address of the function, for regions to call
region_csr      host address of the function, for regions to call
csr_value       what it has read
region_flags    host address of the function, for regions to call
region_next     host address of the function, for regions to call
operations      host address of the run loop's table, for blocks to go on by
stencils        host address of the stencils by operation; 0: no blocks are made
block_first     host address of the room for blocks
block_code      host address of what is free of it
block_end       host address of its end
leaders         host address: bytes by slot of a page, 1 where a block should begin
holes           host address of what holes are to be filled with, by number
ways_out        host address of a list of ways out of a block

ram             host address of RAM
ram_base        physical address of RAM
ram_size        bytes
code_pages      host address: per RAM page, the decoded page that mirrors it, or 0
code_writes     host address: per RAM page, how often it was written while it held code (log2)
decoded         host address of the pool of decoded pages
decoded_count   decoded pages in use (page 0 is the scratch page)
decoded_limit   decoded pages there are
tlbs            host address of the twelve TLBs
fill_log        host address of the log of filled TLB entries
fill_count      entries in it
superpages      host address of the map of superpages that TLB entries come from
fetch_tlb       the TLB for fetches now
load_tlb        the TLB for loads now
store_tlb       the TLB for stores now

mstatus         CSR
mie             CSR
mip             CSR: its software and timer bits
lines           interrupt lines held by devices, as bits of mip
medeleg         CSR
mideleg         CSR
mtvec           CSR
mscratch        CSR
mepc            CSR
mcause          CSR
mtval           CSR
mcounteren      CSR
mcountinhibit   CSR
menvcfg         CSR
stvec           CSR
sscratch        CSR
sepc            CSR
scause          CSR
stval           CSR
scounteren      CSR
senvcfg         CSR
satp            CSR
stimecmp        CSR
mtimecmp        ACLINT: when MTIP rises
cycle_base      mcycle - instret, or mcycle itself while inhibited
instret_base    minstret - instret, or minstret itself while inhibited
fflags          CSR
frm             CSR
float_on        1: FS is dirty and frm names a rounding mode: nothing to keep book of
float_nearest   1: float_on and frm is RNE
float_fast      1: float_nearest and NX is set, so rounding raises nothing new
fma_fast        1: float_fast and hostfma
mxcsr           fflags as x86 notes exceptions, for regions to begin with
reservation     host address that LR reserved, or 0
pmp_free        bit per mode: PMP allows that mode everything
pmpcfg0         CSR: entries 0–7
pmpcfg2         CSR: entries 8–15
pmpaddr0        CSR: pmpaddr0 to pmpaddr15 are sixteen words from here
pmpaddr1        CSR
pmpaddr2        CSR
pmpaddr3        CSR
pmpaddr4        CSR
pmpaddr5        CSR
pmpaddr6        CSR
pmpaddr7        CSR
pmpaddr8        CSR
pmpaddr9        CSR
pmpaddr10       CSR
pmpaddr11       CSR
pmpaddr12       CSR
pmpaddr13       CSR
pmpaddr14       CSR
pmpaddr15       CSR

n_traps         statistics: traps taken
n_interrupts    statistics: of which interrupts
n_walks         statistics: page-table walks
n_flushes       statistics: TLB flushes
n_decoded       statistics: instructions decoded
n_code_writes   statistics: stores into decoded pages
n_float_soft    statistics: float instructions done by soft arithmetic
n_devices       statistics: device accesses
n_waits         statistics: WFIs
n_region_exits  statistics: times that a region was left
n_blocks        statistics: blocks made
ticks_looked    statistics: the host's clock when the engine last looked in which tier the hart is
ticks_left      statistics: the host's clock when the engine was last left; 0: it never was
ticks_outside   statistics: time from leaving the engine to entering it
ticks_regions   statistics: time before looks that found the hart in a region
ticks_blocks    statistics: time before looks that found it in a block
ticks_interpreter statistics: time before looks that found it in neither
ticks_visits    statistics: time in regions, of one visit in 2 ** REGION_VISITS
"""

OFFSETS: dict[str, int] = {
    line.split()[0]: 8 * (FIRST_NAMED + index)
    for index, line in enumerate(line for line in TABLE.splitlines() if line.strip())
}
"""Byte offset of each named word."""

WORDS = 256
assert FIRST_NAMED + len(OFFSETS) <= WORDS

TLB_ENTRIES = 4096
TLB_BYTES = TLB_ENTRIES * 16
"""One TLB: entries of {virtual page, host address - virtual address}; tag ~0 is empty."""
TLBS = 12
"""Contexts U, S, S with SUM, M × loads, stores, fetches."""
FILL_LOG = 4096
"""Filled entries that a flush undoes one by one; beyond them it clears every TLB."""

SUPERPAGE_BITS = 12
"""The map of superpages: for each size (2 MiB, 1 GiB, more) bytes, by the low bits of a number."""
SUPERPAGES = 3 << SUPERPAGE_BITS

SLOTS = 2048
"""Decoded instructions of a page, one slot per halfword."""
SLOT_PAGE_BYTES = (SLOTS + 8) * 8
"""A decoded page: its slots, a sentinel that ends it, and what source/fetch.py notes of it."""
MOST_REWRITTEN = 4
"""Pages of which decoded code was dropped more often than that are data with code in between."""
DECODED_PAGES = 4096
"""Decoded pages kept: 64 MiB when all are in use; then the pool starts anew."""

REGION_RECORD = 128
"""Bytes of a region's record: its code, the slot it hides, the decoded pages it expects; its count.
"""
REGION_COUNT = REGION_RECORD - 8
"""Where a record counts the instructions that its region retired."""
REGION_EXITS = REGION_RECORD - 16
"""Where it counts how often the region was left."""
REGIONS = 8192
"""Records there are."""
REGION_PAGES = REGION_RECORD // 8 - 4
"""Pages that one region may cover."""
REGION_LIMIT = 1024
"""Instructions on the longest way through a region without a look at the budget."""
REGION_VISITS = 8
"""Of so many visits to regions, as a power of two, one is timed."""
SAMPLES = 256
LATCH_BYTES = 256
"""Bytes that the engine takes for a device before that has to see them."""
BREAKPOINTS = 64
"""Breakpoints that a hart may have."""

STENCIL_BYTES = 256
"""A stencil: where its code is, its size, its kind, and its holes."""
KIND_NONE, KIND_STRAIGHT, KIND_ROUNDS, KIND_BRANCH, KIND_JUMP, KIND_END = range(6)
"""Kinds: what an instruction is to a block."""
STENCIL_ENTER, STENCIL_STEP, STENCIL_REFUSE, STENCIL_GO, STENCIL_LEAVE = range(256, 261)
"""Stencils of no operation: a block's begin, one instruction interpreted, the same where a block
lacks budget, ways out of a block.
"""
HOLES = ("A", "B", "C", "D", "I", "PC", "AFTER", "COUNT", "SLOT", "ON", "OUT")
"""What holes are for: registers' offsets, the immediate, what to add to pc, what was retired, the
slot, the next stencil's place and the way out's.
"""
HOLE_WIDE, HOLE_RELATIVE = 1 << 24, 1 << 25

ZERO_EXTEND, SIGN_EXTEND, BOX_SINGLE, NOT_A_LOAD = range(4)
"""What becomes of the value that a LOAD waits for."""


class State:
    """The state array and the tables around it, in one zeroed block that the host backs lazily.

    Every named word is an attribute; `words` is the whole array. Values are 0 … 2⁶⁴ - 1.
    """

    def __init__(self, ram_pages: int) -> None:
        tables = {
            "tlbs": TLBS * TLB_BYTES,
            "fill_log": FILL_LOG * 8,
            "clock_buffer": 16,
            "superpages": SUPERPAGES,
            "latch_bytes": LATCH_BYTES,
            "breakpoints": BREAKPOINTS * 8,
            "samples": SAMPLES * 16,
            "regions": REGIONS * REGION_RECORD,
            "leaders": SLOTS,
            "holes": len(HOLES) * 8,
            "ways_out": 128 * 40,
            "code_writes": (ram_pages + 7) & ~7,
            "decoded": DECODED_PAGES * SLOT_PAGE_BYTES,
        }
        block = mmap.mmap(-1, WORDS * 8 + sum(tables.values()))
        address = ctypes.addressof(ctypes.c_char.from_buffer(block))
        words = memoryview(block).cast("Q")
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "block", words)
        object.__setattr__(self, "words", words[:WORDS])
        object.__setattr__(self, "tlb_words", words[WORDS : WORDS + TLBS * TLB_BYTES // 8])
        place = address + WORDS * 8
        for name, size in tables.items():
            setattr(self, name, place)
            place += size

    address: int
    block: memoryview
    """The words of the array and of all the tables behind it."""
    words: memoryview
    tlb_words: memoryview

    def __getattr__(self, name: str) -> int:
        try:
            return int(self.words[OFFSETS[name] >> 3])
        except KeyError:
            raise AttributeError(f"no word of machine state is called {name!r}") from None

    def __setattr__(self, name: str, value: int) -> None:
        try:
            self.words[OFFSETS[name] >> 3] = value
        except KeyError:
            raise AttributeError(f"no word of machine state is called {name!r}") from None
