"""Ports of the console as a cell asks for them."""

from pathlib import Path
from typing import Any

import pytest

from vnb import Console, Machine, images
from vnb.errors import UsageError
from vnb.host.chars import Log, Pty, Terminal


def test_ports_are_told_and_terminals_have_a_shell() -> None:
    console = Console(ports={"data": Terminal(), "hvc1": Terminal(), "hvc2": Terminal()})
    assert str(console) == "console 80×25, data, hvc1, hvc2"
    assert console.append("console") == "vnb.shell=hvc1 vnb.shell=hvc2"
    assert Console().append("console") == ""


@pytest.mark.parametrize(
    ("ports", "words"),
    [
        ([Terminal()], "up to 30 of them by name"),
        ({f"p{number}": Terminal() for number in range(31)}, "up to 30 of them by name"),
        ({"": Terminal()}, "'' is no name of a port"),
        ({"a/b": Terminal()}, "'a/b' is no name of a port"),
        ({"..": Terminal()}, "is no name of a port"),
        ({"x" * 65: Terminal()}, "is no name of a port"),
        ({"vnb.agent": Terminal()}, "not beginning with 'vnb.'"),
        ({7: Terminal()}, "7 is no name of a port"),
        ({"data": Pty}, "data=<class .*: one of vnb.host.chars"),
        ({"data": "/dev/ttyS0"}, r"data='/dev/ttyS0': one of vnb\.host\.chars: Pty\(\), Pipe"),
        ({"hvc0": Terminal()}, "hvc1, hvc2 … come in that order"),
        ({"hvc2": Terminal(), "hvc1": Terminal()}, "hvc1, hvc2 … come in that order"),
    ],
)
def test_a_port_that_is_none_is_refused(ports: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"^ports.*{words}"):
        Console(ports=ports)


def test_a_machine_has_its_ports_open_until_it_is_closed(tmp_path: Path) -> None:
    pty, log = Pty(), Log(tmp_path / "log")
    devices = [Console(ports={"data": pty, "log": log})]
    machine = Machine(images.labos(), devices=devices)
    assert machine.devices["console"]["data"] is pty
    with pytest.raises(UsageError, match="in use by another machine"):
        Machine(images.labos(), devices=devices)
    machine.close()
    Machine(images.labos(), devices=devices).close()


def test_a_port_that_cannot_be_opened_leaves_the_others_closed(tmp_path: Path) -> None:
    pty, log = Pty(), Log(tmp_path / "log")
    log.open()
    with pytest.raises(UsageError, match=r"log'.* is in use"):
        Machine(images.labos(), devices=[Console(ports={"data": pty, "log": log})])
    pty.open()
    pty.close()
    log.close()
