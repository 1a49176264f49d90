"""Which float registers surely hold NaN-boxed singles where the blocks of a region begin.

A single that is not boxed reads as a NaN [unpriv 21.2], so every operand has to be looked at, if
only once: what was looked at, and what single arithmetic or a load gave, is boxed from then on.
"""

from vnb.cpu.jit.graph import Block, Graph, Place
from vnb.cpu.state import F0

FLOATS = frozenset(range(F0, F0 + 32))


def boxed(graph: Graph) -> dict[Place, frozenset[int]]:
    """By block, given that a region begins only with what its first block needs boxed."""
    known = dict.fromkeys(graph.blocks, FLOATS)
    known[graph.entry] = _needed(graph.blocks[graph.entry])
    waiting = [graph.entry]
    seen = set(waiting)
    while waiting:
        place = waiting.pop()
        after = _after(graph.blocks[place], known[place])
        for following in graph.inside(place):
            if following not in seen or not known[following] <= after:
                seen.add(following)
                known[following] &= after
                waiting.append(following)
    return known


def _needed(block: Block) -> frozenset[int]:
    """The registers that a block reads as singles before it writes them."""
    needed: set[int] = set()
    written: set[int] = set()
    for i in block.instructions:
        needed.update(register for register in i.singles if register not in written)
        if i.row.result:
            written.add(i.rd)
    return frozenset(needed)


def _after(block: Block, before: frozenset[int]) -> frozenset[int]:
    known = set(before)
    for i in block.instructions:
        known.update(i.singles)
        if i.row.result:
            known.discard(i.rd)
        if i.row.result == "s":
            known.add(i.rd)
    return frozenset(known)
