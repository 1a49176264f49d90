"""What happened, how often and how much: every number that a plot shows is counted here."""

from collections import deque
from collections.abc import Callable
from time import monotonic

PERIOD = 0.025
"""Seconds of events that share one sample."""

SAMPLES = 4096
"""Samples that a counter keeps: the last 100 s of steady work; older ones go."""


class Counter:
    """One kind of event: how much of it there was in all, and lately when.

    One thread adds; any thread may read `total` and `samples()`.
    """

    __slots__ = ("_clock", "_ring", "_until", "name", "total", "unit")

    def __init__(self, name: str, unit: str = "", clock: Callable[[], float] = monotonic) -> None:
        self.name = name
        self.unit = unit
        self.total = 0
        self._clock = clock
        self._ring: deque[list[float]] = deque(maxlen=SAMPLES)
        self._until = float("-inf")

    def add(self, amount: int = 1) -> None:
        """Count `amount` now."""
        self.total += amount
        now = self._clock()
        if now < self._until:
            self._ring[-1][1] += amount
        else:
            self._ring.append([now, amount])
            self._until = now + PERIOD

    def samples(self) -> list[tuple[float, float]]:
        """(time in seconds, amount counted within PERIOD from then), oldest first."""
        return [(time, amount) for time, amount in list(self._ring)]

    def __repr__(self) -> str:
        return f"{self.name} {self.total} {self.unit}".rstrip()


class Stats:
    """The counters of one `owner`; a counter begins to exist when something is first counted."""

    def __init__(self, owner: str, clock: Callable[[], float] = monotonic) -> None:
        self.owner = owner
        self._clock = clock
        self._counters: dict[str, Counter] = {}

    def add(self, name: str, amount: int = 1, unit: str = "") -> None:
        """Count `amount` of `name` now; `unit` is that of the counter's first time."""
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = Counter(name, unit, self._clock)
        counter.add(amount)

    def __getitem__(self, name: str) -> int:
        """How much of `name` there was in all; 0 for what never happened."""
        counter = self._counters.get(name)
        return counter.total if counter else 0

    def counters(self) -> list[Counter]:
        """All counters, in the order in which they first counted."""
        return list(self._counters.values())

    def __repr__(self) -> str:
        return f"{self.owner}: " + (", ".join(map(repr, self.counters())) or "nothing yet")
