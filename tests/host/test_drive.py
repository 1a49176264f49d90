"""What a machine and its cell hold of a disk: at once or later, and never in each other's way."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.patience import until
from vnb.errors import HostError, UsageError
from vnb.host.block import Block, Content, Drive, Memory, Raw, over
from vnb.host.block.disk import Buffers
from vnb.host.pool import Pool


class Slow(Memory):
    """A disk whose operations wait until they are let go."""

    def __init__(self, size: int = 1 << 20) -> None:
        super().__init__(size)
        self.go = threading.Event()
        self.begun = 0
        self.closed = False

    def _wait(self, wait: bool) -> bool:
        if wait:
            self.begun += 1
            assert self.go.wait(10)
        return wait

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        return self._wait(wait) and super().readinto(offset, buffers)

    def write(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        return self._wait(wait) and super().write(offset, buffers)

    def flush(self, wait: bool = True) -> bool:
        return self._wait(wait)

    def close(self) -> None:
        self.closed = True
        super().close()


@pytest.fixture
def disk() -> Iterator[Slow]:
    disk = Slow()
    yield disk
    disk.go.set()


def view(text: bytes) -> list[memoryview]:
    return [memoryview(text)]


def never(future: Future[Any]) -> None:
    raise AssertionError("it was done at once, or nobody wanted to know any more")


def test_what_is_in_memory_is_done_at_once() -> None:
    drive = Drive(Memory(1 << 20))
    assert repr(drive) == "<disk of 1M>"
    room = memoryview(bytearray(5))
    assert drive.write_async(7, view(b"hello"), True, never)
    assert drive.read_async(7, [room], never)
    assert room == b"hello"
    assert drive.discard_async([(0, 512)], never)
    assert drive.write_zeroes_async([(0, 512), (1024, 512)], True, never)
    assert drive.flush_async(never)
    drive.close()


def test_what_takes_longer_is_done_later_and_several_at_a_time(disk: Slow) -> None:
    drive = Drive(disk)
    done: list[Future[Any]] = []
    text = bytearray(b"before")
    assert not drive.write_async(0, [memoryview(text)], False, done.append)
    text[:] = b"after!"  # the guest's memory is not looked at again
    for _ in range(3):
        assert not drive.flush_async(done.append)
    until(lambda: disk.begun == 4)
    assert done == []
    disk.go.set()
    until(lambda: len(done) == 4)
    assert all(future.exception() is None for future in done)
    done.clear()
    assert not drive.read_async(0, [memoryview(bytearray(6))], done.append)
    until(lambda: done)
    assert done[0].result() == b"before"
    drive.close()


def test_what_fails_later_is_told_with_its_future(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(4096))
    drive = Drive(Raw(path))
    path.write_bytes(b"")
    done: list[Future[Any]] = []
    assert not drive.read_async(0, [memoryview(bytearray(512))], done.append)
    until(lambda: done)
    assert isinstance(done[0].exception(), HostError)
    drive.close()


def test_what_the_host_has_in_memory_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"x" * 4096)
    drive = Drive(Raw(path))
    room = memoryview(bytearray(4096))
    if not drive.read_async(0, [room], lambda future: None):
        pytest.skip("this host or file system does not tell what it has in memory")
    assert room == b"x" * 4096
    drive.close()


def test_after_a_drop_nobody_is_called_and_nothing_old_comes_after_new(disk: Slow) -> None:
    """A guest that is reset does not find its disk written by the one before."""
    drive = Drive(disk)
    for _ in range(10):
        assert not drive.write_async(0, view(b"old"), False, lambda future: None)
    until(lambda: disk.begun == 4)
    drive.drop()
    done: list[Future[Any]] = []
    assert not drive.write_async(0, view(b"new"), False, done.append)
    time.sleep(0.05)
    assert disk.begun == 4, "the new one waits for the old ones that cannot be stopped"
    disk.go.set()
    until(lambda: done)
    room = memoryview(bytearray(3))
    Memory.readinto(disk, 0, [room])
    assert room == b"new"
    assert disk.begun == 5, "the old ones that had not begun never will"
    drive.close()


def test_while_an_old_write_is_under_way_nothing_is_done_at_once(tmp_path: Path) -> None:
    class Half(Slow):
        def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
            return Memory.readinto(self, offset, buffers)

    drive = Drive(disk := Half())
    room = [memoryview(bytearray(3))]
    assert drive.read_async(0, room, never)
    assert not drive.write_async(0, view(b"old"), False, lambda future: None)
    until(lambda: disk.begun == 1)
    assert drive.read_async(0, room, never)
    drive.drop()
    done: list[Future[Any]] = []
    assert not drive.read_async(0, room, done.append)
    disk.go.set()
    until(lambda: done)
    assert done[0].result() == b"old"
    drive.close()


def test_a_patient_drive_does_everything_at_once(disk: Slow) -> None:
    drive = Drive(disk)
    drive.patient = True
    disk.go.set()
    room = memoryview(bytearray(5))
    assert drive.write_async(0, view(b"hello"), True, never)
    assert drive.read_async(0, [room], never)
    assert drive.flush_async(never)
    assert room == b"hello"


def test_closing_waits_for_what_is_under_way_but_not_for_ever(disk: Slow) -> None:
    drive = Drive(disk)
    assert not drive.flush_async(lambda future: None)
    until(lambda: disk.begun == 1)
    began = time.monotonic()
    drive.close()
    drive.close()
    assert time.monotonic() - began < 1
    assert not disk.closed, "its file is still in use"
    disk.go.set()
    until(lambda: disk.closed)


def test_closing_leaves_neither_threads_nor_files_behind(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 16))
    before = set(threading.enumerate())
    for _ in range(20):
        drive = Drive(Raw(path))
        assert not drive.flush_async(lambda future: None)
        drive.close()
        Raw(path).close()
    assert set(threading.enumerate()) <= before


def test_what_closing_could_not_save_is_told(caplog: pytest.LogCaptureFixture) -> None:
    class Full(Memory):
        def close(self) -> None:
            raise HostError("no space left")

    Drive(Full(1 << 20)).close()
    assert "may be lost: no space left" in caplog.text


def test_a_disk_grows_and_tells_so(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 16))
    told: list[int] = []
    for disk in (Raw(path), Memory(1 << 16), over(Content(), 1 << 16, tmp_path / "changes")):
        drive = Drive(disk)
        drive.on_change = lambda drive=drive: told.append(drive.sector_count)
        drive.resize("1M")
        drive.resize(2 << 20)
        assert drive.size == 2 << 20
        drive.close()
    assert told == [2048, 4096] * 3
    assert path.stat().st_size == 2 << 20


@pytest.mark.parametrize("size", ["1K", 1 << 15, (1 << 16) + 1, "large", 0])
def test_a_size_that_cannot_be_is_refused(size: int | str) -> None:
    drive = Drive(Memory(1 << 16))
    drive.on_change = lambda: pytest.fail("nothing changed")
    with pytest.raises(UsageError, match="size="):
        drive.resize(size)
    assert drive.size == 1 << 16


def test_a_read_only_disk_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 16))
    disk: Block = Raw(path, read_only=True)
    with pytest.raises(UsageError, match="read-only"):
        Drive(disk).resize("1M")


def test_a_pool_has_no_more_threads_than_jobs_or_than_it_may() -> None:
    pool, go = Pool("vnb-test", 3), threading.Event()
    futures = [pool.submit(go.wait) for _ in range(2)]
    mine = [thread for thread in threading.enumerate() if thread.name == "vnb-test"]
    assert len(mine) == 2
    futures += [pool.submit(go.wait) for _ in range(8)]
    mine = [thread for thread in threading.enumerate() if thread.name == "vnb-test"]
    assert len(mine) == 3
    assert all(thread.daemon for thread in mine)
    go.set()
    assert all(future.result(10) for future in futures)
    pool.close(10, lambda: None)
    assert not any(thread.is_alive() for thread in mine)


def test_jobs_that_were_dropped_are_cancelled() -> None:
    pool, go = Pool("vnb-test", 1), threading.Event()
    first = pool.submit(go.wait)
    until(lambda: not pool._jobs)
    second = pool.submit(go.wait)
    pool.drop()
    assert second.cancelled()
    go.set()
    assert first.result(10)
    pool.close(10, lambda: None)
    assert pool.submit(go.wait).cancelled()
