"""What every device in a cell's list has in common, whatever it becomes in the machine."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from vnb import virtio
from vnb.words import one_of

Transport = Literal["mmio", "pci"]

Random = Callable[[int], bytes]
"""So many random bytes: the host's, or from the machine's seed."""


@dataclass(frozen=True)
class Part:
    """One device as a cell asks for it; `transport` is the machine's where it is None.

    The backend that `open` returns is what the cell holds, as `machine.devices[name]`; it stays
    while the machine is switched off and on, and its `close()` is called in the end, if it has
    one. When its attribute `on_change` is called, from any thread, the device's `poll` follows.
    """

    transport: Transport | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.transport is not None:
            one_of(self.transport, "transport", get_args(Transport))

    def name(self, index: int) -> str:
        """What the guest calls it: "vda", "eth0"; `index` counts those of its kind before it."""
        raise NotImplementedError

    def open(self) -> Any:
        """Its backend, for one machine; HostError or UsageError says why there is none."""
        raise NotImplementedError

    def device(self, backend: Any, name: str, random: Random) -> virtio.Device:
        """The device of that name over that backend, as new: made at every power-on."""
        raise NotImplementedError

    def append(self, name: str) -> str:
        """Words for the kernel's command line, if the guest needs any to make use of it."""
        return ""


def numbered(word: str, index: int) -> str:
    """A name for the one before which there are `index` of its kind: "screen", "screen2"."""
    return word + (str(index + 1) if index else "")
