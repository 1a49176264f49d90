"""The machines on a notebook's bench: which one a cell means, how it is started, what it ran."""

import time
import weakref
from collections.abc import Callable, MutableMapping
from typing import Any

from vnb.agent import Result
from vnb.config import Console, in_words
from vnb.errors import UsageError
from vnb.machine import Machine, last_started
from vnb.magics.output import Output
from vnb.magics.page import Page


class Shown(Result):
    """The result of a cell whose output is on the page already, and so is not shown again."""

    def __repr__(self) -> str:
        return f"[status {self.status}, {self.seconds:.2f} s]"

    def _repr_html_(self) -> str:
        return Result(self.command, b"", self.status, self.seconds)._repr_html_()


class Bench:
    """`page` is where cells show things, `variables` what names stand for in them.

    The machine that a cell means is the one that was last made or chosen here; without that, the
    one that was started last; without any, the one that `make` makes, if the bench has that.
    """

    def __init__(
        self,
        page: Page,
        variables: MutableMapping[str, Any],
        make: Callable[["Bench"], Machine] | None = None,
    ) -> None:
        self.page = page
        self.variables = variables
        self._make = make
        self.spare: Machine | None = None
        """A machine of the bench's own, which nobody has named."""
        # No more than that, because a machine that nobody refers to must end.
        self._chosen: Callable[[], Machine | None] = lambda: None

    def choose(self, name: str) -> Machine:
        """The machine of that name is meant from now on."""
        machine = self.named(name)
        self._chosen = weakref.ref(machine)
        return machine

    def named(self, name: str) -> Machine:
        """The machine that a variable holds; UsageError with those that there are."""
        found = self.variables.get(name)
        if not isinstance(found, Machine):
            known = ", ".join(self.machines()) or "none"
            raise UsageError(f"there is no machine {name!r}; there are: {known}")
        return found

    def machines(self) -> dict[str, Machine]:
        """All of them by their names."""
        return {
            name: value
            for name, value in list(self.variables.items())
            if isinstance(value, Machine) and not name.startswith("_")
        }

    def put(self, name: str, make: Callable[[], Machine]) -> Machine:
        """What `make` makes has that name and is meant from now on; what had it is closed.

        That comes first, because both may want the same disk.
        """
        if isinstance(before := self.variables.pop(name, None), Machine):
            before.close()
        machine = self.variables[name] = make()
        self._chosen = weakref.ref(machine)
        return machine

    def current(self) -> Machine | None:
        """The machine that is meant, if there is one."""
        chosen = self._chosen()
        held = any(chosen is machine for machine in self.machines().values())
        return chosen if held else last_started()

    def machine(self, name: str | None = None) -> Machine:
        """The machine of that name, or the one that is meant, made if need be; UsageError."""
        machine = self.named(name) if name else self.current()
        if machine is None and self._make is not None:
            machine = self._make(self)
        if machine is None:
            raise UsageError("no machine runs: start one, or ask for one with %machine image=…")
        return machine

    def ready(self, name: str | None = None) -> Machine:
        """The same, started, if it is new, and told of until its shell answers."""
        machine = self.machine(name)
        if machine.state == "new":
            self.start(machine)
        return machine

    def start(self, machine: Machine) -> None:
        """Power on, and wait for its shell, if it has one; the page is told."""
        config, began = machine.config, time.monotonic()
        self.page.tell(f"{config.image.name} boots …")
        machine.start()
        if config.image.agent and any(isinstance(part, Console) for part in config.devices):
            machine.shell("")
        parts = ", ".join(map(str, config.devices)) or "no devices"
        self.page.tell(
            f"{config.image.name} is up after {time.monotonic() - began:.1f} s:"
            f" {in_words(config.memory)}, {parts}"
        )

    def run(
        self, machine: Machine, cell: str, timeout: float | None = None, check: bool = False
    ) -> Result:
        """Run a cell in the machine's session, with its output on the page as it comes."""
        output = Output(self.page)
        try:
            done = machine.shell(cell, timeout, check, on_output=output, session=True)
        finally:
            output.end()
        return Shown(cell, done.raw, done.status, done.seconds)
