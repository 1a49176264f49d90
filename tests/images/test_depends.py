"""Packages of the user's choice: what they need comes too, once looked up it stays so."""

import json
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.images import fakes
from tests.images.fakes import Archive
from tests.images.test_debian import first_files
from vnb import images
from vnb.errors import HostError, UsageError
from vnb.images import depends, lock, release
from vnb.images.lock import Package

LOADER = "usr/lib/ld-linux-riscv64-lp64d.so.1"
LIBC = "usr/lib/riscv64-linux-gnu/libc.so.6"


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A made-up archive with e2fsprogs, what that needs, and others; its lock in force."""
    archive, chosen = fakes.debian()
    libc = fakes.deb({LIBC: b"libc"}, links={LOADER: "riscv64-linux-gnu/ld.so"})
    e2fsprogs = fakes.deb(
        {"usr/sbin/mke2fs": b"\x7fELF mke2fs", "usr/share/man/man8/mke2fs.8.gz": b"page"},
        links={"usr/sbin/mkfs.ext4": "mke2fs", "usr/bin/mke2fs": "../sbin/mke2fs"},
    )
    init = fakes.deb({"init": b"not ours", "lib/old/path": b"old"})
    more = [
        archive.add(
            "e2fsprogs", e2fsprogs, Depends="logsave | none", **{"Pre-Depends": "libc6 (>= 2.38)"}
        ),
        archive.add("libc6", libc, Depends="libgcc-s1, debconf (>= 0.5) | debconf-2.0"),
        archive.add("libgcc-s1", fakes.deb({}), Depends="libc6:any (>= 2)"),  # in a circle
        archive.add("logsave", fakes.deb({}), Depends="awk"),
        archive.add("mawk", fakes.deb({"usr/bin/mawk": b""}), Provides="awk, other (= 1)"),
        archive.add("original-awk", fakes.deb({}), Provides="awk"),
        archive.add("old", init, Depends="original-awk, awk"),
        archive.add("broken", fakes.deb({}), Depends="nosuch | neither"),
    ]
    archive.publish([*chosen.packages, *more])
    monkeypatch.setattr(lock, "current", lambda: chosen)
    return archive


def debian(archive: Archive, *names: str, **options: Any) -> images.Image:
    with fakes.serving(archive.files) as server:
        return images.debian(server.address, packages=names, progress=False, **options)


def added(path: Path) -> list[str]:
    """The names of the packages in a lock beyond those of every guest."""
    return [package.name for package in lock.read(path).packages[3:]]


def test_a_package_comes_with_all_that_it_needs(archive: Archive) -> None:
    files = first_files(debian(archive, "e2fsprogs"))
    assert files[LIBC][1] == b"libc"
    assert files[LOADER] == (stat.S_IFLNK | 0o777, b"riscv64-linux-gnu/ld.so")
    assert files["lib"] == (stat.S_IFLNK | 0o777, b"usr/lib")  # so programs find it as /lib/ld-…
    assert files["usr/bin/mawk"][1] == b""


def test_what_is_below_a_linked_directory_lies_where_the_link_leads(archive: Archive) -> None:
    files = first_files(debian(archive, "e2fsprogs", "old"))
    assert files["usr/bin/mke2fs"][1] == b"\x7fELF mke2fs"  # and not a link to itself
    assert files["usr/bin/mke2fs"][0] & 0o111
    assert files["usr/bin/mkfs.ext4"][1] == b"mke2fs"
    assert files["usr/lib/old/path"][1] == b"old"
    assert stat.S_ISLNK(files["usr/sbin"][0])
    assert not [path for path in files if path.startswith(("usr/sbin/", "lib/", "sbin/"))]


def test_manual_pages_stay_out_and_our_own_files_are_ours(archive: Archive) -> None:
    files = first_files(debian(archive, "e2fsprogs", "old"))
    assert not [path for path in files if path.startswith("usr/share/man")]
    assert files["init"][1].startswith(b"#!/bin/busybox sh\n")


def test_a_bigger_guest_says_that_it_needs_more_memory(archive: Archive) -> None:
    archive.publish(
        [*lock.current().packages, archive.add("big", fakes.deb({"big": bytes(9 << 20)}))]
    )
    assert debian(archive, "big").least_memory >= debian(archive).least_memory + (18 << 20)


def test_alternatives_are_the_one_that_is_in_else_the_first_that_there_is(
    archive: Archive, tmp_path: Path
) -> None:
    debian(archive, "e2fsprogs", lock=tmp_path / "a")
    assert added(tmp_path / "a") == ["e2fsprogs", "libc6", "libgcc-s1", "logsave", "mawk"]
    debian(archive, "old", "logsave", lock=tmp_path / "b")
    assert "mawk" in added(tmp_path / "b")
    debian(archive, "original-awk", "logsave", lock=tmp_path / "c")
    assert added(tmp_path / "c") == ["logsave", "original-awk"]


def test_what_was_looked_up_once_counts_from_then_on(archive: Archive) -> None:
    first = debian(archive, "e2fsprogs")
    del archive.files["dists/trixie/InRelease"]
    assert debian(archive, "e2fsprogs") == first
    with pytest.raises(HostError, match="InRelease"):
        debian(archive, "libc6")


def test_a_lock_file_gives_the_same_guest_on_another_host(
    archive: Archive, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "notebook.lock.json"
    first = debian(archive, "e2fsprogs", lock=path)
    assert "://" not in path.read_text()
    assert isinstance(first.initrd, Path)
    content = first.initrd.read_bytes()
    for directory in ("cache", "data"):
        (home / directory).rename(home / f"old-{directory}") if (home / directory).exists() else 0
    archive.publish([])  # the archive goes on, and keeps the old files
    for names in (("e2fsprogs",), ()):
        again = debian(archive, *names, lock=path)
        assert isinstance(again.initrd, Path)
        assert again.initrd.read_bytes() == content


def test_a_lock_file_that_does_not_name_the_package_is_refused(
    archive: Archive, tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    debian(archive, lock=path)
    assert lock.read(path) == lock.current()
    with pytest.raises(UsageError, match=r"^lock='.*' names no e2fsprogs, libc6: without that"):
        debian(archive, "libc6", "e2fsprogs", lock=path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("e2fsprog",), r"^packages: Debian .* no package 'e2fsprog'; there is e2fsprogs"),
        (("xyz",), r"no package 'xyz'$"),
        (("awk",), r"'awk' is no package; it is provided by mawk, original-awk: name one"),
        ((7,), r"^packages: 7 is no name of a package"),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_that_are(
    archive: Archive, names: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        debian(archive, *names)
    assert not lock.updated().parent.exists()


@pytest.mark.parametrize("packages", ["e2fsprogs", 7])
def test_names_that_are_no_list_are_refused(archive: Archive, packages: Any) -> None:
    with pytest.raises(UsageError, match=r"^packages=.*: names of Debian packages, as"):
        images.debian(packages=packages)


def test_a_package_whose_needs_are_not_there_is_an_error(archive: Archive) -> None:
    with pytest.raises(HostError, match="the archive has no nosuch or neither, which broken needs"):
        debian(archive, "broken")


def test_lists_that_were_not_verified_are_told_of(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        debian(archive, "libc6")
    assert "not verified: that takes gpgv" in caplog.text


def test_a_package_that_every_guest_has_is_not_taken_twice(archive: Archive) -> None:
    assert debian(archive, "busybox-static") == debian(archive)


def test_packages_that_need_each_other_come_once_each_by_name() -> None:
    text = "\n\n".join(
        f"Package: {name}\nVersion: 1\nFilename: f\nSize: 1\nSHA256: 0\nDepends: {other}"
        for name, other in (("b", "a"), ("a", "b"))
    )
    found = depends.closure(release.Index(text.encode()), ["b"])
    assert found == [Package(name, "1", "f", 1, "0") for name in "ab"]


def test_the_lock_of_a_guest_with_packages_is_json_that_people_can_read(
    archive: Archive, tmp_path: Path
) -> None:
    debian(archive, "logsave", lock=tmp_path / "lock")
    assert json.loads((tmp_path / "lock").read_text())["packages"][3]["name"] == "logsave"
