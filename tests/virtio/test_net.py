"""The network card: what goes out, and what comes in."""

import random
import tracemalloc
from itertools import pairwise

import pytest

from tests.contracts.ether import large
from tests.frames import ACK, ALICE, BOB, CWR, ether, judge, unsummed
from tests.virtio.card import HEADER, PLAIN, RX, TX, Card
from tests.virtio.driver import EVERYTHING
from vnb.frame import GSO_ECN, GSO_TCPV4, GSO_TCPV6, LARGEST, NEEDS_CSUM, Frame
from vnb.host.ether import LIMIT, Switch
from vnb.virtio.net import (
    CSUM,
    CTRL_VQ,
    GUEST_CSUM,
    GUEST_ECN,
    GUEST_TSO4,
    GUEST_TSO6,
    HOST_ECN,
    HOST_TSO4,
    HOST_TSO6,
    LINK_UP,
    MAC,
    MRG_RXBUF,
    MTU,
    STATUS,
)
from vnb.virtio.net_filter import CTRL_MAC_ADDR, CTRL_RX, CTRL_RX_EXTRA, CTRL_VLAN

OFFLOADS = GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6 | GUEST_ECN
SENDING = CSUM | HOST_TSO4 | HOST_TSO6 | HOST_ECN


# What it is.


def test_the_config_space_describes_the_card() -> None:
    """[virtio 5.1.4]"""
    port = Card(mtu=9000).driver.port
    assert bytes(port.config(place, 1) for place in range(6)) == ALICE
    assert [port.config(place, 2) for place in (6, 8, 10)] == [LINK_UP, 0, 9000]


def test_it_offers_what_it_has_and_nothing_else() -> None:
    """[4]: neither UFO, nor several queues, nor announcements"""
    offered = Card().driver.port.features() & 0xFF_FFFF_00FF_FFFF
    assert offered & ~(1 << 32) == (
        (MAC | MTU | STATUS | MRG_RXBUF | OFFLOADS | SENDING)
        | (CTRL_VQ | CTRL_RX | CTRL_RX_EXTRA | CTRL_VLAN | CTRL_MAC_ADDR)
    )


@pytest.mark.parametrize(
    ("features", "good"),
    [
        (GUEST_TSO4, False),
        (GUEST_TSO4 | GUEST_CSUM, True),
        (GUEST_TSO6 | CSUM, False),
        (HOST_TSO4, False),
        (HOST_TSO6 | CSUM, True),
        (GUEST_ECN | GUEST_CSUM, False),
        (GUEST_ECN | GUEST_CSUM | GUEST_TSO6, True),
        (HOST_ECN | CSUM, False),
        (HOST_ECN | CSUM | HOST_TSO4, True),
        *((feature, False) for feature in (CTRL_RX, CTRL_RX_EXTRA, CTRL_VLAN, CTRL_MAC_ADDR)),
        (CTRL_RX | CTRL_VQ, True),
    ],
)
def test_a_feature_is_accepted_only_with_those_that_it_needs(features: int, good: bool) -> None:
    """[3], [virtio 5.1.3.1]"""
    assert Card().driver.negotiate(features | 1 << 32) is good


# From the driver.


def test_what_the_driver_sends_goes_out_as_it_is() -> None:
    card = Card()
    for size in (0, 1, 46, 1500):
        data = ether(b"x" * size)
        assert card.transmit(data) == [Frame(data)]
    assert card.device.stats["frames sent"] == 4
    assert card.device.stats["sent"] == 4 * 14 + 1547


def test_a_frame_may_be_framed_in_any_way(rng: random.Random) -> None:
    """[9]"""
    card = Card()
    for _ in range(100):
        data = ether(rng.randbytes(300))
        whole = PLAIN + data
        cuts = sorted(rng.sample(range(1, len(whole)), rng.randrange(12)))
        parts = [whole[a:b] for a, b in pairwise([0, *cuts, len(whole)])]
        assert card.driver.ask(TX, parts) == (0, b"")
        assert card.far.take() == Frame(data)


