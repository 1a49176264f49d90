"""The split ring by itself: framing, arithmetic, order of writes."""

import random

import pytest

from tests.virtio.driver import INDIRECT, NEXT, RINGS, WRITE, Ring
from vnb.errors import GuestError
from vnb.memory import Memory
from vnb.virtio.queue import Queue, QueueConfig, Reader, Writer, passed

SEED = 20_260


class Guest:
    """A ring, the queue on it, and a place to cut buffers from."""

    def __init__(self, size: int = 8, ram: int = 1 << 20, event_idx: bool = False) -> None:
        self.memory = Memory(ram)
        self.ring = Ring(self.memory, self.memory.base + RINGS, size)
        config = QueueConfig(size)
        config.desc, config.avail, config.used = self.ring.desc, self.ring.avail, self.ring.used
        self.queue = Queue(self.memory, config, event_idx=event_idx, indirect=True)
        self.buffers = self.memory.base + 0x2_0000

    def pop(self) -> tuple[Reader, Writer]:
        chain = self.queue.pop()
        assert chain is not None
        return chain.reader, chain.writer


def streams(memory: Memory, base: int, cuts: list[int]) -> list[tuple[int, int, bool]]:
    """Buffers of these lengths, one behind the other with a gap between them."""
    found = []
    for length in cuts:
        found.append((base, length, False))
        base += length + 3
    return found


@pytest.mark.parametrize("indirect", [False, True])
def test_bytes_do_not_depend_on_how_the_driver_frames_them(indirect: bool) -> None:
    """[9], [10]"""
    dice = random.Random(SEED)
    data = dice.randbytes(60)
    for _ in range(500):
        guest = Guest(size=16)
        cuts = [dice.choice((0, 0, 1, 2, 7, 16, 30)) for _ in range(14)]
        out = streams(guest.memory, guest.buffers, cuts)
        done = 0
        for address, length, _ in out:
            guest.memory.write(address, data[done : done + length].ljust(length, b"."))
            done += length
        room = [(address + 0x1_0000, length, True) for address, length, _ in out]
        if indirect:
            head = guest.ring.indirect((out + room)[:16], guest.memory.base)
        else:
            head = guest.ring.chain((out + room)[:16])
        guest.ring.offer(head)
        reader, writer = guest.pop()
        expected = data[:done].ljust(done, b".")
        steps = [dice.randrange(0, 20) for _ in range(9)]
        taken = b"".join(reader.read(min(step, reader.available)) for step in steps)
        assert taken == expected[: len(taken)], f"seed {SEED}"
        assert reader.available == done - len(taken)
        for step in steps:
            writer.write(data[writer.written : writer.written + min(step, writer.available)])
        written = b"".join(guest.memory.read(address, length) for address, length, _ in room[:2])
        assert written[: writer.written] == data[: min(writer.written, len(written))]


def test_a_chain_may_go_from_the_table_into_an_indirect_one() -> None:
    """[10]: and the WRITE flag of the descriptor that leads there means nothing"""
    guest = Guest()
    memory, base = guest.memory, guest.buffers
    memory.write(base, b"onetwo")
    guest.ring.free.remove(5)
    head = guest.ring.indirect([(base + 3, 3, False), (base + 64, 9, True)], base + 128, WRITE)
    guest.ring.describe(5, base, 3, NEXT, head)
    guest.ring.offer(5)
    reader, writer = guest.pop()
    assert reader.read(6) == b"onetwo"
    assert writer.available == 9


def test_reading_and_writing_past_the_end_is_the_guests_error() -> None:
    guest = Guest()
    guest.ring.offer(guest.ring.chain([(guest.buffers, 4, False), (guest.buffers + 8, 4, True)]))
    reader, writer = guest.pop()
    for misuse in (
        lambda: reader.read(5),
        lambda: reader.windows(5),
        lambda: reader.advance(5),
        lambda: writer.write(b"12345"),
        lambda: writer.split(5),
    ):
        with pytest.raises(GuestError):
            misuse()
    assert (reader.available, writer.available, writer.written) == (4, 4, 0)


