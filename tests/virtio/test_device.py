"""What every device does that no single type is needed to show."""

from tests.virtio.driver import Driver
from vnb.virtio.device import Device
from vnb.virtio.queue import Chain, Queue


class Slow(Device):
    """Echoes what it is sent, but only when somebody else says that it is time."""

    type = 42
    name = "slow"

    def __init__(self) -> None:
        super().__init__(0, [8])
        self.waiting: list[Chain] = []

    def serve(self, index: int, queue: Queue) -> None:
        for chain in queue:
            self.waiting.append(chain)
            self.finish = self.from_thread(self._finish)

    def _finish(self, text: bytes) -> None:
        chain = self.waiting.pop(0)
        chain.writer.write(text)
        queue = self.queue(0)
        assert queue is not None
        queue.push(chain, len(text))


def test_work_that_another_thread_finished_is_completed_on_the_machines_own() -> None:
    driver = Driver(device := Slow()).start()
    address = driver.send(0, room=[8])[0]
    device.finish(b"done")
    assert driver.rings[0].reap() == [], "nothing happens on the thread that calls"
    driver.settle()
    assert driver.rings[0].reap() == [(0, 4)]
    assert driver.memory.read(address, 4) == b"done"
    assert driver.port.interrupts() == (True, False)


def test_work_that_is_finished_after_a_reset_reaches_nobody() -> None:
    """[5]: not even a driver that has set the device up again"""
    driver = Driver(device := Slow()).start()
    address = driver.send(0, room=[8])[0]
    late = device.finish
    driver.start()
    late(b"done")
    driver.settle()
    assert driver.rings[0].used_idx == 0
    assert driver.memory.read(address, 4) == b"\xaa" * 4
    assert driver.port.interrupts() == (False, False)


def test_work_whose_end_breaks_a_rule_breaks_its_device_alone() -> None:
    driver = Driver(device := Slow()).start()
    driver.send(0, room=[2])
    device.finish(b"too long")
    driver.settle()
    assert device.stats["broken"] == 1
