"""A disk as a cell asks for it."""

import os
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from vnb import virtio
from vnb.config.part import Part, Random
from vnb.errors import UsageError
from vnb.host import block
from vnb.sizes import in_words, size_in_bytes
from vnb.words import one_of

DiskMode = Literal["rw", "ro", "snapshot"]


@dataclass(frozen=True)
class Disk(Part):
    """A disk of the guest: /dev/vda, vdb … in Linux, in the order of the list of devices.

    `path` is a disk image on the host, or the URL of one: anything that fsspec opens, such as
    "https://…" or "zip://disk.img::https://…". `mode` says what the guest may do to it: "rw"
    writes it, "ro" only reads it, "snapshot" writes into memory and never to the image. With
    `changes`, the name of a file that is made if it is not there, the guest's changes are kept in
    that file, for the next time, and the image stays as it is.

    `format` is "raw" or "qcow2"; it is recognised if it is not given. qcow2 images and URLs can
    only be read, so they want one of the ways that leave the image as it is. With `size` instead
    of a path the disk is empty at first, and gone with the machine unless there are `changes`.
    """

    path: str | os.PathLike[str] | None = None
    mode: DiskMode = "rw"
    size: int | str | None = None
    changes: str | os.PathLike[str] | None = None
    format: block.Format | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self.mode, "mode", get_args(DiskMode))
        if (self.path is None) == (self.size is None):
            raise UsageError('Disk needs either a path, as in Disk("a.img"), or Disk(size="64M")')
        if self.path is not None and not isinstance(self.path, str | os.PathLike):
            raise UsageError(f"path={self.path!r}: path is the file name or URL of a disk image")
        if self.size is not None:
            count = size_in_bytes(self.size, "size")
            if count <= 0 or count % block.SECTOR:
                raise UsageError(f"size={self.size!r}: a disk is one or more sectors of 512 bytes")
        if self.changes is not None:
            if not isinstance(self.changes, str | os.PathLike) or block.is_url(self.changes):
                raise UsageError(f"changes={self.changes!r}: changes is the name of a file")
            if self.mode != "rw":
                raise UsageError(f'changes: only with mode="rw", not with mode={self.mode!r}')
        if self.format is not None:
            one_of(self.format, "format", get_args(block.Format))
            if self.path is None:
                raise UsageError("format: only with a path")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The disk that PATH[:ro|:snapshot] means, as one writes it on a command line."""
        path, colon, mode = text.rpartition(":")
        if colon and mode in get_args(DiskMode):
            return cls(path, cast(DiskMode, mode))
        return cls(text)

    def name(self, index: int) -> str:
        """As Linux does: vda … vdz, vdaa …"""
        letters = ""
        index += 1
        while index:
            index, letter = divmod(index - 1, 26)
            letters = chr(ord("a") + letter) + letters
        return "vd" + letters

    def open(self) -> block.Drive:
        """The backend that serves this disk; HostError or UsageError says why there is none."""
        if self.path is None:
            size = size_in_bytes(self.size or 0, "size")
            return block.Drive(block.over(block.Content(), size, self.changes))
        written = self.mode == "rw" and self.changes is None
        disk = block.open_image(self.path, self.format, read_only=not written)
        if self.mode == "snapshot" or self.changes is not None:
            disk = block.over(disk, disk.size, self.changes)
        return block.Drive(disk)

    def device(self, backend: block.Drive, name: str, random: Random) -> virtio.Device:
        """Its serial number is its name."""
        return virtio.Block(backend, serial=name)

    def __str__(self) -> str:
        kept = "" if self.changes is None else f" (changes in {os.fspath(self.changes)})"
        if self.path is None:
            size = in_words(size_in_bytes(self.size or 0, "size"))
            return f"disk of {size}" + (kept or " in memory")
        return f"disk {os.fspath(self.path)}" + (
            kept or ("" if self.mode == "rw" else f" ({self.mode})")
        )
