"""Boots Debian once on vnb in this fresh process and prints what it took, as one line of JSON.

benchmarks/boot.py calls it, with ENGINE JIT MEMORY APPEND [FIRMWARE] as arguments.
"""

import json
import mmap
import struct
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from costs import Costs

from vnb import Machine, images
from vnb.config import Engine
from vnb.cpu.hart import TranslatorName

READY, PROMPT = ", ready", "# "
LIMIT = 300  # seconds
PRESENT = 1 << 63  # in an entry of /proc/self/pagemap


def resident(address: int, size: int) -> int:
    """How many bytes of this process's memory from `address` the host has backed."""
    pages = size // mmap.PAGESIZE
    with Path("/proc/self/pagemap").open("rb") as pagemap:
        pagemap.seek(address // mmap.PAGESIZE * 8)
        entries: tuple[int, ...] = struct.unpack(f"<{pages}Q", pagemap.read(pages * 8))
    return sum(entry & PRESENT != 0 for entry in entries) * mmap.PAGESIZE


def main(
    engine: Engine, jit: TranslatorName, memory: str, append: str, firmware: str | None = None
) -> None:
    image = replace(images.debian(progress=False), append=append)
    with Machine(image, memory=memory, engine=engine, jit=jit, firmware=firmware) as machine:
        power_on = time.perf_counter()
        machine.start()
        machine.console.expect(READY, timeout=LIMIT)
        ready = time.perf_counter() - power_on
        machine.console.expect(PROMPT, timeout=LIMIT)
        shell = time.perf_counter() - power_on
        ram = machine.memory
        told = {
            "ready": ready,
            "shell": shell,
            "instructions": machine.hart.instret,
            "touched": resident(ram.address, ram.size),
            "costs": asdict(Costs.of(machine)),
        }
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
