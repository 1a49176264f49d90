"""Debian's own lists pass through here: what the archive holds today, and who signed that."""

import difflib
import lzma
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from vnb.errors import HostError
from vnb.images import download
from vnb.images.lock import Lock, Package

SUITE = "trixie"
ARCHITECTURE = "riscv64"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_INDEX = f"main/binary-{ARCHITECTURE}/Packages.xz"
_META = f"linux-image-{ARCHITECTURE}"  # its dependency names the kernel of the day
_OTHERS = ("busybox-static", "opensbi")


@dataclass(frozen=True)
class Found:
    """What a mirror offers now. signature: how far the archive's signature was verified."""

    lock: Lock
    signature: str


class Index:
    """An archive's list of packages, by their names and by what they provide."""

    def __init__(self, packages: bytes) -> None:
        self._paragraphs: dict[str, bytes] = {}
        self._providers: dict[str, list[str]] = {}
        for paragraph in packages.split(b"\n\n"):
            name = paragraph.partition(b"\n")[0].removeprefix(b"Package: ").decode()
            self._paragraphs.setdefault(name, paragraph)
            if b"\nProvides: " in paragraph:
                for (provided,) in clauses(fields(paragraph)["Provides"]):
                    self._providers.setdefault(provided, []).append(name)

    def __contains__(self, name: str) -> bool:
        return name in self._paragraphs

    def named(self, name: str) -> list[str]:
        """The package of that name, if there is one, and those that provide what it stands for."""
        return [
            *([name] if name in self._paragraphs else ()),
            *sorted(self._providers.get(name, ())),
        ]

    def facts(self, name: str) -> dict[str, str]:
        """All that the list says of that package; HostError where it does not name it."""
        if name not in self:
            raise HostError(f"the archive has no package {name} in {SUITE} for {ARCHITECTURE}")
        return fields(self._paragraphs[name])

    def like(self, name: str) -> list[str]:
        """Names that look like it."""
        return difflib.get_close_matches(name, self._paragraphs, n=3, cutoff=0.7)


@dataclass(frozen=True)
class Lists:
    """What a mirror says of itself (InRelease) and of its packages."""

    top: dict[str, str]
    packages: Index
    signature: str


def latest(mirror: str, progress: bool = True) -> Found:
    """The packages for the guest as the mirror has them now; HostError where a check fails."""
    found = lists(mirror, progress)
    kernel = _kernel(found.packages.facts(_META))
    return Found(
        Lock(
            suite=SUITE,
            release=found.top.get("Version", ""),
            date=parsedate_to_datetime(found.top["Date"].replace("UTC", "+0000")).isoformat(),
            kernel=kernel.removeprefix("linux-image-"),
            packages=tuple(package(found.packages.facts(name)) for name in (kernel, *_OTHERS)),
        ),
        found.signature,
    )


def lists(mirror: str, progress: bool = True) -> Lists:
    """The mirror's lists.

    InRelease is checked against Debian's keyring where the host has that and gpgv; the list of
    packages against InRelease, by size and SHA-256. HostError where a check fails.
    """
    base = f"{mirror}/dists/{SUITE}"
    text, signature = opened(download.head(f"{base}/InRelease", 1 << 22), KEYRING)
    top = fields(text)
    if top.get("Codename") != SUITE:
        raise HostError(f"{base}/InRelease is not the archive's list of {SUITE}")
    size, sha256 = _listed(top, _INDEX)
    with tempfile.TemporaryDirectory(prefix="vnb-") as directory:
        target = Path(directory) / "Packages.xz"
        download.fetch(f"{base}/{_INDEX}", target, size=size, sha256=sha256, progress=progress)
        with lzma.open(target) as stream:
            return Lists(top, Index(stream.read()), signature)


def fields(paragraph: bytes) -> dict[str, str]:
    """A paragraph in Debian's form of "Name: value", whose values may go on in indented lines.

    A signature around it and lines that have no such form are passed over. [deb822(5)]
    """
    found = re.findall(
        r"(?m)^([A-Za-z0-9-]+):(.*(?:\n[ \t].*)*)", paragraph.decode("utf-8", "replace")
    )
    return {name: value.strip() for name, value in found}


def clauses(field: str) -> Iterator[list[str]]:
    """The names in a field such as "libc6 (>= 2.38), mawk:any | awk", alternatives together."""
    for clause in field.split(","):
        names = [part.partition("(")[0].partition(":")[0].strip() for part in clause.split("|")]
        if any(names):
            yield names


def opened(signed: bytes, keyring: Path) -> tuple[bytes, str]:
    """The text inside a signed message, and in words how far its signature was verified.

    HostError where the signature is wrong. A host without gpgv or the keyring, or with a keyring
    from before the archive's keys, can verify nothing: that is said and no error.
    """
    body = signed.partition(b"\n-----BEGIN PGP SIGNATURE-----")[0].partition(b"\n\n")[2]
    if not keyring.exists() or not shutil.which("gpgv"):
        return body, f"not verified: that takes gpgv and {keyring}"
    with tempfile.TemporaryDirectory(prefix="vnb-") as directory:
        message, text = Path(directory) / "message", Path(directory) / "text"
        message.write_bytes(signed)
        said = subprocess.run(
            ["gpgv", "--status-fd=1", f"--keyring={keyring}", f"--output={text}", str(message)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        signers = re.findall(r"(?m)^\[GNUPG:\] GOODSIG \S+ (.*)$", said)
        if re.search(r"(?m)^\[GNUPG:\] (BADSIG|NODATA)", said):
            raise HostError(
                "the signature of the mirror's InRelease is wrong: do not use this mirror"
            )
        if not signers:
            return body, f"not verified: {keyring} has none of the keys that signed it"
        return text.read_bytes(), f"verified: {', '.join(signers)}"


def _listed(top: dict[str, str], path: str) -> tuple[int, str]:
    """Size and SHA-256 of one of the archive's lists, as InRelease has them."""
    for line in top.get("SHA256", "").splitlines():
        match line.split():
            case [sha256, size, name] if name == path:
                return int(size), sha256
    raise HostError(f"the archive's InRelease does not list {path}")


def _kernel(meta: dict[str, str]) -> str:
    """The package that the meta-package of the kernel depends on."""
    found = re.search(rf"linux-image-[0-9]\S*-{ARCHITECTURE}\b", meta.get("Depends", ""))
    if not found:
        raise HostError(f"the package {_META} depends on no kernel: {meta.get('Depends')!r}")
    return found[0]


def package(stanza: dict[str, str]) -> Package:
    """What a lock says of the package of that paragraph."""
    return Package(
        name=stanza["Package"],
        version=stanza["Version"],
        path=stanza["Filename"],
        size=int(stanza["Size"]),
        sha256=stanza["SHA256"],
    )
