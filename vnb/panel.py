"""What a machine looks like at the end of a cell: the same few facts as text and as HTML."""

import html
from dataclasses import dataclass

COLORS = {  # readable on light and dark backgrounds
    "new": "#7f8c8d",
    "running": "#27ae60",
    "paused": "#e0a100",
    "off": "#7f8c8d",
    "failed": "#c0392b",
}


FRAME = (
    "margin:.5em 0 0;padding:.4em .6em;max-height:24em;overflow:auto;"
    "border:1px solid rgba(128,128,128,.35);border-radius:4px"
)
STYLE = (
    "<style>.vnb-lines pre{margin:0;padding:0;background:none;font:85%/1.35 monospace;"
    "white-space:pre}</style>"
)
"""For the console's lines, whoever drew them."""


@dataclass(frozen=True)
class Panel:
    """A title, a state in one word, rows of (what, how much), and the console's last lines."""

    title: str
    state: str
    note: str
    rows: tuple[tuple[str, str], ...]
    console: str

    def text(self) -> str:
        """For terminals and plain front ends."""
        state = f"{self.state} ({self.note})" if self.note else self.state
        width = max(len(name) for name, _ in self.rows)
        lines = [f"{self.title}: {state}"]
        lines += [f"  {name:<{width}}  {value}" for name, value in self.rows]
        lines += [f"  | {line}" for line in self.console.split("\n")] if self.console else []
        return "\n".join(lines)

    def html(self, picture: str = "", screens: str = "") -> str:
        """For notebooks: inherits the theme's colours and needs nothing from outside.

        `picture` is HTML of the console, for one that has more to show than its last lines, and
        `screens` HTML of what else there is to see.
        """
        dot = f'<span style="color:{COLORS[self.state]}">●</span>'
        note = f" <small>{html.escape(self.note)}</small>" if self.note else ""
        cells = "".join(
            f'<tr style="background:none"><th style="text-align:left;font-weight:normal;'
            f'opacity:.65;padding:1px 1.5em 1px 0">{html.escape(name)}</th>'
            f'<td style="text-align:left;padding:1px 0">{html.escape(value)}</td></tr>'
            for name, value in self.rows
        )
        shown = picture or (f"<pre>{html.escape(self.console)}</pre>" if self.console else "")
        seen = f'<div style="margin:.5em 0 0">{screens}</div>' if screens else ""
        console = f'<div class="vnb-lines" style="{FRAME}">{STYLE}{shown}</div>' if shown else ""
        return (
            '<div style="max-width:52em"><div>'
            f"<strong>{html.escape(self.title)}</strong> &nbsp;{dot} {self.state}{note}</div>"
            f'<table style="margin:.3em 0 0;border:none">{cells}</table>{seen}{console}</div>'
        )
