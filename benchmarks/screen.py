"""How fast a guest draws: whole frames of 1024×768 that Debian writes into its framebuffer.

    python benchmarks/screen.py [--frames 100]

Linux sends what was drawn in a transfer and a flush; the share of the time in which the machine's
thread serves these says how much of the rest is the guest's own.
"""

import time
from typing import get_args

import click
from tables import host, table

from vnb import Console, Machine, images
from vnb.config import Screen, Transport

WIDTH, HEIGHT = 1024, 768
FRAME = WIDTH * HEIGHT * 4  # bytes
LIMIT = 300  # seconds


def measure(transport: Transport, frames: int) -> list[str]:
    """A row of the table."""
    devices = [Console(), Screen(WIDTH, HEIGHT)]
    with Machine(images.debian(), devices=devices, transport=transport) as machine:
        machine.shell(f"head -c {FRAME} /dev/urandom >/tmp/frame", timeout=LIMIT, check=True)
        stats = machine.stats["screen"]
        before = {name: stats[name] for name in ("waited", "flushes", "transferred")}
        began = time.perf_counter()
        machine.shell(
            f"for frame in $(seq {frames}); do cat /tmp/frame >/dev/fb0; done", LIMIT, check=True
        )
        seconds = time.perf_counter() - began
        done = {name: stats[name] - count for name, count in before.items()}
        began = time.perf_counter()
        machine.devices["screen"].png()
        picture = time.perf_counter() - began
    return [
        transport,
        f"{frames / seconds:.0f}",
        f"{done['flushes'] / seconds:.0f}",
        f"{done['transferred'] / seconds / 1e6:.0f}",
        f"{done['waited'] / 1e6 / max(done['flushes'], 1):.2f}",
        f"{done['waited'] / 1e7 / seconds:.0f}",
        f"{picture * 1e3:.0f}",
    ]


@click.command()
@click.option("--frames", default=100, show_default=True, help="How many the guest writes.")
def main(frames: int) -> None:
    """Print how many frames a second a Debian guest draws."""
    rows = [measure(transport, frames) for transport in get_args(Transport)]
    print(f"{host()}; {frames} frames of {WIDTH}×{HEIGHT}\n")
    columns = ("frames/s", "flushes/s", "MB/s", "ms per flush", "% served", "ms for a PNG")
    print(table(["drawing over", *columns], rows))


if __name__ == "__main__":
    main()
