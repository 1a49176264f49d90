"""Traces of programs that another RISC-V ran, as compressed text.

The first line names who ran it. Then comes memory, `= ADDRESS BYTES`, and what happened:

    PC [WHAT=VALUE …]    the instruction at PC retired; what it wrote: x1 … x31, f0 … f31,
                         fflags, frm or fcsr, and `ADDRESS.SIZE` for a store

Numbers are hexadecimal but for register numbers and sizes.
"""

import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

FIXTURES = Path(__file__).parent / "fixtures"


class Step(NamedTuple):
    """One retired instruction."""

    pc: int
    writes: dict[str, int]


class Trace(NamedTuple):
    origin: str
    memory: dict[int, bytes]
    steps: list[Step]


def lines(trace: Trace) -> Iterator[str]:
    yield trace.origin
    for address, data in trace.memory.items():
        yield f"= {address:x} {data.hex()}"
    for step in trace.steps:
        yield " ".join([f"{step.pc:x}", *(f"{k}={v:x}" for k, v in step.writes.items())])


def parse(text: Iterable[str]) -> Trace:
    rows = iter(text)
    trace = Trace(next(rows), {}, [])
    for row in rows:
        first, *rest = row.split()
        if first == "=":
            trace.memory[int(rest[0], 16)] = bytes.fromhex(rest[1])
        else:
            writes = (item.split("=") for item in rest)
            trace.steps.append(Step(int(first, 16), {k: int(v, 16) for k, v in writes}))
    return trace


def save(name: str, trace: Trace) -> Path:
    path = FIXTURES / f"{name}.trace.xz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        lzma.compress("\n".join(lines(trace)).encode(), preset=9 | lzma.PRESET_EXTREME)
    )
    return path


def load(name: str) -> Trace:
    return parse(
        lzma.decompress((FIXTURES / f"{name}.trace.xz").read_bytes()).decode().splitlines()
    )
