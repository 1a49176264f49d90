"""How fast Linux works: the same Debian guest at the same work on vnb and on QEMU, in one run.

    python benchmarks/linux.py [--rounds 3]
    python benchmarks/linux.py --rounds 1 --target "vnb warm" --work gzip     # one, quickly

Each round boots every target once and has it do all the work; the guest's own clock measures. What
comes out must be the same everywhere, or the run fails. "vnb off" only interprets; "vnb cold"
translates and begins with an empty cache on disk; "vnb warm" begins with what the cold run left
there (where that is not wanted, with what one unmeasured run left). Our own kernels run as programs
of Linux beside Debian's. A second table tells what the translator took.
"""

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import click
from boot import python, qemu_at_its_prompt
from costs import Costs, costs_table
from tables import compared, host, spread, table
from targets import KERNELS, SOURCES, linux_program

from vnb import images
from vnb.images import cpio

HERE = Path(__file__).parent
LIMIT = 300  # seconds, for any one piece of work
MEMORY = "512M"
PACKAGES = ("cpp-14", "python3-minimal")
PROMPT = "# "
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
PROGRAMS = ("faults", "forks", "calls")
"""Programs of ours that only Linux can run, besides our kernels."""
NAMES = (*WORKS, *PROGRAMS, *KERNELS)

TARGETS = ("vnb warm", "vnb cold", "vnb off", "QEMU")
"""In the order of the table; a round measures the cold one before the warm one."""


@dataclass(frozen=True)
class Answer:
    """Of one piece of work: how long it took by the guest's clock, and what came out."""

    seconds: float
    result: str


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


def on_vnb(
    image: images.Image, works: list[str], jit: str, cache: Path | None = None
) -> tuple[dict[str, Answer], Costs]:
    environment = os.environ | ({"VNB_CACHE_DIR": str(cache)} if cache else {})
    arguments = [jit, str(image.initrd), MEMORY, *works]
    told = json.loads(python(str(HERE / "one_linux.py"), *arguments, environment=environment))
    answers = {work: Answer(*answer) for work, answer in told["answers"].items()}
    return answers, Costs(**told["costs"])


def on_qemu(image: images.Image, works: list[str]) -> dict[str, Answer]:
    with qemu_at_its_prompt(image, MEMORY) as (qemu, _, _):
        return {work: _answer(qemu, f"sh /bench/{work}.sh\n") for work in works}


def _answer(qemu: subprocess.Popen[bytes], command: str) -> Answer:
    assert qemu.stdin is not None and qemu.stdout is not None
    os.write(qemu.stdin.fileno(), command.encode())
    seen = ""
    while (found := MEASURED.search(seen)) is None:
        readable, _, _ = select.select([qemu.stdout], [], [], LIMIT)
        some = os.read(qemu.stdout.fileno(), 1 << 16) if readable else b""
        if not some:
            raise click.ClickException(f"QEMU never answered {command!r}, but printed {seen!r}")
        seen += some.decode(errors="replace")
    return Answer(int(found[1]) / 1e9, found[2])


def measure(
    present: list[str], image: images.Image, works: list[str], rounds: int, folder: Path
) -> tuple[Measured, dict[str, Costs]]:
    """All answers, and what each of vnb's targets took in the last round."""
    measured: Measured = defaultdict(list)
    costs: dict[str, Costs] = {}
    cold, warm = "vnb cold" in present, "vnb warm" in present
    cache = folder / "0"
    if warm and not cold:
        print("filling a cache", file=sys.stderr)
        on_vnb(image, works, "auto", cache)
    for number in range(rounds):
        if cold:
            cache = folder / str(number)
        for target in sorted(present):  # the cold one before the warm one
            print(f"round {number + 1}/{rounds}: {target}", file=sys.stderr)
            match target:
                case "QEMU":
                    answers = on_qemu(image, works)
                case "vnb off":
                    answers, costs[target] = on_vnb(image, works, "off")
                case _:
                    answers, costs[target] = on_vnb(image, works, "auto", cache)
            for work, answer in answers.items():
                measured[work, target].append(answer)
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
@click.option("--work", "works", multiple=True, type=click.Choice(NAMES), default=NAMES)
@click.option("--target", "wanted", multiple=True, type=click.Choice(TARGETS), default=TARGETS)
def main(rounds: int, works: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Print how long the same work takes a Debian guest on vnb's tiers and on QEMU."""
    there = shutil.which("qemu-system-riscv64") is not None
    present = [name for name in TARGETS if name in wanted and (there or name != "QEMU")]
    chosen = [name for name in NAMES if name in works]
    image = images.debian(packages=PACKAGES)
    assert isinstance(image.initrd, Path)
    with tempfile.TemporaryDirectory() as folder:
        initrd = Path(folder) / "initrd.cpio"
        with_our_files(image.initrd, chosen, initrd)
        image = replace(image, initrd=initrd)
        measured, costs = measure(present, image, chosen, rounds, Path(folder))
    seconds = {key: [answer.seconds for answer in series] for key, series in measured.items()}
    print(f"{host()}; {rounds} rounds: median (best), in seconds\n")
    rows = [[work, *(spread(seconds[work, name], ".2f") for name in present)] for work in chosen]
    print(table(["", *present], rows))
    if len(present) > 1:
        print(f"\n{compared(chosen, present, seconds)}")
    print(f"\n{costs_table(costs)}")
    if not there:
        print("Not measured: QEMU, because qemu-system-riscv64 is not on PATH.")
    if wrong := disagreements(chosen, present, measured):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
