"""How this computer suits vnb: what is installed, cached and reachable, and how fast it runs."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

from vnb.config import host_memory, in_words
from vnb.cpu import objects
from vnb.cpu.hart import EngineName, Hart
from vnb.errors import VnbError
from vnb.images import build, lock, mirror
from vnb.memory import Memory

PACKAGES = ("llvmlite", "numba", "numpy", "matplotlib", "ipywidgets", "ipykernel", "jupyterlab")

LOOP = (
    0x00128293,  # addi t0, t0, 1
    0x00530333,  # add  t1, t1, t0
    0xFE029CE3,  # bnez t0, the first of these
)
"""A program without end, to see how fast this host runs one."""

INSTRUCTIONS = 100_000_000


def mips(engine: EngineName) -> float:
    """Millions of instructions of a tight loop that this host runs in a second."""
    memory = Memory(1 << 16)
    hart = Hart(memory, engine=engine)
    for index, word in enumerate(LOOP):
        memory.write_u32(memory.base + 4 * index, word)
    hart.run(INSTRUCTIONS // 10)
    began = time.perf_counter()
    hart.run(INSTRUCTIONS)
    return INSTRUCTIONS / (time.perf_counter() - began) / 1e6


def findings() -> Iterator[tuple[str, str]]:
    """What there is to know, as (what, how it is), each as soon as it is known."""
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "host", f"{os.cpu_count()} processors, {in_words(host_memory())} of memory"
    for package in PACKAGES:
        yield package, _version(package)
    yield "compiled code", _content(objects.folder())
    yield "guest images", _content(build.cache() / "images")
    yield "packages", _content(build.cache() / "packages")
    debian = build.place(lock.current())
    yield "debian", f"ready in {debian}" if debian.is_dir() else "not built yet: vnb images fetch"
    yield "debian mirror", _mirror()
    yield "speed", _speed()


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _content(folder: Path) -> str:
    """How much is in a folder of the cache."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files)
    return f"{in_words(size)}B in {folder}" if files else f"none yet in {folder}"


def _mirror() -> str:
    try:
        return f"reachable: {mirror.find()}"
    except VnbError as error:
        return f"none: {error}"


def _speed() -> str:
    try:
        return f"{mips('llvm'):.0f} million instructions a second in a tight loop"
    except VnbError as error:
        return f"cannot run: {error}"
