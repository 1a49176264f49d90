"""A cell is taken apart here: magics in its first lines, and what is left for the shell."""

import re
import shlex
from dataclasses import dataclass

MAGIC = re.compile(r"\s*%{1,2}(\w*)[ \t]*(.*)")


@dataclass(frozen=True)
class Cell:
    """`magics` as (name, rest of the line), then `shell`, a text for the guest."""

    magics: tuple[tuple[str, str], ...]
    shell: str


def parse(code: str) -> Cell:
    """Magics come first, a line each; from the first line that is none on all is the shell's."""
    magics = []
    lines = code.splitlines(keepends=True)
    for place, line in enumerate(lines):
        if found := MAGIC.match(line):
            magics.append((found[1], found[2].rstrip()))
        elif line.strip():
            return Cell(tuple(magics), "".join(lines[place:]))
    return Cell(tuple(magics), "")


def unfinished(code: str) -> bool:
    """Whether a person at a prompt would go on typing: a quote is open, or the line goes on."""
    shell = parse(code).shell
    if shell.rstrip("\n").endswith("\\"):
        return True
    try:
        shlex.split(shell, comments=True)
    except ValueError:
        return True
    return False
