"""The PCI bus: config space, where the guest places the cards' memory, and whom it interrupts.

One bus without bridges, of up to 31 cards with one function each, behind an ECAM [pcie 7.2.2].
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Protocol

from vnb.bus import Line, Property
from vnb.platform.devicetree import cells64

CARDS = range(1, 32)
"""Numbers of slots for cards; in slot 0 a host bridge shows itself, and ours does not."""

CONFIG = 0x1000
"""Bytes of a function's config space."""

# The header of type 0 [pci 6.1]: where a field is; behind it lie the card's capabilities.
IDS, COMMAND, STATUS, REVISION, BAR = 0x00, 0x04, 0x06, 0x08, 0x10
SUBSYSTEM, FIRST_CAPABILITY, INTERRUPT_LINE, INTERRUPT_PIN = 0x2C, 0x34, 0x3C, 0x3D
HEADER = 0x40

MEMORY, BUS_MASTER, NO_INTX = 1 << 1, 1 << 2, 1 << 10  # COMMAND
INTX_PENDING, HAS_CAPABILITIES = 1 << 3, 1 << 4  # STATUS
INTA = 1

PAGE = 12
"""Bits of an address inside a page; a card's memory is whole pages, so that it is found fast."""

PORTS_RANGE, MEMORY_RANGE = 0x0100_0000, 0x0200_0000  # phys.hi of a range [pci binding 2.2.1.1]


class Card(Protocol):
    """What is plugged into a slot: who it is, some memory, and capabilities behind its header."""

    vendor: int
    product: int
    revision: int
    kind: int  # its class code, 24 bits
    subsystem: int  # its vendor in the low half
    size: int  # bytes of memory behind its one BAR: a power of two, at least a page
    capabilities: bytes  # as they lie in config space from HEADER on
    writable: bytes  # of these, the bits that the guest may write

    def read(self, offset: int, size: int, /) -> int:
        """`size` bytes (1, 2, 4, 8) of its memory."""
        ...

    def write(self, offset: int, size: int, value: int, /) -> None:
        """Store `size` bytes in its memory."""
        ...

    def before_read(self, config: bytearray, word: int, /) -> None:
        """The guest is about to read in this word of `config`, which is behind the header."""
        ...

    def after_write(self, config: bytearray, word: int, /) -> None:
        """The guest has written there."""
        ...

    def master(self, allowed: bool, /) -> None:
        """Whether it may reach for the guest's memory from now on; at power-on it may not."""
        ...


class Slot:
    """A card's config space: what the guest lets it do, and where it wants its memory."""

    def __init__(self, plug: Callable[[Line], Card], wire: Line, moved: Callable[[], None]) -> None:
        """`plug` makes the card; `moved` is called when its memory has another address, or none."""
        self._wire = wire
        self._moved = moved
        self._pending = False  # the card's INTA#
        self._heard = True  # whether it is passed on
        self._config = config = bytearray(CONFIG)
        self._writable = writable = bytearray(CONFIG)
        self.card = card = plug(self._interrupt)
        for offset, form, *values in (
            (IDS, "<HH", card.vendor, card.product),
            (STATUS, "<H", HAS_CAPABILITIES),
            (REVISION, "<I", card.revision | card.kind << 8),
            (SUBSYSTEM, "<I", card.subsystem),
            (FIRST_CAPABILITY, "<B", HEADER),
            (INTERRUPT_PIN, "<B", INTA),
        ):
            struct.pack_into(form, config, offset, *values)
        for offset, form, mask in (
            (COMMAND, "<H", MEMORY | BUS_MASTER | NO_INTX),
            # A BAR tells its size by the bits that stay clear when all are set [pci 6.2.5.1].
            (BAR, "<I", -card.size & 0xFFFF_FFFF),
            (INTERRUPT_LINE, "<B", 0xFF),
        ):
            struct.pack_into(form, writable, offset, mask)
        end = HEADER + len(card.capabilities)
        config[HEADER:end] = card.capabilities
        writable[HEADER:end] = card.writable

    @property
    def address(self) -> int | None:
        """Where the card's memory begins on the bus; None while it answers nowhere."""
        return self._field("<I", BAR) if self._command & MEMORY else None

    def read(self, offset: int, size: int) -> int:
        """1, 2 or 4 aligned bytes of config space."""
        if offset >= HEADER:
            self.card.before_read(self._config, offset & ~3)
        return int.from_bytes(self._config[offset : offset + size], "little")

    def write(self, offset: int, size: int, value: int) -> None:
        """Store what is writable of 1, 2 or 4 aligned bytes."""
        command, address = self._command, self.address
        place = slice(offset, offset + size)
        mask = int.from_bytes(self._writable[place], "little")
        kept = int.from_bytes(self._config[place], "little") & ~mask
        self._config[place] = (kept | value & mask).to_bytes(size, "little")
        if offset >= HEADER:
            self.card.after_write(self._config, offset & ~3)
        if (command ^ self._command) & BUS_MASTER:
            self.card.master(bool(self._command & BUS_MASTER))
        if (command ^ self._command) & NO_INTX:
            self._heard = not self._command & NO_INTX
            self._wire(self._pending and self._heard)
        if address != self.address:
            self._moved()

    @property
    def _command(self) -> int:
        return self._field("<H", COMMAND)

    def _field(self, form: str, offset: int) -> int:
        value: int
        (value,) = struct.unpack_from(form, self._config, offset)
        return value

    def _interrupt(self, level: bool) -> None:
        """The card's INTA#: shown in the status register, and passed on unless that is disabled."""
        if level != self._pending:
            self._pending = level
            self._config[STATUS] ^= INTX_PENDING
            if self._heard:
                self._wire(level)


