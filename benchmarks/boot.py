"""How long Debian takes from power-on to its shell, on vnb's engines and on QEMU, in one run.

    python benchmarks/boot.py [--rounds 5] [--memory 256M] [--append WORDS]

The same kernel, initramfs and devices everywhere. Each round boots once on every target before the
next round begins, each time in a fresh process. A second table tells how long vnb itself takes to
start: to be imported, and from there to the first instruction of a guest.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import qemu
from one_boot import LIMIT, PROMPT, READY
from tables import host, spread, table

from vnb import images
from vnb.errors import VnbError

HERE = Path(__file__).parent

ENGINES = ("llvm", "numba")

IMPORT = "import time; t = time.perf_counter(); import vnb; print(time.perf_counter() - t)"
FIRST = """
import time; t = time.perf_counter()
from vnb import Machine, images
power_off = b"\\xb7\\x02\\x10\\x00\\x37\\x53\\x00\\x00\\x13\\x03\\x53\\x55\\x23\\xa0\\x62\\x00"
image = images.Image("off", "raw", power_off, address=0x8000_0000)
with Machine(image, memory="1M", engine={engine!r}) as machine:
    machine.start()
    machine.wait(timeout=120)
print(time.perf_counter() - t)
"""


@dataclass(frozen=True)
class Boot:
    """One boot: seconds to the init's line and to the prompt, and the memory it took in bytes."""

    ready: float
    shell: float
    host: int
    touched: int | None = None
    instructions: int | None = None


@dataclass(frozen=True)
class Target:
    name: str
    boot: Callable[[images.Image, str], Boot]
    missing: str | None = None


Measured = dict[str, list[Boot]]
RunningQemu = tuple[subprocess.Popen[bytes], float, float]  # with seconds to init, to the prompt


def python(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What a fresh Python prints; its progress bars are for nobody, its errors for us."""
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=LIMIT
    )
    if done.returncode:
        raise click.ClickException(f"{arguments} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def boot_vnb(image: images.Image, memory: str, engine: str, firmware: Path | None = None) -> Boot:
    arguments = [engine, memory, image.append, *([str(firmware)] if firmware else [])]
    return Boot(**json.loads(python(str(HERE / "one_boot.py"), *arguments)))


@contextmanager
def qemu_at_its_prompt(image: images.Image, memory: str) -> Iterator[RunningQemu]:
    """QEMU's board with the same devices in the same places: hvc0 and the agent's port."""
    port = ("-device", "virtserialport,chardev=agent,name=vnb.agent")
    power_on = time.perf_counter()
    with qemu.running(image, "-chardev", "null,id=agent", *port, memory=memory) as guest:
        guest.wait_for(READY)
        ready = time.perf_counter() - power_on
        guest.wait_for(PROMPT)
        yield guest.process, ready, time.perf_counter() - power_on


def boot_qemu(image: images.Image, memory: str) -> Boot:
    with qemu_at_its_prompt(image, memory) as (process, ready, shell):
        status = Path(f"/proc/{process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s*(\d+) kB", status)
    return Boot(ready, shell, int(peak[1]) << 10 if peak else 0)


def targets() -> list[Target]:
    """All of them, in the order of the table, present or not."""
    opensbi = images.opensbi("fw_jump.elf")
    return [
        Target("vnb llvm", partial(boot_vnb, engine="llvm")),
        Target("vnb numba", partial(boot_vnb, engine="numba")),
        Target("vnb llvm, OpenSBI", partial(boot_vnb, engine="llvm", firmware=opensbi)),
        Target("QEMU (OpenSBI)", boot_qemu, qemu.missing()),
    ]


def measure(present: list[Target], image: images.Image, memory: str, rounds: int) -> Measured:
    measured: Measured = defaultdict(list)
    for number in range(rounds):
        for target in present:
            print(f"boot {number + 1}/{rounds}: {target.name}", file=sys.stderr)
            measured[target.name].append(target.boot(image, memory))
    return measured


def boot_table(measured: Measured) -> str:
    """Times as median (best), memory as the largest of all rounds."""
    header = [
        "",
        "to init, s",
        "to the shell, s",
        "M instr.",
        "host memory, MiB",
        "RAM touched",
        "rest",
    ]
    rows = []
    for name, series in measured.items():
        host_memory = max(boot.host for boot in series) >> 20
        row = [
            name,
            *(spread([getattr(b, word) for b in series], ".2f") for word in ("ready", "shell")),
        ]
        row += [f"{series[0].instructions / 1e6:.0f}" if series[0].instructions else "–"]
        row += [str(host_memory)]
        touched = max(boot.touched or 0 for boot in series) >> 20
        row += [str(touched), str(host_memory - touched)] if touched else ["–", "–"]
        rows.append(row)
    return table(header, rows)


def start_table(rounds: int) -> str:
    """How long vnb takes to start, with its caches empty and filled."""
    series: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        print(f"start {number + 1}/{rounds}", file=sys.stderr)
        series["import vnb"].append(float(python("-c", IMPORT)))
        for engine in ENGINES:
            with tempfile.TemporaryDirectory() as empty:
                environment = os.environ | {"XDG_CACHE_HOME": empty}
                for when in ("first use ever", "from the caches"):
                    name = f"to the first guest instruction, {engine}, {when}"
                    code = FIRST.format(engine=engine)
                    series[name].append(float(python("-c", code, environment=environment)))
    return table(["", "s"], [[name, spread(values, ".2f")] for name, values in series.items()])


@click.command()
@click.option("--rounds", default=5, show_default=True, help="How often everything is measured.")
@click.option("--memory", default="256M", show_default=True, help="The guest's RAM.")
@click.option("--append", metavar="WORDS", help="The kernel's command line, not the image's own.")
def main(rounds: int, memory: str, append: str | None) -> None:
    """Print how long Debian takes to boot on vnb and QEMU, and how long vnb takes to start."""
    print(f"{host()}; {rounds} rounds: median (best)\n")
    try:
        image = images.debian()
    except VnbError as error:
        print(f"Not measured: booting Debian, because there is no image of it: {error}\n")
    else:
        image = image if append is None else replace(image, append=append)
        print(boot_table(measure([t for t in targets() if not t.missing], image, memory, rounds)))
        for target in targets():
            if target.missing:
                print(f"Not measured: {target.name}, because {target.missing}.")
    print(f"\n{start_table(rounds)}")


if __name__ == "__main__":
    main()
