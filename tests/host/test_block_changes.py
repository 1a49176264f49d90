"""Changes in a file: they are there the next time, however this time ended."""

import errno
import os
import random
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.block import BlockContract
from tests.host.faults import FAILURES, fail, shorten
from tests.host.killed import BLOCK, BLOCKS, PIECE
from tests.host.power import Power
from vnb.errors import HostError, UsageError
from vnb.host.block import CLUSTER, Changes, Content, InMemory, Overlay, Raw, over
from vnb.host.block.changes import DIRECTORY, ENTRY, HEADER

SIZE = 16 * CLUSTER
read, write = BlockContract.read, BlockContract.write


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "base.img"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    return tmp_path / "changes.vnb"


def opened(image: Path, changes: Path) -> Overlay:
    return over(Raw(image, read_only=True), image.stat().st_size, changes)


def test_changes_are_there_the_next_time_and_the_image_is_as_it_was(
    image: Path, changes: Path, rng: random.Random
) -> None:
    before = image.read_bytes()
    model = bytearray(before)
    for _ in range(10):
        disk = opened(image, changes)
        assert read(disk, 0, SIZE) == model
        for _ in range(20):
            offset = rng.randrange(SIZE)
            length = min(rng.choice((1, 512, CLUSTER, 2 * CLUSTER)), SIZE - offset)
            if rng.random() < 0.3:
                disk.write_zeroes(offset, length)
                model[offset : offset + length] = bytes(length)
            else:
                data = rng.randbytes(length)
                write(disk, offset, data)
                model[offset : offset + length] = data
        disk.close()
    assert image.read_bytes() == before


def test_an_empty_disk_is_kept_in_its_changes(changes: Path) -> None:
    size = 1 << 40
    disk = over(Content(), size, changes)
    write(disk, size - 5, b"there")
    disk.close()
    disk = over(Content(), size, changes)
    assert read(disk, size - 6, 6) == b"\0there"
    disk.close()
    assert changes.stat().st_blocks * 512 < 1 << 20


def test_a_disk_that_grew_is_as_large_the_next_time(image: Path, changes: Path) -> None:
    disk = opened(image, changes)
    disk.resize(4 * SIZE)
    write(disk, 4 * SIZE - 3, b"end")
    disk.close()
    disk = opened(image, changes)
    assert disk.size == 4 * SIZE
    assert read(disk, 4 * SIZE - 4, 4) == b"\0end"


def test_space_that_was_discarded_is_used_again(image: Path, changes: Path) -> None:
    disk = opened(image, changes)
    for round in range(50):
        write(disk, 0, bytes([round + 1]) * SIZE)
        disk.flush()
        disk.discard(0, SIZE)
        disk.flush()
    disk.close()
    assert changes.stat().st_size < 10 * SIZE + 200 * CLUSTER
    assert changes.stat().st_blocks * 512 <= 3 * CLUSTER


# However it ended.


