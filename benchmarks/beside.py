"""Guests at the same work on vnb and, beside it, on QEMU: who is there, in turn, and the table."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, get_args

import qemu
from one_boot import LIMIT
from tables import conclude, spread, table

from vnb import Machine
from vnb.config import Transport

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Target(Generic[T]):
    """Something that boots what is to be measured; `missing` says in words why it cannot here."""

    name: str
    boot: Callable[..., AbstractContextManager[T]]
    missing: str | None = None


@dataclass(frozen=True)
class Row:
    """Of the table: what is measured, in which unit, how it is written, and which is the best."""

    name: str
    unit: str
    form: str = ".0f"
    best: str = "max"


def run_on(machine: Machine, command: str) -> tuple[float, str]:
    """The Run of a machine of vnb's."""
    began = time.perf_counter()
    text = machine.shell(f"{command} 2>&1", timeout=LIMIT, check=True).stdout
    return time.perf_counter() - began, text


def over_both(
    on_vnb: Callable[..., AbstractContextManager[T]],
    on_qemu: Callable[..., AbstractContextManager[T]],
) -> list[Target[T]]:
    """Either over each of the transports, in the order of the table, present or not."""
    kinds: tuple[Transport, ...] = get_args(Transport)
    missing = qemu.missing()
    return [
        *(Target(f"vnb {kind}", partial(on_vnb, transport=kind)) for kind in kinds),
        *(Target(f"QEMU {kind}", partial(on_qemu, transport=kind), missing) for kind in kinds),
    ]


def in_turn(targets: Sequence[Target[T]], rounds: int) -> Iterator[Target[T]]:
    """Those that are there, each once in every round."""
    for number in range(rounds):
        for target in targets:
            if not target.missing:
                print(f"round {number + 1}/{rounds}: {target.name}", file=sys.stderr)
                yield target


def report(
    section: str,
    targets: Sequence[Target[Any]],
    rounds: int,
    rows: Sequence[Row],
    measured: Mapping[tuple[str, str], Sequence[float]],
    write: bool,
) -> None:
    """Conclude what was measured of each (row, target)."""
    present = [target.name for target in targets if not target.missing]
    lines = [
        [
            row.name,
            row.unit,
            *(spread(measured[row.name, name], row.form, row.best) for name in present),
        ]
        for row in rows
    ]
    missing = {target.name: target.missing for target in targets if target.missing}
    tables = [table(["", "", *present], lines)]
    conclude(section, f"{rounds} rounds: median (best)", tables, missing, write)
