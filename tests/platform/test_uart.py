"""The serial port, as drivers and pollers use it."""

import pytest

from tests.platform.fakes import FakeTerminal, Wire
from vnb.platform.uart import BATCH, FIFO, Register, Uart

DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR = Register
FCR = IIR
DLAB, LOOP, DATA_READY, OVERRUN = 0x80, 0x10, 0x01, 0x02


class Latch:
    """What an engine does with a latch, as source/latch.py has it."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.asked = False
        self.taken = b""
        self.served = 0

    def open(self, status: int) -> None:
        self.status, self.asked = status, False

    def close(self) -> None:
        self.status = None

    def take(self) -> bytes:
        taken, self.taken = self.taken, b""
        return taken

    def read(self, register: int) -> int | None:
        if register != LSR or self.asked or self.status is None:
            return None
        self.asked = True
        self.served += 1
        return self.status

    def write(self, register: int, value: int) -> bool:
        if register != DATA or value == 10 or self.status is None or len(self.taken) == BATCH:
            return False
        self.asked = False
        self.taken += bytes([value & 0xFF])
        self.served += 1
        return True


@pytest.fixture(autouse=True, params=["alone", "with a latch"])
def latched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything below holds whether a hart's latch is between the guest and the UART or not."""
    monkeypatch.setattr(Port, "latched", request.param == "with a latch")


class Port:
    """A UART between a terminal with something typed and an interrupt line."""

    latched = False

    def __init__(self, typed: bytes = b"") -> None:
        self.terminal = FakeTerminal(typed)
        self.wire = Wire()
        self.uart = Uart(self.terminal, self.wire)
        self.latch = Latch()
        if self.latched:
            self.uart.latch = self.latch

    def read(self, register: int) -> int:
        value = self.latch.read(register)
        return self.uart.read(register, 1) if value is None else value

    def write(self, register: int, value: int) -> None:
        if not self.latch.write(register, value):
            self.uart.write(register, 1, value)

    def transmit(self, data: bytes) -> None:
        for byte in data:
            self.write(DATA, byte)

    def receive(self) -> bytes:
        """All input, as a poller reads it."""
        data = bytearray()
        while self.read(LSR) & DATA_READY or self.read(LSR) & DATA_READY:
            data.append(self.read(DATA))
        return bytes(data)


# Output


def test_a_line_of_output_goes_out_in_one_piece() -> None:
    port = Port()
    for byte in b"hello\nw":
        assert port.read(LSR) & 0x60 == 0x60
        port.write(DATA, byte)
    assert port.terminal.calls == [b"hello\n"]
    port.uart.poll()
    assert port.terminal.calls == [b"hello\n", b"w"]
    port.uart.poll()
    assert port.terminal.calls == [b"hello\n", b"w"]


def test_output_without_newlines_goes_out_in_batches() -> None:
    port = Port()
    port.transmit(b"x" * (BATCH + 2))
    (call,) = port.terminal.calls
    assert len(call) in (BATCH, BATCH + 1)


def test_what_a_kernel_prints_before_its_drivers_are_up_hardly_reaches_the_uart() -> None:
    port = Port()
    port.write(IER, 0)
    for byte in b"a line of a kernel that boots\n" * 10:
        port.read(LSR)
        port.write(DATA, byte)
    assert port.terminal.calls == [b"a line of a kernel that boots\n"] * 10
    assert port.latch.served == (590 if port.latched else 0)


def test_a_guest_that_polls_for_an_answer_has_its_question_seen() -> None:
    port = Port()
    for byte in b"name? ":
        port.read(LSR)
        port.write(DATA, byte)
    assert port.terminal.calls == []
    port.read(LSR)
    port.read(LSR)
    assert port.terminal.calls == [b"name? "]


