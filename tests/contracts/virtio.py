"""What every VirtIO device holds behind every transport; inherit it for each pair of them.

The numbers in brackets are those of tests/virtio/RULES.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.virtio.driver import EVERYTHING, INDIRECT, NEXT, PLAIN, READY, WRITE, Driver, Ring
from vnb.virtio.device import (
    ACKNOWLEDGE,
    DRIVER,
    DRIVER_OK,
    EVENT_IDX,
    FAILED,
    FEATURES_OK,
    INDIRECT_DESC,
    NEEDS_RESET,
    VERSION_1,
    Device,
)


def too_far(driver: Driver, ring: Ring) -> None:
    ring.memory.write_u16(ring.avail + 2, ring.size + 1)


def head_outside(driver: Driver, ring: Ring) -> None:
    ring.offer(ring.size)


def next_outside(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.buffer(16), 16, NEXT, ring.size)
    ring.offer(0)


def looped(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.buffer(16), 16, NEXT, 0)
    ring.offer(0)


def outside_ram(driver: Driver, ring: Ring) -> None:
    ring.describe(0, 0x10_0000, 16, 0, 0)
    ring.offer(0)


def wrapping_address(driver: Driver, ring: Ring) -> None:
    ring.describe(0, (1 << 64) - 8, 16, 0, 0)
    ring.offer(0)


def over_the_end_of_ram(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.memory.base + driver.memory.size - 8, 16, 0, 0)
    ring.offer(0)


def readable_after_writable(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.buffer(16), 16, WRITE | NEXT, 1)
    ring.describe(1, driver.buffer(16), 16, 0, 0)
    ring.offer(0)


def nested_indirect(driver: Driver, ring: Ring) -> None:
    table = driver.buffer(16)
    ring.offer(ring.indirect([(table, 16, False)], table))
    ring.memory.write_u16(table + 12, INDIRECT)


def indirect_that_goes_on(driver: Driver, ring: Ring) -> None:
    ring.offer(ring.indirect([(driver.buffer(16), 16, False)], driver.buffer(16), flags=NEXT))


def empty_table(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.buffer(16), 0, INDIRECT, 0)
    ring.offer(0)


def odd_table(driver: Driver, ring: Ring) -> None:
    ring.describe(0, driver.buffer(32), 24, INDIRECT, 0)
    ring.offer(0)


def table_outside_ram(driver: Driver, ring: Ring) -> None:
    ring.describe(0, 0, 16, INDIRECT, 0)
    ring.offer(0)


def looped_table(driver: Driver, ring: Ring) -> None:
    table = driver.buffer(32)
    ring.offer(ring.indirect([(driver.buffer(16), 16, False)] * 2, table))
    ring.memory.write_u16(table + 16 + 12, NEXT)
    ring.memory.write_u16(table + 16 + 14, 0)


def long_table(driver: Driver, ring: Ring) -> None:
    count = ring.size + 1
    ring.offer(ring.indirect([(driver.buffer(16), 16, False)] * count, driver.buffer(16 * count)))


MALFORMED = (
    too_far,
    head_outside,
    next_outside,
    looped,
    outside_ram,
    wrapping_address,
    over_the_end_of_ram,
    readable_after_writable,
    nested_indirect,
    indirect_that_goes_on,
    empty_table,
    odd_table,
    table_outside_ram,
    looped_table,
    long_table,
)


class VirtioContract:
    """Set `transport`, and override `device` and `roundtrip`."""

    transport: Any
    queue = 0
    """A queue whose chains the device takes as soon as it is notified."""
    phrases: Sequence[bytes] = (bytes(16),)
    """What requests begin with, sound ones and others; hostile tests say these."""

    def device(self) -> Device:
        """A fresh device."""
        raise NotImplementedError

    def roundtrip(self, driver: Driver) -> None:
        """Use the device for what it is for, and assert that it works; this can be repeated."""
        raise NotImplementedError

    def request(self, driver: Driver) -> None:
        """Offer, without a kick, one chain on `queue` that is in order."""
        raise NotImplementedError

    def stir(self) -> None:
        """Let something happen on the host's side that the device has to look at."""

    @pytest.fixture
    def driver(self) -> Driver:
        return Driver(self.device(), self.transport)

    # Device and features.

    def test_it_works_with_every_feature_it_offers(self, driver: Driver) -> None:
        self.roundtrip(driver.start())

    @pytest.mark.parametrize("features", [0, INDIRECT_DESC, EVENT_IDX, INDIRECT_DESC | EVENT_IDX])
    def test_it_works_with_few_features(self, driver: Driver, features: int) -> None:
        self.roundtrip(driver.start(PLAIN | features))

    @pytest.mark.parametrize("size", [4, 8, 16])
    def test_it_works_with_small_queues(self, driver: Driver, size: int) -> None:
        self.roundtrip(driver.start(size=size))

    def test_config_space_answers_8_16_and_32_bit_aligned_accesses(self, driver: Driver) -> None:
        """[19]"""
        content = driver.device.config
        for size in (1, 2, 4):
            for place in range(len(content) - size + 1):
                expected = int.from_bytes(content[place : place + size], "little")
                assert driver.port.config(place, size) == (0 if place % size else expected)
        assert driver.port.config(0, 8) == 0

    def test_the_generation_changes_with_the_config_space(self, driver: Driver) -> None:
        """[24], [29]"""
        seen = [driver.port.generation]
        for _ in range(3):
            driver.device.change_config(driver.device.config)
            seen.append(driver.port.generation)
        assert len(set(seen)) == 4
        assert driver.port.interrupts() == (False, False)

    def test_before_driver_ok_it_takes_nothing_and_tells_nothing(self, driver: Driver) -> None:
        """[1]"""
        driver.negotiate()
        for index in range(len(driver.device.configs)):
            driver.place(index)
            driver.port.enable(index)
        self.request(driver)
        driver.port.notify(self.queue)
        assert driver.rings[self.queue].used_idx == 0
        assert driver.port.interrupts() == (False, False)
        driver.port.status = READY
        driver.port.notify(self.queue)
        assert driver.rings[self.queue].used_idx == 1

    def test_features_that_were_not_offered_are_refused(self, driver: Driver) -> None:
        """[3]"""
        for bit in range(128):
            if not driver.port.features() >> bit & 1:
                driver.port.status = 0
                driver.port.status = ACKNOWLEDGE | DRIVER
                driver.port.accept(VERSION_1 | 1 << bit)
                driver.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
                assert driver.port.status == ACKNOWLEDGE | DRIVER, f"feature {bit}"

    def test_a_driver_without_version_1_is_refused(self, driver: Driver) -> None:
        """[3]"""
        assert not driver.negotiate(EVERYTHING & ~VERSION_1)

    def test_a_refused_driver_may_ask_for_less(self, driver: Driver) -> None:
        driver.port.status = ACKNOWLEDGE | DRIVER
        driver.port.accept(EVERYTHING)
        driver.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
        driver.port.accept(VERSION_1)
        driver.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK
        assert driver.port.status & FEATURES_OK

    def test_it_offers_version_1_and_no_feature_that_it_has_not(self, driver: Driver) -> None:
        """[4] and [7], [18]: neither SUSPEND nor RING_RESET, packed rings or in-order use"""
        common = driver.port.features() >> 24
        assert common << 24 == VERSION_1 | EVENT_IDX | INDIRECT_DESC

    def test_features_are_settled_at_features_ok(self, driver: Driver) -> None:
        driver.negotiate(PLAIN)
        driver.port.accept(EVERYTHING)
        assert driver.device.accepted == PLAIN

    def test_status_goes_forward_in_order_only(self, driver: Driver) -> None:
        for value, expected in (
            (DRIVER, 0),
            (DRIVER_OK, 0),
            (ACKNOWLEDGE, ACKNOWLEDGE),
            (ACKNOWLEDGE | FEATURES_OK, ACKNOWLEDGE),
            (ACKNOWLEDGE | DRIVER, ACKNOWLEDGE | DRIVER),
            (ACKNOWLEDGE | DRIVER | DRIVER_OK, ACKNOWLEDGE | DRIVER),
            (ACKNOWLEDGE, ACKNOWLEDGE | DRIVER),
        ):
            driver.port.status = value
            assert driver.port.status == expected

    def test_a_driver_that_gave_up_is_served_no_more(self, driver: Driver) -> None:
        driver.start()
        driver.port.status = READY | FAILED
        self.request(driver)
        driver.port.notify(self.queue)
        assert driver.rings[self.queue].used_idx == 0
        driver.port.status = READY
        assert driver.port.status == READY | FAILED
        self.roundtrip(driver.start())

    def test_a_driver_that_gave_up_before_it_was_ready_never_is(self, driver: Driver) -> None:
        driver.negotiate()
        for index in range(len(driver.device.configs)):
            driver.place(index)
            driver.port.enable(index)
        self.request(driver)
        driver.port.status = ACKNOWLEDGE | DRIVER | FEATURES_OK | FAILED
        driver.port.status = READY
        driver.port.notify(self.queue)
        assert driver.rings[self.queue].used_idx == 0
        assert not driver.device.live

    def test_reset_forgets_everything(self, driver: Driver) -> None:
        """[5]"""
        driver.start()
        self.request(driver)
        driver.port.status = 0
        assert driver.port.status == 0
        driver.port.notify(self.queue)
        assert driver.rings[self.queue].used_idx == 0
        assert driver.port.interrupts() == (False, False)
        assert driver.device.accepted == 0
        assert not any(config.ready or config.desc for config in driver.device.configs)

    def test_it_works_again_after_any_number_of_resets(self, driver: Driver) -> None:
        for _ in range(20):
            self.roundtrip(driver.start())

    def test_config_space_is_readable_before_features_ok(self, driver: Driver) -> None:
        """[6]"""
        whole = bytes(driver.port.config(place, 1) for place in range(len(driver.device.config)))
        assert whole == driver.device.config

    def test_config_space_beyond_its_end_reads_as_zero(self, driver: Driver) -> None:
        assert driver.port.config(0x200, 4) == 0

    # Queues.

    @pytest.mark.parametrize("malform", MALFORMED, ids=lambda function: function.__name__)
    def test_a_malformed_chain_costs_one_reset_and_nothing_else(
        self, driver: Driver, malform: Callable[[Driver, Ring], None]
    ) -> None:
        """[2], [10], [11], [17]"""
        driver.start()
        malform(driver, driver.rings[self.queue])
        before = driver.memory.sha256()
        driver.port.notify(self.queue)
        assert driver.port.status == READY | NEEDS_RESET
        assert driver.port.interrupts() == (False, True)
        assert driver.memory.sha256() == before
        driver.port.notify(self.queue)
        assert driver.memory.sha256() == before
        assert driver.device.stats["broken"] == 1
        self.roundtrip(driver.start())

    def test_an_indirect_table_that_was_not_negotiated_is_refused(self, driver: Driver) -> None:
        """[10]"""
        driver.start(EVERYTHING & ~INDIRECT_DESC)
        ring = driver.rings[self.queue]
        ring.offer(ring.indirect([(driver.buffer(16), 16, False)], driver.buffer(16)))
        driver.port.notify(self.queue)
        assert driver.port.status & NEEDS_RESET

    @pytest.mark.parametrize(
        ("area", "address"),
        [("desc", 8), ("avail", 1), ("used", 2), ("desc", -16), ("avail", -2), ("used", -4)],
    )
    def test_a_misplaced_queue_costs_one_reset_and_nothing_else(
        self, driver: Driver, area: str, address: int
    ) -> None:
        """[2]: misaligned by so much, or that many bytes before the end of RAM"""
        driver.negotiate()
        ring = driver.place(self.queue)
        memory = driver.memory
        places = {"desc": ring.desc, "avail": ring.avail, "used": ring.used}
        places[area] = address + (places[area] if address > 0 else memory.base + memory.size)
        driver.port.set_queue(self.queue, ring.size, *places.values())
        driver.port.enable(self.queue)
        driver.port.status = READY
        assert driver.port.status == READY | NEEDS_RESET
        assert driver.port.interrupts() == (False, True)
        self.roundtrip(driver.start())

    def test_spurious_notifications_are_harmless(self, driver: Driver) -> None:
        """[16]"""
        for index in (self.queue, 1000, 0xFFFF, 0xFFFF_FFFF):
            driver.port.notify(index)
        driver.start()
        for index in (self.queue, self.queue, len(driver.device.configs), 0xFFFF, 0xFFFF_FFFF):
            driver.port.notify(index)
        assert driver.port.status == READY
        assert driver.port.interrupts() == (False, False)
        self.roundtrip(driver)

    def test_a_queue_that_was_not_enabled_is_not_touched(self, driver: Driver) -> None:
        """[16], [22]"""
        driver.negotiate()
        for index in range(len(driver.device.configs)):
            driver.place(index)
        driver.port.status = READY
        self.request(driver)
        before = driver.memory.sha256()
        driver.port.notify(self.queue)
        assert driver.memory.sha256() == before

    def test_used_flags_stay_zero(self, driver: Driver) -> None:
        """[14], [15]"""
        for features in (PLAIN, PLAIN | EVENT_IDX):
            self.roundtrip(driver.start(features))
            assert not any(ring.used_flags for ring in driver.rings.values())

    def test_without_events_it_tells_unless_the_driver_said_not_to(self, driver: Driver) -> None:
        """[14]: used_event means nothing"""
        driver.start(PLAIN)
        ring = driver.rings[self.queue]
        ring.set_used_event(1000)
        for flags, told in ((0, True), (1, False), (0, True)):
            ring.set_avail_flags(flags)
            self.request(driver)
            driver.port.notify(self.queue)
            assert driver.port.interrupts() == (told, False)

    def test_with_events_it_tells_when_the_event_is_passed(self, driver: Driver) -> None:
        """[15]: avail.flags means nothing"""
        driver.start(PLAIN | EVENT_IDX)
        ring = driver.rings[self.queue]
        ring.set_avail_flags(1)
        ring.set_used_event(2)
        for told in (False, False, True, False):
            self.request(driver)
            driver.port.notify(self.queue)
            assert driver.port.interrupts() == (told, False)

    def test_it_asks_for_the_next_notification_before_it_rests(self, driver: Driver) -> None:
        """[15]"""
        driver.start(PLAIN | EVENT_IDX)
        for count in range(1, 4):
            self.request(driver)
            driver.port.notify(self.queue)
            assert driver.rings[self.queue].avail_event == count

    # Registers.

    def test_absent_queues_have_no_size_and_no_alias(self, driver: Driver) -> None:
        """[20]"""
        driver.negotiate()
        for index in (len(driver.device.configs), 99, 0xFFFF):
            assert driver.port.queue_max(index) == 0
            driver.port.set_queue(index, 4, 0x1000, 0x2000, 0x3000)
            assert not driver.port.enable(index)
        assert not any(config.desc for config in driver.device.configs)

    def test_a_queue_size_is_a_power_of_two_and_not_too_large(self, driver: Driver) -> None:
        """[21]"""
        driver.negotiate()
        config = driver.device.configs[self.queue]
        for size in (0, 3, config.max + 1, config.max * 2, 1 << 30, 0xFFFF_FFFF):
            driver.port.set_queue(self.queue, size, 0, 0, 0)
            assert config.size == config.max
        driver.port.set_queue(self.queue, 2, 0, 0, 0)
        assert config.size == 2

    def test_a_queue_that_is_ready_does_not_change(self, driver: Driver) -> None:
        """[22]"""
        driver.negotiate()
        ring = driver.place(self.queue)
        driver.port.enable(self.queue)
        driver.port.set_queue(self.queue, 2, 0, 0, 0)
        config = driver.device.configs[self.queue]
        assert (config.size, config.desc, config.avail, config.used) == (
            *(ring.size, ring.desc),
            *(ring.avail, ring.used),
        )

    def test_queues_are_set_up_between_features_ok_and_driver_ok(self, driver: Driver) -> None:
        """[22]"""
        driver.port.status = ACKNOWLEDGE | DRIVER
        driver.port.set_queue(self.queue, 2, 16, 16, 16)
        assert not driver.port.enable(self.queue)
        assert driver.device.configs[self.queue].size == driver.device.configs[self.queue].max
        driver.start(queues=0)
        driver.port.set_queue(self.queue, 2, 16, 16, 16)
        assert not driver.port.enable(self.queue)
        assert driver.device.configs[self.queue].desc == 0

    def test_interrupts_stay_until_they_are_acknowledged(self, driver: Driver) -> None:
        """[23]"""
        driver.start(PLAIN)
        self.request(driver)
        driver.port.notify(self.queue)
        assert driver.port.line
        driver.port.notify(self.queue)
        assert driver.port.line
        assert driver.port.interrupts() == (True, False)
        assert not driver.port.line
