"""A whole RISC-V computer in a Jupyter notebook: the words that a cell needs are here."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vnb import images
    from vnb.agent import CommandFailed, Result
    from vnb.config import Console, Disk
    from vnb.errors import GuestError, HostError, UsageError, VnbError
    from vnb.machine import Machine

__version__ = "0.1.0"

# fmt: off
_ROOMS = {
    "Machine":       "machine",
    "Console":       "config",
    "Disk":          "config",
    "images":        "images",
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
    "GuestError",
    "HostError",
    "Machine",
    "Result",
    "UsageError",
    "VnbError",
    "images",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'vnb' has no attribute {name!r}")
    room = import_module(f"vnb.{_ROOMS[name]}")
    return room if name == "images" else getattr(room, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
