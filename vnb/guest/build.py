"""Sources of labos come in, labos.elf goes out, the same bytes every time: `python -m vnb.guest.build`."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vnb.guest import ELF

SOURCES = ELF.parent

ZIG = (sys.executable, "-m", "ziglang", "cc", "--target=riscv64-freestanding-none")
"""The canonical compiler. Its exact version is pinned in pyproject.toml: another one may well give
another file, as good but not the same."""

# Zig's name for RV64GC is its own; every other compiler takes the usual one.
ZIG_FLAGS = ("-mcpu=baseline_rv64", "-fno-sanitize=all")
GCC_FLAGS = ("-march=rv64gc_zicsr_zifencei", "-mabi=lp64d")

FLAGS = (
    "-std=gnu17",
    "-O2",
    "-g0",  # debug information would name the directories of this machine
    "-mcmodel=medany",  # RAM starts at 2 GiB, out of reach of the default model
    "-ffreestanding",
    "-fno-builtin",  # string.c must not become calls of itself
    "-ffp-contract=off",  # the benchmarks' checksums depend on every rounding
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-nostdlib",
    "-static",
    "-Wl,-T,labos.ld",
    "-Wl,--build-id=none",
)


def build(output: Path, compiler: Sequence[str] = ZIG) -> None:
    """Compile and link all of labos into the file `output`.

    `compiler` is the start of a command line, zig's by default; anything else is taken for a gcc.
    Raises subprocess.CalledProcessError, after the compiler has said why, if it fails.
    """
    zig = tuple(compiler) == ZIG
    # Sorted, because the order of the arguments is the order in the file.
    sources = sorted(path.name for path in SOURCES.iterdir() if path.suffix in (".c", ".S"))
    with tempfile.TemporaryDirectory(prefix="labos-") as scratch:
        linked = Path(scratch) / "labos.elf"
        caches = {"ZIG_LOCAL_CACHE_DIR": scratch, "ZIG_GLOBAL_CACHE_DIR": scratch}
        subprocess.run(
            [*compiler, *(ZIG_FLAGS if zig else GCC_FLAGS), *FLAGS, "-o", str(linked), *sources],
            cwd=SOURCES,  # so that file names in the symbol table are relative
            env=os.environ | caches,
            check=True,
        )
        shutil.copyfile(linked, output)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build labos, the embedded guest.")
    parser.add_argument("--output", type=Path, default=ELF, help="default: %(default)s")
    parser.add_argument("--gcc", metavar="COMMAND", help="a riscv64 gcc to use instead of zig")
    arguments = parser.parse_args()
    build(arguments.output, [arguments.gcc] if arguments.gcc else ZIG)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
