"""The PCI bus: config space as enumeration expects it, windows, interrupt lines, the tree."""

import random
import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.platform.fakes import FakeHart, FakeTerminal
from tests.platform.flat import Tree, unflatten
from vnb.bus import Line
from vnb.errors import UsageError
from vnb.memory import Memory
from vnb.platform.board import Board

ECAM, WINDOW, PORTS = 0x3000_0000, 0x4000_0000, 0x0300_0000
ONES = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFF_FFFF, 8: 0xFFFF_FFFF_FFFF_FFFF}
SEI = 9

VENDOR, COMMAND, STATUS, CLASS, HEADER_TYPE = 0x00, 0x04, 0x06, 0x08, 0x0E
BAR, SUBSYSTEM, CAPABILITY, LINE, PIN = 0x10, 0x2C, 0x34, 0x3C, 0x3D
MEMORY, MASTER, NO_INTX = 0x2, 0x4, 0x400


class FakeCard:
    """A card with 8 KiB of memory, whose capability has one writable byte."""

    vendor, product, revision, kind, subsystem = 0x1234, 0x5678, 9, 0xAB_CDEF, 0x1111_2222
    size = 0x2000
    capabilities = bytes((0x09, 0, 8, 0x77, 0, 0, 0, 0))
    writable = bytes((0, 0, 0, 0, 0xFF, 0, 0, 0))

    def __init__(self, line: Line) -> None:
        self.line = line
        self.calls: list[tuple[object, ...]] = []

    def read(self, offset: int, size: int) -> int:
        return offset

    def write(self, offset: int, size: int, value: int) -> None:
        self.calls.append((offset, size, value))

    def before_read(self, config: bytearray, word: int) -> None:
        config[0x47] = word & 0xFF

    def after_write(self, config: bytearray, word: int) -> None:
        self.calls.append(("config", word, config[0x44]))

    def master(self, allowed: bool) -> None:
        self.calls.append(("master", allowed))


