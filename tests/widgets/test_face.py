"""A machine in an output: live widgets, and a picture for whoever has no kernel."""

import time
from typing import Any

import numpy as np
import pytest

from tests.programs import SPIN
from vnb import Console, Disk, Keyboard, Machine, Screen
from vnb.host.chars import Terminal
from vnb.widgets import snapshot
from vnb.widgets.face import Face
from vnb.widgets.live import LivePlot
from vnb.widgets.publisher import PUBLISHER
from vnb.widgets.snapshot import REFRESH, view


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
    monkeypatch.setattr(snapshot, "display", output.display)
    return output


def face(machine: Machine) -> Face:
    """Without the publisher's thread: the test plays it."""
    shown = Face(machine)
    PUBLISHER.remove(shown)
    return shown


def test_below_the_widgets_there_is_a_picture_that_follows_the_machine(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = face(machine)
        shown.show()
        *widgets, picture = output.shown
        assert widgets == [view(widget) for widget in shown.widgets]
        assert widgets[0].keys() == {"application/vnd.jupyter.widget-view+json"}
        assert 'class="vnb-snapshot"' in picture.data and "running" in picture.data
        machine.pause()
        assert shown.speak() is None
        assert "paused" in output.shown[-1].data


def test_what_shows_no_html_has_the_picture_in_words(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        face(machine).show()
        title, *rows = repr(output.shown[-1]).splitlines()
        assert title.endswith(": running")
        assert any(row.split() == ["memory", "1M"] for row in rows)
        machine.watch()._ipython_display_()
        assert "throughput" in repr(output.shown[-1])


def test_a_running_machines_picture_is_refreshed_seldom(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = face(machine)
        shown.show()
        shown.speak()
        first = output.shown[-1].data
        time.sleep(0.05)
        wait = shown.speak()
        assert wait is not None and 0 < wait <= REFRESH
        assert output.shown[-1].data == first


def test_the_picture_has_the_console_as_a_page_drew_it(output: Output) -> None:
    with Machine(SPIN, memory="1M") as machine:
        shown = face(machine)
        shown.console.picture = "<pre>in colour</pre>"
        shown.show()
        assert "<pre>in colour</pre>" in output.shown[-1].data


def test_the_picture_has_what_the_screens_show(output: Output) -> None:
    with Machine(SPIN, memory="1M", devices=[Console(), Keyboard(), Screen(64, 64)]) as machine:
        shown = face(machine)
        shown.show()
        assert "<img" not in output.shown[-1].data
        machine.devices["screen"].update(0, 0, np.full((64, 64, 4), 99, np.uint8))
        machine.pause()
        shown.speak()
        assert 'the guest&#x27;s screen"' in output.shown[-1].data


def test_the_picture_of_a_machine_that_is_gone_stays(output: Output) -> None:
    machine = Machine(SPIN, memory="1M")
    shown = face(machine)
    shown.show()
    machine.close()
    del machine
    shown.speak()
    assert "vnb · " in output.shown[-1].data


class Watched:
    """A live plot without the publisher's thread, and a page that looks at it."""

    def __init__(self, machine: Machine) -> None:
        self.widget: LivePlot = machine.watch()
        PUBLISHER.remove(self.widget)
        self.sent: list[tuple[str, list[bytes]]] = []
        self.widget.send = lambda content, buffers=None: self.sent.append(
            (content["kind"], buffers)
        )

    def look(self, again: bool = True) -> list[tuple[str, list[bytes]]]:
        """What a page is sent when it looks, once the figure is drawn."""
        self.sent.clear()
        self.widget._hear("one", {"kind": "look", "again": again})
        self.widget.speak()
        if self.widget._drawing:
            self.widget._drawing.join()
        self.widget.speak()
        return [message for message in self.sent if message[0] == "figure"]


def test_a_plot_is_drawn_for_who_looks_when_there_is_something_new() -> None:
    with Machine(devices=[Console(), Disk(size="1M")], memory="16M") as machine:
        machine.console.expect("labos> ")
        page = Watched(machine)
        ((_, (first,)),) = page.look(again=False)
        assert first.startswith(b"\x89PNG")
        assert page.look() == []
        machine.console.write("disk read 0\n")
        machine.console.expect("labos> ")
        ((_, (second,)),) = page.look()
        assert second != first


def test_a_page_that_is_loaded_again_is_sent_the_same_plot() -> None:
    with Machine(devices=[Disk(size="1M")], memory="16M") as machine:
        machine.pause()
        page = Watched(machine)
        ((_, first),) = page.look(again=False)
        ((_, again),) = page.look(again=False)
        assert again == first


def test_an_output_keeps_the_last_plot(output: Output) -> None:
    with Machine(devices=[Disk(size="1M")], memory="16M") as machine:
        page = Watched(machine)
        page.widget._ipython_display_()
        assert "data:image/png;base64,iVBOR" in output.shown[-1].data


def test_every_terminal_at_a_port_has_a_console_of_its_own(output: Output) -> None:
    ports = {"hvc1": Terminal(), "log": Terminal()}
    with Machine(devices=[Console(ports=ports)], memory="16M") as machine:
        titles = [getattr(widget, "title", "") for widget in face(machine).widgets]
        assert titles == ["", "labos", "labos hvc1", "labos log"]
