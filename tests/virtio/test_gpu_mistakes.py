"""The GPU told wrong: every mistake has its own answer, and costs nobody anything."""

import pytest

from tests.virtio.driver import READY
from tests.virtio.painter import SIZE, Guest
from vnb.virtio import gpu
from vnb.virtio.device import NEEDS_RESET

WIDTH, HEIGHT = SIZE
BYTES = WIDTH * HEIGHT * 4


@pytest.fixture
def guest() -> Guest:
    return Guest()


def test_a_new_picture_needs_a_number_a_format_and_a_size(guest: Guest) -> None:
    assert guest.create(1) == gpu.OK_NODATA
    for number, kind, size, answer in (
        (0, 1, (1, 1), gpu.INVALID_RESOURCE_ID),
        (1, 1, (1, 1), gpu.INVALID_RESOURCE_ID),
        (2, 0, (1, 1), gpu.INVALID_PARAMETER),
        (2, 5, (1, 1), gpu.INVALID_PARAMETER),
        (2, 0xFFFF_FFFF, (1, 1), gpu.INVALID_PARAMETER),
        (2, 1, (0, 1), gpu.INVALID_PARAMETER),
        (2, 1, (1, 0), gpu.INVALID_PARAMETER),
        (2, 1, (0xFFFF_FFFF, 0xFFFF_FFFF), gpu.INVALID_PARAMETER),
        (2, 1, (0x8000_0000, 2), gpu.INVALID_PARAMETER),
        (2, 1, (8193, 1), gpu.INVALID_PARAMETER),
        (2, 1, (1, 8193), gpu.INVALID_PARAMETER),
        (2, 1, (8192, 8192), gpu.OUT_OF_MEMORY),
    ):
        assert guest.create(number, kind, size) == answer, (number, kind, size)


def test_pictures_are_limited_in_bytes_until_one_is_given_back(guest: Guest) -> None:
    assert guest.create(1, size=(3840, 2160)) == gpu.OK_NODATA
    assert guest.create(2, size=(3840, 2160)) == gpu.OK_NODATA
    assert guest.create(3, size=(64, 64)) == gpu.OK_NODATA
    assert guest.create(4, size=(3840, 2160)) == gpu.OUT_OF_MEMORY
    guest.done(gpu.UNREF, gpu.ONE.pack(1))
    assert guest.create(4, size=(3840, 2160)) == gpu.OK_NODATA


def test_pictures_are_limited_in_number(guest: Guest) -> None:
    for number in range(gpu.MOST_PICTURES):
        assert guest.create(number + 1, size=(1, 1)) == gpu.OK_NODATA
    assert guest.create(5000, size=(1, 1)) == gpu.OUT_OF_MEMORY


