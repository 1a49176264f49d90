"""A Debian package's files pass through here, out of the tar in the ar that a .deb is."""

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from vnb.errors import HostError

_PIECE = 1 << 20  # bytes that tarfile asks for at a time


def files(package: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """The package's regular files as (path, content), in its order, of those that are wanted.

    Paths have no leading "./". HostError where it is no whole Debian package.
    """
    import arpy

    try:
        with _data(arpy.Archive(fileobj=package)) as tar:
            for member in tar:
                path = member.name.removeprefix("./")
                if member.isreg() and wanted(path):
                    content = tar.extractfile(member)
                    assert content is not None  # it is a regular file
                    yield path, content.read()
    except (*_BROKEN, arpy.ArchiveFormatError, arpy.ArchiveAccessError) as broken:
        raise HostError(f"{package.name} is no whole Debian package: {broken}") from broken


_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, KeyError)


def _data(archive: Any) -> tarfile.TarFile:
    """The package's tar of files, however it is compressed, read as a stream."""
    archive.read_all_headers()
    for name, member in archive.archived_files.items():
        match name.decode(errors="replace"):
            case "data.tar.zst":
                import zstandard

                stream: IO[bytes] = zstandard.ZstdDecompressor().stream_reader(member)
                return tarfile.open(fileobj=stream, mode="r|", bufsize=_PIECE)
            case "data.tar":
                return tarfile.open(fileobj=member, mode="r|", bufsize=_PIECE)
            case "data.tar.xz":
                return tarfile.open(fileobj=member, mode="r|xz", bufsize=_PIECE)
            case "data.tar.gz":
                return tarfile.open(fileobj=member, mode="r|gz", bufsize=_PIECE)
    raise KeyError("it holds no data.tar in a compression known here (none, gz, xz, zst)")
