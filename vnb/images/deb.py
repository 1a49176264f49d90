"""A Debian package's files pass through here, out of the tar in the ar that a .deb is."""

import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

from vnb.errors import HostError
from vnb.images import cpio

_PIECE = 1 << 20  # bytes that tarfile asks for at a time


def entries(package: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[cpio.Entry]:
    """The package's files, directories and links, in its order, of those that are wanted.

    Paths have no leading "./" and directories no "/" at their end; a hard link is a file like the
    one that it links to. HostError where it is no whole Debian package.
    """
    import arpy

    contents: dict[str, bytes] = {}
    try:
        with _data(arpy.Archive(fileobj=package)) as tar:
            for member in tar:
                path = _path(member.name)
                if path == "." or not wanted(path):
                    continue
                if member.isdir():
                    yield cpio.directory(path, member.mode)
                elif member.issym():
                    yield cpio.link(path, member.linkname)
                elif member.islnk():
                    yield cpio.file(path, contents[_path(member.linkname)], member.mode)
                elif member.isreg():
                    content = tar.extractfile(member)
                    assert content is not None  # it is a regular file
                    contents[path] = content.read()
                    yield cpio.file(path, contents[path], member.mode)
    except (*_BROKEN, arpy.ArchiveFormatError, arpy.ArchiveAccessError) as broken:
        raise HostError(f"{package.name} is no whole Debian package: {broken}") from broken


def _path(name: str) -> str:
    """A member's name without what tar writes around it: "./usr/" is usr."""
    return posixpath.normpath(name).lstrip("/")


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
