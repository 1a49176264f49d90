"""The block device: every request type, every refusal, whatever the framing and the host do."""

import errno
import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.host.faults import FAILURES, fail
from tests.virtio.devices import CONTENT, block_header
from tests.virtio.driver import EVERYTHING, READY, Driver
from vnb.errors import UsageError
from vnb.host.block import Drive, Memory, Raw, over
from vnb.virtio.block import (
    DISCARD,
    FLUSH,
    IOERR,
    MAX_RANGE_SECTORS,
    OK,
    RO,
    T_DISCARD,
    T_FLUSH,
    T_GET_ID,
    T_IN,
    T_OUT,
    T_WRITE_ZEROES,
    UNSUPP,
    WRITE_ZEROES,
    Block,
)
from vnb.virtio.device import NEEDS_RESET

SECTORS = len(CONTENT) // 512
SEED = 5


def disk(serial: str = "", features: int = EVERYTHING) -> Driver:
    return Driver(Block(Drive(Memory(CONTENT)), serial=serial)).start(features)


def ask(driver: Driver, kind: int, sector: int = 0, out: bytes = b"", room: int = 0) -> int:
    """Send a request; its status, after checking that the used length says what was written."""
    parts = [block_header(kind, sector), out] if out else [block_header(kind, sector)]
    length, answer = exchange(driver, parts, [room, 1] if room else [1])
    assert answer[length:] in (b"", b"\xaa" * room + answer[-1:])
    return answer[-1]


def exchange(driver: Driver, out: list[bytes], room: list[int]) -> tuple[int, bytes]:
    """Send a chain that comes back sooner or later: (used length, all the room's bytes)."""
    addresses = driver.send(0, out, room)
    wait(driver)
    ((_, length),) = driver.rings[0].reap()
    answer = zip(addresses[len(out) :], room, strict=True)
    return length, b"".join(driver.memory.read(address, count) for address, count in answer)


def wait(driver: Driver) -> None:
    """Play the machine's thread until every request came back."""
    ring, deadline = driver.rings[0], time.monotonic() + 10
    while driver.settle() or ring.used_idx != ring.offered:
        assert time.monotonic() < deadline, "a request never came back"
        time.sleep(0.0005)


def ranges(*found: tuple[int, int, int]) -> bytes:
    return b"".join(struct.pack("<QII", *one) for one in found)


def content(driver: Driver) -> bytes:
    _, answer = exchange(driver, [block_header(T_IN, 0)], [len(CONTENT), 1])
    return answer[:-1]


def test_the_config_space_describes_the_disk() -> None:
    """[virtio 5.2.4]"""
    driver = Driver(Block(Drive(Memory(1 << 20)), block_size=1024))
    fields = [
        *((0, 8, 2048), (12, 4, 254), (20, 4, 1024)),
        *((24, 1, 2), (25, 1, 0), (26, 2, 4), (28, 4, 1024)),
        *((36, 4, MAX_RANGE_SECTORS), (40, 4, 16), (44, 4, 2)),
        *((48, 4, MAX_RANGE_SECTORS), (52, 4, 16), (56, 1, 1)),
    ]
    for offset, size, expected in fields:
        halves = [driver.port.config(offset + place, min(size, 4)) for place in range(0, size, 4)]
        assert sum(half << 32 * place for place, half in enumerate(halves)) == expected, offset
    assert len(driver.device.config) == 60


def test_no_config_field_is_writable() -> None:
    """[6]: not even the capacity"""
    driver = disk()
    before = driver.device.config
    for offset in range(0x40):
        for size in (1, 2, 4):
            driver.port.set_config(offset, size, 0xFFFF_FFFF)
    assert driver.device.config == before


def test_sectors_are_read_and_written() -> None:
    driver = disk()
    assert content(driver) == CONTENT
    data = random.Random(SEED).randbytes(1024)
    assert ask(driver, T_OUT, 3, data) == OK
    assert content(driver) == CONTENT[:1536] + data + CONTENT[2560:]
    assert driver.device.stats["written"] == 1024
    assert driver.device.stats["read"] == 2 * len(CONTENT)
    assert driver.device.stats["requests"] == 3


