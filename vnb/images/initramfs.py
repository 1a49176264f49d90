"""The guest's first files pass through here: what lies where when the kernel starts /init."""

import posixpath
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from vnb.images import cpio, modules

# Our own files, where they lie in the guest; one that starts with "#!" is to be run.
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
_DEVICES = (  # for as long as devtmpfs is not mounted over them
    cpio.character_device("dev/console", 5, 1),
    cpio.character_device("dev/null", 1, 3, 0o666),
)


def entries(
    kernel: str,
    drivers: Mapping[str, bytes],
    busybox: bytes,
    packages: Iterable[cpio.Entry] = (),
) -> Iterator[cpio.Entry]:
    """All that the archive holds, each directory before what is in it.

    kernel: its release, as `uname -r` shows it. drivers: the files of all its modules, by path;
    of them go in what the devices need. packages: what more of Debian is in the guest; where two
    have the same path, the last one's counts, and ours before theirs.
    """
    placed = dict(_placed(packages))
    permissions = {path: it.mode & 0o7777 for path, it in placed.items() if stat.S_ISDIR(it.mode)}
    files = {path: it for path, it in placed.items() if path not in permissions}
    for path, content in (*_library(kernel, drivers).items(), *our_files()):
        files[path] = cpio.file(path, content, 0o755 if content.startswith(b"#!") else 0o644)
    files["usr/bin/busybox"] = cpio.file("usr/bin/busybox", busybox, 0o755)
    files |= {path: cpio.link(path, target) for path, target in _LINKS.items()}
    files |= {entry.path: entry for entry in _DEVICES}

    parents = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    permissions |= _PERMISSIONS
    for path in sorted(parents.union(_DIRECTORIES, permissions) - {"."}):
        yield cpio.directory(path, permissions.get(path, 0o755))
    yield from files.values()


def _placed(packages: Iterable[cpio.Entry]) -> Iterator[tuple[str, cpio.Entry]]:
    """Packages' entries by where they lie here, which is never below a link."""
    for entry in packages:
        path = _behind_links(entry.path)
        if stat.S_ISLNK(entry.mode):
            target = posixpath.join(posixpath.dirname(entry.path), entry.content.decode())
            if path == _behind_links(posixpath.normpath(target).lstrip("/")):
                continue  # from one directory to another, and they are one here
        if path not in _LINKS:
            yield path, replace(entry, path=path)


def _behind_links(path: str) -> str:
    """Where a path leads, by the links between directories: "sbin/fsck" to usr/bin/fsck."""
    for link, target in _LINKS.items():
        if path.startswith(f"{link}/"):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(link), target))
            return place + path.removeprefix(link)
    return path


def our_files() -> Iterator[tuple[str, bytes]]:
    """Our own files, as (path in the guest, content), in a fixed order."""
    for path in sorted(_OURS.rglob("*")):
        if path.is_file():
            yield path.relative_to(_OURS).as_posix(), path.read_bytes()


def _library(kernel: str, drivers: Mapping[str, bytes]) -> dict[str, bytes]:
    """The modules and the tables by which modprobe finds them."""
    found = modules.closure(drivers)
    contents = {module.path: module.content for module in found.values()}
    contents["modules.dep"] = modules.dependency_table(found)
    contents["modules.alias"] = modules.alias_table(found)
    contents["modules.symbols"] = b""
    return {f"usr/lib/modules/{kernel}/{path}": content for path, content in contents.items()}
