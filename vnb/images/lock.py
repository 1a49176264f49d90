"""Which packages the guest is made of passes through here, by name, version, size and SHA-256.

The lock file names no mirror: paths in it are relative to any Debian archive.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from vnb.errors import HostError

SHIPPED = Path(__file__).with_name("debian.lock.json")


@dataclass(frozen=True)
class Package:
    """One .deb: path in the archive, size in bytes."""

    name: str
    version: str
    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Lock:
    """One state of Debian's archive, as far as the guest needs it.

    release: Debian's own number of it ("13.7"); date: when that was made, in ISO 8601 and UTC;
    kernel: the release that `uname -r` shows.
    """

    suite: str
    release: str
    date: str
    kernel: str
    packages: tuple[Package, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all that this lock says."""
        return hashlib.sha256(_text(self).encode()).hexdigest()


def read(path: Path) -> Lock:
    """The lock in that file; HostError where there is none or it is damaged."""
    try:
        facts = json.loads(path.read_text())
        packages = tuple(Package(**package) for package in facts.pop("packages"))
        return Lock(**facts, packages=packages)
    except OSError as error:
        raise HostError(f"cannot read the lock file {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise HostError(f"the lock file {path} is damaged: {error}") from error


def write(lock: Lock, path: Path) -> None:
    """Puts the lock into that file, which at every moment holds an old or the new lock whole."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            try:
                file.write(_text(lock))
                file.flush()
                os.fsync(file.fileno())
                os.chmod(file.name, 0o644)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise HostError(f"cannot write the lock file {path}: {error.strerror}") from error


def updated() -> Path:
    """Where this user's refreshed lock is kept, beside the one that came with vnb."""
    import platformdirs

    return platformdirs.user_data_path("vnb") / SHIPPED.name


def current() -> Lock:
    """The lock in force: the user's refreshed one, unless the one that came with vnb is newer.

    One that an earlier vnb refreshed, which made do with fewer packages, does not count either.
    """
    shipped = read(SHIPPED)
    if not updated().exists():
        return shipped
    refreshed = read(updated())
    if len(refreshed.packages) < len(shipped.packages):
        return shipped
    return max(refreshed, shipped, key=lambda lock: lock.date)


def _text(lock: Lock) -> str:
    return json.dumps(asdict(lock), indent=2) + "\n"
