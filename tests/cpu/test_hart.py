"""A hart on its own: exits, traps, timers, code that changes, and what notebooks look at."""

import threading
import time
from collections.abc import Iterator

import pytest
from assemble import program, word

from vnb.clock import INSTRUCTIONS_PER_TICK
from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import ExitKind, Hart
from vnb.errors import UsageError
from vnb.memory import Memory

RAM = 0x8000_0000
DEVICE = 0x1000_0000
HANDLER = RAM + 0x800
SPIN = word("jal", d=0, i=0)


@pytest.fixture(params=["llvm", "numba", "python"])
def hart(request: pytest.FixtureRequest) -> Iterator[Hart]:
    hart = Hart(Memory(1 << 20), engine=request.param, clock="virtual")
    hart.state.mtvec = HANDLER
    yield hart


def load(hart: Hart, *words: int, at: int = RAM) -> None:
    hart.memory.write(at, program(*words))


def csrw(name: str, register: int) -> int:
    return word("csrrw", d=0, a=register, i=NUMBERS[name])


def csrr(register: int, name: str) -> int:
    return word("csrrs", d=register, a=0, i=NUMBERS[name])


def test_a_budget_is_kept_to_the_instruction(hart: Hart) -> None:
    load(hart, *[word("addi", d=5, a=5, i=1)] * 100, SPIN)
    for done in (1, 8, 57):
        assert hart.run(done - hart.instret) is ExitKind.BUDGET
        assert (hart.instret, hart.x[5], hart.pc) == (done, done, RAM + 4 * done)


@pytest.mark.parametrize(
    ("name", "answer", "register"),
    [
        ("lbu", 0x80, 0x80),
        ("lb", 0x80, 0xFFFFFFFFFFFFFF80),
        ("lhu", 0xFFFF8000, 0x8000),
        ("lw", 0x80000000, 0xFFFFFFFF80000000),
        ("lwu", 0x80000000, 0x80000000),
        ("ld", (1 << 64) - 1, (1 << 64) - 1),
    ],
)
def test_a_device_load_leaves_and_is_finished_by_its_answer(
    hart: Hart, name: str, answer: int, register: int
) -> None:
    load(hart, word(name, d=6, a=5, i=8), SPIN)
    hart.x[5] = DEVICE
    assert hart.run(100) is ExitKind.LOAD
    assert (hart.access.address, hart.pc, hart.instret) == (DEVICE + 8, RAM, 0)
    hart.complete_load(answer)
    assert (hart.x[6], hart.pc, hart.instret) == (register, RAM + 4, 1)
    assert hart.run(1) is ExitKind.BUDGET


def test_a_device_store_leaves_with_its_bytes(hart: Hart) -> None:
    load(hart, word("sh", a=5, b=6, i=2), SPIN)
    hart.x[5], hart.x[6] = DEVICE, 0x12345678
    assert hart.run(100) is ExitKind.STORE
    access = hart.access
    assert (access.address, access.size, access.value) == (DEVICE + 2, 2, 0x5678)
    hart.complete_store()
    assert (hart.pc, hart.instret) == (RAM + 4, 1)


@pytest.mark.parametrize(("name", "cause"), [("ld", 5), ("sd", 7)])
def test_an_access_that_nobody_answers_traps_at_its_instruction(
    hart: Hart, name: str, cause: int
) -> None:
    fields = {"d": 6} if name == "ld" else {"b": 6}
    load(hart, word(name, a=5, i=0, **fields))
    load(hart, SPIN, at=HANDLER)
    hart.x[5] = DEVICE
    hart.run(100)
    hart.access_fault()
    hart.run(1)
    assert (hart.csr("mcause"), hart.csr("mepc"), hart.csr("mtval")) == (cause, RAM, DEVICE)
    assert hart.pc == HANDLER


