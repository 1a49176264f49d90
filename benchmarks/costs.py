"""What a machine's translator took: time, regions, files and memory of the host."""

import re
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from tables import table

from vnb import Machine
from vnb.cpu import objects

CACHED = ("region-*", "page-*")


@dataclass(frozen=True)
class Costs:
    """Of one machine in a process of its own, as it ends; sizes in bytes."""

    memory: int  # the largest resident size of this process, guest RAM and all
    workshop: int = 0  # the same, of the process that compiles
    blocks: int = 0
    regions: int = 0
    recalled: int = 0  # regions that were on disk already
    seconds: float = 0  # to translate and load them
    code: int = 0
    cache: int = 0  # on disk
    share: float = 0  # of all retired instructions, those that regions and not blocks retired

    @classmethod
    def of(cls, machine: Machine) -> "Costs":
        memory = _peak(Path("/proc/self/status"))
        report = machine.jit
        if report is None:
            return cls(memory)
        return cls(
            memory=memory,
            workshop=sum(_peak(Path(f"/proc/{child}/status")) for child in _children()),
            blocks=report.blocks,
            regions=len(report.regions),
            recalled=report.cached,
            seconds=report.seconds,
            code=report.bytes,
            cache=sum(
                file.stat().st_size for kind in CACHED for file in objects.folder().glob(kind)
            ),
            share=report.share,
        )


def without_regions(folder: Path) -> Path:
    """Has in this folder compiled code, as $VNB_CACHE_DIR, but nothing that was translated."""
    shutil.copytree(objects.folder(), folder / "compiled", ignore=shutil.ignore_patterns(*CACHED))
    return folder


def _children() -> list[str]:
    """The processes that this one started and that still run."""
    tasks = Path("/proc/self/task").glob("*/children")
    return " ".join(task.read_text() for task in tasks).split()


def _peak(status: Path) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text())
    return int(found[1]) << 10 if found else 0


def together(series: list[Costs]) -> Costs:
    """Sums over several machines; of memory the most that one took, of shares the mean."""
    return Costs(
        memory=max(it.memory for it in series),
        workshop=max(it.workshop for it in series),
        blocks=sum(it.blocks for it in series),
        regions=sum(it.regions for it in series),
        recalled=sum(it.recalled for it in series),
        seconds=sum(it.seconds for it in series),
        code=sum(it.code for it in series),
        cache=sum(it.cache for it in series),
        share=statistics.mean(it.share for it in series),
    )


def costs_table(series: dict[str, Costs]) -> str:
    """One row for each target or kernel."""
    header = [
        "", "blocks", "regions", "from disk", "translated in, s", "code, KiB", "cache, KiB",
        "in regions", "memory, MiB", "workshop, MiB",
    ]  # fmt: skip
    rows = [
        [
            name,
            f"{it.blocks}",
            f"{it.regions}",
            f"{it.recalled}",
            f"{it.seconds:.2f}",
            f"{it.code >> 10}",
            f"{it.cache >> 10}",
            f"{it.share:.0%}",
            f"{it.memory >> 20}",
            f"{it.workshop >> 20}",
        ]
        for name, it in series.items()
    ]
    return table(header, rows)
