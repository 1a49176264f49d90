"""The guest shell as a person uses it, with labos."""

import json
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from tests.kernel.client import Cell, Client
from vnb.kernel import cell
from vnb.kernel.complete import typed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kernel() -> Iterator[Client]:
    client = Client()
    client.run("%machine image=labos memory=16M disk=1M")
    client.run("echo on")  # it has booted, whichever test comes first
    yield client
    client.close()


def test_the_wheel_puts_the_kernel_where_jupyter_looks(spec: Path) -> None:
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    shared = hatch["build"]["targets"]["wheel"]["shared-data"]
    assert shared[str(spec.relative_to(ROOT))] == "share/jupyter/kernels/vnb"
    found = KernelSpecManager().get_kernel_spec("vnb")
    assert (found.display_name, found.interrupt_mode) == ("vnb (guest shell)", "message")
    # Jupyter reads this word as the Python of its own environment; a path would be the builder's.
    assert json.loads((spec / "kernel.json").read_text())["argv"][0] == "python"
    assert ElementTree.parse(spec / "logo-svg.svg").getroot().get("viewBox") == "0 0 64 64"


def test_the_first_cell_starts_the_machine_and_tells_how_it_goes(kernel: Client) -> None:
    kernel.run("%machine image=labos memory=16M disk=1M")
    first = kernel.run("echo on")
    assert first.text == "on\n" and first.reply["status"] == "ok"
    (begun,), (after,) = first.shown(), first.shown("update_display_data")
    assert "boots" in begun["text/plain"] and "is up after" in after["text/plain"]
    assert not kernel.run("echo on").shown()


def test_output_comes_while_the_cell_runs(kernel: Client) -> None:
    ran = kernel.run("cpu bench 300")
    times = [at for at, kind, _ in ran.messages if kind == "stream"]
    assert len(times) >= 4 and times[0] < ran.seconds / 2
    assert "chase" in ran.text


def test_an_interrupt_is_answered_at_once_and_ends_the_cell(kernel: Client) -> None:
    answered = []

    def meanwhile(ran: Cell) -> None:
        if ran.text and not answered:
            answered.append(kernel.interrupt())

    ran = kernel.run("echo on; cpu bench 60000", meanwhile)
    assert answered[0] < 2 and ran.seconds < 10
    assert (ran.reply["status"], ran.reply["ename"]) == ("error", "KeyboardInterrupt")
    assert kernel.run("echo again").text == "again\n"


def test_output_is_live_and_an_interrupt_ends_the_cell_on_an_older_ipykernel_too(
    older_ipykernel: str,
) -> None:
    client = Client(older_ipykernel)
    try:
        client.run("%machine image=labos memory=16M")
        test_output_comes_while_the_cell_runs(client)
        test_an_interrupt_is_answered_at_once_and_ends_the_cell(client)
    finally:
        client.close()


def test_an_interrupt_with_nothing_to_interrupt_is_answered(kernel: Client) -> None:
    assert kernel.interrupt() < 2
    assert kernel.run("echo on").text == "on\n"


def test_magics_come_first_and_the_shell_s_lines_after_them(kernel: Client) -> None:
    ran = kernel.run("\n%machine list\n%stats --table\n\necho %stats\n%machine")
    assert "* machine" in ran.text and "%stats\nthere is no command '%machine'" in ran.text
    assert len(ran.shown()) == 1


def test_a_silent_cell_runs_and_shows_nothing(kernel: Client) -> None:
    kernel.run("echo")
    assert not kernel.run("mem poke 0x80200000 7; echo on", silent=True).text
    failed = kernel.run("%nothing", silent=True)
    assert failed.reply["ename"] == "UsageError"
    assert {kind for _, kind, _ in failed.messages} == {"status"}
    assert kernel.run("mem peek 0x80200000 1").text == "07\n"


def test_a_magic_that_fails_ends_the_cell(kernel: Client) -> None:
    ran = kernel.run("%machine use nobody\necho on")
    assert ran.reply["ename"] == "UsageError" and not ran.text
    assert "there are: machine" in ran.reply["evalue"]


def test_stats_are_drawn_inline(kernel: Client) -> None:
    ran = kernel.run("%stats\ndisk read 0")
    assert ran.shown()[0]["image/png"].startswith("iVBOR")


def test_what_the_guest_knows_is_completed(kernel: Client) -> None:
    kernel.run("echo")
    assert kernel.complete("echo on; disk ve") == (["verify"], "ve")
    assert kernel.complete("di") == (["disk"], "di")
    assert kernel.complete("disk read 0 ") == ([], "")
    assert kernel.complete("%machine transport=") == (["mmio", "pci"], "")
    assert kernel.complete("%machine image=d") == (["debian"], "d")
    assert kernel.complete("%get --s") == (["--show"], "--s")
    assert kernel.complete("%nothing x") == ([], "")


def test_a_machine_is_not_started_to_complete_a_word(kernel: Client) -> None:
    kernel.run("%machine image=labos memory=16M name=new")
    assert kernel.complete("di") == ([], "")
    assert "new" in kernel.run("%machine list").text
    kernel.run("%machine use machine")


def test_help_is_there_for_magics_and_only_for_those(kernel: Client) -> None:
    asked = kernel.ask("inspect", "echo\n%put a", 8)
    assert asked["found"] and "Usage: %put" in asked["data"]["text/plain"]
    assert not kernel.ask("inspect", "echo", 2)["found"]


def test_a_guest_that_is_off_is_said_to_be_off_until_it_is_started_again(kernel: Client) -> None:
    kernel.run("halt")
    time.sleep(0.2)
    assert "the guest powered off" in kernel.run("echo on").reply["evalue"]
    assert kernel.run("%machine restart\necho on").text == "on\n"


def test_a_kernel_that_is_shut_down_ends_with_its_machines() -> None:
    client = Client()
    client.run("%machine image=labos memory=16M\ncpu")
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("code", "magics", "shell"),
    [
        ("ls\n%x", [], "ls\n%x"),
        ("%a\n  %b  c d \n\nls\nmore", [("a", ""), ("b", "c d")], "ls\nmore"),
        ("%a ?\n%b?", [("a", "?"), ("b", "?")], ""),
        ("%%a b", [("a", "b")], ""),
        ("% a", [("", "a")], ""),
        ("printf '\n%s'", [], "printf '\n%s'"),
        ("", [], ""),
    ],
)
def test_a_cell_is_magics_and_then_a_text_for_the_shell(
    code: str, magics: list[tuple[str, str]], shell: str
) -> None:
    assert cell.parse(code) == cell.Cell(tuple(magics), shell)


@pytest.mark.parametrize(
    ("before", "word"),
    [
        ("ls a", "a"),
        ("ls ", ""),
        (r"ls My\ Fi", r"My\ Fi"),
        ("ls|wc", "wc"),
        ("x=$(ca", "ca"),
        ("", ""),
        ("ls 'a b", "b"),
    ],
)
def test_the_word_to_complete_is_what_the_shell_would_read_as_one(before: str, word: str) -> None:
    assert typed(before) == word
