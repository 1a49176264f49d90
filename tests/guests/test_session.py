"""What a guest keeps from one command of a session to the next, and how its output is heard."""

import re
import shlex
import time

import pytest

from vnb import Console, Machine
from vnb.clock import ClockName

DEBIAN = [pytest.mark.debian, pytest.mark.xdist_group("debian")]


def said(machine: Machine, command: str) -> str:
    return machine.shell(command, timeout=60, session=True).stdout


class TestDebian:
    pytestmark = DEBIAN

    def test_directory_variables_and_umask_are_those_of_the_command_before(
        self, machine: Machine
    ) -> None:
        value = "two\nlines, a 'quote', \"another\" and\nPPID=3"
        said(machine, f"cd /usr/lib/vnb; export OUT=5; umask 027; x={shlex.quote(value)}; exit 3")
        assert said(machine, 'pwd; umask; printf %s "$x"') == f"/usr/lib/vnb\n0027\n{value}"
        assert "OUT=5\n" in said(machine, "env") and "x=" not in said(machine, "env | grep ^x=")
        said(machine, "umask 022; cd; unset x OUT")
        assert said(machine, "pwd; echo $x$OUT") == "/root\n\n"

    def test_a_session_s_shell_is_its_own_parent_s_child(self, machine: Machine) -> None:
        said(machine, "true")
        parent, shell = said(machine, "echo $PPID; cut -d ' ' -f 4 /proc/$$/stat").split()
        assert parent == shell

    def test_what_was_set_before_an_error_an_interrupt_or_a_trace_stays(
        self, machine: Machine
    ) -> None:
        said(machine, "set -e; a=1; false; a=2")
        with pytest.raises(TimeoutError):
            machine.shell("b=2; sleep 60", timeout=0.5, session=True)
        assert "+ c=3" in said(machine, "set -x; c=3")
        assert said(machine, "echo $a $b $c\n'unclosed").startswith("1 2 3\n")
        assert said(machine, "echo $a $b $c; unset a b c") == "1 2 3\n"

    def test_a_command_outside_of_a_session_sees_nothing_of_it(self, machine: Machine) -> None:
        said(machine, "inside=1; cd /tmp")
        assert machine.shell("pwd; echo $inside").stdout == "/root\n\n"
        said(machine, "unset inside; cd")

    def test_a_picture_is_printed_as_the_escape_sequence_for_it(self, machine: Machine) -> None:
        printed = said(machine, "printf '<svg/>' > /tmp/a.svg; imgcat /tmp/a.svg /tmp/a.svg")
        assert re.fullmatch(
            r"(\x1b]1337;File=inline=1;size=6;name=YS5zdmc=:PHN2Zy8\+\a\n){2}", printed
        )
        assert "no such file" in said(machine, "imgcat /tmp/b.svg; echo status $?; rm /tmp/a.svg")


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_whoever_listens_slowly_hears_everything(clock: ClockName) -> None:
    heard = bytearray()

    def listen(data: bytes) -> None:
        heard.extend(data)
        time.sleep(0.01)

    with Machine(memory="16M", clock=clock, devices=[Console()]) as machine:
        command = "mem dump 0x80000000 64K; echo end"
        result = machine.shell(command, timeout=60, on_output=listen, session=True)
        assert bytes(heard) == result.raw
        assert len(heard) > 200_000 and heard.endswith(b"\nend\n")