def test_requests_may_be_framed_in_any_way() -> None:
    """[9]: one byte at a time, or header and data and status together"""
    dice = random.Random(SEED)
    driver = disk()
    for _ in range(200):
        data = dice.randbytes(1024)
        out, room = block_header(T_OUT, 9) + data, 1
        cuts = sorted(dice.sample(range(1, len(out)), dice.randrange(20)))
        parts = [out[a:b] for a, b in zip([0, *cuts], [*cuts, len(out)], strict=True)]
        assert driver.ask(0, parts, [room]) == (1, b"\0"), f"seed {SEED}"
        cuts = sorted(dice.sample(range(1, 1025), dice.randrange(20)))
        rooms = [b - a for a, b in zip([0, *cuts], [*cuts, 1025], strict=True)]
        header = block_header(T_IN, 9)
        assert driver.ask(0, [header[:5], header[5:]], rooms) == (1025, data + b"\0")


def test_get_id_answers_the_serial() -> None:
    driver = disk(serial="disk-7")
    assert driver.ask(0, [block_header(T_GET_ID, 0)], [20, 1]) == (21, b"disk-7".ljust(21, b"\0"))
    driver = disk(serial="x" * 20)
    assert driver.ask(0, [block_header(T_GET_ID, 0)], [20, 1]) == (21, b"x" * 20 + b"\0")
    length, answer = driver.ask(0, [block_header(T_GET_ID, 0)], [512, 1])
    assert (length, answer[:20], answer[-1]) == (20, b"x" * 20, OK)
    assert driver.ask(0, [block_header(T_GET_ID, 0)], [4, 1]) == (5, b"xxxx\0")


def test_write_zeroes_reads_back_zeroes() -> None:
    """[34]"""
    for flags in (0, 1):
        driver = disk()
        assert ask(driver, T_WRITE_ZEROES, out=ranges((1, 2, flags), (10, 1, flags))) == OK
        expected = bytearray(CONTENT)
        expected[512:1536] = bytes(1024)
        expected[5120:5632] = bytes(512)
        assert content(driver) == expected


def test_a_discard_touches_its_ranges_only() -> None:
    driver = disk()
    assert ask(driver, T_DISCARD, out=ranges((1, 2, 0), (SECTORS - 1, 1, 0), (5, 0, 0))) == OK
    assert content(driver)[:512] == CONTENT[:512]
    assert content(driver)[1536:-512] == CONTENT[1536:-512]


@pytest.mark.parametrize("kind", [T_DISCARD, T_WRITE_ZEROES])
@pytest.mark.parametrize(
    ("out", "status"),
    [
        (ranges((0, 1, 2)), UNSUPP),
        (ranges((0, 1, 1 << 31)), UNSUPP),
        (ranges((0, 1, 0)) + b"more", IOERR),
        (ranges((0, 1, 0))[:15], IOERR),
        (ranges(*[(0, 1, 0)] * 17), IOERR),
        (ranges((SECTORS, 1, 0)), IOERR),
        (ranges((0, 1, 0), (SECTORS - 1, 2, 0)), IOERR),
        (ranges(((1 << 64) - 1, 1, 0)), IOERR),
    ],
)
def test_ranges_are_all_checked_before_any_is_changed(kind: int, out: bytes, status: int) -> None:
    """[33]"""
    driver = disk()
    assert ask(driver, kind, out=out) == status
    assert content(driver) == CONTENT


@pytest.mark.parametrize("kind", [T_DISCARD, T_WRITE_ZEROES])
def test_a_range_is_not_longer_than_the_config_space_says(kind: int) -> None:
    driver = Driver(Block(Drive(Memory(1 << 30)))).start()
    most = driver.port.config(36, 4)
    assert most == driver.port.config(48, 4) == MAX_RANGE_SECTORS
    assert ask(driver, kind, out=ranges((0, most, 0))) == OK
    assert ask(driver, kind, out=ranges((0, most + 1, 0))) == IOERR


def test_a_discard_that_unmaps_is_not_supported() -> None:
    """[33]"""
    assert ask(disk(), T_DISCARD, out=ranges((0, 1, 1))) == UNSUPP


