"""The entropy device: buffers of the guest are filled with random bytes [virtio 5.4]."""

from collections.abc import Callable

from vnb.errors import GuestError
from vnb.virtio.device import Device
from vnb.virtio.queue import Queue

QUEUE_SIZE = 64

MOST = 4096
"""Bytes that one request gets, however much room it has [virtio 5.4.6.2 allows less]."""


class Entropy(Device):
    """Random bytes from `random`, which returns as many as it is asked for."""

    type = 4
    name = "entropy"
    room_is_request = True

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        super().__init__(0, [QUEUE_SIZE])

    def serve(self, index: int, queue: Queue) -> None:
        for chain in queue:
            count = min(chain.writer.available, MOST)
            if not count:
                raise GuestError("an entropy request without room")
            chain.writer.write(self._random(count))
            queue.push(chain, count)
            self.stats.add("given", count, "bytes")
