"""Files from a mirror pass through here: resumed, checked, and whole or not there at all."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vnb.errors import HostError

TRIES = 4  # how often a connection that breaks is taken up again
PAUSE = 0.5  # seconds before that, doubled each time
TIMEOUT = (10, 30)  # seconds to connect, and without a byte
_PIECE = 1 << 16  # what a connection that breaks may lose of what has arrived


class NotThere(HostError):
    """The mirror answers, and has no such file."""


class Broken(HostError):
    """The mirror does not answer, or stopped in the middle."""


def fetch(url: str, target: Path, *, size: int, sha256: str, progress: bool = True) -> Path:
    """Makes target the file at url (http, https or file): size bytes with that SHA-256.

    A target that already is that file is left alone. What arrives is kept in target.part, from
    where a later call goes on; target appears whole and checked, or not at all. Processes that
    want the same target wait for each other. Raises NotThere, Broken, or HostError where the
    disk is full or the bytes are not the expected ones.
    """
    from filelock import FileLock

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not holds(target, size, sha256):
                _complete(url, target, size, sha256, progress)
    except OSError as error:
        raise HostError(f"cannot write {target}: {error.strerror or error}") from error
    return target


def head(url: str, limit: int) -> bytes:
    """The first bytes of the file at url: limit of them, or all."""
    found = b""
    for _, piece in _pieces(url, 0):
        found += piece
        if len(found) >= limit:
            break
    return found[:limit]


def holds(path: Path, size: int, sha256: str) -> bool:
    """Whether path is that file, whole and unharmed."""
    return path.is_file() and path.stat().st_size == size and _digest(path) == sha256


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _complete(url: str, target: Path, size: int, sha256: str, progress: bool) -> None:
    part = target.with_name(target.name + ".part")
    goes_on = part.exists()
    _fill(url, part, size, progress)
    if goes_on and not holds(part, size, sha256):  # the old bytes may be to blame: without them
        part.unlink()
        _fill(url, part, size, progress)
    if not holds(part, size, sha256):
        found = _digest(part)
        part.unlink()
        raise HostError(f"{url} is not the file that was asked for: SHA-256 {found}, not {sha256}")
    part.replace(target)


def _fill(url: str, part: Path, size: int, progress: bool) -> None:
    """Brings part to its size, from where it stands, over as many connections as TRIES."""
    from tqdm.auto import tqdm

    name = unquote(url.rpartition("/")[2]).partition("_")[0]  # a package's, without its version
    part.touch()
    start = part.stat().st_size
    with tqdm(
        total=size, unit="B", unit_scale=True, unit_divisor=1024, desc=name, disable=not progress
    ) as bar:
        for attempt in range(TRIES):
            try:
                return _receive(url, part, size, bar)
            except Broken:
                if attempt + 1 == TRIES or part.stat().st_size == start:
                    raise
                time.sleep(PAUSE * 2**attempt)
            except (HostError, OSError):  # nothing gets better by keeping what there is
                part.unlink(missing_ok=True)
                raise


def _receive(url: str, part: Path, size: int, bar: Any) -> None:
    """Appends to part what one connection brings, until it has its size."""
    with part.open("ab") as file:
        have = file.tell() if file.tell() <= size else file.truncate(0)
        free = shutil.disk_usage(part.parent).free
        if free < size - have:
            raise HostError(f"{part} needs {size - have:,} bytes, and its disk has {free:,} left")
        if have == size:
            return
        for offset, piece in _pieces(url, have):
            if offset != have:  # the mirror begins anew instead of where we stand
                have = file.truncate(offset)
            file.write(piece)
            have += len(piece)
            if have > size:
                raise HostError(f"{url} is longer than the {size:,} bytes that it should have")
            bar.update(have - bar.n)
    if have < size:
        raise Broken(f"{url} broke off after {have:,} of {size:,} bytes")


def _pieces(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    """The bytes at url as (offset, piece), from start on, or from 0 if it cannot begin there."""
    return _from_file(url, start) if urlsplit(url).scheme == "file" else _from_http(url, start)


def _from_file(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    try:
        with open(unquote(urlsplit(url).path), "rb") as file:
            file.seek(start)
            while piece := file.read(_PIECE):
                yield start, piece
                start += len(piece)
    except FileNotFoundError as error:
        raise NotThere(f"there is no {url}") from error
    except OSError as error:
        raise Broken(f"cannot read {url}: {error.strerror}") from error


def _from_http(url: str, start: int) -> Iterator[tuple[int, bytes]]:
    import requests

    # The file's own bytes are wanted, not a compression of them made for the way.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if response.status_code in (403, 404, 410):
                raise NotThere(f"{url}: the mirror says {response.status_code} {response.reason}")
            response.raise_for_status()
            if response.status_code != 206:
                start = 0
            for piece in response.iter_content(_PIECE):
                yield start, piece
                start += len(piece)
    except requests.RequestException as error:
        raise Broken(f"{url}: {error}") from error
