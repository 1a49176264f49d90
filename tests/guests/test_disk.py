"""Debian's own driver on our disks: file systems made, filled, checked and compared by hash."""

import hashlib
import os
import random
from pathlib import Path

import pytest

from tests.host import qcow2
from tests.host.web import serving
from vnb import Console, Disk, Machine, images
from vnb.config import Transport

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("disk"), pytest.mark.timeout(300)]

TRANSPORTS: tuple[Transport, ...] = ("mmio", "pci")


@pytest.fixture(scope="module")
def tools() -> images.Image:
    return images.debian(packages=("e2fsprogs",), progress=False)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(96 << 20)
    return path


def run(machine: Machine, command: str) -> str:
    return machine.shell(command, timeout=120, check=True).stdout


FILL = """
mkdir -p /mnt && mount -t ext4 /dev/vda /mnt && cd /mnt
for folder in 1 2 3 4 5; do
    mkdir $folder
    for file in 1 2 3 4 5 6 7 8 9; do
        dd if=/dev/urandom of=$folder/$file bs=1k count=$((folder * file * 8)) 2>/dev/null
    done
done
rm -r 3 && cp -r 5 again && fstrim /mnt
find . -type f | sort | xargs sha256sum
cd / && umount /mnt
"""
SUMS = "mount -t ext4 /dev/vda /mnt && cd /mnt && find . -type f | sort | xargs sha256sum"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_ext4_is_made_filled_checked_and_the_same_after_a_power_cycle(
    tools: images.Image, image: Path, transport: Transport
) -> None:
    with Machine(tools, devices=[Console(), Disk(image)], transport=transport) as machine:
        driver = run(machine, "readlink -f /sys/block/vda/device/driver").strip()
        assert driver.endswith("/virtio/drivers/virtio_blk")
        assert ("/pci" in run(machine, "readlink -f /sys/block/vda")) == (transport == "pci")
        run(machine, "mkfs.ext4 -q /dev/vda")
        sums = run(machine, FILL)
        assert sums.count("\n") == 45
        run(machine, "e2fsck -f -n /dev/vda")
        machine.reset()
        assert run(machine, f"mkdir -p /mnt; {SUMS}") == sums
        stats = machine.stats["vda"]
        assert stats["errors"] == stats["broken"] == 0
    whole = hashlib.sha256(image.read_bytes()).hexdigest()
    with Machine(tools, devices=[Disk(image, "ro"), Console()], transport=transport) as machine:
        assert run(machine, "sha256sum < /dev/vda").split()[0] == whole
        assert run(machine, "cat /sys/block/vda/ro") == "1\n"
        assert machine.shell("echo x > /dev/vda").status != 0


def test_a_guest_sees_its_disk_grow_and_its_file_system_with_it(
    tools: images.Image, image: Path
) -> None:
    with Machine(tools, devices=[Console(), Disk(image)]) as machine:
        run(machine, "mkfs.ext4 -q /dev/vda && mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
        machine.devices["vda"].resize("200M")
        run(machine, f"until [ $(cat /sys/block/vda/size) = {200 << 11} ]; do sleep 0.1; done")
        run(machine, "resize2fs /dev/vda && dd if=/dev/zero of=/mnt/large bs=1M count=120")
        run(machine, "umount /mnt && e2fsck -f -n /dev/vda")
    assert image.stat().st_size == 200 << 20


def test_a_discard_gives_the_hosts_space_back(tools: images.Image, image: Path) -> None:
    with Machine(tools, devices=[Console(), Disk(image)]) as machine:
        run(machine, "dd if=/dev/urandom of=/dev/vda bs=1M count=64 conv=fsync")
        assert image.stat().st_blocks * 512 >= 64 << 20
        run(machine, "blkdiscard /dev/vda")
        assert image.stat().st_blocks * 512 < 1 << 20


def test_changes_stay_in_their_file_and_the_image_as_it_was(
    tools: images.Image, tmp_path: Path
) -> None:
    """Over a qcow2 image that a web server has, on one machine after another."""
    content = random.Random(7).randbytes(3 << 20) + bytes(13 << 20)
    with serving() as site:
        site.files["disk.qcow2"] = qcow2.image(content, random.Random(8), bits=16)
        disk = Disk(f"{site.address}/disk.qcow2", changes=tmp_path / "changes.vnb")
        with Machine(tools, devices=[Console(), disk], transport="pci") as machine:
            whole = run(machine, "sha256sum < /dev/vda").split()[0]
            assert whole == hashlib.sha256(content).hexdigest()
            run(machine, "echo kept | dd of=/dev/vda bs=512 seek=9 conv=fsync,sync")
        changed = content[: 9 * 512] + b"kept\n".ljust(512, b"\0") + content[10 * 512 :]
        with Machine(tools, devices=[Console(), disk]) as machine:
            whole = run(machine, "sha256sum < /dev/vda").split()[0]
            assert whole == hashlib.sha256(changed).hexdigest()
    assert os.stat(tmp_path / "changes.vnb").st_blocks * 512 < 1 << 20
