"""The SBI served by the machine itself: what a supervisor asks of its firmware, call by call.

Section numbers are those of the RISC-V SBI specification 2.0.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from vnb.memory import Memory
from vnb.platform.syscon import PowerSwitch
from vnb.platform.uart import Chars

if TYPE_CHECKING:
    from vnb.cpu.hart import Hart

SPECIFICATION = 2 << 24  # 2.0
IMPLEMENTATION = 0x76_6E62  # "vnb"; not one of the numbers that the specification lists
VERSION = 1

U64 = (1 << 64) - 1
U32 = (1 << 32) - 1
ALL_HARTS = U64
CHUNK = 4096
"""Bytes that one console call moves at most; the callers are told, and ask again [12]."""

A0, A1, A2, A3, A6, A7 = 10, 11, 12, 13, 16, 17  # by their numbers among the x registers
SSIP = 1 << 1  # of mip
SIE = 1 << 1  # of mstatus

STARTED = 0
RETENTIVE, NON_RETENTIVE = 0x0000_0000, 0x8000_0000
NO_REASON, SYSTEM_FAILURE = 0, 1
RESETS = {0: "off", 1: "reboot", 2: "reboot"}  # shutdown, cold reboot, warm reboot


class Status(IntEnum):
    """Standard error codes [3, table 1]."""

    SUCCESS = 0
    FAILED = -1
    NOT_SUPPORTED = -2
    INVALID_PARAM = -3
    INVALID_ADDRESS = -5
    ALREADY_AVAILABLE = -6


class Refused(Exception):
    """The call has no effect; its caller gets `status` in a0."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status


class Extension(IntEnum):
    """Extension identifiers, in a7."""

    BASE = 0x10
    TIME = 0x54494D45
    IPI = 0x735049
    RFENCE = 0x52464E43
    HSM = 0x48534D
    SRST = 0x53525354
    DBCN = 0x4442434E


# What the machine gives a supervisor before its first instruction, besides all of memory
HANDOVER = {
    "medeleg": 0xB1FF,  # every exception but ecall from S
    "mideleg": 0x222,  # SSI, STI, SEI
    "stimecmp": U64,  # never
    "mcounteren": 7,  # cycle, time, instret …
    "scounteren": 7,  # … in user mode too: the vDSO reads time, and old kernels set nothing here
    "menvcfg": 1 << 63,  # STCE: stimecmp is the supervisor's own timer
}


class Sbi:
    """Firmware for one hart. `terminal` is best the board's UART, which keeps the order of output.

    `on_power` is called for shutdown and reboot, and may raise.
    """

    def __init__(
        self, hart: "Hart", memory: Memory, terminal: Chars, on_power: PowerSwitch
    ) -> None:
        self._hart = hart
        self._memory = memory
        self._terminal = terminal
        self._on_power = on_power

    def prepare(self) -> None:
        """Make the hart, fresh from a reset into supervisor mode, what firmware makes of it."""
        for name, value in HANDOVER.items():
            setattr(self._hart.state, name, value)
        self._hart.sbi = True

    def call(self) -> None:
        """Serve the ecall that the hart has just left with: a7 and a6 say which, a0 … its terms."""
        x = self._hart.x
        extension, function = x[A7], x[A6]
        if extension in LEGACY:
            x[A0] = LEGACY[extension](self, x[A0]) & U64
            return
        try:
            serve = CALLS.get((extension, function))
            if serve is None:
                raise Refused(Status.NOT_SUPPORTED)
            status, value = Status.SUCCESS, serve(self, x[A0], x[A1], x[A2], x[A3])
        except Refused as refusal:
            status, value = refusal.status, 0
        if value is not None:
            x[A0] = status & U64
            x[A1] = value & U64

    # Base [4]

    def _probe(self, extension: int, *_: int) -> int:
        return int(extension in LEGACY or any(extension == known for known, _fid in CALLS))

    # Timer [6], IPI [7], RFENCE [8]

    def _set_timer(self, deadline: int, *_: int) -> int:
        self._hart.stimecmp = deadline
        return 0

    def _send_ipi(self, mask: int, base: int, *_: int) -> int:
        if _names_us(mask, base):
            self._hart.state.mip |= SSIP
        return 0

    def _fence(self, mask: int, base: int, *_: int) -> int:
        """FENCE.I and every SFENCE.VMA: a range or an address space is less than what goes."""
        if _names_us(mask, base):
            self._hart.flush()
        return 0

    # Hart state management [9]

    def _hart_start(self, hartid: int, *_: int) -> int:
        raise Refused(Status.INVALID_PARAM if hartid else Status.ALREADY_AVAILABLE)

    def _hart_stop(self, *_: int) -> int:
        """Refused, for nobody would be left to start the last hart again."""
        raise Refused(Status.FAILED)

    def _hart_status(self, hartid: int, *_: int) -> int:
        if hartid:
            raise Refused(Status.INVALID_PARAM)
        return STARTED

    def _hart_suspend(self, kind: int, resume: int, opaque: int, *_: int) -> int | None:
        """Sleep, and wake at once: the platform may end a sleep by events of its own [9.4]."""
        if kind & U32 == RETENTIVE:
            return 0
        if kind & U32 != NON_RETENTIVE:
            raise Refused(Status.INVALID_PARAM)
        if resume & 1 or not self._memory.contains(resume, 2):
            raise Refused(Status.INVALID_ADDRESS)
        hart = self._hart
        hart.state.satp = 0
        hart.state.mstatus &= ~SIE
        hart.flush()
        hart.x[A0], hart.x[A1] = 0, opaque  # its hart id, and what it wanted to be told
        hart.pc = resume
        return None

    # System reset [10]

    def _reset(self, kind: int, reason: int, *_: int) -> int:
        if kind & U32 not in RESETS or reason & U32 not in (NO_REASON, SYSTEM_FAILURE):
            raise Refused(Status.INVALID_PARAM)
        action = RESETS[kind & U32]
        self._on_power(action, reason & U32 if action == "off" else 0)
        return 0

    # Debug console [12]

    def _console_write(self, count: int, low: int, high: int, *_: int) -> int:
        self._check_buffer(count, low, high)
        sent = min(count, CHUNK)
        self._terminal.output(self._memory.read(low, sent))
        return sent

    def _console_read(self, count: int, low: int, high: int, *_: int) -> int:
        self._check_buffer(count, low, high)
        data = self._terminal.take(min(count, CHUNK))
        self._memory.write(low, data)
        return len(data)

    def _check_buffer(self, count: int, low: int, high: int) -> None:
        if high or not self._memory.contains(low, count):
            raise Refused(Status.INVALID_PARAM)

    def _console_write_byte(self, byte: int, *_: int) -> int:
        self._terminal.output(bytes([byte & 0xFF]))
        return 0

    # Legacy [5]: one answer, in a0

    def _getchar(self, _: int) -> int:
        data = self._terminal.take(1)
        return data[0] if data else -1

    def _clear_ipi(self, _: int) -> int:
        self._hart.state.mip &= ~SSIP
        return 0

    def _shutdown(self, _: int) -> int:
        self._on_power("off", 0)
        return 0


