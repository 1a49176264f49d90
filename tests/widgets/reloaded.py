"""A notebook whose author edits vnb: its rooms are loaded again while a machine is shown.

    python -m tests.widgets.reloaded WAY

The vnb that is imported here is edited: it must be a copy.
"""

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.extensions.autoreload import superreload

import vnb
from vnb import Console, Keyboard, Machine
from vnb.widgets import face, live, screen

# fmt: off
ROOMS = (
    "waiting", "rest", "loop", "console", "panel",
    "widgets.publisher", "widgets.line", "widgets.widget", "widgets.snapshot", "widgets.hands",
    "widgets.console", "widgets.panel", "widgets.pad", "widgets.screen", "widgets.live",
    "widgets.plots", "widgets.face",
)
# fmt: on


def wait(true: Callable[[], object], what: str) -> None:
    """Until `true()` holds."""
    end = time.monotonic() + 30
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"waited for {what}")
        time.sleep(0.01)


class Page:
    """One page that shows a machine: it hears what widgets send, and talks to them."""

    def __init__(self, machine: Machine) -> None:
        self.face = face.Face(machine)
        self.output = b""
        self.heard: list[tuple[str, Any]] = []
        self._said = 0
        for widget in self.face.widgets:
            widget.send = self._hear
        self.say(self.face.console, "ready", position=0)
        wait(lambda: b"labos> " in self.output, "what the console said so far")

    def _hear(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.heard.append((content["kind"], content))
        self.output += b"".join(buffers)

    def say(self, widget: Any, kind: str, **fields: Any) -> None:
        """A message of this page, as its first from there."""
        content = {"kind": kind, "page": f"{self._said}", "n": 0, **fields}
        self._said += 1
        widget._handle_custom_msg(content, [])

    def asks(self, widget: Any, kind: str, answer: str) -> Any:
        """What a widget answers to a question."""
        self.heard.clear()
        self.say(widget, kind)
        wait(lambda: answer in dict(self.heard), f"the answer to {kind}")
        return dict(self.heard)[answer]

    def check(self, word: str) -> None:
        """All that a person may do there works."""
        panel, pad, console = self.face.widgets
        self.say(console, "input", text=f"echo {word}\r")
        wait(lambda: self.output.count(word.encode()) == 2, f"the answer to echo {word}")
        assert self.asks(panel, "look", "facts")["facts"]["state"] == "running"
        self.asks(pad, "ping", "here")


def touched(room: ModuleType) -> None:
    """As autoreload does when a file was saved."""
    path = Path(room.__file__ or "")
    path.write_text(path.read_text() + f"\n# saved {time.monotonic_ns()}\n")
    os.utime(path, (time.time(), path.stat().st_mtime + 10))
    result = InteractiveShell.instance().run_cell("pass")
    result.raise_error()


def superreloaded(room: ModuleType) -> None:
    """As autoreload does where it cannot patch functions one by one."""
    superreload(room, importlib.reload, {})


def reloaded(room: ModuleType) -> None:
    """As a cell may do by itself."""
    importlib.reload(room)


WAYS = {way.__name__: way for way in (touched, superreloaded, reloaded)}


def edited(page: Page) -> None:
    """What was changed in a file is so on a page that has shown the machine before."""
    path = Path(sys.modules["vnb.widgets.panel"].__file__ or "")
    before = path.read_text()
    path.write_text(before.replace('"title": panel.title', '"title": panel.title + " II"'))
    os.utime(path, (time.time(), path.stat().st_mtime + 10))
    InteractiveShell.instance().run_cell("pass")
    assert page.asks(page.face.widgets[0], "look", "facts")["facts"]["title"].endswith(" II")


def main(way: str) -> None:
    """Load every room again in this way; a page of before and one of after both work."""
    assert (Path(vnb.__file__).parent / ".copy").exists(), "this vnb is not a copy"
    assert live and screen
    shell = InteractiveShell.instance()
    shell.run_cell("%load_ext autoreload\n%autoreload 2")
    with Machine(memory="16M", devices=[Console(), Keyboard()]) as machine:
        page = Page(machine)
        for name in ROOMS:
            WAYS[way](importlib.import_module(f"vnb.{name}"))
            page.check(f"before-{name}")
            Page(machine).check(f"after-{name}")
        if way == "touched":
            edited(page)
        assert machine.state == "running"


if __name__ == "__main__":
    main(sys.argv[1])
