"""The PCI transport: its capabilities, every register of [virtio 4.1.4], and what PCI asks."""

from itertools import pairwise

import pytest

from tests.contracts.virtio import VirtioContract
from tests.virtio.driver import READY, Driver, Pci
from vnb.virtio.device import DRIVER_OK, NEEDS_RESET, VERSION_1, Device

LENGTHS = {Pci.COMMON: 0x3C, Pci.NOTIFY: 0x1000, Pci.ISR: 1, Pci.CONFIG: 0x1000, Pci.WINDOW: 0}
STRUCTURE_OF = {Pci.COMMON: 4, Pci.NOTIFY: 2, Pci.ISR: 1, Pci.CONFIG: 4}  # their alignment

# Every register of the common configuration [virtio 4.1.4.3]: where, bytes, can be written
REGISTERS = {
    **{(at, 4): at != 0x04 for at in (0x00, 0x04, 0x08, 0x0C)},
    **{(at, 2): at not in (0x12, 0x1E) for at in (0x10, 0x12, 0x16, 0x18, 0x1A, 0x1C, 0x1E)},
    (0x14, 1): True,
    (0x15, 1): False,
    **{(at, 4): True for at in range(0x20, 0x38, 4)},
    (0x38, 2): False,
    (0x3A, 2): False,
}
BAR, MASTER, NO_INTX = 0x10, 0x4, 0x400


@pytest.fixture
def driver(contract: VirtioContract) -> Driver:
    return Driver(contract.device(), Pci)


def command(driver: Driver, value: int) -> None:
    driver.port.write_header(0x04, value, 2)


def through_window(
    driver: Driver, offset: int, length: int, value: int | None = None, bar: int = 0
) -> int:
    """Read, or write, the BAR through the capability PCI_CFG."""
    at = driver.port.capabilities()[Pci.WINDOW][0]
    driver.port.write_header(at + 4, bar, 1)
    driver.port.write_header(at + 8, offset, 4)
    driver.port.write_header(at + 12, length, 4)
    size = length if length in (1, 2, 4) else 4
    if value is not None:
        driver.port.write_header(at + 16, value, size)
        return 0
    found: int = driver.port.header(at + 16, size)
    return found


def test_it_says_who_it_is(driver: Driver) -> None:
    """[25]: a modern device, which no older driver binds to"""
    assert driver.port.header(0x00, 2) == 0x1AF4
    assert driver.port.header(0x02, 2) == 0x1040 + driver.device.type
    assert driver.port.header(0x08, 1) == 1
    assert driver.port.header(0x2C, 2) == 0x1AF4
    assert driver.port.header(0x2E, 2) >= 0x40
    assert driver.port.header(0x0B, 1) != 0xFF, "its class is known"


def test_every_capability_is_there_once_and_tells_the_truth(driver: Driver) -> None:
    """[25]"""
    found = driver.port.capabilities()
    assert {kind: length for kind, (_, _, length) in found.items()} == LENGTHS
    places = []
    for kind, (place, offset, length) in found.items():
        told = driver.port.header(place + 2, 1)
        assert place % 4 == 0 and place + told <= 0x100
        assert driver.port.header(place + 4, 1) == 0, "all are in the one BAR"
        assert told == (20 if kind in (Pci.NOTIFY, Pci.WINDOW) else 16)
        assert offset % STRUCTURE_OF.get(kind, 1) == 0
        if length:
            places.append((offset, offset + length))
    places.sort()
    assert all(end <= begin for (_, end), (begin, _) in pairwise(places))
    driver.port.write_header(BAR, 0xFFFF_FFFF, 4)
    assert places[-1][1] <= -driver.port.header(BAR, 4) & 0xFFFF_FFFF