def test_what_is_left_to_be_done_goes_with_the_frame() -> None:
    card = Card()
    data, start, offset = unsummed(bytes(100))
    (frame,) = card.transmit(data, HEADER.pack(NEEDS_CSUM, 0, 0, 0, start, offset, 0))
    assert frame == Frame(data, NEEDS_CSUM, 0, 0, 0, start, offset)
    data, start, offset = unsummed(bytes(60000))
    for kind in (GSO_TCPV4, GSO_TCPV4 | GSO_ECN):
        header = HEADER.pack(NEEDS_CSUM, kind, 0xFFFF, 1448, start, offset, 99)
        (frame,) = card.transmit(data, header)
        assert frame == Frame(data, NEEDS_CSUM, kind, start + 32, 1448, start, offset)


def test_unknown_flags_mean_nothing() -> None:
    """[37]"""
    data = ether(b"hello")
    assert Card().transmit(data, HEADER.pack(0xFE, 0, 1, 2, 3, 4, 5)) == [Frame(data)]


DATA, START, OFFSET = unsummed(bytes(5000))


@pytest.mark.parametrize(
    ("missing", "data", "header"),
    [
        (0, b"x" * 13, PLAIN),
        (0, b"", PLAIN),
        (0, ether(bytes(1509)), PLAIN),
        (0, DATA, HEADER.pack(1, GSO_TCPV4, 0, 1501, START, OFFSET, 0)),
        (0, DATA, HEADER.pack(1, GSO_TCPV4, 0, 0, START, OFFSET, 0)),
        (0, DATA, HEADER.pack(1, GSO_TCPV4, 0, 1448, 0xFFFF, OFFSET, 0)),
        (0, DATA, HEADER.pack(1, GSO_TCPV6, 0, 1448, START, OFFSET, 0)),
        (0, DATA, HEADER.pack(0, GSO_TCPV4, 0, 1448, START, OFFSET, 0)),
        (0, DATA, HEADER.pack(1, 3, 0, 1448, START, OFFSET, 0)),
        (0, DATA, HEADER.pack(1, 5, 0, 1448, START, OFFSET, 0)),
        (HOST_TSO4, DATA, HEADER.pack(1, GSO_TCPV4, 0, 1448, START, OFFSET, 0)),
        (HOST_ECN, DATA, HEADER.pack(1, GSO_TCPV4 | GSO_ECN, 0, 1448, START, OFFSET, 0)),
        (SENDING, DATA[:1000], HEADER.pack(1, 0, 0, 0, START, OFFSET, 0)),
    ],
)
def test_what_may_not_be_sent_is_dropped_and_counted(
    missing: int, data: bytes, header: bytes
) -> None:
    """[37]"""
    card = Card(EVERYTHING & ~missing)
    assert card.transmit(data, header) == []
    assert card.device.stats["malformed"] == 1
    assert card.transmit(ether(b"next")) == [Frame(ether(b"next"))]


def test_a_frame_without_a_whole_header_costs_one_reset() -> None:
    card = Card()
    card.driver.send(TX, [PLAIN[:11]])
    assert card.broken
    assert card.start().transmit(ether(b"again")) == [Frame(ether(b"again"))]


def test_a_frame_of_gigabytes_takes_no_host_memory() -> None:
    card = Card()
    ring = card.driver.rings[TX]
    every = [(card.driver.memory.base, card.driver.memory.size, False)] * 255
    tracemalloc.start()
    ring.offer(ring.chain(every))
    card.driver.port.notify(TX)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert len(ring.reap()) == 1
    assert card.device.stats["malformed"] == 1


# To the driver.


def test_a_received_frame_has_one_buffer_and_a_header_that_says_so() -> None:
    """[36]"""
    for features in (EVERYTHING, EVERYTHING & ~(MRG_RXBUF | OFFLOADS)):
        card = Card(features).give(1600)
        data = ether(b"hello")
        assert card.receive(Frame(data)) == [((0, 0, 0, 0, 0, 0, 1), data)]
        assert card.driver.port.interrupts() == (True, False)
        assert card.device.stats["received"] == len(data)
        assert card.device.stats["frames received"] == 1


