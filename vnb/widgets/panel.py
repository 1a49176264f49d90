"""The front panel on a page: what the machine says goes out, presses of its buttons come in."""

import threading
import weakref
from typing import TYPE_CHECKING, Any

import traitlets

from vnb.panel import Panel
from vnb.rest import Rest
from vnb.widgets.line import Message
from vnb.widgets.widget import STATIC, Widget

if TYPE_CHECKING:
    from vnb.machine import Machine

BUTTONS = ("start", "pause", "reset", "stop")
"""What a page may ask of a machine: methods of that name."""

CLOSED = "closed"


class PanelWidget(Widget):
    """A machine's panel. It does not keep the machine: one that nobody else refers to ends."""

    _esm = STATIC / "panel.js"
    _css = STATIC / "panel.css"
    facts = traitlets.Dict().tag(sync=True)

    def __init__(self, machine: "Machine") -> None:
        super().__init__(facts=described(machine.facts()))
        self._machine = weakref.ref(machine)
        self._last = self.facts
        self._asked = False
        self._pressed: list[str] = []
        self.rest = Rest(machine)
        machine.console.bell.follow(self._publisher.wake)
        self._begin()

    def tell(self) -> float | None:
        """Tell the facts to a page that asked, and to all when the state is another one."""
        pressed, self._pressed = self._pressed, []
        for action in pressed:
            threading.Thread(target=self._press, args=(action,), name="vnb-press").start()
        machine = self._machine()
        state = machine.state if machine is not None else CLOSED
        if self._asked or state != self._last["state"]:
            self._asked = False
            facts = described(machine.facts()) if machine is not None else self._last
            self._last = facts | {"state": state}
            self._line.send({"kind": "facts", "facts": self._last})
        return self.rest.look()

    def _press(self, action: str) -> None:
        """Do what a button asks, in a thread of its own: a start may first build a guest."""
        machine = self._machine()
        if machine is not None:
            getattr(machine, action)()

    def hear(self, page: str, message: Message) -> None:
        match message:
            case {"kind": "look" | "ping"}:
                self._asked = True
                self.rest.used()
            case {"kind": "press", "action": str(action)} if action in BUTTONS:
                self._pressed.append(action)


def described(panel: Panel) -> dict[str, Any]:
    """A panel as a page takes it."""
    return {
        "title": panel.title,
        "state": panel.state,
        "note": panel.note,
        "rows": [list(row) for row in panel.rows],
    }
