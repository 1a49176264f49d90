"""Guest RAM: its bounds, its words, and who is told when code changes."""

import ctypes
import hashlib
import random
from pathlib import Path

import pytest

from vnb.errors import GuestError, UsageError
from vnb.memory import PAGE, Memory

BASE = 0x8000_0000
SIZE = 16 * PAGE


@pytest.fixture
def memory() -> Memory:
    return Memory(SIZE)


def test_fresh_memory_is_zero(memory: Memory) -> None:
    assert (memory.base, memory.size) == (BASE, SIZE)
    assert memory.read(BASE, SIZE) == bytes(SIZE)


@pytest.mark.parametrize("size", [0, -PAGE, 1, PAGE + 1])
def test_a_size_that_is_no_number_of_pages_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match="size must be a positive multiple of 4096"):
        Memory(size)


def test_more_memory_than_there_are_addresses_is_refused_in_words() -> None:
    with pytest.raises(UsageError, match="host cannot reserve"):
        Memory(1 << 62)


def test_what_is_written_is_read(memory: Memory) -> None:
    memory.write(BASE + 5, b"hello")
    memory.write(BASE + 10, memoryview(bytearray(b" world")))
    assert memory.read(BASE + 5, 11) == b"hello world"
    assert bytes(memory.view(BASE + 5, 5)) == b"hello"


def test_words_are_little_endian_and_need_no_alignment(memory: Memory) -> None:
    memory.write_u64(BASE + 1, 0x1122_3344_5566_7788)
    assert memory.read(BASE + 1, 8) == bytes.fromhex("8877665544332211")
    assert memory.read_u64(BASE + 1) == 0x1122_3344_5566_7788
    assert memory.read_u32(BASE + 1) == 0x5566_7788
    assert memory.read_u16(BASE + 1) == 0x7788
    memory.write_u32(BASE + 1, 0xAABB_CCDD)
    memory.write_u16(BASE + 5, 0xEEFF)
    assert memory.read_u64(BASE + 1) == 0x1122_EEFF_AABB_CCDD


@pytest.mark.parametrize(
    ("address", "length"),
    [
        (BASE - 1, 1),
        (BASE - 1, 2),
        (BASE + SIZE, 1),
        (BASE + SIZE - 1, 2),
        (BASE, SIZE + 1),
        (0, 1),
        (BASE + 8, -4),
        ((1 << 64) - 1, 2),
    ],
)
def test_nothing_outside_ram_is_touched(memory: Memory, address: int, length: int) -> None:
    assert not memory.contains(address, length)
    for access in (memory.read, memory.view, memory.writable, memory.fill):
        with pytest.raises(GuestError):
            access(address, length)
    if length > 0:
        with pytest.raises(GuestError):
            memory.write(address, b"x" * length)
    assert memory.sha256() == hashlib.sha256(bytes(SIZE)).hexdigest()


def test_words_across_the_ends_of_ram_are_refused(memory: Memory) -> None:
    for width in (2, 4, 8):
        for address in (BASE - 1, BASE + SIZE - width + 1):
            with pytest.raises(GuestError):
                getattr(memory, f"read_u{8 * width}")(address)
            with pytest.raises(GuestError):
                getattr(memory, f"write_u{8 * width}")(address, 1)


def test_the_ends_of_ram_belong_to_it(memory: Memory) -> None:
    assert memory.contains(BASE, SIZE) and memory.contains(BASE + SIZE, 0)
    memory.write_u64(BASE + SIZE - 8, 1)
    memory.write(BASE + SIZE, b"")
    assert memory.read_u64(BASE + SIZE - 8) == 1


def test_a_view_cannot_be_written_and_a_window_can(memory: Memory) -> None:
    with pytest.raises(TypeError):
        memory.view(BASE, 4)[0] = 1
    memory.writable(BASE, 4)[:] = b"abcd"
    assert memory.read(BASE, 4) == b"abcd"


