"""labos on the network, over both transports: whom it knows, what it says and what it answers."""

import random
import re
from collections.abc import Iterator

import pytest

from tests.guest.peer import ECHO_REQUEST, ICMP, Peer, checksum, datagram, icmp, number, packet
from tests.guest.prompt import PROMPT, typed
from tests.patience import until
from vnb import Console, Machine, Net, Switch
from vnb.config import Transport

LABOS, PEER = "10.0.0.2", "10.0.0.1"


@pytest.fixture
def peer() -> Peer:
    return Peer(Switch(), PEER, leases=[LABOS])


@pytest.fixture
def machine(transport: Transport, peer: Peer) -> Iterator[Machine]:
    """With a card on the peer's network."""
    net = Net(peer.lan, address=f"{LABOS}/24")
    with Machine(memory="16M", devices=[Console(), net], transport=transport) as machine:
        machine.console.expect(PROMPT)
        yield machine
    assert peer.wrong == []


def test_an_interface_says_what_it_is(machine: Machine) -> None:
    said = machine.shell("net", timeout=5).stdout
    assert said.startswith("* net 0 in ")
    assert machine.devices["eth0"].mac.hex(":") in said
    assert f"link up, {LABOS}/24, 0 frames in, 0 out" in said
    machine.devices["eth0"].carrier = False
    assert "link down" in machine.shell("net", timeout=5).stdout
    machine.devices["eth0"].carrier = True
    assert "link up" in machine.shell("net", timeout=5).stdout


def test_dhcp_gets_an_address_and_the_way_to_the_world(machine: Machine) -> None:
    machine.shell("net address 192.168.7.7/16", timeout=5, check=True)
    result = machine.shell("dhcp", timeout=20)
    assert (result.status, result.stdout) == (0, f"{LABOS} for 3600 s from {PEER}\n")
    assert f"{LABOS}/24 via {PEER}" in machine.shell("net", timeout=5).stdout


def test_ping_asks_for_the_neighbour_and_then_for_an_answer(machine: Machine, peer: Peer) -> None:
    result = machine.shell(f"ping {PEER} 3", timeout=20)
    assert result.status == 0
    assert result.stdout.endswith("3 sent, 3 answered\n")
    letters = bytes(ord("a") + place % 26 for place in range(56))
    assert peer.pings == [letters] * 3
    assert f"02:00:00:00:00:fe {PEER}\n" in machine.shell("arp", timeout=5).stdout


def test_ping_says_who_does_not_answer_and_why(transport: Transport) -> None:
    net = Net(Switch(), address=f"{LABOS}/24")
    with Machine(devices=[Console(), net], clock="virtual", transport=transport) as machine:
        silent = machine.shell("ping 10.0.0.9", timeout=20)
        assert (silent.status, silent.stdout) == (1, "10.0.0.9 does not answer\n")
        machine.devices["eth0"].carrier = False
        down = machine.shell(f"ping {PEER}", timeout=20)
        assert (down.status, down.stdout) == (1, f"{PEER} does not answer: the link is down\n")
        far = machine.shell("ping 8.8.8.8", timeout=20)
        assert far.status == 1 and far.stdout.startswith("there is no way to 8.8.8.8")
        assert machine.shell("dhcp", timeout=20).stdout == "nobody offers an address\n"


def test_labos_answers_pings_while_nobody_looks(machine: Machine, peer: Peer) -> None:
    peer.ask(LABOS)
    until(lambda: number(LABOS) in peer.neighbours)
    sizes = (0, 1, 56, 1472)
    for size in sizes:
        peer.ping(LABOS, random.Random(size).randbytes(size))
        until(lambda: len(peer.replies) == sizes.index(size) + 1)  # noqa: B023
    assert peer.replies == [random.Random(size).randbytes(size) for size in sizes]


def test_what_arrives_at_a_port_is_sent_back(machine: Machine, peer: Peer) -> None:
    peer.ask(LABOS)
    machine.console.write("udp echo 7000 3\r")
    machine.console.expect("until a key is pressed here:\r\n")
    sent = [b"", b"hello", random.Random(3).randbytes(1472)]
    for data in sent:
        peer.tell(LABOS, 7000, data)
    machine.console.expect(f"1472 bytes from {PEER} port 5000\r\n{PROMPT}")
    assert peer.datagrams == [(7000, 5000, data) for data in sent]


def test_echo_ends_with_a_key_and_ctrl_c_ends_any_waiting(machine: Machine) -> None:
    machine.console.write("udp echo 7000\r")
    machine.console.expect("here:")
    assert typed(machine, "x") == ""
    machine.console.write("udp echo 7000\r")
    machine.console.expect("here:")
    machine.console.write("\x03echo what follows is typed\r")
    machine.console.expect("\r\nwhat follows is typed\r\n" + PROMPT)
    with pytest.raises(TimeoutError):
        machine.shell("udp echo 7000", timeout=0.2)
    assert machine.shell("echo on", timeout=5).stdout == "on\n"


def test_udp_send_shows_the_answer(machine: Machine, peer: Peer) -> None:
    echoed = machine.shell(f"udp send {PEER} 7 'hello there'", timeout=20)
    assert echoed.status == 0
    assert echoed.stdout.startswith(f"11 bytes from {PEER} port 7\n")
    assert "|hello there|" in echoed.stdout
    silent = machine.shell(f"udp send {PEER} 9 hello", timeout=20)
    assert (silent.status, silent.stdout) == (1, "no answer\n")
    assert [(ours, data) for _, ours, data in peer.datagrams] == [
        (7, b"hello there"),
        (9, b"hello"),
    ]


