"""The console in Debian: lines of the cell's own, terminals, sizes, and who has to wait."""

import base64
import hashlib
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import until
from vnb import Console, Machine, images
from vnb.config import Transport
from vnb.host.chars import Log, Pipe, Pty, Terminal
from vnb.virtio.console import EMERG_WR

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("console"), pytest.mark.timeout(300)]

PORT = "/dev/virtio-ports"
SCROLLBACK = 1 << 14


class Lines:
    """A machine with a line of each kind, and the host's ends of them."""

    def __init__(self, transport: Transport, folder: Path) -> None:
        self.far, self.near = socket.socketpair()
        self.far.settimeout(60)
        self.log, self.pty, self.second = Log(folder / "guest.log"), Pty(), Terminal(SCROLLBACK)
        ports = {
            "data": Pipe(self.near, self.near),
            "pty": self.pty,
            "hvc1": self.second,
            "log": self.log,
        }
        self.machine = Machine(
            images.debian(progress=False),
            memory="256M",
            devices=[Console(100, 30, ports)],
            append="iomem=relaxed",
            transport=transport,
        )

    def receive(self, count: int) -> bytes:
        """So many bytes of what the guest wrote to `data`."""
        found = b""
        while len(found) < count:
            found += self.far.recv(count - len(found))
        return found


@pytest.fixture(scope="module", params=["mmio", "pci"])
def lines(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lines]:
    lines = Lines(request.param, tmp_path_factory.mktemp("lines"))
    with lines.machine as machine:
        machine.shell("true", timeout=120)
        yield lines
    lines.far.close()
    lines.near.close()


def test_named_ports_are_devices_of_the_guest(lines: Lines) -> None:
    listed = lines.machine.shell(f"ls {PORT}").stdout.split()
    assert listed == ["data", "hvc1", "log", "pty", "vnb.agent"]


def test_what_the_guest_writes_to_a_port_arrives(lines: Lines) -> None:
    lines.machine.shell(f"printf 'to the host\\000\\377' > {PORT}/data", check=True)
    assert lines.receive(13) == b"to the host\0\xff"
    lines.machine.shell(f"echo logged > {PORT}/log", check=True)
    assert lines.log.path.read_bytes().endswith(b"logged\n")


def test_what_the_host_writes_to_a_port_arrives(lines: Lines) -> None:
    lines.far.sendall(b"to the guest\n")
    assert lines.machine.shell(f"head -n 1 {PORT}/data", timeout=60).stdout == "to the guest\n"


def test_a_megabyte_from_the_guest_waits_for_a_slow_reader(lines: Lines) -> None:
    count = 1 << 20
    command = f"seq 1 200000 | head -c {count} | tee /tmp/sent > {PORT}/data; sha256sum /tmp/sent"
    told: list[str] = []
    thread = threading.Thread(
        target=lambda: told.append(lines.machine.shell(command, timeout=120).stdout)
    )
    thread.start()
    time.sleep(1)
    assert not told  # the guest waits: nobody has read
    found = lines.receive(count)
    thread.join(120)
    assert told[0].split()[0] == hashlib.sha256(found).hexdigest()
    assert lines.machine.stats["console"]["sent"] >= count


def test_a_megabyte_to_the_guest_waits_for_a_slow_reader(lines: Lines) -> None:
    data = bytes(number % 251 for number in range(1 << 20))
    sender = threading.Thread(target=lines.far.sendall, args=(data,))
    sender.start()
    command = f"sleep 1; head -c {len(data)} {PORT}/data | sha256sum"
    told = lines.machine.shell(command, timeout=120).stdout
    sender.join(60)
    assert told.split()[0] == hashlib.sha256(data).hexdigest()


def test_a_pty_is_the_other_end_of_a_port(lines: Lines) -> None:
    far = os.open(lines.pty.path, os.O_RDWR | os.O_NOCTTY)
    os.write(far, b"typed in screen\n")
    assert lines.machine.shell(f"head -n 1 {PORT}/pty", timeout=60).stdout == "typed in screen\n"
    lines.machine.shell(f"echo seen in screen > {PORT}/pty", check=True)
    assert os.read(far, 100) == b"seen in screen\n"
    os.close(far)


