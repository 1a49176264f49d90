"""The console as a cell asks for it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from vnb.config.part import Part
from vnb.errors import UsageError
from vnb.host.chars import Chars
from vnb.virtio.console import MAX_PORTS
from vnb.words import number_from

MOST_PORTS = MAX_PORTS - 2  # of the cell's own: the first two have their use
LONGEST_NAME = 64  # bytes
RESERVED = "vnb."  # what names of our own ports begin with


@dataclass(frozen=True)
class Console(Part):
    """The guest's console: /dev/hvc0 in Linux, with the UART before that is up.

    `columns` and `rows` are the size that the guest is told, in characters. `ports` are more
    lines by name, each with what is at its other end: `Console(ports={"data": Pty()})` gives the
    guest /dev/virtio-ports/data. Ports named hvc1, hvc2 … are terminals with a shell each.
    """

    columns: int = 80
    rows: int = 25
    ports: Mapping[str, Chars] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        number_from(self.columns, "columns", 1, 0xFFFF)
        number_from(self.rows, "rows", 1, 0xFFFF)
        if not isinstance(self.ports, Mapping) or len(self.ports) > MOST_PORTS:
            raise UsageError(
                f'ports={self.ports!r}: up to {MOST_PORTS} of them by name, as {{"data": Pty()}}'
            )
        for name, chars in self.ports.items():
            if not _good(name):
                raise UsageError(
                    f"ports: {name!r} is no name of a port: letters, digits and . _ - + : @,"
                    f" {LONGEST_NAME} at most, and not beginning with {RESERVED!r}"
                )
            if not isinstance(chars, Chars):
                raise UsageError(
                    f"ports: {name}={chars!r}: one of vnb.host.chars: Pty(), Pipe(…), Log(…),"
                    " HostTerminal(), Terminal()"
                )
        terminals = self.terminals()
        if terminals != tuple(f"hvc{number}" for number in range(1, len(terminals) + 1)):
            raise UsageError("ports: hvc1, hvc2 … come in that order, and hvc0 is the console")

    def terminals(self) -> tuple[str, ...]:
        """The ports that are terminals: Linux numbers them in their order."""
        return tuple(name for name in self.ports if re.fullmatch(r"hvc\d+", name))

    def name(self, index: int) -> str:
        """There is one."""
        return "console"

    def open(self) -> "Ports":
        """The ports, each opened."""
        return Ports(self.ports)

    def append(self, name: str) -> str:
        """Each terminal's name, so that the guest starts a shell there."""
        return " ".join(f"vnb.shell={terminal}" for terminal in self.terminals())

    def __str__(self) -> str:
        named = "".join(f", {name}" for name in self.ports)
        return f"console {self.columns}×{self.rows}{named}"


class Ports(Mapping[str, Chars]):
    """What is behind the console's ports by their names, open until closed."""

    def __init__(self, ports: Mapping[str, Chars]) -> None:
        self._ports = dict(ports)
        with ExitStack() as opened:
            for chars in self._ports.values():
                chars.open()
                opened.callback(chars.close)
            self._opened = opened.pop_all()

    def __getitem__(self, name: str) -> Chars:
        return self._ports[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ports)

    def __len__(self) -> int:
        return len(self._ports)

    def close(self) -> None:
        """Let go of what they hold of the host."""
        self._opened.close()

    def __repr__(self) -> str:
        return f"ports: {', '.join(self._ports) or 'none'}"


def _good(name: object) -> bool:
    """Whether Linux and its /dev can have a port of that name."""
    return (
        isinstance(name, str)
        and re.fullmatch(r"[\w.+:@-]+", name, re.ASCII) is not None
        and name not in (".", "..")
        and len(name) <= LONGEST_NAME
        and not name.startswith(RESERVED)
    )
