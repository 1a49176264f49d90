"""What happened, how often, how much and how long it took: what plots show is counted here.

A device counts on the machine's thread; any thread may read. Time is told twice: by the host's
clock, and in instructions that the guest had retired.
"""

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns

PERIOD = 25_000_000
"""Nanoseconds of events that share one sample."""

SAMPLES = 4096
"""Samples that are kept of each kind: the last 100 s of steady work; older ones go."""

Moment = tuple[int, int]
"""A time: (nanoseconds of the host, instructions of the guest)."""

Sample = tuple[int, int, int]
"""What a period held: its beginning as in `Moment`, and the amount."""


class Counter:
    """One kind of event: how much of it there was in all, and lately when."""

    __slots__ = ("_ring", "_since", "_told", "name", "total", "unit")

    def __init__(self, name: str, unit: str = "") -> None:
        self.name = name
        self.unit = unit
        self.total = 0
        self._ring: deque[Sample] = deque(maxlen=SAMPLES)
        self._since: Moment = (0, 0)  # when the present period began
        self._told = 0  # the total at that time

    def turn(self, moment: Moment) -> None:
        """A period ends, and another one begins now."""
        if present := self._present():
            self._ring.append((*self._since, present))
            self._told = self.total
        self._since = moment

    def samples(self) -> list[Sample]:
        """What each period held, oldest first, with the present one as far as it has come."""
        present = self._present()
        return [*self._ring, (*self._since, present)] if present else list(self._ring)

    def _present(self) -> int:
        """What the present period holds so far."""
        return self.total - self._told

    def __repr__(self) -> str:
        return f"{self.name} {self.total} {self.unit}".rstrip()


class Peak(Counter):
    """A level: its samples tell the highest in each period, and `highest` of all."""

    __slots__ = ("level",)

    def __init__(self, name: str, unit: str = "") -> None:
        super().__init__(name, unit)
        self.level = 0  # the highest in this period

    @property
    def highest(self) -> int:
        """The highest of all."""
        return max(self.total, self.level)

    def turn(self, moment: Moment) -> None:
        """A period ends, and another one begins now."""
        super().turn(moment)
        self.total, self.level = self.highest, 0

    def _present(self) -> int:
        return self.level


class Histogram:
    """How often numbers from 0 upwards came, in buckets that grow by a quarter of an octave.

    Bucket n has what is at least 2 ** ((n - 1) / 4) and less than 2 ** (n / 4); bucket 0 has 0.
    """

    BUCKETS = 257  # up to 2 ** 64

    __slots__ = ("counts", "unit")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.counts = [0] * self.BUCKETS

    def add(self, value: int) -> None:
        """Count `value`."""
        square = value * value
        self.counts[(square * square).bit_length()] += 1  # a power of four makes quarters whole

    @property
    def total(self) -> int:
        """How many numbers there were."""
        return sum(self.counts)

    def buckets(self) -> list[tuple[float, float, int]]:
        """(from, below, how many) of each bucket that has any; zeros are (0, 1, …)."""
        return [
            (2 ** ((place - 1) / 4) if place else 0, 2 ** (place / 4), count)
            for place, count in enumerate(self.counts)
            if count
        ]

    def quantile(self, share: float) -> float:
        """What this share of the numbers is below, within a bucket's width; 0 of none."""
        left = share * self.total
        for lower, upper, count in self.buckets():
            if left <= count:
                return lower + (upper - lower) * left / count if lower else 0.0
            left -= count
        return 0.0


class Stats:
    """All that one `owner` counts; a counter begins to exist when something is first counted.

    `kind` is what the owner is: "block", "network". Times count from when this was made;
    `instructions` tells the guest's.
    """

    def __init__(
        self,
        owner: str,
        kind: str = "",
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.owner = owner
        self.kind = kind
        self.instructions: Callable[[], int] = lambda: 0
        self.latency = Histogram("ns")
        """From a kick to the answer, for each request, by the host's clock."""
        self.work = Histogram("instructions")
        """What the guest retired meanwhile: 0 where it stood still."""
        self.depth = Peak("depth", "requests")
        """Requests that waited or were being served when one more was taken up."""
        self.born = clock()
        self._clock = clock
        self._requests = Counter("requests")
        self._waited = Counter("waited", "ns")
        self._counters = {"requests": self._requests, "waited": self._waited}
        self._moment: Moment = (self.born, 0)
        self._until = 0
        self.begin()

    def begin(self) -> None:
        """The machine turns to the owner: what it counts from here on happens now."""
        now = self._clock()
        self._moment = moment = (now, self.instructions())
        if now >= self._until:
            self._until = now + PERIOD
            for counter in (*self._counters.values(), self.depth):
                counter.turn(moment)

    def add(self, name: str, amount: int = 1, unit: str = "") -> None:
        """Count `amount` of `name`; `unit` is that of the counter's first time."""
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = Counter(name, unit)
            counter.turn(self._moment)
        counter.total += amount

    def taken(self, depth: int) -> Moment:
        """A request is taken up, the last of `depth`: since when it has been waiting."""
        if depth > self.depth.level:
            self.depth.level = depth
        return self._moment

    def answered(self, begun: Moment) -> None:
        """The request that has been waiting since `begun` is answered."""
        waited = self._clock() - begun[0]
        self.latency.add(waited)
        if (passed := self._moment[1] - begun[1]) > 0:
            self.work.add(passed)
        else:
            self.work.counts[0] += 1
        self._requests.total += 1
        self._waited.total += waited

    def __getitem__(self, name: str) -> int:
        """How much of `name` there was in all; 0 for what never happened."""
        counter = self._counters.get(name)
        return counter.total if counter else 0

    def counters(self) -> list[Counter]:
        """All that have counted something, requests first, the others as they began."""
        return [counter for counter in list(self._counters.values()) if counter.total]

    def __repr__(self) -> str:
        return f"{self.owner}: " + (", ".join(map(repr, self.counters())) or "nothing yet")
