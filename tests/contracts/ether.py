"""What every network on the host holds; inherit it for each kind of network."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frames import ALICE, ether, judge, unsummed
from tests.patience import until
from tests.pcap import read
from vnb.errors import UsageError
from vnb.frame import GSO_TCPV4, NEEDS_CSUM, Frame
from vnb.host.ether import LIMIT, Ethernet, Port

PATIENCE = 10.0


def received(port: Port, count: int = 1) -> list[Frame]:
    """The next `count` frames for the card."""
    frames: list[Frame] = []

    def enough() -> bool:
        while frame := port.take():
            frames.append(frame)
        return len(frames) >= count

    until(enough)
    return frames


def large(payload: bytes, size: int = 1000) -> Frame:
    """A TCP packet that its sender wants cut up and summed."""
    data, start, offset = unsummed(payload)
    return Frame(data, NEEDS_CSUM, GSO_TCPV4, start + 32, size, start, offset)


class EtherContract:
    """Override `pair`: two cards that hear each other."""

    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        """The network of the first card, and both of them."""
        raise NotImplementedError

    @pytest.fixture
    def cards(self, tmp_path: Path) -> Iterator[tuple[Port, Port]]:
        threads = threading.active_count()
        self.lan, near, far = self.pair(tmp_path)
        until(lambda: near.carrier and far.carrier)
        yield near, far
        near.close()
        far.close()
        until(lambda: threading.active_count() <= threads)

    def test_a_frame_arrives_as_it_was_sent(self, cards: tuple[Port, Port]) -> None:
        for sender, receiver in (cards, cards[::-1]):
            receiver.clear()
            sent = [ether(b"x" * size) for size in (0, 1, 46, 1500, 9000)]
            for data in sent:
                sender.send(Frame(data))
            assert received(receiver, len(sent)) == [Frame(data) for data in sent]
            assert receiver.take() is None

    def test_who_receives_is_told(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        told = threading.Event()
        far.on_change = told.set
        near.send(Frame(ether(b"hello")))
        assert told.wait(PATIENCE)
        assert far.take() == Frame(ether(b"hello"))

    def test_large_frames_arrive_whole_or_in_sound_pieces(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        payload = bytes(range(256)) * 40
        near.send(large(payload))
        found = b""
        while len(found) < len(payload):
            for frame in received(far):
                found += b"".join(judge(data).payload for data in frame.plain())
        assert found == payload

    def test_without_a_cable_nothing_passes(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        changes: list[bool] = []
        far.on_change = lambda: changes.append(far.carrier)
        near.send(Frame(ether(b"waits")))
        until(lambda: len(changes) == 1)
        far.carrier = False
        assert changes == [True, False]
        assert far.take() is None
        near.send(Frame(ether(b"lost")))
        far.send(Frame(ether(b"lost too")))
        far.carrier = True
        until(lambda: far.carrier and near.carrier)
        near.clear()
        found = Frame(ether(b"found"))

        def arrives() -> bool:  # near may not have noticed yet that the cable was gone
            near.send(found)
            frame = far.take()
            return frame == found

        until(arrives)
        far.send(found)
        assert found in received(near)
        assert far.sent == 1

    def test_only_so_many_frames_wait_and_the_others_are_counted(
        self, cards: tuple[Port, Port]
    ) -> None:
        near, far = cards
        count = LIMIT + 44
        for number in range(count):
            near.send(Frame(ether(number.to_bytes(4, "big"))))
        until(lambda: far.received + far.dropped + near.dropped >= count)
        waiting = received(far, LIMIT)
        assert len(waiting) == LIMIT == far.received
        assert waiting[0].data == ether(bytes(4))
        assert near.sent == count

    def test_any_number_of_threads_may_send(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        found: list[Frame] = []
        told = threading.Event()
        far.on_change = told.set

        def send(letter: int) -> None:
            for number in range(100):
                near.send(Frame(ether(bytes((letter, number)))))
                while len(found) + far.dropped + near.dropped < near.sent - LIMIT // 2:
                    time.sleep(0)

        threads = [threading.Thread(target=send, args=(letter,)) for letter in range(4)]
        for thread in threads:
            thread.start()
        while len(found) + far.dropped + near.dropped < 400:
            assert told.wait(PATIENCE)
            told.clear()
            while frame := far.take():
                found.append(frame)
        for thread in threads:
            thread.join()
        for letter in range(4):
            mine = [frame.data[15] for frame in found if frame.data[14] == letter]
            assert mine == sorted(mine)
        assert near.sent == 400

    def test_a_card_that_left_hears_and_says_nothing(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        far.close()
        far.close()
        assert not far.carrier
        far.carrier = True
        far.send(Frame(ether(b"ghost")))
        near.send(Frame(ether(b"to a ghost")))
        assert not far.carrier
        assert far.sent == 0
        assert far.take() is None

    def test_addresses_are_local_and_nobodys_twice(self, cards: tuple[Port, Port]) -> None:
        near, far = cards
        assert near.mac != far.mac
        assert all(len(port.mac) == 6 and port.mac[0] & 3 == 2 for port in cards)
        with pytest.raises(UsageError, match=r"another card|no more than"):
            self.lan.plug(near.mac)

    def test_what_passes_can_be_captured(self, cards: tuple[Port, Port], tmp_path: Path) -> None:
        near, far = cards
        with near.capture(tmp_path / "near.pcap"):
            near.send(Frame(ether(b"there")))
            received(far)
            far.send(Frame(ether(b"and back", sender=ALICE)))
            assert Frame(ether(b"and back")) in received(near)
        near.send(Frame(ether(b"unseen")))
        found = [data for _, data in read(tmp_path / "near.pcap")]
        assert found[0] == ether(b"there")
        assert found[-1] == ether(b"and back")
        assert ether(b"unseen") not in found

    def test_it_says_what_it_is(self, cards: tuple[Port, Port]) -> None:
        near, _ = cards
        assert near.mac.hex(":") in repr(near)
        assert "connected; 0 sent, 0 received, 0 dropped" in repr(near)
        near.carrier = False
        assert "no carrier" in repr(near)
