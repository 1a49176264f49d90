"""One region: how it is made, and what a person may see of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

from vnb.cpu.disassemble import disassemble
from vnb.cpu.jit.code import Code, Linker, Made, assembly_of, host
from vnb.cpu.jit.graph import Graph, Lessons
from vnb.cpu.jit.growth import form
from vnb.cpu.jit.loops import has_loop
from vnb.cpu.jit.places import Layout
from vnb.cpu.jit.report import Lines, beside, counted, instructions_of
from vnb.cpu.jit.text import Writer


@dataclass(frozen=True)
class Outline:
    """As much of a region's graph as it takes to enter the region, and to know its code again."""

    entry: int
    """The offset of its first instruction in its page."""
    slot: int
    """The slot of that instruction, which the region's own will hide."""
    size: int
    """Instructions."""
    pages: dict[int, int]
    """Distance in pages → index in the record."""
    guest: tuple[tuple[int, bytes], ...]
    """Its code: offsets from its first page and the bytes from there, in their order."""

    @classmethod
    def of(cls, graph: Graph, layout: Layout) -> "Outline":
        first = graph.blocks[graph.entry].instructions[0]
        guest = tuple((at, layout.code(at, end - at)) for at, end in _runs(graph))
        return cls(first.at, first.slot, graph.size, graph.pages(), guest)


def _runs(graph: Graph) -> list[tuple[int, int]]:
    """Where instructions follow one another within a page, and where that ends."""
    runs: list[tuple[int, int]] = []
    for at, after in sorted({(i.at, i.after) for i in graph.instructions()}):
        if runs and runs[-1][1] == at and at & 0xFFF:
            runs[-1] = runs[-1][0], after
        else:
            runs.append((at, after))
    return runs


@dataclass(frozen=True)
class Region:
    """A translated region: where it begins, what it was made from, its code."""

    pc: int
    """The virtual address where it began when it was made."""
    outline: Outline
    layout: Layout
    code: Code
    made: Made
    seconds: float
    draw: Callable[[], Graph]
    """Its graph, which nobody needs who only enters it."""
    recalled: bool = False
    """Whether it is from an earlier run: some of its instructions may not be decoded yet."""

    @cached_property
    def graph(self) -> Graph:
        """Its blocks and their instructions."""
        return self.draw()

    @property
    def guest(self) -> list[tuple[int, bytes, str]]:
        """Address, bytes and text of every instruction, in the order of addresses."""
        origin = self.layout.origin
        return [i for at, raw in self.outline.guest for i in disassemble(raw, origin + at)]

    def listing(self) -> Lines:
        """The guest's instructions."""
        lines = (f"{at:#x}  {raw[::-1].hex():>8}  {text}" for at, raw, text in self.guest)
        return Lines("\n".join(lines))

    def ir(self) -> Lines:
        """The LLVM text that it was compiled from."""
        return Lines(Writer(self.graph, host()).write())

    def assembly(self) -> Lines:
        """The host's instructions."""
        return instructions_of(assembly_of(self.ir(), self.made.thorough))

    @property
    def summary(self) -> str:
        """Where it begins, and how much there is of it."""
        outline = self.outline
        return (
            f"{self.pc:#x}: {counted(outline.size, 'instruction')} on "
            f"{counted(len(outline.pages), 'page')}, {counted(self.code.size, 'byte')} of host code"
        )

    def __repr__(self) -> str:
        return f"<region at {self.summary}>"

    def _repr_html_(self) -> str:
        texts = {"guest": self.listing(), "host": self.assembly()}
        return beside(f"Region at {self.summary}", texts)


def refine(region: Region, linker: Linker, make: Callable[[Graph], Made]) -> Region:
    """The same region with other code."""
    started = perf_counter()
    made = make(region.graph)
    code = linker.load(made)
    return replace(region, made=made, code=code, seconds=perf_counter() - started)


def translate(
    pc: int,
    layout: Layout,
    linker: Linker,
    make: Callable[[Graph], Made],
    lessons: Lessons,
    choosy: bool = False,
) -> Region | None:
    """Have the region made that begins at a virtual address; None if there is none worth it.

    For the choosy one that cannot come back to any of its places is not: blocks do as well.
    """
    started = perf_counter()
    graph = form(layout.slot, pc & 0xFFF, layout.is_entry, lessons)
    if graph is None or (choosy and not graph.is_computed and not has_loop(graph)):
        return None
    made = make(graph)
    return Region(
        pc=pc,
        outline=Outline.of(graph, layout),
        layout=layout,
        code=linker.load(made),
        made=made,
        seconds=perf_counter() - started,
        draw=lambda: graph,
    )
