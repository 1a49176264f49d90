"""A network interface of the host's own: what a guest sends comes out of it, and back (Linux)."""

import errno
import os
import select
import struct
import sys
import threading

from vnb.errors import UsageError
from vnb.frame import HEADER, LARGEST, Frame, parse
from vnb.host.ether.port import Ethernet, Port

CLONE = "/dev/net/tun"

# Linux's if_tun.h and sockios.h: requests, and the flags of the first and the third.
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x4004_54CA, 0x4004_54D0, 0x4004_54D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, TUN_F_TSO_ECN = 1, 2, 4, 8
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1

INTERFACE = struct.Struct("16sH22x")
LONGEST_NAME = 15
PATIENCE = 1.0


class Tap(Ethernet):
    """The host's interface `name`, made if there is none, for one machine or a switch to join.

    It needs Linux, /dev/net/tun and the right to make interfaces, or one that was made for this
    user: `sudo ip tuntap add dev vnb0 mode tap user $USER`. Give it an address on the host with
    `ip addr add 10.0.0.254/24 dev vnb0`. One that was made here is gone with the last machine.
    """

    most = 1

    def __init__(self, name: str = "vnb0") -> None:
        if not isinstance(name, str) or not name.isascii() or not 1 <= len(name) <= LONGEST_NAME:
            raise UsageError(f"name={name!r}: an interface's name has 1 to {LONGEST_NAME} letters")
        super().__init__(0xFD00 | sum(name.encode()) & 0xFF)
        self.name = name
        self._fd = -1
        self._lock = threading.Lock()  # between those who write and the one who closes
        self._thread: threading.Thread | None = None

    def plug(self, mac: bytes | None = None) -> Port:
        """As every network; UsageError too where the host does not allow it."""
        port = super().plug(mac)
        try:
            self._fd = self._open()
        except OSError as error:
            super().unplug(port)
            raise UsageError(f"name={self.name!r}: {_in_words(error)}") from error
        self.up = True
        self._ear, self._bell = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="vnb-tap", daemon=True)
        self._thread.start()
        return port

    def unplug(self, port: Port) -> None:
        """The card has left: let go of the interface."""
        super().unplug(port)
        if self._thread is not None:
            os.close(self._bell)
            self._thread.join(PATIENCE)
            self._thread = None
            os.close(self._ear)
            with self._lock:
                os.close(self._fd)
                self._fd = -1

    def forward(self, port: Port, frame: Frame) -> None:
        """The host's kernel takes frames as they are, with what is left to be done to them."""
        with self._lock:
            try:
                os.writev(self._fd, (frame.header(), frame.data))
            except OSError:
                port.dropped += 1  # its queue is full, or the interface is down

    def _open(self) -> int:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "there are no taps but on Linux")
        import fcntl
        import socket

        fd = os.open(CLONE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            name = self.name.encode()
            fcntl.ioctl(fd, TUNSETIFF, INTERFACE.pack(name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", HEADER.size))
            fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
                asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, INTERFACE.pack(name, 0))
                flags = INTERFACE.unpack(asked)[1]
                if not flags & IFF_UP:
                    fcntl.ioctl(any_socket, SIOCSIFFLAGS, INTERFACE.pack(name, flags | IFF_UP))
        except OSError:
            os.close(fd)
            raise
        return fd

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._fd, self._ear], [], [])
            if self._ear in ready:
                return
            try:
                data = os.read(self._fd, HEADER.size + LARGEST)
            except BlockingIOError:
                continue  # the interface went down in between
            except OSError:  # somebody has taken the interface away
                return self._rise(False)
            frame = parse(data[: HEADER.size], data[HEADER.size :])
            if frame:
                for port in self.ports:
                    port.deliver(frame)

    def __str__(self) -> str:
        return f"tap {self.name}"


def _in_words(error: OSError) -> str:
    match error.errno:
        case errno.EPERM | errno.EACCES:
            return (
                "no permission to use it; have it made for you with"
                " `sudo ip tuntap add dev NAME mode tap user $USER`, and set up"
            )
        case errno.ENOENT:
            return f"this host has no {CLONE}"
        case errno.EBUSY:
            return "another program uses it"
    return error.strerror or str(error)
