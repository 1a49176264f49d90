"""What a network driver wants to hear: the commands of the control queue, and what they change."""

import struct

import pytest

from tests.frames import ALICE, BOB, BROADCAST
from tests.virtio.card import CONTROL, Card
from tests.virtio.driver import EVERYTHING
from vnb.virtio.net import CTRL_VQ
from vnb.virtio.net_filter import (
    ALLMULTI,
    ALLUNI,
    CTRL_MAC_ADDR,
    CTRL_RX,
    CTRL_RX_EXTRA,
    CTRL_VLAN,
    MAC_ADDR_SET,
    MAC_TABLE_SET,
    MOST_MACS,
    NOBCAST,
    NOMULTI,
    NOUNI,
    PROMISC,
    VLAN_ADD,
    VLAN_DEL,
    Command,
)

MULTICAST, OTHER_MULTICAST = b"\x01\0\x5e\0\0\1", b"\x33\x33\0\0\0\1"


def macs(*addresses: bytes) -> bytes:
    """One table of MAC_TABLE_SET."""
    return struct.pack("<I", len(addresses)) + b"".join(addresses)


def vlan(number: int) -> bytes:
    return struct.pack("<H", number)


def test_at_first_it_hears_what_is_meant_for_it() -> None:
    """[virtio 5.1.6.5.2.1]"""
    card = Card()
    told = [card.hears(to) for to in (ALICE, BROADCAST, BOB, MULTICAST)]
    assert told == [True, True, False, False]
    assert card.device.stats["filtered"] == 2


@pytest.mark.parametrize("missing", [CTRL_RX, CTRL_RX | CTRL_VQ | CTRL_RX_EXTRA])
def test_a_driver_that_cannot_ask_hears_everything(missing: int) -> None:
    missing |= CTRL_VLAN | CTRL_MAC_ADDR if missing & CTRL_VQ else 0
    card = Card(EVERYTHING & ~missing)
    assert all(card.hears(to) for to in (ALICE, BROADCAST, BOB, MULTICAST))


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ((PROMISC,), (True, True, True, True)),
        ((PROMISC, NOMULTI, NOUNI, NOBCAST), (True, True, True, True)),
        ((ALLMULTI,), (True, True, False, True)),
        ((ALLUNI,), (True, True, True, False)),
        ((NOBCAST,), (True, False, False, False)),
        ((NOUNI, ALLUNI), (False, True, False, False)),
        ((NOMULTI, ALLMULTI), (True, True, False, False)),
        ((ALLMULTI, ALLUNI, NOBCAST), (True, False, True, True)),
    ],
)
def test_each_mode_says_what_is_heard(
    modes: tuple[Command, ...], expected: tuple[bool, ...]
) -> None:
    """[virtio 5.1.6.5.1]"""
    card = Card()
    for mode in modes:
        assert card.command(mode, b"\1")
    assert tuple(card.hears(to) for to in (ALICE, BROADCAST, BOB, MULTICAST)) == expected
    for mode in modes:
        assert card.command(mode, b"\0")
    told = [card.hears(to) for to in (ALICE, BROADCAST, BOB, MULTICAST)]
    assert told == [True, True, False, False]


def test_tables_say_whom_else_it_hears() -> None:
    """[virtio 5.1.6.5.2]"""
    card = Card()
    assert card.command(MAC_TABLE_SET, macs(BOB) + macs(MULTICAST))
    told = [card.hears(to) for to in (ALICE, BOB, b"\2" * 6, MULTICAST, OTHER_MULTICAST)]
    assert told == [True, True, False, True, False]
    assert card.command(MAC_TABLE_SET, macs() + macs(OTHER_MULTICAST))
    told = [card.hears(to) for to in (ALICE, BOB, MULTICAST, OTHER_MULTICAST)]
    assert told == [True, False, False, True]


def test_with_more_addresses_than_are_kept_it_hears_all_of_that_kind() -> None:
    many = [b"\1\2\3\4" + number.to_bytes(2, "big") for number in range(5000)]
    card = Card()
    assert card.command(MAC_TABLE_SET, macs() + macs(*many[: MOST_MACS + 1]))
    assert [card.hears(to) for to in (BOB, MULTICAST)] == [False, True]
    assert card.command(MAC_TABLE_SET, macs(*many) + macs())
    assert [card.hears(to) for to in (BOB, MULTICAST)] == [True, False]


