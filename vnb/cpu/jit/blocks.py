"""Where a hart's blocks live: executable memory, behind the stencils that they are made of."""

import mmap
from ctypes import addressof, c_char, c_uint64

from vnb.cpu.jit.stencils import RECORDS, table
from vnb.cpu.state import STENCIL_BYTES, State
from vnb.memory import anonymous

ROOM = 64 << 20
"""Bytes for blocks; the host backs what is used. When they are full, all blocks are made anew."""

EXECUTABLE = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC


class Blocks:
    """Has a hart's engine make blocks, where the host lets memory be written and executed."""

    def __init__(self, state: State, operations: int) -> None:
        """`operations`: the address of the run loop's table."""
        self.state = state
        stencils = table()
        if stencils is None:
            return
        try:
            self._memory = anonymous(ROOM, EXECUTABLE)
        except OSError:  # a host that is strict about such memory
            return
        self._memory[: len(stencils)] = stencils
        address = addressof(c_char.from_buffer(self._memory))
        words = memoryview(self._memory).cast("Q")
        for at in range(0, RECORDS >> 3, STENCIL_BYTES >> 3):
            if words[at]:
                words[at] += address
        state.operations, state.stencils = operations, address
        state.block_first = state.block_code = address + len(stencils)
        state.block_end = address + ROOM

    def forget(self) -> None:
        """All pages are decoded anew."""
        self.state.block_code = self.state.block_first


def hidden(slot: int) -> int:
    """The slot that a block's slot hides."""
    return c_uint64.from_address((slot >> 8) - 8).value