class Bench:
    """A board with so many cards, and config space by slot."""

    def __init__(self, cards: int = 1) -> None:
        self.hart = FakeHart()
        self.board = Board(
            Memory(1 << 20), self.hart, on_power=lambda *ending: None, terminal=FakeTerminal()
        )
        self.cards: dict[int, FakeCard] = {}
        for _ in range(cards):
            made: list[FakeCard] = []
            slot = self.board.attach_pci(self._maker(made))
            self.cards[slot] = made[0]
        self.bus = self.board.bus

    def _maker(self, made: list[FakeCard]) -> Callable[[Line], FakeCard]:
        def plug(line: Line) -> FakeCard:
            made.append(FakeCard(line))
            return made[0]

        return plug

    def read(self, slot: int, offset: int, size: int) -> int:
        return self.bus.read(ECAM + (slot << 15) + offset, size)

    def write(self, slot: int, offset: int, size: int, value: int) -> None:
        self.bus.write(ECAM + (slot << 15) + offset, size, value)

    def place(self, slot: int, address: int) -> None:
        """Let the card answer there."""
        self.write(slot, BAR, 4, address)
        self.write(slot, COMMAND, 2, MEMORY)

    def allow(self, source: int) -> None:
        """Let a source of the PLIC through to the hart."""
        self.bus.write(0xC00_0000 + 4 * source, 4, 1)
        word = 0xC00_2080 + 4 * (source // 32)
        self.bus.write(word, 4, self.bus.read(word, 4) | 1 << source % 32)

    def tree(self) -> Tree:
        return unflatten(self.board.devicetree())


def test_a_board_without_cards_has_no_pci_bus() -> None:
    assert not any(region.name.startswith("pci") for region in Bench(0).bus.regions)


def test_a_header_says_who_the_card_is() -> None:
    bench = Bench()
    assert bench.read(1, VENDOR, 4) == 0x5678_1234
    assert bench.read(1, CLASS, 4) == 0xABCD_EF09
    assert bench.read(1, SUBSYSTEM, 4) == 0x1111_2222
    assert bench.read(1, HEADER_TYPE, 1) == 0
    assert bench.read(1, PIN, 1) == 1
    assert bench.read(1, STATUS, 2) == 0x10
    assert bench.read(1, CAPABILITY, 1) == 0x40


def test_config_space_reads_alike_in_every_width() -> None:
    bench = Bench()
    whole = bytes(bench.read(1, offset, 1) for offset in range(0x200))
    for size in (2, 4):
        for offset in range(0, 0x200, size):
            expected = int.from_bytes(whole[offset : offset + size], "little")
            if offset & ~3 != 0x44:  # where the card answers for itself
                assert bench.read(1, offset, size) == expected


def test_wide_and_crooked_accesses_reach_nothing() -> None:
    bench = Bench()
    for offset, size in ((0, 8), (1, 2), (2, 4), (0x3F, 2)):
        assert bench.read(1, offset, size) == ONES[size]
        bench.write(1, offset, size, 0)
    assert bench.read(1, VENDOR, 4) == 0x5678_1234


@pytest.mark.parametrize(
    "address",
    [0, 0 << 15 | 1 << 12, 2 << 15, 31 << 15, 1 << 15 | 1 << 12, 1 << 20, 1 << 20 | 1 << 15],
)
def test_functions_that_are_not_there_read_all_ones(address: int) -> None:
    bench = Bench()
    for size in (1, 2, 4):
        assert bench.bus.read(ECAM + address, size) == ONES[size]
        bench.bus.write(ECAM + address, size, 0)


def test_extended_config_space_is_empty_and_deaf() -> None:
    bench = Bench()
    for offset in (0x100, 0x104, 0xFFC):
        bench.write(1, offset, 4, ONES[4])
        assert bench.read(1, offset, 4) == 0


def test_only_what_is_writable_changes() -> None:
    bench = Bench()
    before = [bench.read(1, offset, 4) for offset in range(0, 0x40, 4)]
    for offset in range(0, 0x40, 4):
        bench.write(1, offset, 4, ONES[4])
    after = [bench.read(1, offset, 4) for offset in range(0, 0x40, 4)]
    changed = {4 * n: a ^ b for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}
    assert changed == {COMMAND: MEMORY | MASTER | NO_INTX, BAR: 0xFFFF_E000, LINE: 0xFF}


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_bar_tells_its_size_and_keeps_its_address(size: int) -> None:
    bench = Bench()

    def write(value: int) -> None:
        for at in range(0, 4, size):
            bench.write(1, BAR + at, size, value >> 8 * at & ONES[size])

    write(ONES[4])
    assert (-bench.read(1, BAR, 4) & ONES[4], bench.read(1, BAR, 1) & 0xF) == (0x2000, 0)
    write(0x1234_5678)
    assert bench.read(1, BAR, 4) == 0x1234_4000
    assert [bench.read(1, BAR + 4 * other, 4) for other in range(1, 6)] == [0] * 5
    assert bench.read(1, 0x30, 4) == 0  # no expansion ROM either


def test_a_card_answers_where_its_bar_says_while_memory_is_enabled() -> None:
    bench = Bench()
    bench.write(1, BAR, 4, 0x5000_0000)
    assert bench.bus.read(0x5000_0010, 4) == ONES[4]
    bench.write(1, COMMAND, 2, MEMORY)
    assert bench.bus.read(0x5000_0010, 4) == 0x10
    assert bench.bus.read(0x5000_1FFC, 4) == 0x1FFC
    assert bench.bus.read(0x5000_2000, 4) == ONES[4]
    assert bench.bus.read(0x4FFF_FFFC, 4) == ONES[4]
    bench.bus.write(0x5000_0020, 2, 7)
    bench.place(1, 0x6000_0000)
    bench.bus.write(0x5000_0020, 2, 8)
    bench.write(1, COMMAND, 1, 0)
    bench.bus.write(0x6000_0020, 2, 9)
    assert bench.cards[1].calls == [(0x20, 2, 7)]


@pytest.mark.parametrize("address", [0, 0x1000_0000, 0x3FFF_F000, 0x8000_0000, 0xFFFF_E000])
def test_a_card_placed_outside_the_window_answers_nowhere(address: int) -> None:
    bench = Bench()
    before = [bench.bus.read(0x1000_0000 + at, 1) for at in range(8)]
    bench.place(1, address)
    assert [bench.bus.read(0x1000_0000 + at, 1) for at in range(8)] == before
    assert bench.bus.read(WINDOW, 4) == ONES[4]
    assert bench.bus.read(0x7FFF_FFF8, 8) == ONES[8]


def test_the_whole_window_can_be_used() -> None:
    bench = Bench(2)
    bench.place(1, WINDOW)
    bench.place(2, 0x7FFF_E000)
    assert bench.bus.read(WINDOW + 4, 4) == 4
    assert bench.bus.read(0x7FFF_FFFC, 4) == 0x1FFC


def test_where_two_cards_overlap_one_answers_and_neither_is_lost() -> None:
    bench = Bench(2)
    for slot in (2, 1):
        bench.place(slot, 0x5000_0000)
    bench.bus.write(0x5000_0000, 4, 1)
    assert [len(card.calls) for card in bench.cards.values()] == [1, 0]
    bench.place(1, 0x5100_0000)
    bench.bus.write(0x5000_0000, 4, 2)
    assert bench.cards[2].calls == [(0, 4, 2)]


def test_there_is_nothing_at_the_ports() -> None:
    bench = Bench()
    assert bench.bus.read(PORTS, 2) == ONES[2]
    bench.bus.write(PORTS + 0xFFFF, 1, 0)


def test_a_card_hears_when_it_may_master_the_bus_and_only_then() -> None:
    bench = Bench()
    for command in (0, MASTER, MASTER | MEMORY, MASTER | NO_INTX, MEMORY, 0):
        bench.write(1, COMMAND, 2, command)
    assert bench.cards[1].calls == [("master", True), ("master", False)]


def test_behind_the_header_the_card_answers_for_its_capabilities() -> None:
    bench = Bench()
    assert bench.read(1, 0x40, 4) == 0x7708_0009
    assert bench.read(1, 0x44, 4) == 0x4400_0000
    bench.write(1, 0x44, 4, 0x1122_3355)
    assert bench.cards[1].calls == [("config", 0x44, 0x55)]
    assert bench.read(1, 0x44, 2) == 0x55
    bench.write(1, 0x40, 4, 0)
    assert bench.read(1, 0x40, 4) == 0x7708_0009


def test_cards_take_turns_at_four_sources_of_the_plic() -> None:
    bench = Bench(8)
    for slot, card in bench.cards.items():
        source = 32 + slot % 4
        bench.allow(source)
        card.line(True)
        assert bench.hart.lines == {SEI}
        assert bench.bus.read(0xC20_1004, 4) == source
        card.line(False)
        bench.bus.write(0xC20_1004, 4, source)
        assert bench.hart.lines == set()


def test_a_shared_line_is_up_while_any_of_its_cards_wants_it() -> None:
    bench = Bench(8)
    bench.allow(33)
    one, other = bench.cards[1], bench.cards[5]
    one.line(True)
    other.line(True)
    one.line(False)
    assert bench.bus.read(0xC20_1004, 4) == 33
    bench.bus.write(0xC20_1004, 4, 33)
    assert bench.hart.lines == {SEI}, "the other card still waits"
    assert bench.bus.read(0xC20_1004, 4) == 33
    other.line(False)
    bench.bus.write(0xC20_1004, 4, 33)
    assert bench.hart.lines == set()


def test_the_status_register_shows_an_interrupt_that_is_disabled() -> None:
    bench = Bench()
    bench.allow(33)
    bench.write(1, COMMAND, 2, NO_INTX)
    bench.cards[1].line(True)
    assert (bench.read(1, STATUS, 2), bench.hart.lines) == (0x18, set())
    bench.write(1, COMMAND, 2, 0)
    assert (bench.read(1, STATUS, 2), bench.hart.lines) == (0x18, {SEI})
    bench.cards[1].line(False)
    assert bench.read(1, STATUS, 2) == 0x10
    bench.write(1, STATUS, 2, 0xFFFF)
    assert bench.read(1, STATUS, 2) == 0x10


def test_the_tree_describes_the_bridge_as_linux_reads_it() -> None:
    root = Bench().tree()
    pci, (plic,) = root["soc/pci@30000000"], root["soc/plic@c000000"].cells("phandle")
    assert pci.string("compatible") == "pci-host-ecam-generic"
    assert pci.string("device_type") == "pci"
    assert pci.cells("reg") == [0, ECAM, 0, 0x1000_0000]
    assert pci.cells("bus-range") == [0, 0]
    assert [pci.cells(f"#{name}-cells") for name in ("address", "size", "interrupt")] == [
        *([3], [2], [1]),
    ]
    assert pci.cells("ranges") == [
        *(0x0100_0000, 0, 0, 0, PORTS, 0, 0x1_0000),
        *(0x0200_0000, 0, WINDOW, 0, WINDOW, 0, 0x4000_0000),
    ]
    assert pci.properties["dma-coherent"] == b""
    assert pci.cells("interrupt-map-mask") == [0x1800, 0, 0, 7]
    wires = pci.cells("interrupt-map")
    for slot in range(4):
        for pin in range(1, 5):
            row, wires = wires[:6], wires[6:]
            assert row == [slot << 11, 0, 0, pin, plic, 32 + (slot + pin - 1) % 4]
    assert not wires
    assert [name for name in root["soc"].children if name.startswith("pci")] == ["pci@30000000"]


@pytest.mark.skipif(not shutil.which("dtc"), reason="dtc is not installed")
def test_dtc_has_nothing_to_say_against_the_bridge() -> None:
    check = subprocess.run(
        ["dtc", "-I", "dtb", "-O", "dtb", "-W", "no-interrupt_provider"],
        input=Bench().board.devicetree(),
        capture_output=True,
        check=True,
    )
    assert check.stderr == b""


def test_the_interrupt_map_leads_each_card_to_the_source_that_it_drives() -> None:
    bench = Bench(31)
    pci = bench.tree()["soc/pci@30000000"]
    mask, cells = pci.cells("interrupt-map-mask")[0], pci.cells("interrupt-map")
    rows = {(cells[at], cells[at + 3]): cells[at + 5] for at in range(0, len(cells), 6)}
    for slot, card in bench.cards.items():
        source = rows[slot << 11 & mask, bench.read(slot, PIN, 1)]
        bench.allow(source)
        card.line(True)
        assert bench.bus.read(0xC20_1004, 4) == source
        card.line(False)
        bench.bus.write(0xC20_1004, 4, source)


def test_a_thirty_second_card_is_refused() -> None:
    bench = Bench(31)
    assert list(bench.cards) == list(range(1, 32))
    with pytest.raises(UsageError, match=r"devices: .* 31 PCI slots"):
        bench.board.attach_pci(FakeCard)


def test_random_accesses_at_worst_reach_nothing(rng: random.Random) -> None:
    """Whatever a guest writes into config space, the rest of the board stays as it is."""
    bench = Bench(3)
    places = [region.base for region in bench.bus.regions]
    for _ in range(20_000):
        size, slot = rng.choice((1, 2, 4, 8)), rng.randrange(5)
        offset = rng.randrange(0, 0x60) if rng.random() < 0.9 else rng.randrange(0x1000)
        value = rng.choice((0, ONES[8], rng.choice(places), rng.getrandbits(64))) & ONES[size]
        if rng.random() < 0.5:
            bench.write(slot, offset, size, value)
        else:
            assert 0 <= bench.read(slot, offset, size) <= ONES[size]
        address = WINDOW + (rng.randrange(0x4000_0000 - 8) & ~7)
        assert 0 <= bench.bus.read(address, size) <= ONES[size]
        assert bench.read(1, VENDOR, 4) == 0x5678_1234
