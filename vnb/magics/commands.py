"""The magics as commands: what each takes, what it does on a bench, and help for all of them.

Their lines are read as a shell reads them (shlex), and their words as a command line (click):
`%machine image=debian memory=1G` is `machine --image debian --memory 1G`.
"""

import os
import re
import shlex
from typing import Any, get_args

import click

from vnb import images
from vnb.clock import ClockName
from vnb.config import Console, Disk, Engine, Part, Share, Transport, check
from vnb.errors import UsageError
from vnb.machine import Machine
from vnb.magics import files
from vnb.magics.bench import Bench
from vnb.magics.pictures import picture
from vnb.tally import Over

NAME = "machine"
"""What a machine is called that is given no name."""

DEFAULT = "debian"
"""The image of a machine that is given none."""

on_bench = click.make_pass_decorator(Bench)


@click.group(invoke_without_command=True)
@click.option("--image", metavar="NAME|FILE", help="labos, debian, or an ELF program's file.")
@click.option("--packages", metavar="A,B", help="More packages of Debian's, in the guest.")
@click.option("--memory", default="256M", help="RAM, such as 512M or 1G (256M).")
@click.option("--disk", multiple=True, metavar="PATH[:ro|:snapshot]|SIZE", help="One more disk.")
@click.option("--share", multiple=True, metavar="FOLDER[:rw]", help="In Debian at /mnt/FOLDER.")
@click.option("--append", default="", help="More words for the kernel's command line.")
@click.option("--transport", type=click.Choice(get_args(Transport)), default="mmio")
@click.option("--clock", type=click.Choice(get_args(ClockName)), default="real")
@click.option("--engine", type=click.Choice(get_args(Engine)), default="auto")
@click.option("--seed", type=int, help="Where the guest's randomness starts.")
@click.option("--name", default=NAME, help="The machine's name (machine).")
@click.pass_context
def machine(context: click.Context, /, **asked: Any) -> None:
    """Configure a machine, or say what to do with the current one.

    %machine image=debian memory=512M disk=data.img:snapshot transport=pci

    makes one, which starts with the next cell that runs in it. Without a word the current
    machine is shown.
    """
    bench = context.ensure_object(Bench)
    if context.invoked_subcommand is not None:
        if given(context):
            raise UsageError(f"{context.invoked_subcommand} and {given(context)[0]}=… do not mix")
    elif given(context):
        configure(bench, **asked)
    else:
        context.invoke(show)


