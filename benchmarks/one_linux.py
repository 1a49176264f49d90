"""Boots Debian once on vnb in this fresh process, has it work, and prints what it took as JSON.

benchmarks/linux.py calls it, with JIT INITRD MEMORY WORK … as arguments.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from costs import Costs
from linux import LIMIT, MEASURED, PACKAGES, PROMPT

from vnb import Machine, images
from vnb.cpu.hart import TranslatorName


def main(jit: TranslatorName, initrd: str, memory: str, *works: str) -> None:
    image = replace(images.debian(packages=PACKAGES, progress=False), initrd=Path(initrd))
    with Machine(image, memory=memory, jit=jit) as machine:
        machine.start()
        machine.console.expect(PROMPT, timeout=LIMIT)
        answers = {}
        for work in works:
            machine.console.write(f"sh /bench/{work}.sh\n")
            found = machine.console.expect(MEASURED, timeout=LIMIT)
            answers[work] = int(found[1]) / 1e9, found[2]
        costs = Costs.of(machine)
    print(json.dumps({"answers": answers, "costs": costs.asdict()}))


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
