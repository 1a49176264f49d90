"""A device's byte register between the engine and the device: what the guest stored meanwhile."""

from vnb.cpu.state import LATCH_BYTES, State


class Latch:
    """Takes the bytes that are stored at `data`, and answers for `status`, both physical addresses.

    While it is open the engine does both by itself, which is a hundred times as fast as to leave
    for the device. What it leaves for nevertheless: a newline, a status that is loaded twice with
    no store in between, and what is stored when 256 bytes wait.
    """

    def __init__(self, state: State, data: int, status: int) -> None:
        state.latch_data, state.latch_status = data, status
        self._state = state
        first = state.latch_bytes - state.address
        self._bytes = state.block.cast("B")[first : first + LATCH_BYTES]

    def open(self, status: int) -> None:
        """The engine is to do it from now on; `status` is what the guest loads."""
        self._state.latch_value = status
        self._state.latch_asked = 0
        self._state.latch_open = 1

    def close(self) -> None:
        """Every access is the device's again."""
        self._state.latch_open = 0

    def take(self) -> bytes:
        """What was stored since."""
        count = self._state.latch_count
        if not count:
            return b""
        self._state.latch_count = 0
        return bytes(self._bytes[:count])