@pytest.mark.parametrize("sizes", [(12,) * 90, (12, 1000), (100, 13, 200, 700), (1013, 5000)])
def test_a_frame_is_spread_over_as_many_buffers_as_it_needs(sizes: tuple[int, ...]) -> None:
    """[36], [13]"""
    card = Card().give(*sizes)
    data = ether(bytes(range(250)) * 4)[:1000]
    card.far.send(Frame(data))
    ring = card.driver.rings[RX]
    heads, lengths = zip(*ring.reap(), strict=True)
    assert sum(lengths) == 1012
    assert list(lengths[:-1]) == list(sizes[: len(lengths) - 1])
    pieces = zip(heads, lengths, strict=True)
    whole = b"".join(card.driver.memory.read(card.rooms[head], length) for head, length in pieces)
    assert whole == HEADER.pack(0, 0, 0, 0, 0, 0, len(lengths)) + data


def test_a_frame_waits_for_enough_buffers_and_goes_into_them_whole() -> None:
    card = Card().give(500)
    assert card.receive(Frame(ether(bytes(1000)))) == []
    card.give(300)
    assert card.lengths() == []
    card.give(400)
    assert card.lengths() == [500, 300, 226]


def test_frames_wait_in_order() -> None:
    card = Card()
    sent = [Frame(ether(bytes((number,)))) for number in range(20)]
    assert card.receive(*sent) == []
    card.give(*[100] * 25)
    assert [got.data for got in card.got()] == [frame.data for frame in sent]


def test_only_so_many_frames_wait_and_the_others_are_counted() -> None:
    """Table of goals: memory bounds"""
    card = Card()
    for _ in range(LIMIT + 50):
        card.far.send(Frame(ether(b"flood")))
    assert card.cable.dropped in (49, 50)  # one may have been looked at already
    card.give(100)
    assert card.device.stats["dropped"] == card.cable.dropped


def test_a_frame_that_can_never_fit_is_dropped_and_its_buffers_serve_the_next() -> None:
    card = Card(EVERYTHING & ~MRG_RXBUF).give(200)
    assert card.receive(Frame(ether(bytes(500)))) == []
    assert card.receive(Frame(ether(b"fits")))[0].data == ether(b"fits")
    card = Card(size=4).give(100, 100, 100, 100)
    assert card.receive(Frame(ether(bytes(500)))) == []
    assert card.device.stats["dropped"] == 1
    assert [got.data for got in card.receive(Frame(ether(bytes(150))))] == [ether(bytes(150))]
    assert card.receive(Frame(ether(bytes(150))))[0].data == ether(bytes(150))


def test_a_buffer_without_room_for_a_header_costs_one_reset() -> None:
    for room in ([11], []):
        card = Card()
        card.driver.send(RX, [b"x"], room)
        card.far.send(Frame(ether(b"hello")))
        assert card.broken
        assert card.start().give(100).receive(Frame(ether(b"again")))


def test_a_large_frame_reaches_a_driver_that_takes_it_whole() -> None:
    frame = large(bytes(range(256)) * 200, 1448)
    card = Card().give(*[4096] * 20)
    (got,) = card.receive(frame)
    assert got.data == frame.data
    assert got.header == (*frame[1:], 13)
    card = Card(EVERYTHING & ~MRG_RXBUF).give(65562)
    assert card.receive(frame) == [((*frame[1:], 1), frame.data)]


@pytest.mark.parametrize(
    ("missing", "ecn", "whole"),
    [
        (GUEST_TSO4 | GUEST_ECN | GUEST_TSO6, 0, False),
        (GUEST_TSO6, 0, True),
        (GUEST_ECN, 0, True),
        (GUEST_ECN, GSO_ECN, False),
        (OFFLOADS, 0, False),
    ],
)
def test_a_large_frame_is_cut_for_a_driver_that_does_not_take_it(
    missing: int, ecn: int, whole: bool
) -> None:
    """[36]"""
    payload = bytes(range(200)) * 20
    data, start, offset = unsummed(payload, flags=ACK | (CWR if ecn else 0))
    frame = Frame(data, NEEDS_CSUM, GSO_TCPV4 | ecn, start + 32, 1448, start, offset)
    found = Card(EVERYTHING & ~missing).give(*[1526] * 4).receive(frame)
    if whole:
        assert [got.data for got in found] == [frame.data]
    else:
        assert {got.header for got in found} == {(0, 0, 0, 0, 0, 0, 1)}
        assert b"".join(judge(got.data).payload for got in found) == payload


