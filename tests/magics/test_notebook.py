"""The magics in IPython, as `%load_ext vnb` brings them."""

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from vnb import Machine
from vnb.agent import CommandFailed


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "vnb")
    yield shell
    for value in shell.user_ns.values():
        if isinstance(value, Machine):
            value.close()
    InteractiveShell.clear_instance()


Cell = Callable[[str], ExecutionResult]


@pytest.fixture
def cell(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Cell:
    """Runs a cell; its output stays in capsys."""
    return lambda text: shell.run_cell(text, store_history=True)


@pytest.fixture
def labos(cell: Cell) -> None:
    assert cell("%machine image=labos memory=16M").success


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_guest_runs_the_cell_shows_its_output_once_and_returns_its_result(
    cell: Cell, labos: None, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    printed(capsys)
    result = cell("%%guest --out told\necho once\nfrobnicate").result
    assert (result.status, result.command) == (127, "echo once\nfrobnicate\n")
    assert result.stdout == "once\nthere is no command 'frobnicate'; try: help\n"
    assert shell.user_ns["told"] is result
    text = printed(capsys)
    assert text.count("once") == 1 and "labos boots" in text and "[status 127, " in text


def test_a_machine_of_a_cell_is_meant_as_soon_as_it_is_started_or_named(
    cell: Cell, labos: None
) -> None:
    assert cell("import vnb\nother = vnb.Machine(memory='32M')\n%machine use other").success
    assert "32 MiB" in cell("%%guest\nmem").result.stdout
    assert "16 MiB" in cell("%%guest machine\nmem").result.stdout
    wrong = cell("%%guest nobody\nmem").error_in_exec
    assert "there is no machine 'nobody'; there are: machine, other" in str(wrong)


def test_check_and_timeout_make_errors_of_bad_ends(cell: Cell, labos: None) -> None:
    failed = cell("%%guest --check\nfrobnicate").error_in_exec
    assert isinstance(failed, CommandFailed) and failed.result.status == 127
    assert isinstance(cell("%%guest --timeout 0.2\ncpu bench 60000").error_in_exec, TimeoutError)
    assert cell("%%guest\necho on").result.stdout == "on\n"


def test_without_a_machine_guest_says_how_to_come_by_one(cell: Cell) -> None:
    assert "%machine image=" in str(cell("%%guest\nls").error_in_exec)


def test_a_wrong_line_is_said_in_a_line(cell: Cell, capsys: pytest.CaptureFixture[str]) -> None:
    for text, words in (
        ("%machine image=nix", "images with a name are debian, labos"),
        ("%%guest --frob\nls", "%%guest: No such option '--frob'"),
        ("%put", "%put: Missing argument 'LOCAL'"),
    ):
        assert not cell(text).success
        told = capsys.readouterr().err
        assert words in told and "Traceback" not in told


def test_labos_is_there_without_any_machine_and_remembers(cell: Cell) -> None:
    assert cell("%%labos\nmem poke 0x80200000 7; disk").result.status == 0
    assert cell("%%labos\nmem peek 0x80200000 1").result.stdout == "07\n"
    assert "halt" in cell("%%labos\nhelp").result.stdout
    assert cell("%%labos\nhalt").result.status == 0


def test_labos_s_console_shows_what_a_person_would_see(
    cell: Cell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cell("%%labos\necho").success
    printed(capsys)
    assert cell("%%labos --console\necho hello\n\ncrash ebreak\nhalt").success
    text = printed(capsys)
    assert text.startswith("labos> echo hello\nhello\nlabos> crash ebreak\n")
    assert "trap: breakpoint (mcause 3)" in text and "labos> halt" in text


def test_ctrl_c_ends_the_command_and_the_cell_and_not_the_machine(
    cell: Cell, labos: None, capsys: pytest.CaptureFixture[str]
) -> None:
    cell("%%guest\necho")
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
    done = cell("%%guest\ncpu bench 60000")
    assert isinstance(done.error_in_exec or done.error_before_exec, KeyboardInterrupt)
    assert cell("%%guest\necho on").result.stdout == "on\n"


def test_every_magic_has_a_docstring_for_its_question_mark(shell: InteractiveShell) -> None:
    magics: Any = shell.magics_manager.magics
    for kind, names in (("line", ("machine", "put", "get", "stats")), ("cell", ("guest", "labos"))):
        for name in names:
            assert len(magics[kind][name].__doc__) > 40
