"""The exercises of notebook 04: what follows from a few counters of a disk."""

from collections.abc import Mapping

from vnb.labs.exercise import Exercise, asked, expect

Counters = Mapping[str, int]


def hit_rate(wanted: int, read: int) -> float:
    """The share of `wanted` bytes that a cache had, if the disk was asked for `read` of them."""
    return max(0.0, 1 - read / wanted)


def examine_hit_rate(answer: object) -> str:
    """From all to none, and with a disk that was asked for more than was wanted."""
    for wanted, read, right in (100, 0, 1.0), (100, 25, 0.75), (64, 64, 0.0), (100, 130, 0.0):
        found = asked(answer, wanted, read)
        words = f"{wanted} bytes wanted, {read} read from the disk"
        close = abs(found - right) < 1e-6
        more = "; read-ahead may fetch more than anybody wants, but no rate is below 0"
        expect(close, f"{words}: {right}, not {found}{more if read > wanted else ''}")
    return "what the disk was not asked for, the cache had."


def mean_size(before: Counters, after: Counters) -> float:
    """Bytes in a request, on the average, between two looks at the counters; 0 if none was made."""
    requests = after["requests"] - before["requests"]
    moved = sum(after[name] - before[name] for name in ("read", "written"))
    return moved / requests if requests else 0.0


def examine_mean_size(answer: object) -> str:
    """Reads, writes, both, and a disk that did nothing."""
    zero = {"requests": 10, "read": 4096, "written": 512, "waited": 1000}
    for requests, read, written in (4, 16384, 0), (2, 0, 1024), (10, 4096, 8192), (0, 0, 0):
        after = {
            "requests": 10 + requests,
            "read": 4096 + read,
            "written": 512 + written,
            "waited": 9000,
        }
        found = asked(answer, dict(zero), after)
        right = (read + written) / requests if requests else 0
        words = f"{requests} more requests, {read} bytes more read and {written} more written"
        expect(abs(found - right) < 1e-6, f"{words}: {right:g} bytes each, not {found:g}")
    return "the difference of two looks is what happened between them."


def mean_depth(before: Counters, after: Counters, seconds: float) -> float:
    """Requests that were on their way at once, on the average: all their waiting, over the time."""
    return (after["waited"] - before["waited"]) / 1e9 / seconds


def examine_mean_depth(answer: object) -> str:
    """A few requests that overlap, or leave gaps."""
    cases = (
        (1, 1_000_000_000, 1.0, "one request that takes the whole second"),
        (4, 2_000_000_000, 1.0, "four of half a second each, in one second"),
        (10, 500_000_000, 2.0, "ten of 50 ms each, in two seconds"),
    )
    for requests, waited, seconds, words in cases:
        before = {"requests": 7, "waited": 123_456_789}
        after = {"requests": 7 + requests, "waited": 123_456_789 + waited}
        found = asked(answer, before, after, seconds)
        right = waited / 1e9 / seconds
        expect(abs(found - right) < 1e-6, f"{words}: {right:g} at once, not {found:g}")
    return "this is Little's law: rate × latency = how many are there at once."


EXERCISES = {
    "04.1": Exercise(hit_rate, examine_hit_rate),
    "04.2": Exercise(mean_size, examine_mean_size),
    "04.3": Exercise(mean_depth, examine_mean_depth),
}
