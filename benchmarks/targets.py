"""What can run a kernel of ours: vnb's tiers, QEMU, TinyEMU, unicorn and the host.

Every RISC-V target runs the same code on its board: it prints a result, the time by the board's own
10 MHz clock and the retired instructions, and powers off. A kernel whose name ends in ", paged"
runs in supervisor mode with Sv39 on; on the host it is the same program as without.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from costs import Costs, without_regions

from vnb.config import Engine
from vnb.cpu.hart import TranslatorName

HERE = Path(__file__).parent
SOURCES, BUILT = HERE / "kernels", HERE.parent / "build" / "kernels"
KERNELS = (
    "integer", "bits", "sha256", "sieve", "interpreter", "fib", "matrix", "linpack",
    "mandelbrot", "nbody", "filter", "memcpy", "chase",
)  # fmt: skip
PAGED = tuple(
    f"{kernel}, paged"
    for kernel in ("integer", "sha256", "sieve", "interpreter", "fib", "linpack", "memcpy", "chase")
)
SYSTEM = ("calls", "tables")
"""Kernels that make no sense without paging."""

UART, POWER, MTIME = 0x1000_0000, 0x0010_0000, 0x0200_BFF8
RAM, RAM_SIZE = 0x8000_0000, 128 << 20
TICK = 1e-7  # seconds, of the board's clock
RUNS_TO_WARM = 4
LIMIT = 300  # seconds, for any one run

WARNINGS = ["-Wall", "-Wextra"]
OPTIMISE = ["-O2", "-ffp-contract=off", "-fno-math-errno", "-fomit-frame-pointer"]
PAGING = ["-DPAGING", "paging.c", "user.S"]
BARE = ["-g0", "-ffreestanding", "-nostdlib", "-static", "-Wl,-T,board.ld"]
RISCV = ["--target=riscv64-freestanding-none", "-mcpu=baseline_rv64", "-mcmodel=medany"]
LINUX = ["--target=riscv64-linux-musl", "-mcpu=baseline_rv64", "-static", "-s", "-g0"]


@dataclass(frozen=True)
class Run:
    """One run of one kernel; on vnb, also what it cost."""

    result: int
    seconds: float
    instructions: int
    costs: Costs | None = None

    @classmethod
    def parse(cls, line: str) -> Run:
        result, ticks, instructions = (int(word, 16) for word in line.split())
        return cls(result, ticks * TICK, instructions)


@dataclass(frozen=True)
class Target:
    """Something that runs kernels; `missing` says in words why it cannot here."""

    name: str
    run: Callable[[str], Run]
    missing: str | None = None
    counts: bool = False  # whether its count of retired instructions is one
    lacks: frozenset[str] = frozenset()  # kernels that it cannot run
    miscounts: frozenset[str] = frozenset()  # kernels of which it counts calls as retired


def source(kernel: str) -> str:
    """The name of its C file."""
    return kernel.partition(", ")[0]


def is_paged(kernel: str) -> bool:
    return kernel in PAGED or kernel in SYSTEM


@functools.cache
def guest_program(kernel: str, *defines: str) -> Path:
    """The kernel as an ELF file for the board, built by ziglang's C compiler."""
    elf = BUILT / f"{'-'.join([kernel.replace(', ', '-'), *defines])}.elf"
    BUILT.mkdir(parents=True, exist_ok=True)
    compiler = [sys.executable, "-m", "ziglang", "cc", *OPTIMISE, *WARNINGS, *RISCV, *BARE]
    sources = [*(f"-D{name}" for name in defines), "start.S", "board.c", f"{source(kernel)}.c"]
    sources += PAGING if is_paged(kernel) else []
    subprocess.run([*compiler, *sources, "-o", str(elf)], cwd=SOURCES, check=True)
    return elf


@functools.cache
def tinyemu_config(kernel: str) -> Path:
    """A TinyEMU machine that boots the kernel as a flat binary, talking through its HTIF."""
    elf = guest_program(kernel, "HTIF")
    flat, config = elf.with_suffix(".bin"), elf.with_suffix(".cfg")
    copy = [sys.executable, "-m", "ziglang", "objcopy", "-O", "binary", str(elf), str(flat)]
    subprocess.run(copy, check=True)
    machine = {"version": 1, "machine": "riscv64", "memory_size": RAM_SIZE >> 20, "bios": flat.name}
    config.write_text(re.sub(r'"(\w+)":', r"\1:", json.dumps(machine)))  # its keys are bare words
    return config


@functools.cache
def native_program(kernel: str) -> Path:
    """The kernel as a program of the host, built by the host's `cc`."""
    program = BUILT / f"{source(kernel)}.native"
    BUILT.mkdir(parents=True, exist_ok=True)
    command = ["cc", *OPTIMISE, *WARNINGS, "native.c", f"{source(kernel)}.c", "-o", str(program)]
    subprocess.run(command, cwd=SOURCES, check=True)
    return program


