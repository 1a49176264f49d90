"""Debian's packages pass through here and become a kernel, its first files, and firmware."""

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.parse import quote

from vnb.errors import HostError
from vnb.images import cpio, deb, download, initramfs
from vnb.images import mirror as mirrors
from vnb.images.lock import Lock, Package

# What the kernel need not test on its way to a shell, half of that way: its ciphers, and whether
# jitter makes noise (random numbers do not need it: the device tree brings a seed).
APPEND = "initcall_blacklist=jent_mod_init cryptomgr.notests"

_KERNEL_MEMORY = 120 << 20  # for the kernel, and some to work in

_KERNEL = re.compile(r"boot/vmlinux-.*|(?:usr/)?lib/modules/[^/]+/kernel/.*\.ko(?:\.xz)?")
_MODULE = re.compile(r"(?:usr/)?lib/modules/[^/]+/(kernel/.*)")  # the path below its version
_FIRMWARE = re.compile(r"usr/lib/riscv64-linux-gnu/opensbi/generic/fw_(dynamic|jump)\.(bin|elf)")
_BUSYBOX = re.compile(r"(?:usr/)?bin/busybox")
_READ = re.compile(r"(?!usr/share/(doc|doc-base|info|lintian|locale|man)(/|$)).*")
_MAKERS = ("build.py", "cpio.py", "deb.py", "initramfs.py", "modules.py")


def place(chosen: Lock) -> Path:
    """Where the image of that lock is, or will be: a name for each content that it can have."""
    content = hashlib.sha256(chosen.digest.encode())
    for name in _MAKERS:
        content.update(Path(__file__).with_name(name).read_bytes())
    for path, ours in initramfs.our_files():
        content.update(path.encode() + b"\0" + ours)
    return cache() / "images" / f"debian-{content.hexdigest()[:16]}"


def cache() -> Path:
    """The user's directory for packages and images."""
    import platformdirs

    return platformdirs.user_cache_path("vnb")


def built(chosen: Lock, mirror: str | None = None, *, progress: bool = True) -> Path:
    """The directory with that lock's vmlinux, initrd.cpio and firmware, made if it is not there.

    It appears whole or not at all. HostError where packages cannot be had or the disk is full.
    """
    from filelock import FileLock

    if mirror is not None:
        mirror = mirrors.check(mirror, "mirror")
    directory = place(chosen)
    if directory.is_dir():
        return directory
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{directory}.lock"):
            if not directory.is_dir():
                _build(chosen, _packages(chosen, mirror, progress), directory, progress)
    except OSError as error:
        raise HostError(f"cannot build {directory}: {error.strerror or error}") from error
    return directory


def least_memory(directory: Path) -> int:
    """Bytes of RAM for the image there: its first files come, and are then unpacked beside."""
    return _KERNEL_MEMORY + 2 * (directory / "initrd.cpio").stat().st_size


def missing(chosen: Lock) -> int:
    """Bytes that must be downloaded before that lock's image is there."""
    if place(chosen).is_dir():
        return 0
    return sum(package.size for package in chosen.packages if not _in_cache(package).exists())


def _in_cache(package: Package) -> Path:
    return cache() / "packages" / PurePosixPath(package.path).name


def _packages(chosen: Lock, mirror: str | None, progress: bool) -> dict[str, Path]:
    """The lock's packages by name, as whole files in the cache."""
    found = {}
    for package in chosen.packages:
        path = found[package.name] = _in_cache(package)
        if download.holds(path, package.size, package.sha256):
            continue
        mirror = mirror or mirrors.find()
        url = f"{mirror}/{quote(package.path)}"
        try:
            download.fetch(url, path, size=package.size, sha256=package.sha256, progress=progress)
        except download.NotThere as gone:
            raise HostError(
                f"{gone}. Debian replaces packages by newer ones: run `vnb images update`, "
                "which looks up what the mirror has now"
            ) from gone
    return found


def _build(chosen: Lock, packages: dict[str, Path], directory: Path, progress: bool) -> None:
    """Makes the directory out of the packages, under another name until it is whole."""
    more = dict(packages)  # than the three that every guest is made of
    linux = _files(more.pop(f"linux-image-{chosen.kernel}"), _KERNEL, progress)
    busybox = _files(more.pop("busybox-static"), _BUSYBOX, progress)
    firmware = _files(more.pop("opensbi"), _FIRMWARE, progress)
    others = [entry for path in more.values() for entry in _entries(path, _READ, progress)]
    kernel = linux.get(f"boot/vmlinux-{chosen.kernel}")
    if kernel is None or not busybox:
        raise HostError(f"the packages for {chosen.kernel} hold no kernel or no busybox")
    if not firmware:
        raise HostError("the package opensbi holds no firmware")
    drivers = {found[1]: linux[path] for path in linux if (found := _MODULE.fullmatch(path))}
    entries = initramfs.entries(chosen.kernel, drivers, next(iter(busybox.values())), others)
    mtime = int(datetime.fromisoformat(chosen.date).timestamp())

    made = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=directory.parent))
    try:
        made.chmod(0o755)
        _write(made / "vmlinux", [kernel])
        _write(made / "initrd.cpio", cpio.archive(entries, mtime))
        for path, content in firmware.items():
            _write(made / PurePosixPath(path).name, [content])
        made.rename(directory)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _files(package: Path, wanted: re.Pattern[str], progress: bool) -> dict[str, bytes]:
    """The package's regular files by path."""
    entries = _entries(package, wanted, progress)
    return {entry.path: entry.content for entry in entries if stat.S_ISREG(entry.mode)}


def _entries(package: Path, wanted: re.Pattern[str], progress: bool) -> Iterator[cpio.Entry]:
    from tqdm.auto import tqdm

    label, size = f"unpacking {package.name.partition('_')[0]}", package.stat().st_size
    with (
        package.open("rb") as file,
        tqdm.wrapattr(file, "read", total=size, desc=label, disable=not progress) as stream,
    ):
        opened = cast(IO[bytes], stream)  # the file itself, but that its reads move the bar
        yield from deb.entries(opened, lambda path: bool(wanted.fullmatch(path)))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())  # before the rename that says that it is whole