def test_what_the_driver_sent_cannot_be_written() -> None:
    """[8]"""
    guest = Guest()
    guest.ring.offer(guest.ring.chain([(guest.buffers, 4, False)]))
    reader, _ = guest.pop()
    assert all(window.readonly for window in reader.windows(4))


def test_a_split_writer_fills_both_parts_independently() -> None:
    guest = Guest()
    buffers = [(guest.buffers + 10 * place, 3, True) for place in range(4)]
    guest.ring.offer(guest.ring.chain(buffers))
    _, writer = guest.pop()
    rest = writer.split(7)
    rest.write(b"45678")
    writer.write(b"abcdefg")
    found = b"".join(guest.memory.read(address, length) for address, length, _ in buffers)
    assert found == b"abcdefg45678"
    assert (writer.written, writer.available, rest.written, rest.available) == (7, 0, 5, 0)


def test_a_chain_of_more_than_4_gib_is_refused() -> None:
    """[11]"""
    guest = Guest(size=256, ram=32 << 20)
    whole = (guest.memory.base, 32 << 20, False)
    for count, allowed in ((128, True), (129, False)):
        guest.ring.offer(guest.ring.indirect([whole] * count, guest.buffers))
        if allowed:
            assert guest.pop()[0].available == 1 << 32
        else:
            with pytest.raises(GuestError, match="a chain of"):
                guest.queue.pop()


@pytest.mark.parametrize("length", [0, 1, 15, 17, 24, 40])
def test_an_indirect_table_is_one_or_more_whole_descriptors(length: int) -> None:
    """[10]: even if what is in it is in order"""
    guest = Guest()
    table = guest.buffers + 0x1000
    guest.ring.indirect([(guest.buffers, 4, False)] * 3, table)
    guest.ring.describe(0, table, length, INDIRECT, 0)
    guest.memory.write_u16(table + 12, 0)
    guest.ring.offer(0)
    with pytest.raises(GuestError, match="table of"):
        guest.queue.pop()


@pytest.mark.parametrize("size", [1, 2, 8, 256])
def test_a_chain_as_long_as_the_queue_is_allowed_and_no_longer(size: int) -> None:
    """[11]"""
    buffers = [(0x8002_0000, 1, False)] * (size + 1)
    guest = Guest(size=size)
    guest.ring.offer(guest.ring.chain(buffers[:size]))
    assert guest.pop()[0].available == size
    guest = Guest(size=size)
    guest.ring.offer(guest.ring.indirect(buffers[:size], guest.buffers))
    assert guest.pop()[0].available == size
    guest = Guest(size=size)
    guest.ring.offer(guest.ring.indirect(buffers, guest.buffers))
    with pytest.raises(GuestError, match="longer than the queue"):
        guest.queue.pop()


def test_no_more_chains_are_in_flight_than_the_queue_holds() -> None:
    """[17]"""
    guest = Guest(size=4)
    for place in range(4):
        guest.ring.describe(place, guest.buffers, 1, 0, 0)
    guest.ring.offer(0, 1, 2, 3)
    chains = list(guest.queue)
    assert len(chains) == 4
    guest.ring.offer(0)
    with pytest.raises(GuestError, match="in flight"):
        guest.queue.pop()
    guest.queue.push(chains[2], 0)
    assert guest.queue.pop() is not None


def test_chains_may_come_back_in_any_order_and_each_says_its_length() -> None:
    """[13]"""
    guest = Guest(size=4)
    heads = [guest.ring.chain([(guest.buffers, 9, True)]) for _ in range(3)]
    guest.ring.offer(*heads)
    first, second, third = guest.queue
    for chain, length in ((second, 7), (third, 0), (first, 9)):
        guest.queue.push(chain, length)
    assert guest.ring.reap() == [(heads[1], 7), (heads[2], 0), (heads[0], 9)]


