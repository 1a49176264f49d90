"""A network at the other end of a socket, framed as QEMU's `-netdev socket` and `stream` do it."""

import errno
import logging
import os
import selectors
import socket
import stat
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from vnb.errors import HostError, UsageError
from vnb.frame import LARGEST, SMALLEST, Frame
from vnb.host.ether.port import LIMIT, Ethernet, Port

log = logging.getLogger(__name__)

Address = tuple[str, int] | str

LENGTH = struct.Struct(">I")
CHUNK = 1 << 16
SOON, LATER = 0.05, 2.0
"""Seconds between attempts to connect: at first, and at most, doubled each time."""
PATIENCE = 1.0
"""Seconds that one attempt, and the end of the thread, may take."""


class Unframer:
    """Turns a stream of bytes, however it arrives in pieces, into the frames that it is made of."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that end in `data`; HostError if these are no frames.

        What is too short for a frame is passed over, as a network card does.
        """
        self._bytes += data
        place = 0
        while len(self._bytes) >= place + LENGTH.size:
            (length,) = LENGTH.unpack_from(self._bytes, place)
            if length > LARGEST:
                raise HostError(
                    f"a frame of {length} bytes: the other side does not speak QEMU's framing"
                )
            begin = place + LENGTH.size
            if len(self._bytes) < begin + length:
                break
            place = begin + length
            if length >= SMALLEST:
                yield bytes(self._bytes[begin:place])
        del self._bytes[:place]


