"""A network card as a cell asks for it: what it becomes, and what it cannot be."""

from typing import Any

import pytest

from vnb import Machine, UsageError, images
from vnb.config import Net
from vnb.host.ether import Loop, Pcap, Stream, Switch


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("lan", Switch, r"Switch\(\), with brackets"),
        ("lan", "eth0", r"Switch\(\)"),
        *(
            ("mac", value, "whose first byte is even")
            for value in ("", "02:00", "02-00-00-00-00-01")
        ),
        *(
            ("mac", value, "even")
            for value in ("01:00:5e:00:00:01", "00:00:00:00:00:00", b"\2" * 6)
        ),
        *(("mtu", value, "from 68 to 65535") for value in (67, 65536, "1500", True, 1500.0)),
        *(("address", value, "10.0.0.1/24") for value in ("10.0.0.1", "10.0.0.256/24", "", 5)),
        *(("address", value, "10.0.0.1/24") for value in ("10.0.0.1/33", "a b/24", "fd00::1")),
        ("transport", "usb", "'mmio', 'pci'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=f"{name}=.*{says}"):
        Net(**{name: value})


def test_a_card_is_what_the_cell_says() -> None:
    lan = Switch()
    net = Net(lan, mac="02:00:00:AB:cd:01", mtu=9000, address="10.0.0.1/24")
    port = net.open()
    assert port.mac == bytes.fromhex("020000abcd01")
    assert lan.ports == (port,)
    assert net.append("eth1") == "vnb.ip=eth1=10.0.0.1/24"
    assert Net(lan, address="fd00::1/64").append("eth0") == "vnb.ip=eth0=fd00::1/64"
    assert Net(lan).append("eth0") == ""
    config = net.device(port, "eth1", lambda count: bytes(count)).config
    assert config[:6] == port.mac
    assert int.from_bytes(config[10:12], "little") == 9000


def test_a_card_without_a_network_has_no_carrier() -> None:
    assert not Net().open().carrier
    assert Net(Switch()).open().carrier


def test_it_says_what_it_is() -> None:
    lan = Switch()
    Net(lan).open()
    assert str(Net(lan)) == "network card on switch with 1 card"
    assert str(Net()) == "network card without a cable"
    assert str(Net(Loop())) == "network card on loop"
    assert str(Net(Stream("h:1"))) == "network card on stream h:1 (not in use)"


def test_a_captured_network_names_its_file(tmp_path: Any) -> None:
    path = tmp_path / "trace.pcap"
    assert (
        str(Net(Pcap(Switch(), path))) == f"network card on switch with 0 cards, captured in {path}"
    )


@pytest.mark.parametrize("transport", ["mmio", "pci"])
def test_machines_have_their_cards_by_name_until_they_are_closed(transport: Any) -> None:
    lan = Switch()
    machines = [
        Machine(images.labos(), devices=[Net(lan), Net(lan)], transport=transport) for _ in "ab"
    ]
    macs = [machine.devices[name].mac for machine in machines for name in ("eth0", "eth1")]
    assert len(set(macs)) == 4 == len(lan.ports)
    machines[0].start()
    machines[0].reset()
    assert [machines[0].devices[name].mac for name in ("eth0", "eth1")] == macs[:2]
    for machine in machines:
        machine.close()
    assert lan.ports == ()


def test_two_cards_cannot_have_one_address() -> None:
    lan = Switch()
    mac = "02:00:00:00:00:09"
    with pytest.raises(UsageError, match=f"mac='{mac}': another card on switch with 1 card has it"):
        Machine(images.labos(), devices=[Net(lan, mac=mac), Net(lan, mac=mac)])
    assert lan.ports == ()
