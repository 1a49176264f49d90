"""Whoever types at labos's prompt can correct what is typed, have it back, and stop it."""

import re

import pytest

from tests.guest.prompt import PROMPT, typed
from vnb import Machine

LEFT, RIGHT, UP, DOWN, DELETE = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x1b[3~"
HOME, END = "\x1b[H", "\x1bOF"


def ctrl(letter: str) -> str:
    return chr(ord(letter) & 31)


@pytest.mark.parametrize(
    ("keys", "output"),
    [
        ("echo ad" + LEFT + "bc", "abcd"),
        ("echo abX\x7f\x08bc", "abc"),
        ("cho abc" + HOME + "e" + END + "d", "abcd"),
        ("cho abc" + ctrl("A") + "e" + ctrl("E") + "d", "abcd"),
        ("echo abc" + LEFT * 2 + RIGHT + ctrl("K") + "x", "abx"),
        ("nonsense" + ctrl("U") + "echo abc", "abc"),
        ("echo abXc" + LEFT * 2 + DELETE, "abc"),
        ("echo abXc" + LEFT * 2 + ctrl("D"), "abc"),
        (LEFT * 3 + "\x7f" + DELETE + RIGHT + "echo abc", "abc"),
        ("echo grün" + LEFT + "\x7fü", "grün"),
        ("echo grün" + LEFT * 2 + DELETE + "u", "grun"),
        ("\x1b[5~\x1b[1;5P\x1bxecho abc", "abc"),
        (
            "echo " + "0123456789" * 12 + LEFT * 100 + "X",
            "01234567890123456789X" + "0123456789" * 10,
        ),
    ],
)
def test_a_line_can_be_edited(machine: Machine, keys: str, output: str) -> None:
    assert typed(machine, keys + "\r") == output + "\n"


def test_a_long_line_scrolls_within_eighty_columns(machine: Machine) -> None:
    machine.console.write("echo " + "x" * 200 + LEFT * 3 + "y\r")
    shown = machine.console.expect(re.compile(r"(?s)\A(.*)\r\n(x+yxxx)\r\n"))
    assert shown[2] == "x" * 197 + "yxxx"
    drawn = re.sub(r"\x1b\[\d*[KC]", "", shown[1]).split("\r")
    assert len(drawn) > 100 and max(map(len, drawn)) <= 80


def test_a_line_ends_at_its_limit_and_says_so_with_a_bell(machine: Machine) -> None:
    machine.console.write("echo " + "x" * 300)
    machine.console.expect("\a")
    assert typed(machine, "\r").count("x") == 250


def test_the_last_lines_come_back_and_the_draft_is_kept(machine: Machine) -> None:
    for word in ("one", "two", "two", "three"):
        typed(machine, f"echo {word}\r")
    assert typed(machine, UP + "\r") == "three\n"
    assert typed(machine, UP * 3 + "\r") == "one\n"
    assert typed(machine, "echo draft" + UP * 2 + DOWN * 2 + "\r") == "draft\n"
    assert typed(machine, "echo draft" + DOWN + "\r") == "draft\n"
    for number in range(20):
        typed(machine, f"echo {number}\r")
    assert typed(machine, UP * 50 + "\r") == "5\n"  # of sixteen places, one is the draft's


def test_tab_completes_what_can_only_be_one_thing(machine: Machine) -> None:
    assert typed(machine, "ec\tabc\r") == "abc\n"
    assert "MiB" in typed(machine, "di\tinf\t\r")
    assert typed(machine, "cr\tgently\r").startswith("KIND must")


def test_tab_lists_what_it_could_be(machine: Machine) -> None:
    machine.console.write("re\t")
    machine.console.expect("regs  reboot  \r\n")
    assert "gp" in typed(machine, "gs\r")
    machine.console.write("echo \t" + ctrl("C"))
    machine.console.expect("^C\r\n" + PROMPT)


def test_ctrl_c_abandons_the_line(machine: Machine) -> None:
    assert typed(machine, "halt 9" + ctrl("C")) == ""
    assert typed(machine, "echo on\r") == "on\n"


def test_ctrl_c_stops_a_command_and_what_was_typed_ahead(machine: Machine) -> None:
    machine.console.write("cpu bench 200; echo never\recho neither\r")
    machine.console.expect("MIPS")  # one kernel is done, and nine are not
    machine.console.write(ctrl("C"))
    assert "neither" not in typed(machine, "") + typed(machine, "echo on\r")
    assert "never\r\n" not in machine.console.read()


def test_typing_faster_than_it_reads_loses_nothing(machine: Machine) -> None:
    numbers = [str(number) for number in range(400)]
    machine.console.write("cpu bench 5\r" + "".join(f"echo {number}\r" for number in numbers))
    machine.console.write("echo the end\r")
    shown = machine.console.expect(re.compile(r"(?s)\A.*\nthe end\r\n"))[0]
    assert re.findall(r"\n(\d+)\r", shown) == numbers
