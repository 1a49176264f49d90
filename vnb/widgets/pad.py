"""A pad on the page for a machine without a screen: what hands do there comes in."""

from collections.abc import Mapping
from typing import Any

import traitlets

from vnb.widgets.hands import Hands
from vnb.widgets.line import Message
from vnb.widgets.widget import STATIC, Widget


class PadWidget(Widget):
    """Keyboard and pointer for the input devices among `devices`; it draws what it sends."""

    _esm = STATIC / "padview.js"
    _css = STATIC / "padview.css"
    title = traitlets.Unicode().tag(sync=True)

    picture = ""  # for pages without a kernel, on which nobody types

    def __init__(self, title: str, devices: Mapping[str, Any]) -> None:
        super().__init__(title=title)
        self._hands = Hands(devices)
        self._begin()

    def hear(self, page: str, message: Message) -> None:
        match message:
            case {"kind": "hand", "action": action}:
                self._hands.act(action)
