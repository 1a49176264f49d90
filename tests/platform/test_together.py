"""A hart on the board: small programs that use every part of it, without and with an SBI."""

from collections.abc import Iterator
from itertools import chain

import pytest

from tests import payloads
from tests.cpu.assemble import word
from tests.platform.fakes import FakeTerminal
from vnb.boot import place
from vnb.cpu.csr import NUMBERS
from vnb.cpu.hart import ExitKind, Hart
from vnb.errors import GuestError
from vnb.firmware import Sbi
from vnb.images import Image
from vnb.memory import Memory
from vnb.platform.board import Board

UART, SYSCON, CLINT, PLIC = 0x1000_0000, 0x10_0000, 0x200_0000, 0xC00_0000
T0, T1, T2, A0, A1, A2, A6, A7 = 5, 6, 7, 10, 11, 12, 16, 17
LIMIT = 10_000


class PowerOff(Exception):
    """The guest has ended."""


class Computer:
    """Hart, board, memory and firmware, run in one thread until the guest ends."""

    def __init__(self, image: Image) -> None:
        self.terminal = FakeTerminal()
        self.memory = Memory(16 << 20)
        self.hart = Hart(self.memory, engine="python", clock="virtual")
        self.board = Board(self.memory, self.hart, on_power=self.power_off, terminal=self.terminal)
        sbi = Sbi(self.hart, self.memory, self.board.uart, self.board.power)
        entry = place(image, self.memory, self.board)
        self.hart.reset(entry.pc, entry.mode, entry.a0, entry.a1, entry.a2)
        if entry.mode == 1:
            sbi.prepare()
        self.serve = {
            ExitKind.LOAD: self.load,
            ExitKind.STORE: self.store,
            ExitKind.SBI: sbi.call,
            ExitKind.WFI: self.sleep,
        }

    def power_off(self, action: str, code: int) -> None:
        raise PowerOff(action, code)

    def load(self) -> None:
        access = self.hart.access
        try:
            self.hart.complete_load(self.board.bus.read(access.address, access.size))
        except GuestError:
            self.hart.access_fault()

    def store(self) -> None:
        access = self.hart.access
        self.board.bus.write(access.address, access.size, access.value)
        self.hart.complete_store()

    def sleep(self) -> None:
        self.board.poll()
        wait = self.hart.next_timer()
        if wait is not None:
            self.hart.set_mtime(self.hart.mtime + wait)

    def run(self) -> tuple[str, int]:
        """How the guest ended."""
        with pytest.raises(PowerOff) as ending:
            while self.hart.instret < LIMIT:
                self.serve[self.hart.run(LIMIT)]()
        action, code = ending.value.args
        return action, code


def li(register: int, value: int) -> Iterator[int]:
    """Load a number below 2**31."""
    yield word("lui", d=register, i=value + 0x800 >> 12)
    yield word("addi", d=register, a=register, i=value & 0xFFF)


def store(name: str, address: int, value: int) -> Iterator[int]:
    yield from li(T0, address)
    yield from li(T1, value)
    yield word(name, a=T0, b=T1)


def load(name: str, register: int, address: int) -> Iterator[int]:
    yield from li(T0, address)
    yield word(name, d=register, a=T0)


def say(text: str) -> Iterator[int]:
    for byte in text.encode():
        yield from store("sb", UART, byte)


def csr_set(name: str, value: int) -> Iterator[int]:
    yield from li(T0, value)
    yield word("csrrs", d=0, a=T0, i=NUMBERS[name])


def csr_get(register: int, name: str) -> Iterator[int]:
    yield word("csrrs", d=register, a=0, i=NUMBERS[name])


def ecall(extension: int, function: int, *terms: int) -> Iterator[int]:
    for n, term in enumerate(terms):
        yield from li(A0 + n, term)
    yield from li(A6, function)
    yield from li(A7, extension)
    yield word("ecall")


def code(*parts: int | Iterator[int]) -> bytes:
    """Instructions, one by one or as the functions above make them."""
    words = chain.from_iterable([part] if isinstance(part, int) else part for part in parts)
    return b"".join(word.to_bytes(4, "little") for word in words)


