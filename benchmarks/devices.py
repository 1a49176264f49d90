"""How fast a guest's devices are: the same Debian guest at the same work on vnb and on QEMU.

    python benchmarks/devices.py [--rounds 3] [--only read …] [--target "vnb mmio" …]

Each round boots every target once, with a fresh copy of the same disk image, and times each piece
of work from the keystroke that starts it to the line that says it is done. The host's page cache
holds the whole image, so that the host's disk has no say in it.
"""

import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
from beside import Row, in_turn, over_both, report, run_on
from qemu import Run, at_prompt, virtio
from tables import to_readme

from vnb import Console, Disk, Machine, images
from vnb.config import Transport

IMAGE = 256 << 20


@dataclass(frozen=True)
class Work:
    """A `command` of the guest: it moves `amount` (in `unit`), or prints how much it did."""

    name: str
    command: str
    unit: str
    amount: float | None = None
    said: str = ""  # the pattern of that number

    def rate(self, run: Run) -> float:
        """Units a second."""
        run("sync; echo 3 > /proc/sys/vm/drop_caches")
        seconds, text = run(self.command)
        if self.amount is not None:
            return self.amount / seconds
        found = re.search(self.said, text)
        if not found:
            raise click.ClickException(f"{self.command!r} printed {text!r}")
        return float(found[1])


WHOLE = IMAGE / 1e6

WORKS = (
    Work("read", "dd if=/dev/vda of=/dev/null bs=1M count=256", "MB/s", WHOLE),
    Work("write", "dd if=/dev/zero of=/dev/vda bs=1M count=256 conv=fsync", "MB/s", WHOLE),
    Work("read, direct", "dd if=/dev/vda of=/dev/null bs=1M count=256 iflag=direct", "MB/s", WHOLE),
    Work(
        "write, direct", "dd if=/dev/zero of=/dev/vda bs=1M count=256 oflag=direct", "MB/s", WHOLE
    ),
    Work(
        "4 KiB random reads",
        "ioping -B -D -i 0 -w 3 -s 4k -R /dev/vda",
        "IOPS",
        said=r"(?m)^\d+ \d+ (\d+) ",
    ),
)


@contextmanager
def on_vnb(image: images.Image, disk: Path, transport: Transport) -> Iterator[Run]:
    with Machine(image, devices=[Console(), Disk(disk)], transport=transport) as machine:
        yield partial(run_on, machine)


def on_qemu(image: images.Image, disk: Path, transport: Transport) -> AbstractContextManager[Run]:
    drive = ("-drive", f"file={disk},format=raw,if=none,id=disk")
    card = virtio("virtio-blk", transport, "drive=disk")
    return at_prompt(image, *drive, *card, transport=transport)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--only", multiple=True, metavar="WORK", help="Not all work, but this.")
@click.option("--target", "wanted", multiple=True, help="Not all targets, but this.")
@to_readme
def main(rounds: int, only: tuple[str, ...], wanted: tuple[str, ...], write: bool) -> None:
    """Print how fast the devices of a Debian guest are on vnb and on QEMU."""
    targets = [one for one in over_both(on_vnb, on_qemu) if not wanted or one.name in wanted]
    works = [work for work in WORKS if not only or work.name in only]
    image = images.debian(packages=("ioping",))
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        master, copy = Path(folder) / "master.img", Path(folder) / "disk.img"
        with master.open("wb") as file:
            for _ in range(IMAGE >> 20):
                file.write(os.urandom(1 << 20))
        for target in in_turn(targets, rounds):
            shutil.copy(master, copy)
            with target.boot(image, copy) as run:
                for work in works:
                    measured[work.name, target.name].append(work.rate(run))
    rows = [Row(work.name, work.unit) for work in works]
    report("disks", targets, rounds, rows, measured, write)


if __name__ == "__main__":
    main()
