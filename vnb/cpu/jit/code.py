"""From LLVM text to native code that a region's record can point to."""

import threading
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from vnb.cpu import objects
from vnb.cpu.read_llvm import target_machine

PREFIX, CACHED_BYTES = "region-", 64 << 20
"""What regions are called in the cache of compiled code, and how much of it they may take."""

_LLVM = threading.Lock()
"""Regions of several harts are compiled one after the other."""


@dataclass
class Code:
    """Native code; it lives as long as this object."""

    address: int
    size: int
    linker: llvm.ExecutionEngine


def _optimised(text: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Registers for variables, branches straightened; more costs time and gains nothing."""
    parsed = llvm.parse_assembly(text)
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes.run(parsed.get_function("region"), builder)
    return parsed


def assembly_of(text: str) -> str:
    """The host's assembly language for a region."""
    machine = target_machine(level=1)
    return str(machine.emit_assembly(_optimised(text, machine)))


def native(text: str) -> tuple[bytes, bool]:
    """The object file of a region, and whether it was in the cache."""
    _trim_once()
    host = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    name = PREFIX + objects.key(text, *host)
    if (known := objects.get(name)) is not None:
        return known, True
    machine = target_machine(level=1)
    return objects.put(name, bytes(machine.emit_object(_optimised(text, machine)))), False


@cache
def _trim_once() -> None:
    objects.trim(PREFIX, CACHED_BYTES)


def link(code: bytes) -> Code:
    """Load an object file."""
    with _LLVM:
        linker = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(level=1))
        linker.add_object_file(llvm.ObjectFileRef.from_data(code))
        linker.finalize_object()
        return Code(linker.get_function_address("region"), len(code), linker)
