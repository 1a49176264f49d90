"""The cell's end of the guest's console: what it prints comes out here, what you type goes in."""

import codecs
import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vnb.errors import UsageError
from vnb.host.chars import Terminal
from vnb.waiting import Bell

UNREAD = 1 << 20
"""Characters of output kept for a cell that does not read; the oldest go first."""

TAIL = 12
"""Lines of output that an error or a repr shows."""

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")


class ConsoleSession:
    """One reader and writer of a terminal: reads each character of output once, in order.

    `ended()` says in words why no more output will come (the machine is off), or None;
    `resize(columns, rows)` tells the guest.
    """

    def __init__(
        self,
        terminal: Terminal,
        bell: Bell,
        ended: Callable[[], str | None],
        resize: Callable[[int, int], None],
    ) -> None:
        self.resize = resize
        self.bell = bell  # rung whenever there is more to see
        self.terminal = terminal
        self._ended = ended
        self._position = 0  # bytes of the terminal's output that this session has taken
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unread = ""
        self._following = False

    def read(self, timeout: float | None = 0) -> str:
        """All output not read yet; with none, wait up to `timeout` seconds (None: for ever)."""

        def more() -> str | None:
            ended = self._ended()  # asked first: what came before the end still counts
            return self._fetch() or ended

        self.bell.wait(more, timeout)
        text, self._unread = self._unread, ""
        return text

    def write(self, text: str | bytes) -> None:
        """Type `text` into the guest; lines end with "\\n"."""
        if not isinstance(text, str | bytes):
            raise UsageError(f"text={text!r}: write takes a str or bytes")
        self.terminal.write(text)

    @property
    def waiting(self) -> int:
        """Bytes that were typed and that the guest has not read yet."""
        return self.terminal.waiting

    @property
    def write_len(self) -> int:
        """Bytes that `write` takes now; it refuses what is more."""
        return self.terminal.write_len

    @property
    def can_write(self) -> bool:
        """Whether `write` takes anything now."""
        return self.terminal.can_write

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Meanwhile no output is lost: a guest that prints faster than this is read waits.

        Only what comes over virtio's console waits; the UART has no way to make a guest wait.
        """
        self._following = True
        self.terminal.hold(self._position)
        try:
            yield
        finally:
            self._following = False
            self.terminal.hold(None)

    def expect(self, pattern: str | re.Pattern[str], timeout: float | None = 30) -> re.Match[str]:
        """Wait until unread output has `pattern`, and read up to its end.

        A str stands for itself; re.compile(…) for a regular expression. TimeoutError after
        `timeout` seconds (None: never), EOFError when the machine goes off; both show the last
        lines of output.
        """
        wanted = re.compile(re.escape(pattern)) if isinstance(pattern, str) else pattern
        if not isinstance(wanted, re.Pattern) or not isinstance(wanted.pattern, str):
            raise UsageError(f"pattern={pattern!r}: expect takes a str, or re.compile of a str")
        told = repr(pattern if isinstance(pattern, str) else wanted.pattern)
        found = self.bell.wait(lambda: self._search(wanted, told), timeout)
        if found is None:
            raise TimeoutError(f"{told} was not printed within {timeout} s; {self._last_words()}")
        self._unread = self._unread[found.end() :]
        return found

    def since(self, position: int, limit: int) -> tuple[bytes, int]:
        """At most `limit` bytes of output from `position` on, and the position of the first.

        That is later than `position` where the scrollback no longer goes back so far. Reading
        here takes nothing away from `read` and `expect`.
        """
        data, end = self.terminal.since(position)
        return data[:limit], end - len(data)

    def tail(self, lines: int = TAIL) -> str:
        """The last lines of output, read or not, without escape sequences."""
        raw = self.terminal.tail(lines * 200).decode(errors="replace")
        plain = ESCAPES.sub("", raw).replace("\r\n", "\n").replace("\r", "\n")
        return "\n".join(plain.rstrip().split("\n")[-lines:])

    def _fetch(self) -> str | None:
        """Take in what the terminal has; the unread text, or None where there is none."""
        if self._following and len(self._unread) >= UNREAD:
            return self._unread  # and the guest waits
        data, self._position = self.terminal.since(self._position)
        self._unread += self._decoder.decode(data)
        if self._following:
            self.terminal.hold(self._position)
        else:
            self._unread = self._unread[-UNREAD:]
        return self._unread or None

    def _search(self, pattern: re.Pattern[str], told: str) -> re.Match[str] | None:
        ended = self._ended()  # asked first: what came before the end still counts
        self._fetch()
        found = pattern.search(self._unread)
        if found is None and ended:
            raise EOFError(f"{ended}, and never printed {told}; {self._last_words()}")
        return found

    def _last_words(self) -> str:
        tail = self.tail()
        return f"its last output was:\n{tail}" if tail else "it has printed nothing"

    def __repr__(self) -> str:
        return self.tail() or "<console: nothing printed yet>"

    def _repr_html_(self) -> str:
        return f'<pre style="font-family:monospace">{html.escape(repr(self))}</pre>'