def test_a_supervisor_call_leaves_only_where_somebody_serves_it(hart: Hart) -> None:
    load(hart, word("ecall"), SPIN)
    load(hart, SPIN, at=HANDLER)
    hart.reset(RAM, mode=1)
    hart.sbi = True
    assert hart.run(10) is ExitKind.SBI
    assert (hart.pc, hart.instret) == (RAM + 4, 1)
    hart.reset(RAM, mode=1)
    hart.sbi = False
    hart.state.mtvec = HANDLER
    hart.run(10)
    assert (hart.csr("mcause"), hart.mode) == (9, 3)


def test_wfi_sleeps_until_a_line_rises(hart: Hart) -> None:
    load(hart, word("wfi"), word("addi", d=5, a=0, i=7), SPIN)
    hart.state.mie = 1 << 11
    assert hart.run(100) is ExitKind.WFI
    assert (hart.pc, hart.next_timer()) == (RAM + 4, None)
    assert hart.run(100) is ExitKind.BUDGET  # the guest may go on for no reason [priv 3.3.3]
    hart.reset(RAM)
    hart.state.mie = 1 << 11
    hart.set_interrupt(11, True)
    assert hart.run(2) is ExitKind.BUDGET
    assert hart.x[5] == 7
    hart.set_interrupt(11, False)
    assert hart.csr("mip") == 0


def test_virtual_wfi_jumps_to_the_timer_and_not_beyond(hart: Hart) -> None:
    load(hart, word("wfi"), csrr(5, "time"), SPIN)
    hart.state.mie = 1 << 7
    hart.mtimecmp = 5000
    assert hart.run(2) is ExitKind.BUDGET
    assert (hart.x[5], hart.instret) == (5000, 2)


def test_a_timer_that_is_masked_neither_wakes_nor_turns_time_back(hart: Hart) -> None:
    load(hart, word("wfi"), SPIN)
    hart.mtimecmp = 0
    before = hart.mtime
    assert hart.run(100) is ExitKind.WFI
    assert hart.next_timer() is None
    assert hart.mtime >= before


def test_a_timer_interrupt_lands_on_its_instruction(hart: Hart) -> None:
    load(hart, *[word("addi", d=5, a=5, i=1)] * 400, SPIN)
    load(hart, SPIN, at=HANDLER)
    hart.state.mie, hart.mtimecmp = 1 << 7, 4
    hart.state.mstatus |= 1 << 3
    load(hart, word("addi", d=5, a=5, i=1), at=RAM)
    hart.memory.write(RAM, program(*[word("addi", d=5, a=5, i=1)] * 200))
    hart.state.mtvec = RAM + 0x10000
    load(hart, SPIN, at=RAM + 0x10000)
    hart.run(300)
    assert hart.x[5] == 4 * INSTRUCTIONS_PER_TICK
    assert hart.csr("mcause") == 1 << 63 | 7


def test_the_virtual_clock_counts_instructions(hart: Hart) -> None:
    load(hart, SPIN)
    hart.run(1000 * INSTRUCTIONS_PER_TICK)
    assert hart.mtime == 1000
    hart.set_mtime(5)
    assert hart.mtime == 5


def test_the_real_clock_follows_the_host() -> None:
    hart = Hart(Memory(1 << 16), engine="python", clock="real")
    load(hart, csrr(5, "time"), SPIN)
    start = hart.mtime
    time.sleep(0.01)
    hart.run(1)
    assert hart.x[5] - start >= 100_000


def test_attend_from_another_thread_ends_a_long_run(hart: Hart) -> None:
    load(hart, SPIN)
    timer = threading.Timer(0.05, hart.attend)
    timer.start()
    assert hart.run(1 << 50) is ExitKind.ATTENTION
    timer.join()


@pytest.mark.parametrize("vector", [0, RAM])
def test_a_trap_handler_that_only_traps_does_not_hold_the_hart(hart: Hart, vector: int) -> None:
    """Neither at a vector that cannot be fetched nor at one that holds no instruction."""
    hart.state.mtvec = vector
    timer = threading.Timer(0.05, hart.attend)
    timer.start()
    assert hart.run(1000) is ExitKind.ATTENTION
    timer.join()
    assert hart.instret == 0


