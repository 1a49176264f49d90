"""The random programs that Spike's traces are recorded from: a memory image each."""

from collections.abc import Callable, Sequence
from random import Random

import streams
from assemble import program as words
from assemble import word
from privileged import CODE, FLOAT_STATE_ON, MPP, MPRV, MXR, SUM, TSR, TVM, TW, Program

from vnb.cpu.csr import NUMBERS
from vnb.cpu.isa import BY_NAME, FLOAT_ROWS, ROWS, CompressedRow, Row

USER, SUPERVISOR, MACHINE = 0, 1, 3
NOWHERE = 0x4000_0000  # neither memory nor a device
TABLES, PAGES = 0x8004_0000, 0x8010_0000
FRAMES = range(24)  # pages from PAGES on: first data, then code
DATA_FRAMES, CODE_FRAMES = FRAMES[:16], FRAMES[16:]
ASID = 0xFFFF << 44
ECALLS_TO_M, ILLEGAL = 1 << 9 | 1 << 11, 1 << 2  # bits of medeleg
LOADS = [row.name for row in ROWS if row.kind == "load"]
STORES = [row.name for row in ROWS if row.kind == "store"]
ATOMIC = [row.name for row in ROWS if row.kind in ("amo", "lr")]

# CSRs that may be written with anything, and restored; numbers that no CSR has.
FLOAT_CSRS = ["fflags", "frm", "fcsr"]
SUPERVISOR_CSRS = [f"s{name}" for name in ("status", "ie", "tvec", "counteren", "scratch", "ip")]
MACHINE_CSRS = [f"m{name}" for name in ("status", "ie", "tvec", "counteren", "scratch", "ip")]
TRAP_CSRS = [mode + name for mode in "sm" for name in ("epc", "cause", "tval")]
SWAPPED = [*FLOAT_CSRS, *SUPERVISOR_CSRS, *MACHINE_CSRS, *TRAP_CSRS, "mideleg", "satp", "stimecmp"]
ABSENT = (0x000, 0x0FF, 0x120, 0x200, 0x3F0, 0x5C0, 0x7C0, 0x800, 0xA00, 0xC80, 0xFFF)

Image = dict[int, bytes]


def stream(
    random: Random, rows: Sequence[Row], compressed: Sequence[CompressedRow], length: int
) -> Image:
    """A stream of instructions, after its registers were loaded."""
    given = streams.stream(random, rows, compressed, length)
    program = Program(random)
    for number, value in enumerate(given.f):
        program.constant(4, value)
        program.emit("fmv.d.x", d=number, a=4)
    for number in sorted(range(1, 32), key=lambda number: number == 3):  # x3 finds the others
        program.constant(number, given.x[number])
    program.append(given.code[:-4])
    return program.image() | {streams.SCRATCH: given.scratch}


# what a wandering program does next, in whatever mode it is


def compute(program: Program) -> None:
    program.emit("add", d=program.register(), a=program.register(), b=program.register())


def access_csr(program: Program) -> None:
    """Read a CSR, there or not, or write one that is read-only."""
    random = program.random
    name = random.choice([*SWAPPED, "mhartid", "mvendorid"])
    number = random.choice((NUMBERS[name], NUMBERS[name], random.choice(ABSENT)))
    source = program.register() if number >> 10 == 3 else 0
    program.emit("csrrs", d=program.register(), a=source, i=number)


def illegal(program: Program) -> None:
    """Bits that no row of the table knows."""
    random = program.random
    while True:
        bits = random.choice((random.getrandbits(30) << 2 | 3, random.getrandbits(25) << 7 | 0x73))
        if not any(bits & row.mask == row.match for row in ROWS):
            break
    program.raw(random.choice((bits, bits, 0x00010000, 0xFFFFFFFF)))


def call(program: Program) -> None:
    program.emit(program.random.choice(("ecall", "ebreak", "sfence.vma", "fence.i")))


def leave_trap(program: Program) -> None:
    """sret or mret; where that is legal, it goes straight on in the mode that it finds."""
    label = program.new_label()
    program.address(4, label)
    program.emit("csrrw", a=4, i=NUMBERS["sepc"])
    program.emit("csrrw", a=4, i=NUMBERS["mepc"])
    program.emit(program.random.choice(("sret", "mret")))
    program.place(label)


def raise_interrupt(program: Program) -> None:
    program.emit(
        "csrrsi", d=program.register(), a=2, i=NUMBERS[program.random.choice(("mip", "sip"))]
    )


def access(program: Program, register: int, address: int) -> None:
    """Load from or store to an address.

    Nothing is stored across the end of a page, as some harts store one part before the other traps;
    nor is anything atomic misaligned, as harts differ in which trap that is.
    """
    names = LOADS
    if address % 4096 <= 4088:
        names = names + STORES
    if address % 8 == 0:
        names = names + ATOMIC
    name = program.random.choice(names)
    fields = {"a": register, "b": program.register(), "d": program.register()}
    program.emit(name, **{key: fields[key] for key in "abd" if key in BY_NAME[name].bits})


