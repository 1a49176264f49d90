"""Disks on the host: each kind by the contract, and what only it promises."""

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contracts.block import SIZE, BlockContract
from tests.host.faults import FAILURES, fail, shorten
from vnb.errors import HostError, UsageError
from vnb.host.block import CLUSTER, Block, Memory, Overlay, Raw, file, over
from vnb.host.block.disk import cut


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(BlockContract.content)
    return path


class TestMemory(BlockContract):
    @pytest.fixture
    def disk(self) -> Block:
        return Memory(self.content)


class TestRaw(BlockContract):
    @pytest.fixture
    def disk(self, image: Path) -> Block:
        return Raw(image)


class TestRawWithoutHoles(BlockContract):
    """On a host or a file system that makes no holes."""

    @pytest.fixture
    def disk(self, image: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
        fail(monkeypatch, "fallocate", errno.EOPNOTSUPP)
        return Raw(image)


class TestRawInSmallSteps(BlockContract):
    """On a host that always does less than it was asked."""

    @pytest.fixture
    def disk(self, image: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
        shorten(monkeypatch, "preadv", 1021)
        shorten(monkeypatch, "pwritev", 1021)
        return Raw(image)


class TestOverlay(BlockContract):
    @pytest.fixture
    def disk(self, image: Path) -> Block:
        return Overlay(Raw(image, read_only=True))


class TestOverlayOverAnOverlay(BlockContract):
    @pytest.fixture
    def disk(self) -> Block:
        return Overlay(Overlay(Memory(self.content)))


class TestOverlayInAFile(BlockContract):
    @pytest.fixture
    def disk(self, image: Path, tmp_path: Path) -> Block:
        return over(Raw(image, read_only=True), SIZE, tmp_path / "changes")


class TestOverlayInAFileWithoutHoles(BlockContract):
    @pytest.fixture
    def disk(self, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
        fail(monkeypatch, "fallocate", errno.EOPNOTSUPP)
        return over(Raw(image, read_only=True), SIZE, tmp_path / "changes")


# Raw.


def test_what_was_written_is_in_the_file(image: Path) -> None:
    disk = Raw(image)
    disk.write(512, [memoryview(b"x" * 512)])
    disk.flush()
    disk.close()
    assert (
        image.read_bytes()[510:1026]
        == BlockContract.content[510:512] + b"x" * 512 + (BlockContract.content[1024:1026])
    )


def test_a_discard_gives_space_back_and_keeps_the_size(image: Path) -> None:
    before = image.stat()
    disk = Raw(image)
    disk.discard(0, 4 * CLUSTER)
    after = image.stat()
    assert after.st_size == before.st_size
    if after.st_blocks == before.st_blocks:
        pytest.skip("this file system makes no holes")
    assert after.st_blocks * 512 <= before.st_blocks * 512 - 4 * CLUSTER


def test_a_file_has_one_writer_and_nobody_else_meanwhile(image: Path) -> None:
    writer = Raw(image)
    for read_only in (False, True):
        with pytest.raises(UsageError, match="another machine"):
            Raw(image, read_only=read_only)
    writer.close()
    readers = [Raw(image, read_only=True), Raw(image, read_only=True)]
    with pytest.raises(UsageError, match="another machine"):
        Raw(image)
    for reader in readers:
        reader.close()
    Raw(image).close()


def test_a_read_only_file_is_never_written(image: Path) -> None:
    image.chmod(0o444)
    disk = Raw(image, read_only=True)
    assert disk.read_only
    with suppress(HostError):  # or nothing, where the host cannot discard
        disk.discard(0, CLUSTER)
    for misuse in (lambda: disk.write(0, [memoryview(b"x")]), lambda: disk.write_zeroes(0, 512)):
        with pytest.raises(HostError):
            misuse()
    assert image.read_bytes() == BlockContract.content


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"path='.*nothing\.img': there is no such file"):
        Raw(tmp_path / "nothing.img")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_directory_is_no_disk(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(UsageError, match="a directory"):
        Raw(tmp_path, read_only=read_only)


def test_a_pipe_or_terminal_is_no_disk() -> None:
    with pytest.raises(UsageError, match="neither a file nor a block device"):
        Raw("/dev/null")


@pytest.mark.parametrize("size", [0, 1, 511, 513, 1000])
def test_a_file_is_one_or_more_whole_sectors(tmp_path: Path, size: int) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(size))
    with pytest.raises(UsageError, match=f"{size} bytes; a raw disk image"):
        Raw(path)


def test_a_file_without_permission_names_the_way_out(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(UsageError, match="read-only or as a snapshot"):
        Raw(image)
    with pytest.raises(UsageError, match="permission denied"):
        Raw(image, read_only=True)


def test_a_file_that_could_not_be_used_is_not_kept_open(tmp_path: Path) -> None:
    path = tmp_path / "odd.img"
    path.write_bytes(bytes(100))
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        with pytest.raises(UsageError):
            Raw(path)
    assert len(os.listdir("/dev/fd")) == before


def test_a_file_truncated_under_us_fails_its_reads_only(image: Path) -> None:
    disk = Raw(image)
    os.truncate(image, CLUSTER)
    room = memoryview(bytearray(CLUSTER))
    with pytest.raises(HostError, match="truncated"):
        disk.readinto(CLUSTER, [room])
    with pytest.raises(HostError, match="truncated"):
        disk.readinto(CLUSTER // 2, [room])
    disk.readinto(0, [room])
    assert room.tobytes() == BlockContract.content[:CLUSTER]


CALLS = {
    "preadv": lambda disk: disk.readinto(0, [memoryview(bytearray(512))]),
    "pwritev": lambda disk: disk.write(0, [memoryview(bytes(512))]),
    "fdatasync": lambda disk: disk.flush(),
    "fallocate": lambda disk: disk.discard(0, 512),
}


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("call", CALLS)
def test_every_failure_of_the_host_names_the_file_and_the_cause(
    image: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    disk = Raw(image)
    fail(monkeypatch, call, code)
    with pytest.raises(HostError) as raised:
        CALLS[call](disk)
    assert str(image) in str(raised.value)
    assert os.strerror(code) in str(raised.value)


def test_a_write_that_moves_nothing_does_not_spin(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Raw(image)
    shorten(monkeypatch, "pwritev", 0)
    with pytest.raises(HostError, match="nothing was written"):
        disk.write(0, [memoryview(bytes(512))])


def test_a_hole_is_read_without_reading_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sparse.img"
    with path.open("wb") as file:
        file.truncate(64 * CLUSTER)
        file.seek(32 * CLUSTER)
        file.write(b"data")
    disk = Raw(path)
    with path.open("rb") as file:
        if os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0:
            pytest.skip("this file system does not tell where its holes are")
    with monkeypatch.context() as broken:
        fail(broken, "preadv", errno.EIO)
        for offset, length in ((0, 16 * CLUSTER), (33 * CLUSTER, 31 * CLUSTER)):
            assert BlockContract.read(disk, offset, length) == bytes(length)
        with pytest.raises(HostError):
            BlockContract.read(disk, 31 * CLUSTER, 2 * CLUSTER)
    assert BlockContract.read(disk, 32 * CLUSTER - 1, 5) == b"\0data"
    os.truncate(path, 40 * CLUSTER)
    with pytest.raises(HostError, match="truncated"):
        BlockContract.read(disk, 39 * CLUSTER, 2 * CLUSTER)


def test_an_interrupted_discard_goes_on(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [errno.EINTR, errno.EINTR, 0]
    monkeypatch.setattr(file, "_fallocate", lambda: lambda *arguments: answers.pop(0))
    assert Raw(image).discard(0, CLUSTER)
    assert answers == []


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOSYS])
def test_what_cannot_be_had_at_once_is_waited_for(
    image: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    calls = []

    def refused(fd: int, buffers: object, offset: int, flags: int = 0) -> int:
        calls.append(flags)
        raise OSError(code, os.strerror(code))

    disk, room = Raw(image), memoryview(bytearray(512))
    with monkeypatch.context() as broken:
        broken.setattr(os, "preadv", refused)
        for _ in range(3):
            assert not disk.readinto(0, [room], wait=False)
    if file.NOWAIT is not None:  # a host that never can is not asked again
        assert calls == [file.NOWAIT] * (3 if code == errno.EAGAIN else 1)
    assert disk.readinto(0, [room])
    assert room == BlockContract.content[:512]


def test_after_a_flush_that_failed_no_flush_succeeds(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host has forgotten what it could not write."""
    disk = Raw(image)
    with monkeypatch.context() as broken:
        fail(broken, "fdatasync", errno.EIO)
        with pytest.raises(HostError):
            disk.flush()
    with pytest.raises(HostError):
        disk.flush()
    disk.close()
    assert Raw(image).flush()


# Memory and Overlay.


def test_an_overlay_never_writes_its_base(image: Path) -> None:
    disk = Overlay(Raw(image, read_only=True))
    disk.write(0, [memoryview(bytes(SIZE))])
    disk.write_zeroes(0, SIZE)
    disk.discard(0, SIZE)
    disk.flush()
    disk.close()
    assert image.read_bytes() == BlockContract.content


def test_an_overlay_keeps_what_was_written_and_no_more(image: Path) -> None:
    disk = Overlay(Raw(image, read_only=True))
    for _ in range(100):
        disk.write(CLUSTER, [memoryview(b"x" * 512)])
    assert kept(disk) == CLUSTER
    disk.readinto(0, [memoryview(bytearray(SIZE))])
    assert kept(disk) == CLUSTER
    disk.discard(0, SIZE)
    assert kept(disk) == 0


def test_overlays_over_one_file_do_not_see_each_other(image: Path) -> None:
    first, second = (Overlay(Raw(image, read_only=True)) for _ in range(2))
    first.write(0, [memoryview(b"first")])
    second.write(0, [memoryview(b"second")])
    assert BlockContract.read(first, 0, 6) == b"first" + BlockContract.content[5:6]
    assert BlockContract.read(second, 0, 6) == b"second"


def test_an_overlay_closes_its_base(image: Path) -> None:
    Overlay(Raw(image, read_only=True)).close()
    Raw(image).close()


def test_a_failure_of_the_base_leaves_the_overlay_as_it_was(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Overlay(Raw(image, read_only=True))
    with monkeypatch.context() as broken:
        fail(broken, "preadv", errno.EIO)
        with pytest.raises(HostError):
            disk.write(1, [memoryview(b"x")])
    assert BlockContract.read(disk, 0, SIZE) == BlockContract.content


def test_an_empty_disk_in_memory_costs_nothing_until_it_is_written() -> None:
    disk = Memory(1 << 40)
    assert BlockContract.read(disk, (1 << 40) - 8, 8) == bytes(8)
    disk.write(1 << 39, [memoryview(b"there")])
    assert BlockContract.read(disk, (1 << 39) - 1, 7) == b"\0there\0"
    assert kept(disk) == CLUSTER


def test_content_is_padded_to_whole_sectors() -> None:
    disk = Memory(b"hello")
    assert disk.size == 512
    assert BlockContract.read(disk, 0, 512) == b"hello".ljust(512, b"\0")


@pytest.mark.parametrize("content", [0, -512, 100, b""])
def test_a_disk_in_memory_is_one_or_more_sectors(content: int | bytes) -> None:
    with pytest.raises(UsageError, match="content"):
        Memory(content)


def kept(disk: Overlay) -> int:
    return sum(map(len, disk._store.clusters.values()))


def test_buffers_are_cut_where_clusters_begin() -> None:
    data = memoryview(bytes(2 * CLUSTER))
    found = cut(CLUSTER - 10, [data[:5], data[:0], data[: CLUSTER + 6], data[:7]])
    assert [(number, start, [len(part) for part in parts]) for number, start, parts in found] == [
        (0, CLUSTER - 10, [5, 5]),
        (1, 0, [CLUSTER]),
        (2, 0, [1, 7]),
    ]
