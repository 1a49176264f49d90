"""What an output keeps for pages without a kernel: a picture in plain HTML of what was live."""

import time
from collections.abc import Callable
from typing import Any

from IPython.display import HTML, display

CLASS = "vnb-snapshot"
"""The class of the picture, which live widgets hide."""

REFRESH = 10.0
"""Seconds between two pictures."""


class Picture(HTML):  # type: ignore[misc]
    """HTML, and words in its place for what shows none, as a terminal."""

    def __init__(self, html: str, words: str) -> None:
        super().__init__(f'<div class="{CLASS}">{html}</div>')
        self._words = words

    def __repr__(self) -> str:
        return self._words


class Snapshot:
    """Pictures of one thing, which `draw()` makes as HTML and words, in all outputs that show it.

    A notebook that is saved, exported or opened without a kernel has no widgets: then this shows.
    """

    def __init__(self, draw: Callable[[], tuple[str, str]]) -> None:
        self._draw = draw
        self._handles: list[Any] = []
        self._shown = ""
        self._state: object = None
        self._next = 0.0

    def show(self, *widgets: Any) -> None:
        """One more output, with these widgets above the picture."""
        for widget in widgets:
            display(view(widget), raw=True)
        self._handles.append(display(self._framed(), display_id=True))
        self._next = time.monotonic() + REFRESH

    def follow(self, state: object) -> float | None:
        """Draw it again: at once in a new `state`, and else now and then.

        The seconds after which to ask again; None if it is shown nowhere.
        """
        if not self._handles:
            return None
        wait = self._next - time.monotonic()
        if wait > 0 and state == self._state:
            return wait
        self._state = state
        before, picture = self._shown, self._framed()
        if self._shown != before:
            for handle in self._handles:
                handle.update(picture)
        self._next = time.monotonic() + REFRESH
        return REFRESH

    def _framed(self) -> Picture:
        self._shown, words = self._draw()
        return Picture(self._shown, words)


def view(widget: Any) -> dict[str, Any]:
    """A widget as it is displayed, without words for pages that cannot: those have the picture."""
    model = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": model}