@functools.cache
def linux_program(kernel: str) -> Path:
    """The kernel as a static program of Linux on RISC-V, which measures itself."""
    program = BUILT / f"{kernel}.linux"
    BUILT.mkdir(parents=True, exist_ok=True)
    own = SOURCES / "linux" / f"{kernel}.c"
    source = own if own.exists() else SOURCES / f"{kernel}.c"
    compiler = [sys.executable, "-m", "ziglang", "cc", *OPTIMISE, *WARNINGS, *LINUX, "-I."]
    subprocess.run([*compiler, "native.c", source, "-o", program], cwd=SOURCES, check=True)
    return program


def _output(command: list[str]) -> Run:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=LIMIT, stdin=subprocess.DEVNULL
    )
    return Run.parse(done.stdout.splitlines()[0])


def run_native(kernel: str) -> Run:
    return _output([str(native_program(kernel))])


def run_qemu(kernel: str) -> Run:
    board = ["-M", "virt", "-m", str(RAM_SIZE >> 20), "-display", "none", "-monitor", "none"]
    elf = str(guest_program(kernel))
    return _output(["qemu-system-riscv64", *board, "-serial", "stdio", "-bios", elf])


def run_tinyemu(kernel: str) -> Run:
    return _output(["temu", str(tinyemu_config(kernel))])


def run_vnb(
    kernel: str, engine: Engine, jit: TranslatorName = "off", cache: Path | None = None
) -> Run:
    """In a process of its own, with this folder for compiled code."""
    command = [sys.executable, str(HERE / "one_kernel.py"), str(guest_program(kernel)), engine, jit]
    environment = os.environ | ({"VNB_CACHE_DIR": str(cache)} if cache else {})
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT
    )
    printed, costs = json.loads(done.stdout)
    return replace(Run.parse(printed), costs=Costs(**costs))


def run_cold(kernel: str) -> Run:
    """Translated, with nothing on disk to begin with."""
    with tempfile.TemporaryDirectory() as folder:
        return run_vnb(kernel, "llvm", "auto", without_regions(Path(folder)))


@functools.cache
def warm_cache(kernel: str) -> Path:
    """What a few runs leave on disk: each is over soon, often before its last region is made."""
    folder = BUILT / "caches" / kernel
    shutil.rmtree(folder, ignore_errors=True)
    without_regions(folder)
    for _ in range(RUNS_TO_WARM):
        run_vnb(kernel, "llvm", "auto", folder)
    return folder


def run_warm(kernel: str) -> Run:
    return run_vnb(kernel, "llvm", "auto", warm_cache(kernel))


def run_unicorn(kernel: str) -> Run:
    """Unicorn has no board: UART, clock and power switch are three callbacks."""
    import unicorn
    from elftools.elf.elffile import ELFFile

    machine = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV64)
    machine.mem_map(RAM, RAM_SIZE)
    with guest_program(kernel).open("rb") as file:
        elf = ELFFile(file)
        entry = elf["e_entry"]
        for segment in elf.iter_segments("PT_LOAD"):
            machine.mem_write(segment["p_paddr"], segment.data())
    printed = bytearray()

    def read_clock(_machine: Any, offset: int, size: int, _data: object) -> int:
        ticks = time.perf_counter_ns() // 100
        return ticks >> 8 * (offset - MTIME % 4096) & (1 << 8 * size) - 1

    def print_byte(_machine: Any, _offset: int, _size: int, value: int, _data: object) -> None:
        printed.append(value)

    def power_off(stopped: Any, *_: object) -> None:
        stopped.emu_stop()

    machine.mmio_map(MTIME & ~4095, 4096, read_clock, None, None, None)
    machine.mmio_map(UART, 4096, None, None, print_byte, None)
    machine.mmio_map(POWER, 4096, None, None, power_off, None)
    machine.emu_start(entry, 0, timeout=LIMIT * 1_000_000)
    return Run.parse(printed.decode())


def _module_missing(name: str) -> str | None:
    found = importlib.util.find_spec(name)
    return None if found else f"the Python package {name} is not installed"


def _program_missing(name: str) -> str | None:
    return None if shutil.which(name) else f"{name} is not on PATH"


def targets() -> list[Target]:
    """All of them, in the order of the table, present or not."""
    calls = frozenset({"calls"})
    return [
        Target("vnb warm", run_warm, counts=True),
        Target("vnb cold", run_cold, counts=True),
        Target("vnb off", functools.partial(run_vnb, engine="llvm"), counts=True),
        Target("vnb numba", functools.partial(run_vnb, engine="numba"), counts=True),
        Target("QEMU", run_qemu, _program_missing("qemu-system-riscv64")),
        Target("TinyEMU", run_tinyemu, _program_missing("temu"), counts=True, miscounts=calls),
        Target("unicorn", run_unicorn, _module_missing("unicorn"), lacks=calls),
        Target("native", run_native, _program_missing("cc")),
    ]
