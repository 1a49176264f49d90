"""The magics of an ordinary notebook, which `%load_ext vnb` brings: its cells talk to guests."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
from IPython.core.error import UsageError as Misused
from IPython.display import display, update_display

from vnb.agent import Result
from vnb.config import Console, Disk
from vnb.errors import UsageError, VnbError
from vnb.machine import Machine
from vnb.magics import commands
from vnb.magics.bench import Bench
from vnb.magics.page import Note

PROMPT = "labos> "

LINES = ("machine", "put", "get", "stats")
"""The line magics; `%help` is another's."""


class CellPage:
    """The output of the cell that IPython runs."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._told = ""  # where the line of the cell is that the next one replaces

    def print(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def show(self, thing: Any) -> None:
        display(thing)

    def tell(self, text: str) -> None:
        place = f"vnb-{id(self._shell)}-{self._shell.execution_count}"
        if place == self._told:
            update_display(Note(text), display_id=place)
        else:
            self._told = place
            display(Note(text), display_id=place)


@dataclass(frozen=True)
class Cell:
    """A cell that is not Python, on its way to a guest."""

    bench: Bench
    text: str

    def keep(self, result: Result | None, name: str | None) -> Result | None:
        """The result, which that variable holds from now on, if there is a name."""
        if name:
            self.bench.variables[name] = result
        return result


on_cell = click.make_pass_decorator(Cell)
out = click.option("--out", metavar="NAME", help="The variable that gets the result.")
timeout = click.option("--timeout", type=float, help="Seconds after which it is interrupted.")
check = click.option("--check", is_flag=True, help="A status other than 0 is an error.")


@click.command()
@click.argument("machine", required=False)
@out
@timeout
@check
@on_cell
def guest(
    cell: Cell, machine: str | None, out: str | None, timeout: float | None, check: bool
) -> Result | None:
    """Run the cell in the shell of the current machine, or of MACHINE, a variable's name."""
    bench = cell.bench
    return cell.keep(bench.run(bench.ready(machine), cell.text, timeout, check), out)


@click.command()
@click.argument("machine", required=False)
@click.option("--console", is_flag=True, help="Type the lines at its prompt, as people do.")
@out
@timeout
@check
@on_cell
def labos(
    cell: Cell,
    machine: str | None,
    console: bool,
    out: str | None,
    timeout: float | None,
    check: bool,
) -> Result | None:
    """Run the cell in labos: the current machine if it is that, else a small one of its own."""
    bench = cell.bench
    chosen = bench.named(machine) if machine else a_labos(bench)
    if chosen.config.image.name != "labos":
        raise UsageError(f"{machine} is {chosen.config.image.name}; %%guest talks to that")
    if chosen.state == "new":
        bench.start(chosen)
    if console:
        type_lines(chosen, cell, timeout)
        return None
    return cell.keep(bench.run(chosen, cell.text, timeout, check), out)


def a_labos(bench: Bench) -> Machine:
    """The current machine if it is labos, else the bench's own."""
    current = bench.current()
    if current is not None and current.config.image.name == "labos":
        return current
    if bench.spare is None or bench.spare.state in ("off", "failed"):
        bench.spare = Machine(memory="16M", devices=[Console(), Disk(size="1M")])
    return bench.spare


def type_lines(machine: Machine, cell: Cell, timeout: float | None) -> None:
    """Type each line at the prompt, and show what the console shows until the next prompt."""
    console = machine.console
    console.read()
    for line in filter(str.strip, cell.text.splitlines()):
        console.write(line + "\r")
        try:
            shown = console.expect(re.compile(rf"(?s)\A(.*?){PROMPT}"), timeout)[1]
        except KeyboardInterrupt:
            console.write("\x03")
            raise
        except EOFError:  # it switched itself off
            shown = console.read()
        cell.bench.page.print(PROMPT + shown.replace("\r\n", "\n"))


CELLS: dict[str, click.Command] = {"guest": guest, "labos": labos}
"""The cell magics."""


def load(shell: Any) -> None:
    """Have IPython know the magics."""
    bench = Bench(CellPage(shell), shell.user_ns)
    for name in LINES:
        shell.register_magic_function(in_line(bench, name), "line", name)
    for name in CELLS:
        shell.register_magic_function(over_cell(bench, name), "cell", name)


def in_line(bench: Bench, name: str) -> Callable[[str], None]:
    """The line magic of that name."""

    def magic(line: str) -> None:
        with Plain():
            commands.run(bench, name, line)

    magic.__doc__ = commands.help_of(name)
    return magic


def over_cell(bench: Bench, name: str) -> Callable[[str, str], Result | None]:
    """The cell magic of that name."""

    def magic(line: str, text: str) -> Result | None:
        with Plain():
            about = Cell(bench, text)
            result: Result | None = commands.invoke(CELLS[name], f"%%{name}", line, bench, about)
        return result

    magic.__doc__ = CELLS[name].help
    return magic


class Plain:
    """A block whose errors are shown without the way that they came."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, UsageError):
            raise Misused(str(error)) from None
        if isinstance(error, VnbError | OSError | KeyboardInterrupt):
            raise error.with_traceback(None) from None
