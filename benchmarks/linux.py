"""How fast Linux works: the same Debian guest at the same work on vnb and on QEMU, in one run.

    python benchmarks/linux.py [--rounds 3]
    python benchmarks/linux.py --rounds 1 --turns 5 --work gzip --target "vnb warm" --target QEMU

Each round boots every target once; then each piece of work is done on one after the other before
the next one is, so that a busy minute on the host touches all of them alike. Several turns repeat
that without booting again: that is the quick way to measure one thing, as in the second line. The
guest's own clock measures, and what comes out must be the same everywhere, or the run fails. On a
busy host --cpu tells more: the processor time of vnb's process and of QEMU's, without that of the
process in which vnb compiles.

"vnb off" only interprets. "vnb cold" translates, begins with an empty cache on disk, and has no
second turn. "vnb warm" begins with what an unmeasured run of the same work left there. Beside
Debian's programs run our own kernels, as programs of Linux. The last table tells what the
translator took in the last round.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import click
import qemu
from costs import Costs, costs_table, without_regions
from figure import as_picture, drawn
from one_boot import PROMPT
from tables import among, compared, conclude, spread, table, to_readme
from targets import KERNELS, SOURCES, SYSTEM, linux_program

from vnb import images
from vnb.images import cpio

HERE = Path(__file__).parent
MEMORY = "512M"
PACKAGES = ("cpp-14", "python3-minimal")
MEASURED = re.compile(r"measured (\d+) (\S+)\s")
"""What the guest prints: nanoseconds, and what came out."""

CLOCK = "set -- $(/bench/clock)"
CC1 = "/usr/libexec/gcc/riscv64-linux-gnu/14/cc1"
COMPILED = ("sha256", "nbody", "interpreter", "mandelbrot")


@dataclass(frozen=True)
class Work:
    """A `command` of the guest's shell; `result` prints one word that says that it was done."""

    command: str
    result: str
    prepare: str = ":"

    def script(self) -> str:
        return (
            f"{self.prepare}\n{CLOCK}\nbegin=$1\n{self.command}\n{CLOCK}\n"
            f"echo measured $((0x$1 - 0x$begin)) $({self.result})\n"
        )


def _some(size: int) -> str:
    """Bytes as programs have them, the same in every guest."""
    return f"head -c {size} {CC1} >/tmp/some"


DIGEST = "sha256sum </tmp/out | cut -c 1-16"
WORKS = {
    "exec": Work("for i in $(seq 300); do /usr/bin/true && echo $i; done >/tmp/out", DIGEST),
    "gzip": Work("gzip </tmp/some >/tmp/out", DIGEST, _some(4 << 20)),
    "sha256sum": Work("sha256sum </tmp/some >/tmp/out", "cut -c 1-16 /tmp/out", _some(16 << 20)),
    "compile": Work(
        f"for name in {' '.join(COMPILED)}; do"
        f" {CC1} -quiet -O2 /bench/$name.i -o /tmp/$name.s; done",
        f"cat /tmp/*.s >/tmp/out; {DIGEST}",
    ),
    "python": Work("python3 /bench/script.py >/tmp/out", "cat /tmp/out"),
}
"""Work of Debian's programs. The shell is busybox's, whose gzip and sha256sum these are."""
PROGRAMS = ("faults", "forks", *SYSTEM)
"""Programs of ours that keep Linux busy."""
NAMES = (*WORKS, *PROGRAMS, *KERNELS)
GROUPS = {"work": (*WORKS, *PROGRAMS), "kernels": KERNELS}

TARGETS = ("vnb warm", "vnb cold", "vnb off", "QEMU")


Ask = Callable[[str], Any]
"""Has a guest work, and tells seconds and what came out; one of vnb's tells its "costs", too."""


@dataclass(frozen=True)
class Answer:
    """Of one piece of work: how long it took by the guest's clock, and what came out."""

    seconds: float
    result: str
    cpu: float  # seconds of the host's processors, for the whole script


@dataclass(frozen=True)
class Guest:
    """A machine at its prompt, in the process `pid`."""

    pid: int
    ask: Ask

    def do(self, work: str) -> Answer:
        before = self._cpu()
        seconds, result = self.ask(work)
        return Answer(seconds, result, self._cpu() - before)

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


Measured = dict[tuple[str, str], list[Answer]]  # (work, target) → one answer a round


def script(name: str) -> str:
    if name in WORKS:
        return WORKS[name].script()
    return f"set -- $(/bench/{name})\necho measured $((0x$2 * 100)) $1\n"


def with_our_files(base: Path, works: list[str], initrd: Path) -> None:
    """The image's first files, and in /bench behind them what the work needs."""
    contents = {f"{name}.sh": script(name).encode() for name in works}
    programs = ["clock", *(name for name in works if name not in WORKS)]
    contents |= {name: linux_program(name).read_bytes() for name in programs}
    contents |= {f"{name}.i": preprocessed(name) for name in COMPILED}
    contents["script.py"] = (SOURCES / "linux" / "script.py").read_bytes()
    files = [cpio.file(f"bench/{name}", content, 0o755) for name, content in contents.items()]
    shutil.copy(base, initrd)
    with initrd.open("ab") as archive:
        archive.writelines(cpio.archive([cpio.directory("bench"), *files], mtime=0))


