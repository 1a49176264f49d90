"""What a magic shows goes to a page: the output of a cell, whatever front end draws it."""

import html
from dataclasses import dataclass
from typing import Any, Protocol


class Page(Protocol):
    """The output of the cell that runs now. Any thread may call it."""

    def print(self, text: str) -> None:
        """More text after the last."""

    def show(self, thing: Any) -> None:
        """Something that can show itself to IPython: a figure, a picture, a machine."""

    def tell(self, text: str) -> None:
        """How it is going, in a line that the next such line of the cell replaces."""


@dataclass(frozen=True)
class Note:
    """A line that a page is told."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f'<small style="opacity:.7">{html.escape(self.text)}</small>'