def test_a_program_prints_and_ends_with_a_code() -> None:
    program = code(say("hello, world"), store("sw", SYSCON, 42 << 16 | 0x3333))
    computer = Computer(Image("guest", "raw", program))
    assert computer.run() == ("off", 42)
    assert computer.terminal.printed == b"hello, world"


def test_the_timer_of_the_board_wakes_the_hart() -> None:
    program = code(
        load("ld", T2, CLINT + 0xBFF8),
        li(T0, CLINT + 0x4000),
        word("addi", d=T2, a=T2, i=500),
        word("sd", a=T0, b=T2),
        csr_set("mie", 1 << 7),
        word("wfi"),
        csr_get(A0, "mip"),
        load("ld", A1, CLINT + 0xBFF8),
        store("sw", SYSCON, 0x5555),
    )
    computer = Computer(Image("guest", "raw", program))
    assert computer.run() == ("off", 0)
    x = computer.hart.x
    assert x[A0] & 1 << 7
    assert 500 <= x[T2] <= x[A1] < 600


def test_a_typed_character_wakes_the_hart_through_the_plic() -> None:
    program = code(
        store("sw", PLIC + 4 * 10, 1),
        store("sw", PLIC + 0x2000, 1 << 10),
        store("sb", UART + 1, 1),
        csr_set("mie", 1 << 11),
        word("wfi"),
        csr_get(A0, "mip"),
        load("lw", A1, PLIC + 0x20_0004),
        load("lbu", A2, UART),
        store("sw", PLIC + 0x20_0004, 10),
        csr_get(A6, "mip"),
        store("sw", SYSCON, 0x5555),
    )
    computer = Computer(Image("guest", "raw", program))
    computer.terminal.typed = b"x"
    assert computer.run() == ("off", 0)
    x = computer.hart.x
    assert (x[A0] >> 11 & 1, x[A1], x[A2], x[A6] >> 11 & 1) == (1, 10, ord("x"), 0)


def test_an_access_to_nothing_is_an_access_fault() -> None:
    start = code(
        word("auipc", d=T0, i=0),
        word("addi", d=T0, a=T0, i=0x400),
        word("csrrw", d=0, a=T0, i=NUMBERS["mtvec"]),
        load("lw", A2, 0x4000_0000),
    )
    handler = code(csr_get(A0, "mcause"), csr_get(A1, "mtval"), store("sw", SYSCON, 0x5555))
    program = start.ljust(0x400, b"\0") + handler
    computer = Computer(Image("guest", "raw", program))
    assert computer.run() == ("off", 0)
    assert (computer.hart.x[A0], computer.hart.x[A1]) == (5, 0x4000_0000)


def supervisor(body: bytes) -> Image:
    """A kernel whose first instruction jumps over its header."""
    image = payloads.kernel(body)
    return Image("guest", "linux", word("jal", d=0, i=64).to_bytes(4, "little") + image[4:])


def test_a_supervisor_prints_sleeps_and_ends_through_the_sbi() -> None:
    program = code(
        ecall(0x4442_434E, 2, ord("S")),
        csr_get(T2, "time"),
        word("addi", d=A0, a=T2, i=500),
        li(A6, 0),
        li(A7, 0x5449_4D45),
        word("ecall"),
        csr_set("sie", 1 << 5),
        word("wfi"),
        csr_get(A2, "sip"),
        ecall(0x5352_5354, 0, 0, 1),
    )
    computer = Computer(supervisor(program))
    assert computer.run() == ("off", 1)
    assert computer.terminal.printed == b"S"
    assert computer.hart.x[A2] & 1 << 5
    assert computer.hart.mtime >= computer.hart.x[T2] + 500
    assert computer.hart.mode == 1


def test_an_interrupt_that_a_supervisor_sends_itself_can_be_taken_back() -> None:
    program = code(
        ecall(0x73_5049, 0, 1, 0),
        csr_get(T1, "sip"),
        word("csrrci", d=0, a=2, i=NUMBERS["sip"]),
        csr_get(T2, "sip"),
        ecall(0x5352_5354, 0, 1, 0),
    )
    computer = Computer(supervisor(program))
    assert computer.run() == ("reboot", 0)
    assert (computer.hart.x[T1] & 2, computer.hart.x[T2] & 2) == (2, 0)
