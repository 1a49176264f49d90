"""The SBI that the machine serves, call by call; section numbers are the specification's (2.0)."""

from collections.abc import Callable

import pytest

from tests.platform.fakes import FakeHart, FakeTerminal
from vnb.firmware import Sbi
from vnb.memory import Memory

BASE, TIME, IPI, RFENCE = 0x10, 0x54494D45, 0x735049, 0x52464E43
HSM, SRST, DBCN = 0x48534D, 0x53525354, 0x4442434E

SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM = 0, -1, -2, -3
INVALID_ADDRESS, ALREADY_AVAILABLE = -5, -6

RAM = 0x8000_0000
NONE = (1 << 64) - 1
UNTOUCHED = 0x5EED


class PowerCut(Exception):
    """What a machine raises to stop where it stands."""


class Supervisor:
    """Makes calls as a kernel does and reads the answers as C's longs."""

    def __init__(self, typed: bytes = b"") -> None:
        self.hart = FakeHart()
        self.memory = Memory(1 << 16, RAM)
        self.terminal = FakeTerminal(typed)
        self.sbi = Sbi(self.hart, self.memory, self.terminal, self.cut)  # type: ignore[arg-type]
        self.ending: tuple[str, int] | None = None

    def cut(self, action: str, code: int) -> None:
        self.ending = (action, code)
        raise PowerCut

    def call(self, extension: int, function: int, *terms: int) -> tuple[int, int]:
        """(error, value), with a0 … a5 set to `terms`."""
        x = self.hart.x
        x[10:16] = [*terms, *[0] * (6 - len(terms))]
        x[16], x[17] = function, extension
        self.sbi.call()
        return signed(x[10]), signed(x[11])

    def legacy(self, extension: int, *terms: int) -> int:
        """a0; a1 must stay as it was."""
        self.hart.x[16] = 99  # has no meaning here
        self.hart.x[10:12] = [terms[0] if terms else 0, UNTOUCHED]
        self.hart.x[17] = extension
        self.sbi.call()
        assert self.hart.x[11] == UNTOUCHED
        return signed(self.hart.x[10])


def signed(word: int) -> int:
    assert 0 <= word < 1 << 64
    return word - (word >> 63 << 64)


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


# Hand-over


def test_the_hart_is_handed_over_as_firmware_does(supervisor: Supervisor) -> None:
    supervisor.sbi.prepare()
    state = supervisor.hart.state
    assert supervisor.hart.sbi
    assert state.stimecmp == NONE
    assert state.mideleg == 1 << 1 | 1 << 5 | 1 << 9
    exceptions = {n for n in range(64) if state.medeleg >> n & 1}
    assert exceptions == {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 15}
    assert state.menvcfg >> 63 == 1


def test_user_programs_may_read_the_clock(supervisor: Supervisor) -> None:
    supervisor.sbi.prepare()
    assert supervisor.hart.state.scounteren == supervisor.hart.state.mcounteren == 7


# 4: base


def test_it_says_which_specification_it_follows(supervisor: Supervisor) -> None:
    assert supervisor.call(BASE, 0) == (SUCCESS, 2 << 24)


def test_it_does_not_pass_for_another_implementation(supervisor: Supervisor) -> None:
    error, number = supervisor.call(BASE, 1)
    assert error == SUCCESS and number > 11
    assert supervisor.call(BASE, 2) == (SUCCESS, 1)


@pytest.mark.parametrize("extension", [*range(9), BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN])
def test_what_is_there_is_found_by_probing(supervisor: Supervisor, extension: int) -> None:
    assert supervisor.call(BASE, 3, extension) == (SUCCESS, 1)


@pytest.mark.parametrize("extension", [9, 0x0F, 0x504D55, 0x43505043, 0x53555350, NONE])
def test_what_is_not_there_is_neither_found_nor_served(
    supervisor: Supervisor, extension: int
) -> None:
    assert supervisor.call(BASE, 3, extension) == (SUCCESS, 0)
    assert supervisor.call(extension, 0) == (NOT_SUPPORTED, 0)


@pytest.mark.parametrize(
    ("extension", "function"),
    [(BASE, 7), (TIME, 1), (IPI, 1), (RFENCE, 3), (HSM, 4), (SRST, 1), (DBCN, 3), (BASE, NONE)],
)
def test_a_function_beyond_the_last_is_not_supported(
    supervisor: Supervisor, extension: int, function: int
) -> None:
    assert supervisor.call(extension, function) == (NOT_SUPPORTED, 0)


def test_the_machine_ids_are_no_vendors(supervisor: Supervisor) -> None:
    assert [supervisor.call(BASE, n) for n in (4, 5, 6)] == [(SUCCESS, 0)] * 3


