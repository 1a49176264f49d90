"""The sources of labos come in, and labos.elf goes out, the same bytes every time."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from vnb.guest import ELF

SOURCES = ELF.parent

ZIG = (sys.executable, "-m", "ziglang")
"""The canonical compiler. Its exact version is pinned in pyproject.toml: another one may well give
another file, as good but not the same."""

# Zig has a name of its own for RV64GC, and checks for undefined behaviour unless told not to.
ZIG_COMPILE = (
    *ZIG,
    "cc",
    "--target=riscv64-freestanding-none",
    "-mcpu=baseline_rv64",
    "-fno-sanitize=all",
)
ZIG_LINK = (*ZIG, "ld.lld")
GCC_COMPILE = (
    "-march=rv64gc_zicsr_zifencei",
    "-mabi=lp64d",
    "-nostdlib",
    "-fno-tree-loop-distribute-patterns",
)

COMPILE = (
    "-r",  # one object of all sources, still to be linked
    "-std=gnu17",
    "-O2",
    "-g0",  # debug information would name the directories of this machine
    "-mcmodel=medany",  # RAM starts at 2 GiB, out of reach of the default model
    "-ffreestanding",  # no C library: string.c must not become calls of itself
    "-ffp-contract=off",  # the results of cpu bench depend on every rounding
    "-fno-math-errno",  # a square root is one instruction, not a function that may set errno
    "-fno-asynchronous-unwind-tables",
    "-fomit-frame-pointer",
    "-Wall",
    "-Wextra",
    "-Wno-missing-field-initializers",  # a table row may leave out what is zero
    "-Werror",
)

LINK = (
    "--discard-locals",  # labels that only the assembler needed
    "--build-id=none",
    "-zmax-page-size=64",  # nothing maps this file: no gaps between its parts
    "-Tlabos.ld",
)


def build(output: Path, gcc: str | None = None) -> None:
    """Compile and link all of labos into the file `output`.

    With zig, or with the gcc whose commands begin with `gcc`, as in "riscv64-unknown-elf-".
    Raises subprocess.CalledProcessError, after the compiler has said why, if it fails.
    """
    compiler, linker = [*ZIG_COMPILE], [*ZIG_LINK]
    if gcc is not None:
        compiler, linker = [gcc + "gcc", *GCC_COMPILE], [gcc + "ld"]
    # Sorted, because the order of the arguments is the order in the file.
    sources = sorted(path.name for path in SOURCES.iterdir() if path.suffix in (".c", ".S"))
    with tempfile.TemporaryDirectory(prefix="labos-") as scratch:
        environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": scratch, "ZIG_GLOBAL_CACHE_DIR": scratch}
        compiled, linked = f"{scratch}/labos.o", f"{scratch}/labos.elf"
        for command in (
            [*compiler, *COMPILE, "-o", compiled, *sources],
            [*linker, *LINK, "-o", linked, compiled],
        ):
            # Run among the sources, so that the file names in the symbol table are relative.
            subprocess.run(command, cwd=SOURCES, env=environment, check=True)
        shutil.copyfile(linked, output)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build labos, the embedded guest.")
    parser.add_argument("--output", type=Path, default=ELF, help="default: %(default)s")
    parser.add_argument("--gcc", metavar="PREFIX", help="with PREFIXgcc and PREFIXld, not with zig")
    arguments = parser.parse_args()
    build(arguments.output, arguments.gcc)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
