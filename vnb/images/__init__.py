"""Guests to boot pass through here: named ones, and kernels and programs of your own."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vnb.errors import UsageError
from vnb.images.image import Image

if TYPE_CHECKING:
    from vnb.images.release import Found

RAM_BASE = 0x8000_0000  # where every board has the first byte of its memory

FIRMWARE = ("fw_dynamic.bin", "fw_dynamic.elf", "fw_jump.bin", "fw_jump.elf")

__all__ = [
    "Image",
    "debian",
    "description",
    "elf",
    "get",
    "labos",
    "linux",
    "missing",
    "names",
    "opensbi",
    "raw",
    "update",
]


def debian(
    mirror: str | None = None,
    *,
    packages: Iterable[str] = (),
    lock: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Image:
    """Debian GNU/Linux trixie with a shell on its console and an agent for commands.

    Built on first use from Debian's own packages, which come from mirror (the address of a
    Debian archive), else from VNB_DEBIAN_MIRROR, else from the host's own apt sources, and stay
    in the user's cache. packages: names of more packages, which are unpacked into the guest with
    all that they depend on, as `packages=("e2fsprogs",)`; their scripts are not run. lock: a file
    that says exactly which packages; where it is not there yet it is written. progress: show bars.

    Raises UsageError where no mirror is known, Debian has no package of such a name or the lock
    does not name it, and HostError where a package cannot be had or the disk is full.
    """
    from vnb.images import build, depends

    chosen = depends.chosen(packages, lock, mirror, progress)
    directory = build.built(chosen, mirror, progress=progress)
    return Image(
        name="debian",
        kind="linux",
        payload=directory / "vmlinux",
        initrd=directory / "initrd.cpio",
        append=build.APPEND,
        agent=True,
        description=description("debian"),
        least_memory=build.least_memory(directory),
    )


def opensbi(
    file: str = "fw_dynamic.bin", mirror: str | None = None, *, progress: bool = True
) -> Path:
    """A firmware of Debian's package opensbi, for `Machine(firmware=…)`; it comes with `debian()`.

    file: "fw_dynamic" or "fw_jump", as ".bin" or ".elf". Raises as `debian()` does, and UsageError
    for another file.
    """
    from vnb.images import build, lock

    if file not in FIRMWARE:
        raise UsageError(f"file={file!r}: one of {', '.join(FIRMWARE)}")
    return build.built(lock.current(), mirror, progress=progress) / file


def labos() -> Image:
    """The embedded guest: small, at its shell in a moment, and needs no network."""
    path = Path(__file__).parents[1] / "guest" / "labos.elf"
    return Image("labos", "elf", path, agent=True, description=_NAMED["labos"][1])


def linux(
    kernel: str | os.PathLike[str],
    initrd: str | os.PathLike[str] | None = None,
    append: str = "",
) -> Image:
    """A Linux kernel of your own: an Image file, plain or compressed, and perhaps an initrd."""
    if not isinstance(append, str):
        raise UsageError(f"append={append!r}: words for the kernel's command line, as a string")
    payload = _file(kernel, "kernel")
    first = None if initrd is None else _file(initrd, "initrd")
    return Image(payload.name, "linux", payload, first, append)


def elf(path: str | os.PathLike[str]) -> Image:
    """A program of your own for the bare machine, as a 64-bit RISC-V ELF file."""
    payload = _file(path, "path")
    return Image(payload.name, "elf", payload)


def raw(path: str | os.PathLike[str], address: int = RAM_BASE) -> Image:
    """A flat binary of your own that is loaded and entered at that physical address."""
    if isinstance(address, bool) or not isinstance(address, int) or address < 0:
        raise UsageError(f"address={address!r}: a physical address, an integer of at least 0")
    payload = _file(path, "path")
    return Image(payload.name, "raw", payload, address=address)


_NAMED: dict[str, tuple[Callable[[], Image], str]] = {
    "debian": (debian, "Debian GNU/Linux trixie: its own kernel, a shell, an agent for commands"),
    "labos": (labos, "a small bare-metal shell, embedded in vnb"),
}


def names() -> tuple[str, ...]:
    """The guests that have a name."""
    return tuple(_NAMED)


def get(name: str) -> Image:
    """The guest of that name, as its own function would return it."""
    return _named(name)[0]()


def description(name: str) -> str:
    """What the guest of that name is, in a line."""
    return _named(name)[1]


def missing(name: str) -> int:
    """Bytes that must be downloaded before the guest of that name can boot."""
    from vnb.images import build, lock

    _named(name)
    return build.missing(lock.current()) if name == "debian" else 0


def update(mirror: str | None = None, *, progress: bool = True) -> "Found":
    """Looks up which packages Debian has now; `debian` is built from those from now on.

    Returns what was found, with a word on how far the archive's signature was verified. Raises
    UsageError where no mirror is known, HostError where its lists cannot be had or trusted.
    """
    from vnb.images import lock, release
    from vnb.images import mirror as mirrors

    found = release.latest(mirrors.find(mirror), progress)
    lock.write(found.lock, lock.updated())
    return found


def _named(name: str) -> tuple[Callable[[], Image], str]:
    if name not in _NAMED:
        raise UsageError(f"there is no image {name!r}; there are {', '.join(_NAMED)}")
    return _NAMED[name]


def _file(path: str | os.PathLike[str], argument: str) -> Path:
    """The path, once it is sure that a file can be read there."""
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"{argument}={path!r}: the path of a file")
    found = Path(path).expanduser()
    if not found.exists():
        raise UsageError(f"{argument}={str(path)!r}: there is no such file")
    if not found.is_file():
        raise UsageError(f"{argument}={str(path)!r} is no file")
    if not os.access(found, os.R_OK):
        raise UsageError(f"{argument}={str(path)!r}: this user may not read it")
    return found