def test_every_queue_has_its_own_place_to_be_notified_at(driver: Driver) -> None:
    """[26]"""
    place, _, length = driver.port.capabilities()[Pci.NOTIFY]
    multiplier = driver.port.header(place + 16, 4)
    assert multiplier >= 2 and multiplier & (multiplier - 1) == 0
    count = driver.port.common(0x12, 2)
    assert count == len(driver.device.configs)
    offsets = []
    for index in range(count):
        driver.port.set_common(0x16, index, 2)
        offsets.append(driver.port.common(0x1E, 2) * multiplier)
    assert offsets == [4 * index for index in range(count)]
    assert max(offsets) + 2 <= length


def test_only_two_bytes_at_a_queues_place_notify_it(contract: VirtioContract) -> None:
    driver = Driver(contract.device(), Pci).start()
    contract.request(driver)
    place = driver.port.structures[Pci.NOTIFY] + 4 * contract.queue
    for offset, size in ((place, 1), (place, 4), (place, 8), (place + 1, 2), (place + 2, 2)):
        driver.port.write(offset, contract.queue, size)
    assert driver.rings[contract.queue].used_idx == 0
    driver.port.write(place, contract.queue, 2)
    assert driver.rings[contract.queue].used_idx == 1


def test_the_interrupt_is_the_isr_and_reading_it_clears_both(contract: VirtioContract) -> None:
    """[27]"""
    driver = Driver(contract.device(), Pci).start(~0 & ~(1 << 29))
    isr = driver.port.structures[Pci.ISR]
    assert (driver.port.line, driver.port.header(0x06, 2)) == (False, 0x10)
    contract.request(driver)
    driver.port.notify(contract.queue)
    driver.device.change_config(driver.device.config)
    assert (driver.port.line, driver.port.header(0x06, 2)) == (True, 0x18)
    assert driver.port.read(isr, 1) == 3
    assert (driver.port.line, driver.port.header(0x06, 2)) == (False, 0x10)
    assert driver.port.read(isr, 1) == 0


def test_a_disabled_interrupt_waits_until_it_is_enabled(contract: VirtioContract) -> None:
    """[27]"""
    driver = Driver(contract.device(), Pci).start()
    command(driver, 0x6 | NO_INTX)
    driver.device.change_config(driver.device.config)
    assert (driver.port.line, driver.port.header(0x06, 2)) == (False, 0x18)
    command(driver, 0x6)
    assert driver.port.line
    assert driver.port.interrupts() == (False, True)


def test_a_reset_ends_the_interrupt_and_every_queue(contract: VirtioContract) -> None:
    """[28]"""
    driver = Driver(contract.device(), Pci).start()
    driver.device.change_config(driver.device.config)
    driver.port.status = 0
    assert (driver.port.status, driver.port.line) == (0, False)
    for index, config in enumerate(driver.device.configs):
        driver.port.set_common(0x16, index, 2)
        assert driver.port.common(0x1C, 2) == 0
        assert driver.port.common(0x18, 2) == config.max
        assert [driver.port.common(at, 4) for at in range(0x20, 0x38, 4)] == [0] * 6
    driver.port.set_common(0x16, len(driver.device.configs), 2)
    assert [driver.port.common(at, 2) for at in (0x18, 0x1C, 0x1E)] == [0, 0, 0]


def test_addresses_are_written_and_read_in_halves(driver: Driver) -> None:
    """[29]"""
    driver.negotiate()
    driver.port.set_queue(0, 4, 0x12_3456_7890, 0x9A_BCDE_F012, 0xFEDC_BA98_7654_3210)
    config = driver.device.configs[0]
    assert (config.desc, config.avail, config.used) == (
        *(0x12_3456_7890, 0x9A_BCDE_F012),
        0xFEDC_BA98_7654_3210,
    )
    halves = [driver.port.common(at, 4) for at in range(0x20, 0x38, 4)]
    assert halves == [
        *(0x3456_7890, 0x12, 0xBCDE_F012, 0x9A),
        *(0x7654_3210, 0xFEDC_BA98),
    ]


