"""Packages in each compression, and files that are none."""

import io
import re
import stat
from collections.abc import Iterator

import pytest

from tests.images import fakes
from vnb.errors import HostError
from vnb.images import cpio, deb

FILES = {"usr/bin/busybox": b"program", "usr/share/doc/copyright": b"text", "boot/big": b"x" * 5000}


def unpacked(package: bytes) -> Iterator[cpio.Entry]:
    stream = io.BytesIO(package)
    stream.name = "some.deb"
    return deb.entries(stream, lambda path: not path.startswith("usr/share"))


@pytest.mark.parametrize("compression", fakes.COMPRESSIONS)
def test_the_wanted_files_come_out_of_a_package(compression: str) -> None:
    found = unpacked(fakes.deb(FILES, compression))
    assert [(entry.path, entry.content) for entry in found if stat.S_ISREG(entry.mode)] == [
        ("usr/bin/busybox", b"program"),
        ("boot/big", b"x" * 5000),
    ]


def test_directories_links_and_permissions_come_as_they_are() -> None:
    links = {"usr/bin/fsck": "../sbin/e2fsck", "usr/bin/same": fakes.Hard("usr/bin/busybox")}
    found = {entry.path: entry for entry in unpacked(fakes.deb(FILES, links=links))}
    assert found["usr"] == cpio.directory("usr", 0o755)
    assert found["usr/bin/fsck"] == cpio.link("usr/bin/fsck", "../sbin/e2fsck")
    assert found["usr/bin/busybox"] == cpio.file("usr/bin/busybox", b"program", 0o755)
    assert found["usr/bin/same"] == cpio.file("usr/bin/same", b"program", 0o755)
    assert "." not in found


@pytest.mark.parametrize(
    "package",
    [
        b"",
        b"!<arch>\n",
        b"not an archive at all",
        fakes.deb(FILES)[:-100],
        fakes.deb(FILES, "")[:2000],
        fakes.deb(FILES, ".zst")[:-20],
        fakes.deb(FILES).replace(b"data.tar.xz", b"data.tar.bz"),
        fakes.deb(FILES).replace(b"\xfd7zXZ", b"\xfd7zXY"),
    ],
)
def test_what_is_no_whole_package_is_refused_by_name(package: bytes) -> None:
    with pytest.raises(HostError, match=re.escape("some.deb is no whole Debian package")):
        list(unpacked(package))