def test_firmware_and_driver_share_the_wire_in_order() -> None:
    port = Port(b"abcdef")
    port.transmit(b"driver ")
    port.uart.output(b"firmware ")
    port.transmit(b"driver\n")
    assert port.terminal.printed == b"driver firmware driver\n"
    port.write(FCR, 1)
    port.uart.poll()
    assert port.read(DATA) == ord("a")
    assert port.uart.take(2) == b"bc"
    port.terminal.typed = b"ghi"
    assert port.uart.take(100) == b"defghi"
    assert port.uart.take(1) == b""


def test_firmware_may_take_more_than_the_fifo_holds() -> None:
    port = Port(b"0123456789" * 5)
    port.write(FCR, 1)
    port.uart.poll()
    assert port.uart.take(50) == b"0123456789" * 5
    assert not port.read(LSR) & DATA_READY


# Input


def test_a_poller_reads_everything_that_was_typed() -> None:
    port = Port(b"0123456789" * 10)
    port.uart.poll()
    assert port.receive() == b"0123456789" * 10
    assert port.read(DATA) == 0


def test_what_a_reset_of_the_fifo_kept_out_arrives_when_the_guest_looks_for_it() -> None:
    port = Port(b"0123456789" * 2)
    port.write(FCR, 1)
    port.uart.poll()
    port.write(FCR, 3)
    assert port.receive() == b"6789"


def test_the_fifo_takes_no_more_than_it_has_room_for() -> None:
    port = Port(b"x" * 100)
    port.uart.poll()
    assert len(port.terminal.typed) == 99
    port.write(FCR, 1)
    port.uart.poll()
    assert len(port.terminal.typed) == 99 - FIFO


def test_switching_the_fifo_on_or_off_empties_it() -> None:
    port = Port(b"a")
    port.write(FCR, 1)
    port.uart.poll()
    port.write(FCR, 1)
    assert port.read(LSR) & DATA_READY
    port.write(FCR, 0)
    assert not port.read(LSR) & DATA_READY


def test_a_fifo_reset_empties_the_receiver() -> None:
    port = Port(b"a")
    port.write(FCR, 1)
    port.uart.poll()
    port.write(FCR, 3)
    assert not port.read(LSR) & DATA_READY


# Interrupts


def test_received_data_interrupts_until_it_is_read() -> None:
    port = Port(b"ab")
    port.write(FCR, 1)
    port.write(IER, 1)
    assert not port.wire.level
    port.uart.poll()
    assert port.wire.level and port.read(IIR) == 0xC4
    port.read(DATA)
    assert port.wire.level
    port.read(DATA)
    assert not port.wire.level and port.read(IIR) == 0xC1


def test_less_data_than_the_trigger_is_reported_as_a_timeout() -> None:
    port = Port(b"x" * 7)
    port.write(FCR, 0x81)  # 8 bytes
    port.write(IER, 1)
    port.uart.poll()
    assert port.wire.level and port.read(IIR) == 0xCC
    port.terminal.typed = b"y"
    port.uart.poll()
    assert port.read(IIR) == 0xC4


def test_the_transmitter_interrupts_once_for_each_time_that_it_became_empty() -> None:
    port = Port()
    port.write(IER, 2)
    assert port.wire.level
    assert port.read(IIR) == 0x02
    assert not port.wire.level
    assert port.read(IIR) == 0x01
    port.write(DATA, ord("x"))
    assert port.wire.level and port.read(IIR) == 0x02 and not port.wire.level


def test_enabling_the_transmitter_interrupt_again_raises_it_again() -> None:
    port = Port()
    port.write(IER, 2)
    port.read(IIR)
    port.write(IER, 2)
    assert not port.wire.level
    port.write(IER, 0)
    port.write(IER, 2)
    assert port.wire.level and port.read(IIR) == 0x02


def test_reading_another_cause_does_not_acknowledge_the_transmitter() -> None:
    port = Port(b"a")
    port.write(IER, 3)
    port.uart.poll()
    assert port.read(IIR) == 0x04
    port.read(DATA)
    assert port.wire.level and port.read(IIR) == 0x02


