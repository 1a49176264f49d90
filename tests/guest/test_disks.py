"""labos writes what it says to its disks, and tells what it finds there."""

import os
import random
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.guest.prompt import PROMPT
from vnb import Console, Disk, Machine
from vnb.config import Transport
from vnb.host.block import Drive

SECTOR = 512


@pytest.fixture
def machine(transport: Transport) -> Iterator[Machine]:
    """With a disk of one MiB."""
    devices = [Console(), Disk(size="1M")]
    with Machine(memory="16M", clock="virtual", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        yield machine


def stamped(first_sector: int, sectors: int, value: int = 0) -> bytes:
    """What `disk write` fills sectors with: each word is its own number, stirred."""
    words = range(first_sector * 64, (first_sector + sectors) * 64)
    mask = (1 << 64) - 1
    return b"".join(
        struct.pack("<Q", ((i + 1) * 0x9E37_79B9_7F4A_7C15 + value) & mask) for i in words
    )


def test_what_the_guest_writes_is_on_the_host_s_disk(tmp_path: Path, transport: Transport) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(300 * SECTOR))
    with Machine(devices=[Console(), Disk(image)], transport=transport) as machine:
        written = machine.shell("disk write 10 200", timeout=10).stdout
        assert machine.shell("disk write 0 2 text:hello; disk write 5 1 0x5a").status == 0
    data = image.read_bytes()
    assert data[10 * SECTOR : 210 * SECTOR] == stamped(10, 200)
    assert written == f"200 sectors, crc32 {zlib.crc32(stamped(10, 200)):08x}\n"
    assert data[: 2 * SECTOR] == (b"hello" + bytes(SECTOR - 5)) * 2
    assert data[5 * SECTOR : 6 * SECTOR] == b"\x5a" * SECTOR


def test_what_the_host_put_on_a_disk_is_shown_and_summed(
    tmp_path: Path, transport: Transport
) -> None:
    image = tmp_path / "disk.img"
    data = random.Random(2).randbytes(512 * SECTOR)
    image.write_bytes(data)
    with Machine(devices=[Console(), Disk(image, mode="snapshot")], transport=transport) as machine:
        shown = machine.shell("disk read 3 1", timeout=5).stdout
        first = " ".join(f"{byte:02x}" for byte in data[3 * SECTOR : 3 * SECTOR + 8])
        assert shown.startswith(f"0000000600   {first}  ")
        assert f"1 sector, crc32 {zlib.crc32(data[3 * SECTOR : 4 * SECTOR]):08x}\n" in shown
        total = machine.shell("disk sum 0 512", timeout=5).stdout
        assert total == f"512 sectors, crc32 {zlib.crc32(data):08x}\n"


def test_verify_finds_the_first_wrong_byte(machine: Machine) -> None:
    assert machine.shell("disk write 100 300 stamp:7; disk verify 100 300 stamp:7").status == 0
    assert machine.shell("disk verify 100 300 stamp:8").stdout.startswith("sector 100, byte 0: ")
    assert machine.shell("disk write 250 1 0; disk zero 251 1").status == 0
    wrong = machine.shell("disk verify 100 300 stamp:7")
    assert wrong.status == 1
    expected = stamped(250, 1, 7)[0]
    assert wrong.stdout == f"sector 250, byte 0: expected {expected:02x}, found 00\n"
    assert machine.shell("disk zero 100 300; disk verify 100 300 0").status == 0
    assert machine.shell("disk discard 0 2048; disk flush").status == 0


def test_a_read_only_disk_says_no_and_keeps_its_data(tmp_path: Path, transport: Transport) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"\x07" * SECTOR * 4)
    with Machine(devices=[Console(), Disk(image, mode="ro")], transport=transport) as machine:
        assert "read-only" in machine.shell("disk", timeout=5).stdout
        refused = machine.shell("disk write 0 1", timeout=5)
        assert (refused.status, "read-only" in refused.stdout) == (1, True)
        assert machine.shell("disk verify 0 4 7", timeout=5).status == 0


def test_a_disk_that_fails_is_reported_and_works_again(
    tmp_path: Path, transport: Transport
) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(SECTOR * 64))
    with Machine(devices=[Console(), Disk(image)], transport=transport) as machine:
        assert machine.shell("disk sum 0 64", timeout=5).status == 0
        os.truncate(image, SECTOR * 8)
        failed = machine.shell("disk sum 0 64", timeout=5)
        assert (failed.status, failed.stdout) == (1, "sector 0: the disk reports an I/O error\n")
        assert machine.shell("disk sum 0 8", timeout=5).status == 0


def test_each_of_several_disks_can_be_used(transport: Transport) -> None:
    disks = [Disk(size=SECTOR * count) for count in (8, 16)]
    with Machine(devices=[Console(), *disks], transport=transport) as machine:
        assert machine.shell("disk use 1; disk write 0 16 1", timeout=5).status == 0
        assert machine.shell("disk use 0; disk verify 0 8 0; disk use 1", timeout=5).status == 0
        lines = machine.shell("disk", timeout=5).stdout.splitlines()
        assert [line[:1] for line in lines] == [" ", "*"]
        assert "16 sectors, 8 KiB" in lines[1]


def test_a_disk_that_grows_is_larger_at_once(machine: Machine) -> None:
    assert "2048 sectors" in machine.shell("disk", timeout=5).stdout
    machine.devices["vda"].resize("2M")
    assert "4096 sectors" in machine.shell("disk", timeout=5).stdout
    assert machine.shell("disk write 4000 96; disk verify 4000 96", timeout=5).status == 0


def test_the_disk_benchmark_reads_and_spares_what_is_there(machine: Machine) -> None:
    assert machine.shell("disk write 0 2048", timeout=10).status == 0
    result = machine.shell("disk bench", timeout=60)
    assert result.status == 0
    assert len(re.findall(r"read +\d+ KiB .* +\d+ requests, [\d.]+ MB/s", result.stdout)) == 5
    assert machine.shell("disk verify 0 2048", timeout=10).status == 0


def test_requests_that_are_done_in_another_order_are_told_apart(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random.Random(3).randbytes(512 * SECTOR)
    (tmp_path / "disk.img").write_bytes(data)
    waiting: list[tuple[Callable[[Future[bytearray]], object], bytearray]] = []

    def end_all() -> None:
        while waiting:  # the last one first
            done, found = waiting.pop()
            future: Future[bytearray] = Future()
            future.set_result(found)
            done(future)

    def read_later(
        drive: Drive,
        offset: int,
        windows: Sequence[memoryview],
        done: Callable[[Future[bytearray]], object],
    ) -> bool:
        waiting.append((done, bytearray(data[offset : offset + sum(map(len, windows))])))
        threading.Timer(0.03, end_all).start()
        return False

    monkeypatch.setattr(Drive, "read_async", read_later)
    disk = Disk(tmp_path / "disk.img", mode="ro")
    with Machine(memory="8M", devices=[Console(), disk], transport=transport) as machine:
        assert machine.shell("disk bench", timeout=30).status == 0
        assert machine.stats["vda"].depth.highest == 4
        total = machine.shell("disk sum 0 512", timeout=10).stdout
        assert total == f"512 sectors, crc32 {zlib.crc32(data):08x}\n"
