"""The pad's Python half, for a machine that has hands and no screen."""

from typing import Any

from vnb import Console, Keyboard, Machine, Screen, Tablet
from vnb.host.input import Keyboard as Board
from vnb.widgets.face import screens
from vnb.widgets.pad import PadWidget
from vnb.widgets.publisher import PUBLISHER


def test_what_hands_do_on_it_reaches_the_machine_and_a_question_is_answered() -> None:
    keyboard = Board()
    widget = PadWidget("test", {"keyboard": keyboard})
    PUBLISHER.remove(widget)
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, buffers=None: sent.append(content)
    widget._hear("one", {"kind": "hand", "action": {"kind": "key", "code": "F1", "down": True}})
    widget._hear("one", {"kind": "ping"})
    widget.speak()
    widget.speak()
    assert keyboard.take()[0] == (1, 59, 1)
    assert sent == [{"kind": "here"}]


def test_a_machine_shows_its_screen_or_a_pad_or_neither() -> None:
    shown = []
    for devices in ([Console()], [Keyboard()], [Tablet(), Screen(64, 64)]):
        machine = Machine(devices=devices, memory="16M")
        shown.append([type(widget).__name__ for widget in screens(machine)])
        machine.close()
    assert shown == [[], ["PadWidget"], ["ScreenWidget"]]
