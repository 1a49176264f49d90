"""How fast a guest's devices are: the same Debian guest at the same work on vnb and on QEMU.

    python benchmarks/devices.py [--rounds 3] [--only read …] [--target "vnb mmio" …]

Each round boots every target once, with a fresh copy of the same disk image, and times each piece
of work from the keystroke that starts it to the line that says it is done. The host's page cache
holds the whole image, so that the host's disk has no say in it.
"""

import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import click
from tables import host, spread, table

from vnb import Console, Disk, Machine, images

LIMIT = 60  # seconds
IMAGE = 256 << 20
PROMPT = "# "

Transport = Literal["mmio", "pci"]
Run = Callable[[str], tuple[float, str]]
"""Has the guest's shell do a command: how many seconds that took, and what it printed."""


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


@dataclass(frozen=True)
class Target:
    name: str
    boot: Callable[[images.Image, Path], AbstractContextManager[Run]]
    missing: str | None = None


@contextmanager
def vnb(image: images.Image, disk: Path, transport: Transport) -> Iterator[Run]:
    with Machine(image, devices=[Console(), Disk(disk)], transport=transport) as machine:
        yield partial(run_on, machine)


def run_on(machine: Machine, command: str) -> tuple[float, str]:
    """The Run of a machine of vnb's."""
    began = time.perf_counter()
    text = machine.shell(f"{command} 2>&1", timeout=LIMIT, check=True).stdout
    return time.perf_counter() - began, text


def qemu(image: images.Image, disk: Path, transport: Transport) -> AbstractContextManager[Run]:
    drive = ("-drive", f"file={disk},format=raw,if=none,id=disk")
    return running_qemu(image, transport, drive, "virtio-blk", "drive=disk")


@contextmanager
def running_qemu(
    image: images.Image, transport: Transport, backend: tuple[str, ...], device: str, options: str
) -> Iterator[Run]:
    """QEMU with a console and this device over this backend, at its prompt."""
    kind = {"mmio": "device", "pci": "pci"}[transport]
    command = [
        *("qemu-system-riscv64", "-M", "virt", "-m", "256M", "-display", "none"),
        *("-monitor", "none", "-serial", "null", "-global", "virtio-mmio.force-legacy=false"),
        *("-kernel", str(image.payload), "-initrd", str(image.initrd), "-append", image.append),
        *("-device", f"virtio-serial-{kind}"),
        *("-chardev", "stdio,id=screen", "-device", "virtconsole,chardev=screen"),
        *(*backend, "-device", f"{device}-{kind},{options}"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    keys, screen = process.stdin.fileno(), process.stdout.fileno()

    def wait_for(text: str) -> str:
        seen, deadline = b"", time.perf_counter() + LIMIT
        while text.encode() not in seen:
            left = max(0.0, deadline - time.perf_counter())
            readable, _, _ = select.select([screen], [], [], left)
            some = os.read(screen, 1 << 16) if readable else b""
            if not some:
                raise click.ClickException(f"QEMU never printed {text!r}, but {seen[-400:]!r}")
            seen += some
        return seen.decode(errors="replace")

    def run(command: str) -> tuple[float, str]:
        began = time.perf_counter()
        os.write(keys, f"{command} 2>&1; echo d'one'\n".encode())
        text = wait_for("done\r\n")
        return time.perf_counter() - began, text

    try:
        wait_for(PROMPT)
        yield run
    finally:
        process.kill()
        process.wait()


def targets() -> list[Target]:
    """All of them, in the order of the table, present or not."""
    missing = None if shutil.which("qemu-system-riscv64") else "qemu-system-riscv64 is not on PATH"
    return [
        *(Target(f"vnb {kind}", partial(vnb, transport=kind)) for kind in ("mmio", "pci")),
        *(
            Target(f"QEMU {kind}", partial(qemu, transport=kind), missing)
            for kind in ("mmio", "pci")
        ),
    ]


def measure(
    present: list[Target], works: list[Work], rounds: int, folder: Path
) -> dict[tuple[str, str], list[float]]:
    """The rates of each (work, target)."""
    image = images.debian(packages=("ioping",))
    master, copy = folder / "master.img", folder / "disk.img"
    with master.open("wb") as file:
        for _ in range(IMAGE >> 20):
            file.write(os.urandom(1 << 20))
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for target in present:
            print(f"round {number + 1}/{rounds}: {target.name}", file=sys.stderr)
            shutil.copy(master, copy)
            with target.boot(image, copy) as run:
                for work in works:
                    measured[work.name, target.name].append(work.rate(run))
    return measured


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--only", multiple=True, metavar="WORK", help="Not all work, but this.")
@click.option("--target", "wanted", multiple=True, help="Not all targets, but this.")
def main(rounds: int, only: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Print how fast the devices of a Debian guest are on vnb and on QEMU."""
    chosen = [target for target in targets() if not wanted or target.name in wanted]
    present = [target for target in chosen if target.missing is None]
    works = [work for work in WORKS if not only or work.name in only]
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(present, works, rounds, Path(folder))
    print(f"{host()}; {rounds} rounds: median (best)\n")
    rows = [
        [work.name, work.unit]
        + [spread(measured[work.name, target.name], best="max") for target in present]
        for work in works
    ]
    print(table(["", "", *(target.name for target in present)], rows))
    for target in chosen:
        if target.missing:
            print(f"Not measured: {target.name}, because {target.missing}.")


if __name__ == "__main__":
    main()
