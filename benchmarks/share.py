"""How fast a shared folder is: the same Debian guest at the same work on vnb and on QEMU.

    python benchmarks/share.py [--rounds 3]

All share an empty folder of the host over 9P, mounted alike by the guest's init, and one of vnb's
has its files in memory instead. With cache=none Linux 6.12 asks for 4 KiB at a time, whatever the
largest message is, so that the cost of a request decides.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import click
from beside import Row, Target, in_turn, over_both, report, run_on
from qemu import Run, at_prompt, virtio
from tables import to_readme

from vnb import Console, Machine, Share, images
from vnb.config import Transport
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


@contextmanager
def on_vnb(
    image: images.Image, folder: Path, transport: Transport, memory: bool = False
) -> Iterator[Run]:
    share = Share(Tree(room=2 * SIZE << 20) if memory else folder, tag="data", write=True)
    with Machine(image, devices=[Console(), share], transport=transport) as machine:
        yield partial(run_on, machine)


def on_qemu(image: images.Image, folder: Path, transport: Transport) -> AbstractContextManager[Run]:
    backend = ("-fsdev", f"local,id=files,path={folder},security_model=none")
    card = virtio("virtio-9p", transport, "fsdev=files", "mount_tag=data")
    return at_prompt(image, *backend, *card, transport=transport)


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@to_readme
def main(rounds: int, write: bool) -> None:
    """Print how long the same work on a share takes on vnb and on QEMU."""
    in_memory = Target("vnb mmio, in memory", partial(on_vnb, transport="mmio", memory=True))
    targets = [*over_both(on_vnb, on_qemu), in_memory]
    image = images.debian()
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for target in in_turn(targets, rounds):
        with tempfile.TemporaryDirectory() as folder, target.boot(image, Path(folder)) as run:
            for work, command in WORKS.items():
                measured[work, target.name].append(run(command)[0])
    rows = [Row(work, "seconds", ".2f", "min") for work in WORKS]
    report("shares", targets, rounds, rows, measured, write)


if __name__ == "__main__":
    main()
