"""Packages in each compression, and files that are none."""

import io
import re
from collections.abc import Iterator

import pytest

from tests.images import fakes
from vnb.errors import HostError
from vnb.images import deb

FILES = {"usr/bin/busybox": b"program", "usr/share/doc/copyright": b"text", "boot/big": b"x" * 5000}


def unpacked(package: bytes) -> Iterator[tuple[str, bytes]]:
    stream = io.BytesIO(package)
    stream.name = "some.deb"
    return deb.files(stream, lambda path: not path.startswith("usr/share"))


@pytest.mark.parametrize("compression", fakes.COMPRESSIONS)
def test_the_wanted_files_come_out_of_a_package(compression: str) -> None:
    found = list(unpacked(fakes.deb(FILES, compression)))
    assert found == [("usr/bin/busybox", b"program"), ("boot/big", b"x" * 5000)]


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
