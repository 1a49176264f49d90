"""The command line: `vnb run`, `vnb images`, `vnb warmup` and `vnb doctor`."""

import os
import sys
import time
from pathlib import Path
from typing import get_args

import click

from vnb import __version__, doctor, images
from vnb.clock import ClockName
from vnb.config import Console, Disk, Engine, Part
from vnb.cpu.hart import EngineName, load_engine
from vnb.errors import UsageError, VnbError
from vnb.images import formats, lock
from vnb.machine import Machine

USAGE, FAILURE, INTERRUPTED = 2, 1, 130
"""Exit statuses: the command was wrong, something failed, Ctrl-C."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """A whole RISC-V computer; `vnb run` boots one in this terminal."""


@cli.command()
@click.argument("image", required=False)
@click.option("--memory", default="256M", show_default=True, help="Guest RAM, such as 512M or 1G.")
@click.option(
    "--disk",
    "disks",
    multiple=True,
    metavar="PATH[:ro|:snapshot]",
    help="A raw disk image: written, only read, or changed in memory. May be given again.",
)
@click.option("--append", default="", help="More words for the kernel's command line.")
@click.option("--firmware", metavar="FILE", help="Firmware, not our own SBI: a file, or opensbi.")
@click.option("--kernel", metavar="FILE", help="A Linux kernel of your own instead of IMAGE.")
@click.option("--initrd", metavar="FILE", help="An initrd for --kernel.")
@click.option("--bios", metavar="FILE", help="A bare-metal ELF or flat binary instead of IMAGE.")
@click.option("--clock", type=click.Choice(get_args(ClockName)), default="real", show_default=True)
@click.option("--engine", type=click.Choice(get_args(Engine)), default="auto", show_default=True)
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="End with 124.")
def run(
    image: str | None,
    memory: str,
    disks: tuple[str, ...],
    append: str,
    firmware: str | None,
    kernel: str | None,
    initrd: str | None,
    bios: str | None,
    clock: ClockName,
    engine: Engine,
    timeout: float | None,
) -> int:
    """Boot IMAGE (labos, or debian) with this terminal as its console.

    Ctrl-A x leaves, Ctrl-A h helps. A guest that powers itself off ends the command with its
    exit code.
    """
    from vnb.attach import Attachment, window

    console = Console(*window())
    devices: list[Part] = [console, *map(Disk.parse, disks)]
    chosen = chosen_image(image, kernel, initrd, bios)
    entry = images.opensbi() if firmware == "opensbi" else firmware
    machine = Machine(chosen, memory, devices, append, firmware=entry, clock=clock, engine=engine)
    with machine:
        return Attachment(machine).run(timeout)


def chosen_image(
    name: str | None, kernel: str | None, initrd: str | None, bios: str | None
) -> images.Image:
    """The one guest that the command line names; labos if it names none."""
    if sum(given is not None for given in (name, kernel, bios)) > 1:
        raise UsageError("give one of IMAGE, --kernel and --bios, not several")
    if initrd is not None and kernel is None:
        raise UsageError("--initrd needs --kernel")
    if kernel is not None:
        return images.linux(kernel, initrd)
    if bios is not None:
        kind = formats.recognise(formats.read(Path(bios), "--bios"), bios)
        return images.elf(bios) if kind == "elf" else images.raw(bios)
    return images.get(name or "labos")


@cli.group("images", invoke_without_command=True)
@click.pass_context
def images_group(context: click.Context) -> None:
    """What can be booted by name, and what of it is in the cache."""
    if context.invoked_subcommand is None:
        context.invoke(list_images)


@images_group.command("list")
def list_images() -> None:
    """The images by name."""
    for name in images.names():
        state = "ready" if ready(name) else "not fetched"
        click.echo(f"{name:<10}{state:<14}{images.description(name)}")


def ready(name: str) -> bool:
    """Whether the image can be booted without a download."""
    return images.missing(name) == 0


@images_group.command("fetch")
@click.argument("name", default="debian")
@click.option("--mirror", "address", metavar="URL", help="A Debian archive to fetch from.")
def fetch(name: str, address: str | None) -> None:
    """Have NAME (debian) ready in the cache."""
    image = images.debian(address) if name == "debian" else images.get(name)
    click.echo(image.payload)


@images_group.command("update")
@click.option("--mirror", "address", metavar="URL", help="A Debian archive to look at.")
def update(address: str | None) -> None:
    """Look up which packages Debian has now, and build the image from those next time."""
    found = images.update(address)
    click.echo(f"Debian {found.lock.release}, kernel {found.lock.kernel} ({found.signature})")
    click.echo(lock.updated())


@images_group.command("path")
@click.argument("name", default="debian")
def path(name: str) -> None:
    """The files of NAME, once it is there."""
    if not ready(name):
        raise UsageError(f"{name} is not in the cache: `vnb images fetch {name}` builds it")
    image = images.get(name)
    for file in filter(None, (image.payload, image.initrd)):
        click.echo(file)


@cli.command()
def warmup() -> None:
    """Compile every engine now, so that no machine has to wait for it."""
    for engine in get_args(EngineName):
        began = time.perf_counter()
        load_engine(engine)
        click.echo(f"{engine:<8}ready after {time.perf_counter() - began:.2f} s")


@cli.command("doctor")
def examine() -> None:
    """What is installed, cached and reachable, and how fast this computer runs guests."""
    for what, finding in doctor.findings():
        click.echo(f"{what:<16}{finding}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; every error is one line on stderr and an exit status."""
    try:
        return cli.main(arguments, prog_name="vnb", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more
        return FAILURE
    except (VnbError, OSError) as error:
        click.echo(f"vnb: {error}", err=True)
        return USAGE if isinstance(error, UsageError) else FAILURE
