"""Disks at URLs: what is fetched, kept and tried again, and what is refused in words."""

import io
import random
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.contracts.block import BlockContract
from tests.host.web import Site, serving
from tests.patience import until
from vnb.errors import HostError, UsageError
from vnb.host.block import Block, Url, open_image, over, url
from vnb.host.block.url import AHEAD, BLOCK, CACHE

CONTENT = random.Random(9).randbytes(10 * BLOCK + 1536)
read = BlockContract.read


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        site.files["disk.img"] = CONTENT
        yield site


@pytest.fixture
def disk(site: Site) -> Iterator[Url]:
    disk = Url(f"{site.address}/disk.img")
    yield disk
    disk.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "PAUSES", (0.01, 0.02))


class TestOverlayOverUrl(BlockContract):
    @pytest.fixture
    def disk(self, site: Site) -> Block:
        site.files["contract.img"] = self.content
        base = open_image(f"{site.address}/contract.img", read_only=True)
        return over(base, base.size)


def zipped(content: bytes, method: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("images/disk.img", content)
    return packed.getvalue()


def test_any_range_of_a_web_servers_file_is_read(disk: Url, rng: random.Random) -> None:
    assert disk.size == len(CONTENT)
    assert disk.read_only
    for _ in range(100):
        offset = rng.randrange(len(CONTENT))
        length = min(rng.choice((1, 512, BLOCK, 3 * BLOCK)), len(CONTENT) - offset)
        assert read(disk, offset, length) == CONTENT[offset : offset + length]
    assert read(disk, 0, len(CONTENT)) == CONTENT
    with pytest.raises(HostError, match="beyond"):
        read(disk, len(CONTENT), 1)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_of_an_archive_is_read_wherever_that_lies(
    site: Site, tmp_path: Path, rng: random.Random, method: int
) -> None:
    content = CONTENT[: 2 * BLOCK] * 2
    site.files["disks.zip"] = zipped(content, method)
    (tmp_path / "disks.zip").write_bytes(site.files["disks.zip"])
    for place in (f"{site.address}/disks.zip", str(tmp_path / "disks.zip")):
        disk = Url(f"zip://images/disk.img::{place}")
        for offset in (3 * BLOCK, 0, 1000, 2 * BLOCK - 5):
            assert read(disk, offset, 700) == content[offset : offset + 700]
        disk.close()


def test_an_archive_that_changed_is_read_anew(site: Site) -> None:
    for content in (CONTENT[:BLOCK], CONTENT[BLOCK : 3 * BLOCK]):
        site.files["disks.zip"] = zipped(content, zipfile.ZIP_STORED)
        disk = Url(f"zip://images/disk.img::{site.address}/disks.zip")
        assert read(disk, 0, len(content)) == content
        disk.close()


def test_files_of_other_systems_are_read_too(tmp_path: Path) -> None:
    with fsspec.open("memory://vnb/disk.img", "wb") as file:
        file.write(CONTENT)
    (tmp_path / "disk.img").write_bytes(CONTENT)
    for name in ("memory://vnb/disk.img", f"file://{tmp_path}/disk.img"):
        disk = Url(name)
        assert read(disk, 0, len(CONTENT)) == CONTENT
        disk.close()


def test_a_block_is_fetched_once(site: Site, disk: Url) -> None:
    before = site.fetched()
    for _ in range(50):
        read(disk, 7 * BLOCK, 4096)
        read(disk, 7 * BLOCK + 9999, 4096)
    assert set(disk._blocks) == {7, len(CONTENT) // BLOCK}  # and none ahead: it goes to and fro
    assert site.fetched() - before == BLOCK


def test_reading_straight_on_is_prepared(site: Site, disk: Url) -> None:
    read(disk, 0, 4096)
    read(disk, 4096, 4096)
    until(lambda: site.fetched() >= (1 + AHEAD) * BLOCK)
    # What the site has sent need not have arrived yet.
    until(lambda: disk.readinto(BLOCK, [memoryview(bytearray(BLOCK))], wait=False))


def test_nothing_is_waited_for_unless_it_may_be(site: Site, disk: Url) -> None:
    site.delay = 0.3
    room = memoryview(bytearray(4096))
    began = time.monotonic()
    assert not disk.readinto(5 * BLOCK, [room], wait=False)
    assert time.monotonic() - began < 0.2
    assert disk.readinto(5 * BLOCK, [room])
    assert room == CONTENT[5 * BLOCK : 5 * BLOCK + 4096]
    assert disk.readinto(5 * BLOCK + 4096, [room], wait=False)


def test_no_more_is_kept_than_the_cache_holds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "CACHE", 3 * BLOCK)
    disk = Url(f"{site.address}/disk.img")
    for _ in range(2):
        assert read(disk, 0, len(CONTENT)) == CONTENT
        assert len(disk._blocks) <= 3
    assert CACHE == 64 << 20
    disk.close()


@pytest.mark.parametrize("trouble", ["500", "hang up", "cut off"])
def test_a_fetch_that_fails_is_tried_again_and_then_is_an_error(
    site: Site, disk: Url, trouble: str
) -> None:
    site.plans = [trouble] * 2
    assert read(disk, 5 * BLOCK, 512) == CONTENT[5 * BLOCK : 5 * BLOCK + 512]
    site.plans = [trouble] * 100
    with pytest.raises(HostError, match=r"disk\.img"):
        read(disk, 8 * BLOCK, 512)
    site.plans = []
    assert read(disk, 8 * BLOCK, 512) == CONTENT[8 * BLOCK : 8 * BLOCK + 512]


def test_a_file_that_vanished_or_shrank_under_us_fails_what_was_not_kept(
    site: Site, disk: Url
) -> None:
    read(disk, 0, 512)
    site.files["disk.img"] = CONTENT[: 6 * BLOCK]
    with pytest.raises(HostError):
        read(disk, 9 * BLOCK, 512)
    del site.files["disk.img"]
    with pytest.raises(HostError, match="no such file"):
        read(disk, 7 * BLOCK, 512)
    assert read(disk, 0, 512) == CONTENT[:512]


def test_what_cannot_be_a_disk_is_refused_in_words(site: Site) -> None:
    site.files["odd.img"] = b"x" * 700
    for name, words in (
        (f"{site.address}/nothing.img", "there is no such file"),
        (f"{site.address}/odd.img", "not whole sectors"),
        ("nowhere://disk.img", "Protocol not known"),
        (f"zip://other.img::{site.address}/disk.img", "not a zip file"),
        ("http://127.0.0.1:1/disk.img", "no such file"),
    ):
        with pytest.raises(UsageError, match=words) as raised:
            open_image(name, read_only=True)
        assert f"path={name!r}" in str(raised.value)


def test_a_server_that_has_no_parts_is_refused(site: Site) -> None:
    site.ranges = False
    with pytest.raises(UsageError, match=r"disk\.img"):
        Url(f"{site.address}/disk.img")


def test_a_url_is_never_written(site: Site, disk: Url) -> None:
    for misuse in (
        lambda: disk.write(0, [memoryview(b"x")]),
        lambda: disk.write_zeroes(0, 512),
        lambda: disk.discard(0, 512),
    ):
        with pytest.raises(HostError, match="read-only"):
            misuse()
    with pytest.raises(UsageError, match="cannot be written"):
        open_image(f"{site.address}/disk.img")


def test_changes_over_a_url_belong_to_that_version_of_it(site: Site, tmp_path: Path) -> None:
    def opened() -> Block:
        base = open_image(f"{site.address}/disk.img", read_only=True)
        return over(base, base.size, tmp_path / "changes.vnb")

    disk = opened()
    BlockContract.write(disk, 0, b"mine")
    disk.close()
    disk = opened()
    assert read(disk, 0, 5) == b"mine" + CONTENT[4:5]
    disk.close()
    site.files["disk.img"] = CONTENT[:-1] + b"!"
    with pytest.raises(UsageError, match="changed since"):
        opened()


def test_a_disk_that_is_closed_leaves_no_thread_behind(site: Site) -> None:
    before = set(threading.enumerate())
    for _ in range(5):
        disk = Url(f"{site.address}/disk.img")
        read(disk, 0, len(CONTENT))
        disk.close()
        disk.close()
    until(lambda: all(new.name != "vnb-url" for new in {*threading.enumerate()} - before))
