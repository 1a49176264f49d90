"""Disks as a cell asks for them: what each way of asking opens, and what is refused where."""

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.block import BlockContract
from tests.guest.prompt import PROMPT
from tests.host import qcow2
from vnb import Console, Disk, Machine, UsageError
from vnb.host.block import Drive

CONTENT = b"disk" * 4096


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(qcow2.image(CONTENT, random.Random(1)))
    return path


def read(drive: Drive, offset: int, length: int) -> bytes:
    return BlockContract.read(drive._disk, offset, length)


def write(drive: Drive, offset: int, data: bytes) -> None:
    BlockContract.write(drive._disk, offset, data)


@pytest.mark.parametrize("kind", ["raw", "packed"])
@pytest.mark.parametrize("how", ["snapshot", "changes"])
def test_an_image_that_is_not_to_be_written_is_not(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, how: str
) -> None:
    path: Path = request.getfixturevalue(kind)
    before = path.read_bytes()
    arguments: dict[str, Any] = {"mode": how}
    if how == "changes":
        arguments = {"changes": tmp_path / "my.changes"}
    for expected in (b"disk", b"disk" if how == "snapshot" else b"mine"):
        drive = Disk(path, **arguments).open()
        assert not drive.read_only
        assert read(drive, 0, 4) == expected
        write(drive, 0, b"mine")
        drive.close()
    assert path.read_bytes() == before


def test_a_raw_image_is_written_and_read_only_where_asked(raw: Path) -> None:
    drive = Disk(raw).open()
    write(drive, 0, b"mine")
    drive.close()
    assert raw.read_bytes()[:8] == b"minedisk"
    drive = Disk(raw, mode="ro").open()
    assert drive.read_only
    drive.close()


def test_a_disk_of_a_size_is_empty_and_stays_if_its_changes_do(tmp_path: Path) -> None:
    for disk, kept in (
        (Disk(size="1M"), bytes(4)),
        (Disk(size="1M", changes=tmp_path / "my.changes"), b"mine"),
    ):
        drive = disk.open()
        assert drive.sector_count == 2048
        assert read(drive, 0, 4) == bytes(4)
        write(drive, 0, b"mine")
        drive.close()
        drive = disk.open()
        assert read(drive, 0, 4) == kept
        drive.close()


def test_what_can_only_be_read_says_which_ways_there_are(packed: Path) -> None:
    for path in (packed, f"file://{packed}"):
        with pytest.raises(
            UsageError, match=r'give mode="ro", mode="snapshot" or changes='
        ) as told:
            Machine(devices=[Disk(path)])
        assert f"path={str(path)!r}" in str(told.value)
        Disk(path, mode="ro").open().close()


@pytest.mark.parametrize(
    ("magic", "what"), [(b"\x1f\x8b", "gzip"), (b"KDMV", "VMDK"), (b"PK\x03\x04", "archive")]
)
def test_an_image_that_is_no_disk_yet_is_named(raw: Path, magic: bytes, what: str) -> None:
    raw.write_bytes(magic.ljust(4096, b"\0"))
    with pytest.raises(UsageError, match=what):
        Disk(raw).open()
    Disk(raw, format="raw").open().close()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"path": "a.img", "format": "vmdk"}, "'raw', 'qcow2'"),
        ({"size": "1M", "format": "raw"}, "only with a path"),
        ({"path": "a.img", "changes": 5}, "name of a file"),
        ({"path": "a.img", "changes": "https://example.org/a"}, "name of a file"),
        ({"path": "a.img", "changes": "b", "mode": "ro"}, "only with mode"),
        ({"path": "a.img", "changes": "b", "mode": "snapshot"}, "only with mode"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Disk(**arguments)


def test_a_disk_says_what_it_is_in_a_few_words() -> None:
    assert str(Disk("a.img")) == "disk a.img"
    assert str(Disk("a.img", changes="b")) == "disk a.img (changes in b)"
    assert str(Disk(size="1G", changes="b")) == "disk of 1G (changes in b)"


def test_a_cell_that_fails_leaves_no_file_locked(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "diary").write_bytes(b"dear diary")
    with pytest.raises(UsageError, match="changes"):
        Disk(raw, changes=tmp_path / "diary").open()
    Disk(raw).open().close()


def test_the_cell_reaches_its_disks_by_name(raw: Path) -> None:
    with Machine(memory="8M", devices=[Disk(raw), Disk(size="1M")]) as machine:
        assert machine.devices["vda"].size == len(CONTENT)
        machine.devices["vdb"].resize("2M")
        assert machine.devices["vdb"].sector_count == 4096
    Disk(raw).open().close()


def test_under_the_virtual_clock_it_does_not_matter_how_long_a_disk_takes(tmp_path: Path) -> None:
    """Its image is in the host's memory the second time, and on the host's disk the first."""
    path = tmp_path / "disk.img"
    path.write_bytes(random.Random(1).randbytes(1 << 20))
    runs = []
    for fresh in (True, False):
        if fresh:
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        disk = Disk(path, mode="snapshot")
        with Machine(memory="8M", devices=[Console(), disk], clock="virtual") as machine:
            machine.console.expect(PROMPT, 60)
            for line in ("disk sum 7 100", "disk write 100 200", "disk sum 0 2000"):
                machine.console.write(line + "\n")
                machine.console.expect(line)
                machine.console.expect(PROMPT, 60)
            machine.console.write("halt\n")
            machine.wait(10)
            runs.append((machine.instructions, machine.memory_hash()))
    assert runs[0] == runs[1]


def test_disks_are_written_as_path_and_mode_on_a_command_line() -> None:
    assert Disk.parse("a.img") == Disk("a.img")
    assert Disk.parse("a.img:ro") == Disk("a.img", "ro")
    assert Disk.parse("a:b:snapshot") == Disk("a:b", "snapshot")
    assert Disk.parse("a:b") == Disk("a:b")
