"""What queues count by themselves: requests, how long they took, how many there were at once."""

from tests.virtio.devices import block_header
from tests.virtio.driver import EVERYTHING, Driver
from vnb.host.chars import Terminal
from vnb.virtio.console import F_MULTIPORT, Console, Port
from vnb.virtio.device import Device
from vnb.virtio.entropy import Entropy
from vnb.virtio.queue import Chain, Queue


class Slow(Device):
    """A device that answers when it is told to."""

    type = 42
    name = "slow"

    def __init__(self) -> None:
        super().__init__(0, [8])
        self.taken: list[Chain] = []

    def serve(self, index: int, queue: Queue) -> None:
        self.taken += queue

    def answer(self) -> None:
        def work() -> None:
            queue = self.queue(0)
            assert queue
            queue.push(self.taken.pop(0), 0)

        self.run(work)


def test_every_request_is_timed_once_whatever_the_device() -> None:
    device = Slow()
    driver = Driver(device).start()
    for _ in range(3):
        driver.send(0, [block_header(0, 0)], [1], kick=False)
    driver.port.notify(0)
    assert device.stats["requests"] == device.stats.latency.total == 0
    assert device.stats.depth.highest == 3
    for _ in range(3):
        device.answer()
    assert device.stats["requests"] == device.stats.latency.total == device.stats.work.total == 3
    assert device.stats["waited"] > 0
    assert (device.stats["kicks"], device.stats["interrupts"]) == (1, 1)


def test_what_the_guest_did_meanwhile_is_counted_in_instructions() -> None:
    device, retired = Slow(), [1000]
    device.stats.instructions = lambda: retired[0]
    driver = Driver(device).start()
    driver.send(0, [b"first"])
    driver.send(0, [b"second"])
    device.answer()  # before the guest went on
    retired[0] += 300
    device.answer()
    (zero, none, once), (lower, upper, again) = device.stats.work.buckets()
    assert (zero, none, once, again) == (0, 1, 1, 1)
    assert lower <= 300 < upper


def test_requests_that_a_reset_ended_are_not_counted() -> None:
    device = Slow()
    driver = Driver(device).start()
    driver.send(0, [b"lost"])
    driver.start()
    assert device.stats["requests"] == 0


def test_room_for_input_is_no_request_and_no_depth() -> None:
    terminal = Terminal()
    console = Console([Port(terminal, console=True)])
    driver = Driver(console).start(EVERYTHING & ~F_MULTIPORT)
    for _ in range(20):
        driver.send(0, [], [64])
    terminal.write("input")
    console.poll()
    assert console.stats["received"] == 5
    assert (console.stats["requests"], console.stats.depth.highest) == (0, 0)
    driver.send(1, [b"output"])
    assert (console.stats["requests"], console.stats.depth.highest) == (1, 1)


def test_room_is_a_request_where_nothing_else_ever_is() -> None:
    device = Entropy(bytes)
    driver = Driver(device).start()
    driver.ask(0, [], [16])
    assert device.stats["requests"] == device.stats.latency.total == 1
