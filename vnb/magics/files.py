"""Files between host and guest, through the shell of a guest that has files."""

import base64
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from shlex import quote

from vnb.agent import CommandFailed
from vnb.errors import HostError, UsageError
from vnb.machine import Machine

UP = 256 << 10
"""Bytes of a file in one command; twice in Base64 they must fit the agent's input of 1 MiB."""

DOWN = 8 << 20
"""Bytes of a file in one command's output, of which 16 MiB are kept."""

Told = Callable[[int, int], None]
"""How far it is: bytes done, of so many."""

_PART = ".vnb-part"


def put(machine: Machine, local: str | os.PathLike[str], remote: str, told: Told) -> str:
    """Copy a file into the guest, with its permissions; its path there.

    `remote` is a file or a directory. The file is there whole or not at all. UsageError where
    there is no such file or the guest has none, CommandFailed with what the guest has against it.
    """
    source = Path(local).expanduser()
    _check(machine)
    if not source.is_file():
        what = "is a folder; share it: share=…" if source.is_dir() else "there is no such file"
        raise UsageError(f"put {local}: {what}")
    try:
        content = source.read_bytes()
        mode = source.stat().st_mode & 0o777
    except OSError as error:
        raise HostError(f"put {local}: {error.strerror}") from error
    inside = f'[ -d "$to" ] && to=${{to%/}}/{quote(source.name)}'
    target = _guest(machine, f'(to={quote(remote)}; {inside}; : >"$to{_PART}" && echo "$to")')
    path = target.decode().removesuffix("\n")
    name, part = quote(path), quote(path + _PART)
    try:
        _fill(machine, part, content, told)
        _guest(machine, f"chmod {mode:o} {part} && mv {part} {name}")
    except CommandFailed:
        machine.shell(f"rm -f {part}", session=True)
        raise
    told(len(content), len(content))
    return path


def _fill(machine: Machine, part: str, content: bytes, told: Told) -> None:
    """All of it into the file `part`, which is there and empty."""
    for place in range(0, len(content), UP):
        told(place, len(content))
        code = base64.b64encode(content[place : place + UP]).decode()
        _guest(machine, f"base64 -d >>{part} <<'END'\n{code}\nEND")


def read(machine: Machine, remote: str, told: Told) -> bytes:
    """The content of a file of the guest; CommandFailed with why it cannot be read."""
    _check(machine)
    name = quote(remote)
    size = int(_guest(machine, f"wc -c <{name}"))
    content = bytearray()
    while len(content) < size:
        told(len(content), size)
        # Whole, because the kernel gives its own files a page at a time; and from where the last
        # piece ended, wherever that was.
        how = f"bs={DOWN} count=1 iflag=fullblock,skip_bytes skip={len(content)}"
        piece = _guest(machine, f"dd if={name} {how} 2>/dev/null")
        if not piece:
            raise UsageError(f"get {remote}: the file became shorter while it was read")
        content += piece
    told(size, size)
    return bytes(content)


def place(remote: str, local: str | None) -> Path:
    """Where a file of the guest goes: `local`, in it if that is a folder, else by its own name."""
    name = PurePosixPath(remote).name
    target = Path(local or name).expanduser()
    return target / name if target.is_dir() else target


def _check(machine: Machine) -> None:
    if machine.config.image.kind != "linux":
        raise UsageError(f"{machine.config.image.name} has no files; debian has")


def _guest(machine: Machine, command: str) -> bytes:
    """What a command of ours prints, in the directory that the cells are in."""
    return machine.shell(command, check=True, session=True).raw
