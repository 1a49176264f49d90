"""Where a cell waits, for output, a state or an answer, until it comes or the cell gives up."""

import asyncio
import concurrent.futures
import contextvars
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

REST = 0.005
"""Seconds between two looks at what is waited for, so that a guest that prints one character at
a time is not slowed down by whoever listens."""

_given_up: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar(
    "given_up", default=None
)


class Deadline:
    """A timeout that several waits share; None never comes."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Seconds until it, 0 once it has passed."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


class Bell:
    """Rung whenever anything changed that a cell may be waiting for; any thread may ring it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0
        self._waiting = 0
        self._left = time.monotonic()  # when the last who waited here went away
        self._followers: tuple[Callable[[], None], ...] = ()

    def follow(self, follower: Callable[[], None]) -> None:
        """Have `follower` called at every ring, by the thread that rings; it must not wait."""
        with self._changed:
            if follower not in self._followers:
                self._followers = (*self._followers, follower)

    def ring(self) -> None:
        """Wake everybody who waits, to look again."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()
        for follower in self._followers:
            follower()

    @property
    def waited(self) -> float:
        """When anybody last waited here, by time.monotonic(): now, while somebody does."""
        return time.monotonic() if self._waiting else self._left

    def wait(self, ready: Callable[[], T | None], timeout: float | None = None) -> T | None:
        """What `ready()` returns once that is not None; None after `timeout` seconds.

        A KeyboardInterrupt ends the wait at once, and so does cancelling the task that awaits it.
        """
        with self._changed:
            self._waiting += 1
        try:
            return self._wait(ready, timeout)
        finally:
            with self._changed:
                self._waiting -= 1
                self._left = time.monotonic()

    def _wait(self, ready: Callable[[], T | None], timeout: float | None) -> T | None:
        given_up = _given_up.get()
        deadline = Deadline(timeout)
        while True:
            seen = self._rings
            if given_up is not None and given_up.is_set():
                given_up.clear()  # as Ctrl-C: once, so that what cleans up may wait again
                raise KeyboardInterrupt
            if (answer := ready()) is not None:
                return answer
            if (left := deadline.left()) == 0:
                return None
            with self._changed:
                if self._rings == seen:
                    self._changed.wait(left)
            time.sleep(REST if left is None else min(REST, left))


class Errand:
    """A blocking function that runs in a thread of its own and waits on `bell`.

    `future` has what it returns or raises. In the caller's context, as far as that goes.
    """

    def __init__(self, bell: Bell, function: Callable[[], Any]) -> None:
        self.future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._bell = bell
        self._function = function
        self._given_up = threading.Event()
        context = contextvars.copy_context()
        # A daemon, unlike the event loop's own pool: a wait without end must not keep Python alive.
        threading.Thread(
            target=context.run, args=(self._work,), name="vnb-await", daemon=True
        ).start()

    def give_up(self) -> None:
        """Look to it like a KeyboardInterrupt in its wait, or in the next one."""
        self._given_up.set()
        self._bell.ring()

    def _work(self) -> None:
        _given_up.set(self._given_up)
        with Answer(self.future):
            self.future.set_result(self._function())


async def awaited(bell: Bell, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking `function` whose waits are on `bell` without blocking the event loop.

    Cancelling the task looks to `function` like a KeyboardInterrupt in its wait.
    """
    errand = Errand(bell, partial(function, *args, **kwargs))
    try:
        answer: T = await asyncio.wrap_future(errand.future)
    except asyncio.CancelledError:
        errand.give_up()
        raise
    return answer


class Answer:
    """A block whose exception belongs to whoever waits for `future`, not to this thread."""

    def __init__(self, future: concurrent.futures.Future[Any]) -> None:
        self._future = future

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is not None and not self._future.cancelled():
            self._future.set_exception(error)
        return error is not None
