"""A network interface of the host's for a test, or the reason why there is none."""

import os
import socket
import struct
import sys
from itertools import count

import pytest

from vnb.errors import UsageError
from vnb.host.ether import Tap

NUMBERS = count()

RTM_DELLINK, REQUEST_ACK = 17, 5


def tap() -> Tap:
    """A new one; skips the test where the host has none to lend."""
    if sys.platform != "linux":
        pytest.skip("only Linux has taps")
    lan = Tap(f"vnbt{os.getpid() % 100000}n{next(NUMBERS)}")
    try:
        lan.plug().close()
    except UsageError as error:
        if "no permission" in str(error) or "has no /dev/net/tun" in str(error):
            pytest.skip(f"taps cannot be tested here: {error}")
        raise
    return lan


def take_away(name: str) -> None:
    """Delete the interface, as `ip link delete` does [rtnetlink(7)]."""
    link = struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(link), RTM_DELLINK, REQUEST_ACK, 1, 0) + link)
        (error,) = struct.unpack_from("=i", kernel.recv(4096), 16)
    assert error == 0, os.strerror(-error)
