"""Regions of earlier runs: found again by what is in the pages that they begin in.

A page of code that was translated yesterday gets yesterday's regions as soon as it is decoded,
before any of it is hot. What it says, and not where it is, is its name, so another boot of the same
guest finds them, whatever it put where. The bytes of every instruction are compared before a region
is used; pages of which no region begins are only looked at once.
"""

import hashlib
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import cast

from vnb.cpu import objects
from vnb.cpu.jit.code import MADE_FROM, Linker, Made, host_name
from vnb.cpu.jit.graph import Graph
from vnb.cpu.jit.places import DecodedPages, Layout
from vnb.cpu.jit.region import Region

PREFIX, KEPT_BYTES = "page-", 64 << 20
"""What pages are called in the cache of compiled code, and how much of it they may take."""
MOST_OF_A_PAGE = 48
"""Regions that are kept of one page."""


@dataclass(frozen=True)
class Kept:
    """A region as it is kept."""

    pc: int
    graph: Graph
    made: Made
    pages: dict[int, bytes]
    """The digest of every page that it covers, by its distance."""
    guest: tuple[tuple[int, bytes], ...]


def name(digest: bytes) -> str:
    """What a page is called in the cache."""
    return PREFIX + objects.key(digest.hex(), *host_name(), made_from=(*MADE_FROM, "jit/kept.py"))


def kept_of(digest: bytes) -> dict[int, Kept]:
    """The regions that begin in a page, by the offset."""
    content = objects.get(name(digest))
    return {} if content is None else cast(dict[int, Kept], pickle.loads(content))


def keep(kept: Kept) -> None:
    """Keep a region, in the place of an earlier one that began where it does."""
    known = kept_of(kept.pages[0])
    known.pop(kept.graph.entry[0], None)
    known[kept.graph.entry[0]] = kept
    while len(known) > MOST_OF_A_PAGE:
        known.pop(next(iter(known)))
    objects.put(name(kept.pages[0]), pickle.dumps(known))


def discard(kept: Kept) -> None:
    """Keep a region no longer: it did not pay."""
    known = kept_of(kept.pages[0])
    if known.pop(kept.graph.entry[0], None) is not None:
        objects.put(name(kept.pages[0]), pickle.dumps(known))


class Sightings:
    """The decoded pages of a hart as they come up, and what is kept of them."""

    def __init__(self, decoded: DecodedPages) -> None:
        self.decoded = decoded
        objects.trim(PREFIX, KEPT_BYTES)
        self.names = {place.name for place in objects.folder().glob(f"{PREFIX}*")}
        self.forget()

    def forget(self) -> None:
        """The hart decodes all pages anew."""
        self.next = 1
        self.digests: dict[int, bytes] = {}
        self.numbers: dict[bytes, int] = {}
        self.waiting: dict[bytes, list[Kept]] = {}

    def look(self) -> Iterator[tuple[Kept, Layout]]:
        """Kept regions of the pages that came up since: those of which all pages are there."""
        if self.decoded.state.decoded_count < self.next:
            self.forget()
        while self.next < self.decoded.state.decoded_count:
            number, self.next = self.next, self.next + 1
            if not self.decoded.is_current(number):
                continue
            digest = hashlib.sha256(self.decoded.content(number)).digest()
            self.digests[number], self.numbers[digest] = digest, number
            candidates = self.waiting.pop(digest, [])
            if name(digest) in self.names:
                candidates += kept_of(digest).values()
            for kept in candidates:
                yield from self._ready(kept)

    def _ready(self, kept: Kept) -> Iterator[tuple[Kept, Layout]]:
        missing = [digest for digest in kept.pages.values() if digest not in self.numbers]
        if missing:
            self.waiting.setdefault(missing[0], []).append(kept)
            return
        numbers = {delta: self.numbers[digest] for delta, digest in kept.pages.items()}
        layout = Layout.of(self.decoded, kept.pc, numbers)
        if all(layout.code(at, len(raw)) == raw for at, raw in kept.guest):
            yield kept, layout

    def kept(self, region: Region) -> Kept | None:
        """What to keep of a region; None if one of its pages was never seen."""
        numbers = {delta: region.layout.number(delta) for delta in region.pages}
        digests = {d: self.digests[n] for d, n in numbers.items() if n in self.digests}
        if len(digests) < len(numbers):
            return None
        origin = region.layout.origin
        guest = tuple((address - origin, raw) for address, raw in region.guest)
        return Kept(region.pc, region.graph, region.made, digests, guest)


def recall(kept: Kept, layout: Layout, linker: Linker) -> Region:
    """The region once more, where its pages are now."""
    started = perf_counter()
    return Region(
        pc=kept.pc,
        graph=kept.graph,
        layout=layout,
        pages=kept.graph.pages(),
        code=linker.load(replace(kept.made, cached=True)),
        made=kept.made,
        seconds=perf_counter() - started,
        guest=tuple((layout.origin + at, raw) for at, raw in kept.guest),
        recalled=True,
    )
