"""How fast two guests talk: Debian and Debian on one Switch of vnb, and on two QEMUs with a socket.

    python benchmarks/net.py [--rounds 3] [--seconds 5] [--target "vnb mmio" …]

Each round boots a pair on every target. iperf3 in the guests sends over one TCP connection from the
first to the second, and back; the time that an answer takes is busybox ping's mean of 200.
"""

import re
import shutil
import socket
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import click
from devices import Run, Transport, run_on, running_qemu
from tables import host, spread, table

from vnb import Console, Machine, images
from vnb.config import Net
from vnb.host.ether import Switch

FIRST, SECOND = "10.0.0.1/24", "10.0.0.2/24"


@dataclass(frozen=True)
class Work:
    """A command of the first guest that prints how fast it was, where `said` finds it."""

    name: str
    command: str
    said: str
    unit: str
    best: str = "max"


WORKS = (
    Work("TCP", "iperf3 -c 10.0.0.2 -f m -t {}", r"([\d.]+) Mbits/sec +receiver", "Mbit/s"),
    Work("TCP back", "iperf3 -c 10.0.0.2 -f m -R -t {}", r"([\d.]+) Mbits/sec +rec", "Mbit/s"),
    Work("ping", "ping -q -c 200 -A 10.0.0.2", r"= [\d.]+/([\d.]+)/", "ms", "min"),
)


@dataclass(frozen=True)
class Target:
    name: str
    boot: Callable[[images.Image], AbstractContextManager[tuple[Run, Run]]]
    missing: str | None = None


@contextmanager
def vnb(image: images.Image, transport: Transport) -> Iterator[tuple[Run, Run]]:
    lan = Switch()
    first, second = (
        Machine(image, devices=[Console(), Net(lan, address=address)], transport=transport)
        for address in (FIRST, SECOND)
    )
    with first, second:
        yield partial(run_on, first), partial(run_on, second)


@contextmanager
def qemu(image: images.Image, transport: Transport) -> Iterator[tuple[Run, Run]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"

    def boot(address: str, role: str, mac: str) -> AbstractContextManager[Run]:
        image_there = replace(image, append=f"{image.append} vnb.ip=eth0={address}")
        backend = ("-netdev", f"socket,id=lan,{role}={place}")
        return running_qemu(image_there, transport, backend, "virtio-net", f"netdev=lan,mac={mac}")

    with (
        boot(FIRST, "listen", "02:00:00:00:00:01") as first,
        boot(SECOND, "connect", "02:00:00:00:00:02") as second,
    ):
        yield first, second


def targets() -> list[Target]:
    """All of them, in the order of the table, present or not."""
    missing = None if shutil.which("qemu-system-riscv64") else "qemu-system-riscv64 is not on PATH"
    kinds: tuple[Transport, ...] = ("mmio", "pci")
    return [
        *(Target(f"vnb {kind}", partial(vnb, transport=kind)) for kind in kinds),
        *(Target(f"QEMU {kind}", partial(qemu, transport=kind), missing) for kind in kinds),
    ]


def rate(run: Run, work: Work, seconds: int) -> float:
    """What the work says of itself."""
    _, text = run(work.command.format(seconds))
    found = re.search(work.said, text)
    if not found:
        raise click.ClickException(f"{work.command!r} printed {text!r}")
    return float(found[1])


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--seconds", default=5, show_default=True, help="How long TCP sends, each way.")
@click.option("--target", "wanted", multiple=True, help="Not all targets, but this.")
def main(rounds: int, seconds: int, wanted: tuple[str, ...]) -> None:
    """Print how fast two Debian guests talk to each other on vnb and on QEMU."""
    chosen = [target for target in targets() if not wanted or target.name in wanted]
    present = [target for target in chosen if target.missing is None]
    image = images.debian(packages=("iperf3",))
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for number in range(rounds):
        for target in present:
            print(f"round {number + 1}/{rounds}: {target.name}", file=sys.stderr)
            with target.boot(image) as (first, second):
                second("iperf3 -s -D")
                first("ping -c 1 10.0.0.2")
                for work in WORKS:
                    measured[work.name, target.name].append(rate(first, work, seconds))
    print(f"{host()}; {rounds} rounds: median (best)\n")
    rows = [
        [work.name, work.unit]
        + [
            spread(
                measured[work.name, target.name], ".2f" if work.unit == "ms" else ".0f", work.best
            )
            for target in present
        ]
        for work in WORKS
    ]
    print(table(["", "", *(target.name for target in present)], rows))
    for target in chosen:
        if target.missing:
            print(f"Not measured: {target.name}, because {target.missing}.")


if __name__ == "__main__":
    main()
