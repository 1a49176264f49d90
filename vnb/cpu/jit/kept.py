"""Regions of earlier runs: found again by what is in the pages that they begin in.

A page of code that was translated yesterday gets yesterday's regions as soon as it is decoded,
before any of it is hot. What it says, and not where it is, is its name, so another boot of the same
guest finds them, whatever it put where. The bytes of every instruction are compared before a region
is used; pages of which no region begins are only looked at once.
"""

import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from time import perf_counter
from typing import cast

from vnb.cpu import objects
from vnb.cpu.jit.code import MADE_FROM, Linker, Made, host_name
from vnb.cpu.jit.places import DecodedPages, Layout
from vnb.cpu.jit.region import Outline, Region

PREFIX, KEPT_BYTES = "page-", 64 << 20
"""What pages are called in the cache of compiled code, and how much of it they may take."""
MOST_OF_A_PAGE = 48
"""Regions that are kept of one page."""

Digests = dict[int, bytes]
"""What is in each page that a region covers, by its distance."""


@dataclass(frozen=True)
class Kept:
    """A region as it is kept; its graph once more in a piece of its own, since few ask for it."""

    pc: int
    outline: Outline
    made: Made
    digests: Digests
    graph: bytes


@cache
def _prefix() -> str:
    """What the pages of this host and these sources are called, before the digest of each."""
    made_from = (*MADE_FROM, "jit/kept.py", "jit/region.py", "jit/arena.py")
    return f"{PREFIX}{objects.key(*host_name(), made_from=made_from)[:16]}-"


def name(digest: bytes) -> str:
    """What a page is called in the cache."""
    return _prefix() + digest.hex()[:32]


def kept_of(digest: bytes) -> dict[int, Kept]:
    """The regions that begin in a page, by the offset."""
    content = objects.get(name(digest))
    return {} if content is None else cast(dict[int, Kept], pickle.loads(content))


def keep(region: Region, digests: Digests) -> None:
    """Keep a region, in the place of an earlier one that began where it does."""
    objects.trim_once(PREFIX, KEPT_BYTES)
    known = kept_of(digests[0])
    known.pop(region.outline.entry, None)
    known[region.outline.entry] = Kept(
        region.pc, region.outline, region.made.laid_out(), digests, pickle.dumps(region.graph)
    )
    while len(known) > MOST_OF_A_PAGE:
        known.pop(next(iter(known)))
    objects.put(name(digests[0]), pickle.dumps(known))


def discard(region: Region, digests: Digests) -> None:
    """Keep a region no longer: it did not pay."""
    known = kept_of(digests[0])
    if known.pop(region.outline.entry, None) is not None:
        objects.put(name(digests[0]), pickle.dumps(known))


class Sightings:
    """The decoded pages of a hart as they come up, and what is kept of them."""

    def __init__(self, decoded: DecodedPages) -> None:
        self.decoded = decoded
        self.names: set[str] = set()
        with suppress(FileNotFoundError):
            self.names |= {
                name for name in os.listdir(objects.folder()) if name.startswith(_prefix())
            }
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
        missing = [digest for digest in kept.digests.values() if digest not in self.numbers]
        if missing:
            self.waiting.setdefault(missing[0], []).append(kept)
            return
        numbers = {delta: self.numbers[digest] for delta, digest in kept.digests.items()}
        layout = Layout.of(self.decoded, kept.pc, numbers)
        if all(layout.code(at, len(raw)) == raw for at, raw in kept.outline.guest):
            yield kept, layout

    def of(self, region: Region) -> Digests | None:
        """What is in the pages of a region; None if one of them was never seen."""
        numbers = {delta: region.layout.number(delta) for delta in region.outline.pages}
        digests = {d: self.digests[n] for d, n in numbers.items() if n in self.digests}
        return digests if len(digests) == len(numbers) else None


def recall(kept: Kept, layout: Layout, linker: Linker) -> Region:
    """The region once more, where its pages are now; LookupError if its code cannot be loaded."""
    started = perf_counter()
    return Region(
        pc=kept.pc,
        outline=kept.outline,
        layout=layout,
        code=linker.load(replace(kept.made, cached=True)),
        made=kept.made,
        seconds=perf_counter() - started,
        draw=partial(pickle.loads, kept.graph),
        recalled=True,
    )
