"""A word that is being written in a cell is completed here: with what magics there are, or by
the guest itself, which knows its commands and files."""

import re
import shlex
from collections.abc import Iterable

import click

from vnb import images
from vnb.kernel.cell import MAGIC
from vnb.machine import Machine
from vnb.magics import commands
from vnb.magics.bench import Bench

WORD = re.compile(r"(?:\\.|[^\s;&|<>()'\"`=\\])*\Z")
SEPARATOR = re.compile(
    r"(?:^|[\n;&|({`]|\b(?:then|do|else|if|while|until|time|exec|sudo|xargs)\s)\s*\Z"
)
SPECIAL = re.compile(r"([^\w@%+:,./~-])")

MOST = 300
"""Candidates, at most."""

BUILTINS = """
    . : [ alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs
    kill local printf pwd read readonly return set shift test times trap true type ulimit umask
    unalias unset wait   case do done elif else esac fi for if in then until while
"""
"""Words of the shell itself."""

PATHS = """(for f in {word}*; do
    [ -e "$f" ] || [ -L "$f" ] || continue
    [ ! -d "$f" ] || f=$f/
    {say}
done | head -n {most})"""

PROGRAMS = """(IFS=:; for d in $PATH; do for f in "$d"/{word}*; do
    [ ! -x "$f" ] || [ -d "$f" ] || echo "${{f##*/}}"
done; done | head -n {most})"""


def complete(bench: Bench, before: str, timeout: float) -> tuple[list[str], int]:
    """Candidates for the word that ends at the cursor, and the length of what they replace.

    The guest is asked only if it runs: a machine is not started for this.
    """
    line = before.rpartition("\n")[2]
    if found := MAGIC.match(line):
        return of_magic(bench, line, found[1])
    word = typed(before)
    machine = bench.current()
    if machine is None or machine.state != "running":
        return [], 0
    if machine.config.image.kind != "linux":
        return of_labos(machine, line, timeout), len(word)
    program = SEPARATOR.search(before[: len(before) - len(word)]) and "/" not in word
    candidates = programs(machine, word, timeout) if program else paths(machine, word, timeout)
    return candidates, len(word)


def typed(before: str) -> str:
    """The word of a shell's line that ends with it."""
    found = WORD.search(before)
    return found[0] if found else ""


def programs(machine: Machine, word: str, timeout: float) -> list[str]:
    """Commands that begin so."""
    script = PROGRAMS.format(word=shlex.quote(word), most=MOST)
    return begun([*said(machine, script, timeout), *BUILTINS.split()], word)


def paths(machine: Machine, word: str, timeout: float) -> list[str]:
    """Files that begin so, from where the cells are; directories with a slash at the end."""
    plain = re.sub(r"\\(.)", r"\1", word)
    home = plain.startswith("~/")
    pattern = f'"$HOME"/{shlex.quote(plain[2:])}' if home else shlex.quote(plain)
    say = """printf '~%s\\n' "${f#"$HOME"}\"""" if home else """printf '%s\\n' "$f\""""
    script = PATHS.format(word=pattern, say=say, most=MOST)
    return sorted(SPECIAL.sub(r"\\\1", path) for path in said(machine, script, timeout))


def said(machine: Machine, script: str, timeout: float) -> list[str]:
    """The lines that a script of ours prints in the session."""
    return machine.shell(script, timeout, session=True).stdout.splitlines()


def of_labos(machine: Machine, line: str, timeout: float) -> list[str]:
    """labos's commands are in its help: `disk verify SECTOR …` in that of `disk`."""
    words = re.split(r"\s+", line.rpartition(";")[2].lstrip())
    if len(words) > 2:
        return []
    listed = machine.shell(f"help {words[0]}" if len(words) == 2 else "help", timeout).stdout
    rows = (row.split() for row in listed.splitlines() if row.startswith(" "))
    place = len(words) - 1
    return begun((row[place] for row in rows if len(row) > place), words[-1])


def of_magic(bench: Bench, line: str, name: str) -> tuple[list[str], int]:
    """What could stand in a magic's line."""
    if not re.search(r"\s", line.lstrip()):
        return begun([f"%{known}" for known in commands.MAGICS], f"%{name}"), len(name) + 1
    word = line.split(" ")[-1]
    command = commands.MAGICS.get(name)
    if command is None:
        return [], 0
    options = {option.name or "": option for option in command.params}
    if isinstance(command, click.Group):
        key, equals, value = word.partition("=")
        if equals:
            kind = options[key].type if key in options else None
            known = kind.choices if isinstance(kind, click.Choice) else ()
            return begun(images.names() if key == "image" else map(str, known), value), len(value)
        return begun([*command.commands, *(f"{option}=" for option in options)], word), len(word)
    flags = [flag for option in options.values() for flag in option.opts if flag.startswith("-")]
    return begun(flags, word), len(word)


def begun(candidates: Iterable[str], word: str) -> list[str]:
    """Those that begin with the word, each once, in order."""
    return sorted({candidate for candidate in candidates if candidate.startswith(word)})
