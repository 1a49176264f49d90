"""Runs the riscv-tests that a folder holds, already built, and reports those that do not pass.

    python tests/riscv/run.py FOLDER --engine llvm

Each is a self-checking ELF file that ends by storing to its symbol `tohost`: 1 when it passed, the
failing case's number (shifted left, with bit 0 set) when it did not. docs/conformance.md says which
were run, and how they fared.
"""

import argparse
import sys
import time
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from vnb.cpu.hart import EngineName, ExitKind, Hart, TranslatorName
from vnb.memory import Memory

SLICE = 2_000  # instructions between two looks at tohost
LIMIT = 5_000_000  # no test needs a tenth of it
SUITES = ("ui", "um", "ua", "uf", "ud", "uc", "uzba", "uzbb", "uzbs", "uzicond", "si", "mi")


def load(path: Path, memory: Memory) -> tuple[int, int]:
    """Put an ELF file's segments into memory; its entry and the address of `tohost`."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        for segment in elf.iter_segments("PT_LOAD"):
            memory.write(segment["p_paddr"], segment.data())
        symbols = elf.get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection), f"{path} has no symbols"
        (tohost,) = symbols.get_symbol_by_name("tohost")
        return elf["e_entry"], tohost["st_value"]


def run(path: Path, engine: EngineName, jit: TranslatorName) -> tuple[str, int]:
    """ "passed" or what went wrong, and the number of instructions it took."""
    memory = Memory(4 << 20)
    hart = Hart(memory, engine=engine, clock="virtual", jit=jit)
    entry, tohost = load(path, memory)
    hart.reset(entry)
    while hart.instret < LIMIT:
        kind = hart.run(SLICE)
        verdict = memory.read_u64(tohost)
        if verdict:
            return "passed" if verdict == 1 else f"case {verdict >> 1} failed", hart.instret
        if kind is not ExitKind.BUDGET:
            return f"left with {kind.name} at {hart.pc:#x}", hart.instret
    return f"still running at {hart.pc:#x}", hart.instret


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the built tests (rv64ui-p-add, …) lie")
    parser.add_argument("--engine", choices=("python", "numba", "llvm"), default="llvm")
    parser.add_argument("--jit", choices=("off", "eager"), default="off")
    parser.add_argument("--only", default="rv64*", help="a pattern of names (default: %(default)s)")
    options = parser.parse_args()
    names = tuple(f"rv64{suite}-{kind}-" for suite in SUITES for kind in "pv")
    tests = [
        path
        for path in sorted(options.folder.glob(options.only))
        if path.name.startswith(names) and not path.suffix
    ]
    if not tests:
        parser.error(f"no riscv-tests called {options.only} in {options.folder}")
    started, instructions, passed = time.perf_counter(), 0, 0
    for path in tests:
        verdict, instret = run(path, options.engine, options.jit)
        instructions += instret
        if verdict == "passed":
            passed += 1
        else:
            print(f"{path.name}: {verdict}")
    seconds = time.perf_counter() - started
    print(
        f"{passed} of {len(tests)} passed under engine={options.engine!r}, jit={options.jit!r}:"
        f" {instructions:,} instructions in {seconds:.1f} s"
    )
    return int(passed != len(tests))


if __name__ == "__main__":
    sys.exit(main())