def test_a_large_frame_is_cut_once_however_slowly_buffers_come() -> None:
    payload = bytes(range(200)) * 20
    card = Card(EVERYTHING & ~OFFLOADS)
    card.far.send(large(payload, 1448))
    found = b""
    for _ in range(3):
        (got,) = card.give(1526).got()
        found += judge(got.data).payload
    assert found == payload


def test_a_checksum_is_filled_in_for_a_driver_that_does_not_do_it() -> None:
    """[36]"""
    data, start, offset = unsummed(b"some payload")
    frame = Frame(data, NEEDS_CSUM, 0, 0, 0, start, offset)
    (got,) = Card().give(1600).receive(frame)
    assert got == ((NEEDS_CSUM, 0, 0, 0, start, offset, 1), data)
    (got,) = Card(EVERYTHING & ~OFFLOADS).give(1600).receive(frame)
    assert got.header == (0, 0, 0, 0, 0, 0, 1)
    assert judge(got.data).payload == b"some payload"


def test_the_longest_frame_of_all_arrives() -> None:
    card = Card().give(*[4096] * 17)
    data = ether(bytes(LARGEST - 14))
    assert [got.data for got in card.receive(Frame(data))] == [data]


def test_nothing_of_before_a_reset_comes_after_it() -> None:
    """[5]"""
    card = Card(EVERYTHING & ~OFFLOADS).give(500)
    card.far.send(large(bytes(4000), 1448))
    for _ in range(5):
        card.far.send(Frame(ether(b"old")))
    card.driver.port.status = 0
    card.far.send(Frame(ether(b"nobody is there")))
    card.start().give(1600, 1600)
    assert [got.data for got in card.receive(Frame(ether(b"new")))] == [ether(b"new")]


def test_after_every_index_has_wrapped_nothing_is_left_over() -> None:
    lan = Switch()
    one, two = Card(lan=lan), Card(lan=lan, mac=BOB)
    out, back = one.driver.rings[TX], two.driver.rings[RX]
    data = PLAIN + ether(b"x" * 46)
    sent = out.chain([(one.driver.buffer(data), len(data), False)])
    room = back.chain([(two.driver.buffer(1526), 1526, True)])

    def pass_frames(count: int) -> None:
        for _ in range(count):
            back.offer(room)
            two.driver.port.notify(RX)
            out.offer(sent)
            one.driver.port.notify(TX)
            assert back.memory.read_u64(back.used + 4 + 8 * back.reaped) == room | 72 << 32
            back.reaped = (back.reaped + 1) % back.size

    pass_frames(1000)
    tracemalloc.start()
    pass_frames(1000)
    before, _ = tracemalloc.get_traced_memory()
    pass_frames(1000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pass_frames(0x1_0000)
    assert after - before < 1 << 16
    assert two.device.stats["frames received"] == 3000 + 0x1_0000


# The carrier.


def test_the_driver_is_told_that_the_cable_is_pulled_and_put_back() -> None:
    card = Card().give(100, 100)
    for there in (False, True):
        generation = card.driver.port.generation
        card.cable.carrier = there
        assert card.driver.port.interrupts()[1]
        assert card.driver.port.config(6, 2) == (LINK_UP if there else 0)
        assert card.driver.port.generation != generation
        assert len(card.transmit(ether(b"hello"))) == there
        assert len(card.receive(Frame(ether(b"hello")))) == there


def test_a_cable_that_was_pulled_while_nobody_looked_is_seen_by_the_next_driver() -> None:
    card = Card()
    card.driver.port.status = 0
    card.cable.carrier = False
    assert card.driver.port.interrupts() == (False, False)
    assert card.start().driver.port.config(6, 2) == 0


# Two cards.


@pytest.mark.parametrize("other", [EVERYTHING, EVERYTHING & ~OFFLOADS])
def test_between_two_machines_a_large_frame_travels_whole(other: int) -> None:
    lan = Switch()
    one, two = Card(lan=lan), Card(other, lan=lan, mac=BOB)
    payload = bytes(range(256)) * 100
    data, start, offset = unsummed(payload)
    two.give(*[2048] * 30)
    one.driver.ask(TX, [HEADER.pack(1, GSO_TCPV4, 0, 1448, start, offset, 0), data])
    found = two.got()
    assert two.cable.received == 1
    if other == EVERYTHING:
        assert [got.data for got in found] == [data]
    else:
        assert b"".join(judge(got.data).payload for got in found) == payload
