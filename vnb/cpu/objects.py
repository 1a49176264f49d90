"""Compiled code between processes: files named by what they were made from, checked when read."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOM = Path(__file__).parent
MADE_FROM = (
    "_engine.py", "dialect.py", "emit.py", "lower_llvm.py", "numba_words.py",
    "read_llvm.py", "state.py", "words.py",
)  # fmt: skip
"""The sources that decide what the object code is."""

DIGEST = 32
FEW_BYTES = 4 << 20
"""Of engines and their like: enough for some versions, Pythons and hosts side by side."""


def folder() -> Path:
    """Where compiled code is kept: $VNB_CACHE_DIR, else the user's cache."""
    if chosen := os.environ.get("VNB_CACHE_DIR"):
        return Path(chosen) / "compiled"
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("vnb")) / "compiled"


@cache
def _sources(names: tuple[str, ...]) -> str:
    content = b"".join((ROOM / name).read_bytes() for name in names)
    return hashlib.sha256(content).hexdigest()


def key(*parts: str, made_from: tuple[str, ...] = MADE_FROM) -> str:
    """A name for what these parts and the sources lead to."""
    import llvmlite

    said = "\0".join((*parts, llvmlite.__version__, _sources(made_from)))
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def get(name: str) -> bytes | None:
    """What was put under this name; None if nothing was, or if the file is damaged."""
    try:
        stored = (folder() / name).read_bytes()
    except OSError:
        return None
    digest, content = stored[:DIGEST], stored[DIGEST:]
    return content if hashlib.sha256(content).digest() == digest else None


def remember(name: str, make: Callable[[], bytes]) -> bytes:
    """What is kept under a name, else what `make` makes, which is kept from now on.

    Of what has names that begin alike, up to the first dash, the newest FEW_BYTES stay.
    """
    if (known := get(name)) is not None:
        return known
    content = put(name, make())
    trim(name.partition("-")[0] + "-", FEW_BYTES)
    return content


def trim(prefix: str, most: int) -> None:
    """Of what was put under names with this prefix, keep the newest `most` bytes."""
    found = []
    for place in folder().glob(f"{prefix}*"):
        try:
            status = place.stat()
        except OSError:  # another process was first
            continue
        found.append((status.st_mtime_ns, status.st_size, place))
    total = sum(size for _, size, _ in found)
    for _, size, place in sorted(found):
        if total <= most:
            return
        place.unlink(missing_ok=True)
        total -= size


@cache
def trim_once(prefix: str, most: int) -> None:
    """The same, once in a process: for who is about to add something, as it looks at every file."""
    trim(prefix, most)


def put(name: str, content: bytes) -> bytes:
    """Keep `content` for later processes, whole or not at all; a full disk is no error here."""
    place = folder() / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            os.replace(temporary, place)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError:
        pass
    return content
