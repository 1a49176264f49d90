"""Networks on the host that guests' cards are plugged into: Null, Loop, Switch, Stream, Tap."""

from vnb.host.ether.cables import Loop, Null, Patch, Pcap
from vnb.host.ether.capture import Capture
from vnb.host.ether.port import LIMIT, Ethernet, Port
from vnb.host.ether.stream import Stream
from vnb.host.ether.switch import Switch
from vnb.host.ether.tap import Tap

__all__ = [
    "LIMIT",
    "Capture",
    "Ethernet",
    "Loop",
    "Null",
    "Patch",
    "Pcap",
    "Port",
    "Stream",
    "Switch",
    "Tap",
]
