"""The networks on the host: the contract of each, and what each of them is there for."""

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.contracts.ether import EtherContract, large, received
from tests.descriptors import descriptors
from tests.frames import ALICE, BOB, BROADCAST, CAROL, ether, judge
from tests.patience import until
from tests.pcap import read
from vnb.errors import UsageError
from vnb.frame import Frame
from vnb.host.ether import LIMIT, Capture, Ethernet, Loop, Null, Pcap, Port, Stream, Switch
from vnb.host.ether.switch import AGE, TABLE


class TestSwitch(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Switch()
        return lan, lan.plug(), lan.plug()


class TestSwitchWithLatency(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Switch(latency=0.001)
        return lan, lan.plug(), lan.plug()


class TestLoop(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Loop()
        return lan, lan.plug(), lan.plug()


class TestPcap(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Pcap(Switch(), folder / "all.pcap")
        return lan, lan.plug(), lan.plug()


class TestStream(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Stream("127.0.0.1:0", listen=True)
        near = lan.plug()
        return lan, near, Stream(lan.address).plug()


class TestStreamOverUnixSocket(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        lan = Stream(str(folder / "lan"))
        near = lan.plug()
        return lan, near, Stream(str(folder / "lan"), listen=True).plug()


class TestTwoSwitchesJoined(EtherContract):
    def pair(self, folder: Path) -> tuple[Ethernet, Port, Port]:
        one, other = Switch(), Switch(seed=1)
        self.joint = one.join(other)
        return one, one.plug(), other.plug()


def test_a_null_network_swallows_everything() -> None:
    lan = Null()
    one, other = lan.plug(), lan.plug()
    one.send(Frame(ether(b"hello?")))
    assert one.sent == 1
    assert one.take() is other.take() is None


def three(lan: Switch) -> tuple[Port, Port, Port]:
    return lan.plug(), lan.plug(), lan.plug()


def heard(*ports: Port) -> list[int]:
    """How many frames each has received since the last call."""
    counts = [0] * len(ports)
    for place, port in enumerate(ports):
        while port.take():
            counts[place] += 1
    return counts


def test_a_switch_learns_where_everybody_is() -> None:
    ports = a, b, c = three(Switch())
    a.send(Frame(ether(b"", to=BOB, sender=ALICE)))
    assert heard(*ports) == [0, 1, 1]  # nobody knows Bob yet
    b.send(Frame(ether(b"", to=ALICE, sender=BOB)))
    assert heard(*ports) == [1, 0, 0]
    a.send(Frame(ether(b"", to=BOB, sender=ALICE)))
    assert heard(*ports) == [0, 1, 0]
    c.send(Frame(ether(b"", to=BROADCAST, sender=CAROL)))
    assert heard(*ports) == [1, 1, 0]
    c.send(Frame(ether(b"", to=b"\x01\0\x5e\0\0\1", sender=CAROL)))
    assert heard(*ports) == [1, 1, 0]


def test_a_frame_does_not_go_back_to_where_it_came_from() -> None:
    ports = a, _, _ = three(Switch())
    a.send(Frame(ether(b"", to=BROADCAST, sender=BOB)))
    assert heard(*ports) == [0, 1, 1]
    a.send(Frame(ether(b"", to=BOB, sender=ALICE)))
    assert heard(*ports) == [0, 0, 0]


def test_a_card_that_moves_is_found_where_it_speaks() -> None:
    ports = a, b, c = three(Switch())
    b.send(Frame(ether(b"", sender=BOB)))
    c.send(Frame(ether(b"", sender=BOB)))
    heard(*ports)
    a.send(Frame(ether(b"", to=BOB)))
    assert heard(*ports) == [0, 0, 1]
    c.close()
    a.send(Frame(ether(b"", to=BOB)))
    assert heard(*ports) == [0, 1, 0]


def test_nobody_can_claim_an_address_that_is_not_one_cards() -> None:
    ports = a, b, _ = three(Switch())
    b.send(Frame(ether(b"", to=ALICE, sender=BROADCAST)))
    heard(*ports)
    a.send(Frame(ether(b"", to=BROADCAST)))
    assert heard(*ports) == [0, 1, 1]


def test_a_switch_forgets_who_is_silent_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    ports = a, b, _ = three(Switch())
    b.send(Frame(ether(b"", sender=BOB)))
    heard(*ports)
    for later, expected in ((AGE - 1, [0, 1, 0]), (AGE + 1, [0, 1, 1])):
        now[0] = 1000.0 + later
        a.send(Frame(ether(b"", to=BOB)))
        assert heard(*ports) == expected


def test_a_switch_remembers_only_so_many_and_forgets_the_oldest() -> None:
    lan = Switch()
    ports = a, b, _ = three(lan)
    b.send(Frame(ether(b"", to=ALICE, sender=BOB)))
    for number in range(TABLE):
        a.send(Frame(ether(b"", to=BOB, sender=b"\2\1" + number.to_bytes(4, "big"))))
        heard(*ports)
    assert len(lan._table) == TABLE
    a.send(Frame(ether(b"", to=BOB, sender=ALICE)))
    assert heard(*ports) == [0, 1, 1]


def test_a_frame_that_everybody_may_take_as_it_is_travels_whole() -> None:
    a, b, c = three(Switch())
    frame = large(bytes(30000))
    a.send(frame)
    assert b.take() is c.take() is frame


def test_the_same_addresses_are_given_out_in_the_same_order() -> None:
    first, again, other = Switch(), Switch(), Switch(seed=3)
    macs = [port.mac.hex(":") for port in three(first)]
    assert macs == ["02:76:6e:62:00:01", "02:76:6e:62:00:02", "02:76:6e:62:00:03"]
    assert [port.mac.hex(":") for port in three(again)] == macs
    assert not {port.mac.hex(":") for port in three(other)} & set(macs)


def test_an_address_is_free_again_when_its_card_has_left() -> None:
    lan = Switch()
    a, b, _ = three(lan)
    b.close()
    assert lan.plug().mac == b.mac
    assert lan.plug(mac=b"\2\2\2\2\2\2").mac == b"\2" * 6
    with pytest.raises(UsageError, match="mac='02:02:02:02:02:02': another card on switch with"):
        lan.plug(mac=b"\2" * 6)
    a.close()
    assert lan.plug(mac=a.mac).mac == a.mac


def test_a_card_may_leave_just_when_a_frame_arrives() -> None:
    """Its machine closes it on one thread while another machine sends to it on its own."""
    lan = Loop()
    card = lan.plug()
    heard = []

    class Leaving:
        def __bool__(self) -> bool:
            card.close()
            return True

        def __call__(self) -> None:
            heard.append("a frame")

    card.on_change = Leaving()
    lan.plug().send(Frame(ether(b"late")))
    assert heard == ["a frame"] and lan.ports[0] is not card


# Worse than the host is.


def test_loss_is_as_frequent_as_asked_and_the_same_for_the_same_seed() -> None:
    survivors = []
    for seed in (1, 1, 2):
        lan = Switch(loss=0.25, seed=seed)
        a, b = lan.plug(), lan.plug()
        found = []
        for number in range(4000):
            a.send(Frame(ether(number.to_bytes(4, "big"))))
            found += [frame.data for frame in iter(b.take, None)]
        assert 0.22 < lan.lost / 4000 < 0.28
        survivors.append(found)
    assert survivors[0] == survivors[1] != survivors[2]


def test_with_loss_large_frames_travel_in_pieces() -> None:
    lan = Switch(loss=1e-9)
    a, b = lan.plug(), lan.plug()
    a.send(large(bytes(5000), 1000))
    assert [len(judge(frame.data).payload) for frame in received(b, 5)] == [1000] * 5


def test_latency_is_the_time_under_way_and_order_stays() -> None:
    lan = Switch(latency=0.05)
    a, b = lan.plug(), lan.plug()
    began = time.monotonic()
    for number in range(100):
        a.send(Frame(ether(bytes((number,)))))
    assert b.take() is None
    found = received(b, 100)
    assert 0.05 <= time.monotonic() - began < 5
    assert [frame.data[14] for frame in found] == list(range(100))


def test_a_frame_that_is_due_sooner_does_not_wait_for_one_that_is_due_later() -> None:
    lan = Switch(latency=1)
    a, b = lan.plug(), lan.plug()
    a.send(Frame(ether(b"slow")))
    lan.latency = 0.01
    a.send(Frame(ether(b"quick")))
    assert [frame.data[14:] for frame in received(b, 2)] == [b"quick", b"slow"]


def test_bandwidth_is_what_gets_through_and_the_rest_waits_or_is_lost() -> None:
    lan = Switch(bandwidth=2.5e6)
    a, b = lan.plug(), lan.plug()
    began = time.monotonic()
    for _ in range(LIMIT + 100):
        a.send(Frame(ether(bytes(1236))))  # 1250 bytes: four milliseconds each
    assert 0 < lan.lost <= 100
    sent = LIMIT + 100 - lan.lost
    received(b, sent)
    assert time.monotonic() - began >= sent * 0.004
    assert b.received == sent


def test_a_wire_holds_only_so_much() -> None:
    lan = Switch(latency=0.5)
    a, _ = lan.plug(), lan.plug()
    frame = large(bytes(60000))
    for _ in range(500):
        a.send(frame)
    assert lan.lost == 500 - (16 << 20) // len(frame.data)


def test_a_switch_can_be_made_better_and_worse_while_it_is_used() -> None:
    lan = Switch()
    a, b = lan.plug(), lan.plug()
    lan.loss = 1
    a.send(Frame(ether(b"lost")))
    lan.loss = 0
    a.send(Frame(ether(b"found")))
    assert b.take() == Frame(ether(b"found"))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *(("loss", value) for value in (-0.1, 1.1, float("nan"))),
        *(("latency", value) for value in (-1, 61, float("nan"))),
        *(("bandwidth", value) for value in (0, 999, -1e6, float("nan"))),
        *(("seed", value) for value in (-1, 128, 0.5)),
    ],
)
def test_an_impossible_switch_is_refused_by_name(argument: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{argument}="):
        Switch(**{argument: value})  # type: ignore[arg-type]


def test_the_thread_of_a_slow_switch_ends_when_it_has_nothing_to_do() -> None:
    def threads() -> int:
        return sum(thread.name == "vnb-delay" for thread in threading.enumerate())

    until(lambda: threads() == 0)
    lan = Switch(latency=0.001)
    a, b = lan.plug(), lan.plug()
    for _ in range(2):
        a.send(Frame(ether(b"")))
        received(b)
        assert threads() == 1
        until(lambda: threads() == 0)


def test_a_network_says_what_it_is() -> None:
    lan = Switch()
    assert str(lan) == "switch with 0 cards"
    assert repr(lan) == "<switch with 0 cards>"
    lan.plug()
    assert str(lan) == "switch with 1 card"
    assert str(Null()) == "null"


# Captures.


def test_a_capture_is_what_passed_in_order_and_in_time(tmp_path: Path) -> None:
    lan = Switch()
    a, b = lan.plug(), lan.plug()
    before = time.time_ns()
    with lan.capture(tmp_path / "trace.pcap") as capture:
        a.send(Frame(ether(b"one")))
        b.send(large(bytes(2500), 1000))
        found = read(tmp_path / "trace.pcap")  # while it is being written
    assert [data for _, data in found[:1]] == [ether(b"one")]
    assert [len(judge(data).payload) for _, data in found[1:]] == [1000, 1000, 500]
    times = [moment for moment, _ in found]
    assert before <= times[0] <= times[-1] <= time.time_ns()
    assert times == sorted(times)
    assert "closed" in repr(capture)
    a.send(Frame(ether(b"later")))
    assert read(tmp_path / "trace.pcap") == found


def test_a_captured_network_is_captured_from_its_first_frame(tmp_path: Path) -> None:
    lan = Switch()
    a, b = Pcap(lan, tmp_path / "a.pcap").plug(), lan.plug()
    b.send(Frame(ether(b"to a")))
    a.send(Frame(ether(b"from a")))
    assert [data for _, data in read(tmp_path / "a.pcap")] == [ether(b"to a"), ether(b"from a")]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_a_full_disk_ends_the_capture_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    lan = Switch()
    a, b = lan.plug(), lan.plug()
    capture = lan.capture("/dev/full")
    for _ in range(3):
        a.send(Frame(ether(b"hello")))
        assert b.take() == Frame(ether(b"hello"))
    assert "No space left" in capture.failure
    assert "No space left" in repr(capture)
    assert len(caplog.records) == 1


def test_a_capture_that_cannot_be_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"path='.*nowhere/x\.pcap': no such file or directory"):
        Capture(tmp_path / "nowhere" / "x.pcap")


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in Linux's /proc")
def test_captures_that_nobody_keeps_let_go_of_their_files(tmp_path: Path) -> None:
    before = descriptors()
    for number in range(10):
        port = Switch().plug()
        port.capture(tmp_path / f"{number}.pcap")
        port.close()
    del port
    assert descriptors() <= before
