"""One region: how it is made, and what a person may see of it."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from vnb.cpu.disassemble import disassemble
from vnb.cpu.jit.code import Code, Linker, Made, assembly_of, host
from vnb.cpu.jit.graph import Graph, Lessons, form
from vnb.cpu.jit.loops import has_loop
from vnb.cpu.jit.places import Layout
from vnb.cpu.jit.report import Lines, beside, counted, instructions_of
from vnb.cpu.jit.text import Writer


@dataclass(frozen=True)
class Region:
    """A translated region: where it begins, what it was made from, its code."""

    pc: int
    """The virtual address where it began when it was made."""
    graph: Graph
    layout: Layout
    pages: dict[int, int]
    """Distance in pages → index in the record."""
    code: Code
    made: Made
    seconds: float
    guest: tuple[tuple[int, bytes], ...]
    """Address and bytes of every instruction, in the order of addresses."""
    recalled: bool = False
    """Whether it is from an earlier run: some of its instructions may not be decoded yet."""

    @property
    def entry(self) -> int:
        """The offset of its first instruction in its page."""
        return self.graph.entry[0]

    def listing(self) -> Lines:
        """The guest's instructions."""
        lines = []
        for address, raw in self.guest:
            _, _, text = next(iter(disassemble(raw, address)))
            lines.append(f"{address:#x}  {raw[::-1].hex():>8}  {text}")
        return Lines("\n".join(lines))

    def ir(self) -> Lines:
        """The LLVM text that it was compiled from."""
        return Lines(Writer(self.graph, host()).write())

    def assembly(self) -> Lines:
        """The host's instructions."""
        return instructions_of(assembly_of(self.ir()))

    @property
    def summary(self) -> str:
        """Where it begins, and how much there is of it."""
        return (
            f"{self.pc:#x}: {counted(self.graph.size, 'instruction')} on "
            f"{counted(len(self.pages), 'page')}, {counted(self.code.size, 'byte')} of host code"
        )

    def __repr__(self) -> str:
        return f"<region at {self.summary}>"

    def _repr_html_(self) -> str:
        texts = {"guest": self.listing(), "host": self.assembly()}
        return beside(f"Region at {self.summary}", texts)


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
    code = linker.load(made)
    guest = {i.at: layout.code(i.at, i.length) for i in graph.instructions()}
    return Region(
        pc=pc,
        graph=graph,
        layout=layout,
        pages=graph.pages(),
        code=code,
        made=made,
        seconds=perf_counter() - started,
        guest=tuple((layout.origin + at, raw) for at, raw in sorted(guest.items())),
    )
