"""A folder that guest and host share, as a cell asks for it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from vnb import virtio
from vnb.config.part import Part, Random
from vnb.errors import UsageError
from vnb.host.files import Folder, Fsspec, Tree
from vnb.virtio.ninep.files import Files

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(://|::)")


@dataclass(frozen=True)
class Share(Part):
    """Files that the guest mounts by their `tag`, in Debian at /mnt/TAG by itself.

    `source` is a dict of names to bytes, texts or dicts, which is kept in memory and which the
    guest can change (and so is nothing at all, an empty tree); or the path of a folder of the
    host, or a URL for fsspec, where the guest can only read unless `write` is true; or a Tree,
    Folder or Fsspec from vnb.host.files, which several machines may share.
    """

    source: Any = None
    tag: str = "share"
    write: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.tag, str) or not re.fullmatch(r"\w[\w.-]{0,30}", self.tag, re.A):
            raise UsageError(
                f"tag={self.tag!r}: tag is up to 31 letters, digits, dots, dashes and underscores"
            )
        if not isinstance(self.write, bool):
            raise UsageError(f"write={self.write!r}: True or False")
        known = (type(None), Mapping, str, os.PathLike, Files)
        if not isinstance(self.source, known) or isinstance(self.source, bytes):
            raise UsageError(
                f"source={self.source!r}: give a dict of files, the path of a folder, or a URL"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """The folder that PATH[:rw] means on a command line; its tag is its name."""
        path = text.removesuffix(":rw")
        return cls(path, tag=Path(path).resolve().name, write=path != text)

    def name(self, index: int) -> str:
        """Its tag, by which the guest mounts it."""
        return self.tag

    def open(self) -> Files:
        """What holds the files; UsageError says why there is nothing of the kind."""
        source = self.source
        if isinstance(source, Files):
            return source
        if source is None or isinstance(source, Mapping):
            return Tree(source)
        if isinstance(source, str) and URL.match(source):
            return Fsspec(source, write=self.write)
        return Folder(source, write=self.write)

    def device(self, backend: Files, name: str, random: Random) -> virtio.Device:
        return virtio.NineP(backend, name)

    def __str__(self) -> str:
        source = self.source
        if source is None or isinstance(source, Mapping):
            where = "in memory"
        else:
            where = os.fspath(source) if isinstance(source, os.PathLike) else str(source)
        return f"share {self.tag} ({where}{', writable' if self.write else ''})"
