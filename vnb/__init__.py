"""A whole RISC-V computer in a Jupyter notebook: the words that a cell needs are here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnb import images, labs
    from vnb.agent import CommandFailed, Result
    from vnb.config import (
        Console,
        Disk,
        Entropy,
        Keyboard,
        Mouse,
        Net,
        Screen,
        Share,
        Tablet,
        Touch,
    )
    from vnb.errors import GuestError, HostError, UsageError, VnbError
    from vnb.host.ether import Switch
    from vnb.machine import Machine

__version__ = "0.1.0"

# fmt: off
_ROOMS = {
    "Machine":       "machine",
    "Console":       "config",
    "Disk":          "config",
    "Share":         "config",
    "Net":           "config",
    "Keyboard":      "config",
    "Mouse":         "config",
    "Tablet":        "config",
    "Touch":         "config",
    "Screen":        "config",
    "Entropy":       "config",
    "Switch":        "host.ether",
    "images":        "images",
    "labs":          "labs",
    "Result":        "agent",
    "CommandFailed": "agent",
    "VnbError":      "errors",
    "GuestError":    "errors",
    "HostError":     "errors",
    "UsageError":    "errors",
}
# fmt: on
"""Where each word lives; that room is entered when the word is first said."""

__all__ = [
    "CommandFailed",
    "Console",
    "Disk",
    "Entropy",
    "GuestError",
    "HostError",
    "Keyboard",
    "Machine",
    "Mouse",
    "Net",
    "Result",
    "Screen",
    "Share",
    "Switch",
    "Tablet",
    "Touch",
    "UsageError",
    "VnbError",
    "images",
    "labs",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'vnb' has no attribute {name!r}")
    room = import_module(f"vnb.{_ROOMS[name]}")
    return room if name == _ROOMS[name] else getattr(room, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext vnb` calls: the magics %%guest, %%labos, %machine, %put, %get and %stats."""
    import_module("vnb.magics.notebook").load(shell)
