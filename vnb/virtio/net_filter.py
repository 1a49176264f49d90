"""Which frames a network driver wants: what it says on the control queue, and what that means."""

import struct
from collections.abc import Callable

from vnb.frame import GROUP
from vnb.virtio.queue import Reader

Command = tuple[int, int]
"""Class and command, as on the control queue."""

# Features that allow commands [virtio 5.1.3]
CTRL_RX, CTRL_VLAN, CTRL_RX_EXTRA, CTRL_MAC_ADDR = 1 << 18, 1 << 19, 1 << 20, 1 << 23

# Commands [virtio 5.1.6.5]
PROMISC, ALLMULTI, ALLUNI, NOMULTI, NOUNI, NOBCAST = ((0, number) for number in range(6))
MAC_TABLE_SET, MAC_ADDR_SET = (1, 0), (1, 1)
VLAN_ADD, VLAN_DEL = (2, 0), (2, 1)

MAC = 6
MOST_MACS = 64
"""Addresses of one kind that are told apart; a driver with more of them hears all of that kind."""
VLANS = 4096

COUNT = struct.Struct("<I")
VLAN = struct.Struct("<H")

BROADCAST = b"\xff" * MAC
VLAN_TAG = b"\x81\x00"


class Filter:
    """What a driver has asked for since it came; `mac` is what the card's address is now.

    A driver that cannot ask hears everything. One that can hears, until it does, what is sent to
    `mac` and to all [virtio 5.1.6.5.2.1].
    """

    def __init__(self, mac: bytes) -> None:
        self._first_mac = mac
        # What each command needs, and what obeys it: that returns whether the command made sense.
        self._commands: dict[Command, tuple[int, Callable[[Command, Reader], bool]]] = {
            PROMISC: (CTRL_RX, self._set_mode),
            ALLMULTI: (CTRL_RX, self._set_mode),
            ALLUNI: (CTRL_RX_EXTRA, self._set_mode),
            NOMULTI: (CTRL_RX_EXTRA, self._set_mode),
            NOUNI: (CTRL_RX_EXTRA, self._set_mode),
            NOBCAST: (CTRL_RX_EXTRA, self._set_mode),
            MAC_TABLE_SET: (CTRL_RX, self._set_table),
            MAC_ADDR_SET: (CTRL_MAC_ADDR, self._set_mac),
            VLAN_ADD: (CTRL_VLAN, self._change_vlans),
            VLAN_DEL: (CTRL_VLAN, self._change_vlans),
        }
        self.reset(0)

    def reset(self, features: int) -> None:
        """Begin anew, for a driver that has accepted these features."""
        self.mac = self._first_mac
        self._features = features
        self._modes: set[Command] = set() if features & CTRL_RX else {PROMISC}
        self._unicast: set[bytes] = set()
        self._multicast: set[bytes] = set()
        self._all_unicast = self._all_multicast = False  # since the tables are too small
        self._vlans: set[int] = set()

    def accepts(self, data: bytes) -> bool:
        """Whether the driver wants this frame."""
        modes = self._modes
        if PROMISC in modes:
            return True
        if self._features & CTRL_VLAN and not self._in_my_vlan(data):
            return False
        destination = data[:MAC]
        if destination == BROADCAST:
            return NOBCAST not in modes
        if destination[0] & GROUP:
            wanted = self._all_multicast or ALLMULTI in modes or destination in self._multicast
            return wanted and NOMULTI not in modes
        wanted = destination == self.mac or ALLUNI in modes or destination in self._unicast
        return (wanted or self._all_unicast) and NOUNI not in modes

    def _in_my_vlan(self, data: bytes) -> bool:
        vlan = int.from_bytes(data[14:16], "big") % VLANS
        return data[12:14] != VLAN_TAG or vlan in self._vlans

    def obey(self, command: Command, reader: Reader) -> bool:
        """Do what a command asks for; False, and nothing done, if it makes no sense."""
        feature, serve = self._commands.get(command, (0, self._set_mode))
        return self._features & feature != 0 and serve(command, reader)

    def _set_mode(self, mode: Command, reader: Reader) -> bool:
        if not reader.available:
            return False
        change = self._modes.add if reader.read(1) != b"\0" else self._modes.discard
        change(mode)
        return True

    def _set_table(self, command: Command, reader: Reader) -> bool:
        """Two tables, each after the number of its entries: of unicast and of multicast."""
        tables = []
        for _ in range(2):
            if reader.available < COUNT.size:
                return False
            (count,) = COUNT.unpack(reader.read(COUNT.size))
            if reader.available < count * MAC:
                return False
            kept = reader.read(min(count, MOST_MACS) * MAC)
            reader.advance(count * MAC - len(kept))
            macs = {kept[place : place + MAC] for place in range(0, len(kept), MAC)}
            tables.append((macs, count > MOST_MACS))
        (self._unicast, self._all_unicast), (self._multicast, self._all_multicast) = tables
        return True

    def _set_mac(self, command: Command, reader: Reader) -> bool:
        if reader.available != MAC:
            return False
        mac = reader.read(MAC)
        if mac[0] & GROUP:
            return False
        self.mac = mac
        return True

    def _change_vlans(self, command: Command, reader: Reader) -> bool:
        if reader.available != VLAN.size:
            return False
        (number,) = VLAN.unpack(reader.read(VLAN.size))
        change = self._vlans.add if command == VLAN_ADD else self._vlans.discard
        change(number)
        return bool(number < VLANS)
