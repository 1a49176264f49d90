"""QEMU runs a Debian guest here, whose console is QEMU's own standard input and output."""

import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
from one_boot import LIMIT, PROMPT

from vnb import images
from vnb.config import Transport

PROGRAM = "qemu-system-riscv64"

Run = Callable[[str], tuple[float, str]]
"""Has the guest's shell do a command: how many seconds that took, and what it printed."""

CARRIERS: dict[Transport, str] = {"mmio": "device", "pci": "pci"}


class Qemu:
    """A running `process`; what it prints is read once, in order."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.process = process
        self._keys, self._screen = process.stdin.fileno(), process.stdout.fileno()
        self._unread = b""

    def wait_for(self, text: str) -> str:
        """What it prints up to the end of that text."""
        wanted, deadline = text.encode(), time.perf_counter() + LIMIT
        while wanted not in self._unread:
            left = max(0.0, deadline - time.perf_counter())
            readable, _, _ = select.select([self._screen], [], [], left)
            some = os.read(self._screen, 1 << 16) if readable else b""
            if not some:
                raise click.ClickException(
                    f"QEMU never printed {text!r}, but {self._unread[-400:]!r}"
                )
            self._unread += some
        before, _, self._unread = self._unread.partition(wanted)
        return (before + wanted).decode(errors="replace")

    def run(self, command: str) -> tuple[float, str]:
        """The Run of its guest, once that is at its prompt."""
        began = time.perf_counter()
        os.write(self._keys, f"{command} 2>&1; echo d'one'\n".encode())
        text = self.wait_for("done\r\n")
        return time.perf_counter() - began, text


def missing() -> str | None:
    """Why it cannot run here."""
    return None if shutil.which(PROGRAM) else f"{PROGRAM} is not on PATH"


def missing_among(targets: Sequence[str]) -> dict[str, str]:
    """QEMU and why it cannot run here, if it is one of them."""
    return {"QEMU": why} if "QEMU" in targets and (why := missing()) else {}


def virtio(device: str, transport: Transport, *options: str) -> tuple[str, ...]:
    """Arguments for a VirtIO device."""
    return "-device", ",".join((f"{device}-{CARRIERS[transport]}", *options))


@contextmanager
def running(
    image: images.Image, *more: str, memory: str = "256M", transport: Transport = "mmio"
) -> Iterator[Qemu]:
    """Power on with a console, and what `more` arguments say."""
    command = [
        *(PROGRAM, "-M", "virt", "-m", memory, "-display", "none"),
        *("-monitor", "none", "-serial", "null", "-global", "virtio-mmio.force-legacy=false"),
        *("-kernel", str(image.payload), "-initrd", str(image.initrd), "-append", image.append),
        *virtio("virtio-serial", transport),
        *("-chardev", "stdio,id=screen", "-device", "virtconsole,chardev=screen"),
        *more,
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Qemu(process)
    finally:
        process.kill()
        process.wait()


@contextmanager
def at_prompt(image: images.Image, *more: str, transport: Transport) -> Iterator[Run]:
    """The same, with the guest's shell ready for commands."""
    with running(image, *more, transport=transport) as guest:
        guest.wait_for(PROMPT)
        yield guest.run
