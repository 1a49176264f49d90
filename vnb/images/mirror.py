"""The address of a Debian archive passes through here: told, or the one that this host uses."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from vnb.errors import HostError, UsageError
from vnb.images import download, release

VARIABLE = "VNB_DEBIAN_MIRROR"
_ADVICE = (
    f'say mirror="http://…/debian" or set {VARIABLE}: the address of a Debian archive that holds '
    f"{release.SUITE} for {release.ARCHITECTURE} (http, https or file)"
)


def find(mirror: str | None = None, apt: Path = Path("/etc/apt")) -> str:
    """The address of a Debian archive, without a slash at its end.

    In this order: the argument; the environment's VNB_DEBIAN_MIRROR; the first of the host's apt
    sources that turns out to hold what is needed. UsageError where none is to be had.
    """
    told = mirror if mirror is not None else os.environ.get(VARIABLE)
    if told is not None:
        return check(told, "mirror" if mirror is not None else VARIABLE)
    candidates = list(dict.fromkeys(_apt_addresses(apt)))
    for address in candidates:
        if _serves(address):
            return address
    tried = f"none of {', '.join(candidates)} serves" if candidates else "there are none for"
    raise UsageError(f"no Debian mirror: of this host's apt sources, {tried} it; {_ADVICE}")


def check(address: str, name: str) -> str:
    """The address in its plain form; UsageError, naming the argument, where it is none."""
    if not isinstance(address, str) or urlsplit(address).scheme not in ("http", "https", "file"):
        raise UsageError(f"{name}={address!r} is no address of a mirror: {_ADVICE}")
    return address.rstrip("/")


def _serves(address: str) -> bool:
    try:
        top = release.fields(download.head(f"{address}/dists/{release.SUITE}/InRelease", 4096))
    except HostError:
        return False
    return top.get("Origin") == "Debian" and release.ARCHITECTURE in top.get("Architectures", "")


def _apt_addresses(apt: Path) -> Iterator[str]:
    """The addresses in apt's settings, both forms of them. [sources.list(5)]"""
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))]:
        try:
            text = path.read_text(errors="replace")
        except OSError:  # not there, or not for us to read: it may hold a password
            continue
        if path.suffix == ".sources":
            found = _from_deb822(text)
        elif path.suffix == ".list":
            found = re.findall(r"(?m)^\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)", text)
        else:
            continue
        for address in found:
            if urlsplit(address).scheme in ("http", "https", "file"):
                yield address.rstrip("/")


def _from_deb822(text: str) -> list[str]:
    uncommented = re.sub(r"(?m)^#.*\n?", "", text)
    found = []
    for paragraph in re.split(r"\n\s*\n", uncommented):
        source = {name.lower(): value for name, value in release.fields(paragraph.encode()).items()}
        if "deb" in source.get("types", "").split() and source.get("enabled", "yes") != "no":
            found += source.get("uris", "").split()
    return found
