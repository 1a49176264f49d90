"""The guest's side of a GPU for tests: commands as a driver sends them, and what answers."""

from collections.abc import Sequence

from tests.virtio.driver import EVERYTHING, Driver
from vnb.host.screen import Screen
from vnb.virtio import gpu

ROOM = 24 + 8 + 1024
"""Bytes in the longest answer: an EDID."""

SIZE = 40, 30


class Painter:
    """A driver with one picture in guest RAM, 40×30 pixels, as number 1, on the screen."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.ram = driver.buffer(bytes(SIZE[0] * SIZE[1] * 4))

    def command(
        self,
        kind: int,
        body: bytes = b"",
        queue: int = gpu.CONTROL,
        flags: int = 0,
        fence: int = 0,
        context: int = 0,
        room: int = ROOM,
    ) -> tuple[int, bytes]:
        """(type, the rest) of the answer."""
        header = gpu.HEADER.pack(kind, flags, fence, context, 0)
        length, answer = self.driver.ask(queue, [header + body], [room])
        return gpu.HEADER.unpack_from(answer)[0], answer[gpu.HEADER.size : length]

    def done(self, kind: int, body: bytes = b"", queue: int = gpu.CONTROL) -> None:
        """Send a command that must succeed."""
        assert self.command(kind, body, queue) == (gpu.OK_NODATA, b"")

    def create(self, number: int = 1, kind: int = 2, size: tuple[int, int] = SIZE) -> int:
        return self.command(gpu.CREATE_2D, gpu.CREATE.pack(number, kind, *size))[0]

    def attach(self, ranges: Sequence[tuple[int, int]], number: int = 1) -> int:
        entries = b"".join(gpu.ENTRY.pack(*one) for one in ranges)
        body = gpu.ATTACH.pack(number, len(ranges)) + entries
        return self.command(gpu.ATTACH_BACKING, body)[0]

    def scan_out(self, *area: int, number: int = 1) -> int:
        area = area or (0, 0, *SIZE)
        return self.command(gpu.SET_SCANOUT, gpu.ON_SCREEN.pack(*area, 0, number))[0]

    def transfer(self, *area: int, offset: int | None = None, number: int = 1) -> int:
        x, y, width, height = area or (0, 0, *SIZE)
        offset = (y * SIZE[0] + x) * 4 if offset is None else offset
        body = gpu.TRANSFER.pack(x, y, width, height, offset, number)
        return self.command(gpu.TRANSFER_TO_HOST_2D, body)[0]

    def flush(self, *area: int, number: int = 1) -> int:
        return self.command(gpu.FLUSH, gpu.IN_PICTURE.pack(*(area or (0, 0, *SIZE)), number))[0]

    def begin(self, kind: int = 2) -> "Painter":
        """Everything up to a black picture on the screen."""
        assert self.create(kind=kind) == gpu.OK_NODATA
        assert self.attach([(self.ram, SIZE[0] * SIZE[1] * 4)]) == gpu.OK_NODATA
        assert self.scan_out() == gpu.OK_NODATA
        return self

    def paint(self, content: bytes) -> None:
        """Put a whole picture on the screen."""
        self.driver.memory.write(self.ram, content)
        assert self.transfer() == gpu.OK_NODATA
        assert self.flush() == gpu.OK_NODATA


class Guest(Painter):
    """A driver, its GPU, and the screen on the host."""

    def __init__(self, features: int = EVERYTHING) -> None:
        self.screen = Screen(100, 80)
        self.gpu = gpu.Gpu(self.screen)
        self.screen.on_change = self.gpu.poll
        super().__init__(Driver(self.gpu).start(features))

    def frame(self) -> list[list[int]]:
        pixels: list[list[int]] = self.screen.frame.reshape(-1, 3).tolist()
        return pixels