def test_selectors_and_accepted_features_read_back(driver: Driver) -> None:
    driver.negotiate()
    for at, size in ((0x00, 4), (0x08, 4), (0x16, 2)):
        driver.port.set_common(at, 1, size)
        assert driver.port.common(at, size) == 1
    assert driver.port.common(0x0C, 4) == driver.device.accepted >> 32 == VERSION_1 >> 32
    driver.port.set_common(0x08, 4, 4)
    assert driver.port.common(0x0C, 4) == 0


def test_registers_answer_in_their_own_width_only(driver: Driver) -> None:
    driver.start()
    common = driver.port.structures[Pci.COMMON]
    for offset in range(0x40):
        for size in (1, 2, 4, 8):
            if (offset, size) not in REGISTERS:
                before = driver.device.stats["refused"]
                driver.port.write(common + offset, 0, size)
                assert driver.port.read(common + offset, size) == 0
                assert driver.device.stats["refused"] == before + 2
    assert driver.port.status == READY


def test_what_is_read_only_stays_as_it_is(driver: Driver) -> None:
    driver.start()
    fixed = [register for register, writable in REGISTERS.items() if not writable]
    before = [driver.port.common(*register) for register in fixed]
    for offset, size in fixed:
        driver.port.set_common(offset, 0x1234_5678, size)
    assert [driver.port.common(*register) for register in fixed] == before


@pytest.mark.parametrize("vector", [0, 1, 0x7FF, 0xFFFF])
def test_without_msi_x_no_vector_can_be_had(contract: VirtioContract, vector: int) -> None:
    """[31]: and interrupts come as INTx, whatever the vectors"""
    driver = Driver(contract.device(), Pci)
    assert driver.negotiate(VERSION_1)
    driver.rings = {}
    for index in range(len(driver.device.configs)):
        driver.place(index)
        for register in (0x10, 0x1A):
            driver.port.set_common(register, vector, 2)
            assert driver.port.common(register, 2) == 0xFFFF
        driver.port.enable(index)
    driver.port.status = READY
    contract.request(driver)
    driver.port.notify(contract.queue)
    assert driver.port.interrupts() == (True, False)


def test_a_queue_that_was_enabled_stays_so(contract: VirtioContract) -> None:
    driver = Driver(contract.device(), Pci).start()
    driver.port.set_common(0x16, contract.queue, 2)
    for value in (0, 2, 0xFFFF):
        driver.port.set_common(0x1C, value, 2)
    assert driver.port.common(0x1C, 2) == 1
    contract.roundtrip(driver)


@pytest.mark.parametrize("value", [0, 1, 0x8000_0000, 0xFFFF_FFFF, 0x1234_5678])
def test_no_register_written_after_driver_ok_changes_a_queue(
    contract: VirtioContract, value: int
) -> None:
    """[22]: what CVE-2026-5747 was about"""
    driver = Driver(contract.device(), Pci).start()
    for queue in range(len(driver.device.configs) + 1):
        before = [vars(config).copy() for config in driver.device.configs]
        for offset, size in REGISTERS:
            driver.port.set_common(0x16, queue, 2)
            if offset != 0x14:
                driver.port.set_common(offset, value, size)
        assert [vars(config) for config in driver.device.configs] == before
        contract.roundtrip(driver)
    assert driver.port.status == READY


def test_the_window_reaches_what_the_bar_does(contract: VirtioContract) -> None:
    """[30]: also while memory is disabled, which is what it is for"""
    driver = Driver(contract.device(), Pci).start()
    command(driver, MASTER)
    assert driver.port.read(0x14, 1) == 0xFF
    assert through_window(driver, 0x14, 1) == READY
    assert through_window(driver, 0x12, 2) == len(driver.device.configs)
    through_window(driver, 0x16, 2, value=contract.queue)
    assert through_window(driver, 0x20, 4) == driver.rings[contract.queue].desc & 0xFFFF_FFFF
    expected = driver.device.read_config(0, 4)
    assert through_window(driver, driver.port.structures[Pci.CONFIG], 4) == expected
    contract.request(driver)
    place = driver.port.structures[Pci.NOTIFY] + 4 * contract.queue
    through_window(driver, place, 2, value=contract.queue)
    assert driver.rings[contract.queue].used_idx == 1
    through_window(driver, 0x14, 1, value=0)
    assert driver.device.status == 0


