"""The board: a table of what sits where, the wiring that it asks for, and the tree that says so."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from vnb.bus import Bus, BusDevice, Line, Property, Region
from vnb.clock import NANOSECONDS_PER_TICK, TIMEBASE
from vnb.errors import UsageError
from vnb.memory import Memory
from vnb.platform.aclint import Aclint, Core
from vnb.platform.devicetree import Node, cells64, flatten
from vnb.platform.pci import CARDS, Card, PciHost, Window
from vnb.platform.plic import Plic
from vnb.platform.rtc import Rtc
from vnb.platform.syscon import Command, PowerSwitch, Syscon
from vnb.platform.uart import Chars, Uart

Device = TypeVar("Device")

CPU, INTC, PLIC, SYSCON = 1, 2, 3, 4  # phandles: how nodes of the tree name each other
MSI, MTI, SEI, MEI = 3, 7, 9, 11  # the hart's interrupt lines, by their bits of mip


@dataclass(frozen=True)
class Parts:
    """What the devices of a board are made from."""

    hart: Core
    terminal: Chars
    on_power: PowerSwitch
    now: Callable[[], int]  # the wall clock, in ns since 1970


Make = Callable[[Parts, Line], BusDevice]
"""Makes a device, given its interrupt line."""


@dataclass(frozen=True)
class Place:
    """One row of a board's table: `size` bytes at `base`."""

    name: str  # as the device tree calls it
    base: int
    size: int
    irq: int | None  # its source at the PLIC
    make: Make | None = None  # None: whatever is plugged in
    drives: tuple[int, ...] = ()  # the lines of the hart that it drives
    phandle: int | None = None


@dataclass(frozen=True)
class PciPlaces:
    """Where a board has its PCI bus: config space, the windows for BARs, and INTA# to INTD#."""

    config: Place
    memory: Place
    ports: Place
    irqs: tuple[int, ...]


@dataclass(frozen=True)
class Map:
    """A board is a table."""

    model: str
    compatible: str
    plic: Place
    devices: tuple[Place, ...]
    virtio: tuple[Place, ...]  # slots for virtio-mmio transports
    pci: PciPlaces


# fmt: off
VIRT = Map(
    model="vnb,virt",
    compatible="riscv-virtio",
    #     name           base         size       irq   what
    plic=Place("plic",   0x0C00_0000, 0x60_0000, None, drives=(MEI, SEI), phandle=PLIC),
    devices=(
        Place("test",    0x0010_0000, 0x1000,    None, lambda our, line: Syscon(our.on_power),
              phandle=SYSCON),
        Place("rtc",     0x0010_1000, 0x1000,    11,   lambda our, line: Rtc(our.now, line)),
        Place("clint",   0x0200_0000, 0x1_0000,  None, lambda our, line: Aclint(our.hart),
              drives=(MSI, MTI)),
        Place("serial",  0x1000_0000, 0x100,     10,   lambda our, line: Uart(our.terminal, line)),
    ),
    virtio=tuple(
        Place("virtio_mmio", 0x1000_1000 + slot * 0x1000, 0x1000, 1 + slot) for slot in range(8)
    ),
    pci=PciPlaces(
        config=Place("pci",        0x3000_0000, 0x1000_0000, None),
        memory=Place("pci_memory", 0x4000_0000, 0x4000_0000, None),
        ports=Place("pci_ports",   0x0300_0000, 0x1_0000,    None),
        irqs=(32, 33, 34, 35),
    ),
)
"""QEMU's virt machine, so that software made for that runs unchanged."""
# fmt: on


