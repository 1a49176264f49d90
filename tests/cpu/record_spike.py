"""Runs the random programs on Spike and records what they did, for test_oracle_spike.py.

    pip install -e .[oracle]
    python tests/cpu/record_spike.py [NAME …]

`spike` from the package index brings Spike's own binary; it needs `dtc`, the device-tree compiler.
"""

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

from privileged import CODE, RAM_SIZE
from traces import FIXTURES, Step, Trace, save
from wanderings import PROGRAMS, Image, image

ISA = "rv64gc_zicntr_zihpm_zicond_zba_zbb_zbs_zicclsm_sstc_svadu"
FLOAT_CSRS = {1: "fflags", 2: "frm", 3: "fcsr"}

COMMIT = re.compile(r"core +0: \d 0x(\w+) \(0x\w+\)(.*)")
REGISTER = re.compile(r"\b([xf])(\d+) +0x(\w+)")
FLOAT_CSR = re.compile(r"\bc([123])_\w+ 0x(\w+)")
STORE = re.compile(r"mem 0x(\w+) 0x(\w+)")


def elf(memory: Image) -> bytes:
    """The smallest ELF file that loads the image and starts at CODE."""
    program_headers, section_header = 64, 64 + 56 * len(memory)
    result = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<2HI3QI6H",
        2,
        243,
        1,
        CODE,
        program_headers,
        section_header,
        0,
        64,
        56,
        len(memory),
        64,
        1,
        0,
    )
    offset = section_header + 64
    for address, data in memory.items():
        result += struct.pack("<2I6Q", 1, 7, offset, address, address, len(data), len(data), 1)
        offset += len(data)
    # Spike wants section names: one byte of zero, found in the file's own first bytes.
    names = struct.pack("<2I4Q2I2Q", 0, 3, 0, 0, 8, 1, 0, 0, 1, 0)
    return result + names + b"".join(memory.values())


def steps(log: Iterable[str]) -> Iterator[Step]:
    """The steps of a log from CODE on; what comes before is Spike's boot ROM."""
    started = False
    for line in log:
        if commit := COMMIT.match(line):
            pc, effects = int(commit[1], 16), commit[2]
            started = started or pc == CODE
            if started:
                yield Step(pc, writes(effects))


def writes(effects: str) -> dict[str, int]:
    found = {f"{kind}{number}": int(value, 16) for kind, number, value in REGISTER.findall(effects)}
    for number, value in FLOAT_CSR.findall(effects):
        found[FLOAT_CSRS[int(number)]] = int(value, 16)
    for address, value in STORE.findall(effects):
        if int(address, 16) - CODE in range(RAM_SIZE):  # others are virtual
            found[f"{int(address, 16):x}.{len(value) // 2}"] = int(value, 16)
    return found


def record(name: str) -> Trace:
    from riscv._utils import find_spike_executable

    memory = image(name)
    end = CODE + len(memory[CODE]) - 4  # every program ends in a loop
    with tempfile.TemporaryDirectory() as folder:
        program, log, orders = (Path(folder, name) for name in ("program", "log", "orders"))
        program.write_bytes(elf(memory))
        orders.write_text(f"until pc 0 {end:x}\nquit\n")
        command = [
            find_spike_executable(), f"--isa={ISA}", f"-m{CODE:#x}:{RAM_SIZE:#x}", "--triggers=0",
            "--pmpgranularity=4096", "-d", f"--debug-cmd={orders}", "-l", "--log-commits",
            f"--log={log}", program,
        ]  # fmt: skip
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        with log.open() as text:
            return Trace(f"spike {version('spike')} --isa={ISA}", memory, list(steps(text)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PROGRAMS)} (default: all)")
    for name in parser.parse_args().names or PROGRAMS:
        trace = record(name)
        path = save(name, trace)
        print(f"{name}: {len(trace.steps)} instructions in {path.stat().st_size} bytes")
    print(f"{sum(path.stat().st_size for path in FIXTURES.iterdir())} bytes in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