class Window:
    """The addresses from `base` to which BARs may be set; where there is none all bits are ones."""

    def __init__(self, base: int, size: int) -> None:
        self.base = base
        self.size = size
        self._pages: dict[int, tuple[int, Card]] = {}  # page: where its card begins, and the card

    def show(self, cards: Iterable[tuple[int, Card]]) -> None:
        """These cards answer, each from its address on; the first one where two overlap."""
        self._pages.clear()
        for address, card in cards:
            begin = address - self.base
            if 0 <= begin <= self.size - card.size:
                for page in range(begin >> PAGE, begin + card.size >> PAGE):
                    self._pages.setdefault(page, (begin, card))

    def read(self, offset: int, size: int) -> int:
        """The value of `size` bytes at `offset`."""
        found = self._pages.get(offset >> PAGE)
        if found is None:
            return (1 << 8 * size) - 1
        begin, card = found
        return card.read(offset - begin, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Store `size` bytes at `offset`; lost where no card answers."""
        found = self._pages.get(offset >> PAGE)
        if found is not None:
            begin, card = found
            card.write(offset - begin, size, value)

    def node(self) -> None:
        """The host bridge describes its windows."""


class PciHost:
    """The host bridge: config space of every slot in 4 KiB each [pcie 7.2.2].

    INTA# of card n is line n mod 4 of `lines`, the PLIC's `sources`, as if the slots were wired
    the way that spreads interrupts; cards that share a line share it as a wired or.
    """

    def __init__(
        self,
        memory: Window,
        ports: Window,
        lines: Sequence[Line],
        sources: Sequence[int],
        controller: int,
    ) -> None:
        self.memory = memory
        self.ports = ports
        self._lines = lines
        self._sources = sources
        self._controller = controller  # the PLIC's phandle
        self._raised = [0] * len(lines)  # for each line, a bit for each slot
        self._slots: dict[int, Slot] = {}

    def plug(self, number: int, plug: Callable[[Line], Card]) -> None:
        """Plug a card into slot `number`; `plug` makes it, given its interrupt line."""

        pin, bit, raised = number % len(self._lines), 1 << number, self._raised
        drive = self._lines[pin]

        def wire(level: bool) -> None:
            raised[pin] = raised[pin] | bit if level else raised[pin] & ~bit
            drive(raised[pin] != 0)

        self._slots[number << 3] = Slot(plug, wire, self._move)

    def read(self, offset: int, size: int) -> int:
        """1, 2 or 4 aligned bytes of a function's config space; all ones if there is none."""
        slot = self._slots.get(offset >> 12)
        if slot is None or size > 4 or offset % size:
            return (1 << 8 * size) - 1
        return slot.read(offset & 0xFFF, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """As `read`."""
        slot = self._slots.get(offset >> 12)
        if slot is not None and size <= 4 and offset % size == 0:
            slot.write(offset & 0xFFF, size, value)

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree besides `reg` [pci-of, dtspec 2.4.3]."""
        memory, ports, count = self.memory, self.ports, len(self._lines)
        wires: list[int] = []
        for slot, pin in product(range(count), range(INTA, INTA + 4)):
            source = self._sources[(slot + pin - INTA) % count]
            wires += (slot << 11, 0, 0, pin, self._controller, source)
        return {
            "compatible": "pci-host-ecam-generic",
            "device_type": "pci",
            "#address-cells": 3,
            "#size-cells": 2,
            "#interrupt-cells": 1,
            "bus-range": [0, 0],
            "dma-coherent": None,
            "ranges": [
                *(PORTS_RANGE, *cells64(0, ports.base, ports.size)),
                *(MEMORY_RANGE, *cells64(memory.base, memory.base, memory.size)),
            ],
            "interrupt-map-mask": [count - 1 << 11, 0, 0, 7],
            "interrupt-map": wires,
        }

    def _move(self) -> None:
        self.memory.show(
            (slot.address, slot.card) for slot in self._slots.values() if slot.address is not None
        )
