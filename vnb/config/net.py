"""A network card as a cell asks for it."""

import ipaddress
import re
from dataclasses import dataclass

from vnb import virtio
from vnb.config.part import Part, Random
from vnb.errors import UsageError
from vnb.frame import GROUP
from vnb.host.ether import Ethernet, Null, Port
from vnb.words import number_from

SMALLEST_MTU, LARGEST_MTU = 68, 65535  # [virtio 5.1.4.1]


@dataclass(frozen=True)
class Net(Part):
    """A network card of the guest: eth0, eth1 … in Linux, in the order of the list of devices.

    `lan` is what it is plugged into: a Switch() that other machines share, or another of
    vnb.host.ether; without one its cable is not plugged in. `mac` is its address, such as
    "02:00:00:00:00:01"; otherwise `lan` gives it one. `mtu` is the longest IP packet, in bytes.
    With `address`, such as "10.0.0.1/24", Debian sets the card up when it boots.

    `machine.devices["eth0"].carrier = False` pulls the cable out, and True puts it back.
    """

    lan: Ethernet | None = None
    mac: str | None = None
    mtu: int = 1500
    address: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lan is not None and not isinstance(self.lan, Ethernet):
            raise UsageError(f"lan={self.lan!r}: lan is a network such as Switch(), with brackets")
        if self.mac is not None:
            self._mac()
        number_from(self.mtu, "mtu", SMALLEST_MTU, LARGEST_MTU)
        if self.address is not None:
            self._check_address()

    def name(self, index: int) -> str:
        """As Linux does without a udev to rename it."""
        return f"eth{index}"

    def open(self) -> Port:
        """Its place on the network; UsageError if another card there has its address."""
        mac = None if self.mac is None else self._mac()
        if self.lan is not None:
            return self.lan.plug(mac)
        port = Null().plug(mac)
        port.carrier = False
        return port

    def device(self, backend: Port, name: str, random: Random) -> virtio.Device:
        """A card with that place's address."""
        return virtio.Net(backend, self.mtu)

    def append(self, name: str) -> str:
        """What the guest's init sets the card up with."""
        return "" if self.address is None else f"vnb.ip={name}={self.address}"

    def _mac(self) -> bytes:
        if isinstance(self.mac, str) and re.fullmatch(
            r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}", self.mac
        ):
            mac = bytes.fromhex(self.mac.replace(":", ""))
            if any(mac) and not mac[0] & GROUP:
                return mac
        raise UsageError(
            f'mac={self.mac!r}: an address such as "02:00:00:00:00:01", whose first byte is even'
        )

    def _check_address(self) -> None:
        try:
            if not isinstance(self.address, str) or "/" not in self.address:
                raise ValueError
            ipaddress.ip_interface(self.address)
        except ValueError:
            raise UsageError(
                f"address={self.address!r}: an address with the bits of its network, such as"
                ' "10.0.0.1/24"'
            ) from None

    def __str__(self) -> str:
        return f"network card on {self.lan}" if self.lan else "network card without a cable"
