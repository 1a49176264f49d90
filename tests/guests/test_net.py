"""Two Debian machines on one switch, one on each transport: they talk, and lose their cables."""

import random
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.frames import judge, ones_sum
from tests.pcap import read
from tests.taps import tap
from vnb import Machine, images
from vnb.config import Console, Net, Part, Share
from vnb.frame import Frame
from vnb.host.ether import Loop, Stream, Switch

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("net"), pytest.mark.timeout(300)]

LATENCY = 0.02
DATA = random.Random(3).randbytes(4 << 20)
"""What is sent; its hash comes back."""

SERVERS = (
    "cp /mnt/share/data /tmp; httpd -p 80 -h /tmp; nc -ll -p 5000 -e sha256sum >/dev/null 2>&1 &"
)


def boot(image: images.Image, *parts: Part, transport: str = "mmio") -> Machine:
    machine = Machine(image, memory="192M", devices=[Console(), *parts], transport=transport)
    return machine.start()


@pytest.fixture(scope="module")
def lan() -> Switch:
    return Switch()


@pytest.fixture(scope="module")
def pair(debian: images.Image, lan: Switch) -> Iterator[tuple[Machine, Machine]]:
    """10.0.0.1 on MMIO and 10.0.0.2 on PCI; a second card of each is on a slow network."""
    slow = Switch(latency=LATENCY, seed=1)
    machines = [
        boot(
            debian,
            Share({"data": DATA}, tag="share"),
            Net(lan, address=f"10.0.0.{number}/24"),
            Net(slow, mtu=9000, address=f"10.0.1.{number}/24"),
            transport=transport,
        )
        for number, transport in ((1, "mmio"), (2, "pci"))
    ]
    for machine in machines:
        machine.shell(SERVERS, timeout=120, check=True)
    yield machines[0], machines[1]
    for machine in machines:
        machine.close()


def pinged(machine: Machine, address: str, options: str = "-c 1 -W 5") -> bool:
    return machine.shell(f"ping {options} {address}", timeout=60).status == 0


def test_each_card_is_what_the_cell_asked_for(pair: tuple[Machine, Machine]) -> None:
    for machine, number in zip(pair, (1, 2), strict=True):
        for name, network, mtu in (("eth0", 0, 1500), ("eth1", 1, 9000)):
            told = machine.shell(f"ip address show {name}").stdout
            assert f"inet 10.0.{network}.{number}/24" in told
            assert f"ether {machine.devices[name].mac.hex(':')}" in told
            assert f"mtu {mtu} " in told