def given(context: click.Context) -> list[str]:
    """The options that the line has, and does not leave at what they are otherwise."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    default = click.core.ParameterSource.DEFAULT
    return [name for name, source in sources.items() if source is not default]


def configure(
    bench: Bench,
    image: str | None,
    packages: str | None,
    memory: str,
    disk: tuple[str, ...],
    share: tuple[str, ...],
    name: str,
    **more: Any,
) -> None:
    """A new machine on the bench; the one that had its name is closed."""
    if not name.isidentifier():
        raise UsageError(f"name={name}: a name as variables have them")
    devices: list[Part] = [Console(), *map(a_disk, disk), *map(Share.parse, share)]
    chosen = an_image(image or DEFAULT, packages)
    check(chosen, memory, devices, **more)  # while the machine of that name is still there
    config = bench.put(name, lambda: Machine(chosen, memory, devices, **more)).config
    bench.page.tell(f"{name}: {chosen.name}, {', '.join(map(str, config.devices))}; not started")


def make(bench: Bench) -> Machine:
    """The machine of a bench that was asked for none: `%machine image=debian`."""
    bench.page.tell(f"{DEFAULT} is looked for, and built if need be …")
    run(bench, "machine", f"image={DEFAULT}")
    return bench.machine()


def an_image(name: str, packages: str | None = None) -> images.Image:
    """The image of that name, with more packages if it is Debian; or of that file."""
    if packages is not None:
        if name != "debian":
            raise UsageError("packages=… are for image=debian")
        return images.debian(packages=packages.split(","))
    if name in images.names():
        return images.get(name)
    if not os.path.exists(os.path.expanduser(name)):
        known = ", ".join(images.names())
        raise UsageError(f"image={name}: no such file, and the images with a name are {known}")
    return images.elf(name)


def a_disk(text: str) -> Disk:
    """An empty disk of that size, as 64M; or the one at that path."""
    return Disk(size=text) if re.fullmatch(r"\d+[KMGkmg]?", text) else Disk.parse(text)


@machine.command()
@on_bench
def show(bench: Bench) -> None:
    """Show the machine."""
    current = bench.current()
    bench.page.tell("no machine yet") if current is None else bench.page.show(current)


@machine.command()
@click.argument("name")
@on_bench
def use(bench: Bench, name: str) -> None:
    """Have cells run in the machine of that name from now on."""
    bench.page.tell(f"{name}: {bench.choose(name)!r}")


@machine.command("list")
@on_bench
def list_machines(bench: Bench) -> None:
    """The machines by their names."""
    current = bench.current()
    for name, value in bench.machines().items():
        bench.page.print(f"{'*' if value is current else ' '} {name:<12} {value!r}\n")


@machine.command()
@on_bench
def start(bench: Bench) -> None:
    """Power on, or go on after a pause."""
    bench.start(bench.machine())


@machine.command()
@on_bench
def restart(bench: Bench) -> None:
    """Take the power away if it is on, and start anew."""
    current = bench.machine()
    current.stop()
    bench.start(current)


@machine.command()
@on_bench
def pause(bench: Bench) -> None:
    """Stop the guest, and its time, where it is."""
    bench.machine().pause()


@machine.command()
@on_bench
def resume(bench: Bench) -> None:
    """Go on after a pause."""
    bench.machine().resume()


@machine.command()
@on_bench
def stop(bench: Bench) -> None:
    """Take the power away."""
    bench.machine().stop()


@machine.command()
@on_bench
def close(bench: Bench) -> None:
    """Take the power away, and give memory and disks back, for good."""
    bench.machine().close()


@click.command()
@click.argument("local")
@click.argument("remote", default=".")
@on_bench
def put(bench: Bench, local: str, remote: str) -> None:
    """Copy a file of this computer into the guest, where the cells are or to REMOTE."""
    target = files.put(bench.ready(), local, remote, progress(bench, f"{local} → {remote}"))
    bench.page.tell(f"{local} → {target}")


@click.command()
@click.argument("remote")
@click.argument("local", required=False)
@click.option("--show", is_flag=True, help="Show a picture, rather than to keep it.")
@on_bench
def get(bench: Bench, remote: str, local: str | None, show: bool) -> None:
    """Copy a file of the guest here, or to LOCAL; or show the picture that it is."""
    target = files.place(remote, local)
    content = files.read(bench.ready(), remote, progress(bench, f"{remote} → {target}"))
    if show:
        if (shown := picture(target.name, content)) is None:
            raise UsageError(f"{remote} is no picture that a notebook can draw")
        bench.page.show(shown)
    if local or not show:
        target.write_bytes(content)
        bench.page.tell(f"{remote} → {target}, {len(content):,} bytes")


def progress(bench: Bench, what: str) -> files.Told:
    """Tells the page of a copy that takes a while."""
    return lambda done, size: (
        bench.page.tell(f"{what}: {done / size:.0%}") if size > files.UP else None
    )


@click.command()
@click.option("--over", type=click.Choice(get_args(Over)), default="host", help="Whose time.")
@click.option("--table", is_flag=True, help="All counters, rather than a figure.")
@on_bench
def stats(bench: Bench, over: Over, table: bool) -> None:
    """Plot what disks, shares and networks have been doing since power-on."""
    tally = bench.machine().stats
    bench.page.show(tally if table else tally.plot(over))


@click.command("help")
@click.argument("magic", required=False)
@on_bench
def help_(bench: Bench, magic: str | None) -> None:
    """What magics there are, or what one of them takes."""
    bench.page.print(help_of(magic))


MAGICS: dict[str, click.Command] = {
    "machine": machine,
    "put": put,
    "get": get,
    "stats": stats,
    "help": help_,
}
"""Those that a line can begin with, behind its %."""


def run(bench: Bench, name: str, line: str) -> None:
    """Run one magic; UsageError, in the magic's own words, where its line is wrong."""
    invoke(named(name), f"%{name}", line, bench, bench)


def named(name: str) -> click.Command:
    """The magic of that name; UsageError with those that there are."""
    if name not in MAGICS:
        raise UsageError(f"there is no %{name}\n\n{help_of()}")
    return MAGICS[name]


def invoke(command: click.Command, name: str, line: str, bench: Bench, about: Any) -> Any:
    """What the command of that line returns; `about` is the object that its function gets."""
    arguments = words(line, command)
    if arguments == ["?"] or {"-h", "--help"} & set(arguments):
        bench.page.print(usage(command, name))
        return None
    try:
        # Not command.main(), which makes something else of a KeyboardInterrupt.
        with command.make_context(name, arguments, obj=about) as context:
            return command.invoke(context)
    except click.UsageError as error:
        way = f"\n{error.ctx.get_usage()}" if error.ctx else ""
        raise UsageError(f"{name}: {error.format_message()}{way}") from None


def words(line: str, command: click.Command) -> list[str]:
    """The words of a line, as of a command line: key=value is --key=value for a group."""
    try:
        split = shlex.split(line, comments=True)
    except ValueError as error:
        raise UsageError(f"%{command.name} {line}: {str(error).lower()}") from None
    if isinstance(command, click.Group):
        return [f"--{word}" if re.match(r"\w+=", word) else word for word in split]
    return split


def usage(command: click.Command, name: str) -> str:
    """What a command takes."""
    return click.Context(command, info_name=name, terminal_width=90).get_help() + "\n"


def help_of(name: str | None = None) -> str:
    """What one magic takes, or what there are."""
    if name is not None:
        name = name.lstrip("%")
        return usage(named(name), f"%{name}")
    rows = (f"%{name:<9}{command.get_short_help_str(80)}\n" for name, command in MAGICS.items())
    return "".join(rows) + "%NAME --help says what it takes.\n"
