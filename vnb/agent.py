"""Commands go to the guest's shell agent here, and their output and status come back."""

import base64
import html
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from vnb.errors import GuestError, UsageError
from vnb.host.chars import Terminal
from vnb.waiting import Bell, Deadline

T = TypeVar("T")
Hear = Callable[[bytes], None]

PORT = "vnb.agent"
"""The name of the virtio-console port on which image and host meet."""

GREETING = b"vnb-agent 1\n"

SESSION = ". /usr/lib/vnb/session\n"
"""What a Linux guest's commands begin with that go on from where the last such command ended."""

OUTPUT = 16 << 20
"""Bytes of a command's output that are kept; of more, the last."""

BOOT = 120.0
"""Seconds that a guest has to boot and start its agent where the cell gives no timeout."""

AHEAD = 1 << 16
"""Bytes that a command may print before the cell that listens to it has taken them."""

GRACE = 2.0
"""Seconds that an interrupted command has to end, first after SIGINT, then after SIGKILL."""


@dataclass(frozen=True)
class Result:
    """What a command printed (stdout and stderr as they came), its exit status and its time."""

    command: str
    raw: bytes
    status: int
    seconds: float

    @property
    def stdout(self) -> str:
        """The output as text; bytes that are not UTF-8 are replaced (`raw` has them)."""
        return self.raw.decode(errors="replace")

    def __repr__(self) -> str:
        text = self.stdout.removesuffix("\n")
        note = f"[status {self.status}, {self.seconds:.2f} s]"
        return f"{text}\n{note}" if text else note

    def _repr_html_(self) -> str:
        color = "inherit" if self.status == 0 else "#c0392b"
        return (
            f'<pre style="margin:0;font-family:monospace">{html.escape(self.stdout)}</pre>'
            f'<small style="opacity:.7;color:{color}">'
            f"status {self.status} · {self.seconds:.2f} s</small>"
        )


class CommandFailed(GuestError):
    """A command that was to succeed did not; `result` has all of it."""

    def __init__(self, result: Result) -> None:
        super().__init__(f"{result.command!r} ended with status {result.status}{_tail(result.raw)}")
        self.result = result


class _Command:
    """One command on its way, and the place in the port's stream where its output begins."""

    def __init__(self, command: str, prelude: str, terminal: Terminal) -> None:
        self.command = command
        self.token = secrets.token_hex(16)
        self._prelude = prelude
        self._terminal = terminal
        self._hear: Hear | None = None
        self._paced = False
        self._trailer = re.compile(rb"\n%s (\d+)\n" % self.token.encode())
        self._began = time.monotonic()
        self._begin = self._scanned = self._told = terminal.total

    def heard(self, hear: Hear | None, paced: bool) -> Self:
        """By a cell, which the command waits for if it is `paced`."""
        self._hear = hear
        self._paced = paced
        self._keep_pace()
        return self

    def send(self) -> None:
        code = base64.b64encode((self._prelude + self.command).encode()).decode()
        self._terminal.write(f"run {self.token} {code}\n")

    def signal(self, word: str) -> None:
        """`int` or `kill` it."""
        self._terminal.write(f"{word} {self.token}\n")

    def result(self) -> Result | None:
        """The result, once the trailer has come; looks at each byte once."""
        overlap = len(self.token) + 8
        data, self._scanned = self._terminal.since(max(self._begin, self._scanned - overlap))
        trailer = self._trailer.search(data)
        self._tell(data[: trailer.start() if trailer else self._certain(data)], len(data))
        if trailer is None:
            return None
        after = len(data) - trailer.start()
        seconds = time.monotonic() - self._began
        return Result(self.command, self.printed(after), int(trailer[1]), seconds)

    def deaf(self) -> None:
        """Nobody listens any more, and it need not wait for anybody."""
        self._hear = None
        self._terminal.hold(None)

    def _certain(self, data: bytes) -> int:
        """How much of `data` is output for sure, and not the beginning of a trailer."""
        end = data.rfind(b"\n")
        begun = data[end + 1 :][: len(self.token) + 1]
        return end if end >= 0 and f"{self.token} ".encode().startswith(begun) else len(data)

    def _tell(self, output: bytes, looked_at: int) -> None:
        """Let the cell hear what it has not heard of `output`, which was just looked at."""
        first = self._scanned - looked_at
        new = output[max(0, self._told - first) :]
        if self._hear is not None and new:
            self._told = first + len(output)
            self._hear(new)
            self._keep_pace()

    def _keep_pace(self) -> None:
        """Have the guest wait once it is so far ahead of who listens."""
        if self._hear is not None and self._paced:
            self._terminal.hold(self._told - (OUTPUT - AHEAD))

    def printed(self, after: int = 0) -> bytes:
        """What it has printed, without the `after` last bytes of the stream."""
        data, end = self._terminal.since(self._begin)
        return data[: len(data) - (end - self._scanned) - after]


