"""What holds of float registers where blocks of a region begin, whichever way led there."""

from collections.abc import Callable

from vnb.cpu.jit.graph import Block, Graph, Place
from vnb.cpu.state import F0

Registers = frozenset[int]
FLOATS = frozenset(range(F0, F0 + 32))


def flow(
    graph: Graph, at_entry: Registers, after: Callable[[Block, Registers], Registers]
) -> dict[Place, Registers]:
    """By block, the registers of which it holds; `after` tells what a block makes of them."""
    known = dict.fromkeys(graph.blocks, FLOATS)
    known[graph.entry] = at_entry
    waiting = [graph.entry]
    seen = set(waiting)
    while waiting:
        place = waiting.pop()
        left = after(graph.blocks[place], known[place])
        for following in graph.inside(place):
            if following not in seen or not known[following] <= left:
                seen.add(following)
                known[following] &= left
                waiting.append(following)
    return {place: known[place] if place in seen else frozenset() for place in graph.blocks}
