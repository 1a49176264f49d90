"""A machine that nobody uses rests, where its host asks for that, until somebody uses it."""

import os
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vnb.machine import Machine

MINUTES = "VNB_PAUSE_AFTER"
"""The environment variable that asks for it: after so many minutes; not at all without."""


def limit() -> float | None:
    """Seconds after which a machine is to rest; None, for never, also if that is no number."""
    try:
        seconds = 60 * float(os.environ.get(MINUTES, ""))
    except ValueError:
        return None
    return seconds if seconds > 0 else None


class Rest:
    """Pauses a machine that was not `used` and that no cell has waited for, and wakes it again.

    Hosts that many share, as Binder is, count the processor time of everybody.
    """

    def __init__(self, machine: "Machine") -> None:
        self._machine = weakref.ref(machine)
        self._limit = limit()
        self._used = time.monotonic()
        self._began = 0.0  # when it last began to rest

    def used(self) -> None:
        """A page shows the machine, or a cell is about it, now."""
        self._used = time.monotonic()

    def look(self) -> float | None:
        """Pause or wake the machine if it is time; the seconds after which to look again.

        None: not before something was done with the machine. One thread at a time may look.
        """
        machine = self._machine()
        if machine is None or self._limit is None:
            return None
        used = max(self._used, machine.console.bell.waited)
        quiet = time.monotonic() - used
        if machine.resting and machine.state != "paused":
            machine.resting = False
        elif machine.resting and used > self._began:
            machine.resume()
        elif machine.state == "running" and quiet >= self._limit:
            machine.pause()
            machine.resting = True
            self._began = time.monotonic()  # now: to pause it was to wait for it
        return max(1.0, self._limit - quiet) if machine.state == "running" else None
