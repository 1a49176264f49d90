"""Runs one kernel on vnb in this fresh process, and prints what it printed and what it cost.

benchmarks/targets.py calls it, with ELF ENGINE JIT as arguments.
"""

import json
import sys
from dataclasses import asdict

from costs import Costs

from vnb import Machine, images
from vnb.config import Engine
from vnb.cpu.hart import TranslatorName

LIMIT = 300  # seconds
RAM = 128 << 20


def main(elf: str, engine: Engine, jit: TranslatorName) -> None:
    with Machine(images.elf(elf), memory=RAM, engine=engine, jit=jit) as machine:
        machine.start()
        machine.wait(timeout=LIMIT)
        print(json.dumps((machine.console.read(), asdict(Costs.of(machine)))))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
