"""Breakpoints as a cell writes them: a set of addresses that tells the hart when it changes."""

from collections.abc import Callable, Iterable, Iterator, MutableSet, Sequence

from vnb.cpu.state import BREAKPOINTS
from vnb.errors import UsageError


class Breakpoints(MutableSet[int]):
    """Virtual addresses of instructions; `changed` hears of all of them whenever there are others.

    UsageError for what no instruction can have as its address, and for more than 64.
    """

    def __init__(self, changed: Callable[[Sequence[int]], None]) -> None:
        self._addresses: tuple[int, ...] = ()
        self._changed = changed

    def __contains__(self, address: object) -> bool:
        return address in self._addresses

    def __iter__(self) -> Iterator[int]:
        return iter(self._addresses)

    def __len__(self) -> int:
        return len(self._addresses)

    def add(self, address: int) -> None:
        """Stop in front of the instruction at this address."""
        if not isinstance(address, int) or not 0 <= address < 1 << 64 or address & 1:
            told = f"{address:#x}" if isinstance(address, int) else repr(address)
            raise UsageError(f"address={told}: a breakpoint is an even address of 64 bits")
        if address not in self:
            if len(self) == BREAKPOINTS:
                raise UsageError(
                    f"address={address:#x}: there are {BREAKPOINTS} breakpoints, no more"
                )
            self._set((*self._addresses, address))

    def discard(self, address: int) -> None:
        """No longer stop there."""
        if address in self:
            self._set(tuple(a for a in self._addresses if a != address))

    def clear(self) -> None:
        """No longer stop anywhere."""
        if self:
            self._set(())

    def replace(self, addresses: Iterable[int]) -> None:
        """Stop at these, and nowhere else."""
        self._set(tuple(addresses))

    def _set(self, addresses: tuple[int, ...]) -> None:
        self._addresses = addresses
        self._changed(addresses)

    def __repr__(self) -> str:
        return f"<breakpoints: {', '.join(map(hex, sorted(self))) or 'none'}>"
