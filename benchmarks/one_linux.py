"""Boots Debian on vnb in this fresh process: names of work come in, lines of JSON go out.

benchmarks/linux.py starts it with JIT INITRD MEMORY as arguments. It says "ready" at the shell's
prompt, then of each work how many seconds it took and what came out; of "costs", the costs.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from costs import Costs
from linux import MEASURED, PACKAGES
from one_boot import LIMIT, PROMPT

from vnb import Machine, images
from vnb.cpu.hart import TranslatorName


def main(jit: TranslatorName, initrd: str, memory: str) -> None:
    image = replace(images.debian(packages=PACKAGES, progress=False), initrd=Path(initrd))
    with Machine(image, memory=memory, jit=jit) as machine:
        machine.start()
        machine.console.expect(PROMPT, timeout=LIMIT)
        tell("ready")
        for word in map(str.strip, sys.stdin):
            if word == "costs":
                tell(asdict(Costs.of(machine)))
            else:
                machine.console.write(f"sh /bench/{word}.sh\n")
                found = machine.console.expect(MEASURED, timeout=LIMIT)
                tell((int(found[1]) / 1e9, found[2]))


def tell(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
