"""A screen as a cell asks for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vnb import virtio
from vnb.config.part import Part, Random, numbered

if TYPE_CHECKING:
    from vnb.host.screen import Screen as Backend


@dataclass(frozen=True)
class Screen(Part):
    """A screen: /dev/dri/card0 and /dev/fb0 in Linux; vnb's Debian has a shell on it, on tty1.

    `width` and `height`, in pixels, are the size that the guest is asked to draw in;
    `machine.devices["screen"]` shows itself in a notebook, and has `.frame`, `.cursor`,
    `.png()` and `.resize(width, height)`.
    """

    width: int = 1024
    height: int = 768

    def __post_init__(self) -> None:
        super().__post_init__()
        from vnb.host.screen import check_size

        check_size(self.width, self.height)

    def name(self, index: int) -> str:
        """ "screen"; a second one, which Linux knows as card1, is "screen2"."""
        return numbered("screen", index)

    def open(self) -> "Backend":
        """A black screen, before the guest draws."""
        from vnb.host.screen import Screen as Backend

        return Backend(self.width, self.height)

    def device(self, backend: "Backend", name: str, random: Random) -> virtio.Device:
        """The GPU that draws on it."""
        from vnb.virtio.gpu import Gpu  # here, as numpy is of no use to a machine without a screen

        return Gpu(backend)

    def append(self, name: str) -> str:
        """The first screen is the one that Linux has its terminals on."""
        return "vnb.shell=tty1" if name == self.name(0) else ""

    def __str__(self) -> str:
        return f"screen {self.width}×{self.height}"
