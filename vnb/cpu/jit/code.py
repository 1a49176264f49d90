"""From the graph of a region to native code that its record can point to."""

import threading
from dataclasses import dataclass, replace
from functools import cache, cached_property

import llvmlite.binding as llvm

from vnb.cpu import objects
from vnb.cpu.jit.arena import Arena, Image, image_of
from vnb.cpu.jit.graph import Graph
from vnb.cpu.jit.lines import Host
from vnb.cpu.jit.text import Writer
from vnb.cpu.read_llvm import calling_convention, has_fma, sparing_convention, target_machine

PREFIX, CACHED_BYTES = "region-", 64 << 20
"""What regions are called in the cache of compiled code, and how much of it they may take."""

HURRIED = ("-fast-isel", "-disable-lsr", "-disable-cgp", "-enable-misched=false")
"""LLVM's options for code generation in half the time; its code is as fast for regions."""

MADE_FROM = (
    *objects.MADE_FROM,
    "jit/access.py", "jit/boxes.py", "jit/code.py", "jit/floats.py", "jit/flow.py", "jit/graph.py",
    "jit/lines.py", "jit/loops.py", "jit/meaning.py", "jit/nans.py", "jit/strict.py", "jit/text.py",
)  # fmt: skip
"""The sources that decide what becomes of a graph."""

NAME = "@region"
"""What the function of a region is called in its text, until its text gives it a name."""

_LLVM = threading.Lock()
"""Of several threads one at a time may use LLVM: they share what it calls a context."""


@dataclass(frozen=True)
class Code:
    """Native code; it lives as long as the linker that loaded it."""

    address: int
    size: int
    cached: bool
    """Whether it came from the cache on disk."""


@dataclass(frozen=True)
class Made:
    """The object code of a region, under the name that it has in the cache."""

    name: str
    content: bytes
    cached: bool
    thorough: bool = False
    """Whether LLVM took its time over it."""
    image: Image | None = None
    """The same, laid out already; there need be no `content` then."""

    def laid_out(self) -> "Made":
        """Without what only another loader than ours needs; as it is if ours does not do."""
        image = self.image or image_of(self.content, symbol(self.name))
        return self if image is None else replace(self, content=b"", image=image)


def symbol(name: str) -> str:
    """What the function is called in the object code of that name."""
    return name.replace("-", "_")


@cache
def host() -> Host:
    """The processor that this process runs on."""
    return Host(
        sparing_convention(),
        calling_convention(),
        llvm.get_default_triple().startswith("x86_64"),
        has_fma(),
    )


@cache
def _machine(thorough: bool) -> llvm.TargetMachine:
    """Code generation that is quick, or else all that LLVM can do."""
    return target_machine(level=2 if thorough else 1)


def hurry() -> None:
    """For this whole process: leave out of code generation what costs more than it gains."""
    for option in HURRIED:
        llvm.set_option("vnb", option)


@cache
def host_name() -> tuple[str, str]:
    """What code depends on beside its graph."""
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def _optimised(text: str, name: str, thorough: bool) -> llvm.ModuleRef:
    """At least registers for variables, and branches straightened: most of the gain, and cheap."""
    parsed = llvm.parse_assembly(text.replace(NAME, f"@{name}"))
    tuning = llvm.create_pipeline_tuning_options(speed_level=2 if thorough else 1)
    if thorough:
        tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = False
        builder = llvm.create_pass_builder(_machine(thorough), tuning)
        builder.getModulePassManager().run(parsed, builder)
    else:
        passes = llvm.create_new_function_pass_manager()
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        builder = llvm.create_pass_builder(_machine(thorough), tuning)
        passes.run(parsed.get_function(name), builder)
    return parsed


def assembly_of(text: str, thorough: bool) -> str:
    """The host's assembly language for a region."""
    with _LLVM:
        return str(_machine(thorough).emit_assembly(_optimised(text, NAME[1:], thorough)))


def _name(graph: Graph, thorough: bool) -> str:
    """What the object code of a region is called in the cache."""
    how = "thorough" if thorough else "quick"
    return PREFIX + objects.key(graph.said(), how, *host_name(), made_from=MADE_FROM)


def remembered(graph: Graph, thorough: bool = False) -> Made | None:
    """The object code of a region from the cache on disk."""
    name = _name(graph, thorough)
    known = objects.get(name)
    return None if known is None else Made(name, known, cached=True, thorough=thorough)


def make(graph: Graph, thorough: bool = False) -> Made:
    """The object code of a region, from the cache on disk or compiled now."""
    if (known := remembered(graph, thorough)) is not None:
        return known
    name, text = _name(graph, thorough), Writer(graph, host()).write()
    objects.trim_once(PREFIX, CACHED_BYTES)
    with _LLVM:
        optimised = _optimised(text, symbol(name), thorough)
        content = bytes(_machine(thorough).emit_object(optimised))
    return Made(name, objects.put(name, content), cached=False, thorough=thorough)


class Linker:
    """Loads regions; one for every translator, whose code goes when it goes."""

    def __init__(self) -> None:
        self._arena = Arena()
        self._loaded: dict[str, Code] = {}
        self._turn = threading.Lock()

    @cached_property
    def _engine(self) -> llvm.ExecutionEngine:
        """LLVM's own loader, for formats and hosts that the arena is not for."""
        # it owns its target machine, which therefore is not the one that generates code
        return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine(level=1))

    def load(self, made: Made) -> Code:
        """Where the code of a region is; the same region is loaded once.

        LookupError if it is not there, or if the arena cannot be used and nothing else is known.
        """
        with self._turn:
            if made.name not in self._loaded:
                image = made.laid_out().image
                address = image and self._arena.place(image)
                if not address and made.content:
                    address = self._load(made.content, symbol(made.name))
                if not address:
                    raise LookupError(f"{made.name} is not in the code that was made for it")
                size = len(image.content if image else made.content)
                self._loaded[made.name] = Code(address, size, made.cached)
            return self._loaded[made.name]

    def _load(self, content: bytes, name: str) -> int:
        with _LLVM:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(content))
            self._engine.finalize_object()
            return int(self._engine.get_function_address(name))
