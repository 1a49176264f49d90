"""What a person sees of a translator: its statistics and regions, as text and for notebooks."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vnb.clock import NANOSECONDS_PER_TICK
from vnb.cpu.state import REGION_VISITS, State

if TYPE_CHECKING:
    from vnb.cpu.jit.region import Region

HOTTEST = 5
"""Regions that a report shows."""

BORDER = "border:1px solid rgba(128,128,128,.35)"
PRE = "margin:0;padding:.4em .6em;background:none;font:85%/1.35 monospace;white-space:pre"
CELL = "padding:1px 1.5em 1px 0;vertical-align:top"

DIRECTIVE = re.compile(r"^\s+\.|^\.Lfunc|^\s*$")
"""Lines of an assembler file that are neither an instruction nor the target of one."""


class Lines(str):
    """Text of many lines, which a cell shows as such."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="{PRE}">{html.escape(self)}</pre>'


def instructions_of(assembly: str) -> Lines:
    """The instructions and labels of an assembler file."""
    lines = assembly.expandtabs(8).split("\n")
    return Lines("\n".join(line for line in lines if not DIRECTIVE.match(line)))


def beside(title: str, columns: dict[str, Lines]) -> str:
    """Texts side by side, each under its heading; where there is little room, one below another."""
    texts = "".join(
        f'<div style="flex:1 1 20em;min-width:0"><small style="opacity:.65">{html.escape(heading)}'
        f'</small><div style="{BORDER};border-radius:4px;overflow:auto;max-height:30em">'
        f"{text._repr_html_()}</div></div>"
        for heading, text in columns.items()
    )
    return (
        f"<div><strong>{html.escape(title)}</strong>"
        f'<div style="display:flex;flex-wrap:wrap;gap:.8em;margin-top:.3em">{texts}</div></div>'
    )


def counted(number: int, what: str) -> str:
    """1 region, 2 regions."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Times:
    """For how many seconds of the host's clock a hart was in each tier.

    An estimate: regions are timed at one visit in 256, and what remains of the time in the engine
    is divided by where the hart is found every 16,384 instructions. So an instruction interpreted
    here and there among blocks counts like one of theirs, although it takes longer.
    """

    regions: float
    """In regions."""
    blocks: float
    """In blocks."""
    interpreter: float
    """In neither: instructions one by one, traps, page walks, decoding."""
    outside: float
    """Measured: outside the engine, with devices and the translator, waiting, or paused."""

    @property
    def inside(self) -> float:
        """Measured, up to the last look: in the engine, whichever tier."""
        return self.regions + self.blocks + self.interpreter

    @classmethod
    def of(cls, state: State) -> "Times":
        """What the engine noted since the hart's reset."""
        elsewhere = state.ticks_blocks + state.ticks_interpreter
        inside = elsewhere + state.ticks_regions
        visits = state.ticks_visits << REGION_VISITS
        regions = min(inside, visits) if visits < 1 << 63 else 0  # less than nothing, by rounding
        blocks = (inside - regions) * state.ticks_blocks / elsewhere if elsewhere else 0.0
        second = 1e9 / NANOSECONDS_PER_TICK
        return cls(
            regions=regions / second,
            blocks=blocks / second,
            interpreter=(inside - regions - blocks) / second,
            outside=state.ticks_outside / second,
        )

    def __str__(self) -> str:
        if not self.inside:
            return "0.00 s"
        parts = (self.regions, self.blocks, self.interpreter)
        shares = [f"{part / self.inside:.0%}" for part in parts]
        return (
            f"{self.inside:.2f} s: about {shares[0]} in regions, {shares[1]} in blocks,"
            f" {shares[2]} interpreting"
        )


@dataclass(frozen=True)
class Report:
    """What a translator did: its regions, and how many instructions each of them retired."""

    regions: tuple["Region", ...]
    retired: tuple[int, ...]
    forgotten: int
    """Instructions that regions retired which are gone."""
    total: int
    """Instructions that the hart retired, in regions or not."""
    blocks: int
    """Runs of instructions that were joined from stencils, without LLVM."""
    exits: int
    """Times that a region was left, for another or for the interpreter."""
    refused: int
    """Regions whose code had changed before they were ready."""
    evictions: int
    """Times that all regions were forgotten, for want of room or because code was replaced."""
    time: Times
    """That the hart spent in each tier, and outside of them."""

    @property
    def bytes(self) -> int:
        """Of native code."""
        return sum(region.code.size for region in self.regions)

    @property
    def seconds(self) -> float:
        """Spent on translating the regions there are, most of it on another thread."""
        return sum(region.seconds for region in self.regions)

    @property
    def cached(self) -> int:
        """Regions that came from the cache on disk."""
        return sum(region.code.cached for region in self.regions)

    @property
    def thorough(self) -> int:
        """Regions that were so hot that LLVM took its time over them."""
        return sum(region.made.thorough for region in self.regions)

    @property
    def share(self) -> float:
        """Of the hart's instructions, those that regions retired, not blocks or the interpreter."""
        return (sum(self.retired) + self.forgotten) / self.total if self.total else 0.0

    def hottest(self, count: int = HOTTEST) -> list["Region"]:
        """The regions that retired most."""
        return [region for region, _ in self._order(count)]

    def _order(self, count: int) -> list[tuple["Region", int]]:
        pairs = zip(self.regions, self.retired, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:count]

    def _facts(self) -> Iterator[tuple[str, str]]:
        regions = counted(len(self.regions), "region")
        origins = f"{self.cached} from the cache, {self.thorough} thorough"
        yield "translated", f"{regions} ({origins}), {self.bytes >> 10} KiB"
        yield "took", f"{self.seconds:.2f} s"
        yield "joined", counted(self.blocks, "block")
        yield "retired", f"{self.share:.0%} of {counted(self.total, 'instruction')}"
        yield "ran", str(self.time)
        yield "was away", f"{self.time.outside:.2f} s, for devices and translating, or waiting"
        yield "left", counted(self.exits, "time")
        yield "refused", counted(self.refused, "region")
        yield "began anew", counted(self.evictions, "time")

    def __repr__(self) -> str:
        facts = [f"{name:<10}  {value}" for name, value in self._facts()]
        hottest = [
            f"{self._part(retired):>10}  {region}" for region, retired in self._order(HOTTEST)
        ]
        return "\n".join(facts + hottest)

    def _part(self, retired: int) -> str:
        return f"{retired / self.total:.1%}" if self.total else ""

    def _repr_html_(self) -> str:
        facts = "".join(
            f'<tr style="background:none"><th style="text-align:left;font-weight:normal;'
            f'opacity:.65;{CELL}">{name}</th><td style="text-align:left;{CELL}">{value}</td></tr>'
            for name, value in self._facts()
        )
        return f'<table style="border:none">{facts}</table>{self._hottest_html()}'

    def _hottest_html(self) -> str:
        """A row for each of the hottest regions, which unfolds to what the guest wrote."""
        rows = "".join(
            f'<tr style="background:none"><td style="text-align:right;{CELL}">'
            f'{self._part(retired)}</td><td style="text-align:left;{CELL}"><details>'
            f'<summary style="cursor:pointer">{html.escape(region.summary)}</summary>'
            f'<div style="{BORDER};border-radius:4px;overflow:auto;max-height:24em">'
            f"{region.listing()._repr_html_()}</div></details></td></tr>"
            for region, retired in self._order(HOTTEST)
        )
        return f'<table style="border:none;margin-top:.3em">{rows}</table>' if rows else ""
