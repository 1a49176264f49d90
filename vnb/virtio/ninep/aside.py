"""What would hold up the machine is done here: on a thread, one thing after another."""

from collections import deque
from collections.abc import Callable
from threading import Lock, Thread

Work = Callable[[], None]


class Aside:
    """Does what it is given in the order in which it came, each on a thread called `name`."""

    def __init__(self) -> None:
        self.name = "aside"
        self._works: deque[Work] = deque()  # the first is being done
        self._mutex = Lock()

    def do(self, work: Work) -> None:
        """Have `work` done, after all that was given before."""
        with self._mutex:
            self._works.append(work)
            if len(self._works) == 1:
                self._begin()

    def drop(self, work: Work) -> bool:
        """Forget `work`; False if it was begun before."""
        with self._mutex:
            if work not in self._works or work is self._works[0]:
                return False
            self._works.remove(work)
            return True

    def _begin(self) -> None:
        Thread(target=self._run, args=(self._works[0],), name=self.name, daemon=True).start()

    def _run(self, work: Work) -> None:
        try:
            work()
        finally:
            with self._mutex:
                self._works.popleft()
                if self._works:
                    self._begin()
