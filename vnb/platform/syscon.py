"""The guest's last word: the test finisher that ends or restarts the machine."""

from collections.abc import Callable
from enum import IntEnum

from vnb.bus import BusFault, Property

PowerSwitch = Callable[[str, int], None]
"""Called with ("off", exit code) or ("reboot", 0); it may well raise and never come back."""


class Command(IntEnum):
    """What the low half of the word asks for."""

    PASS = 0x5555
    FAIL = 0x3333  # the high half is the exit code; 0 is reported as 1, for it is a failure
    RESET = 0x7777


class Syscon:
    """SiFive's test device: one write-only word at offset 0.

    The guest ends the machine well with 0x5555, badly with `code << 16 | 0x3333`, and starts
    it again with 0x7777.
    """

    def __init__(self, on_power: PowerSwitch) -> None:
        self._on_power = on_power

    def read(self, offset: int, size: int) -> int:
        """Always 0: there is nothing to know."""
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """End or restart the machine if `value` says so."""
        if size not in (2, 4):
            raise BusFault(f"the test device takes 2 or 4 bytes, not {size}")
        if offset != 0:
            return
        match value & 0xFFFF:
            case Command.PASS:
                self._on_power("off", 0)
            case Command.FAIL:
                self._on_power("off", value >> 16 & 0xFFFF or 1)
            case Command.RESET:
                self._on_power("reboot", 0)

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree."""
        return {"compatible": ["sifive,test1", "sifive,test0", "syscon"]}