def test_code_that_the_guest_rewrites_runs_as_rewritten(hart: Hart) -> None:
    """A store into the next instruction of the same page, without fence.i and with it."""
    new = word("addi", d=6, a=0, i=99)
    load(hart, word("sw", a=5, b=7, i=8), word("fence.i"), word("addi", d=6, a=0, i=1), SPIN)
    hart.x[5], hart.x[7] = RAM, new
    hart.run(4)
    assert hart.x[6] == 99


def test_code_that_is_rewritten_often_is_still_run_as_it_is(hart: Hart) -> None:
    """Beyond 32 stores the page's decoded instructions are dropped as a whole."""
    loop = [
        word("addi", d=6, a=6, i=1),  # rewritten by each turn of the loop
        word("sw", a=5, b=7, i=0),
        word("xor", d=7, a=7, b=8),
        word("addi", d=9, a=9, i=-1),
        word("fence.i"),
        word("bne", a=9, b=0, i=-20),
        SPIN,
    ]
    load(hart, *loop)
    one, two = word("addi", d=6, a=6, i=1), word("addi", d=6, a=6, i=2)
    hart.x[5], hart.x[7], hart.x[8], hart.x[9] = RAM, two, one ^ two, 200
    hart.run(1200)
    assert hart.x[6] == 300


def test_code_that_a_device_overwrites_runs_as_overwritten(hart: Hart) -> None:
    load(hart, word("addi", d=6, a=0, i=1), word("jal", d=0, i=-4))
    hart.run(10)
    hart.memory.write(RAM, program(word("addi", d=6, a=0, i=2)))
    hart.run(10)
    assert hart.x[6] == 2


@pytest.mark.parametrize("offset", [0xFFE, 0xFFF])
def test_an_access_across_pages_stores_every_byte_or_none(hart: Hart, offset: int) -> None:
    place = RAM + 0x4000 + offset
    load(hart, word("sd", a=5, b=6, i=0), word("ld", d=7, a=5, i=0), SPIN)
    load(hart, SPIN, at=HANDLER)
    hart.x[5], hart.x[6] = place, 0x1122334455667788
    hart.run(2)
    assert hart.x[7] == 0x1122334455667788
    end = hart.memory.base + hart.memory.size
    hart.reset(RAM)
    hart.state.mtvec = HANDLER
    hart.x[5], hart.x[6] = end - 4, (1 << 64) - 1
    hart.run(2)
    assert hart.csr("mcause") == 7
    assert hart.memory.read(end - 4, 4) == bytes(4)


def test_an_instruction_across_pages_runs_and_faults_at_its_second_half(hart: Hart) -> None:
    code = program(word("addi", d=5, a=5, i=7), SPIN)
    hart.memory.write(RAM + 0xFFE, code)
    hart.pc = RAM + 0xFFE
    hart.run(1)
    assert (hart.x[5], hart.pc) == (7, RAM + 0x1002)
    end = hart.memory.base + hart.memory.size
    hart.memory.write(end - 2, code[:2])
    load(hart, SPIN, at=HANDLER)
    hart.reset(end - 2)
    hart.state.mtvec = HANDLER
    hart.run(1)
    assert (hart.csr("mcause"), hart.csr("mepc"), hart.csr("mtval")) == (1, end - 2, end)


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_pages_are_walked_at_every_depth_and_marked(hart: Hart, levels: int) -> None:
    """Sv39, Sv48, Sv57: one page at a high address, its A and D bits set by the hardware."""
    root = RAM + 0x10000
    va = 0x3F_FFFF_F000 >> 1 & ~0xFFF
    for level in range(levels - 1, -1, -1):
        table = root + 0x1000 * (levels - 1 - level)
        following = RAM + 0x40000 if level == 0 else table + 0x1000
        flags = 0b0111 if level == 0 else 1
        hart.memory.write_u64(table + (va >> 12 + 9 * level & 511) * 8, following >> 2 | flags)
    # the code itself runs in M-mode and reaches the page through MPRV
    load(hart, word("sd", a=5, b=6, i=8), word("ld", d=7, a=5, i=8), SPIN)
    hart.x[5], hart.x[6] = va, 0xCAFE
    hart.state.satp = (levels + 5) << 60 | root >> 12
    hart.state.mstatus |= 1 << 17 | 1 << 11
    hart.state.pmpcfg0, hart.state.pmpaddr0, hart.state.pmp_free = 0x1F, (1 << 54) - 1, 0b1011
    hart.run(2)
    assert hart.x[7] == 0xCAFE
    assert hart.memory.read_u64(RAM + 0x40008) == 0xCAFE
    leaf = hart.memory.read_u64(root + 0x1000 * (levels - 1) + (va >> 12 & 511) * 8)
    assert leaf & 0xC0 == 0xC0


