"""Pictures that the guest keeps on the host, and the guest memory that they are filled from."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from vnb.memory import Memory

Pixels = npt.NDArray[np.uint8]
"""height × width × 4."""

BYTES = 4  # of a pixel


class Rectangle(NamedTuple):
    """In pixels; x counts to the right and y down."""

    x: int
    y: int
    width: int
    height: int

    def within(self, width: int, height: int) -> bool:
        """Whether all of it lies in an area of that size."""
        return self.x + self.width <= width and self.y + self.height <= height

    def shared(self, other: "Rectangle") -> "Rectangle":
        """What lies in both; its width or height is not positive if nothing does."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right = min(self.x + self.width, other.x + other.width)
        bottom = min(self.y + self.height, other.y + other.height)
        return Rectangle(x, y, right - x, bottom - y)


class Backing:
    """Ranges of guest RAM, (address, length) each, that count as one run of bytes.

    GuestError if one of them is not in RAM.
    """

    def __init__(self, memory: Memory, ranges: Iterable[tuple[int, int]]) -> None:
        joined: list[list[int]] = []
        self.entries = 0
        for address, length in ranges:
            self.entries += 1
            if joined and sum(joined[-1]) == address:
                joined[-1][1] += length
            elif length:
                joined.append([address, length])
        self._windows = [memory.view(address, length) for address, length in joined]
        self._starts = []
        self.size = 0
        for window in self._windows:
            self._starts.append(self.size)
            self.size += len(window)

    def copy(self, offset: int, into: memoryview) -> None:
        """Fill `into` with the bytes from `offset` on, which must all be there."""
        index = bisect_right(self._starts, offset) - 1
        offset -= self._starts[index]
        done, count = 0, len(into)
        while done < count:
            part = self._windows[index][offset : offset + count - done]
            into[done : done + len(part)] = part
            done += len(part)
            index, offset = index + 1, 0


class Picture:
    """A resource of the guest: its pixels on the host, and where in the guest they come from.

    `order` names the bytes of a pixel as they follow each other, such as "BGRX".
    """

    def __init__(self, width: int, height: int, order: str) -> None:
        self.width = width
        self.height = height
        self.order = order
        self.backing: Backing | None = None
        self.pixels: Pixels = np.zeros((height, width, BYTES), np.uint8)
        self._bytes = self.pixels.data.cast("B")

    def part(self, area: Rectangle) -> Pixels:
        """The pixels of an area that lies within, without a copy."""
        return self.pixels[area.y : area.y + area.height, area.x : area.x + area.width]

    def fill(self, area: Rectangle, offset: int, backing: Backing) -> bool:
        """Fill an area that lies within from its backing; False if that ends before the area.

        `offset` is where in the backing the first pixel of the area is; rows are as far apart
        there as in the picture.
        """
        stride = self.width * BYTES
        row = area.width * BYTES
        if not row or not area.height:
            return True
        if offset + (area.height - 1) * stride + row > backing.size:
            return False
        place = area.y * stride + area.x * BYTES
        if row == stride:
            backing.copy(offset, self._bytes[place : place + area.height * stride])
            return True
        for _ in range(area.height):
            backing.copy(offset, self._bytes[place : place + row])
            offset, place = offset + stride, place + stride
        return True
