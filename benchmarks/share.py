"""How fast a shared folder is: the same Debian guest at the same work on vnb and on QEMU.

    python benchmarks/share.py [--rounds 3]

All share an empty folder of the host over 9P, mounted alike by the guest's init, and one of vnb's
has its files in memory instead. With cache=none Linux 6.12 asks for 4 KiB at a time, whatever the
largest message is, so that the cost of a request decides.
"""

import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import click
from devices import Run, Transport, run_on, running_qemu
from tables import host, spread, table

from vnb import Console, Machine, Share, images
from vnb.host.files import Tree

SIZE = 64  # MiB
ENTER = "cd /mnt/data"

WORKS = {
    "64 MiB written": f"{ENTER} && dd if=/dev/zero of=big bs=1M count={SIZE}",
    "64 MiB read": f"{ENTER} && dd if=big of=/dev/null bs=1M && rm big",
    "300 files made, copied, removed": f"{ENTER} && mkdir a"
    " && for i in $(seq 300); do echo $i >a/$i; done && cp -r a b && rm -r a b",
}
"""What is done, in this order."""

Boot = Callable[[images.Image, Path], AbstractContextManager[Run]]


@contextmanager
def vnb(
    image: images.Image, folder: Path, transport: Transport, memory: bool = False
) -> Iterator[Run]:
    share = Share(Tree(room=2 * SIZE << 20) if memory else folder, tag="data", write=True)
    with Machine(image, devices=[Console(), share], transport=transport) as machine:
        yield partial(run_on, machine)


def qemu(image: images.Image, folder: Path, transport: Transport) -> AbstractContextManager[Run]:
    backend = ("-fsdev", f"local,id=files,path={folder},security_model=none")
    return running_qemu(image, transport, backend, "virtio-9p", "fsdev=files,mount_tag=data")


TARGETS: dict[str, Boot] = {
    "vnb mmio": partial(vnb, transport="mmio"),
    "vnb pci": partial(vnb, transport="pci"),
    "vnb mmio, in memory": partial(vnb, transport="mmio", memory=True),
    "QEMU mmio": partial(qemu, transport="mmio"),
    "QEMU pci": partial(qemu, transport="pci"),
}


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
def main(rounds: int) -> None:
    """Print how long the same work on a share takes on vnb and on QEMU."""
    image = images.debian()
    there = shutil.which("qemu-system-riscv64") is not None
    present = [name for name in TARGETS if there or not name.startswith("QEMU")]
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for name in present:
            print(f"round {number + 1}/{rounds}: {name}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as folder, TARGETS[name](image, Path(folder)) as run:
                for work, command in WORKS.items():
                    measured[work, name].append(run(command)[0])
    print(f"{host()}; {rounds} rounds: median (best), in seconds\n")
    rows = [[work, *(spread(measured[work, name], ".2f") for name in present)] for work in WORKS]
    print(table(["", *present], rows))
    if not there:
        print("Not measured: QEMU, because qemu-system-riscv64 is not on PATH.")


if __name__ == "__main__":
    main()
