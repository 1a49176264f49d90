"""QEMU's framing over a socket: whatever arrives, however it is cut, and whoever hangs up."""

import random
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.ether import large, received
from tests.frames import ether, judge
from tests.patience import until
from vnb.errors import HostError, UsageError
from vnb.frame import LARGEST, Frame
from vnb.host.ether import LIMIT, Port, Stream
from vnb.host.ether.stream import Unframer


def framed(*frames: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


@pytest.fixture
def listening() -> Iterator[tuple[Stream, Port]]:
    stream = Stream("127.0.0.1:0", listen=True)
    card = stream.plug()
    yield stream, card
    card.close()
    assert stream.state == "not in use"


def connect(stream: Stream) -> socket.socket:
    host, number = stream.address.rsplit(":", 1)
    return socket.create_connection((host, int(number)), timeout=10)


def read(peer: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = peer.recv(count - len(data))
        assert piece, "the other side has gone"
        data += piece
    return data


def test_frames_are_found_however_the_stream_is_cut(rng: random.Random) -> None:
    frames = [rng.randbytes(rng.choice((14, 15, 60, 1514, 9000))) for _ in range(300)]
    stream = framed(*frames)
    for most in (1, 3, 100, 70_000):
        unframer, found, place = Unframer(), [], 0
        while place < len(stream):
            size = rng.randint(1, most)
            found += unframer.feed(stream[place : place + size])
            place += size
        assert found == frames


def test_what_is_too_short_is_passed_over_and_what_is_too_long_is_no_framing() -> None:
    sound = ether(b"sound")
    assert list(Unframer().feed(framed(b"", sound, b"x" * 13, sound))) == [sound, sound]
    assert list(Unframer().feed(framed(bytes(LARGEST)))) == [bytes(LARGEST)]
    for length in (LARGEST + 1, 0x7FFF_FFFF, 0xFFFF_FFFF):
        with pytest.raises(HostError, match=f"a frame of {length} bytes.*QEMU's framing"):
            list(Unframer().feed(struct.pack(">I", length)))


def test_a_peer_without_vnb_sends_and_receives(listening: tuple[Stream, Port]) -> None:
    stream, card = listening
    with connect(stream) as peer:
        peer.sendall(framed(ether(b"from outside")))
        assert received(card) == [Frame(ether(b"from outside"))]
        card.send(Frame(ether(b"from the card")))
        expected = framed(ether(b"from the card"))
        assert read(peer, len(expected)) == expected
        card.send(large(bytes(2500), 1000))
        for size in (1000, 1000, 500):
            (length,) = struct.unpack(">I", read(peer, 4))
            assert len(judge(read(peer, length)).payload) == size


def test_the_card_has_a_carrier_while_there_is_somebody(listening: tuple[Stream, Port]) -> None:
    stream, card = listening
    changes: list[bool] = []
    card.on_change = lambda: changes.append(card.carrier)
    assert not card.carrier
    assert str(stream).startswith("stream 127.0.0.1:")
    for _ in range(3):
        with connect(stream):
            until(lambda: card.carrier)
            assert "connected to 127.0.0.1" in stream.state
        until(lambda: not card.carrier)
        assert stream.state == "the other side has gone; waiting"
    assert changes == [True, False] * 3


def test_a_peer_that_speaks_something_else_is_hung_up_on(listening: tuple[Stream, Port]) -> None:
    stream, card = listening
    with connect(stream) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert peer.recv(1) == b""
    until(lambda: "QEMU's framing; waiting" in stream.state)
    with connect(stream) as peer:
        peer.sendall(framed(ether(b"better")))
        assert received(card) == [Frame(ether(b"better"))]


def test_a_peer_that_goes_in_the_middle_of_a_frame_leaves_no_half_of_it(
    listening: tuple[Stream, Port],
) -> None:
    stream, card = listening
    with connect(stream) as peer:
        peer.sendall(framed(ether(bytes(1000)))[:500])
    until(lambda: "gone" in stream.state)
    with connect(stream) as peer:
        peer.sendall(framed(ether(b"whole")))
        assert received(card) == [Frame(ether(b"whole"))]


def test_a_peer_that_does_not_read_costs_frames_and_no_memory(
    listening: tuple[Stream, Port],
) -> None:
    stream, card = listening
    with connect(stream):
        until(lambda: card.carrier)
        for _ in range(20_000):
            card.send(Frame(ether(bytes(9000))))
        assert card.dropped > 10_000
        assert len(stream._queue) <= LIMIT


def test_it_connects_as_soon_as_there_is_somebody_and_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    stream = Stream(address)
    card = stream.plug()
    until(lambda: "Connection refused; trying again" in stream.state)
    for _ in range(2):
        with socket.create_server(("127.0.0.1", int(address.rsplit(":")[1]))) as server:
            peer, _ = server.accept()
            until(lambda: card.carrier)
        with peer:
            peer.sendall(framed(ether(b"hello")))
            assert received(card) == [Frame(ether(b"hello"))]
        until(lambda: not card.carrier)
    card.close()
    assert stream.state == "not in use"


def test_an_attempt_that_ends_too_late_is_not_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a name is looked up for longer than who closes the machine waits."""
    connected, slow, looking_up = Stream._connected, threading.Event(), threading.Event()

    def connect_slowly(stream: Stream) -> socket.socket:
        if not looking_up.is_set():
            looking_up.set()
            assert slow.wait(10)
        return connected(stream)

    monkeypatch.setattr(Stream, "_connected", connect_slowly)
    monkeypatch.setattr("vnb.host.ether.stream.PATIENCE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = Stream(f"127.0.0.1:{server.getsockname()[1]}")
        card = stream.plug()
        late = stream._thread
        assert late is not None and looking_up.wait(10)
        card.close()
        monkeypatch.setattr("vnb.host.ether.stream.PATIENCE", 5)
        card = stream.plug()
        until(lambda: card.carrier)
        slow.set()
        late.join(10)
        assert not late.is_alive()
        assert card.carrier and "connected to" in stream.state
        card.close()


def test_it_does_not_take_itself_for_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """What TCP can do where nobody listens at a port of those that it gives out itself."""
    connect = socket.socket.connect

    def connect_from_there(self: socket.socket, address: tuple[str, int]) -> None:
        self.bind(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_from_there)
    with socket.create_server(("127.0.0.1", 0)) as free:
        stream = Stream(f"127.0.0.1:{free.getsockname()[1]}")
    card = stream.plug()
    until(lambda: "Connection refused" in stream.state)
    assert not card.carrier
    card.close()


def test_a_unix_socket_leaves_no_name_behind_and_minds_none(tmp_path: Path) -> None:
    path = tmp_path / "lan"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    card = Stream(str(path), listen=True).plug()
    assert path.is_socket()
    card.close()
    assert not path.exists()


def test_an_address_that_is_taken_is_refused_when_the_card_is_plugged_in(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        stream = Stream(f"127.0.0.1:{taken.getsockname()[1]}", listen=True)
        with pytest.raises(UsageError, match=r"address='127\.0.*': Address already in use"):
            stream.plug()
    assert stream.ports == ()
    (tmp_path / "file").touch()
    card = Stream(str(tmp_path / "served"), listen=True).plug()
    for name in ("file", "served"):
        with pytest.raises(UsageError, match="Address already in use"):
            Stream(str(tmp_path / name), listen=True).plug()
    assert (tmp_path / "served").is_socket()
    card.close()


def test_a_stream_has_one_card() -> None:
    stream = Stream("127.0.0.1:0", listen=True)
    card = stream.plug()
    with pytest.raises(UsageError, match=r"no more than 1 at a time.*Switch\(\)"):
        stream.plug()
    card.close()
    stream.plug().close()


@pytest.mark.parametrize("address", ["", "somewhere", "host:", "host:http", "h:65536", "h:-1", 5])
def test_an_address_that_is_none_is_refused_by_name(address: str) -> None:
    with pytest.raises(UsageError, match=r"address=.*host:port.*Unix socket"):
        Stream(address)