def test_entries_behind_pictures_are_limited_in_all(guest: Guest) -> None:
    half = [(guest.ram, 4)] * (gpu.MOST_ENTRIES // 2)
    for number in (1, 2, 3):
        guest.create(number, size=(1, 1))
    assert guest.attach(half, number=1) == gpu.OK_NODATA
    assert guest.attach(half, number=2) == gpu.OK_NODATA
    assert guest.attach(half[:1], number=3) == gpu.OUT_OF_MEMORY
    guest.done(gpu.DETACH_BACKING, gpu.ONE.pack(1))
    assert guest.attach(half, number=3) == gpu.OK_NODATA


def test_backing_lies_in_ram_and_all_of_it_is_there(guest: Guest) -> None:
    guest.create()
    base, end = guest.driver.memory.base, guest.driver.memory.base + guest.driver.memory.size
    for ranges in (
        [(base - 1, 4)],
        [(end - 3, 4)],
        [(guest.ram, 4), (0, 4)],
        [((1 << 64) - 4, 8)],
        [(base, 0xFFFF_FFFF)],
        [(guest.ram, 4), (0x1000_1000, 0x200)],  # where the board has devices
    ):
        assert guest.attach(ranges) == gpu.INVALID_PARAMETER
    for count in (2, 0x0FFF_FFFF, 0xFFFF_FFFF):
        body = gpu.ATTACH.pack(1, count) + gpu.ENTRY.pack(guest.ram, 4)
        assert guest.command(gpu.ATTACH_BACKING, body)[0] == gpu.INVALID_PARAMETER
    assert guest.attach([(guest.ram, BYTES)]) == gpu.OK_NODATA
    assert guest.attach([(guest.ram, BYTES)]) == gpu.UNSPEC
    assert guest.attach([(guest.ram, BYTES)], number=9) == gpu.INVALID_RESOURCE_ID


def test_what_has_no_backing_has_none_to_detach_or_to_transfer_from(guest: Guest) -> None:
    guest.create()
    assert guest.command(gpu.DETACH_BACKING, gpu.ONE.pack(1))[0] == gpu.UNSPEC
    assert guest.transfer() == gpu.UNSPEC
    guest.attach([(guest.ram, BYTES)])
    guest.done(gpu.DETACH_BACKING, gpu.ONE.pack(1))
    assert guest.transfer() == gpu.UNSPEC
    assert guest.command(gpu.DETACH_BACKING, gpu.ONE.pack(2))[0] == gpu.INVALID_RESOURCE_ID


OUTSIDE = (
    (0, 0, WIDTH + 1, 1),
    (0, 0, 1, HEIGHT + 1),
    (WIDTH, 0, 1, 1),
    (0, HEIGHT, 1, 1),
    (0xFFFF_FFFF, 0, 2, 1),
    (1, 0, 0xFFFF_FFFF, 1),
    (0, 0xFFFF_FFFF, 1, 0xFFFF_FFFF),
)


@pytest.mark.parametrize("area", OUTSIDE)
def test_what_lies_outside_a_picture_is_refused(
    guest: Guest, area: tuple[int, int, int, int]
) -> None:
    guest.begin()
    assert guest.transfer(*area, offset=0) == gpu.INVALID_PARAMETER
    assert guest.flush(*area) == gpu.INVALID_PARAMETER
    assert guest.scan_out(*area) == gpu.INVALID_PARAMETER


def test_what_has_no_size_can_be_transferred_but_not_shown(guest: Guest) -> None:
    guest.begin()
    for area in ((0, 0, 0, 0), (WIDTH, HEIGHT, 0, 0), (3, 0, 0, 9), (0, 3, 9, 0)):
        assert guest.transfer(*area, offset=1 << 63) == gpu.OK_NODATA
        assert guest.flush(*area) == gpu.OK_NODATA
        assert guest.scan_out(*area) == gpu.INVALID_PARAMETER


def test_a_transfer_beyond_its_backing_is_refused_and_changes_nothing(guest: Guest) -> None:
    guest.begin().paint(b"\x11" * BYTES)
    guest.driver.memory.fill(guest.ram, BYTES, 0x22)
    for area, offset in (
        ((0, 0, WIDTH, HEIGHT), 1),
        ((0, 0, WIDTH, HEIGHT), 1 << 63),
        ((0, 0, WIDTH, HEIGHT), (1 << 64) - 1),
        ((0, 0, 1, 1), BYTES),
        ((0, 0, 1, 1), BYTES - 3),
        ((0, 0, 2, HEIGHT), WIDTH * 4 - 4),
    ):
        assert guest.transfer(*area, offset=offset) == gpu.INVALID_PARAMETER
    assert guest.transfer(0, 0, 1, HEIGHT, offset=WIDTH * 4 - 4) == gpu.OK_NODATA
    guest.flush(1, 0, WIDTH - 1, HEIGHT)
    assert guest.frame() == [[0x11] * 3] * (WIDTH * HEIGHT)


def test_there_is_one_scanout_and_no_missing_picture_on_it(guest: Guest) -> None:
    guest.begin().paint(b"\x11" * BYTES)
    for scanout, number, answer in (
        (1, 1, gpu.INVALID_SCANOUT_ID),
        (0xFFFF_FFFF, 0, gpu.INVALID_SCANOUT_ID),
        (0, 2, gpu.INVALID_RESOURCE_ID),
        (0, 0xFFFF_FFFF, gpu.INVALID_RESOURCE_ID),
    ):
        body = gpu.ON_SCREEN.pack(0, 0, *SIZE, scanout, number)
        assert guest.command(gpu.SET_SCANOUT, body)[0] == answer
    assert guest.command(gpu.GET_EDID, gpu.ONE.pack(1))[0] == gpu.INVALID_SCANOUT_ID
    assert guest.frame()[0] == [0x11] * 3


def test_what_is_not_there_cannot_be_used(guest: Guest) -> None:
    for number in (0, 7, 0xFFFF_FFFF):
        assert guest.command(gpu.UNREF, gpu.ONE.pack(number))[0] == gpu.INVALID_RESOURCE_ID
        assert guest.transfer(number=number) == gpu.INVALID_RESOURCE_ID
        assert guest.flush(number=number) == gpu.INVALID_RESOURCE_ID


@pytest.mark.parametrize("kind", [0, 0xFF, 0x10B, 0x10C, 0x200, 0x207, 0x302, 0x1100, 0xFFFF_FFFF])
def test_what_is_not_a_command_here_is_answered_all_the_same(guest: Guest, kind: int) -> None:
    for queue in (gpu.CONTROL, gpu.CURSOR):
        assert guest.command(kind, bytes(64), queue) == (gpu.UNSPEC, b"")


def test_there_are_no_capability_sets(guest: Guest) -> None:
    for kind in (gpu.GET_CAPSET_INFO, gpu.GET_CAPSET):
        assert guest.command(kind, gpu.ONE.pack(0))[0] == gpu.INVALID_PARAMETER


def test_a_command_cut_short_anywhere_is_answered_or_costs_one_reset(guest: Guest) -> None:
    bodies = {
        gpu.CREATE_2D: gpu.CREATE.pack(2, 1, 1, 1),
        gpu.UNREF: gpu.ONE.pack(1),
        gpu.SET_SCANOUT: gpu.ON_SCREEN.pack(0, 0, 1, 1, 0, 1),
        gpu.FLUSH: gpu.IN_PICTURE.pack(0, 0, 1, 1, 1),
        gpu.TRANSFER_TO_HOST_2D: gpu.TRANSFER.pack(0, 0, 1, 1, 0, 1),
        gpu.ATTACH_BACKING: gpu.ATTACH.pack(1, 1) + gpu.ENTRY.pack(guest.ram, 4),
        gpu.DETACH_BACKING: gpu.ONE.pack(1),
        gpu.GET_EDID: gpu.ONE.pack(0),
    }
    for kind, body in bodies.items():
        command = gpu.HEADER.pack(kind, 0, 0, 0, 0) + body
        for length in range(len(command)):
            if length < gpu.HEADER.size:
                guest.driver.send(0, [command[:length]], [1100])
                assert guest.driver.port.status == READY | NEEDS_RESET
                guest.driver.start()
                guest.create()
            else:
                _, answer = guest.driver.ask(0, [command[:length]], [1100])
                assert gpu.HEADER.unpack_from(answer)[0] == gpu.INVALID_PARAMETER


def test_an_answer_without_room_for_its_header_breaks_the_protocol(guest: Guest) -> None:
    guest.driver.send(0, [gpu.HEADER.pack(gpu.GET_DISPLAY_INFO, 0, 0, 0, 0)], [23])
    assert guest.driver.port.status == READY | NEEDS_RESET


def test_an_answer_without_room_for_its_data_is_an_error(guest: Guest) -> None:
    assert guest.command(gpu.GET_DISPLAY_INFO, room=24 + 383) == (gpu.UNSPEC, b"")
    assert guest.command(gpu.GET_DISPLAY_INFO, room=24 + 384)[0] == gpu.OK_DISPLAY_INFO
