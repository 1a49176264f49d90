"""A few threads that wait for disks and networks, so that no other thread has to."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vnb.waiting import Answer

T = TypeVar("T")

Job = tuple[Future[Any], Callable[[], Any], Callable[[Future[Any]], object]]


class Pool:
    """Does jobs on at most `most` daemon threads of this name, which begin as they are needed."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._changed = threading.Condition()  # guards all below
        self._jobs: deque[Job] = deque()
        self._threads = 0
        self._idle = 0
        self._under_way = 0
        self._stale = 0  # of those under way, the ones from before the last `drop`
        self._life = 0
        self._closed = False
        self._at_end: Callable[[], None] | None = None

    @property
    def settling(self) -> bool:
        """Whether jobs from before the last `drop` are still under way."""
        return self._stale > 0

    def submit(
        self, job: Callable[[], T], done: Callable[[Future[T]], object] = lambda future: None
    ) -> Future[T]:
        """Have a thread do `job` and then call `done`, which may not fail, with how it went.

        The future is cancelled, and `done` never called, if the job is dropped.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                future.cancel()
                return future
            self._jobs.append((future, job, done))
            if len(self._jobs) > self._idle and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            else:
                self._changed.notify()
        return future

    def drop(self) -> None:
        """Forget the jobs that no thread has begun; later ones wait for those under way."""
        with self._changed:
            self._forget()
            self._stale = self._under_way
            self._life += 1

    def close(self, patience: float, at_end: Callable[[], None]) -> None:
        """Drop all jobs and call `at_end` when none is under way, be that after `patience` seconds.

        It is called on this thread if that is soon enough, and else on that of the last job.
        """
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._forget()
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not self._threads, patience):
                self._at_end = at_end
                return
        at_end()

    def _forget(self) -> None:
        while self._jobs:
            self._jobs.popleft()[0].cancel()

    def _work(self) -> None:
        while (begun := self._begin()) is not None:
            (future, job, done), life = begun
            with Answer(future):
                future.set_result(job())
            done(future)
            with self._changed:
                self._under_way -= 1
                if life != self._life:
                    self._stale -= 1
                    self._changed.notify_all()
        with self._changed:
            self._threads -= 1
            self._changed.notify_all()
            at_end = self._at_end if not self._threads else None
        if at_end is not None:
            at_end()

    def _begin(self) -> tuple[Job, int] | None:
        """The next job, and in which life it begins; None when there will be none."""
        with self._changed:
            self._idle += 1
            while not self._closed and (self._stale or not self._jobs):
                self._changed.wait()
            self._idle -= 1
            if self._closed:
                return None
            self._under_way += 1
            return self._jobs.popleft(), self._life