class Stream(Ethernet):
    """One machine's cable to another program, over TCP ("host:port") or a Unix socket (a path).

    It connects to the address, or waits there for one at a time who does, and does so again
    whenever the connection ends; `state` says in words how it stands. The card sees a carrier
    while there is a connection. On the other end may be another Stream, or QEMU with
    `-netdev socket,id=n,connect=host:port` or `listen=`.
    """

    up = False
    most = 1

    def __init__(self, address: str, listen: bool = False) -> None:
        super().__init__(0xFE01 if listen else 0xFF01)
        self._where, self._family = _parsed(address)
        self._listen = listen
        self.address = address
        self.state = "not in use"
        self._queue: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def plug(self, mac: bytes | None = None) -> Port:
        """As every network; UsageError too if nobody can wait at this address."""
        port = super().plug(mac)
        try:
            server = self._bind() if self._listen else None
        except OSError as error:
            super().unplug(port)
            raise UsageError(f"address={self.address!r}: {error.strerror or error}") from error
        self.state = "waiting" if server else "connecting"
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._thread = threading.Thread(
            target=self._serve, args=(server, self._ear), name="vnb-stream", daemon=True
        )
        self._thread.start()
        return port

    def unplug(self, port: Port) -> None:
        """The card has left: end the connection."""
        super().unplug(port)
        if self._thread is not None:
            thread, self._thread = self._thread, None
            self._ring()
            thread.join(PATIENCE)
            self._bell.close()
            self.state = "not in use"

    def forward(self, port: Port, frame: Frame) -> None:
        """Send it as plain frames; those that find LIMIT others waiting are dropped."""
        for data in frame.plain():
            with self._lock:
                if len(self._queue) >= LIMIT:
                    port.dropped += 1
                    continue
                self._queue.append(data)
        self._ring()

    def _ring(self) -> None:
        """Make the thread look."""
        with suppress(OSError):  # full: it has been rung often enough
            self._bell.send(b"!")

    def _bind(self) -> socket.socket:
        server = socket.socket(self._family)
        try:
            if self._family == socket.AF_UNIX:
                _remove(self._where, unless_served=True)
            else:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(self._where)
            server.listen(1)
        except OSError:
            server.close()
            raise
        if self._family != socket.AF_UNIX:
            host, number = server.getsockname()[:2]
            self.address = f"{host}:{number}"
        return server

    # What only its thread does.

    @property
    def _closing(self) -> bool:
        """Whether the thread that asks is to end: it may be late, and another one be there."""
        return threading.current_thread() is not self._thread

    def _serve(self, server: socket.socket | None, ear: socket.socket) -> None:
        pause = SOON
        while not self._closing:
            try:
                connection = self._accepted(server, ear) if server else self._connected()
                with connection:
                    pause = SOON
                    self._say(f"connected to {_who(connection, self.address)}", up=True)
                    self._talk(connection, ear)
                    reason = "the other side has gone"
            except (OSError, HostError) as error:
                reason = str(getattr(error, "strerror", None) or error)
            self._say(f"{reason}; {'waiting' if server else 'trying again'}", up=False)
            if not server:
                self._rest(ear, pause)
                pause = min(2 * pause, LATER)
        if server:
            server.close()
            _remove(self._where)
        self._say("not in use", up=False)
        ear.close()

    def _say(self, state: str, up: bool) -> None:
        if self._closing and self._thread is not None:
            return  # another thread says how it stands
        if state != self.state:
            log.info("stream %s: %s", self.address, state)
        self.state = state
        with self._lock:
            self._queue.clear()
        if up != self.up:
            self._rise(up)

    def _connected(self) -> socket.socket:
        connection = socket.socket(self._family)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(self._where)
            # Where nobody listens at one of the ports that the host also gives out to those who
            # connect, TCP may give out that very port, and then connects it with itself.
            if (
                self._family != socket.AF_UNIX
                and connection.getsockname() == connection.getpeername()
            ):
                raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        except OSError:
            connection.close()
            raise
        return connection

    def _accepted(self, server: socket.socket, ear: socket.socket) -> socket.socket:
        """The next who connects; HostError if this is to end before."""
        with selectors.DefaultSelector() as ready:
            ready.register(server, selectors.EVENT_READ)
            ready.register(ear, selectors.EVENT_READ)
            while not self._closing:
                for key, _ in ready.select():
                    if key.fileobj is server:
                        return server.accept()[0]
                    ear.recv(CHUNK)
        raise HostError("not in use")

    def _rest(self, ear: socket.socket, seconds: float) -> None:
        """Wait before the next attempt; frames meanwhile are nobody's."""
        until = time.monotonic() + seconds
        while not self._closing and (left := until - time.monotonic()) > 0:
            ear.settimeout(left)
            try:
                ear.recv(CHUNK)
            except TimeoutError:
                break

    def _talk(self, connection: socket.socket, ear: socket.socket) -> None:
        """Move frames both ways until one side has gone."""
        connection.setblocking(False)
        if self._family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        unframer, left = Unframer(), b""
        with selectors.DefaultSelector() as ready:
            ready.register(ear, selectors.EVENT_READ)
            ready.register(connection, selectors.EVENT_READ)
            while not self._closing:
                left = self._push(connection, left)
                write = selectors.EVENT_WRITE if left else 0
                ready.modify(connection, selectors.EVENT_READ | write)
                for key, events in ready.select():
                    if key.fileobj is ear:
                        ear.recv(CHUNK)
                    elif events & selectors.EVENT_READ:
                        data = connection.recv(CHUNK)
                        if not data:
                            return
                        for frame in unframer.feed(data):
                            for port in self.ports:
                                port.deliver(Frame(frame))

    def _push(self, connection: socket.socket, left: bytes) -> bytes:
        """Write what there is; what did not go out of the last piece."""
        while True:
            if not left:
                with self._lock:
                    frames = list(self._queue)
                    self._queue.clear()
                if not frames:
                    return b""
                left = b"".join(LENGTH.pack(len(data)) + data for data in frames)
            try:
                left = left[connection.send(left) :]
            except BlockingIOError:
                return left

    def __str__(self) -> str:
        return f"stream {self.address} ({self.state})"


def _parsed(address: str) -> tuple[Address, socket.AddressFamily]:
    """What a socket calls the address; UsageError if that is neither of the two kinds."""
    if isinstance(address, str) and "/" in address:
        return address, socket.AF_UNIX
    host, colon, number = address.rpartition(":") if isinstance(address, str) else ("", "", "")
    if not colon or not number.isdecimal() or int(number) > 0xFFFF:
        raise UsageError(
            f'address={address!r}: give "host:port", or the path of a Unix socket with a / in it'
        )
    host = host.strip("[]") or "127.0.0.1"
    return (host, int(number)), socket.AF_INET6 if ":" in host else socket.AF_INET


def _who(connection: socket.socket, address: str) -> str:
    """The other side's address in words."""
    peer = connection.getpeername()
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else address


def _remove(path: Address, unless_served: bool = False) -> None:
    """Take away a Unix socket's name, which does not go with the socket."""
    with suppress(FileNotFoundError):
        if isinstance(path, str) and stat.S_ISSOCK(os.stat(path).st_mode):
            if unless_served:
                with socket.socket(socket.AF_UNIX) as client:
                    if client.connect_ex(path) == 0:
                        return
            os.unlink(path)