def test_a_second_terminal_has_a_shell_of_its_own(lines: Lines) -> None:
    lines.second.write("tty; echo $((6*7))\n")
    until(lambda: b"/dev/hvc1\r\n42\r\n" in lines.second.since(0)[0], 60)


def test_a_second_terminal_is_a_console_of_the_machine_with_a_size_of_its_own(
    lines: Lines,
) -> None:
    console = lines.machine.consoles["hvc1"]
    console.resize(101, 31)
    console.write("stty size\n")
    console.expect("31 101", timeout=60)


def test_the_guest_knows_the_size_and_hears_of_every_other(lines: Lines) -> None:
    sizes = [lines.machine.shell("stty size < /dev/hvc0").stdout]
    for columns, rows in ((132, 43), (40, 12)):
        lines.machine.console.resize(columns, rows)
        wait = f"until [ \"$(stty size < /dev/hvc0)\" = '{rows} {columns}' ]; do usleep 9999; done"
        lines.machine.shell(wait, timeout=60)
        sizes.append(lines.machine.shell("stty size < /dev/hvc0").stdout)
    assert sizes == ["30 100\n", "43 132\n", "12 40\n"]


def test_a_program_hears_that_its_terminal_has_another_size(lines: Lines) -> None:
    console = lines.machine.console
    console.write('sh -c \'trap "stty size; exit" WINCH; echo lis""tens; while :; do :; done\'\n')
    console.expect("listens", timeout=60)
    console.resize(77, 22)
    console.expect("22 77", timeout=60)


def test_a_terminal_whose_output_is_held_makes_its_guest_wait(lines: Lines) -> None:
    terminal, line, count = lines.second, "0123456789abcde\r\n", 3000
    position = terminal.total
    terminal.hold(position)
    terminal.write(f'echo be""gin; yes 0123456789abcde | head -n {count}; echo en""d\n')
    until(lambda: not terminal.room(), 60)
    time.sleep(0.5)
    assert terminal.total - position == SCROLLBACK  # and not a byte more, with nobody reading
    found, deadline = b"", time.monotonic() + 60
    while b"end\r\n" not in found and time.monotonic() < deadline:
        text, position = terminal.since(position)
        terminal.hold(position)
        found += text
        time.sleep(0.001)
    terminal.hold(None)
    begin = found.index(b"begin\r\n") + 7
    assert found[begin : found.index(b"end\r\n")] == line.encode() * count


def test_an_emergency_write_needs_no_queue(lines: Lines) -> None:
    """Written where the device has its config space, behind the driver's back."""
    where = lines.machine.shell("readlink -f /sys/bus/virtio/drivers/virtio_console/virtio*").stdout
    if slot := re.search(r"/([0-9a-f]+)\.virtio_mmio/", where):
        address = int(slot[1], 16) + 0x100 + EMERG_WR
    else:
        address = pci_config(lines.machine, where.strip()) + EMERG_WR
    before = lines.machine.stats["console"]["emergency writes"]
    for letter in b"!?":
        lines.machine.shell(f"devmem {address} 32 {letter}", check=True)
    assert lines.machine.stats["console"]["emergency writes"] == before + 2
    lines.machine.console.expect("!?", timeout=10)


def pci_config(machine: Machine, path: str) -> int:
    """Where a device on PCI has its config space: walk its capabilities [virtio 4.1.4]."""
    function = path.rpartition("/")[0]
    space = base64.b64decode(machine.shell(f"base64 {function}/config", check=True).stdout)
    place = space[0x34]
    while place:
        kind, following, _, part, bar = space[place : place + 5]
        if kind == 9 and part == 4:  # vendor-specific: the device's own configuration
            (offset,) = struct.unpack_from("<I", space, place + 8)
            bars = machine.shell(f"cat {function}/resource", check=True).stdout.splitlines()
            return int(bars[bar].split()[0], 16) + offset
        place = following
    raise AssertionError("no capability tells of a device configuration")
