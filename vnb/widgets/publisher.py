"""What widgets have to say leaves here: one thread, at most 30 times a second for all of them."""

import logging
import threading
import time
import weakref
from typing import Any, Protocol

log = logging.getLogger(__name__)

PERIOD = 1 / 30
"""Seconds after a round in which anybody spoke: the least between two messages of one widget."""

PAUSE = 1 / 200
"""Seconds after a round of silence: whoever comes next is asked soon, and nobody too often."""


class Speaker(Protocol):
    """A widget that may have something to send."""

    def speak(self) -> float | None:
        """Send it, if there is anything; called by the publisher's thread alone.

        Returns the seconds after which to be asked again, None if there is to be a `wake` first.
        """


class Publisher:
    """The thread, begun by the first `wake`; it sleeps while nobody has anything to say."""

    def __init__(self) -> None:
        self._speakers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.messages = 0
        """Sent so far, by all."""

    def add(self, speaker: Speaker) -> None:
        """Let `speaker` speak from now on, for as long as somebody else holds on to it."""
        with self._lock:
            self._speakers.add(speaker)
        self.wake()

    def remove(self, speaker: Speaker) -> None:
        """Never ask it again."""
        with self._lock:
            self._speakers.discard(speaker)

    def wake(self) -> None:
        """Somebody has something to say; any thread may call, often."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._serve, name="vnb-publisher", daemon=True
                    )
                    self._thread.start()
        self._woken.set()

    def _serve(self) -> None:
        wait = None
        while True:
            self._woken.wait(wait)
            self._woken.clear()
            before = self.messages
            wait = self._round()
            time.sleep(PAUSE if self.messages == before else PERIOD)

    def _round(self) -> float | None:
        """Let everybody speak; the seconds until somebody wants to be asked again."""
        with self._lock:
            speakers = list(self._speakers)
        waits = []
        for speaker in speakers:
            with Turn(self, speaker):
                waits.append(speaker.speak())
        return min((wait for wait in waits if wait is not None), default=None)


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