def test_a_fence_for_one_address_forgets_its_whole_superpage(hart: Hart) -> None:
    """Linux flushes a huge page with one sfence.vma at its first address."""
    root, middle, va = RAM + 0x10000, RAM + 0x11000, 0x4000_0000
    old, new = RAM + 0x20_0000, RAM + 0x40_0000
    hart = Hart(Memory(8 << 20), engine=hart.engine, clock="virtual")
    hart.memory.write_u64(root + (va >> 30) * 8, middle >> 2 | 1)
    hart.memory.write_u64(middle, old >> 2 | 0b0111)
    for frame, value in (old, 1), (new, 2):
        hart.memory.write_u64(frame + 0x5000, value)
    load(
        hart,
        word("ld", d=6, a=5, i=0),
        word("ld", d=6, a=8, i=0),  # another page of the superpage
        word("sfence.vma", a=7, b=0),
        word("ld", d=10, a=5, i=0),
        SPIN,
    )
    hart.x[5], hart.x[7] = va + 0x5000, va
    hart.x[8] = va + 0x1000
    hart.state.satp = 8 << 60 | root >> 12
    hart.state.mstatus |= 1 << 17 | 1 << 11
    hart.state.pmpcfg0, hart.state.pmpaddr0, hart.state.pmp_free = 0x1F, (1 << 54) - 1, 0b1011
    hart.run(1)
    before = hart.x[6]
    hart.run(1)
    hart.memory.write_u64(middle, new >> 2 | 0b0111)
    hart.run(2)
    assert (before, hart.x[10]) == (1, 2)


def test_pmp_has_a_grain_of_one_page_and_keeps_what_is_locked(hart: Hart) -> None:
    hart.set_csr("pmpaddr0", (1 << 54) - 1)
    assert hart.csr("pmpaddr0") == (1 << 54) - 1 - 0x3FF  # the lowest bit set tells the grain
    hart.set_csr("pmpcfg0", 0x98)  # locked, NAPOT, no permission: 8 KiB and up from here
    assert hart.csr("pmpaddr0") & 0x1FF == 0x1FF
    hart.set_csr("pmpaddr0", 0)
    hart.set_csr("pmpcfg0", 0)
    assert (hart.csr("pmpcfg0"), hart.csr("pmpaddr0")) == (0x98, (1 << 54) - 1)


def test_pmp_refuses_the_first_page_that_a_locked_entry_covers(hart: Hart) -> None:
    load(hart, word("ld", d=6, a=5, i=0), word("ld", d=6, a=7, i=0), SPIN)
    load(hart, SPIN, at=HANDLER)
    secret = RAM + 0x8000
    hart.set_csr("pmpaddr0", secret >> 2 | 0x1FF)  # NAPOT, 4 KiB
    hart.set_csr("pmpcfg0", 0x98)
    hart.x[5], hart.x[7] = secret + 0x1000, secret + 8
    hart.run(2)
    assert (hart.csr("mcause"), hart.csr("mepc"), hart.csr("mtval")) == (5, RAM + 4, secret + 8)


def test_user_mode_without_any_pmp_entry_may_touch_nothing(hart: Hart) -> None:
    load(hart, word("mret"))
    load(hart, SPIN, at=HANDLER)
    hart.state.mepc = RAM
    hart.run(2)
    assert (hart.mode, hart.csr("mcause"), hart.csr("mepc")) == (3, 1, RAM)