def test_compiled_code_finds_the_same_bytes(memory: Memory) -> None:
    memory.write(BASE + 100, b"seen")
    assert ctypes.string_at(memory.address + 100, 4) == b"seen"
    ctypes.memmove(memory.address + 200, b"back", 4)
    assert memory.read(BASE + 200, 4) == b"back"


def test_fill_sets_exactly_the_bytes_asked_for(memory: Memory) -> None:
    memory.fill(BASE, SIZE, 0xFF)
    memory.fill(BASE + 3, 2 * PAGE)
    assert memory.read(BASE, 3) == b"\xff" * 3
    assert memory.read(BASE + 3, 2 * PAGE) == bytes(2 * PAGE)
    assert memory.read(BASE + 3 + 2 * PAGE, 1) == b"\xff"


def test_a_fill_longer_than_its_chunks_is_whole() -> None:
    memory = Memory(4 << 20)
    memory.fill(BASE + 1, (3 << 20) + 5, 7)
    assert memory.read(BASE, memory.size).count(7) == (3 << 20) + 5


class Watched:
    """Memory of which pages 2, 3 and 7 hold decoded instructions."""

    def __init__(self) -> None:
        self.memory = Memory(SIZE)
        for page in (2, 3, 7):
            self.memory.code_pages[page] = page
        self.reports: list[tuple[int, int]] = []
        self.memory.on_code_write = lambda first, last: self.reports.append((first, last))


def test_every_way_of_writing_into_code_is_reported() -> None:
    page_2, page_3 = BASE + 2 * PAGE, BASE + 3 * PAGE
    for write, report in (
        (lambda m: m.write(page_2, b"x"), (2, 2)),
        (lambda m: m.write(page_2 - 1, b"xx"), (1, 2)),
        (lambda m: m.write(BASE, bytes(SIZE)), (0, 15)),
        (lambda m: m.fill(page_3 + 5, 1), (3, 3)),
        (lambda m: m.writable(page_2 + PAGE - 1, 2), (2, 3)),
        (lambda m: m.write_u16(page_3 - 1, 1), (2, 3)),
        (lambda m: m.write_u32(page_2 - 2, 1), (1, 2)),
        (lambda m: m.write_u64(page_3 + PAGE - 8, 1), (3, 3)),
    ):
        watched = Watched()
        write(watched.memory)
        assert watched.reports == [report]


def test_writes_beside_code_and_reads_of_it_are_not_reported() -> None:
    watched = Watched()
    memory = watched.memory
    memory.write(BASE, bytes(2 * PAGE))
    memory.write(BASE + 4 * PAGE, bytes(3 * PAGE))
    memory.write_u64(BASE + 2 * PAGE - 8, 1)
    memory.write(BASE + 2 * PAGE, b"")
    memory.read(BASE, SIZE)
    memory.view(BASE, SIZE)
    assert watched.reports == []


def test_clearing_zeroes_everything_and_reports_all_code() -> None:
    watched = Watched()
    watched.memory.fill(BASE, SIZE, 1)
    watched.reports.clear()
    watched.memory.clear()
    assert watched.memory.read(BASE, SIZE) == bytes(SIZE)
    assert watched.reports == [(0, 15)]


def test_the_hash_is_that_of_the_bytes(memory: Memory, rng: random.Random) -> None:
    data = rng.randbytes(SIZE)
    memory.write(BASE, data)
    assert memory.sha256() == hashlib.sha256(data).hexdigest()


def resident() -> int:
    """Bytes of this process that the host really keeps in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells so easily")
def test_memory_costs_the_host_what_is_touched_until_it_is_cleared() -> None:
    before = resident()
    memory = Memory(1 << 30)
    assert resident() - before < 8 << 20
    memory.fill(BASE, 64 << 20, 1)
    assert 60 << 20 < resident() - before < 80 << 20
    memory.clear()
    assert resident() - before < 16 << 20