class Board:
    """The devices of `table` on a bus, wired to each other and to `hart`.

    `on_power` is called when the guest ends or restarts the machine, `terminal` is the far end
    of the serial port. The machine calls `poll()` when input may be waiting, and whenever the
    hart has used up its slice or is about to sleep, for at most `due()` ticks.
    """

    def __init__(
        self,
        memory: Memory,
        hart: Core,
        *,
        on_power: PowerSwitch,
        terminal: Chars,
        table: Map = VIRT,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.memory = memory
        self.bus = Bus()
        self._table = table
        self._isa, self._mmu = hart.isa, hart.mmu
        self._places: dict[int, Place] = {}
        self._slots = iter(table.virtio)
        self._cards = iter(CARDS)
        self._pci: PciHost | None = None  # until there is a card
        self.plic = Plic([partial(hart.set_interrupt, line) for line in table.plic.drives])
        self._attach(table.plic, self.plic)
        self._on_power = on_power
        parts = Parts(hart, terminal, self.power, now)
        for place in table.devices:
            if place.make:
                self._attach(place, place.make(parts, self._line(place)))
        self.uart = self._the(Uart)
        self.rtc = self._the(Rtc)

    @property
    def serial(self) -> Region:
        """The place of the UART."""
        return next(region for region in self.bus.regions if region.device is self.uart)

    def poll(self) -> None:
        """Let the board's own devices look at the outside world."""
        self.uart.poll()
        self.rtc.poll()

    def due(self) -> int | None:
        """Ticks until `poll()` has something to do of itself; None while it has not."""
        wait = self.rtc.due()
        return None if wait is None else -(-wait // NANOSECONDS_PER_TICK)

    def power(self, action: str, code: int) -> None:
        """Pass on what the guest's last words ask for, but first the words before."""
        self.uart.flush()
        self._on_power(action, code)

    def attach_virtio(self, plug: Callable[[Line], BusDevice]) -> Region:
        """Plug a transport into the next free slot; `plug` makes it, given its interrupt line."""
        place = next(self._slots, None)
        if place is None:
            raise UsageError(f"devices: this board has {len(self._table.virtio)} slots, all taken")
        return self._attach(place, plug(self._line(place)))

    def attach_pci(self, plug: Callable[[Line], Card]) -> int:
        """Plug a card into the next free slot of the PCI bus, whose number is returned.

        `plug` makes the card, given its INTA#. A board without cards has no PCI bus.
        """
        slot = next(self._cards, None)
        if slot is None:
            raise UsageError(f"devices: this board has {len(CARDS)} PCI slots, all taken")
        if self._pci is None:
            self._pci = self._bridge(self._table.pci)
        self._pci.plug(slot, plug)
        return slot

    def fill_slots(self, device: BusDevice) -> None:
        """Let `device` answer in every slot that is still free, for programs that try them all."""
        for place in self._slots:
            self._attach(place, device)

    def devicetree(
        self,
        bootargs: str = "",
        initrd: tuple[int, int] | None = None,
        seed: bytes = b"",
    ) -> bytes:
        """The flattened tree of what is on the bus now.

        `initrd` is its first address and the one after its last; `seed` is entropy for the
        guest's kernel, none if empty.
        """
        table, memory = self._table, self.memory
        root = Node("", _addressed(2, 2) | {"compatible": table.compatible, "model": table.model})
        self._add_chosen(root, bootargs, initrd, seed)
        root.add(
            f"memory@{memory.base:x}",
            {"device_type": "memory", "reg": cells64(memory.base, memory.size)},
        )
        self._add_cpus(root)
        soc = root.add("soc", _addressed(2, 2) | {"compatible": "simple-bus", "ranges": None})
        for region in self.bus.regions:
            self._add_device(soc, region)
        if any(place.phandle == SYSCON for place in table.devices):
            for name, value in (("poweroff", Command.PASS), ("reboot", Command.RESET)):
                node = root.add(name, {"compatible": f"syscon-{name}", "regmap": SYSCON})
                node.properties |= {"offset": 0, "value": int(value)}
        return flatten(root)

    def _add_chosen(
        self, root: Node, bootargs: str, initrd: tuple[int, int] | None, seed: bytes
    ) -> None:
        console = f"/soc/{_unit(self.serial)}"
        chosen = root.add("chosen", {"stdout-path": console, "bootargs": bootargs})
        if initrd:
            chosen.properties["linux,initrd-start"] = cells64(initrd[0])
            chosen.properties["linux,initrd-end"] = cells64(initrd[1])
        if seed:
            chosen.properties["rng-seed"] = seed

    def _add_cpus(self, root: Node) -> None:
        base, *extensions = self._isa.split("_")
        cpus = root.add("cpus", _addressed(1, 0) | {"timebase-frequency": TIMEBASE})
        cpu = cpus.add(
            "cpu@0",
            {
                "device_type": "cpu",
                "reg": 0,
                "status": "okay",
                "compatible": "riscv",
                "riscv,isa": self._isa,
                "riscv,isa-base": base[:5],
                "riscv,isa-extensions": [*base[4:], *extensions],
                "mmu-type": f"riscv,{self._mmu}",
                "phandle": CPU,
            },
        )
        cpu.add(
            "interrupt-controller",
            {
                "compatible": "riscv,cpu-intc",
                "#interrupt-cells": 1,
                "interrupt-controller": None,
                "phandle": INTC,
            },
        )

    def _add_device(self, soc: Node, region: Region) -> None:
        described = region.device.node()
        if described is None:
            return
        node = soc.add(_unit(region), {**described, "reg": cells64(region.base, region.size)})
        if region.irq is not None:
            node.properties |= {"interrupts": region.irq, "interrupt-parent": PLIC}
        place = self._places.get(region.base)
        if place and place.drives:
            pairs = [cell for line in place.drives for cell in (INTC, line)]
            node.properties["interrupts-extended"] = pairs
        if place and place.phandle:
            node.properties["phandle"] = place.phandle

    def _line(self, place: Place) -> Line:
        return _unconnected if place.irq is None else self.plic.line(place.irq)

    def _bridge(self, places: PciPlaces) -> PciHost:
        memory = Window(places.memory.base, places.memory.size)
        ports = Window(places.ports.base, places.ports.size)
        lines = [self.plic.line(irq) for irq in places.irqs]
        host = PciHost(memory, ports, lines, places.irqs, PLIC)
        self._attach(places.config, host)
        self._attach(places.memory, memory)
        self._attach(places.ports, ports)
        return host

    def _attach(self, place: Place, device: BusDevice) -> Region:
        self._places[place.base] = place
        return self.bus.attach(place.name, place.base, place.size, device, place.irq)

    def _the(self, kind: type[Device]) -> Device:
        return next(r.device for r in self.bus.regions if isinstance(r.device, kind))


def _unit(region: Region) -> str:
    """A node's name with its unit address [dtspec 2.2.1]."""
    return f"{region.name}@{region.base:x}"


def _addressed(address: int, size: int) -> dict[str, Property]:
    """How many cells the children's addresses and sizes take [dtspec 2.3.5]."""
    return {"#address-cells": address, "#size-cells": size}


def _unconnected(level: bool) -> None:
    """The line of a device that interrupts nobody."""
