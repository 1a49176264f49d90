"""A guest to boot passes through here: what to load, how to start it, what it can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["linux", "elf", "raw"]


@dataclass(frozen=True)
class Image:
    """A guest as the loader takes it.

    kind: "linux" (an Image, raw or compressed, with its initrd), "elf" or "raw" (a flat binary
    that goes to ``address``). payload and initrd: a file, or its bytes. append: words for the
    kernel's command line. agent: whether the guest serves the console port "vnb.agent", through
    which commands run without reading the screen. least_memory: bytes of RAM without which it is
    known not to come up.
    """

    name: str
    kind: Kind
    payload: Path | bytes
    initrd: Path | bytes | None = None
    append: str = ""
    address: int | None = None
    agent: bool = False
    description: str = ""
    least_memory: int = 0

    def __repr__(self) -> str:
        parts = [f"{self.name!r}", self.kind, _told(self.payload)]
        if self.initrd is not None:
            parts.append(f"initrd {_told(self.initrd)}")
        if self.address is not None:
            parts.append(f"at {self.address:#x}")
        if self.append:
            parts.append(f"append {self.append!r}")
        return f"Image({', '.join(parts)})"


def _told(content: Path | bytes) -> str:
    return f"{len(content):,} bytes" if isinstance(content, bytes) else str(content)
