"""Debian's packages pass through here and become a kernel and its first files, ready to boot."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.parse import quote

from vnb.errors import HostError
from vnb.images import cpio, deb, download, lock, modules
from vnb.images import mirror as mirrors
from vnb.images.image import Image
from vnb.images.lock import Lock

NAME = "debian"
DESCRIPTION = "Debian GNU/Linux trixie: its own kernel, a busybox shell, an agent for commands"

# What the kernel need not do on its way to a shell: test its ciphers and its noise from jitter, and
# read the keys of modules' signatures. Together, more than half of its way.
_APPEND = "initcall_blacklist=jent_mod_init,load_system_certificate_list cryptomgr.notests"

# Our own files of the guest; one that starts with "#!" is to be run.
_OURS = Path(__file__).with_name("rootfs")

_DIRECTORIES = ("dev", "mnt", "proc", "root", "run", "sys", "tmp", "var/log")
_PERMISSIONS = {"root": 0o700, "tmp": 0o1777}
_LINKS = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "sbin": "usr/bin",
    "usr/sbin": "bin",
    "var/run": "../run",
}
_KERNEL = re.compile(r"boot/vmlinux-.*|(?:usr/)?lib/modules/[^/]+/kernel/.*\.ko(?:\.xz)?")
_MODULE = re.compile(r"(?:usr/)?lib/modules/[^/]+/(kernel/.*)")  # the path below its version
_BUSYBOX = re.compile(r"(?:usr/)?bin/busybox")


def image(mirror: str | None = None, *, progress: bool = True) -> Image:
    """The Debian guest of the lock in force, built when it is asked for the first time.

    mirror: a Debian archive, needed only while packages are missing; see `mirror.find`.
    """
    directory = built(lock.current(), mirror, progress=progress)
    return Image(
        name=NAME,
        kind="linux",
        payload=directory / "vmlinux",
        initrd=directory / "initrd.cpio",
        append=_APPEND,
        agent=True,
        description=DESCRIPTION,
    )


def place(chosen: Lock) -> Path:
    """Where the image of that lock is, or will be: a name for each content that it can have."""
    content = hashlib.sha256(chosen.digest.encode())
    for name in ("build.py", "cpio.py", "modules.py", "slim.py"):  # what makes it
        content.update(Path(__file__).with_name(name).read_bytes())
    for path, ours in _our_files():
        content.update(path.encode() + b"\0" + ours)
    return cache() / "images" / f"{NAME}-{content.hexdigest()[:16]}"


def cache() -> Path:
    """The user's directory for packages and images."""
    import platformdirs

    return platformdirs.user_cache_path("vnb")


def built(chosen: Lock, mirror: str | None = None, *, progress: bool = True) -> Path:
    """The directory with that lock's vmlinux and initrd.cpio, made if it is not there.

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


def _packages(chosen: Lock, mirror: str | None, progress: bool) -> dict[str, Path]:
    """The lock's packages by name, as whole files in the cache."""
    found = {}
    for package in chosen.packages:
        path = found[package.name] = cache() / "packages" / Path(package.path).name
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
    """Makes the directory out of the packages, first under another name."""
    kernel: dict[str, bytes] = {}
    boot = f"boot/vmlinux-{chosen.kernel}"
    for path, content in _unpacked(packages[f"linux-image-{chosen.kernel}"], _KERNEL, progress):
        kernel[path] = content
    busybox = dict(_unpacked(packages["busybox-static"], _BUSYBOX, progress))
    if boot not in kernel or not busybox:
        raise HostError(f"the packages of {chosen.kernel} hold no {boot} or no busybox")
    entries = _root(chosen, kernel, next(iter(busybox.values())))
    made = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=directory.parent))
    try:
        made.chmod(0o755)
        _write(made / "vmlinux", [kernel[boot]])
        mtime = int(datetime.fromisoformat(chosen.date).timestamp())
        _write(made / "initrd.cpio", cpio.archive(entries, mtime))
        made.rename(directory)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _root(chosen: Lock, kernel: dict[str, bytes], busybox: bytes) -> Iterator[cpio.Entry]:
    """The guest's first files. What stands in for /dev is there until devtmpfs is mounted."""
    library = f"usr/lib/modules/{chosen.kernel}"
    from vnb.images.slim import slimmed

    files = {found[1]: kernel[path] for path in kernel if (found := _MODULE.fullmatch(path))}
    drivers = modules.closure(files)
    inside = {
        "usr/bin/busybox": busybox,
        f"{library}/modules.dep": modules.dependency_table(drivers),
        f"{library}/modules.alias": modules.alias_table(drivers),
        f"{library}/modules.symbols": b"",
        **{f"{library}/{module.path}": slimmed(module.content) for module in drivers.values()},
        **dict(_our_files()),
    }
    folders = {str(parent) for path in inside for parent in PurePosixPath(path).parents}
    for path in sorted(folders.union(_DIRECTORIES) - {"."}):
        yield cpio.directory(path, _PERMISSIONS.get(path, 0o755))
    for path, target in _LINKS.items():
        yield cpio.link(path, target)
    yield cpio.character_device("dev/console", 5, 1)
    yield cpio.character_device("dev/null", 1, 3, 0o666)
    for path, content in inside.items():
        runs = content.startswith((b"#!", b"\x7fELF")) and not path.endswith(".ko")
        yield cpio.file(path, content, 0o755 if runs else 0o644)


def _our_files() -> Iterator[tuple[str, bytes]]:
    for path in sorted(_OURS.rglob("*")):
        if path.is_file():
            yield path.relative_to(_OURS).as_posix(), path.read_bytes()


def _unpacked(
    package: Path, wanted: re.Pattern[str], progress: bool
) -> Iterator[tuple[str, bytes]]:
    from tqdm.auto import tqdm

    label, size = f"unpacking {package.name}", package.stat().st_size
    with (
        package.open("rb") as file,
        tqdm.wrapattr(file, "read", total=size, desc=label, disable=not progress) as stream,
    ):
        opened = cast(IO[bytes], stream)  # the file itself, but that its reads move the bar
        yield from deb.files(opened, lambda path: bool(wanted.fullmatch(path)))


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())  # before the rename that says that it is whole
