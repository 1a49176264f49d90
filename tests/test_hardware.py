"""What a machine is put together from: lines that share a terminal, disks that outlive a reset."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from vnb import images
from vnb.config import Disk, check
from vnb.hardware import Backends, Hardware, Line, Watch, choose
from vnb.host.chars import Terminal
from vnb.virtio import Console, Port


class Wiring:
    """A UART and a virtio console on one terminal; the test says which the guest has open."""

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.open: set[str] = set()
        self.uart = Line(self.terminal, lambda: "uart" in self.open)
        self.hvc = Line(self.terminal, lambda: "hvc" in self.open)

    def typed_to(self, *now_open: str) -> str:
        """Which line gets what is typed once the guest has just these open."""
        self.open = set(now_open)
        choose([self.uart, self.hvc])
        self.terminal.write("x")
        taken = {"uart": self.uart.take(9), "hvc": self.hvc.take(9)}
        assert sorted(taken.values()) == [b"", b"x"]
        return next(name for name, data in taken.items() if data)


def test_a_guest_that_opens_nothing_is_typed_to_through_the_uart() -> None:
    assert Wiring().typed_to() == "uart"


def test_input_follows_a_kernel_from_the_uart_to_hvc0() -> None:
    wiring = Wiring()
    assert wiring.typed_to("uart") == "uart"
    assert wiring.typed_to("uart", "hvc") == "hvc"
    assert wiring.typed_to("hvc") == "hvc"


def test_a_kernel_on_ttys0_that_only_found_hvc0_by_the_way_is_typed_to_there() -> None:
    wiring = Wiring()
    assert wiring.typed_to("hvc") == "hvc"
    assert wiring.typed_to("hvc", "uart") == "uart"
    assert wiring.typed_to("hvc", "uart") == "uart"


def test_a_line_that_is_closed_again_leaves_input_to_the_other() -> None:
    wiring = Wiring()
    wiring.typed_to("hvc")
    assert wiring.typed_to("hvc", "uart") == "uart"
    assert wiring.typed_to("hvc") == "hvc"
    assert wiring.typed_to() == "uart"


def test_both_lines_print_to_the_terminal() -> None:
    wiring = Wiring()
    wiring.uart.output(b"early, ")
    wiring.hvc.output(b"late")
    assert wiring.terminal.tail(99) == b"early, late"


def labos_hardware() -> Hardware:
    config = check(images.labos(), "4M")
    return Hardware(config, Backends(config), post=lambda function: None)


def test_a_guest_with_an_interrupt_that_polling_raised_does_not_sleep() -> None:
    hart = (hardware := labos_hardware()).hart
    hart.state.mie = 1 << 11
    assert hardware.nap() is None
    hart.set_interrupt(11, True)
    assert hardware.nap() == 0


class Watched(Console):
    """A device that counts how often it looked at its backend."""

    looks = 0

    def poll(self) -> None:
        self.looks += 1


def test_a_backend_that_changes_often_has_its_device_look_once() -> None:
    posted: deque[Callable[[], object]] = deque()
    device = Watched([Port(Terminal())])
    changed = Watch(device, posted.append)
    for _ in range(3):
        changed()
    assert len(posted) == 1
    posted.popleft()()
    assert device.looks == 1
    changed()
    assert len(posted) == 1, "what changes after a look needs another one"


def test_a_device_taken_out_reaches_for_memory_no_more() -> None:
    posted: deque[Callable[[], object]] = deque()
    config = check(images.labos(), "4M", [Disk(size="1M")])
    hardware = Hardware(config, Backends(config), posted.append)
    device = hardware.devices["vda"]
    done: list[int] = []
    finish = device.from_thread(done.append)
    hardware.close()
    finish(1)
    posted.popleft()()
    assert done == []


def test_what_devices_want_on_the_command_line_is_there() -> None:
    @dataclass(frozen=True)
    class Talkative(Disk):
        def append(self, name: str) -> str:
            return f"hello={name}"

    config = check(images.labos(), "4M", [Talkative(size="1M")], append="first")
    hardware = Hardware(config, Backends(config), post=lambda function: None)
    memory = hardware.memory
    assert b"first hello=vda\0" in memory.read(memory.base, memory.size)


def test_every_virtio_slot_answers_and_those_without_a_device_say_so() -> None:
    bus = labos_hardware().board.bus
    types = [bus.read(0x1000_1000 + 0x1000 * slot + 8, 4) for slot in range(8)]
    assert types == [3, 0, 0, 0, 0, 0, 0, 0]


def test_a_machine_carries_its_devices_over_the_transports_asked_for() -> None:
    disks = [Disk(size="1M"), Disk(size="1M", transport="mmio")]
    config = check(images.labos(), "4M", disks, transport="pci")
    bus = Hardware(config, Backends(config), post=lambda function: None).board.bus
    card = bus.read(0x3000_0000 + (1 << 15), 4)
    assert card == 0x1042_1AF4
    assert bus.read(0x1000_1000 + 8, 4) == 2
