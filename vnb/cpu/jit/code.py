"""From LLVM text to native code that a region's record can point to."""

import threading
from dataclasses import dataclass

import llvmlite.binding as llvm

from vnb.cpu.read_llvm import target_machine

_LLVM = threading.Lock()
"""Regions of several harts are compiled one after the other."""


@dataclass
class Code:
    """Native code; it lives as long as this object."""

    address: int
    size: int
    linker: llvm.ExecutionEngine


def compile_text(text: str) -> bytes:
    """An object file: registers for variables, branches straightened, code generated plainly."""
    machine = target_machine(level=1)
    parsed = llvm.parse_assembly(text)
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes.run(parsed.get_function("region"), builder)
    return bytes(machine.emit_object(parsed))


def link(code: bytes) -> Code:
    """Load an object file."""
    with _LLVM:
        linker = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(level=1))
        linker.add_object_file(llvm.ObjectFileRef.from_data(code))
        linker.finalize_object()
        return Code(linker.get_function_address("region"), len(code), linker)
