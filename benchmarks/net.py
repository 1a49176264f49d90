"""How fast two guests talk: Debian and Debian on one Switch of vnb, and on two QEMUs with a socket.

    python benchmarks/net.py [--rounds 3] [--seconds 5] [--target "vnb mmio" …]

Each round boots a pair on every target. iperf3 in the guests sends over one TCP connection from the
first to the second, and back; the time that an answer takes is busybox ping's mean of 200.
"""

import re
import socket
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import click
from beside import Row, in_turn, over_both, report, run_on
from qemu import Run, at_prompt, virtio
from tables import to_readme

from vnb import Console, Machine, images
from vnb.config import Net, Transport
from vnb.host.ether import Switch

FIRST, SECOND = "10.0.0.1/24", "10.0.0.2/24"


@dataclass(frozen=True)
class Work:
    """A command of the first guest that prints how fast it was, where `said` finds it."""

    row: Row
    command: str
    said: str


WORKS = (
    Work(Row("TCP", "Mbit/s"), "iperf3 -c 10.0.0.2 -f m -t {}", r"([\d.]+) Mbits/sec +receiver"),
    Work(Row("TCP back", "Mbit/s"), "iperf3 -c 10.0.0.2 -f m -R -t {}", r"([\d.]+) Mbits/sec +rec"),
    Work(Row("ping", "ms", ".2f", "min"), "ping -q -c 200 -A 10.0.0.2", r"= [\d.]+/([\d.]+)/"),
)


@contextmanager
def on_vnb(image: images.Image, transport: Transport) -> Iterator[tuple[Run, Run]]:
    lan = Switch()
    first, second = (
        Machine(image, devices=[Console(), Net(lan, address=address)], transport=transport)
        for address in (FIRST, SECOND)
    )
    with first, second:
        yield partial(run_on, first), partial(run_on, second)


@contextmanager
def on_qemu(image: images.Image, transport: Transport) -> Iterator[tuple[Run, Run]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"

    def boot(address: str, role: str, mac: str) -> AbstractContextManager[Run]:
        image_there = replace(image, append=f"{image.append} vnb.ip=eth0={address}")
        backend = ("-netdev", f"socket,id=lan,{role}={place}")
        card = virtio("virtio-net", transport, "netdev=lan", f"mac={mac}")
        return at_prompt(image_there, *backend, *card, transport=transport)

    with (
        boot(FIRST, "listen", "02:00:00:00:00:01") as first,
        boot(SECOND, "connect", "02:00:00:00:00:02") as second,
    ):
        yield first, second


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
@to_readme
def main(rounds: int, seconds: int, wanted: tuple[str, ...], write: bool) -> None:
    """Print how fast two Debian guests talk to each other on vnb and on QEMU."""
    targets = [one for one in over_both(on_vnb, on_qemu) if not wanted or one.name in wanted]
    image = images.debian(packages=("iperf3",))
    measured: dict[tuple[str, str], list[float]] = defaultdict(list)
    for target in in_turn(targets, rounds):
        with target.boot(image) as (first, second):
            second("iperf3 -s -D")
            first("ping -c 1 10.0.0.2")
            for work in WORKS:
                measured[work.row.name, target.name].append(rate(first, work, seconds))
    report("networks", targets, rounds, [work.row for work in WORKS], measured, write)


if __name__ == "__main__":
    main()