class Agent:
    """The host's side of the shell agent: one command at a time, however many cells ask.

    A guest that prints faster than a cell listens is made to wait, if it is one that `waits`:
    under a virtual clock the host takes no time, so that the guest would wait for ever.

    On the port the host writes lines (`run TOKEN BASE64`, `int TOKEN`, `kill TOKEN`) and the
    guest streams raw output, which ends with a newline, the token and the status. `trouble()`
    says in words why no answer can come any more (the machine is off), or None.
    """

    def __init__(
        self,
        terminal: Terminal,
        bell: Bell,
        trouble: Callable[[], str | None],
        waits: bool = True,
    ) -> None:
        self._terminal = terminal
        self._waits = waits
        self._bell = bell
        self._trouble = trouble
        self._turn = threading.Lock()
        self._boots = 0
        self._begin = 0  # where this boot's part of the stream begins
        self._heard = 0  # how far it was searched for the greeting
        self._greeted = False
        self._left: _Command | None = None  # given up by its cell, but perhaps not ended yet

    def restart(self) -> None:
        """The guest starts over: what was said before concerns it no more."""
        self._boots += 1
        self._terminal.take(self._terminal.waiting)
        self._begin = self._heard = self._terminal.total
        self._greeted = False
        self._left = None

    def run(
        self,
        command: str,
        timeout: float | None = None,
        check: bool = False,
        on_output: Hear | None = None,
        prelude: str = "",
    ) -> Result:
        """Run `command` with the guest's `sh -c`, after `prelude`; see `Machine.shell`."""
        if not isinstance(command, str) or "\0" in command:
            raise UsageError(f"command={command!r}: shell takes a command line as a str")
        deadline = Deadline(timeout)
        turn = lambda: self._turn.acquire(blocking=False) or None  # noqa: E731
        if self._bell.wait(turn, timeout) is None:
            raise TimeoutError(f"another command was still running after {timeout} s")
        try:
            self._await_agent(deadline)
            sent = _Command(command, prelude, self._terminal).heard(on_output, self._waits)
            result = self._run(sent, deadline)
        finally:
            self._turn.release()
            self._bell.ring()
        if check and result.status != 0:
            raise CommandFailed(result)
        return result

    def _await_agent(self, deadline: Deadline) -> None:
        """Wait until the guest's agent is there and has ended what an earlier cell gave up."""
        timeout = BOOT if deadline.timeout is None else deadline.left()
        if self._wait(self._greeting, timeout, "the guest's shell agent answered") is None:
            raise TimeoutError(f"the guest's shell agent did not answer within {timeout:.0f} s")
        if (left := self._left) is not None:
            what = f"{left.command!r}, given up earlier, ended"
            if self._wait(left.result, deadline.left(), what) is None:
                raise TimeoutError(f"{left.command!r}, given up earlier, is still running")
            self._left = None

    def _greeting(self) -> bool | None:
        if not self._greeted:
            data, end = self._terminal.since(max(self._begin, self._heard - len(GREETING)))
            self._greeted, self._heard = GREETING in data, end
        return self._greeted or None

    def _run(self, command: _Command, deadline: Deadline) -> Result:
        self._left = command
        command.send()
        try:
            result = self._wait(command.result, deadline.left(), f"{command.command!r} ended")
        except KeyboardInterrupt:
            self._interrupt(command)
            raise
        else:
            if result is None:
                self._interrupt(command)
                raise TimeoutError(
                    f"{command.command!r} did not end within {deadline.timeout} s"
                    f"{_tail(command.printed())}"
                )
        finally:
            command.deaf()
        self._left = None
        return result

    def _interrupt(self, command: _Command) -> None:
        """End a command as Ctrl-C does in a terminal, then as `kill -9` does."""
        for word in ("int", "kill"):
            command.signal(word)
            ended = lambda: command.result() or self._trouble()  # noqa: E731
            if self._bell.wait(ended, GRACE) is not None:
                self._left = None
                return

    def _wait(self, ready: Callable[[], T | None], timeout: float | None, what: str) -> T | None:
        """What `ready()` gives in time, else None; GuestError when it can never come."""
        boots = self._boots

        def look() -> T | None:
            trouble = self._trouble()  # asked first: what came before the end still counts
            if (answer := ready()) is not None:
                return answer
            if self._boots != boots:
                trouble = "the guest was started again"
            if trouble is not None:
                raise GuestError(f"{trouble} before {what}")
            return None

        return self._bell.wait(look, timeout)


def _tail(printed: bytes) -> str:
    """The end of a command's output as the end of a message."""
    lines = printed.decode(errors="replace").rstrip().split("\n")[-10:]
    return ":\n" + "\n".join(lines) if lines != [""] else ", having printed nothing"