def test_they_answer_each_other(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    assert pinged(one, "10.0.0.2", "-c 3 -W 5")
    assert pinged(two, "10.0.0.1", "-c 3 -W 5")


@pytest.mark.parametrize("sender", [0, 1])
def test_what_tcp_carries_arrives_byte_for_byte(pair: tuple[Machine, Machine], sender: int) -> None:
    command = f"nc 10.0.0.{2 - sender} 5000 </tmp/data"
    told = pair[sender].shell(command, timeout=120, check=True).stdout
    assert told.split()[0] == sha256(DATA).hexdigest()


@pytest.mark.parametrize("sender", [0, 1])
def test_large_frames_travel_whole_and_are_captured_in_pieces(
    pair: tuple[Machine, Machine], lan: Switch, sender: int, tmp_path: Path
) -> None:
    """A web server gives its kernel much at a time, and the kernel its card."""
    stats, mac = pair[sender].stats["eth0"], pair[sender].devices["eth0"].mac
    before = stats["frames sent"]
    command = f"wget -q -O - http://10.0.0.{1 + sender}/data | sha256sum"
    with lan.capture(tmp_path / "web.pcap"):
        told = pair[1 - sender].shell(command, timeout=120, check=True).stdout
    assert told.split()[0] == sha256(DATA).hexdigest()
    packets = [data for _, data in read(tmp_path / "web.pcap") if data[12:14] == b"\x08\0"]
    pieces = [data for data in packets if data[6:12] == mac]
    assert max(map(len, pieces)) == 1514
    assert sum(len(judge(data).payload) for data in pieces) > len(DATA)
    frames = stats["frames sent"] - before
    print(f"{len(pieces)} pieces in {frames} frames")
    assert frames < len(pieces) * 3 / 4


def test_jumbo_frames_and_latency_are_seen_in_the_guest(pair: tuple[Machine, Machine]) -> None:
    told = pair[0].shell("ping -c 3 -s 8900 10.0.1.2", timeout=60, check=True).stdout
    least = float(told.rsplit("= ")[-1].split("/")[0])
    assert least >= 2 * LATENCY * 1000


def test_a_pulled_cable_is_seen_and_so_is_its_return(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    cable = one.devices["eth0"]
    for there in (False, True):
        cable.carrier = there
        seen = f"[ $(cat /sys/class/net/eth0/carrier) = {there:d} ]"
        one.shell(f"until {seen}; do usleep 10000; done", timeout=30, check=True)
        patience = "-c 5 -W 10" if there else "-c 1 -W 1"
        assert pinged(one, "10.0.0.2", patience) is there
        assert pinged(two, "10.0.0.1", patience) is there


def test_a_connection_outlives_a_pulled_cable(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    one.shell("(nc 10.0.0.2 5000 </tmp/data >/tmp/told) >/dev/null 2>&1 &", check=True)
    start = two.stats["eth0"]["received"]
    while two.stats["eth0"]["received"] - start < len(DATA) // 10:
        time.sleep(0.005)
    two.devices["eth0"].carrier = False
    time.sleep(0.3)
    assert two.stats["eth0"]["received"] - start < len(DATA), "it was over before the cable went"
    two.devices["eth0"].carrier = True
    told = one.shell("until [ -s /tmp/told ]; do usleep 10000; done; cat /tmp/told", timeout=120)
    assert told.stdout.split()[0] == sha256(DATA).hexdigest()


def test_a_capture_shows_the_question_and_the_answer(
    pair: tuple[Machine, Machine], lan: Switch, tmp_path: Path
) -> None:
    with lan.capture(tmp_path / "ping.pcap"):
        assert pinged(pair[0], "10.0.0.2")
    echoes = [
        data[34:]
        for _, data in read(tmp_path / "ping.pcap")
        if data[12:14] + data[23:24] == b"\x08\0\1"
    ]
    assert [echo[0] for echo in echoes] == [8, 0]
    assert {ones_sum(echo) for echo in echoes} == {0xFFFF}


def test_an_address_that_the_guest_gives_its_card_is_heard(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    mac = one.devices["eth0"].mac.hex(":")
    for address in ("02:00:00:00:00:77", mac):
        one.shell(f"ip link set eth0 address {address}", check=True)
        assert pinged(one, "10.0.0.2")
        two.shell("ip neigh flush dev eth0", check=True)
        assert pinged(two, "10.0.0.1")
        assert address in two.shell("ip neigh show 10.0.0.1").stdout


def test_the_network_is_there_again_after_a_reset(pair: tuple[Machine, Machine]) -> None:
    one, two = pair
    one.reset()
    one.shell(SERVERS, timeout=120, check=True)
    assert pinged(one, "10.0.0.2", "-c 3 -W 5")
    assert pinged(two, "10.0.0.1", "-c 3 -W 5")


def test_a_driver_can_be_taken_off_its_card_and_put_back(pair: tuple[Machine, Machine]) -> None:
    one, _ = pair
    driver = "/sys/bus/virtio/drivers/virtio_net"
    one.shell(
        f"card=$(basename $(readlink -f /sys/class/net/eth0/device)); echo $card >{driver}/unbind;"
        f" echo $card >{driver}/bind; ip address add 10.0.0.1/24 dev eth0; ip link set eth0 up",
        check=True,
    )
    assert pinged(one, "10.0.0.2", "-c 3 -W 5")


@pytest.mark.skipif(
    shutil.which("qemu-system-riscv64") is None, reason="qemu-system-riscv64 is not on PATH"
)
@pytest.mark.parametrize(
    ("netdev", "listens"),
    [
        ("socket,id=n,listen=127.0.0.1:{}", True),
        ("socket,id=n,connect=127.0.0.1:{}", False),
        ("stream,id=n,server=off,addr.type=inet,addr.host=127.0.0.1,addr.port={}", False),
    ],
)
def test_a_machine_of_qemus_is_on_the_same_network(
    pair: tuple[Machine, Machine],
    lan: Switch,
    debian: images.Image,
    netdev: str,
    listens: bool,
    tmp_path: Path,
) -> None:
    """Over both of QEMU's kinds of stream, whichever side listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert isinstance(debian.payload, Path)
    assert isinstance(debian.initrd, Path)
    stream = Stream(f"127.0.0.1:{number}", listen=not listens)
    with lan.join(stream):
        qemu = subprocess.Popen(
            [
                *("qemu-system-riscv64", "-M", "virt", "-m", "192M", "-display", "none"),
                *("-serial", "null", "-monitor", "none"),
                *("-kernel", debian.payload, "-initrd", debian.initrd),
                *("-append", f"{debian.append} vnb.ip=eth0=10.0.0.3/24"),
                *("-netdev", netdev.format(number)),
                *("-device", "virtio-net-device,netdev=n,mac=02:00:00:00:00:33"),
            ],
            stdout=(tmp_path / "qemu.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            end = time.monotonic() + 120
            while not pinged(pair[0], "10.0.0.3", "-c 1 -W 1"):
                assert time.monotonic() < end, (stream, (tmp_path / "qemu.log").read_text())
            assert pinged(pair[1], "10.0.0.3", "-c 3 -W 5 -s 1400")
            assert "connected to" in stream.state
        finally:
            qemu.kill()
            qemu.wait()
    assert stream.state == "not in use"


@pytest.mark.skipif(shutil.which("ip") is None, reason="ip, of iproute2, is not on PATH")
def test_a_tap_connects_the_guest_with_the_host(debian: images.Image) -> None:
    lan = tap()
    with boot(debian, Net(lan, address="10.97.5.1/24")) as machine:
        address = ["ip", "address", "add", "10.97.5.254/24", "dev", lan.name]
        subprocess.run(address, check=True, capture_output=True)
        with socket.create_server(("10.97.5.254", 0)) as server:
            server.settimeout(120)
            machine.shell("head -c 3000000 /dev/urandom >/tmp/data", timeout=120, check=True)
            host, number = server.getsockname()
            machine.shell(f"(nc {host} {number} </tmp/data >/tmp/told) >/dev/null 2>&1 &")
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                data = stream.read()
                connection.sendall(data[::-1])
        told = machine.shell("while pidof nc; do usleep 9999; done; sha256sum /tmp/data /tmp/told")
        digests = [line.split()[0] for line in told.stdout.splitlines() if "/tmp" in line]
        assert digests == [sha256(data).hexdigest(), sha256(data[::-1]).hexdigest()]
        assert len(data) == 3_000_000


def test_a_flood_costs_frames_and_nothing_else(debian: images.Image) -> None:
    """Broadcasts as fast as the host can, at a guest that has other things to do."""
    lan = Loop()
    with boot(debian, Net(lan, address="10.0.0.1/24")) as machine:
        machine.shell("true", timeout=120)
        outside = lan.plug()
        frame = Frame(b"\xff" * 6 + outside.mac + b"\x88\xb5" + bytes(1486))
        end = time.monotonic() + 3
        count = 0
        while time.monotonic() < end:
            outside.send(frame)
            count += 1
        assert machine.shell("echo alive", timeout=60).stdout == "alive\n"
        card = machine.devices["eth0"]
        assert card.received + card.dropped >= count
        print(f"{card.received} received and {card.dropped} dropped in 3 s")
