"""A download ends as the whole, checked file or not at all, whatever the mirror and disk do."""

import errno
import hashlib
import multiprocessing
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.images import fakes
from tests.images.fakes import Server
from vnb.errors import HostError
from vnb.images import download

CONTENT = random.Random(1).randbytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "pool/big+1.deb"


@pytest.fixture
def server() -> Iterator[Server]:
    with fakes.serving({NAME: CONTENT}) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "packages" / "big.deb"


def fetch(address: str, target: Path, **changes: Any) -> Path:
    wanted: dict[str, Any] = {"size": len(CONTENT), "sha256": SHA256, "progress": False} | changes
    return download.fetch(f"{address}/{NAME}", target, **wanted)


def part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def left(target: Path) -> set[str]:
    """What lies in the target's directory, but for the locks that stay."""
    return {path.name for path in target.parent.iterdir() if path.suffix != ".lock"}


def test_a_file_arrives_whole(server: Server, target: Path) -> None:
    assert fetch(server.address, target).read_bytes() == CONTENT
    assert left(target) == {"big.deb"}


def test_a_file_that_is_there_is_not_asked_for_again(server: Server, target: Path) -> None:
    fetch(server.address, target)
    fetch(server.address, target)
    assert len(server.requests) == 1


def test_a_damaged_file_that_is_there_is_replaced(server: Server, target: Path) -> None:
    fetch(server.address, target)
    target.write_bytes(CONTENT[:-1] + b"?")
    assert fetch(server.address, target).read_bytes() == CONTENT


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server, target: Path) -> None:
    server.break_after, server.breaks = 300_000, 2
    assert fetch(server.address, target).read_bytes() == CONTENT
    starts = [0 if asked is None else int(asked[6:-1]) for asked in server.ranges_of(NAME)]
    assert starts[0] == 0 < starts[1] < starts[2] <= 600_000


def test_a_mirror_that_keeps_breaking_off_is_an_error_and_the_rest_comes_later(
    server: Server, target: Path
) -> None:
    server.break_after = 100_000
    with pytest.raises(download.Broken, match=r"big\+1.deb"):
        fetch(server.address, target)
    assert len(server.requests) == download.TRIES
    assert left(target) == {"big.deb.part"}
    have = part(target).stat().st_size
    server.breaks = 0
    assert fetch(server.address, target).read_bytes() == CONTENT
    assert server.ranges_of(NAME)[-1] == f"bytes={have}-"


def test_a_mirror_that_cannot_begin_in_the_middle_begins_anew(server: Server, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT[:500])
    server.ranges = False
    assert fetch(server.address, target).read_bytes() == CONTENT


@pytest.mark.parametrize("old", [b"rubbish", bytes(len(CONTENT)), bytes(len(CONTENT) + 1)])
def test_a_part_with_wrong_bytes_costs_a_second_download_and_no_error(
    server: Server, target: Path, old: bytes
) -> None:
    target.parent.mkdir()
    part(target).write_bytes(old)
    assert fetch(server.address, target).read_bytes() == CONTENT


def test_a_part_that_only_lacks_its_name_is_not_downloaded(server: Server, target: Path) -> None:
    target.parent.mkdir()
    part(target).write_bytes(CONTENT)
    assert fetch(server.address, target).read_bytes() == CONTENT
    assert server.requests == []


def test_a_file_with_another_digest_is_refused_and_nothing_stays(
    server: Server, target: Path
) -> None:
    with pytest.raises(HostError, match=f"not the file that was asked for: SHA-256 {SHA256}"):
        fetch(server.address, target, sha256="0" * 64)
    assert left(target) == set()


def test_a_longer_file_is_refused_and_nothing_stays(server: Server, target: Path) -> None:
    with pytest.raises(HostError, match="longer than the 999,999 bytes"):
        fetch(server.address, target, size=999_999)
    assert left(target) == set()


def test_a_shorter_file_is_refused(server: Server, target: Path) -> None:
    with pytest.raises(download.Broken, match="broke off after 1,000,000 of 1,000,001 bytes"):
        fetch(server.address, target, size=1_000_001)
    assert not target.exists()


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_the_mirror_does_not_have_is_told_apart(
    server: Server, target: Path, status: int
) -> None:
    server.status = status
    with pytest.raises(download.NotThere, match=f"the mirror says {status}"):
        fetch(server.address, target)
    assert left(target) == set()


def test_a_mirror_in_trouble_is_an_error_in_words(server: Server, target: Path) -> None:
    server.status = 503
    with pytest.raises(download.Broken, match="503"):
        fetch(server.address, target)


def test_without_a_network_the_error_comes_at_once(target: Path) -> None:
    with fakes.serving({}) as gone:
        pass
    with pytest.raises(download.Broken, match=r"127\.0\.0\.1"):
        fetch(gone.address, target)
    assert not target.exists()


def test_a_disk_with_too_little_room_is_told_before_a_byte_is_asked_for(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(HostError, match="needs 1,000,000 bytes, and its disk has 1,000 left"):
        fetch(server.address, target)
    assert server.requests == []
    assert left(target) == set()


def test_a_disk_that_fills_up_on_the_way_is_an_error_and_gets_its_room_back(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_part = Path.open

    def opened(path: Path, *mode: Any) -> Any:
        return FullDisk(open_part(path, *mode)) if "ab" in mode else open_part(path, *mode)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(HostError, match=r"cannot write .*big\.deb: No space left on device"):
        fetch(server.address, target)
    assert left(target) == set()


class FullDisk:
    """A file whose disk takes 300,000 bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: bytes) -> None:
        if self._file.tell() + len(data) > 300_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write(data)

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_a_directory_that_may_not_be_written_is_an_error_in_words(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HostError, match="cannot write"):
        fetch(server.address, tmp_path / "file" / "big.deb")


def test_a_mirror_may_be_a_directory_of_this_host(tmp_path: Path, target: Path) -> None:
    archive = tmp_path / "a mirror"
    (archive / NAME).parent.mkdir(parents=True)
    (archive / NAME).write_bytes(CONTENT)
    target.parent.mkdir()
    part(target).write_bytes(CONTENT[:1234])
    assert fetch(archive.as_uri(), target).read_bytes() == CONTENT
    (archive / NAME).unlink()
    target.unlink()
    with pytest.raises(download.NotThere, match=r"there is no file:.*a%20mirror"):
        fetch(archive.as_uri(), target)


def test_threads_that_want_the_same_file_download_it_once(server: Server, target: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: fetch(server.address, target).read_bytes(), range(8)))
    assert found == [CONTENT] * 8
    assert len(server.requests) == 1


def test_processes_that_want_the_same_file_download_it_once(server: Server, target: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=fetch, args=(server.address, target)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_progress_is_drawn_where_it_is_wanted_and_only_there(
    server: Server, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(server.address, target)
    assert capsys.readouterr().err == ""
    target.unlink()
    fetch(server.address, target, progress=True)
    assert "big+1.deb: 100%" in capsys.readouterr().err


def test_the_head_of_a_file_is_read_without_the_rest(server: Server) -> None:
    assert download.head(f"{server.address}/{NAME}", 1000) == CONTENT[:1000]
    assert download.head(f"{server.address}/{NAME}", 1 << 30) == CONTENT
