"""The Debian guest, built from a made-up archive: same bytes, whole or not there, and in words."""

import dataclasses
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.images import fakes
from tests.images.fakes import Archive, Server
from tests.images.test_cpio import members
from vnb import images
from vnb.errors import HostError, UsageError
from vnb.images import build, lock
from vnb.images.lock import Lock


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A made-up archive, and its lock in force."""
    archive, chosen = fakes.debian()
    monkeypatch.setattr(lock, "current", lambda: chosen)
    return archive


@pytest.fixture
def server(archive: Archive) -> Iterator[Server]:
    with fakes.serving(archive.files) as server:
        yield server


def debian(server: Server) -> images.Image:
    return images.debian(server.address, progress=False)


def first_files(image: images.Image) -> dict[str, tuple[int, bytes]]:
    """The initramfs as mode and content by path."""
    assert isinstance(image.initrd, Path)
    return {
        name: (fields[1], content) for fields, name, content in members(image.initrd.read_bytes())
    }


def made() -> list[str]:
    """What is in the directory of images, but for the locks that stay."""
    return [path.name for path in (build.cache() / "images").iterdir() if path.suffix != ".lock"]


# What is built


def test_the_image_is_a_kernel_with_its_first_files_and_an_agent(server: Server) -> None:
    image = debian(server)
    assert (image.name, image.kind, image.agent) == ("debian", "linux", True)
    assert isinstance(image.payload, Path)
    assert image.payload.read_bytes() == b"kernel" * 999
    assert "/init" not in first_files(image)
    assert first_files(image)["init"][1].startswith(b"#!/bin/busybox sh\n")


def test_programs_may_be_run_and_the_rest_may_not(server: Server) -> None:
    files = first_files(debian(server))
    runs = {path for path, (mode, _) in files.items() if stat.S_ISREG(mode) and mode & 0o111}
    scripts = {path for path, (_, content) in files.items() if content.startswith(b"#!")}
    assert runs == scripts | {"usr/bin/busybox"}


def test_each_directory_comes_before_what_is_in_it(server: Server) -> None:
    seen = {""}
    for path, (mode, _) in first_files(debian(server)).items():
        assert path.rpartition("/")[0] in seen
        if stat.S_ISDIR(mode):
            seen.add(path)
    assert {"dev", "proc", "sys", "run", "tmp", "root", "mnt", "etc"} <= seen


def test_the_kernel_finds_a_console_before_devices_are_mounted(server: Server) -> None:
    assert stat.S_ISCHR(first_files(debian(server))["dev/console"][0])


def test_the_modules_are_those_that_devices_need_as_debian_signed_them(server: Server) -> None:
    files = first_files(debian(server))
    library = f"usr/lib/modules/{fakes.KERNEL}"
    found = {path.rpartition("/")[2] for path in files if path.endswith(".ko")}
    assert {"virtio_mmio.ko", "virtio_blk.ko", "failover.ko", "jbd2.ko", "evdev.ko"} <= found
    assert "unwanted.ko" not in found
    for path, (_, content) in files.items():
        assert b"signature" in content or not path.endswith(".ko")
    table = files[f"{library}/modules.dep"][1].decode()
    for path in table.replace(":", "").split():
        assert f"{library}/{path}" in files


def test_two_builds_make_the_same_bytes(server: Server) -> None:
    contents = []
    for _ in range(2):
        image = debian(server)
        assert isinstance(image.initrd, Path)
        contents.append(image.initrd.read_bytes())
        shutil.rmtree(image.initrd.parent)
    assert contents[0] == contents[1]


def test_another_lock_or_another_script_makes_another_image(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vnb.images import initramfs

    chosen = lock.current()
    other = dataclasses.replace(chosen, release="13.9")
    assert build.place(chosen) == build.place(dataclasses.replace(chosen)) != build.place(other)
    before = build.place(chosen)
    shutil.copytree(initramfs._OURS, tmp_path / "rootfs")
    (tmp_path / "rootfs" / "init").write_text("#!/bin/sh\n")
    monkeypatch.setattr(initramfs, "_OURS", tmp_path / "rootfs")
    assert build.place(chosen) != before


# From where


def test_once_built_no_mirror_is_needed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    debian(server)
    asked = len(server.requests)
    monkeypatch.setenv("VNB_DEBIAN_MIRROR", "http://127.0.0.1:1")
    images.debian(progress=False)
    assert len(server.requests) == asked


def test_packages_in_the_cache_serve_another_build(server: Server) -> None:
    image = debian(server)
    assert isinstance(image.payload, Path)
    shutil.rmtree(image.payload.parent)
    assert images.missing("debian") == 0
    debian(server)
    assert len(server.requests) == 3


def test_what_is_missing_is_told_in_bytes(server: Server) -> None:
    assert images.missing("debian") == sum(package.size for package in lock.current().packages)
    debian(server)
    assert images.missing("debian") == 0


def test_a_mirror_may_be_a_directory(archive: Archive, tmp_path: Path) -> None:
    for path, content in archive.files.items():
        (tmp_path / "mirror" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / path).write_bytes(content)
    image = images.debian((tmp_path / "mirror").as_uri(), progress=False)
    assert isinstance(image.payload, Path)
    assert image.payload.exists()


def test_a_wrong_mirror_is_refused_even_if_none_is_needed(server: Server) -> None:
    debian(server)
    with pytest.raises(UsageError, match=r"^mirror='nonsense'"):
        images.debian("nonsense")


def test_many_at_once_build_one_image(server: Server) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: debian(server).payload, range(6)))
    assert len(set(found)) == 1
    assert len(server.requests) == 3
    assert len(made()) == 1


# What goes wrong


def test_a_vanished_package_says_which_command_helps(server: Server, archive: Archive) -> None:
    archive.files.clear()
    with pytest.raises(HostError, match=r"404.*run `vnb images update`"):
        debian(server)
    assert made() == []


def test_no_network_is_an_error_and_nothing_is_half_made(server: Server, archive: Archive) -> None:
    with fakes.serving({}) as gone:
        pass
    with pytest.raises(HostError, match=r"127\.0\.0\.1"):
        debian(gone)
    assert made() == []


def test_a_package_that_was_damaged_in_the_cache_is_fetched_again(server: Server) -> None:
    image = debian(server)
    assert isinstance(image.payload, Path)
    shutil.rmtree(image.payload.parent)
    for package in (build.cache() / "packages").glob("*.deb"):
        package.write_bytes(package.read_bytes()[:-1] + b"?")
    assert debian(server).payload == image.payload
    assert len(server.requests) == 6


SBI = {f"{fakes.OPENSBI}/fw_dynamic.bin": b"firmware"}


@pytest.mark.parametrize(
    ("files", "firmware", "words"),
    [
        ({}, SBI, "hold no kernel or no busybox"),
        ({f"boot/vmlinux-{fakes.KERNEL}": b"kernel"}, SBI, "has no module virtio_mmio"),
        ({f"boot/vmlinux-{fakes.KERNEL}": b"kernel"}, {}, "opensbi holds no firmware"),
    ],
)
def test_packages_without_what_is_expected_are_refused(
    files: dict[str, bytes],
    firmware: dict[str, bytes],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = Archive()
    linux = archive.add(f"linux-image-{fakes.KERNEL}", fakes.deb(files))
    busybox = archive.add("busybox-static", fakes.deb({"bin/busybox": b"busybox"}))
    opensbi = archive.add("opensbi", fakes.deb(firmware))
    packages = linux, busybox, opensbi
    chosen = Lock("trixie", "13", "2026-01-01T00:00:00+00:00", fakes.KERNEL, packages)
    monkeypatch.setattr(lock, "current", lambda: chosen)
    with fakes.serving(archive.files) as server, pytest.raises(HostError, match=words):
        debian(server)
    assert made() == []


@pytest.mark.parametrize("fits", [0, 1])
def test_a_disk_that_fills_up_is_an_error_and_nothing_is_half_made(
    server: Server, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, room = os.fsync, iter(range(fits))

    def full(number: int) -> None:
        if next(room, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(number)

    with (
        monkeypatch.context() as patch,
        pytest.raises(HostError, match=r"cannot build .*: No space"),
    ):
        patch.setattr(os, "fsync", full)
        debian(server)
    assert made() == []
    assert debian(server).agent


def test_a_cell_that_is_interrupted_leaves_nothing_half_made(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        debian(server)
    assert made() == []


# Keeping up with Debian


def test_an_update_is_what_is_built_from_then_on() -> None:
    archive, _ = fakes.debian()
    archive.publish(list(fakes.debian()[1].packages), Date="Thu, 01 Jan 2099 00:00:00 UTC")
    with fakes.serving(archive.files) as server:
        found = images.update(server.address, progress=False)
        assert lock.current() == found.lock
        image = debian(server)
    assert f"usr/lib/modules/{fakes.KERNEL}/modules.dep" in first_files(image)


def test_an_update_that_fails_leaves_the_lock_in_force() -> None:
    before = lock.current()
    with fakes.serving({}) as server, pytest.raises(HostError):
        images.update(server.address, progress=False)
    assert lock.current() == before
    assert not lock.updated().exists()


def test_the_firmware_comes_with_the_guest(server: Server) -> None:
    image = debian(server)
    for name in images.FIRMWARE:
        path = images.opensbi(name, server.address, progress=False)
        assert path.parent == image.payload.parent
        assert path.read_bytes() == name.encode()
    with pytest.raises(UsageError, match=r"file='fw\.bin': one of fw_dynamic\.bin"):
        images.opensbi("fw.bin")
