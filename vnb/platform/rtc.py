"""The wall clock on the board: goldfish's real-time clock, in nanoseconds since 1970."""

from collections.abc import Callable
from enum import IntEnum

from vnb.bus import BusFault, Line, Property

LOW = 0xFFFF_FFFF


class Register(IntEnum):
    """Offsets; a pair is read low half first and written high half first."""

    TIME_LOW = 0x00
    TIME_HIGH = 0x04
    ALARM_LOW = 0x08
    ALARM_HIGH = 0x0C
    IRQ_ENABLED = 0x10
    CLEAR_ALARM = 0x14
    ALARM_STATUS = 0x18
    CLEAR_INTERRUPT = 0x1C


class Rtc:
    """Goldfish's clock and its alarm, in 4-byte registers.

    `now()` is the time in ns: the host's clock, or one that follows guest time so that runs
    repeat. A guest that sets the time moves its own idea of it and nothing else.
    """

    def __init__(self, now: Callable[[], int], line: Line) -> None:
        self._now = now
        self._line = line
        self._offset = 0  # from `now()` to the guest's time
        self._latched = 0  # the high half of the time at the last read of the low half
        self._alarm = 0
        self._armed = False
        self._rung = False
        self._enabled = False

    @property
    def time(self) -> int:
        """The guest's time in ns."""
        return self._now() + self._offset

    def due(self) -> int | None:
        """Nanoseconds until `poll()` will ring the alarm; None while none is set."""
        return max(0, self._alarm - self.time) if self._armed else None

    def poll(self) -> None:
        """Ring if the alarm's time has come."""
        if self._armed and self._alarm <= self.time:
            self._armed = False
            self._rung = True
            self._signal()

    def read(self, offset: int, size: int) -> int:
        """A register's value; TIME_LOW also latches what TIME_HIGH will say."""
        _check(offset, size)
        match offset:
            case Register.TIME_LOW:
                time = self.time
                self._latched = time >> 32
                return time & LOW
            case Register.TIME_HIGH:
                return self._latched & LOW
            case Register.ALARM_LOW:
                return self._alarm & LOW
            case Register.ALARM_HIGH:
                return self._alarm >> 32
            case Register.IRQ_ENABLED:
                return int(self._enabled)
            case Register.ALARM_STATUS:
                return int(self._armed)
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        """Set a register; ALARM_LOW also arms the alarm, which rings at once if it is past."""
        _check(offset, size)
        value &= LOW
        match offset:
            case Register.TIME_LOW:
                self._offset = (self.time & ~LOW | value) - self._now()
            case Register.TIME_HIGH:
                self._offset = (self.time & LOW | value << 32) - self._now()
            case Register.ALARM_LOW:
                self._alarm = self._alarm & ~LOW | value
                self._armed = True
                self.poll()
            case Register.ALARM_HIGH:
                self._alarm = self._alarm & LOW | value << 32
            case Register.IRQ_ENABLED:
                self._enabled = bool(value & 1)
                self._signal()
            case Register.CLEAR_ALARM:
                self._armed = False
            case Register.CLEAR_INTERRUPT:
                self._rung = False
                self._signal()

    def node(self) -> dict[str, Property]:
        """What a driver asks of the device tree."""
        return {"compatible": "google,goldfish-rtc"}

    def _signal(self) -> None:
        self._line(self._rung and self._enabled)


def _check(offset: int, size: int) -> None:
    if size != 4 or offset & 3:
        raise BusFault(f"the RTC answers aligned words only, not {size} bytes at {offset:#x}")