def access_nowhere(program: Program) -> None:
    address = NOWHERE + program.random.randrange(64)
    program.constant(4, address)
    access(program, 4, address)


def jump_nowhere(program: Program) -> None:
    label = program.new_label()
    program.constant(4, NOWHERE)
    program.resume_at(label)
    program.emit("jalr", d=program.register(), a=4)
    program.place(label)


STEPS = (
    compute, access_csr, access_csr, illegal, call, leave_trap, raise_interrupt,
    access_nowhere, jump_nowhere,
)  # fmt: skip


def traps(random: Random, scenes: int) -> Image:
    """Delegation, interrupts and mstatus at random, then some steps in a mode at random."""
    program = Program(random)
    for _ in range(scenes):
        program.to_machine()
        bits = random.getrandbits(64) & (TVM | TW | TSR | 0b1010)
        # Were sret to trap in a handler that handles it, that would go on for ever.
        program.write("medeleg", program.value() & ~(ECALLS_TO_M | (ILLEGAL if bits & TSR else 0)))
        program.emit("csrrw", a=program.register(), i=NUMBERS["mideleg"])
        program.emit("csrrw", a=program.register(), i=NUMBERS["mie"])
        control = MPP | TVM | TW | TSR | FLOAT_STATE_ON | 0b1010
        mode = random.choice((USER, SUPERVISOR, MACHINE))
        program.status(bits | mode << 11 | random.choice((0, FLOAT_STATE_ON)), control)
        program.enter()
        for _ in range(random.randrange(3, 8)):
            random.choice(STEPS)(program)
    return program.image()


def csrs(random: Random, count: int) -> Image:
    """In M-mode: write a CSR, read back what it took, restore it."""
    program = Program(random)
    for _ in range(count):
        number, operand = NUMBERS[random.choice(SWAPPED)], program.register()
        if number == NUMBERS["satp"]:  # harts differ in how many bits of an ASID they have
            program.constant(operand, random.getrandbits(64) & ~ASID)
        program.emit(random.choice(("csrrw", "csrrs", "csrrc")), d=4, a=operand, i=number)
        program.emit("csrrw", d=program.register(), a=4, i=number)
        if random.random() < 0.1:
            program.constant(program.register(), program.value())
    return program.image()


def size_of(level: int) -> int:
    """Bytes that a leaf of a level maps: 4 KiB, 2 MiB, 1 GiB, …"""
    return 1 << 12 + 9 * level


class Tables:
    """Page tables under construction: random leaves at every level, some of them malformed."""

    def __init__(self, random: Random, levels: int) -> None:
        self.random = random
        self.levels = levels
        self.pages: list[dict[int, int]] = [{}]
        self.entries: list[int] = []  # addresses of leaves, to see their A and D afterwards
        self.data: list[int] = []
        self.code: list[int] = []
        half = 9 * levels + 11  # an address has that many bits, and sign bits above them
        for base in random.getrandbits(half), -random.getrandbits(half):
            self.populate(base & ~0x3FFFFF)

    def populate(self, base: int) -> None:
        """Twenty pages at base, one larger leaf of each level, wrong pointers, wrong addresses."""
        random = self.random
        for number in range(20):
            self.leaf(base + 4096 * number, 0, self.frame())
        for level in range(1, self.levels):
            inside = size_of(level) - 1
            misaligned = random.choice((0, 0, 0, 1 << 12))
            va = (base ^ size_of(level)) & ~inside | self.frame() & inside
            self.leaf(va, level, CODE & ~inside | misaligned)
        self.pointer(base ^ 2 * size_of(1), 1, random.choice((1 << 4, 1 << 6, 1 << 7)))
        self.data += [(base ^ 1 << 63) % (1 << 64), base ^ size_of(self.levels)]

    def frame(self) -> int:
        return PAGES + 4096 * self.random.choice(FRAMES)

    def table(self, va: int, level: int) -> dict[int, int]:
        """The table whose entries are leaves or pointers of that level."""
        page = self.pages[0]
        for upper in range(self.levels - 1, level, -1):
            index = va // size_of(upper) & 511
            if index not in page:
                page[index] = (TABLES >> 12) + len(self.pages) << 10 | 1
                self.pages.append({})
            page = self.pages[(page[index] >> 10) - (TABLES >> 12)]
        return page

    def leaf(self, va: int, level: int, pa: int) -> None:
        random = self.random
        permissions = random.choice((random.getrandbits(8) | 1, random.getrandbits(8) | 0xC3))
        malformed = random.choice((0,) * 9 + (1 << random.randrange(54, 64),))
        index = va // size_of(level) & 511
        page = self.table(va, level)
        page[index] = pa >> 12 << 10 | permissions | malformed
        number = next(n for n, other in enumerate(self.pages) if other is page)
        self.entries.append(TABLES + 4096 * number + 8 * index)
        is_code = pa + va % size_of(level) >= PAGES + 4096 * CODE_FRAMES[0]
        (self.code if is_code else self.data).append(va % (1 << 64))

    def pointer(self, va: int, level: int, malformed: int) -> None:
        """A pointer with bits that only leaves may have, and one to a table that is nowhere."""
        page = self.table(va, level)
        index = va // size_of(level)
        page[index & 511] = TABLES >> 12 << 10 | 1 | malformed
        page[index + 1 & 511] = NOWHERE >> 12 << 10 | 1
        self.data += [va % (1 << 64), (va + size_of(level)) % (1 << 64)]

    def image(self) -> Image:
        return {
            TABLES + 4096 * number: b"".join(
                page.get(k, 0).to_bytes(8, "little") for k in range(512)
            )
            for number, page in enumerate(self.pages)
        }