def test_answers_that_come_all_at_once_are_shown_one_after_the_other(
    machine: Machine, peer: Peer
) -> None:
    peer.ask(LABOS)
    until(lambda: number(LABOS) in peer.neighbours)
    machine.console.write(f"udp send {PEER} 9 hi\r")
    until(lambda: peer.datagrams)
    port = peer.datagrams[0][0]
    for count in range(100):
        peer.tell(LABOS, port, bytes([count]) * 1400)
    shown = machine.console.expect(PROMPT)
    text = shown.string[: shown.end()].replace("\r\n", "\n")
    begin, byte = rf"1400 bytes from {PEER} port 5000\n0{{10}}", r"(?P<byte>\w\w)"
    once = rf"{begin}   {byte} .*\n\*\n0000000570   (?P=byte) .*\n"
    assert re.search(rf"\n({once})+{PROMPT}\Z", text), text


def test_packets_keep_to_what_the_network_takes(transport: Transport) -> None:
    peer = Peer(Switch(), PEER)
    net = Net(peer.lan, mtu=600, address=f"{LABOS}/24")
    with Machine(memory="8M", devices=[Console(), net], transport=transport) as machine:
        machine.console.expect(PROMPT)
        peer.ask(LABOS)
        until(lambda: number(LABOS) in peer.neighbours)
        for size in (573, 572):  # with 20 bytes for IP and 8 for ICMP, 600 are full
            peer.ping(LABOS, b"x" * size)
        until(lambda: peer.replies == [b"x" * 572])


def test_two_of_them_talk_to_each_other(transport: Transport) -> None:
    lan = Switch()
    other: Transport = "pci" if transport == "mmio" else "mmio"
    with (
        Machine(memory="8M", devices=[Console(), Net(lan, address="10.0.0.5/24")]) as one,
        Machine(
            memory="8M",
            devices=[Console(), Net(address="10.1.0.6/24"), Net(lan, address="10.0.0.6/24")],
            transport=other,
        ) as two,
    ):
        two.console.expect(PROMPT)
        assert "3 answered" in one.shell("ping 10.0.0.6", timeout=20).stdout
        two.console.write("udp echo 4000\r")
        two.console.expect("here:")
        said = one.shell("udp send 10.0.0.6 4000 'are you there'", timeout=20).stdout
        assert "|are you there|" in said
        two.console.write("q")
        two.console.expect(PROMPT)
        assert "2 answered" in two.shell("ping 10.0.0.5 2", timeout=20).stdout
        assert "net 1 " in two.shell("arp", timeout=5).stdout


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, b"\x65"),  # version 6
        (0, b"\x44"),  # a header of four words
        (0, b"\x4f"),  # one of fifteen, whose checksum is another
        (2, b"\x00\x13"),  # shorter than its header
        (2, b"\x05\x00"),  # longer than the frame
        (6, b"\x20\x00"),  # the first of several fragments
        (6, b"\x00\x01"),  # a later one
        (10, b"\xde\xad"),  # a wrong checksum
        (16, b"\x0a\x00\x00\x63"),  # for somebody else
        (22, b"\xbe\xef"),  # a wrong checksum of ICMP
        (20, b"\x0d"),  # not an echo request
    ],
)
def test_a_packet_that_is_not_in_order_or_not_for_us_is_dropped(
    machine: Machine, peer: Peer, place: int, value: bytes
) -> None:
    peer.ask(LABOS)
    until(lambda: number(LABOS) in peer.neighbours)
    body = icmp(ECHO_REQUEST, b"\0\1\0\1bad")
    damaged = bytearray(packet(peer.address, number(LABOS), ICMP, body))
    damaged[place : place + len(value)] = value
    if place < 20 and place != 10:
        damaged[10:12] = b"\0\0"
        damaged[10:12] = checksum(damaged[:20]).to_bytes(2, "big")
    peer.send_ip(LABOS, bytes(damaged))
    peer.ping(LABOS, b"good")
    until(lambda: peer.replies)
    assert peer.replies == [b"good"]


def test_damaged_packets_are_dropped_and_the_next_ones_answered(
    machine: Machine, peer: Peer, rng: random.Random
) -> None:
    peer.ask(LABOS)
    until(lambda: number(LABOS) in peer.neighbours)
    addresses = (peer.address, number(LABOS))
    ping = icmp(ECHO_REQUEST, b"\0\1\0\1" + b"x" * 40)
    good = [
        packet(*addresses, ICMP, ping),
        datagram(*addresses, (1, 7000), b"y" * 40),
        datagram(addresses[0], b"\xff" * 4, (67, 68), b"z" * 300),
    ]
    for _ in range(200):
        data = bytearray(rng.choice(good))
        for _ in range(rng.randrange(1, 5)):
            data[rng.randrange(len(data))] = rng.choice(
                (0, 1, 0x45, 0x4F, 0xFF, rng.randrange(256))
            )
        peer.send_ip(LABOS, bytes(data[: rng.randrange(len(data) + 1)]))
    peer.replies.clear()
    peer.ping(LABOS, b"still there?")
    until(lambda: b"still there?" in peer.replies)
    assert "exceptions               0" in machine.shell("irq", timeout=5).stdout
    peer.wrong.clear()  # of our own making: a damaged request may get an answer in kind
