"""From LLVM text to native code that a region's record can point to."""

import threading
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from vnb.cpu import objects
from vnb.cpu.read_llvm import target_machine

PREFIX, CACHED_BYTES = "region-", 64 << 20
"""What regions are called in the cache of compiled code, and how much of it they may take."""

NAME = "@region"
"""What the function of a region is called in its text, until its text gives it a name."""

_LLVM = threading.Lock()
"""Regions of several harts are compiled one after the other."""


@dataclass(frozen=True)
class Code:
    """Native code; it lives as long as the linker that loaded it."""

    address: int
    size: int
    cached: bool
    """Whether it came from the cache on disk."""


@cache
def _machine() -> llvm.TargetMachine:
    """Code generation that is quick; its dearer levels gain nothing here."""
    return target_machine(level=1)


@cache
def _host() -> tuple[str, str]:
    objects.trim(PREFIX, CACHED_BYTES)
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _optimised(text: str, name: str) -> llvm.ModuleRef:
    """Registers for variables, branches straightened; more costs time and gains nothing."""
    parsed = llvm.parse_assembly(text.replace(NAME, f"@{name}"))
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    passes.run(parsed.get_function(name), llvm.create_pass_builder(_machine(), options))
    return parsed


def assembly_of(text: str) -> str:
    """The host's assembly language for a region."""
    with _LLVM:
        return str(_machine().emit_assembly(_optimised(text, NAME[1:])))


class Linker:
    """Loads regions; one for every translator, whose code goes when it goes."""

    def __init__(self) -> None:
        # it owns its target machine, which therefore is not the one that generates code
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(level=1))
        self._loaded: dict[str, Code] = {}

    def load(self, text: str) -> Code:
        """The code of a region, compiled unless it is at hand or in the cache on disk."""
        with _LLVM:
            name = PREFIX + objects.key(text, *_host())
            if name not in self._loaded:
                content = objects.get(name)
                cached = content is not None
                if content is None:
                    symbol = name.replace("-", "_")
                    made = bytes(_machine().emit_object(_optimised(text, symbol)))
                    content = objects.put(name, made)
                self._loaded[name] = self._link(name.replace("-", "_"), content, cached)
            return self._loaded[name]

    def _link(self, symbol: str, content: bytes, cached: bool) -> Code:
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
        self._engine.finalize_object()
        address = self._engine.get_function_address(symbol)
        if not address:
            raise LookupError(f"{symbol} is not in the code that was made for it")
        return Code(address, len(content), cached)