def test_causes_are_told_in_the_order_of_their_urgency() -> None:
    port = Port()
    port.write(IER, 0x0F)
    port.write(MCR, LOOP)  # CTS, DSR and DCD fall
    port.transmit(b"ab")  # without FIFO the second overruns the first
    assert port.read(IIR) == 0x06
    assert port.read(LSR) & OVERRUN
    assert port.read(IIR) == 0x04
    assert port.read(DATA) == ord("a")
    assert port.read(IIR) == 0x02
    assert port.read(IIR) == 0x00
    assert port.read(MSR) == 0x0B
    assert port.read(IIR) == 0x01 and not port.wire.level


def test_a_guest_listens_while_input_may_interrupt_it() -> None:
    port = Port()
    for ier, listening in ((0x0F, True), (0x0E, False), (0x01, True), (0, False)):
        port.write(IER, ier)
        assert port.uart.listening is listening


# The rest of the chip


def test_the_divisor_latch_hides_data_and_interrupt_registers() -> None:
    port = Port(b"a")
    port.uart.poll()
    port.write(IER, 1)
    port.write(LCR, DLAB | 3)
    port.write(DATA, 0x34)
    port.write(IER, 0x12)
    assert (port.read(DATA), port.read(IER)) == (0x34, 0x12)
    port.write(LCR, 3)
    assert (port.read(DATA), port.read(IER)) == (ord("a"), 1)
    assert port.terminal.calls == []


def test_loopback_hears_itself_and_nobody_else() -> None:
    port = Port(b"typed")
    port.write(FCR, 1)
    port.write(MCR, LOOP)
    port.transmit(b"echo")
    port.uart.poll()
    assert port.receive() == b"echo"
    assert port.terminal.calls == []
    port.write(MCR, 0)
    assert port.receive() == b"typed"


def test_loopback_wires_the_modem_outputs_to_the_inputs() -> None:
    port = Port()
    assert port.read(MSR) == 0xB0
    for output, status in ((0, 0x00), (1, 0x20), (2, 0x10), (4, 0x40), (8, 0x80), (0x0A, 0x90)):
        port.write(MCR, LOOP | output)
        assert port.read(MSR) & 0xF0 == status
    assert port.read(MSR) & 0x0F == 0


def test_the_ring_indicator_is_noted_when_it_ends() -> None:
    port = Port()
    port.write(MCR, LOOP)
    port.read(MSR)
    port.write(MCR, LOOP | 4)
    assert port.read(MSR) & 0x0F == 0
    port.write(MCR, LOOP)
    assert port.read(MSR) & 0x0F == 4


def test_registers_keep_only_the_bits_that_exist() -> None:
    port = Port()
    for register, kept in ((IER, 0x0F), (LCR, 0x7F), (MCR, 0x1F), (SCR, 0x7F), (LSR, 0x60)):
        port.write(register, 0x7F)
        assert port.read(register) == kept
    assert port.uart.read(8, 1) == 0


def test_a_wide_access_moves_one_byte() -> None:
    port = Port(b"a")
    port.uart.poll()
    assert port.uart.read(DATA, 4) == ord("a")
    port.uart.write(DATA, 4, 0x0A0A_0A41)
    port.uart.flush()
    assert port.terminal.printed == b"A"


def test_linux_finds_a_16550a() -> None:
    """The probe of drivers/tty/serial/8250: scratch IER bits, loopback, then the FIFO."""
    port = Port()
    port.write(IER, 0)
    assert port.read(IER) & 0x0F == 0
    port.write(IER, 0x0F)
    assert port.read(IER) & 0x0F == 0x0F
    port.write(IER, 0)
    port.write(MCR, LOOP | 0x0A)
    assert port.read(MSR) & 0xF0 == 0x90
    port.write(MCR, 0)
    port.write(LCR, 0xBF)
    port.write(FCR, 0)
    port.write(LCR, 0)
    port.write(FCR, 1)
    assert port.read(IIR) >> 6 == 3
    port.write(FCR, 0x21)
    assert not port.read(IIR) & 0x20  # or it would be a 16750
