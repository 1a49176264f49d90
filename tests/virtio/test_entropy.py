"""The entropy device: as many bytes as it says, and never more than it may."""

import random

from tests.virtio.driver import READY, Driver
from vnb.virtio.device import NEEDS_RESET
from vnb.virtio.entropy import MOST, Entropy


def test_requests_get_the_stream_one_after_another() -> None:
    driver = Driver(Entropy(random.Random(5).randbytes)).start()
    expected = random.Random(5).randbytes
    for size in (1, 64, 7, 4096):
        assert driver.ask(0, [], [size]) == (size, expected(size))


def test_a_request_may_be_in_pieces() -> None:
    driver = Driver(Entropy(random.Random(5).randbytes)).start()
    assert driver.ask(0, [], [3, 5, 8]) == (16, random.Random(5).randbytes(16))


def test_a_large_request_gets_a_part_and_the_rest_of_its_room_is_not_touched() -> None:
    asked = []

    def zeroes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    device = Entropy(zeroes)
    driver = Driver(device).start()
    length, content = driver.ask(0, [], [100_000, 100_000])
    assert (length, content) == (MOST, bytes(MOST) + b"\xaa" * (200_000 - MOST))
    assert asked == [MOST]
    assert (device.stats["requests"], device.stats["given"]) == (1, MOST)


def test_a_request_without_room_breaks_the_protocol() -> None:
    for out, room in (([b"abc"], []), ([], [0])):
        driver = Driver(Entropy(bytes)).start()
        driver.send(0, out, room)
        assert driver.port.status == READY | NEEDS_RESET


def test_what_the_driver_sends_along_is_of_no_interest() -> None:
    driver = Driver(Entropy(lambda count: b"r" * count)).start()
    assert driver.ask(0, [b"abc"], [4]) == (4, b"rrrr")