@pytest.mark.parametrize(
    ("offset", "length", "bar"),
    [
        (0x4000, 4, 0),
        (0x3FFE, 4, 0),
        (0xFFFF_FFFC, 4, 0),
        (0x14, 0, 0),
        (0x14, 3, 0),
        (0x12, 4, 0),
        (0x10, 8, 0),
        (0x10, 0xFFFF_FFFF, 0),
        (0x14, 1, 1),
        (0x14, 1, 5),
        (0x14, 1, 6),
        (0x14, 1, 0xFF),
    ],
)
def test_the_window_shows_nothing_outside_the_bar(
    driver: Driver, offset: int, length: int, bar: int
) -> None:
    """[30]"""
    driver.start()
    refused = driver.device.stats["refused"]
    through_window(driver, offset, length, value=0, bar=bar)
    assert through_window(driver, offset, length, bar=bar) == 0
    assert (driver.port.status, driver.device.stats["refused"]) == (READY, refused)


def test_reading_the_isr_through_the_window_clears_it(driver: Driver) -> None:
    """[27], [30]"""
    driver.start()
    driver.device.change_config(driver.device.config)
    assert through_window(driver, driver.port.structures[Pci.ISR], 1) == 2
    assert not driver.port.line


def test_of_the_capabilities_only_the_window_can_be_written(driver: Driver) -> None:
    at = driver.port.capabilities()[Pci.WINDOW][0]
    free = {at + 4, *range(at + 8, at + 20)}
    before = {place: driver.port.header(place, 1) for place in range(0x40, 0x100)}
    for place in before:
        driver.port.write_header(place, 0xFF, 1)
    after = {place: driver.port.header(place, 1) for place in before}
    assert {place for place in before if before[place] != after[place]} == free


def test_no_driver_is_ready_before_the_device_may_master_the_bus(contract: VirtioContract) -> None:
    driver = Driver(contract.device(), Pci)
    command(driver, 0x2)
    driver.negotiate()
    for index in range(len(driver.device.configs)):
        driver.place(index)
        driver.port.enable(index)
    driver.port.status = READY
    assert driver.port.status == READY & ~DRIVER_OK
    contract.request(driver)
    driver.port.notify(contract.queue)
    assert driver.rings[contract.queue].used_idx == 0
    command(driver, 0x6)
    driver.port.status = READY
    driver.port.notify(contract.queue)
    assert driver.rings[contract.queue].used_idx == 1


def test_a_live_device_that_loses_the_bus_touches_no_memory(contract: VirtioContract) -> None:
    """What a kernel does before it hands the machine over to another one."""
    driver = Driver(contract.device(), Pci).start()
    contract.request(driver)
    before = driver.memory.sha256()
    command(driver, 0x2)
    driver.port.notify(contract.queue)
    driver.device.poll()
    assert driver.memory.sha256() == before
    assert driver.port.status == READY | NEEDS_RESET
    command(driver, 0x6)
    contract.roundtrip(driver.start())


def test_a_card_that_was_moved_works_at_its_new_address(contract: VirtioContract) -> None:
    driver = Driver(contract.device(), Pci).start()
    driver.port.write_header(BAR, 0x7FFF_C000, 4)
    assert driver.port.read(0x14, 1) == 0xFF
    driver.port.bar = 0x7FFF_C000
    contract.roundtrip(driver)


def test_a_type_that_nobody_knows_has_no_class() -> None:
    class Unknown(Device):
        type, name = 42, "unknown"

    assert Driver(Unknown(0, []), Pci).port.header(0x08, 4) == 0xFF00_0001
