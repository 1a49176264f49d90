"""Which float registers surely hold NaN-boxed singles where the blocks of a region begin.

A single that is not boxed reads as a NaN [unpriv 21.2], so every operand has to be looked at, if
only once: what was looked at, and what single arithmetic or a load gave, is boxed from then on.
"""

from vnb.cpu.jit.flow import Registers, flow
from vnb.cpu.jit.graph import Block, Graph, Place


def boxed(graph: Graph) -> dict[Place, Registers]:
    """By block, given that a region begins only with what its first block needs boxed."""
    return flow(graph, _needed(graph.blocks[graph.entry]), _after)


def _needed(block: Block) -> Registers:
    """The registers that a block reads as singles before it writes them."""
    needed: set[int] = set()
    written: set[int] = set()
    for i in block.instructions:
        needed.update(register for register in i.singles if register not in written)
        if i.row.result:
            written.add(i.rd)
    return frozenset(needed)


def _after(block: Block, before: Registers) -> Registers:
    known = set(before)
    for i in block.instructions:
        known.update(i.singles)
        if i.row.result:
            known.discard(i.rd)
        if i.row.result == "s":
            known.add(i.rd)
    return frozenset(known)