@pytest.mark.parametrize(
    ("kind", "feature"), [(T_DISCARD, DISCARD), (T_WRITE_ZEROES, WRITE_ZEROES)]
)
def test_what_was_not_negotiated_is_not_supported(kind: int, feature: int) -> None:
    driver = disk(features=EVERYTHING & ~feature)
    assert ask(driver, kind, out=ranges((0, 1, 0))) == UNSUPP


def test_unknown_types_are_answered_and_not_supported() -> None:
    """[33]: all of the first 256 and some more; none hangs"""
    known = {T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES}
    driver = disk()
    for kind in {*range(256), 0x8000_0000, 0xFFFF_FFFF, 0x100} - known:
        assert ask(driver, kind, out=b"x" * 512) == UNSUPP
        assert ask(driver, kind, room=512) == UNSUPP
    assert content(driver) == CONTENT
    assert driver.port.status == READY


@pytest.mark.parametrize(
    ("sector", "count"),
    [(SECTORS, 1), (SECTORS - 1, 2), ((1 << 64) - 1, 1), ((1 << 55), 1), ((1 << 64) - 1, 2)],
)
def test_sectors_beyond_the_end_fail_and_no_byte_moves(sector: int, count: int) -> None:
    """[32]: the sum must not overflow"""
    driver = disk()
    assert ask(driver, T_IN, sector, room=512 * count) == IOERR
    assert ask(driver, T_OUT, sector, b"x" * 512 * count) == IOERR
    assert content(driver) == CONTENT


