"""qcow2 images: every kind of cluster is read, and no image does harm."""

import random
import struct
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from tests.contracts.block import BlockContract
from tests.host import qcow2
from vnb.errors import HostError, UsageError
from vnb.host.block import Block, Memory, Qcow2, open_image, over

read = BlockContract.read


def content(dice: random.Random, size: int = 700 * 1024 + 1536) -> bytes:
    """Zeros, noise and what can be compressed, in pieces of several sizes."""
    pieces = []
    while sum(map(len, pieces)) < size:
        length = dice.choice((512, 4096, 65536))
        kind = dice.randrange(3)
        pieces.append((bytes(length), dice.randbytes(length), b"vnb! " * length)[kind][:length])
    return b"".join(pieces)[:size]


def disk_of(image: bytes) -> Qcow2:
    return Qcow2(Memory(image))


class TestOverlayOverQcow2(BlockContract):
    @pytest.fixture
    def disk(self, tmp_path: Path) -> Block:
        path = tmp_path / "disk.qcow2"
        path.write_bytes(qcow2.image(self.content, random.Random(1)))
        base = open_image(path, read_only=True)
        return over(base, base.size)


@pytest.mark.parametrize(
    ("version", "compression"), [(2, "deflate"), (3, "deflate"), (3, "zstd")], ids=str
)
@pytest.mark.parametrize("bits", [9, 12, 16, 21])
def test_every_kind_of_cluster_is_read(
    rng: random.Random, version: int, compression: str, bits: int
) -> None:
    expected = content(rng)
    disk = disk_of(qcow2.image(expected, rng, version, bits, compression))
    assert disk.size == len(expected)
    assert disk.read_only
    assert read(disk, 0, len(expected)) == expected
    for _ in range(100):
        offset = rng.randrange(len(expected))
        length = min(rng.choice((1, 512, 5000, 1 << bits)), len(expected) - offset)
        room = memoryview(bytearray(length))
        cut = rng.randrange(length + 1)
        if not disk.readinto(offset, [room[:cut], room[cut:]], wait=rng.random() < 0.5):
            assert disk.readinto(offset, [room[:cut], room[cut:]])
        assert room == expected[offset : offset + length]


def test_what_was_inflated_or_looked_up_is_there_without_waiting(rng: random.Random) -> None:
    disk = disk_of(qcow2.image(b"again " * 4096, rng))
    room = memoryview(bytearray(4096))
    disk.readinto(0, [room])
    assert disk.readinto(0, [room], wait=False)
    assert room == (b"again " * 4096)[:4096]


def test_an_image_is_recognised_unless_the_cell_insists(tmp_path: Path, rng: random.Random) -> None:
    image = qcow2.image(b"x" * 8192, rng)
    path = tmp_path / "disk.img"
    path.write_bytes(image)
    assert isinstance(open_image(path, read_only=True), Qcow2)
    raw = open_image(path, "raw", read_only=True)
    assert read(raw, 0, 4) == b"QFI\xfb"
    raw.close()
    path.write_bytes(bytes(8192))
    with pytest.raises(UsageError, match=r"path='.*disk\.img': not a qcow2 image"):
        open_image(path, "qcow2", read_only=True)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"backing": b"base.img"}, r"changes over 'base\.img'"),
        ({"backing": b"/etc/passwd", "version": 2}, "changes over '/etc/passwd'"),
        ({"encryption": 2}, "encrypted"),
        ({"incompatible": 2}, "marked as corrupt"),
        ({"incompatible": 4}, "in another file"),
        ({"incompatible": 16}, "subclusters"),
        ({"incompatible": 1 << 40}, "later version"),
        ({"version": 1}, "version 2 or 3"),
        ({"version": 4}, "version 2 or 3"),
    ],
    ids=str,
)
def test_what_is_not_supported_is_said_in_words(
    tmp_path: Path, rng: random.Random, option: dict[str, int], words: str
) -> None:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(qcow2.image(b"x" * 8192, rng, **option))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=words) as raised:
        open_image(path, read_only=True)
    assert str(path) in str(raised.value)
    with pytest.raises(UsageError, match="a qcow2 image cannot be written"):
        open_image(path)


def test_a_dirty_image_is_read(rng: random.Random) -> None:
    """Only its reference counts may be wrong."""
    assert read(disk_of(qcow2.image(b"x" * 8192, rng, incompatible=1)), 0, 8192) == b"x" * 8192


def test_the_last_cluster_may_end_where_its_zeros_begin(rng: random.Random) -> None:
    """As images do whose maker left the rest to the file system."""
    image = bytearray(qcow2.image(rng.randbytes(4096), rng))
    (table,) = struct.unpack_from(">Q", image, 2 << 12)
    whole = bytes(image) + b"tail" * 128
    entry = struct.pack(">Q", len(image))
    place = (table & ~qcow2.COPIED) & 0xFFFF_FFFF
    patched = whole[:place] + entry + whole[place + 8 :]
    assert read(disk_of(patched), 0, 4096) == b"tail" * 128 + bytes(4096 - 512)


def test_no_image_does_harm(rng: random.Random) -> None:
    """Random bits anywhere in header and tables: refused, an error, or just other bytes."""
    expected = content(rng, 100 * 1024)
    images = [
        qcow2.image(expected, rng, 3, bits, compression)
        for bits in (9, 12, 16)
        for compression in ("deflate", "zstd")
    ]
    seen = {"refused": 0, "failed": 0, "read": 0}
    tracemalloc.start()
    for _ in range(1500):
        image = bytearray(rng.choice(images))
        for _ in range(rng.randrange(1, 5)):
            start = rng.choice((0, 0, rng.randrange(len(image))))
            place = min(start + rng.randrange(120), len(image) - 1)
            image[place] = rng.choice((0, 1, 0xFF, rng.randrange(256)))
        if rng.random() < 0.1:
            del image[rng.randrange(len(image)) :]
            image.extend(bytes(-len(image) % 512 or 512))
        began = time.monotonic()
        try:
            disk = disk_of(bytes(image))
        except UsageError:
            seen["refused"] += 1
            continue
        for offset in (0, 4096, min(disk.size, len(expected)) - 512, disk.size - 512):
            try:
                read(disk, offset, 512)
                seen["read"] += 1
            except HostError:
                seen["failed"] += 1
        assert time.monotonic() - began < 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert min(seen.values()) > 50, seen
    assert peak < 48 << 20


@pytest.mark.parametrize("compression", ["deflate", "zstd"])
def test_a_cluster_never_inflates_to_more_than_a_cluster(
    rng: random.Random, compression: str
) -> None:
    """A bomb of 64 MiB where 4 KiB are due."""
    bomb = qcow2.PACKERS[compression](bytes(64 << 20))
    image = bytearray(qcow2.image(b"packed " * 4096, rng, compression=compression))
    (table,) = struct.unpack_from(">Q", image, 2 << 12)
    place = (table & ~qcow2.COPIED) & 0xFFFF_FFFF
    at = len(image)
    image += bomb + bytes(-len(bomb) % 512)
    image[place : place + 8] = struct.pack(">Q", qcow2.COMPRESSED | 15 << 58 | at)
    disk = disk_of(bytes(image))
    tracemalloc.start()
    with suppress(HostError):  # as of a zstd frame that wants a large window
        assert read(disk, 0, 4096) == bytes(4096)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20
