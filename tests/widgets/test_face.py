"""A machine in an output: live widgets, and a picture for whoever has no kernel."""

import time
from typing import Any

import pytest

from tests.programs import SPIN
from vnb import Machine
from vnb.widgets import face
from vnb.widgets.face import Face, view
from vnb.widgets.publisher import PUBLISHER


class Output:
    """What was displayed, as a notebook would have it."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def display(self, *things: Any, raw: bool = False, display_id: bool = False) -> "Output":
        self.shown += things
        return self

    def update(self, thing: Any) -> None:
        self.shown[-1] = thing


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    output = Output()
    monkeypatch.setattr(face, "display", output.display)
    return output


def test_below_the_widgets_there_is_a_picture_that_follows_the_machine(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Face(machine)
        PUBLISHER.remove(shown)
        shown.show()
        panel, console, picture = output.shown
        assert (panel, console) == (view(shown.panel), view(shown.console))
        assert panel.keys() == {"application/vnd.jupyter.widget-view+json"}
        assert 'class="vnb-snapshot"' in picture.data and "running" in picture.data
        machine.pause()
        assert shown.speak() is None
        assert "paused" in output.shown[-1].data


def test_a_running_machines_picture_is_refreshed_seldom(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Face(machine)
        PUBLISHER.remove(shown)
        shown.show()
        shown.speak()
        first = output.shown[-1].data
        time.sleep(0.05)
        wait = shown.speak()
        assert wait is not None and 0 < wait <= face.REFRESH
        assert output.shown[-1].data == first


def test_the_picture_has_the_console_as_a_page_drew_it(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = Face(machine)
        PUBLISHER.remove(shown)
        shown.console.picture = "<pre>in colour</pre>"
        shown.show()
        assert "<pre>in colour</pre>" in output.shown[-1].data
