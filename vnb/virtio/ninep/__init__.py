"""The 9P device: a guest's requests for files, from the bytes of a message to a backend's calls."""

from vnb.virtio.ninep.device import NineP

__all__ = ["NineP"]