def test_the_used_entry_is_written_before_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """[12]"""
    guest = Guest()
    guest.ring.offer(guest.ring.chain([(guest.buffers, 4, True)]))
    chain = guest.queue.pop()
    assert chain is not None
    places: list[int] = []
    for name in ("write_u16", "write_u32", "write_u64", "write"):
        monkeypatch.setattr(Memory, name, lambda self, address, value: places.append(address))
    guest.queue.push(chain, 4)
    assert places == [guest.ring.used + 4, guest.ring.used + 2]


@pytest.mark.parametrize("event_idx", [False, True])
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_indices_wrap_round_at_65536(size: int, event_idx: bool) -> None:
    guest = Guest(size=size, event_idx=event_idx)
    for place in range(size):
        guest.ring.describe(place, guest.buffers, 1, 0, 0)
    for turn in range(0x1_0000 // size + 3):
        guest.ring.offer(*range(size))
        chains = list(guest.queue)
        assert [chain.head for chain in chains] == list(range(size)), f"turn {turn}"
        for chain in chains:
            guest.queue.push(chain, 0)
        assert guest.ring.used_idx == guest.ring.offered
        if event_idx:
            assert guest.ring.avail_event == guest.ring.offered


def test_an_event_is_passed_exactly_when_one_of_the_steps_lands_after_it() -> None:
    """[15]: for all old, all distances up to 9, and events all round"""
    near = [(value + shift) & 0xFFFF for value in (0, 0x7FFF, 0x8000) for shift in range(-9, 10)]
    for old in near:
        for distance in (*range(10), 0x7FFF, 0x8000, 0xFFFF):
            new = (old + distance) & 0xFFFF
            for event in near:
                steps = (event - old) & 0xFFFF
                assert passed(event, new, old) == (steps < distance), (old, new, event)


@pytest.mark.parametrize("distance", [0, 1, 2, 7, 8])
def test_the_notify_decision_is_right_for_every_16_bit_index(distance: int) -> None:
    """[15]: every old index, every event in reach and just out of it"""
    for old in range(0x1_0000):
        new = (old + distance) & 0xFFFF
        for steps in (*range(distance + 2), 0xFFFE, 0xFFFF):
            assert passed((old + steps) & 0xFFFF, new, old) == (steps < distance)


def test_without_new_chains_there_is_nothing_to_tell() -> None:
    for event_idx in (False, True):
        guest = Guest(event_idx=event_idx)
        assert not guest.queue.wants_interrupt()
        guest.ring.offer(guest.ring.chain([(guest.buffers, 4, True)]))
        chain = guest.queue.pop()
        assert chain is not None
        assert not guest.queue.wants_interrupt()
        guest.queue.push(chain, 0)
        assert guest.queue.wants_interrupt()
        assert not guest.queue.wants_interrupt()


def test_an_interrupt_covers_all_that_was_pushed_since_the_last() -> None:
    """The event may lie in the middle of a batch."""
    guest = Guest(size=8, event_idx=True)
    for place in range(8):
        guest.ring.describe(place, guest.buffers, 1, 0, 0)
    guest.ring.set_used_event(3)
    guest.ring.offer(*range(8))
    for chain in guest.queue:
        guest.queue.push(chain, 0)
    assert guest.queue.wants_interrupt()


def test_geometry_is_that_of_activation() -> None:
    guest = Guest(size=4)
    config = QueueConfig(4)
    config.desc, config.avail, config.used = guest.ring.desc, guest.ring.avail, guest.ring.used
    queue = Queue(guest.memory, config, event_idx=False, indirect=False)
    config.reset()
    guest.ring.offer(guest.ring.chain([(guest.buffers, 4, False)]))
    assert queue.pop() is not None