# A page of code for any mode; its instructions straddle words, and the last one the next page.
CODE_PAGE = words(word("addi", d=5, a=5, i=1), word("ecall")) * 512
CODE_PAGE = CODE_PAGE[2:] + CODE_PAGE[:2]


def under_mprv(program: Program, va: int, mode: int) -> None:
    """From M-mode: one access as another mode makes it."""
    bits = program.random.getrandbits(64) & (SUM | MXR)
    program.constant(24, va)
    program.status(mode << 11 | MPRV | bits, MPP | MPRV | SUM | MXR)
    access(program, 24, va)
    program.emit("csrrc", a=25, i=NUMBERS["mstatus"])


def execute(program: Program, va: int, mode: int) -> None:
    """From M-mode: a few instructions of a page, until something traps."""
    label = program.new_label()
    program.constant(24, va)
    program.status(mode << 11, MPP)
    program.resume_at(label)
    program.emit("csrrw", a=24, i=NUMBERS["mepc"])
    program.emit("mret")
    program.place(label)


def paging(random: Random, satp_mode: int, scenes: int) -> Image:
    """Accesses and jumps through random page tables, as S and U."""
    tables = Tables(random, satp_mode - 5)
    program = Program(random)
    program.write("satp", satp_mode << 60 | TABLES >> 12)
    for _ in range(scenes):
        mode = random.choice((USER, SUPERVISOR))
        if random.random() < 0.3:
            execute(program, random.choice(tables.code) + random.choice((2, 6, 0x802, 0xFFE)), mode)
        else:
            offset = random.choice((0, 8, 0x7FE, 0xFF8, 0xFFC, 0xFFF))
            under_mprv(program, (random.choice(tables.data) + offset) % (1 << 64), mode)
    for entry in tables.entries:
        program.constant(24, entry)
        program.emit("ld", d=5, a=24)
    return program.image() | tables.image() | frames(random)


def frames(random: Random) -> Image:
    return {
        PAGES: random.randbytes(64) * (64 * len(DATA_FRAMES)),
        PAGES + 4096 * CODE_FRAMES[0]: CODE_PAGE * len(CODE_FRAMES),
    }


def protection(random: Random, scenes: int) -> Image:
    """Accesses through random PMP entries, as S and U, and as M where an entry is locked."""
    program = Program(random)
    for scene in range(scenes):
        entry = random.randrange(16)
        size = random.choice((0x1FF, 0x3FF, 0x7FF, 0xFFF))
        place = PAGES + random.randrange(0, 0x20000, 4096) >> 2
        program.write(f"pmpaddr{entry}", random.choice((place, place & ~size | size)))
        locked = 0x80 if scene > scenes * 3 // 4 and entry > 8 else 0
        kinds = [random.choice((0x00, 0x08, 0x18, 0x18)) | random.randrange(8) for _ in range(8)]
        kinds[entry & 7] |= locked
        program.write(f"pmpcfg{entry >> 3 << 1}", int.from_bytes(kinds, "little"))
        program.emit("csrrs", d=5, i=NUMBERS[f"pmpcfg{entry >> 3 << 1}"])
        program.emit("csrrs", d=6, i=NUMBERS[f"pmpaddr{random.randrange(16)}"])
        for _ in range(4):
            va = PAGES + random.randrange(0, 0x20000, 4096) + random.choice((0, 8, 0xFFC))
            under_mprv(program, va, random.choice((USER, SUPERVISOR, MACHINE)))
    return program.image() | frames(random)


INTEGER = streams.INTEGER
LATE = [row for row in INTEGER if row.extension.startswith("Z")]
FLOAT = [*FLOAT_ROWS, *(BY_NAME[name] for name in ("flw", "fsw", "fld", "fsd"))]

PROGRAMS: dict[str, Callable[[Random], Image]] = {
    "integer": lambda random: stream(random, INTEGER, [], 1200),
    "bits": lambda random: stream(random, LATE, [], 1000),
    "compressed": lambda random: stream(random, FLOAT, streams.COMPRESSED, 1200),
    "float": lambda random: stream(random, FLOAT, [], 1500),
    "csrs": lambda random: csrs(random, 500),
    "traps": lambda random: traps(random, 120),
    "sv39": lambda random: paging(random, 8, 250),
    "sv48": lambda random: paging(random, 9, 250),
    "sv57": lambda random: paging(random, 10, 250),
    "protection": lambda random: protection(random, 80),
}


def image(name: str) -> Image:
    return PROGRAMS[name](Random(name))
