"""How fast guest time runs: the numbers that the hart, the ACLINT and the device tree share."""

from typing import Literal

TIMEBASE = 10_000_000
"""Ticks of `mtime` in a second of guest time, as on QEMU's virt board."""

INSTRUCTIONS_PER_TICK = 32
"""Under the virtual clock one tick passes for so many retired instructions (320 MHz)."""

NANOSECONDS_PER_TICK = 1_000_000_000 // TIMEBASE

ClockName = Literal["real", "virtual"]
"""real: `mtime` follows the host; virtual: it follows retired instructions, so runs repeat."""