def test_its_address_can_be_changed_until_it_is_reset() -> None:
    card = Card()
    generation = card.driver.port.generation
    assert card.command(MAC_ADDR_SET, BOB)
    assert bytes(card.driver.port.config(place, 1) for place in range(6)) == BOB
    assert card.driver.port.generation != generation
    assert [card.hears(to) for to in (ALICE, BOB)] == [False, True]
    generation = card.driver.port.generation
    card.start()
    assert bytes(card.driver.port.config(place, 1) for place in range(6)) == ALICE
    assert card.driver.port.generation != generation, "[virtio 2.5.1]: this is a change as well"
    assert [card.hears(to) for to in (ALICE, BOB)] == [True, False]


def test_only_its_vlans_are_heard_and_what_has_none() -> None:
    """[virtio 5.1.6.5.3]"""
    card = Card()
    assert [card.hears(ALICE, *tags) for tags in ((), (5,), (6, 5))] == [True, False, False]
    assert card.command(VLAN_ADD, vlan(5))
    assert card.command(VLAN_ADD, vlan(4095))
    tags = ((), (5,), (0xE005,), (4095,), (6,))
    assert [card.hears(ALICE, *tag) for tag in tags] == [True, True, True, True, False]
    assert card.command(VLAN_DEL, vlan(5))
    assert not card.hears(ALICE, 5)
    assert Card(EVERYTHING & ~CTRL_VLAN).hears(ALICE, 5)


@pytest.mark.parametrize(
    ("command", "data"),
    [
        *((mode, b"") for mode in (PROMISC, ALLMULTI, ALLUNI, NOMULTI, NOUNI, NOBCAST)),
        *((MAC_ADDR_SET, data) for data in (b"", BOB[:5], BOB + b"x", BROADCAST, MULTICAST)),
        *((VLAN_ADD, data) for data in (b"", b"\1", b"\1\0\0", vlan(4096), vlan(0xFFFF))),
        *((VLAN_DEL, data) for data in (b"", vlan(4096))),
        (MAC_TABLE_SET, b""),
        (MAC_TABLE_SET, macs(BOB)),
        (MAC_TABLE_SET, macs(BOB)[:-1]),
        (MAC_TABLE_SET, b"\xff\xff\xff\xff" + macs(BOB)),
        (MAC_TABLE_SET, macs(BOB) + b"\xff\xff\xff\x7f" + BOB),
        ((0, 6), b"\1"),
        ((1, 2), b"\1"),
        ((2, 2), vlan(1)),
        ((3, 0), b""),
        ((4, 0), b"\1\0"),
        ((255, 255), bytes(100)),
    ],
)
def test_a_command_that_makes_no_sense_changes_nothing(command: Command, data: bytes) -> None:
    card = Card()
    assert not card.command(command, data)
    assert card.device.stats["errors"] == 1
    assert [card.hears(to) for to in (ALICE, BOB, MULTICAST)] == [True, False, False]
    assert not card.hears(ALICE, 1)


@pytest.mark.parametrize(
    ("feature", "command", "data"),
    [
        (CTRL_RX, PROMISC, b"\1"),
        (CTRL_RX, MAC_TABLE_SET, macs() + macs()),
        (CTRL_RX_EXTRA, NOUNI, b"\1"),
        (CTRL_VLAN, VLAN_ADD, vlan(5)),
        (CTRL_MAC_ADDR, MAC_ADDR_SET, BOB),
    ],
)
def test_a_command_of_a_feature_that_was_not_negotiated_is_refused(
    feature: int, command: Command, data: bytes
) -> None:
    assert Card().command(command, data)
    assert not Card(EVERYTHING & ~feature).command(command, data)


@pytest.mark.parametrize(("parts", "room"), [([b"\0"], [1]), ([], [1]), ([b"\0\0\1"], [])])
def test_a_command_without_its_words_or_room_for_an_answer_costs_one_reset(
    parts: list[bytes], room: list[int]
) -> None:
    card = Card()
    card.driver.send(CONTROL, parts, room)
    assert card.broken
    assert card.start().command(PROMISC, b"\1")


def test_a_command_may_be_framed_in_any_way() -> None:
    """[9]"""
    card = Card()
    whole = struct.pack("<BB", *MAC_TABLE_SET) + macs(BOB) + macs(MULTICAST)
    parts = [whole[place : place + 1] for place in range(len(whole))]
    assert card.driver.ask(CONTROL, parts, [1, 3]) == (1, b"\0\xaa\xaa\xaa")
    assert card.hears(BOB)
