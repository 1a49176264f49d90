"""A pad on the page for a machine without a screen: what hands do there comes in."""

import pathlib
from collections.abc import Mapping
from typing import Any

import anywidget
import traitlets

from vnb.widgets.hands import Hands
from vnb.widgets.line import Line, Message
from vnb.widgets.publisher import PUBLISHER

STATIC = pathlib.Path(__file__).parent / "static"


class PadWidget(anywidget.AnyWidget):
    """Keyboard and pointer for the input devices among `devices`; it draws what it sends."""

    _esm = STATIC / "padview.js"
    _css = STATIC / "padview.css"
    title = traitlets.Unicode().tag(sync=True)

    def __init__(self, title: str, devices: Mapping[str, Any]) -> None:
        super().__init__(title=title)
        self._hands = Hands(devices)
        self._answer = False
        self._line = Line(self, self._hear)
        PUBLISHER.add(self)

    def close(self) -> None:
        """Take it off every page, for good."""
        PUBLISHER.remove(self)
        super().close()

    def speak(self) -> float | None:
        """Answer a page that asks whether anybody is there."""
        if self._answer:
            self._answer = False
            self._line.send({"kind": "here"})
        return None

    def _hear(self, page: str, message: Message) -> None:
        match message:
            case {"kind": "hand", "action": action}:
                self._hands.act(action)
            case {"kind": "ping"}:
                self._answer = True
