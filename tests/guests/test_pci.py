"""Debian on the PCI bus: every card is found, named, driven and heard; both transports mixed."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from vnb import Machine, images
from vnb.config import Console, Disk, Entropy, Keyboard, Net, Part, Screen, Share, Tablet
from vnb.host.ether import Switch

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("pci"), pytest.mark.timeout(300)]

CONTENT = b"vnb on PCI!\n" * (1 << 16)
BLOCKS = 3 << 19  # what of it makes whole blocks of every size
DIGEST = hashlib.sha256(CONTENT[:BLOCKS]).hexdigest()

# What Linux drives each device with, in the order of the slots.
DRIVERS = [
    "virtio_console",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "virtio_input",
    "virtio_input",
    "virtio_gpu",
    "9pnet_virtio",
]

# What lspci calls the cards.
CARDS = """\
00:01.0 Communication controller: Red Hat, Inc. Virtio 1.0 console (rev 01)
00:02.0 Mass storage controller: Red Hat, Inc. Virtio 1.0 block device (rev 01)
00:03.0 Ethernet controller: Red Hat, Inc. Virtio 1.0 network device (rev 01)
00:04.0 Encryption controller: Red Hat, Inc. Virtio 1.0 RNG (rev 01)
00:05.0 Input device controller: Red Hat, Inc. Virtio 1.0 input (rev 01)
00:06.0 Input device controller: Red Hat, Inc. Virtio 1.0 input (rev 01)
00:07.0 Display controller: Red Hat, Inc. Virtio 1.0 GPU (rev 01)
00:08.0 Mass storage controller: Red Hat, Inc. Virtio 9P transport (rev 01)
"""


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pci") / "disk.img"
    path.write_bytes(CONTENT[:BLOCKS])
    return path


def one_of_each(disk: Path) -> list[Part]:
    return [
        *(Console(), Disk(disk, "snapshot"), Net(Switch()), Entropy()),
        *(Keyboard(), Tablet(), Screen(640, 480), Share({"hello": "world"}, tag="data")),
    ]


@pytest.fixture(scope="module")
def machine(disk: Path) -> Iterator[Machine]:
    image = images.debian(packages=("pciutils",), progress=False)
    with Machine(image, memory="256M", devices=one_of_each(disk), transport="pci") as machine:
        machine.shell("true", timeout=120)
        yield machine


def bound(machine: Machine) -> list[str]:
    """The driver of each VirtIO device, in the order in which the kernel found them."""
    links = "ls | sort -V | sed s:$:/driver: | xargs -n 1 readlink"
    told = machine.shell(f"cd /sys/bus/virtio/devices; {links}", check=True)
    return [path.rpartition("/")[2] for path in told.stdout.split()]


def digest(machine: Machine, name: str) -> str:
    return machine.shell(f"sha256sum /dev/{name}", check=True).stdout.split()[0]


def counts(machine: Machine) -> dict[int, tuple[int, list[str]]]:
    """By source of the PLIC: how many interrupts there were, and whose they may be."""
    rows = re.findall(
        r"^ *\d+: +(\d+) +SiFive PLIC +(\d+) +\w+ +(.*)$",
        machine.shell("cat /proc/interrupts").stdout,
        re.MULTILINE,
    )
    return {int(source): (int(count), names.split(", ")) for count, source, names in rows}


def test_lspci_names_every_card(machine: Machine) -> None:
    assert machine.shell("lspci").stdout == CARDS


def test_every_card_is_modern_awake_and_placed(machine: Machine) -> None:
    told = machine.shell("lspci -vv 2>/dev/null").stdout
    assert told.count("Kernel driver in use: virtio-pci") == len(DRIVERS)
    for line in (
        "Mem+ BusMaster+",
        "Status: Cap+",
        "(32-bit, non-prefetchable) [size=16K]",
        "VirtIO: CommonCfg",
        "VirtIO: Notify",
        "VirtIO: ISR",
        "VirtIO: DeviceCfg",
        "Interrupt: pin A routed to IRQ",
    ):
        assert told.count(line) == len(DRIVERS), line


def test_every_device_is_driven_over_pci(machine: Machine) -> None:
    assert bound(machine) == DRIVERS
    assert digest(machine, "vda") == DIGEST


def test_every_device_is_driven_over_mmio(debian: images.Image, disk: Path) -> None:
    with Machine(debian, memory="256M", devices=one_of_each(disk), transport="mmio") as machine:
        machine.shell("true", timeout=120)
        assert sorted(bound(machine)) == sorted(DRIVERS)
        assert digest(machine, "vda") == DIGEST


def test_every_card_interrupts_by_the_line_of_its_slot(machine: Machine) -> None:
    before = counts(machine)
    for slot in range(1, len(DRIVERS) + 1):
        assert f"virtio{slot - 1}" in before[32 + slot % 4][1]
    machine.shell("dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct", check=True)
    after = counts(machine)
    assert after[34][0] - before[34][0] >= 100
    assert "nobody cared" not in machine.shell("dmesg").stdout


def test_a_card_that_is_taken_out_and_found_again_works(machine: Machine) -> None:
    for _ in range(3):
        machine.shell("echo 1 > /sys/bus/pci/devices/0000:00:02.0/remove", check=True)
        assert machine.shell("test -e /dev/vda").status != 0
        machine.shell("echo 1 > /sys/bus/pci/rescan; sleep 0.2", check=True)
        assert digest(machine, "vda") == DIGEST


def test_both_transports_work_in_one_machine(debian: images.Image, disk: Path) -> None:
    devices = [
        Console(transport="mmio"),
        *(Disk(disk, "snapshot", transport=name) for name in ("mmio", "pci", "mmio")),
        Entropy(transport="pci"),
    ]
    with Machine(debian, memory="192M", devices=devices) as machine:
        machine.shell("true", timeout=120)
        assert bound(machine) == ["virtio_blk", "virtio_rng", "virtio_console", *["virtio_blk"] * 2]
        for name in ("vda", "vdb", "vdc"):
            assert machine.shell(f"cat /sys/block/{name}/serial").stdout == name
            assert digest(machine, name) == DIGEST


def test_twelve_disks_share_four_lines(debian: images.Image, disk: Path) -> None:
    devices = [Console(), *(Disk(disk, "snapshot") for _ in range(12))]
    with Machine(debian, memory="192M", devices=devices, transport="pci") as machine:
        machine.shell("true", timeout=120)
        told = machine.shell(
            "sha256sum /dev/vd? > /tmp/first & sha256sum /dev/vd?; wait; cat /tmp/first"
        )
        assert [line.split()[0] for line in told.stdout.splitlines()] == [DIGEST] * 24
        assert [len(names) for _, (_, names) in sorted(counts(machine).items())[-4:]] == [
            3,
            4,
            3,
            3,
        ]
        assert "nobody cared" not in machine.shell("dmesg").stdout
