"""The serial port: characters between the guest's 16550A driver and a terminal."""

from collections import deque
from enum import IntEnum
from typing import Protocol

from vnb.bus import Line, Property

FIFO = 16
BATCH = 256
"""Bytes of output that wait for company at most."""

CLOCK = 3_686_400
"""Hz, for the divisor that drivers compute; nothing here depends on the baud rate."""


class Register(IntEnum):
    """Offsets; with the divisor latch open (LCR.DLAB) 0 and 1 are its two bytes."""

    DATA = 0  # RBR when read, THR when written
    IER = 1
    IIR = 2  # FCR when written
    LCR = 3
    MCR = 4
    LSR = 5
    MSR = 6
    SCR = 7


# IER: what may interrupt
RECEIVED, EMPTIED, LINE_STATUS, MODEM_STATUS = 1, 2, 4, 8

# IIR: what did, the most urgent first
NOTHING, SAY_LINE, SAY_RECEIVED, SAY_TIMEOUT, SAY_EMPTIED, SAY_MODEM = 1, 6, 4, 12, 2, 0
FIFOS_ON = 0xC0

DLAB = 0x80  # LCR
LOOP = 0x10  # MCR
DATA_READY, OVERRUN, TRANSMITTER_EMPTY = 0x01, 0x02, 0x60  # LSR
CLEAR_TO_SEND, DATA_SET_READY, RING, CARRIER = 0x10, 0x20, 0x40, 0x80  # MSR
TRIGGERS = (1, 4, 8, 14)  # FCR bits 7:6: bytes in the FIFO that are worth an interrupt


class Chars(Protocol):
    """The far end of a character device, called on the machine's thread only."""

    def output(self, data: bytes, /) -> None:
        """Take what the guest wrote."""
        ...

    def take(self, limit: int, /) -> bytes:
        """At most `limit` bytes of input for the guest; b"" when there is none."""
        ...


class Latch(Protocol):
    """Where a hart leaves output and finds the line status without asking the UART each time.

    It asks after all for a newline, and for a status that is read twice in a row.
    """

    def open(self, status: int, /) -> None:
        """Take bytes from now on; `status` is what LSR says."""
        ...

    def close(self) -> None:
        """Take no more."""
        ...

    def take(self) -> bytes:
        """The bytes taken since this was last asked."""
        ...


