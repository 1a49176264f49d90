"""Advisory locks on ranges of shared files, among all the guests that share them."""

import errno
from collections.abc import Hashable
from threading import Lock
from typing import NamedTuple

from vnb.host.files.status import refuse

MOST = 1024
"""Locks that may be held at a time on all files of a share."""


class Held(NamedTuple):
    """A lock of `owner` on the bytes from `start` up to `end`, asked for through `through`."""

    owner: Hashable
    through: Hashable
    exclusive: bool
    start: int
    end: int


class Locks:
    """Who holds which range of which file; any thread may ask.

    As POSIX has it: what an owner locks again, or unlocks, changes that range of its own earlier
    locks and is never in conflict with them.
    """

    def __init__(self) -> None:
        self._held: dict[int, list[Held]] = {}  # by their files
        self._mutex = Lock()

    def acquire(
        self,
        file: int,
        owner: Hashable,
        through: Hashable,
        exclusive: bool,
        start: int,
        end: int,
    ) -> bool:
        """Hold the range from now on; False if somebody else's lock is in the way.

        OSError ENOLCK if there are too many locks.
        """
        with self._mutex:
            if self._in_the_way(file, owner, exclusive, start, end):
                return False
            if sum(map(len, self._held.values())) >= MOST:
                refuse(errno.ENOLCK)
            self._cut(file, owner, start, end)
            held = Held(owner, through, exclusive, start, end)
            self._held.setdefault(file, []).append(held)
            return True

    def release(self, file: int, owner: Hashable, start: int, end: int) -> None:
        """The owner lets go of the range."""
        with self._mutex:
            self._cut(file, owner, start, end)

    def release_through(self, through: Hashable) -> None:
        """Let go of all that was locked through this."""
        with self._mutex:
            for file, there in [*self._held.items()]:
                self._keep(file, [held for held in there if held.through != through])

    def conflict(
        self, file: int, owner: Hashable, exclusive: bool, start: int, end: int
    ) -> Held | None:
        """A lock of somebody else that is in the way of such a lock."""
        with self._mutex:
            return self._in_the_way(file, owner, exclusive, start, end)

    def _in_the_way(
        self, file: int, owner: Hashable, exclusive: bool, start: int, end: int
    ) -> Held | None:
        for held in self._held.get(file, ()):
            if (
                held.owner != owner
                and (held.exclusive or exclusive)
                and held.start < end
                and start < held.end
            ):
                return held
        return None

    def _cut(self, file: int, owner: Hashable, start: int, end: int) -> None:
        """Take the range out of what the owner holds of the file."""
        left = []
        for held in self._held.get(file, ()):
            if held.owner != owner or held.end <= start or end <= held.start:
                left.append(held)
                continue
            if held.start < start:
                left.append(held._replace(end=start))
            if end < held.end:
                left.append(held._replace(start=end))
        self._keep(file, left)

    def _keep(self, file: int, left: list[Held]) -> None:
        if left:
            self._held[file] = left
        else:
            self._held.pop(file, None)
