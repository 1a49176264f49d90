"""The panel's Python half: facts go out, presses come in, and it keeps no machine alive."""

import gc
import time
from typing import Any

from tests.patience import until
from tests.programs import SPIN
from vnb import Machine
from vnb.widgets.panel import PanelWidget
from vnb.widgets.publisher import PUBLISHER


class Shown:
    """A panel without its thread, and a page that shows it."""

    def __init__(self, machine: Machine) -> None:
        self.widget = PanelWidget(machine)
        PUBLISHER.remove(self.widget)
        self.sent: list[dict[str, Any]] = []
        self.widget.send = lambda content, buffers=None: self.sent.append(content)

    def say(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        """What is answered to this message."""
        self.sent.clear()
        self.widget._hear("one", {"kind": kind, **fields})
        self.widget.speak()
        return list(self.sent)


def test_it_says_what_the_machine_is_doing_when_a_page_looks() -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Shown(machine)
        ((answer),) = shown.say("look")
        assert answer["facts"]["state"] == "running"
        assert ["memory", "1M"] in answer["facts"]["rows"]
        shown.sent.clear()
        shown.widget.speak()
        assert shown.sent == [], "nobody asked again"


def test_a_new_state_is_told_without_being_asked() -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Shown(machine)
        machine.pause()
        shown.widget.speak()
        assert [content["facts"]["state"] for content in shown.sent] == ["paused"]


def test_its_buttons_are_the_machines() -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Shown(machine)
        shown.say("press", action="pause")
        until(lambda: machine.state == "paused")
        shown.say("press", action="start")
        until(lambda: machine.state == "running")
        shown.say("press", action="stop")
        until(lambda: machine.state == "off")


def test_a_page_can_ask_for_nothing_but_what_has_a_button() -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Shown(machine)
        shown.say("press", action="close")
        shown.say("press", action="_loop")
        time.sleep(0.1)
        assert machine.state == "running"


def test_a_machine_that_is_only_shown_ends_and_its_panel_says_so() -> None:
    machine = Machine(SPIN, memory="1M").start()
    shown = Shown(machine)
    del machine
    gc.collect()
    ((answer),) = shown.say("look")
    assert answer["facts"]["state"] == "closed"
