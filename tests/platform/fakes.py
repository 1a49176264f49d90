"""Stand-ins for what the board is wired to, which say what reached them."""

from types import SimpleNamespace


class FakeHart:
    """A hart's interface, without a hart: what is done to it is there to be read."""

    mmu = "sv48"
    isa = "rv64imafdc_zicsr_zifencei_sstc"

    def __init__(self) -> None:
        self.x = [0] * 32
        self.pc = 0
        self.mode = 3
        self.sbi = False
        self.mtime = 0
        self.mtimecmp = self.stimecmp = (1 << 64) - 1
        self.lines: set[int] = set()
        self.state = SimpleNamespace(mip=0)
        self.flushes = 0

    def set_mtime(self, value: int) -> None:
        self.mtime = value

    def set_interrupt(self, number: int, level: bool) -> None:
        (self.lines.add if level else self.lines.discard)(number)

    def flush(self) -> None:
        self.flushes += 1


class FakeTerminal:
    """Keeps what was put out, call by call, and hands in `typed`."""

    def __init__(self, typed: bytes = b"") -> None:
        self.typed = typed
        self.calls: list[bytes] = []

    @property
    def printed(self) -> bytes:
        return b"".join(self.calls)

    def output(self, data: bytes) -> None:
        self.calls.append(data)

    def take(self, limit: int) -> bytes:
        data, self.typed = self.typed[:limit], self.typed[limit:]
        return data


class Wire:
    """An interrupt line that remembers every change of its level."""

    def __init__(self) -> None:
        self.level = False
        self.changes: list[bool] = []

    def __call__(self, level: bool) -> None:
        if level != self.level:
            self.level = level
            self.changes.append(level)
