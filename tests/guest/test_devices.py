"""labos finds every device on either transport, and on both at once, and says what it found."""

import random
import re

from tests.guest.prompt import PROMPT
from vnb import Console, Disk, Entropy, Keyboard, Machine, Net, Screen, Share, Tablet
from vnb.config import Part, Transport


def everything() -> list[Part]:
    return [
        Console(),
        Disk(size="1M"),
        Entropy(seed=5),
        Net(),
        Share({}),
        Keyboard(),
        Screen(64, 64),
    ]


def listed(machine: Machine) -> list[list[str]]:
    """Name, number, kind, interrupt and place of each device."""
    lines = machine.shell("devices", timeout=5).stdout.splitlines()
    return [line.replace("irq ", "").split(maxsplit=4) for line in lines]


def test_every_device_has_a_driver_on_both_transports(transport: Transport) -> None:
    with Machine(memory="8M", devices=everything(), transport=transport) as machine:
        found = listed(machine)
        agreed = machine.shell("virtio", timeout=5).stdout.splitlines()
    kinds = [(name, kind) for name, _, kind, _, _ in found]
    assert kinds == [
        ("console", "console"),
        ("disk", "block"),
        ("rng", "entropy"),
        ("net", "network"),
        ("share", "9P"),
        ("input", "input"),
        ("screen", "GPU"),
    ]
    for slot, (_, number, _, source, place) in enumerate(found):
        assert number == "0"
        if transport == "mmio":
            assert (source, place) == (str(1 + slot), f"slot {slot}")
        else:
            assert place == f"pci 00:{slot + 1:02x}.0"
            assert source == str(32 + (slot + 1) % 4)
    assert all("status 0x0f" in line for line in agreed), "DRIVER_OK, and nothing worse"
    assert all(int(line.split()[-1], 16) >> 32 & 1 for line in agreed), "VIRTIO_F_VERSION_1"


def test_pci_shows_who_is_there_and_where_their_registers_are() -> None:
    with Machine(memory="8M", devices=everything(), transport="pci") as machine:
        shown = machine.shell("pci", timeout=5).stdout
        assert listed(machine)[1][0] == "disk"
    found = re.findall(r"(00:0\d\.0) 1af4:(\w+) class (\w+), .*VirtIO (\w+), irq 3\d", shown)
    assert [(place, int(product, 16) - 0x1040) for place, product, _, _ in found] == [
        (f"00:0{slot}.0", kind) for slot, kind in enumerate((3, 2, 4, 1, 9, 18, 16), 1)
    ]
    places = [int(address, 16) for address in re.findall(r"BAR 0: 16 KiB .* at (\w+)", shown)]
    assert places == [0x4000_0000 + 0x4000 * slot for slot in range(7)]


def test_a_machine_without_pci_says_so() -> None:
    with Machine(memory="8M", devices=[Console()]) as machine:
        assert "no PCI" in machine.shell("pci", timeout=5).stdout


def test_both_transports_in_one_machine_and_several_of_a_kind() -> None:
    devices = [
        Console(),
        Disk(size="1M", transport="pci"),
        Disk(size="2M"),
        Keyboard(transport="pci"),
        Tablet(),
        Entropy(seed=1, transport="pci"),
        Entropy(seed=2),
    ]
    with Machine(memory="8M", devices=devices) as machine:
        found = [(name, number, place[:3]) for name, number, _, _, place in listed(machine)]
        numbers = [machine.shell(f"rng 20 {which}", timeout=5).stdout for which in (0, 1)]
        sizes = re.findall(r"disk \d in (\w+).* (\d) MiB", machine.shell("disk", timeout=5).stdout)
    assert sorted(found) == [
        ("console", "0", "slo"),
        ("disk", "0", "slo"),
        ("disk", "1", "pci"),
        ("input", "0", "slo"),
        ("input", "1", "pci"),
        ("rng", "0", "slo"),
        ("rng", "1", "pci"),
    ]
    assert sizes == [("slot", "2"), ("pci", "1")]
    assert numbers == [random.Random(seed).randbytes(20).hex() + "\n" for seed in (2, 1)]


def test_as_many_devices_as_pci_has_places_for() -> None:
    devices = [Console(), *(Disk(size="1M") for _ in range(16)), *(Keyboard() for _ in range(8))]
    with Machine(memory="8M", devices=devices, transport="pci") as machine:
        names = [(name, int(number)) for name, number, *_ in listed(machine)]
        assert names[1:17] == [("disk", number) for number in range(16)]
        assert names[17:] == [("input", number) for number in range(8)]
        assert machine.shell("disk use 15; disk write 0 9; disk verify 0 9", timeout=9).status == 0


def test_devices_that_share_an_interrupt_are_all_served() -> None:
    devices = [Console(), *(Disk(size="64K") for _ in range(8))]
    with Machine(memory="8M", devices=devices, transport="pci") as machine:
        machine.console.expect(PROMPT)
        for disk in range(8):
            command = f"disk use {disk}; disk write 0 128; disk verify 0 128"
            assert machine.shell(command, timeout=9).status == 0
        counts = machine.shell("irq", timeout=5).stdout
    served = {int(source) for source in re.findall(r"^ (\d+) pci +\d+$", counts, re.MULTILINE)}
    assert served == {32, 33, 34, 35}


def test_random_bytes_are_those_of_the_device(transport: Transport) -> None:
    devices = [Console(), Entropy(seed=7)]
    with Machine(memory="8M", devices=devices, transport=transport) as machine:
        expected = random.Random(7).randbytes(132).hex()
        assert machine.shell("rng", timeout=5).stdout == expected[:64] + "\n"
        lines = machine.shell("rng 100", timeout=5).stdout.splitlines()
        assert "".join(lines) == expected[64:264]
        assert [len(line) for line in lines] == [64, 64, 64, 8]
        assert machine.shell("rng 0", timeout=5).status == 2


def test_all_of_it_comes_up_after_a_quarter_of_a_million_instructions(transport: Transport) -> None:
    devices = everything()
    with Machine(memory="8M", clock="virtual", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        assert machine.instructions < 250_000
