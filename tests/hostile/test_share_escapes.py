"""Ways out of a shared folder, each tried as a guest would: not a byte outside is read or changed.

Beside the share lies a secret, and everything outside is compared before and after.
"""

import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.cases import share
from tests.virtio.ninep import APPEND, DAY, RDONLY, RDWR, ROOT, TRUNC, WRONLY, Guest, Refusal
from vnb.host.files import Folder

SECRET = b"a secret of the host"
RACES = share(10_000, 2)
"""Tries against a folder that is being swapped for a symbolic link all the time."""


class World:
    """A share, and around it what no guest may reach."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.share = root / "share"
        self.outside = root / "outside"
        (self.outside / "dir").mkdir(parents=True)
        (self.share / "dir" / "inner").mkdir(parents=True)
        (root / "secret").write_bytes(SECRET)
        (self.outside / "secret").write_bytes(SECRET)
        (self.outside / "dir" / "secret").write_bytes(SECRET)
        (self.share / "file").write_bytes(b"shared")
        (self.share / "dir" / "secret").write_bytes(b"shared")
        # Links that somebody on the host made, in every form that could lead out.
        for name, target in (
            ("up", ".."),
            ("upup", "../.."),
            ("absolute", str(self.outside)),
            ("to_dir", "../outside/dir"),
            ("to_secret", "../secret"),
            ("absolute_secret", str(root / "secret")),
            ("to_nothing", "../new"),
            ("absolute_nothing", str(self.outside / "new")),
            ("chain", "to_secret"),
            ("chain_dir", "to_dir"),
            ("proc_root", "/proc/self/root"),
            ("proc_cwd", "/proc/self/cwd"),
            ("loop", "loop"),
            ("inward", "dir"),
        ):
            (self.share / name).symlink_to(target)
        (self.share / "dir" / "back").symlink_to("../../outside")
        os.mkfifo(self.share / "fifo")
        self.before = self.look()

    def look(self) -> dict[str, tuple[object, ...]]:
        """Everything that is not in the share."""
        found = {}
        for directory, directories, names in os.walk(self.root):
            if Path(directory) == self.root:
                directories.remove("share")
            for name in [*directories, *names]:
                path = Path(directory, name)
                status = path.lstat()
                data = path.read_bytes() if path.is_file() else b""
                key = (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_nlink, data)
                found[str(path)] = key
        return found

    def unharmed(self) -> bool:
        return self.look() == self.before


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def guest(world: World) -> Guest:
    return Guest(Folder(world.share, write=True))


LINKS_TO_FILES = ("to_secret", "absolute_secret", "chain")
LINKS_TO_DIRECTORIES = ("up", "upup", "absolute", "to_dir", "chain_dir", "proc_root", "proc_cwd")
LINKS_TO_NOTHING = ("to_nothing", "absolute_nothing", "loop")
LINKS = (*LINKS_TO_FILES, *LINKS_TO_DIRECTORIES, *LINKS_TO_NOTHING)

Attempt = Callable[[Guest], Any]


def reading(*names: str) -> Attempt:
    """Walk there by these names and read it."""

    def attempt(guest: Guest) -> object:
        guest.ask("walk", ROOT, 900, list(names))
        guest.ask("lopen", 900, RDONLY)
        return guest.ask("read", 900, 0, 100)

    return attempt


def at(path: str, request: str, *values: Any) -> Attempt:
    """A request whose first field is the fid of what is there."""
    return lambda guest: guest.ask(request, guest.walk(path), *values)


def linked(target: str, then: Attempt) -> Attempt:
    """Make a link first."""

    def attempt(guest: Guest) -> object:
        guest.ask("symlink", ROOT, "ln", target, 0)
        return then(guest)

    return attempt


def swapped(guest: Guest) -> object:
    """Put something else where a directory was that the guest has a fid of."""
    fid = guest.walk("dir")
    guest.ask("renameat", ROOT, "dir", ROOT, "old")
    guest.ask("renameat", ROOT, "up", ROOT, "dir")
    guest.ask("walk", fid, 900, ["..", "secret"])
    return guest.ask("lopen", 900, RDONLY)


def link_in_its_place(guest: Guest) -> object:
    """A fid of a directory whose name becomes that of a link to outside."""
    guest.ask("walk", ROOT, 899, ["dir", "inner"])
    guest.ask("unlinkat", guest.walk("dir"), "inner", 0x200)
    guest.ask("renameat", ROOT, "absolute", guest.walk("dir"), "inner")
    guest.ask("walk", 899, 900, ["secret"])
    guest.ask("lopen", 900, RDONLY)
    return guest.ask("read", 900, 0, 100)


def create_through(guest: Guest) -> object:
    guest.ask("walk", ROOT, 899, ["dir", "inner"])
    guest.ask("unlinkat", guest.walk("dir"), "inner", 0x200)
    guest.ask("renameat", ROOT, "absolute", guest.walk("dir"), "inner")
    return guest.ask("lcreate", 899, "made", RDWR, 0o666, 0)


ESCAPES: dict[str, Attempt] = {
    # Names that go up, or are paths.
    "dot dot": reading("..", "secret"),
    "dot dot many times": reading(*[".."] * 15, "secret"),
    "dot dot from a directory": reading("dir", "..", "..", "secret"),
    "a path as a name": reading("../secret"),
    "a path with an inner dot dot": reading("dir/../../secret"),
    "an absolute path": reading("/etc/passwd"),
    "a slash before": reading("/secret"),
    "a slash after": reading("../"),
    "an empty name": reading("", "secret"),
    "a NUL after dot dot": reading("..\0", "secret"),
    "a NUL within": reading("file\0/../../secret"),
    "dots and spaces": reading(".. ", "secret"),
    "three dots": reading("...", "secret"),
    "an encoded slash": reading("..%2fsecret"),
    "an overlong slash": reading("..\udcc0\udcafsecret"),
    "a backslash": reading("..\\secret"),
    "a path of 65,535 bytes": reading("../" * 21845),
    "a name of 65,535 bytes": reading("x" * 65535),
    # Links that are there.
    **{f"read the link {name}": reading(name) for name in LINKS},
    **{f"walk through the link {name}": reading(name, "secret") for name in LINKS_TO_DIRECTORIES},
    "walk through a link in a directory": reading("dir", "back", "secret"),
    "walk through a link and back": reading("up", "share", "..", "secret"),
    **{f"write the link {name}": at(name, "lopen", WRONLY | TRUNC) for name in LINKS},
    **{f"append to the link {name}": at(name, "lopen", WRONLY | APPEND) for name in LINKS_TO_FILES},
    **{
        f"create over the link {name}": at("", "lcreate", name, RDWR | TRUNC, 0o666, 0)
        for name in LINKS
    },
    **{f"list the link {name}": at(name, "lopen", 0o200000) for name in LINKS_TO_DIRECTORIES},
    **{
        f"{request} in the link {name}": at(name, request, *values)
        for name in ("to_dir", "absolute", "up")
        for request, *values in (
            ("lcreate", "new", RDWR, 0o666, 0),
            ("mkdir", "new", 0o777, 0),
            ("mknod", "new", stat.S_IFREG | 0o666, 0, 0, 0),
            ("unlinkat", "secret", 0),
            ("renameat", "secret", ROOT, "stolen"),
        )
    },
    "rename out through a link": lambda g: g.ask("renameat", ROOT, "file", g.walk("to_dir"), "x"),
    "rename out by a path": lambda g: g.ask("renameat", ROOT, "file", ROOT, "../stolen"),
    "rename a fid out": lambda g: g.ask("rename", g.walk("file"), g.walk("up"), "stolen"),
    "rename from outside": lambda g: g.ask("renameat", ROOT, "../secret", ROOT, "stolen"),
    "change the mode through a link": at("to_secret", "setattr", 1, 0o777, 0, 0, 0, 0, 0, 0, 0),
    "cut through a link": at("to_secret", "setattr", 8, 0, 0, 0, 0, 0, 0, 0, 0),
    "change the time through a link": at("to_secret", "setattr", 0x1B0, 0, 0, 0, 0, 1, 1, 1, 1),
    "an attribute through a link": at("to_secret", "xattrwalk", 900, "user.a"),
    "change the mode of the root's parent": at("up", "setattr", 1, 0o777, 0, 0, 0, 0, 0, 0, 0),
    # Links, nodes and second names that the guest makes.
    "a link of its own": linked("../secret", reading("ln")),
    "an absolute link of its own": linked("/etc/passwd", reading("ln")),
    "a link to a directory of its own": linked("..", reading("ln", "secret")),
    "a hard link to a link": lambda g: g.ask("link", ROOT, g.walk("to_secret"), "hard"),
    "a hard link": lambda g: g.ask("link", g.walk("dir"), g.walk("file"), "hard"),
    "a block device": at("", "mknod", "disk", stat.S_IFBLK | 0o666, 8, 0, 0),
    "the host's memory": at("", "mknod", "mem", stat.S_IFCHR | 0o666, 1, 1, 0),
    "a FIFO of its own": at("", "mknod", "pipe", stat.S_IFIFO | 0o666, 0, 0, 0),
    "a socket of its own": at("", "mknod", "sock", stat.S_IFSOCK | 0o666, 0, 0, 0),
    "a FIFO that is there": at("fifo", "lopen", RDONLY),
    "a FIFO to write": at("fifo", "lopen", WRONLY),
    "a FIFO to create": at("", "lcreate", "fifo", RDWR, 0o666, 0),
    "a FIFO to cut": at("fifo", "setattr", 8, 0, 0, 0, 0, 0, 0, 0, 0),
    # Fids, and what becomes of them.
    "a link under an old fid": swapped,
    "a link where a directory was": link_in_its_place,
    "create where a link came": create_through,
    "remove the root": at("", "remove"),
    "rename the root": lambda g: g.ask("rename", ROOT, g.walk("dir"), "root"),
    "attach elsewhere": lambda g: g.ask("attach", 900, 0xFFFF_FFFF, "", "../outside", 0),
    "attach to a path": lambda g: g.ask("attach", 900, 0xFFFF_FFFF, "", "/etc", 0),
    "a set-user-ID program": lambda g: g.ask("lcreate", g.walk(""), "su", RDWR, 0o6777, 0),
    "give a file away": at("file", "setattr", 2, 0, 1000, 0, 0, 0, 0, 0, 0),
}

HARMLESS = {"a set-user-ID program"}
"""What is done, but not as it was meant."""


def test_there_are_at_least_sixty_of_them() -> None:
    assert len(ESCAPES) >= 60


@pytest.mark.parametrize("way", ESCAPES)
def test_there_is_no_way_out(way: str, world: World, guest: Guest) -> None:
    began = time.monotonic()
    if way in HARMLESS:
        ESCAPES[way](guest)
    else:
        with pytest.raises(Refusal):
            found = ESCAPES[way](guest)
            print(f"{way}: {found!r}")
    assert time.monotonic() - began < 5, "it blocked"
    assert world.unharmed()
    for path in (path for path in world.share.rglob("*") if not path.is_symlink()):
        status = path.lstat()
        assert not status.st_mode & 0o6000
        assert stat.S_IFMT(status.st_mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFIFO)
    assert not any(path.is_symlink() for path in world.share.glob("ln*"))
    assert guest.ask("getattr", ROOT, 0)


def test_a_guests_whole_day_leaves_everything_outside_alone(world: World) -> None:
    guest = Guest(Folder(world.share, write=True))
    for name, *values in DAY[2:]:
        try:
            guest.ask(str(name), *values)
        except Refusal:
            continue
    assert world.unharmed()


class Swapper:
    """Somebody on the host who keeps putting now `real`, now a link to `target`, in one place."""

    def __init__(self, world: World, real: Path, target: Path) -> None:
        self._place = world.share / "swapped"
        self._real = real
        self._link = world.share / "link"
        self._link.symlink_to(target)
        self._ending = threading.Event()
        self.swaps = 0
        self._thread = threading.Thread(target=self._swap)

    def __enter__(self) -> "Swapper":
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # as many moments as there can be
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()
        sys.setswitchinterval(self._interval)

    def _swap(self) -> None:
        while not self._ending.is_set():
            for one in (self._real, self._link):
                os.rename(one, self._place)
                self.swaps += 1
                time.sleep(0)
                os.rename(self._place, one)


def in_the_directory(guest: Guest, number: int) -> bytes:
    """Read, create, move or remove something in there; what was read."""
    found = b""
    guest.ask("walk", ROOT, 10, ["swapped"])
    match number % 6:
        case 0 | 1:
            guest.ask("walk", 10, 11, ["secret"])
            guest.ask("lopen", 11, RDONLY)
            found = guest.ask("read", 11, 0, 100)
        case 2:
            guest.ask("lcreate", 10, "made", WRONLY | TRUNC, 0o666, 0)
            guest.ask("write", 10, 0, b"made")
        case 3:
            guest.ask("mkdir", 10, f"dir{number}", 0o777, 0)
        case 4:
            guest.ask("renameat", 10, "made", 10, "secret")
        case 5:
            guest.ask("unlinkat", 10, "secret", 0)
    return found


def with_the_file(guest: Guest, number: int) -> bytes:
    """Read, write, cut or change it; what was read."""
    found = b""
    guest.ask("walk", ROOT, 10, ["swapped"])
    match number % 6:
        case 0 | 1:
            guest.ask("lopen", 10, RDONLY)
            found = guest.ask("read", 10, 0, 100)
        case 2:
            guest.ask("lopen", 10, WRONLY)
            guest.ask("write", 10, 0, b"made")
        case 3:
            guest.ask("setattr", 10, 8, 0, 0, 0, 4, 0, 0, 0, 0)
        case 4:
            guest.ask("setattr", 10, 0x1B1, 0o604, 0, 0, 0, 1, 1, 1, 1)
        case 5:
            guest.ask("walk", ROOT, 11, [])
            guest.ask("lcreate", 11, "swapped", RDWR | TRUNC, 0o666, 0)
    return found


@pytest.mark.parametrize("deed", [in_the_directory, with_the_file])
def test_what_is_swapped_for_a_link_at_any_moment_leads_nowhere(
    world: World, deed: Callable[[Guest, int], bytes]
) -> None:
    real, target = world.share / "real", world.root / "secret"
    if deed is in_the_directory:
        target = world.outside
        real.mkdir()
        (real / "secret").write_bytes(b"shared")
    else:
        real.write_bytes(b"shared")
    guest = Guest(Folder(world.share, write=True))
    went_well = 0
    with Swapper(world, real, target) as swapper:
        for number in range(RACES):
            try:
                assert SECRET not in deed(guest, number)
                went_well += 1
            except Refusal:
                pass
            for fid in (10, 11):
                with suppress(Refusal):
                    guest.ask("clunk", fid)
    assert swapper.swaps > RACES // 100
    assert 0 < went_well < RACES
    assert world.unharmed()
