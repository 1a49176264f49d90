"""VirtIO 1.x devices: what the guest's drivers kick, and what answers."""

from vnb.virtio.block import Block
from vnb.virtio.console import Console, Port
from vnb.virtio.device import Device
from vnb.virtio.entropy import Entropy
from vnb.virtio.input import Input
from vnb.virtio.mmio import EmptySlot, MmioTransport
from vnb.virtio.net import Net
from vnb.virtio.ninep import NineP
from vnb.virtio.pci import PciTransport

__all__ = [
    "Block",
    "Console",
    "Device",
    "EmptySlot",
    "Entropy",
    "Input",
    "MmioTransport",
    "Net",
    "NineP",
    "PciTransport",
    "Port",
]
