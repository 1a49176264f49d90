"""The host's own interface: what a card sends comes out of it, and back, where that is allowed."""

import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.ether import large
from tests.descriptors import descriptors
from tests.frames import ether
from tests.patience import until
from tests.taps import take_away, tap
from vnb.errors import UsageError
from vnb.frame import Frame
from vnb.host.ether import Port, Tap

ANY_PROTOCOL = socket.htons(3)


@pytest.fixture
def lan() -> Tap:
    return tap()


@pytest.fixture
def card(lan: Tap) -> Iterator[Port]:
    threads = set(threading.enumerate())
    files = descriptors()
    port = lan.plug()
    yield port
    port.close()
    assert set(threading.enumerate()) <= threads
    assert descriptors() <= files
    assert not Path(f"/sys/class/net/{lan.name}").exists()


def test_frames_pass_between_a_card_and_the_host(lan: Tap, card: Port) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, ANY_PROTOCOL) as outside:
        outside.bind((lan.name, 0))
        outside.settimeout(10)
        card.send(Frame(ether(b"from the card")))
        while outside.recv(2000) != ether(b"from the card"):
            pass  # the host's kernel has something to say on every interface
        outside.send(ether(b"from the host"))
        until(lambda: card.take() == Frame(ether(b"from the host")))


def test_the_host_takes_large_frames_whole(lan: Tap, card: Port) -> None:
    def counted(what: str) -> int:
        return int(Path(f"/sys/class/net/{lan.name}/statistics/{what}").read_text())

    packets, size = counted("rx_packets"), counted("rx_bytes")
    card.send(large(bytes(30000), 1448))
    assert counted("rx_packets") == packets + 1
    assert counted("rx_bytes") > size + 30000
    assert card.dropped == 0


def test_only_one_card_and_one_program_has_it(lan: Tap, card: Port) -> None:
    with pytest.raises(UsageError, match=f"name='{lan.name}': another program uses it"):
        Tap(lan.name).plug()
    with pytest.raises(UsageError, match=r"no more than 1 at a time.*Switch\(\)"):
        lan.plug()


def test_a_tap_can_be_plugged_into_again(lan: Tap, card: Port) -> None:
    card.close()
    again = lan.plug()
    again.send(Frame(ether(b"again")))
    assert again.sent == 1
    again.close()


def test_a_card_on_an_interface_that_was_taken_away_has_no_carrier(lan: Tap, card: Port) -> None:
    before = threading.active_count()
    take_away(lan.name)
    until(lambda: not card.carrier)
    until(lambda: threading.active_count() < before)
    card.send(Frame(ether(b"to nobody")))
    assert (card.sent, card.dropped) == (0, 0)
    card.close()
    again = lan.plug()
    assert again.carrier
    again.close()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.EPERM, "sudo ip tuntap add"),
        (errno.ENOENT, "this host has no /dev/net/tun"),
        (errno.EBUSY, "another program uses it"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_a_host_that_does_not_allow_it_is_told_of_in_words(
    code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "open", refuse)
    lan = Tap("vnb0")
    with pytest.raises(UsageError, match=f"name='vnb0': .*{says}"):
        lan.plug()
    assert lan.ports == ()


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UsageError, match="no taps but on Linux"):
        Tap().plug()


@pytest.mark.parametrize("name", ["", "a-name-of-16-char", "ünlaut", 5])
def test_a_name_that_no_interface_can_have_is_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="name="):
        Tap(name)
