"""What a cell asks for: the arguments of a machine and its devices, checked before any exists."""

from vnb.config.console import Console
from vnb.config.disk import Disk, DiskMode
from vnb.config.entropy import Entropy
from vnb.config.input import Keyboard, Mouse, Tablet, Touch
from vnb.config.machine import Config, Engine, check, host_memory
from vnb.config.net import Net
from vnb.config.part import Part, Random, Transport
from vnb.config.screen import Screen
from vnb.config.share import Share
from vnb.sizes import in_words, size_in_bytes

__all__ = [
    "Config",
    "Console",
    "Disk",
    "DiskMode",
    "Engine",
    "Entropy",
    "Keyboard",
    "Mouse",
    "Net",
    "Part",
    "Random",
    "Screen",
    "Share",
    "Tablet",
    "Touch",
    "Transport",
    "check",
    "host_memory",
    "in_words",
    "size_in_bytes",
]