def check_killed(image: Path, changes: Path, told: list[str], flushed: dict[int, int]) -> None:
    """Every block is whole, and of the version last flushed, or one written since."""
    written: dict[int, set[int]] = {number: {flushed[number]} for number in flushed}
    for line in told:
        if line == "flushed":
            for number, versions in written.items():
                written[number] = {max(versions)}
        elif line.startswith("wrote "):
            _, number, version = line.split()
            written.setdefault(int(number), {0}).add(int(version))
    disk = opened(image, changes)
    for number in range(BLOCKS):
        data = read(disk, number * BLOCK, BLOCK)
        found, version = PIECE.unpack_from(data)
        assert data == data[: PIECE.size] * (BLOCK // PIECE.size), f"block {number} is torn"
        expected = written.get(number, {0})
        zeroed = (found, version) == (0, 0)
        assert zeroed or found == number
        # A block that was to be zeros on the way to a new version may still be zeros.
        assert version in expected or (zeroed and len(expected) > 1), (number, version, expected)
        flushed[number] = version
    disk.close()


def test_a_process_that_is_killed_leaves_all_that_was_flushed_and_nothing_torn(
    tmp_path: Path, changes: Path, rng: random.Random
) -> None:
    """50 times, each from where the last one was killed."""
    image = tmp_path / "base.img"
    image.write_bytes(bytes(BLOCK * BLOCKS))
    flushed: dict[int, int] = {}
    for life in range(1, 51):
        command = [sys.executable, "-m", "tests.host.killed", str(image), str(changes)]
        process = subprocess.Popen(
            [*command, f"{rng.random()}/{life}"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(rng.randrange(1, 400))]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.read().splitlines(keepends=True)
        process.wait()
        process.stdout.close()
        assert told[0] == "ready\n"
        check_killed(image, changes, [line.strip() for line in told if line[-1] == "\n"], flushed)
    assert len([version for version in flushed.values() if version]) > BLOCKS // 2


def test_a_loss_of_power_at_any_moment_leaves_all_that_was_flushed(
    image: Path, changes: Path, tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sector of what was not synced may be there or not, in any combination."""
    after = tmp_path / "after.vnb"
    power = Power(monkeypatch, changes, rng)
    disk = opened(image, changes)
    model = bytearray(image.read_bytes())
    since: dict[int, set[bytes]] = {}  # sectors written since the last flush: what they may hold

    def put(offset: int, data: bytes) -> None:
        for start in range(0, len(data), 512):
            number = (offset + start) // 512
            old = bytes(model[number * 512 : number * 512 + 512])
            since.setdefault(number, {old}).add(data[start : start + 512])
        model[offset : offset + len(data)] = data

    for _ in range(150):
        offset = rng.randrange(SIZE // 512) * 512
        length = min(rng.choice((512, 4096, CLUSTER, 3 * CLUSTER)), SIZE - offset)
        match rng.randrange(5):
            case 0:
                disk.flush()
                since.clear()
            case 1:
                disk.discard(offset, length)
                put(offset, bytes(length))
            case _:
                data = rng.randbytes(length)
                write(disk, offset, data)
                put(offset, data)
        power.lose(after)
        survivor = opened(image, after)
        found = read(survivor, 0, SIZE)
        survivor.close()
        for number in range(SIZE // 512):
            sector = found[number * 512 : number * 512 + 512]
            place = slice(number * 512, number * 512 + 512)
            assert sector in since.get(number, {bytes(model[place])}), f"sector {number}"
    assert power.syncs > 20


@pytest.mark.parametrize("kept", ["in memory", "in a file"])
def test_what_another_thread_forgets_while_it_is_read_reads_as_zeros(
    changes: Path, kept: str
) -> None:
    store = Changes(changes, "", SIZE) if kept == "in a file" else InMemory(SIZE)
    disk = Overlay(Content(), store)
    write(disk, 0, b"x" * CLUSTER)
    look = store.look

    def racing(number: int) -> int:
        state = look(number)
        store.forget(number, zeroed=True)
        return state

    store.look = racing  # type: ignore[method-assign]
    assert read(disk, 100, 700) == bytes(700)


# What is refused.


def test_changes_belong_to_one_image_as_it_was(image: Path, changes: Path) -> None:
    opened(image, changes).close()
    stat = image.stat()
    os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(UsageError, match="made over another disk, or that has changed since"):
        opened(image, changes)
    data = bytearray(image.read_bytes())
    data[-1] ^= 1
    image.write_bytes(data)
    os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(UsageError, match="begins and ends like"):
        opened(image, changes)
    data[-1] ^= 1
    image.write_bytes(data)
    os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    opened(image, changes).close()


def test_a_file_of_changes_has_one_writer(image: Path, changes: Path) -> None:
    disk = opened(image, changes)
    with pytest.raises(UsageError, match=r"changes='.*changes\.vnb': another machine"):
        opened(image, changes)
    disk.close()
    opened(image, changes).close()


@pytest.mark.parametrize("content", [b"x", b"my diary", bytes(CLUSTER), b"vnb-disk", b"\0" * 9999])
def test_any_other_file_is_left_alone(image: Path, changes: Path, content: bytes) -> None:
    changes.write_bytes(content)
    with pytest.raises(UsageError, match=r"changes='.*': (not a file with|made by another)"):
        opened(image, changes)
    assert changes.read_bytes() == content
    with pytest.raises(UsageError, match="changes"):
        over(Raw(image, read_only=True), SIZE, changes.parent)


def test_damage_is_found_where_it_can_be_and_never_goes_further(
    image: Path, changes: Path, rng: random.Random
) -> None:
    """Random bytes in header, directory and tables, and files that are cut off."""
    disk = opened(image, changes)
    write(disk, CLUSTER, rng.randbytes(5 * CLUSTER))
    disk.write_zeroes(0, CLUSTER)
    disk.close()
    whole = changes.read_bytes()
    (place,) = struct.unpack_from("<I", whole, DIRECTORY * CLUSTER)
    for _ in range(300):
        data = bytearray(whole)
        start = rng.choice((0, DIRECTORY * CLUSTER, place * CLUSTER))
        for _ in range(rng.randrange(1, 4)):
            data[start + rng.randrange(HEADER.size + 40)] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        changes.write_bytes(data)
        try:
            disk = opened(image, changes)
        except UsageError:
            continue
        assert disk.size == SIZE
        for number in range(16):
            try:
                read(disk, number * CLUSTER, CLUSTER)
            except HostError:
                continue
        disk.close()


def test_two_clusters_are_never_in_one_place(image: Path, changes: Path) -> None:
    """Even where each entry is in order by itself."""
    disk = opened(image, changes)
    write(disk, 0, b"x" * 2 * CLUSTER)
    disk.close()
    data = bytearray(changes.read_bytes())
    (table,) = struct.unpack_from("<I", data, DIRECTORY * CLUSTER)
    other = struct.pack("<I", table)
    data[table * CLUSTER : table * CLUSTER + 4] = other
    changes.write_bytes(data)
    with pytest.raises(UsageError, match="damaged"):
        opened(image, changes)
    assert ENTRY.size == 8


# When the host fails.


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("call", ["pwritev", "fdatasync", "ftruncate", "preadv"])
def test_a_failure_of_the_host_changes_nothing_that_was_flushed(
    image: Path, changes: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    disk = opened(image, changes)
    write(disk, 0, b"a" * CLUSTER)
    disk.flush()
    expected = b"a" * CLUSTER + image.read_bytes()[CLUSTER:]
    with monkeypatch.context() as broken:
        fail(broken, call, code)
        failed = 0
        for step in (
            lambda: disk.resize(2 * SIZE) if call == "ftruncate" else None,
            lambda: write(disk, 5 * CLUSTER + 1, b"b" * CLUSTER),
            lambda: disk.discard(9 * CLUSTER, CLUSTER),
            disk.flush,
            lambda: read(disk, 0, CLUSTER),
            *([lambda n=n: write(disk, n * CLUSTER, b"c" * CLUSTER) for n in range(16)]),
        ):
            try:
                step()
            except HostError as error:
                failed += 1
                assert os.strerror(code) in str(error)
        assert failed or call == "ftruncate"
    if call == "fdatasync":
        with pytest.raises(HostError, match=os.strerror(code)):
            disk.close()
    else:
        disk.close()
    disk = opened(image, changes)
    assert read(disk, 0, 1) in (b"a", b"c")
    assert len(read(disk, 0, SIZE)) == len(expected)
    disk.close()


def test_a_host_that_does_little_at_a_time_loses_nothing(
    image: Path, changes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, "preadv", 4099)
    shorten(monkeypatch, "pwritev", 4099)
    data = random.Random(3).randbytes(3 * CLUSTER)
    disk = opened(image, changes)
    write(disk, 1000, data)
    disk.close()
    disk = opened(image, changes)
    assert read(disk, 1000, len(data)) == data
    disk.close()


def test_a_file_cut_off_under_us_fails_what_it_held_only(image: Path, changes: Path) -> None:
    disk = opened(image, changes)
    write(disk, 0, b"x" * 4 * CLUSTER)
    disk.flush()
    os.truncate(changes, 3 * CLUSTER)
    with pytest.raises(HostError, match="truncated"):
        read(disk, 0, 4 * CLUSTER)
    assert read(disk, 8 * CLUSTER, CLUSTER) == image.read_bytes()[8 * CLUSTER : 9 * CLUSTER]
