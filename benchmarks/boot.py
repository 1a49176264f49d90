"""How long Debian takes from power-on to its shell, on vnb's tiers and on QEMU, in one run.

    python benchmarks/boot.py [--rounds 5] [--memory 256M] [--append WORDS]
    python benchmarks/boot.py --rounds 1 --target "vnb warm" --target QEMU   # quickly

The same kernel, initramfs and devices everywhere. Each round boots once on every target before the
next round begins, each time in a fresh process. A last table tells how long vnb itself takes to
start: to be imported, and from there to the first instruction of a guest.

"vnb cold" is a first boot: nothing is translated on disk. "vnb warm" is a second one, and in later
rounds one more. "vnb off" only interprets, and so does "vnb numba", which is slow to start and only
measured when asked for.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
import qemu
from costs import Costs, costs_table, without_regions
from figure import BASE, as_picture, drawn
from one_boot import LIMIT, PROMPT, READY
from tables import Seconds, compared, conclude, factor, spread, table, to_readme

from vnb import images
from vnb.config import Engine
from vnb.cpu.hart import TranslatorName
from vnb.errors import VnbError

HERE = Path(__file__).parent

TARGETS = ("vnb warm", "vnb cold", "vnb off", "vnb warm, OpenSBI", "vnb numba", "QEMU")
USUAL = tuple(name for name in TARGETS if name != "vnb numba")
WAYS = ("to init", "to the shell")

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
    """One boot: seconds to the init's line and to the prompt, and what it took of the host."""

    ready: float
    shell: float
    costs: Costs
    touched: int | None = None  # bytes of the guest's RAM
    instructions: int | None = None


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


def boot_vnb(
    image: images.Image,
    memory: str,
    engine: Engine = "llvm",
    jit: TranslatorName = "off",
    cache: Path | None = None,
    firmware: Path | None = None,
) -> Boot:
    """In a process of its own, with this folder for compiled code."""
    arguments = [engine, jit, memory, image.append, *([str(firmware)] if firmware else [])]
    environment = os.environ | ({"VNB_CACHE_DIR": str(cache)} if cache else {})
    told = json.loads(python(str(HERE / "one_boot.py"), *arguments, environment=environment))
    return Boot(**told | {"costs": Costs(**told["costs"])})


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
    return Boot(ready, shell, Costs(memory=int(peak[1]) << 10 if peak else 0))


def boot(target: str, image: images.Image, memory: str, folder: Path) -> Boot:
    """Once; what boots leave translated for warm ones stays in the folder."""
    match target:
        case "QEMU":
            return boot_qemu(image, memory)
        case "vnb off":
            return boot_vnb(image, memory)
        case "vnb numba":
            return boot_vnb(image, memory, engine="numba")
        case "vnb cold":
            empty = without_regions(Path(tempfile.mkdtemp(dir=folder)))
            return boot_vnb(image, memory, jit="auto", cache=empty)
        case "vnb warm, OpenSBI":
            opensbi = images.opensbi("fw_jump.elf")
            return boot_vnb(image, memory, jit="auto", cache=folder / "warm", firmware=opensbi)
        case _:
            return boot_vnb(image, memory, jit="auto", cache=folder / "warm")


def measure(present: Sequence[str], image: images.Image, memory: str, rounds: int) -> Measured:
    measured: Measured = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if any(target.startswith("vnb warm") for target in present):
            print("filling a cache", file=sys.stderr)
            without_regions(folder / "warm")
            boot("vnb warm", image, memory, folder)
        for number in range(rounds):
            for target in present:
                print(f"boot {number + 1}/{rounds}: {target}", file=sys.stderr)
                measured[target].append(boot(target, image, memory, folder))
    return measured


def seconds_of(measured: Measured) -> Seconds:
    """Of each way and target."""
    return {
        (way, target): [getattr(boot, word) for boot in series]
        for target, series in measured.items()
        for way, word in zip(WAYS, ("ready", "shell"), strict=True)
    }


def boot_table(measured: Measured, seconds: Seconds) -> str:
    """Times as median (best), memory as the largest of all rounds."""
    header = [
        "",
        "to init, s",
        f"of {BASE}'s",
        "to the shell, s",
        "M instr.",
        "host memory, MiB",
        "RAM touched",
        "rest",
    ]
    rows = []
    for name, series in measured.items():
        init, shell = (spread(seconds[way, name], ".2f") for way in WAYS)
        part = factor(seconds, WAYS[0], name, BASE).told(".0%")
        retired = f"{series[0].instructions / 1e6:.0f}" if series[0].instructions else "–"
        memory = max(boot.costs.memory for boot in series) >> 20
        touched = max(boot.touched or 0 for boot in series) >> 20
        parts = [str(touched), str(memory - touched)] if touched else ["–", "–"]
        rows.append([name, init, part, shell, retired, str(memory), *parts])
    return table(header, rows)


def start_table(rounds: int, engines: Sequence[Engine]) -> str:
    """How long vnb takes to start, with its caches empty and filled."""
    series: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        print(f"start {number + 1}/{rounds}", file=sys.stderr)
        series["import vnb"].append(float(python("-c", IMPORT)))
        for engine in engines:
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
@click.option("--target", "wanted", multiple=True, type=click.Choice(TARGETS), default=USUAL)
@as_picture
@to_readme
def main(
    rounds: int,
    memory: str,
    append: str | None,
    wanted: tuple[str, ...],
    figure: Path | None,
    write: bool,
) -> None:
    """Print how long Debian takes to boot on vnb and QEMU, and how long vnb takes to start."""
    how = f"{rounds} rounds: median (best)"
    missing = qemu.missing_among(wanted)
    present = [name for name in TARGETS if name in wanted and name not in missing]
    try:
        image = images.debian()
    except VnbError as error:
        conclude("boot", how, [], {"Debian": f"there is no image of it: {error}"}, False)
    else:
        image = image if append is None else replace(image, append=append)
        measured = measure(present, image, memory, rounds)
        seconds, groups = seconds_of(measured), {"boot": WAYS}
        took = {name: series[-1].costs for name, series in measured.items() if name != BASE}
        tables = [
            boot_table(measured, seconds),
            compared(groups, present, seconds),
            costs_table(took),
        ]
        conclude("boot", how, tables, missing, write)
        if figure:
            drawn(figure, "Debian's boot, beside QEMU", groups, seconds)
    print()
    engines: list[Engine] = ["llvm", "numba"] if "vnb numba" in wanted else ["llvm"]
    conclude("start", how, [start_table(rounds, engines)], {}, write)


if __name__ == "__main__":
    main()
