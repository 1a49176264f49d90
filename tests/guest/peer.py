"""Another host on labos's network: it answers ARP and ping, echoes UDP and gives out addresses.

Written from the RFCs, not from labos: struct formats here, and no line in common with it there.
"""

import socket
import struct
from collections.abc import Iterable

from tests.frames import ones_sum
from vnb.frame import Frame
from vnb.host.ether import Ethernet

MAC = bytes.fromhex("02 00 00 00 00 fe")
EVERYBODY = b"\xff" * 6

ETHERNET = struct.Struct(">6s6sH")
ARP = struct.Struct(">HHBBH6s4s6s4s")
IP = struct.Struct(">BBHHHBBH4s4s")
UDP = struct.Struct(">HHHH")
BOOTP = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s4s")

TYPE_IP, TYPE_ARP = 0x0800, 0x0806
ICMP, UDP_PROTOCOL = 1, 17
ECHO_REPLY, ECHO_REQUEST = 0, 8
SERVER_PORT, CLIENT_PORT, ECHO_PORT = 67, 68, 7
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def number(address: str) -> bytes:
    return socket.inet_aton(address)


def checksum(data: bytes) -> int:
    """The Internet checksum [RFC 1071]."""
    return 0xFFFF - ones_sum(data)


def packet(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    """An IP packet."""
    header = IP.pack(0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, source, target)
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:] + payload


def icmp(kind: int, rest: bytes) -> bytes:
    """An ICMP message, with its checksum."""
    body = bytes((kind, 0, 0, 0)) + rest
    return body[:2] + checksum(body).to_bytes(2, "big") + rest


def datagram(source: bytes, target: bytes, ports: tuple[int, int], data: bytes) -> bytes:
    """An IP packet with UDP in it."""
    length = 8 + len(data)
    pseudo = source + target + struct.pack(">HH", UDP_PROTOCOL, length)
    body = UDP.pack(*ports, length, 0) + data
    total = checksum(pseudo + body) or 0xFFFF
    return packet(source, target, UDP_PROTOCOL, body[:6] + total.to_bytes(2, "big") + data)


class Peer:
    """A host with `address` on `lan`. `pings` and `datagrams` are what it was asked and told."""

    def __init__(
        self, lan: Ethernet, address: str = "10.0.0.1", leases: Iterable[str] = ()
    ) -> None:
        self.lan = lan
        self.address = number(address)
        self.neighbours: dict[bytes, bytes] = {}
        self.pings: list[bytes] = []
        self.replies: list[bytes] = []
        self.datagrams: list[tuple[int, int, bytes]] = []
        self.wrong: list[str] = []  # what no host should send
        self.leases = [number(lease) for lease in leases]
        self.port = lan.plug(MAC)
        self.port.on_change = self._look

    def send_ip(self, target: str, data: bytes) -> None:
        """A whole IP packet, to where the target's card is known to be."""
        self._send(self.neighbours[number(target)], TYPE_IP, data)

    def ping(self, target: str, payload: bytes) -> None:
        """One echo request; `replies` will have the answer."""
        body = icmp(ECHO_REQUEST, struct.pack(">HH", 77, 1) + payload)
        self.send_ip(target, packet(self.address, number(target), ICMP, body))

    def ask(self, target: str) -> None:
        """Who has `target`? Its answer goes into `neighbours`."""
        question = ARP.pack(1, TYPE_IP, 6, 4, 1, MAC, self.address, bytes(6), number(target))
        self._send(EVERYBODY, TYPE_ARP, question)

    def tell(self, target: str, port: int, data: bytes) -> None:
        """A datagram from our port 5000."""
        addresses = (self.address, number(target))
        self.send_ip(target, datagram(*addresses, (5000, port), data))

    def _send(self, to: bytes, kind: int, payload: bytes) -> None:
        self.port.send(Frame(ETHERNET.pack(to, MAC, kind) + payload))

    def _look(self) -> None:
        while frame := self.port.take():
            for data in frame.plain():
                to, source, kind = ETHERNET.unpack_from(data)
                if len(data) < 60:
                    self.wrong.append("a frame shorter than Ethernet's shortest")
                if to not in (MAC, EVERYBODY):
                    continue
                if kind == TYPE_ARP:
                    self._arp(source, data[14:])
                elif kind == TYPE_IP:
                    self._ip(source, data[14:])

    def _arp(self, source: bytes, data: bytes) -> None:
        *_, operation, mac, sender, _, target = ARP.unpack_from(data)
        if mac != source:
            self.wrong.append("ARP in another's name")
        self.neighbours[sender] = mac
        if operation == 1 and target == self.address:
            answer = ARP.pack(1, TYPE_IP, 6, 4, 2, MAC, self.address, mac, sender)
            self._send(mac, TYPE_ARP, answer)

    def _ip(self, mac: bytes, data: bytes) -> None:
        version, _, length, _, _, _, protocol, _, source, target = IP.unpack_from(data)
        if version != 0x45 or checksum(data[:20]):
            self.wrong.append("an IP header that is not in order")
        body = data[20:length]
        if protocol == ICMP:
            self._icmp(mac, source, body)
        elif protocol == UDP_PROTOCOL:
            pseudo = source + target + struct.pack(">HH", UDP_PROTOCOL, len(body))
            if checksum(pseudo + body):
                self.wrong.append("a UDP checksum that is wrong")
            self._udp(mac, source, body)

    def _icmp(self, mac: bytes, source: bytes, body: bytes) -> None:
        if checksum(body):
            self.wrong.append("an ICMP checksum that is wrong")
        if body[0] == ECHO_REPLY:
            self.replies.append(body[8:])
        elif body[0] == ECHO_REQUEST:
            self.pings.append(body[8:])
            answer = packet(self.address, source, ICMP, icmp(ECHO_REPLY, body[4:]))
            self._send(mac, TYPE_IP, answer)

    def _udp(self, mac: bytes, source: bytes, body: bytes) -> None:
        theirs, ours, length, _ = UDP.unpack_from(body)
        data = body[8:length]
        if ours == SERVER_PORT and self.leases:
            return self._dhcp(data)
        self.datagrams.append((theirs, ours, data))
        if ours == ECHO_PORT:
            answer = datagram(self.address, source, (ECHO_PORT, theirs), data)
            self._send(mac, TYPE_IP, answer)

    def _dhcp(self, data: bytes) -> None:
        fields = list(BOOTP.unpack_from(data))
        options = dict(_options(data[BOOTP.size :]))
        kind = options[53][0]
        lease = self.leases[0]
        if kind == REQUEST and (options[50], options[54]) != (lease, self.address):
            self.wrong.append("a request for what was not offered")
        fields[0] = 2
        fields[8] = lease
        answer = BOOTP.pack(*fields)
        for code, value in (
            (53, bytes([OFFER if kind == DISCOVER else ACK])),
            (54, self.address),
            (51, (3600).to_bytes(4, "big")),
            (1, number("255.255.255.0")),
            (3, self.address),
        ):
            answer += bytes([code, len(value)]) + value
        answer = datagram(self.address, b"\xff" * 4, (SERVER_PORT, CLIENT_PORT), answer + b"\xff")
        self._send(EVERYBODY, TYPE_IP, answer)


def _options(data: bytes) -> Iterable[tuple[int, bytes]]:
    place = 0
    while data[place] != 255:
        if data[place] == 0:
            place += 1
            continue
        size = data[place + 1]
        yield data[place], data[place + 2 : place + 2 + size]
        place += 2 + size
