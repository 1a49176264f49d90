"""The board as a whole: QEMU's places, the wiring, and a tree that says the same."""

import random
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.platform.fakes import FakeHart, FakeTerminal
from tests.platform.flat import Tree, unflatten
from vnb.bus import BusFault, Line, Property
from vnb.errors import UsageError
from vnb.memory import Memory
from vnb.platform.board import VIRT, Board

MEI, SEI = 11, 9


class Plugged:
    """Stands for a virtio transport."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def read(self, offset: int, size: int) -> int:
        return offset

    def write(self, offset: int, size: int, value: int) -> None:
        self.line(bool(value))

    def node(self) -> dict[str, Property]:
        return {"compatible": "virtio,mmio"}


class Bench:
    """A board on the test bench."""

    def __init__(self) -> None:
        self.hart = FakeHart()
        self.terminal = FakeTerminal()
        self.memory = Memory(1 << 20)
        self.endings: list[tuple[str, int, bytes]] = []
        self.now = 10**18
        self.board = Board(
            self.memory,
            self.hart,
            on_power=lambda *ending: self.endings.append((*ending, self.terminal.printed)),
            terminal=self.terminal,
            now=lambda: self.now,
        )
        self.bus = self.board.bus

    def allow(self, source: int) -> None:
        """Let one source through to the S context."""
        self.bus.write(0xC00_0000 + 4 * source, 4, 1)
        self.bus.write(0xC00_2080 + 4 * (source // 32), 4, 1 << source % 32)

    def tree(self, *args: object, **kwargs: object) -> Tree:
        return unflatten(self.board.devicetree(*args, **kwargs))  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield Bench()


def test_every_part_is_where_qemu_has_it(bench: Bench) -> None:
    bench.board.attach_virtio(Plugged)
    bench.board.attach_virtio(Plugged)
    places = [(r.base, r.size, r.name, r.irq) for r in bench.bus.regions]
    assert places == [
        (0x0010_0000, 0x1000, "test", None),
        (0x0010_1000, 0x1000, "rtc", 11),
        (0x0200_0000, 0x1_0000, "clint", None),
        (0x0C00_0000, 0x60_0000, "plic", None),
        (0x1000_0000, 0x100, "serial", 10),
        (0x1000_1000, 0x1000, "virtio_mmio", 1),
        (0x1000_2000, 0x1000, "virtio_mmio", 2),
    ]


def test_a_typed_character_becomes_a_supervisor_interrupt(bench: Bench) -> None:
    bench.allow(10)
    bench.bus.write(0x1000_0001, 1, 1)
    bench.terminal.typed = b"x"
    bench.board.poll()
    assert bench.hart.lines == {SEI}
    assert bench.bus.read(0xC20_1004, 4) == 10
    assert bench.bus.read(0x1000_0000, 1) == ord("x")
    bench.bus.write(0xC20_1004, 4, 10)
    assert bench.hart.lines == set()


def test_the_machine_context_has_its_own_line(bench: Bench) -> None:
    bench.bus.write(0xC00_0000 + 4 * 10, 4, 1)
    bench.bus.write(0xC00_2000, 4, 1 << 10)
    bench.bus.write(0x1000_0001, 1, 2)
    assert bench.hart.lines == {MEI}
    assert bench.bus.read(0xC20_0004, 4) == 10


def test_the_alarm_interrupts_when_it_is_due(bench: Bench) -> None:
    assert bench.board.due() is None
    bench.allow(11)
    bench.bus.write(0x10_1010, 4, 1)
    alarm = bench.now + 1_001
    bench.bus.write(0x10_100C, 4, alarm >> 32)
    bench.bus.write(0x10_1008, 4, alarm & 0xFFFF_FFFF)
    assert bench.board.due() == 11  # ticks of 100 ns, and never too few
    bench.now += 1_100
    bench.board.poll()
    assert bench.hart.lines == {SEI}


def test_last_words_are_out_before_the_power_goes(bench: Bench) -> None:
    for byte in b"bye":
        bench.bus.write(0x1000_0000, 1, byte)
    bench.bus.write(0x10_0000, 4, 0x3333 | 3 << 16)
    assert bench.endings == [("off", 3, b"bye")]


def test_a_plugged_device_gets_the_line_of_its_slot(bench: Bench) -> None:
    for slot in range(8):
        region = bench.board.attach_virtio(Plugged)
        assert (region.base, region.irq) == (0x1000_1000 + 0x1000 * slot, 1 + slot)
    bench.allow(8)
    bench.bus.write(0x1000_8000, 4, 1)
    assert bench.bus.read(0xC20_1004, 4) == 8


def test_a_ninth_device_is_refused(bench: Bench) -> None:
    for _ in VIRT.virtio:
        bench.board.attach_virtio(Plugged)
    with pytest.raises(UsageError, match=r"devices: .* 8 slots"):
        bench.board.attach_virtio(Plugged)


def test_between_the_devices_there_is_nothing(bench: Bench) -> None:
    for address in (0, 0x10_2000, 0x201_0000, 0xC60_0000, 0x1000_0100, 0x1000_1000):
        with pytest.raises(BusFault):
            bench.bus.read(address, 4)


def test_random_accesses_at_worst_fault(bench: Bench, rng: random.Random) -> None:
    """Whatever a guest does to the registers, it gets a word that fits or a bus fault."""
    regions = bench.bus.regions
    wild = (0, 1, 0x5555, 0x3333, 0x7777, 0x80, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF)
    for _ in range(30_000):
        region, size = rng.choice(regions), rng.choice((1, 2, 4, 8))
        offset = rng.randrange(min(region.size, rng.choice((8, 32, 0x4010, 1 << 24))))
        bench.terminal.typed = b"typed"
        try:
            if rng.random() < 0.5:
                assert 0 <= bench.bus.read(region.base + offset, size) < 1 << 8 * size
            else:
                value = rng.choice((*wild, rng.getrandbits(64))) & (1 << 8 * size) - 1
                bench.bus.write(region.base + offset, size, value)
        except BusFault:
            continue
        if rng.random() < 0.05:
            bench.board.poll()
            assert (bench.board.due() or 0) >= 0
    assert bench.hart.lines <= {3, SEI, MEI}
    assert {action for action, *_ in bench.endings} <= {"off", "reboot"}


def test_the_tree_describes_what_is_on_the_bus(bench: Bench) -> None:
    bench.board.attach_virtio(Plugged)
    root = bench.tree()
    soc = root["soc"]
    assert list(soc.children) == [f"{r.name}@{r.base:x}" for r in bench.bus.regions]
    for region in bench.bus.regions:
        node = soc[f"{region.name}@{region.base:x}"]
        assert node.cells("reg") == [0, region.base, 0, region.size]
        if region.irq is not None:
            assert node.cells("interrupts") == [region.irq]
            assert node.cells("interrupt-parent") == soc["plic@c000000"].cells("phandle")
    assert root.string("compatible") == "riscv-virtio"
    assert soc["virtio_mmio@10001000"].string("compatible") == "virtio,mmio"


def test_interrupt_controllers_say_which_lines_of_the_hart_they_drive(bench: Bench) -> None:
    root = bench.tree()
    (intc,) = root["cpus/cpu@0/interrupt-controller"].cells("phandle")
    plic, clint = root["soc/plic@c000000"], root["soc/clint@2000000"]
    assert plic.cells("interrupts-extended") == [intc, 11, intc, 9]
    assert clint.cells("interrupts-extended") == [intc, 3, intc, 7]
    assert plic.cells("riscv,ndev") == [96]


def test_the_tree_describes_hart_and_memory(bench: Bench) -> None:
    root = bench.tree()
    cpu = root["cpus/cpu@0"]
    assert root["cpus"].cells("timebase-frequency") == [10_000_000]
    assert cpu.string("mmu-type") == "riscv,sv48"
    assert cpu.string("riscv,isa") == "rv64imafdc_zicsr_zifencei_sstc"
    assert cpu.string("riscv,isa-base") == "rv64i"
    assert cpu.strings("riscv,isa-extensions") == [*"imafdc", "zicsr", "zifencei", "sstc"]
    assert root["memory@80000000"].cells("reg") == [0, 0x8000_0000, 0, 1 << 20]


def test_what_the_kernel_is_to_know_is_chosen(bench: Bench) -> None:
    chosen = bench.tree("console=ttyS0 quiet", (0x8010_0000, 0x8020_1234), b"s" * 32)["chosen"]
    assert chosen.string("bootargs") == "console=ttyS0 quiet"
    assert chosen.cells("linux,initrd-start") == [0, 0x8010_0000]
    assert chosen.cells("linux,initrd-end") == [0, 0x8020_1234]
    assert chosen.properties["rng-seed"] == b"s" * 32
    assert chosen.string("stdout-path") == "/soc/serial@10000000"
    bare = bench.tree()["chosen"]
    assert bare.properties.keys() == {"stdout-path", "bootargs"}


def test_power_off_and_reboot_are_words_for_the_syscon(bench: Bench) -> None:
    root = bench.tree()
    for name, value in (("poweroff", 0x5555), ("reboot", 0x7777)):
        node = root[name]
        assert node.string("compatible") == f"syscon-{name}"
        assert (node.cells("offset"), node.cells("value")) == ([0], [value])
        assert node.cells("regmap") == root["soc/test@100000"].cells("phandle")


@pytest.mark.skipif(not shutil.which("dtc"), reason="dtc is not installed")
def test_dtc_has_nothing_to_say_against_the_tree(bench: Bench) -> None:
    bench.board.attach_virtio(Plugged)
    blob = bench.board.devicetree("quiet", (0x8000_0000, 0x8000_1000), b"seed")
    check = subprocess.run(
        ["dtc", "-I", "dtb", "-O", "dtb", "-W", "no-interrupt_provider"],
        input=blob,
        capture_output=True,
        check=True,
    )
    assert check.stderr == b""
    assert unflatten(check.stdout) == unflatten(blob)
