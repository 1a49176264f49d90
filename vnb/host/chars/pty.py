"""Characters through a pseudo-terminal: programs such as screen and minicom open its path."""

import os
import tty
import weakref

from vnb.host.chars.pipe import LIMIT, Pipe


class Pty(Pipe):
    """A terminal device of the host at `path`, with the guest behind it.

    The path is there from the beginning and for as long as this object is. While nobody reads
    there, the guest's output waits: some of it here, the rest in the guest.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        ours, theirs = os.openpty()
        self._finalizer = weakref.finalize(self, _close, ours, theirs)
        tty.setraw(theirs)  # or it would send what the guest writes back as if it were typed
        os.set_blocking(ours, False)
        super().__init__(ours, ours, limit)
        self.path = os.ttyname(theirs)
        # Their end stays open here too: between two who open it, ours must not see a hang-up.

    def __repr__(self) -> str:
        return f"Pty at {self.path}"


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