def test_a_request_larger_than_the_largest_fails_and_costs_no_memory() -> None:
    """A guest may point at all of its RAM as often as it has descriptors."""
    driver = Driver(Block(Drive(Memory(1 << 40)))).start()
    ring, memory = driver.rings[0], driver.memory
    header, status = driver.buffer(block_header(T_IN, 0)), driver.buffer(1)
    for pieces, expected in ((1, OK), (2, OK), (3, IOERR), (100, IOERR)):
        whole = [(memory.base + memory.size - (4 << 20), 4 << 20, True)] * 2 * pieces
        table = memory.base + (1 << 20)
        buffers = [(header, 16, False), *whole, (status, 1, True)]
        ring.offer(ring.indirect(buffers, table))
        tracemalloc.start()
        driver.port.notify(0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert memory.read(status, 1)[0] == expected
        assert peak < 200_000
        assert ring.reap()[0][1] == (0 if expected else len(whole) * (4 << 20) + 1)


@pytest.mark.parametrize("count", [1, 511, 513])
def test_data_is_whole_sectors(count: int) -> None:
    driver = disk()
    assert ask(driver, T_IN, 0, room=count) == IOERR
    assert ask(driver, T_OUT, 0, b"x" * count) == IOERR
    assert content(driver) == CONTENT


def test_a_read_only_disk_fails_writes_and_changes_nothing(tmp_path: Path) -> None:
    """[32]"""
    path = tmp_path / "disk.img"
    path.write_bytes(CONTENT)
    driver = Driver(Block(Drive(Raw(path, read_only=True))))
    assert driver.port.features() & RO
    assert not driver.port.features() & (DISCARD | WRITE_ZEROES)
    driver.start()
    assert ask(driver, T_OUT, 0, b"x" * 512) == IOERR
    for kind in (T_DISCARD, T_WRITE_ZEROES):
        assert ask(driver, kind, out=ranges((0, 1, 0))) == IOERR
    assert ask(driver, T_FLUSH) == OK
    assert content(driver) == CONTENT == path.read_bytes()


@pytest.mark.parametrize(
    ("out", "room"),
    [
        ([b""], [1]),
        ([block_header(T_IN, 0)[:15]], [512, 1]),
        ([block_header(T_FLUSH, 0)], []),
        ([block_header(T_OUT, 0), b"x" * 512], []),
        ([block_header(T_IN, 0)], []),
        ([block_header(T_IN, 0)], [1]),
        ([block_header(T_OUT, 0)], [1]),
        ([block_header(T_GET_ID, 0)], [1]),
        ([block_header(T_DISCARD, 0)], [1]),
        ([block_header(T_WRITE_ZEROES, 0)], [1]),
        ([], [512, 1]),
    ],
    ids=str,
)
def test_a_request_without_header_data_or_status_costs_a_reset(
    out: list[bytes], room: list[int]
) -> None:
    """[35]"""
    driver = disk()
    driver.send(0, out, room)
    assert driver.port.status == READY | NEEDS_RESET
    assert driver.port.interrupts() == (False, True)
    assert content(driver.start()) == CONTENT


class Journal(Memory):
    """A disk that notes when it is flushed."""

    def __init__(self) -> None:
        super().__init__(1 << 20)
        self.notes: list[str] = []

    def write(self, offset: int, buffers: object, wait: bool = True) -> bool:
        self.notes.append("write")
        return True

    def write_zeroes(self, offset: int, length: int, wait: bool = True) -> bool:
        self.notes.append("zeroes")
        return True

    def flush(self, wait: bool = True) -> bool:
        self.notes.append("flush")
        return True


def test_without_flush_every_write_is_stable_before_it_completes() -> None:
    """[34]"""
    for features, expected in (
        (EVERYTHING, ["write", "zeroes"]),
        (EVERYTHING & ~FLUSH, ["write", "flush", "zeroes", "flush"]),
    ):
        journal = Journal()
        driver = Driver(Block(Drive(journal))).start(features)
        assert ask(driver, T_OUT, 0, b"x" * 512) == OK
        assert ask(driver, T_WRITE_ZEROES, out=ranges((0, 1, 0))) == OK
        assert journal.notes == expected
        assert ask(driver, T_FLUSH) == OK
        assert journal.notes == [*expected, "flush"]


REQUESTS = {
    "preadv": lambda driver: ask(driver, T_IN, 0, room=1024),
    "pwritev": lambda driver: ask(driver, T_OUT, 0, b"x" * 1024),
    "fdatasync": lambda driver: ask(driver, T_FLUSH),
    "fallocate": lambda driver: ask(driver, T_DISCARD, out=ranges((0, 1, 0))),
}


@pytest.mark.parametrize("code", FAILURES, ids=lambda code: errno.errorcode[code])
@pytest.mark.parametrize("call", REQUESTS)
def test_when_the_host_fails_the_guest_sees_ioerr_and_goes_on(
    tmp_path: Path, call: str, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(CONTENT)
    driver = Driver(Block(Drive(Raw(path)))).start()
    with pytest.MonkeyPatch.context() as broken:
        fail(broken, call, code)
        for _ in range(3):
            assert REQUESTS[call](driver) == IOERR
    assert driver.device.stats["host errors"] == 3
    assert len(caplog.records) == 1
    assert content(driver) == CONTENT
    # What a failed flush has lost is not known, so that no later one succeeds.
    assert REQUESTS[call](driver) == (IOERR if call == "fdatasync" else OK)
    assert driver.port.status == READY


def test_a_file_truncated_under_us_is_an_ioerr_where_it_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    for kind in (Raw, lambda path: over(Raw(path, read_only=True), len(CONTENT))):
        path.write_bytes(CONTENT)
        drive = Drive(kind(path))
        driver = Driver(Block(drive)).start()
        path.write_bytes(CONTENT[:1024])
        assert ask(driver, T_IN, 2, room=512) == IOERR
        assert ask(driver, T_IN, 1, room=512) == OK
        drive.close()


def test_a_full_ring_is_served_by_one_kick_and_told_once() -> None:
    driver = disk()
    driver.rings[0].set_used_event(84)
    for number in range(85):
        driver.send(0, [block_header(T_IN, number)], [512, 1], kick=False)
    driver.port.notify(0)
    assert len(driver.rings[0].reap()) == 85
    assert driver.device.stats["kicks"] == driver.device.stats["interrupts"] == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"serial": "x" * 21}, "serial"),
        ({"serial": "ä"}, "serial"),
        ({"block_size": 100}, "block_size"),
        ({"block_size": 4096}, "block_size"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Block(Drive(Memory(512)), **arguments)  # type: ignore[arg-type]
