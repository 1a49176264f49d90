"""Which registers stay near where they are in a loop: the page there is worth keeping."""

from vnb.cpu.jit.graph import Block, Graph, Place

FROM_MEMORY = ("load", "lr", "amo")
LONG_STEP = 512
"""Bytes by which a register may go on at once, to be at home in a page."""


def steady(graph: Graph) -> dict[Place, frozenset[int]]:
    """For each block of a loop, the registers that no value from memory gets into while it loops.

    Accesses by such a register stay in a page for a while, or go through pages in order, unless it
    is seen to take long steps.
    """
    return {
        place: _untouched([graph.blocks[other] for other in loop])
        for place, loop in _loops(graph).items()
    }


def has_loop(graph: Graph) -> bool:
    """Whether any block of a region may run again."""
    return any(place in _reached(graph, place) for place in graph.blocks)


def _loops(graph: Graph) -> dict[Place, set[Place]]:
    """For each block that may run again, the blocks from which it comes to itself."""
    reached = {place: _reached(graph, place) for place in graph.blocks}
    loops = {
        place: {other for other in onward if place in reached[other]}
        for place, onward in reached.items()
    }
    return {place: loop for place, loop in loops.items() if loop}


def _reached(graph: Graph, place: Place) -> set[Place]:
    found: set[Place] = set()
    waiting = graph.inside(place)
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += graph.inside(place)
    return found


def _untouched(blocks: list[Block]) -> frozenset[int]:
    instructions = [i for block in blocks for i in block.instructions]
    touched = {
        i.rd
        for i in instructions
        if i.row.name == "addi" and i.rd == i.rs1 and abs(i.immediate) > LONG_STEP
    }
    while True:
        more = {
            i.rd
            for i in instructions
            if "d" in i.row.bits
            and (i.row.kind in FROM_MEMORY or touched.intersection(i.sources))
        } - touched  # fmt: skip
        if not more:
            return frozenset(range(1, 32)) - touched
        touched |= more
