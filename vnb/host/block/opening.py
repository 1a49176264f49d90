"""From what a cell calls a disk to the disk: where its image lies, and in which format."""

import hashlib
import os
from typing import Literal

from vnb.errors import HostError, UsageError
from vnb.host.block import qcow2
from vnb.host.block.changes import Changes
from vnb.host.block.disk import CLUSTER, SECTOR, Block, Source
from vnb.host.block.file import File, Raw
from vnb.host.block.overlay import InMemory, Overlay
from vnb.host.block.qcow2 import Qcow2
from vnb.host.block.url import Url, is_url

Format = Literal["raw", "qcow2"]
Path = str | os.PathLike[str]

# How images begin that are no disks yet, and what to say of them.
FOREIGN = {
    b"\x1f\x8b": "compressed (gzip)",
    b"\xfd7zXZ\0": "compressed (xz)",
    b"\x28\xb5\x2f\xfd": "compressed (zstd)",
    b"BZh": "compressed (bzip2)",
    b"PK\x03\x04": "an archive; name its member, as in zip://disk.img::URL",
    b"KDMV": "a VMDK image",
    b"vhdxfile": "a VHDX image",
    b"conectix": "a VHD image",
    b"<<< ": "a VDI image",
}


def open_image(path: Path, format: Format | None = None, read_only: bool = False) -> Block:
    """The disk whose image is the file, or lies at the URL, `path`.

    Without a `format` it is the one that the image looks like. Only raw images in files can be
    written. UsageError if that is what was wanted of others, or there is no such image.
    """
    source: File | Url = Url(str(path)) if is_url(path) else File(path, read_only=True)
    try:
        found = format or _look(source)
        if found == "raw" and isinstance(source, File):
            source.close()  # its lock is not the one that a writer needs
            return Raw(path, read_only)
        if not read_only:
            what = "a qcow2 image" if found == "qcow2" else "what lies at a URL"
            raise UsageError(
                f'{what} cannot be written; give mode="ro", mode="snapshot" or changes=…'
            )
        if found == "qcow2":
            return Qcow2(source)
        if source.size % SECTOR:
            raise UsageError(f"{source.size} bytes are not whole sectors of {SECTOR} bytes")
        return source
    except (HostError, UsageError) as error:
        source.close()
        text, named = str(error), f"path={os.fspath(path)!r}: "
        raise UsageError(text if text.startswith(named) else named + text) from error


def over(base: Block, size: int, changes: Path | None = None) -> Overlay:
    """A disk of `size` bytes that is like `base`, until it is written.

    What is written is kept in the file `changes`, or else in memory. The base is closed with the
    disk, also if UsageError says that there cannot be one.
    """
    if changes is None:
        return Overlay(base, InMemory(size))
    try:
        return Overlay(base, Changes(changes, _identity(base), size))
    except (HostError, UsageError) as error:
        base.close()
        raise UsageError(str(error)) from error


def _look(source: Source) -> Format:
    """The format that an image looks like."""
    start = bytearray(min(source.size, max(map(len, FOREIGN))))
    source.readinto(0, [memoryview(start)])
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise UsageError(f'{what}; a disk image is raw or qcow2 (or insist on format="raw")')
    return "qcow2" if start.startswith(qcow2.MAGIC) else "raw"


def _identity(base: Block) -> str:
    """Which disk this is: as far as is known without reading more than its two ends."""
    ends = hashlib.sha256()
    for offset in (0, max(0, base.size - CLUSTER)):
        data = bytearray(min(CLUSTER, base.size))
        base.readinto(offset, [memoryview(data)])
        ends.update(data)
    return f"{base.identity}, begins and ends like {ends.hexdigest()[:16]}"
