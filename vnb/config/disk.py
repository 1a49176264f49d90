"""A disk as a cell asks for it."""

import os
from dataclasses import dataclass
from typing import Literal, get_args

from vnb import virtio
from vnb.config.part import Part, Random
from vnb.config.words import one_of
from vnb.errors import UsageError
from vnb.host import block
from vnb.sizes import in_words, size_in_bytes

DiskMode = Literal["rw", "ro", "snapshot"]

SECTOR = 512


@dataclass(frozen=True)
class Disk(Part):
    """A disk of the guest: /dev/vda, vdb … in Linux, in the order of the list of devices.

    `path` is a raw disk image on the host and `mode` says what the guest may do to it: "rw"
    writes it, "ro" only reads it, "snapshot" writes into memory and never to the file. With
    `size` instead of a path the disk is empty, in memory, and gone with the machine.
    """

    path: str | os.PathLike[str] | None = None
    mode: DiskMode = "rw"
    size: int | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self.mode, "mode", get_args(DiskMode))
        if (self.path is None) == (self.size is None):
            raise UsageError('Disk needs either a path, as in Disk("a.img"), or Disk(size="64M")')
        if self.path is not None and not isinstance(self.path, str | os.PathLike):
            raise UsageError(f"path={self.path!r}: path is the file name of a raw disk image")
        if self.size is not None:
            count = size_in_bytes(self.size, "size")
            if count <= 0 or count % SECTOR:
                raise UsageError(f"size={self.size!r}: a disk is one or more sectors of 512 bytes")

    def name(self, index: int) -> str:
        """As Linux does: vda … vdz, vdaa …"""
        letters = ""
        index += 1
        while index:
            index, letter = divmod(index - 1, 26)
            letters = chr(ord("a") + letter) + letters
        return "vd" + letters

    def open(self) -> block.Block:
        """The backend that serves this disk; HostError or UsageError says why there is none."""
        if self.path is None:
            return block.Memory(size_in_bytes(self.size or 0, "size"))
        if self.mode == "snapshot":
            return block.Overlay(block.Raw(self.path, read_only=True))
        return block.Raw(self.path, read_only=self.mode == "ro")

    def device(self, backend: block.Block, name: str, random: Random) -> virtio.Device:
        """Its serial number is its name."""
        return virtio.Block(backend, serial=name)

    def __str__(self) -> str:
        if self.path is None:
            return f"disk of {in_words(size_in_bytes(self.size or 0, 'size'))} in memory"
        return f"disk {os.fspath(self.path)}" + ("" if self.mode == "rw" else f" ({self.mode})")
