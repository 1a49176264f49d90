"""Machines that no cell is about rest, where their host asks for that: cells pass by here."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from vnb.machine import Machine
from vnb.magics.bench import Bench
from vnb.rest import Rest


class Rests:
    """The rest of every machine on a bench: a page shows none of them, so only cells count."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._rests: weakref.WeakKeyDictionary[Machine, Rest] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._timer = threading.Timer(0, self._look)

    @contextmanager
    def cell(self) -> Iterator[None]:
        """What a cell does: it wakes the machines, and they rest so long after it."""
        self._used()
        try:
            yield
        finally:
            self._used()

    def _used(self) -> None:
        with self._lock:
            for machine in self._bench.machines().values():
                self._rests.setdefault(machine, Rest(machine)).used()
        self._look()

    def _look(self) -> None:
        """Let those rest and wake whose time it is; look again when it may be that of the next."""
        with self._lock:
            waits = [rest.look() for rest in self._rests.values()]
            wait = min((wait for wait in waits if wait is not None), default=None)
            self._timer.cancel()
            if wait is not None:
                self._timer = threading.Timer(wait, self._look)
                self._timer.daemon = True
                self._timer.start()
