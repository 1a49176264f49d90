"""Here tests wait for what a guest or another thread is about to do."""

import time
from collections.abc import Callable


def until(true: Callable[[], object], seconds: float = 10) -> None:
    """Wait until it comes true; the test fails if that takes so long."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.005)
