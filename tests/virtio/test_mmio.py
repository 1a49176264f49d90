"""The MMIO transport: every register of [virtio 4.2.2], and every device behind it."""

import pytest

from tests.contracts.virtio import VirtioContract
from tests.virtio.driver import READY, Driver
from vnb.virtio.mmio import EmptySlot

WRITE_ONLY = (0x14, 0x20, 0x24, 0x30, 0x38, 0x50, 0x64, 0x80, 0x84, 0x90, 0x94, 0xA0, 0xA4, 0xAC)
READ_ONLY = (0x00, 0x04, 0x08, 0x0C, 0x10, 0x34, 0x60, 0xB0, 0xB4, 0xB8, 0xBC, 0xFC)
EFFECTIVE = (0x44, 0x50, 0x64, 0x70)  # QueueReady = 0, QueueNotify, InterruptACK, Status


@pytest.fixture
def driver(contract: VirtioContract) -> Driver:
    return Driver(contract.device())


def test_it_says_who_it_is(driver: Driver) -> None:
    """[19]"""
    assert driver.port.read(0x00) == int.from_bytes(b"virt", "little")
    assert driver.port.read(0x04) == 2
    assert driver.port.read(0x08) == driver.device.type
    assert driver.port.registers.node() == {"compatible": "virtio,mmio"}


def test_registers_answer_32_bit_accesses_only(driver: Driver) -> None:
    """[19]"""
    for offset in range(0x100):
        for size in (1, 2, 8):
            assert driver.port.read(offset, size) == 0
            driver.port.write(offset, 0xFF, size)
        if offset % 4:
            assert driver.port.read(offset) == 0
    assert driver.port.status == 0


def test_what_is_write_only_or_no_register_reads_as_zero(driver: Driver) -> None:
    known = {*READ_ONLY, *WRITE_ONLY, 0x44, 0x70}
    for offset in {*range(0, 0x100, 4)} - known | {*WRITE_ONLY}:
        assert driver.port.read(offset) == 0


def test_what_is_read_only_stays_as_it_is(driver: Driver) -> None:
    driver.start()
    before = [driver.port.read(offset) for offset in READ_ONLY]
    for offset in READ_ONLY:
        driver.port.write(offset, 0x1234_5678)
    assert [driver.port.read(offset) for offset in READ_ONLY] == before


def test_there_is_no_shared_memory_whatever_is_selected(driver: Driver) -> None:
    for region in (0, 1, 255, 0xFFFF_FFFF):
        driver.port.write(0xAC, region)
        assert [driver.port.read(offset) for offset in (0xB0, 0xB4, 0xB8, 0xBC)] == [2**32 - 1] * 4


def test_feature_words_beyond_the_last_are_empty_and_deaf(driver: Driver) -> None:
    for word in (4, 5, 99, 0xFFFF_FFFF):
        driver.port.write(0x14, word)
        assert driver.port.read(0x10) == 0
        driver.port.write(0x24, word)
        driver.port.write(0x20, 0xFFFF_FFFF)
    assert driver.device.accepted == 0


@pytest.mark.parametrize("value", [0, 1, 0x8000_0000, 0xFFFF_FFFF, 0x1_0002])
def test_no_register_written_after_driver_ok_changes_a_queue(
    contract: VirtioContract, value: int
) -> None:
    """[22]: what CVE-2026-5747 was about"""
    driver = Driver(contract.device()).start()
    for queue in range(len(driver.device.configs) + 1):
        before = [vars(config).copy() for config in driver.device.configs]
        for offset in range(0, 0x100, 4):
            driver.port.write(0x30, queue)
            if offset not in EFFECTIVE:
                driver.port.write(offset, value)
        assert [vars(config) for config in driver.device.configs] == before
        contract.roundtrip(driver)
    assert driver.port.status == READY


def test_queue_ready_zero_takes_a_queue_out_of_use(contract: VirtioContract) -> None:
    driver = Driver(contract.device()).start()
    driver.port.write(0x30, contract.queue)
    driver.port.write(0x44, 0)
    assert driver.port.read(0x44) == 0
    contract.request(driver)
    driver.port.notify(contract.queue)
    assert driver.rings[contract.queue].used_idx == 0
    assert not driver.port.enable(contract.queue)
    contract.roundtrip(driver.start())


def test_acknowledging_one_interrupt_leaves_the_other(
    contract: VirtioContract,
) -> None:
    """[23]"""
    driver = Driver(contract.device()).start(~0 & ~(1 << 29))
    contract.request(driver)
    driver.port.notify(contract.queue)
    driver.device.change_config(driver.device.config)
    driver.port.write(0x64, 1)
    assert (driver.port.read(0x60), driver.port.line) == (2, True)
    driver.port.write(0x64, 0)
    driver.port.write(0x64, 0xFFFF_FFFD)
    assert (driver.port.read(0x60), driver.port.line) == (2, True)
    driver.port.status = 0
    assert (driver.port.read(0x60), driver.port.line) == (0, False)


def test_addresses_above_4_gib_arrive_whole(driver: Driver) -> None:
    driver.negotiate()
    driver.port.set_queue(0, 4, 0x12_3456_7890, 0x9A_BCDE_F012, 0xFEDC_BA98_7654_3210)
    config = driver.device.configs[0]
    assert (config.desc, config.avail, config.used) == (
        0x12_3456_7890,
        0x9A_BCDE_F012,
        0xFEDC_BA98_7654_3210,
    )


def test_an_empty_slot_says_that_there_is_no_device() -> None:
    slot = EmptySlot()
    assert [slot.read(offset, 4) for offset in (0, 4, 8, 0x70)] == [0x7472_6976, 2, 0, 0]
    slot.write(0x70, 4, 1)
    assert slot.read(0x70, 4) == 0
    assert slot.read(0, 1) == 0


def test_a_refusal_is_logged_once_and_counted_always(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        driver.port.write(0x00, 1)
    assert driver.device.stats["refused"] == 100
    assert len(caplog.records) == 1
