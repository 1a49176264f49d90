"""What widgets have to say leaves here: one thread, at most 30 times a second for each of them."""

import logging
import threading
import time
import weakref
from typing import Any, Protocol

log = logging.getLogger(__name__)

PERIOD = 1 / 30
"""Seconds for which who has spoken is not asked again; whoever was silent is asked at once."""

PAUSE = 1 / 200
"""Seconds between two rounds, however often somebody wakes the publisher."""


class Speaker(Protocol):
    """A widget that may have something to send."""

    def speak(self) -> float | None:
        """Send it, if there is anything; called by the publisher's thread alone.

        Returns the seconds after which to be asked again, None if there is to be a `wake` first.
        """


class Publisher:
    """The thread, begun by the first `wake`; it sleeps while nobody has anything to say."""

    def __init__(self) -> None:
        # each with the time from which on it may speak
        self._speakers: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.messages = 0
        """Sent so far, by all."""

    def add(self, speaker: Speaker) -> None:
        """Let `speaker` speak from now on, for as long as somebody else holds on to it."""
        with self._lock:
            self._speakers[speaker] = 0.0
        self.wake()

    def remove(self, speaker: Speaker) -> None:
        """Never ask it again."""
        with self._lock:
            self._speakers.pop(speaker, None)

    def wake(self) -> None:
        """Somebody has something to say; any thread may call, often."""
        if not self._alive:
            with self._lock:
                if not self._alive:
                    self._thread = threading.Thread(
                        target=self._serve, name="vnb-publisher", daemon=True
                    )
                    self._thread.start()
        self._woken.set()

    @property
    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _serve(self) -> None:
        wait = None
        while True:
            self._woken.wait(wait)
            self._woken.clear()
            wait = self._round()
            time.sleep(PAUSE)

    def _round(self) -> float | None:
        """Let everybody speak who may; the seconds until somebody is to be asked again."""
        with self._lock:
            speakers = list(self._speakers.items())
        waits: list[float | None] = []
        for speaker, due in speakers:
            rest = due - time.monotonic()
            if rest > 0:
                waits.append(rest)
            else:
                with Turn(self, speaker):
                    waits.append(self._ask(speaker))
        return min((wait for wait in waits if wait is not None), default=None)

    def _ask(self, speaker: Speaker) -> float | None:
        """Let it speak; the seconds until it is to be asked again."""
        before = self.messages
        wait = speaker.speak()
        if self.messages == before:
            return wait
        with self._lock:
            if speaker in self._speakers:
                self._speakers[speaker] = time.monotonic() + PERIOD
        return wait if wait is None else max(wait, PERIOD)


class Turn:
    """A block in which one speaker speaks: one that fails is heard no more, but the others are."""

    def __init__(self, publisher: Publisher, speaker: Speaker) -> None:
        self._publisher = publisher
        self._speaker = speaker

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is not None:
            log.error("a widget (%s) is no longer updated", self._speaker, exc_info=error)
            self._publisher.remove(self._speaker)
        return error is not None


PUBLISHER = Publisher()
"""The one of this process."""