def _names_us(mask: int, base: int) -> bool:
    """Whether a hart mask [3.1] selects the one hart there is; refused if it selects another."""
    if base == ALL_HARTS or (mask == 1 and base == 0):
        return True
    if mask:
        raise Refused(Status.INVALID_PARAM)
    return False


def _always(value: int) -> Callable[..., int]:
    return lambda sbi, *_: value


E = Extension
# fmt: off
CALLS: dict[tuple[int, int], Callable[..., int | None]] = {
    (E.BASE,   0): _always(SPECIFICATION),
    (E.BASE,   1): _always(IMPLEMENTATION),
    (E.BASE,   2): _always(VERSION),
    (E.BASE,   3): Sbi._probe,
    (E.BASE,   4): _always(0),  # mvendorid, marchid and mimpid, as the hart itself has them:
    (E.BASE,   5): _always(0),  # no vendor's
    (E.BASE,   6): _always(0),
    (E.TIME,   0): Sbi._set_timer,
    (E.IPI,    0): Sbi._send_ipi,
    (E.RFENCE, 0): Sbi._fence,  # FENCE.I
    (E.RFENCE, 1): Sbi._fence,  # SFENCE.VMA
    (E.RFENCE, 2): Sbi._fence,  # SFENCE.VMA of one address space; the rest is for hypervisors
    (E.HSM,    0): Sbi._hart_start,
    (E.HSM,    1): Sbi._hart_stop,
    (E.HSM,    2): Sbi._hart_status,
    (E.HSM,    3): Sbi._hart_suspend,
    (E.SRST,   0): Sbi._reset,
    (E.DBCN,   0): Sbi._console_write,
    (E.DBCN,   1): Sbi._console_read,
    (E.DBCN,   2): Sbi._console_write_byte,
}
"""What serves each function of each extension; its value goes to a1, None leaves a0 and a1 be."""

LEGACY: dict[int, Callable[["Sbi", int], int]] = {
    0: Sbi._set_timer,
    1: Sbi._console_write_byte,
    2: Sbi._getchar,
    3: Sbi._clear_ipi,
    4: lambda sbi, _: sbi._send_ipi(0, ALL_HARTS),  # its mask, in the caller's virtual memory,
    5: lambda sbi, _: sbi._fence(0, ALL_HARTS),     # can name no other hart than the caller
    6: lambda sbi, _: sbi._fence(0, ALL_HARTS),
    7: lambda sbi, _: sbi._fence(0, ALL_HARTS),
    8: Sbi._shutdown,
}
# fmt: on
