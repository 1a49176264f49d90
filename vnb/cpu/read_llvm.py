"""The engine as LLVM reads it, through llvmlite: compiled once, loaded in milliseconds."""

import ctypes
from collections.abc import Callable
from typing import cast

import llvmlite.binding as llvm

from vnb.cpu import objects
from vnb.cpu.dialect import engine
from vnb.cpu.progress import Progress


def target_machine(level: int = 2, **options: str) -> llvm.TargetMachine:
    """This host, with all that its processor offers; `level` is that of code generation."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=level,
        **options,
    )


def calling_convention() -> str:
    """How operations call one another: no saved registers, where LLVM has that for the host."""
    known = llvm.get_default_triple().startswith(("x86_64", "aarch64", "arm64"))
    return "preserve_nonecc" if known else "fastcc"


def sparing_convention() -> str:
    """How regions call the engine: every register saved by the callee, where LLVM has that."""
    known = llvm.get_default_triple().startswith(("x86_64", "aarch64", "arm64"))
    return "preserve_allcc" if known else "ccc"


def has_fma() -> bool:
    """Whether this host multiplies and adds with one rounding, in one instruction."""
    features = llvm.get_host_cpu_features()
    return bool(features.get("fma")) or not llvm.get_default_triple().startswith("x86")


def compile_engine() -> bytes:
    """The engine as an object file for this host."""
    with Progress("compiling the engine, once", steps=4) as progress:
        from vnb.cpu.lower_llvm import build

        module = build(engine(), calling_convention(), sparing_convention())
        progress.step("reading")
        parsed = llvm.parse_assembly(str(module))
        progress.step("parsing")
        machine = target_machine()
        tuning = llvm.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_vectorization = tuning.slp_vectorization = False
        passes = llvm.create_pass_builder(machine, tuning)
        passes.getModulePassManager().run(parsed, passes)
        progress.step("optimising")
        code = cast(bytes, machine.emit_object(parsed))
        progress.step("generating code")
    return code


def load() -> Callable[[int], int]:
    """The engine's run(S), compiled or from the cache. It releases the GIL while it runs."""
    host = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    code = objects.remember(f"engine-{objects.key(*host)}", compile_engine)
    machine = target_machine()
    linker = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    linker.add_object_file(llvm.ObjectFileRef.from_data(code))
    linker.finalize_object()
    run = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(linker.get_function_address("run"))
    run.linker = linker  # type: ignore[attr-defined]  # the code lives as long as its linker
    return cast(Callable[[int], int], run)
