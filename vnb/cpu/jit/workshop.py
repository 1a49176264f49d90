"""A process beside this one, in which regions are compiled: graphs go in, object code comes out.

A thread would do, were it not for the GIL: a hart that comes back from the engine for a device
waits for it, and a thread that writes text holds it most of the time.
"""

import atexit
import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any, cast

from vnb.cpu.jit.code import Made, hurry, make, remembered
from vnb.cpu.jit.graph import Graph

NICENESS = 5
"""The guest runs first where processors are few."""


class Workshop:
    """The process; one at a time may ask it."""

    def __init__(self) -> None:
        start = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as w; w.serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for the cell; niceness holds within a session only
        )
        self._turn = threading.Lock()
        atexit.register(self.close)

    def make(self, graph: Graph) -> Made:
        """The object code of a region; raises what went wrong over there."""
        with self._turn:
            pickle.dump(graph, cast(IO[bytes], self._process.stdin))
            cast(IO[bytes], self._process.stdin).flush()
            answer = pickle.load(cast(IO[bytes], self._process.stdout))
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return cast(Made, answer)

    @property
    def code(self) -> int | None:
        """The process's exit code; None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """Let the process end."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # it was killed before it had read all
                cast(IO[bytes], pipe).close()
        self._process.wait()


_opened: list[Workshop] = []


def workshop() -> Workshop:
    """The one workshop of this process; another if that one was killed."""
    if not _opened or _opened[-1].code is not None:
        _opened.append(Workshop())
    return _opened[-1]


def made(graph: Graph) -> Made:
    """The object code of a region: from the cache, else from the workshop, which opens for it."""
    known = remembered(graph)
    return workshop().make(graph) if known is None else known


def serve() -> None:
    """What the process does: until nobody asks any more."""
    os.nice(NICENESS)
    hurry()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what LLVM prints is no answer
    while True:
        try:
            graph = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: Any
        try:
            answer = make(graph)
        except (LookupError, RuntimeError, StopIteration, TypeError, ValueError) as error:
            answer = f"{type(error).__name__}: {error}"
        pickle.dump(answer, answers)
        answers.flush()
