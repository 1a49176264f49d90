"""What an idle guest costs: the share of one core that its process uses while nothing happens.

    python benchmarks/idle.py [--seconds 20]

vnb runs inside this very process, so its figure has everything in it: the machine's thread, its
devices and Python. QEMU runs the same Debian with the same devices.
"""

import os
import subprocess
import time
from pathlib import Path

import click
import qemu
from boot import qemu_at_its_prompt
from tables import conclude, table, to_readme

from vnb import Machine, VnbError, images

SETTLE = 3.0  # seconds between the prompt and the measurement: the guest finishes its start


def share_of_vnb(image: images.Image, prompt: str, seconds: float) -> float:
    """CPU seconds of this process for each second that the guest idles."""
    with Machine(image) as machine:
        machine.console.expect(prompt, timeout=300)
        time.sleep(SETTLE)
        cpu, wall = time.process_time(), time.perf_counter()
        time.sleep(seconds)
        return (time.process_time() - cpu) / (time.perf_counter() - wall)


def share_of_qemu(image: images.Image, seconds: float) -> float:
    with qemu_at_its_prompt(image, "256M") as (process, _, _):
        time.sleep(SETTLE)
        cpu, wall = _cpu_seconds(process), time.perf_counter()
        time.sleep(seconds)
        return (_cpu_seconds(process) - cpu) / (time.perf_counter() - wall)


def _cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


@click.command()
@click.option("--seconds", default=20.0, show_default=True, help="How long each guest idles.")
@to_readme
def main(seconds: float, write: bool) -> None:
    """Print the share of one core that idle guests use."""
    shares = {"labos on vnb": share_of_vnb(images.labos(), "labos>", seconds)}
    missing = {}
    try:
        debian = images.debian()
    except VnbError as error:
        missing["Debian"] = f"there is no image of it: {error}"
    else:
        shares["Debian on vnb"] = share_of_vnb(debian, "# ", seconds)
        if why := qemu.missing():
            missing["Debian on QEMU"] = why
        else:
            shares["Debian on QEMU"] = share_of_qemu(debian, seconds)
    rows = [[name, f"{100 * share:.2f}"] for name, share in shares.items()]
    tables = [table(["idle", "% of a core"], rows)]
    conclude("idle", f"{seconds:.0f} s each", tables, missing, write)


if __name__ == "__main__":
    main()