# 6, 7, 8: timer, interrupts, fences


def test_a_timer_is_set_and_taken_back(supervisor: Supervisor) -> None:
    assert supervisor.call(TIME, 0, 12345) == (SUCCESS, 0)
    assert supervisor.hart.stimecmp == 12345
    supervisor.call(TIME, 0, NONE)
    assert supervisor.hart.stimecmp == NONE


def interrupted(supervisor: Supervisor) -> bool:
    pending = supervisor.hart.state.mip >> 1 & 1
    supervisor.hart.state.mip = 0
    return bool(pending)


def flushed(supervisor: Supervisor) -> bool:
    flushes, supervisor.hart.flushes = supervisor.hart.flushes, 0
    return bool(flushes)


@pytest.mark.parametrize(
    ("extension", "function", "done"),
    [(IPI, 0, interrupted), (RFENCE, 0, flushed), (RFENCE, 1, flushed), (RFENCE, 2, flushed)],
)
def test_a_hart_mask_selects_the_one_hart_or_nobody_or_is_refused(
    supervisor: Supervisor, extension: int, function: int, done: Callable[[Supervisor], bool]
) -> None:
    def call(mask: int, base: int) -> tuple[int, bool]:
        error, _ = supervisor.call(extension, function, mask, base, 0x1000, 0x1000, 3)
        return error, done(supervisor)

    assert call(1, 0) == (SUCCESS, True)
    assert call(0, NONE) == (SUCCESS, True)
    assert call(0x1234, NONE) == (SUCCESS, True)
    assert call(0, 0) == (SUCCESS, False)
    assert call(0, 1 << 62) == (SUCCESS, False)
    for mask, base in ((2, 0), (3, 0), (1, 1), (NONE, 0), (1, 1 << 62)):
        assert call(mask, base) == (INVALID_PARAM, False)


# 9: hart state management


def test_the_one_hart_runs_and_no_other_exists(supervisor: Supervisor) -> None:
    assert supervisor.call(HSM, 2, 0) == (SUCCESS, 0)
    assert supervisor.call(HSM, 2, 1) == (INVALID_PARAM, 0)
    assert supervisor.call(HSM, 0, 0, RAM, 7) == (ALREADY_AVAILABLE, 0)
    assert supervisor.call(HSM, 0, 1, RAM, 7) == (INVALID_PARAM, 0)


def test_the_last_hart_cannot_be_stopped(supervisor: Supervisor) -> None:
    assert supervisor.call(HSM, 1) == (FAILED, 0)


def test_a_retentive_suspend_returns_to_its_caller(supervisor: Supervisor) -> None:
    supervisor.hart.pc = 0x1234
    assert supervisor.call(HSM, 3, 0) == (SUCCESS, 0)
    assert supervisor.hart.pc == 0x1234


def test_a_non_retentive_suspend_wakes_where_it_was_told_with_paging_and_interrupts_off(
    supervisor: Supervisor,
) -> None:
    state = supervisor.hart.state
    state.satp, state.mstatus = 8 << 60 | 1, 1 << 1 | 1 << 18
    assert supervisor.call(HSM, 3, 0x8000_0000, RAM + 0x100, 0x777) == (0, 0x777)
    assert supervisor.hart.pc == RAM + 0x100
    assert (state.satp, state.mstatus) == (0, 1 << 18)
    assert supervisor.hart.flushes == 1


def test_a_suspend_that_is_not_defined_or_cannot_wake_is_refused(supervisor: Supervisor) -> None:
    for kind in (1, 0x0FFF_FFFF, 0x1000_0000, 0x8000_0001, 0xFFFF_FFFF):
        assert supervisor.call(HSM, 3, kind, RAM) == (INVALID_PARAM, 0)
    for resume in (0x1000, RAM + 1, RAM + (1 << 16), NONE):
        assert supervisor.call(HSM, 3, 0x8000_0000, resume) == (INVALID_ADDRESS, 0)


# 10: system reset


@pytest.mark.parametrize(
    ("kind", "reason", "ending"),
    [
        (0, 0, ("off", 0)),
        (0, 1, ("off", 1)),
        (1, 0, ("reboot", 0)),
        (2, 1, ("reboot", 0)),
        (1 << 32, 0, ("off", 0)),  # both are 32-bit numbers
    ],
)
def test_a_reset_ends_or_restarts_the_machine(
    supervisor: Supervisor, kind: int, reason: int, ending: tuple[str, int]
) -> None:
    with pytest.raises(PowerCut):
        supervisor.call(SRST, 0, kind, reason)
    assert supervisor.ending == ending