def test_an_inhibited_counter_stands_still(hart: Hart) -> None:
    nop = word("addi", d=0, a=0, i=0)
    load(
        hart,
        csrw("mcountinhibit", 5),
        *[nop] * 10,
        csrr(6, "minstret"),
        csrr(7, "mcycle"),
        csrw("mcountinhibit", 0),
        csrr(8, "minstret"),
        SPIN,
    )
    hart.x[5] = 4  # minstret alone
    hart.run(15)
    assert (hart.x[6], hart.x[7], hart.x[8]) == (0, 12, 0)


def test_a_counter_reads_on_from_what_was_written(hart: Hart) -> None:
    load(hart, csrw("mcycle", 5), csrr(6, "mcycle"), csrr(7, "mcycle"), SPIN)
    hart.x[5] = 1000
    hart.run(3)
    assert (hart.x[6], hart.x[7]) == (1000, 1001)


def test_soft_arithmetic_replaces_a_missing_fused_multiply_add(hart: Hart) -> None:
    """With and without the host's own, the same bits: (1 + 2⁻³⁰)² - 1 takes one rounding."""
    one = 0x3FF0000000000000
    operands = one | 1 << 22, one | 1 << 22, one | 1 << 63
    results = set()
    for fma in (0, 1) if hart.state.hostfma else (0,):
        for flags in (0, 1):
            hart.reset(RAM)
            hart.state.hostfma = fma
            hart.state.mstatus |= 3 << 13
            hart.state.fflags = flags
            hart.f[1], hart.f[2], hart.f[3] = operands
            load(hart, word("fmadd.d", d=4, a=1, b=2, c=3, m=0), SPIN)
            hart.run(1)
            results.add((hart.f[4], hart.state.fflags | 1))
    assert len(results) == 1


def test_reset_leaves_nothing_of_the_guest_before(hart: Hart) -> None:
    load(hart, *[word("addi", d=r, a=0, i=1) for r in range(1, 32)], SPIN)
    hart.run(40)
    hart.set_csr("mscratch", 5)
    hart.set_interrupt(11, True)
    hart.reset(RAM + 64, a0=1, a1=2, a2=3)
    assert list(hart.x) == [0] * 10 + [1, 2, 3] + [0] * 19
    assert (hart.pc, hart.mode, hart.instret, hart.mtime) == (RAM + 64, 3, 0, 0)
    assert (hart.csr("mscratch"), hart.csr("mip")) == (0, 0)


def test_the_pool_of_decoded_pages_starts_anew_when_it_is_used_up(hart: Hart) -> None:
    pages = 8
    for page in range(pages):
        hop = [word("addi", d=5, a=5, i=1), word("jal", d=0, i=0x1000 - 4)]
        load(hart, *hop, at=RAM + 0x1000 * page)
    load(hart, word("jal", d=0, i=-0x1000 * pages), at=RAM + 0x1000 * pages)
    hart.state.decoded_limit = 4
    hart.run(10 * (2 * pages + 1))
    assert hart.x[5] == 10 * pages


def test_a_hart_says_what_it_is_about_to_do(hart: Hart) -> None:
    load(hart, word("addi", d=10, a=10, i=1), word("jal", d=0, i=-4))
    text = hart.disassemble(count=2)
    assert "addi a0, a0, 1" in text
    assert "jal zero, 0x80000000" in text
    assert hart.disassemble(0x1000, count=2) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"engine": "qemu"}, "engine must be one of llvm, numba, python"),
        ({"clock": "wall"}, "clock"),
    ],
)
def test_an_unknown_engine_or_clock_is_named(arguments: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Hart(Memory(1 << 16), **arguments)  # type: ignore[arg-type]


def test_an_unknown_csr_is_named(hart: Hart) -> None:
    with pytest.raises(UsageError, match="'mfoo'"):
        hart.csr("mfoo")
