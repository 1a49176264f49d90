"""The guest's first files pass through here: what lies where when the kernel starts /init."""

from collections.abc import Iterator, Mapping
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


def entries(kernel: str, drivers: Mapping[str, bytes], busybox: bytes) -> Iterator[cpio.Entry]:
    """All that the archive holds, each directory before what is in it.

    kernel: its release, as `uname -r` shows it. drivers: the files of all its modules, by path;
    of them go in what the devices need.
    """
    files = {"usr/bin/busybox": busybox, **_library(kernel, drivers), **dict(our_files())}
    paths = map(PurePosixPath, [*files, *_LINKS, *_DIRECTORIES])
    directories = {str(parent) for path in paths for parent in path.parents}
    for path in sorted(directories.union(_DIRECTORIES) - {"."}):
        yield cpio.directory(path, _PERMISSIONS.get(path, 0o755))
    for path, target in _LINKS.items():
        yield cpio.link(path, target)
    yield from _DEVICES
    for path, content in files.items():
        runs = content.startswith(b"#!") or path == "usr/bin/busybox"
        yield cpio.file(path, content, 0o755 if runs else 0o644)


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