@pytest.mark.parametrize(
    ("kind", "reason"), [(3, 0), (0xF000_0000, 0), (0xFFFF_FFFF, 0), (0, 2), (0, 0xE000_0000)]
)
def test_a_reset_of_a_kind_or_for_a_reason_that_is_not_defined_is_refused(
    supervisor: Supervisor, kind: int, reason: int
) -> None:
    assert supervisor.call(SRST, 0, kind, reason) == (INVALID_PARAM, 0)
    assert supervisor.ending is None


# 12: debug console


def test_the_console_prints_from_memory(supervisor: Supervisor) -> None:
    supervisor.memory.write(RAM + 0x10, b"hello")
    assert supervisor.call(DBCN, 0, 5, RAM + 0x10, 0) == (SUCCESS, 5)
    assert supervisor.terminal.printed == b"hello"
    assert supervisor.call(DBCN, 0, 0, RAM, 0) == (SUCCESS, 0)


def test_one_call_prints_a_bounded_part_and_says_how_much(supervisor: Supervisor) -> None:
    supervisor.memory.fill(RAM, 1 << 16, ord("x"))
    error, count = supervisor.call(DBCN, 0, 1 << 16, RAM, 0)
    assert error == SUCCESS and 0 < count < 1 << 16
    assert supervisor.terminal.printed == b"x" * count


def test_the_console_reads_into_memory_what_there_is() -> None:
    supervisor = Supervisor(b"typed")
    assert supervisor.call(DBCN, 1, 3, RAM + 8, 0) == (SUCCESS, 3)
    assert supervisor.call(DBCN, 1, 100, RAM + 11, 0) == (SUCCESS, 2)
    assert supervisor.call(DBCN, 1, 100, RAM + 13, 0) == (SUCCESS, 0)
    assert supervisor.memory.read(RAM + 8, 6) == b"typed\0"


@pytest.mark.parametrize("function", [0, 1])
@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (5, RAM - 1, 0),
        (5, RAM + (1 << 16) - 4, 0),
        (5, 0x1000_0000, 0),
        (5, RAM, 1),
        (NONE, RAM, 0),
        (8, NONE - 3, 0),
    ],
)
def test_a_buffer_that_is_not_in_ram_is_refused_whole(
    function: int, count: int, low: int, high: int
) -> None:
    supervisor = Supervisor(b"typed")
    assert supervisor.call(DBCN, function, count, low, high) == (INVALID_PARAM, 0)
    assert supervisor.terminal.calls == [] and supervisor.terminal.typed == b"typed"


def test_a_byte_is_printed_from_a_register(supervisor: Supervisor) -> None:
    assert supervisor.call(DBCN, 2, 0xFF41) == (SUCCESS, 0)
    assert supervisor.terminal.printed == b"A"


# 5: legacy calls answer in a0 alone


def test_the_legacy_console_puts_and_gets_characters() -> None:
    supervisor = Supervisor(b"q")
    assert supervisor.legacy(1, ord("A")) == 0
    assert supervisor.terminal.printed == b"A"
    assert supervisor.legacy(2) == ord("q")
    assert supervisor.legacy(2) == -1


def test_the_legacy_timer_and_interrupts_work(supervisor: Supervisor) -> None:
    assert supervisor.legacy(0, 777) == 0
    assert supervisor.hart.stimecmp == 777
    assert supervisor.legacy(4, 0) == 0
    assert supervisor.hart.state.mip == 1 << 1
    assert supervisor.legacy(3) == 0
    assert supervisor.hart.state.mip == 0


@pytest.mark.parametrize("extension", [5, 6, 7])
def test_the_legacy_fences_flush(supervisor: Supervisor, extension: int) -> None:
    assert supervisor.legacy(extension, 0xFFFF_FFC0_0000_0000) == 0
    assert supervisor.hart.flushes == 1


def test_the_legacy_shutdown_ends_the_machine(supervisor: Supervisor) -> None:
    with pytest.raises(PowerCut):
        supervisor.legacy(8)
    assert supervisor.ending == ("off", 0)


def test_no_call_whatever_breaks_the_machine(supervisor: Supervisor) -> None:
    """Every call with extreme terms answers with a defined error or ends the machine."""
    supervisor.hart.state.mstatus = 0
    extremes = (0, 1, RAM, 1 << 63, NONE)
    for extension in (*range(9), BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN):
        for function in range(5):
            for a0 in extremes:
                for a1 in extremes:
                    for a2 in extremes:
                        try:
                            error, _ = supervisor.call(extension, function, a0, a1, a2)
                        except PowerCut:
                            continue
                        assert extension < 9 or -9 <= error <= 0
