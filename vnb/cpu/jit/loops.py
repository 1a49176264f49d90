"""Which registers stay near where they are in a loop: the page there is worth keeping."""

from vnb.cpu.jit.graph import Block, Graph, Place

FROM_MEMORY = ("load", "lr", "amo")
LONG_STEP = 512
"""Bytes by which a register may go on at once, to be at home in a page."""


def steady(graph: Graph) -> dict[Place, frozenset[int]]:
    """For each block of a loop, the registers that no value from memory gets into while it loops.

    The innermost loop counts. Accesses by such a register stay in a page for a while, or go through
    pages in order, unless it is seen to take long steps.
    """
    found: dict[Place, frozenset[int]] = {}
    for loop in _loops(graph):
        found |= dict.fromkeys(loop, _untouched([graph.blocks[place] for place in loop]))
    return {place: found[place] for place in graph.blocks if place in found}


def innermost(graph: Graph, place: Place) -> list[Place]:
    """The blocks of the innermost loop around a block; none if it is in no loop."""
    return next((loop for loop in reversed(_loops(graph)) if place in loop), [])


def has_loop(graph: Graph) -> bool:
    """Whether any block of a region may run again."""
    return bool(_loops(graph))


def _loops(graph: Graph) -> list[list[Place]]:
    """Blocks that may come to themselves again, the loops around others before those.

    Compilers put a loop in one piece: from where a branch goes back to, up to that branch, and with
    it the functions that are called from there.
    """
    reached = {place: _reached(graph, place) for place in graph.blocks}
    loops = []
    for place in graph.blocks:
        around = [other for other in reached[place] if place in reached[other]]
        if around:
            loops.append(around)
        for head in graph.inside(place):
            if head[0] <= place[0] and head in around:
                loops.append([other for other in around if _is_between(other, head, place)])
    return sorted(filter(None, loops), key=len, reverse=True)


def _is_between(place: Place, head: Place, end: Place) -> bool:
    """Whether a block is in the loop from `head` to `end`, or in a function called there."""
    called = len(place[1]) > len(head[1])
    return called or (place[1] == head[1] and head[0] <= place[0] <= end[0])


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