class Uart:
    """A 16550A whose wire is infinitely fast: the transmitter is always empty [pc16550d 8].

    It is itself a `Chars`, so that a firmware served by the machine can share the wire with
    the driver without changing the order of anything.
    """

    latch: Latch | None = None
    """Open whenever a byte written would but join the others, and no interrupt would tell of it."""

    def __init__(self, terminal: Chars, line: Line) -> None:
        self._terminal = terminal
        self._line = line
        self._received: deque[int] = deque()
        self._unsent = bytearray()
        self._waits = False  # the guest has asked for status since it last wrote
        self._latched = False  # the latch is open
        self._emptied = False  # the THRE interrupt is due [pc16550d 8.5]
        self._overrun = False
        self._fifo = False
        self._trigger = 1
        self._divisor = 12
        self._ier = self._lcr = self._mcr = self._scr = 0
        self._modem = self._modem_lines()
        self._modem_changes = 0

    # The host's side

    def poll(self) -> None:
        """Let out what the guest wrote, and take in what the FIFO has room for.

        To be called when input may be waiting, and when the hart goes to sleep or has used up
        its slice: a prompt without a newline is only seen then. A guest that asks for the line
        status twice in a row is waiting for an answer, and has it called too.
        """
        self.flush()
        self._fill()

    def flush(self) -> None:
        """Hand on the output that waits for a newline, or for 256 bytes of it."""
        self._collect()
        if self._unsent:
            self._terminal.output(bytes(self._unsent))
            self._unsent.clear()

    def output(self, data: bytes) -> None:
        """Send `data` down the wire, after everything that the driver sent before."""
        self._collect()
        self._unsent += data
        if len(self._unsent) >= BATCH or b"\n" in data:
            self.flush()

    def take(self, limit: int) -> bytes:
        """At most `limit` bytes of input, first those that the FIFO has already."""
        count = min(limit, len(self._received))
        data = bytes(self._received.popleft() for _ in range(count))
        if count < limit:
            data += self._terminal.take(limit - count)
        self._signal()
        return data

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree."""
        return {"compatible": "ns16550a", "clock-frequency": CLOCK}

    @property
    def listening(self) -> bool:
        """Whether the guest wants to be interrupted by input, as drivers do of an open port."""
        return bool(self._ier & RECEIVED)

    # The guest's side: every access moves one byte, however wide it is

    def read(self, offset: int, size: int) -> int:
        """A register's value; reading some of them acknowledges what they say."""
        self._collect()
        match offset:
            case Register.LSR:  # first, for a poller asks for it before every byte
                return self._line_status()
            case Register.DATA if self._lcr & DLAB:
                return self._divisor & 0xFF
            case Register.DATA:
                return self._receive()
            case Register.IER:
                return self._divisor >> 8 if self._lcr & DLAB else self._ier
            case Register.IIR:
                return self._identify()
            case Register.LCR:
                return self._lcr
            case Register.MCR:
                return self._mcr
            case Register.MSR:
                return self._modem_status()
            case Register.SCR:
                return self._scr
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Set a register."""
        self._collect()
        value &= 0xFF
        match offset:
            case Register.DATA if self._lcr & DLAB:
                self._divisor = self._divisor & 0xFF00 | value
            case Register.DATA:
                self._transmit(value)
            case Register.IER if self._lcr & DLAB:
                self._divisor = value << 8 | self._divisor & 0xFF
            case Register.IER:
                self._enable(value & 0x0F)
            case Register.IIR:
                self._control_fifo(value)
            case Register.LCR:
                self._lcr = value
                self._signal()
            case Register.MCR:
                self._mcr = value & 0x1F
                self._note_modem_lines()
            case Register.SCR:
                self._scr = value

    def _collect(self) -> None:
        """Take over what the hart left in the latch."""
        if self.latch is not None and (data := self.latch.take()):
            self._waits = False
            self._unsent += data
            self._emptied = True
            if len(self._unsent) >= BATCH:
                self.flush()

    def _transmit(self, byte: int) -> None:
        self._waits = False
        if self._mcr & LOOP:
            self._loop_back(byte)
        else:
            self._unsent.append(byte)
            if byte == 0x0A or len(self._unsent) >= BATCH:
                self.flush()
        self._emptied = True  # it left at once, and the next byte may come
        self._signal()

    def _loop_back(self, byte: int) -> None:
        if len(self._received) < self._room():
            self._received.append(byte)
        else:
            self._overrun = True

    def _room(self) -> int:
        return FIFO if self._fifo else 1

    def _receive(self) -> int:
        byte = self._received.popleft() if self._received else 0
        if not self._received:
            self._fill()
        self._signal()
        return byte

    def _fill(self) -> None:
        room = self._room() - len(self._received)
        if room > 0 and not self._mcr & LOOP:
            self._received.extend(self._terminal.take(room))
            self._signal()

    def _enable(self, ier: int) -> None:
        """Set IER; allowing THRE interrupts while the transmitter is empty raises one."""
        if ier & ~self._ier & EMPTIED:
            self._emptied = True
        self._ier = ier
        self._signal()

    def _control_fifo(self, fcr: int) -> None:
        """Set FCR; switching the FIFOs on or off empties them [pc16550d 8.4]."""
        switched = bool(fcr & 1) != self._fifo
        self._fifo = bool(fcr & 1)
        self._trigger = TRIGGERS[fcr >> 6] if self._fifo else 1
        if switched or fcr & 2:
            self._received.clear()
        self._signal()

    def _line_status(self) -> int:
        if self._waits or self._latched:  # the latch answers the first time
            self.poll()
        self._waits = True
        status = TRANSMITTER_EMPTY
        if self._received:
            status |= DATA_READY
        if self._overrun:
            status |= OVERRUN
            self._overrun = False
            self._signal()
        return status

    def _modem_lines(self) -> int:
        """The four inputs: a ready peer with a carrier, or in loopback our own outputs."""
        if not self._mcr & LOOP:
            return CLEAR_TO_SEND | DATA_SET_READY | CARRIER
        dtr, rts, out1, out2 = (self._mcr >> bit & 1 for bit in range(4))
        return CLEAR_TO_SEND * rts | DATA_SET_READY * dtr | RING * out1 | CARRIER * out2

    def _note_modem_lines(self) -> None:
        """Remember which inputs have changed since MSR was read [pc16550d 8.8]."""
        lines = self._modem_lines()
        changed = (lines ^ self._modem) & ~RING | self._modem & ~lines & RING
        self._modem = lines
        self._modem_changes |= changed >> 4
        self._signal()

    def _modem_status(self) -> int:
        status = self._modem | self._modem_changes
        self._modem_changes = 0
        self._signal()
        return status

    def _cause(self) -> int:
        """The most urgent enabled interrupt, as IIR says it [pc16550d 8.5]."""
        if self._ier & LINE_STATUS and self._overrun:
            return SAY_LINE
        if self._ier & RECEIVED and self._received:
            return SAY_RECEIVED if len(self._received) >= self._trigger else SAY_TIMEOUT
        if self._ier & EMPTIED and self._emptied:
            return SAY_EMPTIED
        if self._ier & MODEM_STATUS and self._modem_changes:
            return SAY_MODEM
        return NOTHING

    def _identify(self) -> int:
        """IIR; reading it acknowledges the THRE interrupt if that is what it says."""
        cause = self._cause()
        if cause == SAY_EMPTIED:
            self._emptied = False
            self._signal()
        return cause | (FIFOS_ON if self._fifo else 0)

    def _signal(self) -> None:
        self._line(self._cause() != NOTHING)
        if self.latch is not None:
            self._latched = not (
                self._lcr & DLAB or self._mcr & LOOP or self._ier & EMPTIED or self._overrun
            )
            if self._latched:
                self.latch.open(TRANSMITTER_EMPTY | DATA_READY * bool(self._received))
            else:
                self.latch.close()