def preprocessed(kernel: str) -> bytes:
    """A kernel's C without #include, for a compiler that has no headers."""
    compiler = [sys.executable, "-m", "ziglang", "cc", "--target=riscv64-freestanding-none"]
    command = [*compiler, "-E", "-P", "-ffreestanding", f"{kernel}.c"]
    return subprocess.run(command, cwd=SOURCES, check=True, capture_output=True).stdout


@contextmanager
def on_vnb(image: images.Image, jit: str, cache: Path | None = None) -> Iterator[Guest]:
    command = [sys.executable, str(HERE / "one_linux.py"), jit, str(image.initrd), MEMORY]
    environment = os.environ | ({"VNB_CACHE_DIR": str(cache)} if cache else {})
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        keys, lines = process.stdin, process.stdout

        def told() -> Any:
            if not (line := lines.readline()):
                raise click.ClickException("the guest is gone")
            return json.loads(line)

        def ask(word: str) -> Any:
            print(word, file=keys, flush=True)
            return told()

        told()
        yield Guest(process.pid, ask)


@contextmanager
def on_qemu(image: images.Image) -> Iterator[Guest]:
    with qemu.running(image, memory=MEMORY) as guest:
        guest.wait_for(PROMPT)

        def ask(work: str) -> tuple[float, str]:
            _, printed = guest.run(f"sh /bench/{work}.sh")
            if not (found := MEASURED.search(printed)):
                raise click.ClickException(f"{work} on QEMU printed {printed!r}")
            return int(found[1]) / 1e9, found[2]

        yield Guest(guest.process.pid, ask)


def boot(target: str, image: images.Image, folder: Path) -> AbstractContextManager[Guest]:
    match target:
        case "QEMU":
            return on_qemu(image)
        case "vnb off":
            return on_vnb(image, "off")
        case "vnb cold":
            return on_vnb(image, "auto", without_regions(Path(tempfile.mkdtemp(dir=folder))))
        case _:
            return on_vnb(image, "auto", folder / "warm")


def measure(
    present: list[str], image: images.Image, works: list[str], rounds: int, turns: int, folder: Path
) -> tuple[Measured, dict[str, Costs]]:
    """All answers, and what each of vnb's targets took in the last round."""
    measured: Measured = defaultdict(list)
    costs: dict[str, Costs] = {}
    if "vnb warm" in present:
        print("filling a cache", file=sys.stderr)
        without_regions(folder / "warm")
        with boot("vnb warm", image, folder) as guest:
            for work in works:
                guest.do(work)
    for number in range(rounds):
        with ExitStack() as stack:
            print(f"round {number + 1}/{rounds}", file=sys.stderr)
            guests = {name: stack.enter_context(boot(name, image, folder)) for name in present}
            order = deque(present)
            for work, turn in product(works, range(turns)):
                order.rotate()  # nobody is always the first
                for target in order:
                    if turn and target == "vnb cold":
                        continue
                    answer = guests[target].do(work)
                    measured[work, target].append(answer)
                    told = f"{answer.seconds:.2f} s, {answer.cpu:.2f} s of a processor"
                    print(f"{work} on {target}: {told}", file=sys.stderr)
            costs = {t: Costs(**guest.ask("costs")) for t, guest in guests.items() if t != "QEMU"}
    return measured, costs


def disagreements(works: list[str], present: list[str], measured: Measured) -> list[str]:
    """One line for each piece of work of which not the same came out everywhere."""
    lines = []
    for work in works:
        results = {t: sorted({a.result for a in measured[work, t]}) for t in present}
        if len({tuple(result) for result in results.values()}) > 1:
            lines.append(f"{work}: the targets disagree: {results}")
    return lines


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often everything is measured.")
@click.option("--turns", default=1, show_default=True, help="How often in each round.")
@click.option("--cpu", is_flag=True, help="Compare processor time, and not the guests' own.")
@click.option("--work", "works", multiple=True, type=click.Choice(NAMES), default=NAMES)
@click.option("--target", "wanted", multiple=True, type=click.Choice(TARGETS), default=TARGETS)
@as_picture
@to_readme
def main(
    rounds: int,
    turns: int,
    cpu: bool,
    works: tuple[str, ...],
    wanted: tuple[str, ...],
    figure: Path | None,
    write: bool,
) -> None:
    """Print how long the same work takes a Debian guest on vnb's tiers and on QEMU."""
    missing = qemu.missing_among(wanted)
    present = [name for name in TARGETS if name in wanted and name not in missing]
    chosen = [name for name in NAMES if name in works]
    image = images.debian(packages=PACKAGES)
    assert isinstance(image.initrd, Path)
    with tempfile.TemporaryDirectory() as folder:
        initrd = Path(folder) / "initrd.cpio"
        with_our_files(image.initrd, chosen, initrd)
        image = replace(image, initrd=initrd)
        measured, costs = measure(present, image, chosen, rounds, turns, Path(folder))
    seconds = {
        key: [answer.cpu if cpu else answer.seconds for answer in series]
        for key, series in measured.items()
    }
    groups = among(GROUPS, chosen)
    rows = [[work, *(spread(seconds[work, name], ".2f") for name in present)] for work in chosen]
    tables = [table(["s", *present], rows), compared(groups, present, seconds), costs_table(costs)]
    how = f"{rounds} × {turns} rounds: median (best)"
    conclude("linux", how, tables, missing, write, disagreements(chosen, present, measured))
    if figure:
        drawn(figure, "Debian at work, beside QEMU", groups, seconds)


if __name__ == "__main__":
    main()
