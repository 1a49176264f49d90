"""What every disk on the host holds; inherit it for each kind of disk."""

import random
import threading

import pytest

from vnb.errors import HostError
from vnb.host.block import CLUSTER, Block

SIZE = 5 * CLUSTER + 1536
"""A disk whose last cluster is a short one."""

SEED = 77


class BlockContract:
    """Override `disk`: a writable disk that holds `content`."""

    content = random.Random(SEED).randbytes(SIZE)

    @pytest.fixture
    def disk(self) -> Block:
        raise NotImplementedError

    @staticmethod
    def read(disk: Block, offset: int, length: int) -> bytes:
        data = bytearray(b"?" * length)
        disk.readinto(offset, [memoryview(data)])
        return bytes(data)

    @staticmethod
    def write(disk: Block, offset: int, data: bytes) -> None:
        disk.write(offset, [memoryview(data)])

    def test_it_begins_with_its_content(self, disk: Block) -> None:
        assert disk.size == SIZE
        assert not disk.read_only
        assert self.read(disk, 0, SIZE) == self.content

    @pytest.mark.parametrize("offset", [0, 512, CLUSTER - 512, CLUSTER, SIZE - 512])
    def test_what_was_written_is_read_back_and_nothing_else_changed(
        self, disk: Block, offset: int
    ) -> None:
        data = b"vnb!" * 128
        self.write(disk, offset, data)
        expected = self.content[:offset] + data + self.content[offset + 512 :]
        assert self.read(disk, 0, SIZE) == expected

    def test_buffers_of_any_cut_are_filled_and_stored_in_order(self, disk: Block) -> None:
        data = random.Random(SEED).randbytes(2 * CLUSTER)
        view = memoryview(data)
        disk.write(CLUSTER // 2, [view[:1], view[1:1], view[1:1000], view[1000:]])
        room = memoryview(bytearray(2 * CLUSTER))
        disk.readinto(CLUSTER // 2, [room[:77], room[77 : CLUSTER + 5], room[CLUSTER + 5 :]])
        assert room.tobytes() == data

    def test_more_buffers_than_one_system_call_takes(self, disk: Block) -> None:
        data = random.Random(SEED).randbytes(3000)
        disk.write(9, [memoryview(data)[place : place + 1] for place in range(3000)])
        assert self.read(disk, 9, 3000) == data

    @pytest.mark.parametrize(
        ("offset", "length"),
        [(0, 512), (512, CLUSTER), (0, SIZE), (CLUSTER, CLUSTER), (CLUSTER - 1, 2 * CLUSTER + 2)],
    )
    def test_zeroes_read_back_as_zeroes(self, disk: Block, offset: int, length: int) -> None:
        disk.write_zeroes(offset, length)
        expected = bytearray(self.content)
        expected[offset : offset + length] = bytes(length)
        assert self.read(disk, 0, SIZE) == expected
        self.write(disk, offset, b"again")
        expected[offset : offset + 5] = b"again"
        assert self.read(disk, 0, SIZE) == expected

    def test_a_discard_changes_nothing_outside_its_range(self, disk: Block) -> None:
        disk.discard(1000, 3 * CLUSTER)
        assert self.read(disk, 0, 1000) == self.content[:1000]
        rest = 1000 + 3 * CLUSTER
        assert self.read(disk, rest, SIZE - rest) == self.content[rest:]

    def test_empty_ranges_are_harmless_everywhere(self, disk: Block) -> None:
        for offset in (0, 7, SIZE):
            disk.readinto(offset, [])
            disk.write(offset, [])
            disk.discard(offset, 0)
            disk.write_zeroes(offset, 0)
        disk.flush()
        assert self.read(disk, 0, SIZE) == self.content

    @pytest.mark.parametrize(
        ("offset", "length"), [(SIZE, 1), (SIZE - 511, 512), (-1, 1), (0, SIZE + 1), (1 << 64, 1)]
    )
    def test_a_range_beyond_the_disk_is_refused_whole(
        self, disk: Block, offset: int, length: int
    ) -> None:
        room = memoryview(bytearray(length))
        for misuse in (
            lambda: disk.readinto(offset, [room]),
            lambda: disk.write(offset, [room]),
            lambda: disk.discard(offset, length),
            lambda: disk.write_zeroes(offset, length),
        ):
            with pytest.raises(HostError, match="beyond"):
                misuse()
        assert self.read(disk, 0, SIZE) == self.content

    def test_any_sequence_of_operations_agrees_with_a_plain_array(self, disk: Block) -> None:
        dice = random.Random(SEED)
        model = bytearray(self.content)
        for step in range(400):
            offset = dice.randrange(SIZE)
            length = min(dice.choice((1, 512, 4096, CLUSTER, 3 * CLUSTER)), SIZE - offset)
            match dice.randrange(3):
                case 0:
                    data = dice.randbytes(length)
                    self.write(disk, offset, data)
                    model[offset : offset + length] = data
                case 1:
                    disk.write_zeroes(offset, length)
                    model[offset : offset + length] = bytes(length)
                case 2:
                    found = self.read(disk, offset, length)
                    assert found == model[offset : offset + length], f"seed {SEED}, step {step}"
        assert self.read(disk, 0, SIZE) == model

    def test_what_is_done_without_waiting_is_done_whole(self, disk: Block) -> None:
        """Or not at all, as far as anybody can tell who then waits."""
        model = bytearray(self.content)
        for offset, length in ((0, 512), (CLUSTER - 512, 1024), (512, 3 * CLUSTER), (0, SIZE)):
            data = random.Random(offset).randbytes(length)
            if not disk.write(offset, [memoryview(data)], wait=False):
                assert disk.write(offset, [memoryview(data)])
            model[offset : offset + length] = data
            room = memoryview(bytearray(SIZE))
            if not disk.readinto(0, [room[:1000], room[1000:]], wait=False):
                assert disk.readinto(0, [room])
            assert room == model
        if not disk.write_zeroes(512, 2 * CLUSTER, wait=False):
            assert disk.write_zeroes(512, 2 * CLUSTER)
        model[512 : 512 + 2 * CLUSTER] = bytes(2 * CLUSTER)
        assert self.read(disk, 0, SIZE) == model
        for operation in (disk.flush, lambda wait: disk.discard(0, 512, wait=wait)):
            assert operation(wait=False) or operation(wait=True)

    def test_a_disk_grows_by_zeros(self, disk: Block) -> None:
        grown = SIZE + 2 * CLUSTER + 512
        self.write(disk, SIZE - 512, b"z" * 512)
        disk.resize(grown)
        assert disk.size == grown
        expected = self.content[:-512] + b"z" * 512 + bytes(grown - SIZE)
        assert self.read(disk, 0, grown) == expected
        self.write(disk, grown - 700, b"y" * 700)
        self.write(disk, SIZE - 5, b"x" * 10)
        expected = expected[: SIZE - 5] + b"x" * 10 + expected[SIZE + 5 : -700] + b"y" * 700
        assert self.read(disk, 0, grown) == expected
        with pytest.raises(HostError, match="beyond"):
            self.read(disk, grown, 1)

    def test_several_threads_write_next_to_each_other(self, disk: Block) -> None:
        """In sectors of the same clusters, which none of them has to itself."""
        sectors = SIZE // 512

        def write(mine: int) -> None:
            for sector in range(mine, sectors, 4):
                self.write(disk, sector * 512, bytes([mine + 1]) * 512)
                if sector % 7 == 0:
                    disk.flush()

        threads = [threading.Thread(target=write, args=(mine,)) for mine in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert self.read(disk, 0, SIZE) == b"".join(
            bytes([sector % 4 + 1]) * 512 for sector in range(sectors)
        )

    def test_close_may_be_repeated(self, disk: Block) -> None:
        disk.close()
        disk.close()
