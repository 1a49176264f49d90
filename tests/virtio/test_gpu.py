"""The GPU: pictures reach the screen pixel by pixel, and the cursor with them."""

import random

import numpy as np
import pytest

from tests.virtio.driver import EVERYTHING, Driver
from tests.virtio.painter import SIZE, Guest, Painter
from vnb.host.screen import Rectangle, Screen
from vnb.virtio import gpu
from vnb.virtio.edid import edid
from vnb.virtio.gpu import Gpu

WIDTH, HEIGHT = SIZE
BYTES = WIDTH * HEIGHT * 4


@pytest.fixture
def guest() -> Guest:
    return Guest()


def test_the_config_space_announces_one_scanout(guest: Guest) -> None:
    assert [guest.driver.port.config(place, 4) for place in (0, 4, 8, 12)] == [0, 0, 1, 0]


def test_display_info_is_the_preferred_size_of_the_one_screen(guest: Guest) -> None:
    answer, data = guest.command(gpu.GET_DISPLAY_INFO)
    modes = list(gpu.MODE.iter_unpack(data))
    assert answer == gpu.OK_DISPLAY_INFO
    assert modes == [(0, 0, 100, 80, 1, 0)] + [(0, 0, 0, 0, 0, 0)] * 15


def test_the_edid_is_that_of_the_preferred_size(guest: Guest) -> None:
    answer, data = guest.command(gpu.GET_EDID, gpu.ONE.pack(0))
    size, content = gpu.EDID.unpack(data)
    assert (answer, size) == (gpu.OK_EDID, 128)
    assert content == edid(100, 80).ljust(1024, b"\0")


def test_without_the_feature_there_is_no_edid() -> None:
    guest = Guest(EVERYTHING & ~gpu.F_EDID)
    assert guest.command(gpu.GET_EDID, gpu.ONE.pack(0)) == (gpu.UNSPEC, b"")


@pytest.mark.parametrize(("kind", "order"), gpu.FORMATS.items())
def test_every_format_comes_out_in_its_colours(guest: Guest, kind: int, order: str) -> None:
    pixel = bytes({"R": 10, "G": 20, "B": 30, "A": 40, "X": 50}[channel] for channel in order)
    guest.begin(kind).paint(pixel * (WIDTH * HEIGHT))
    assert guest.frame() == [[10, 20, 30]] * (WIDTH * HEIGHT)


def test_a_picture_arrives_pixel_by_pixel(guest: Guest, rng: random.Random) -> None:
    content = rng.randbytes(BYTES)
    guest.begin(kind=134).paint(content)
    expected = np.frombuffer(content, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3]
    assert (guest.screen.frame == expected).all()


def test_what_was_not_flushed_is_not_seen(guest: Guest) -> None:
    guest.begin()
    guest.driver.memory.fill(guest.ram, BYTES, 77)
    assert guest.transfer() == gpu.OK_NODATA
    assert guest.frame() == [[0, 0, 0]] * (WIDTH * HEIGHT)
    assert guest.flush() == gpu.OK_NODATA
    assert guest.frame() == [[77, 77, 77]] * (WIDTH * HEIGHT)


def test_a_part_is_transferred_and_flushed_and_nothing_around_it(guest: Guest) -> None:
    guest.begin().paint(bytes(BYTES))
    damage: list[Rectangle] = []
    guest.screen.on_damage(damage.append)
    guest.driver.memory.fill(guest.ram, BYTES, 9)
    assert guest.transfer(5, 6, 10, 7) == gpu.OK_NODATA
    assert guest.flush(0, 0, 30, 30) == gpu.OK_NODATA
    assert damage == [(0, 0, 30, 30)]
    expected = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    expected[6:13, 5:15] = 9
    assert (guest.screen.frame == expected).all()


def test_the_screen_gets_the_guests_rows_and_no_copy(guest: Guest) -> None:
    lent: list[np.ndarray] = []
    guest.begin()
    guest.screen.update = lambda x, y, pixels: lent.append(pixels)  # type: ignore[method-assign]
    guest.flush(3, 4, 10, 5)
    guest.flush(0, 0, 1, 1)
    assert lent[0].shape == (5, 10, 4)
    assert lent[0].base is lent[1].base and lent[0].base is not None


def test_backing_may_be_scattered_over_ram_in_any_pieces(guest: Guest, rng: random.Random) -> None:
    content = rng.randbytes(BYTES)
    pieces, place = [], 0
    while place < BYTES:
        length = min(rng.choice((1, 3, 160, 4096, 700)), BYTES - place)
        pieces.append((place, length))
        place += length
    ranges = {}
    for place, length in rng.sample(pieces, len(pieces)):
        ranges[place] = guest.driver.buffer(content[place : place + length]), length
    guest.create(kind=134)
    ordered = [ranges[place] for place, _ in pieces]
    ordered.insert(3, (guest.ram, 0))  # of no length
    assert guest.attach(ordered) == gpu.OK_NODATA
    guest.scan_out()
    expected = np.frombuffer(content, np.uint8).reshape(HEIGHT, WIDTH, 4)[..., :3].copy()
    assert guest.transfer(7, 3, 20, 20) == gpu.OK_NODATA
    assert guest.flush() == gpu.OK_NODATA
    part = np.zeros_like(expected)
    part[3:23, 7:27] = expected[3:23, 7:27]
    assert (guest.screen.frame == part).all()
    assert guest.transfer() == gpu.OK_NODATA
    assert guest.flush() == gpu.OK_NODATA
    assert (guest.screen.frame == expected).all()


def test_the_offset_of_a_transfer_is_where_its_first_pixel_is(guest: Guest) -> None:
    guest.begin(kind=134)
    guest.driver.memory.write(guest.ram + 8, b"\1\2\3\4" * 3)
    assert guest.transfer(0, 0, 3, 1, offset=8) == gpu.OK_NODATA
    assert guest.flush() == gpu.OK_NODATA
    assert guest.frame()[:4] == [[1, 2, 3]] * 3 + [[0, 0, 0]]


def test_a_scanout_may_show_a_part_of_a_picture(guest: Guest) -> None:
    guest.begin(kind=134)
    content = np.arange(BYTES, dtype=np.uint32).astype(np.uint8).reshape(HEIGHT, WIDTH, 4)
    guest.paint(content.tobytes())
    damage: list[Rectangle] = []
    guest.screen.on_damage(damage.append)
    assert guest.scan_out(10, 5, 20, 15) == gpu.OK_NODATA
    assert guest.screen.size == (20, 15)
    assert (guest.screen.frame == content[5:20, 10:30, :3]).all()
    assert guest.flush(0, 0, 12, 7) == gpu.OK_NODATA
    assert guest.flush(0, 0, 10, 30) == gpu.OK_NODATA  # beside what is seen
    assert damage == [(0, 0, 20, 15), (0, 0, 2, 2)]


def test_pictures_can_be_flipped(guest: Guest) -> None:
    guest.begin().paint(b"\x11" * BYTES)
    assert guest.create(2) == gpu.OK_NODATA
    assert guest.attach([(guest.ram, BYTES)], number=2) == gpu.OK_NODATA
    guest.driver.memory.fill(guest.ram, BYTES, 0x22)
    assert guest.transfer(number=2) == gpu.OK_NODATA
    assert guest.flush(number=2) == gpu.OK_NODATA
    assert guest.frame()[0] == [0x11] * 3  # it is not on the screen yet
    assert guest.scan_out(number=2) == gpu.OK_NODATA
    assert guest.frame()[0] == [0x22] * 3
    assert guest.scan_out(number=1) == gpu.OK_NODATA
    assert guest.frame()[0] == [0x11] * 3


def test_without_a_picture_the_screen_is_black(guest: Guest) -> None:
    guest.begin().paint(b"\x11" * BYTES)
    assert guest.scan_out(0, 0, 0, 0, number=0) == gpu.OK_NODATA
    assert guest.frame() == [[0, 0, 0]] * (WIDTH * HEIGHT)
    guest.scan_out()
    guest.done(gpu.UNREF, gpu.ONE.pack(1))
    assert guest.frame() == [[0, 0, 0]] * (WIDTH * HEIGHT)


def test_a_fence_comes_back_when_the_work_is_done(guest: Guest) -> None:
    header = gpu.HEADER.pack(gpu.CREATE_2D, gpu.FENCE | 2, 0x1234_5678_9ABC_DEF0, 7, 3)
    _, answer = guest.driver.ask(0, [header + gpu.CREATE.pack(1, 1, 1, 1)], [24])
    assert gpu.HEADER.unpack(answer) == (gpu.OK_NODATA, gpu.FENCE, 0x1234_5678_9ABC_DEF0, 7, 0)
    header = gpu.HEADER.pack(gpu.CREATE_2D, 2, 55, 7, 3)
    _, answer = guest.driver.ask(0, [header + gpu.CREATE.pack(1, 1, 1, 1)], [24])
    assert gpu.HEADER.unpack(answer) == (gpu.INVALID_RESOURCE_ID, 0, 0, 0, 0)


def test_commands_of_one_kick_are_answered_in_order(guest: Guest) -> None:
    """The second one needs what the first one does, and each has a fence."""
    bodies = [
        (gpu.CREATE_2D, gpu.CREATE.pack(1, 1, 4, 4)),
        (gpu.SET_SCANOUT, gpu.ON_SCREEN.pack(0, 0, 4, 4, 0, 1)),
        (gpu.UNREF, gpu.ONE.pack(1)),
        (gpu.FLUSH, gpu.IN_PICTURE.pack(0, 0, 4, 4, 1)),
    ]
    rooms = []
    for number, (kind, body) in enumerate(bodies):
        header = gpu.HEADER.pack(kind, gpu.FENCE, number, 0, 0)
        rooms.append(guest.driver.send(0, [header, body], [24], kick=False)[-1])
    guest.driver.port.notify(0)
    answers = [gpu.HEADER.unpack(guest.driver.memory.read(room, 24)) for room in rooms]
    assert [answer[2] for answer in answers] == [0, 1, 2, 3]
    assert [answer[0] for answer in answers] == [gpu.OK_NODATA] * 3 + [gpu.INVALID_RESOURCE_ID]


def fill_the_ring(guest: Guest) -> int:
    """Offer as many commands as the ring holds, and kick once; how many."""
    count = guest.driver.rings[0].size // 2
    for _ in range(count):
        guest.driver.send(0, [gpu.HEADER.pack(gpu.GET_EDID, 0, 0, 0, 0)], [24], kick=False)
    guest.driver.port.notify(0)
    return count


def test_a_ring_full_of_commands_leaves_the_machine_time_for_others(guest: Guest) -> None:
    count = fill_the_ring(guest)
    served = [len(guest.driver.rings[0].reap())]
    while guest.driver.posted:
        guest.driver.posted.popleft()()
        served.append(len(guest.driver.rings[0].reap()))
    assert sum(served) == count
    assert max(served) == gpu.AT_ONCE
    assert guest.create() == gpu.OK_NODATA


def test_commands_that_are_put_off_do_not_outlive_their_queue_or_their_driver(guest: Guest) -> None:
    fill_the_ring(guest)
    used = guest.driver.rings[0].used_idx
    guest.driver.device.configure(0, "ready", 0)
    guest.driver.settle()
    assert guest.driver.rings[0].used_idx == used
    guest.driver.start()
    fill_the_ring(guest)
    guest.driver.start()
    guest.driver.settle()
    assert guest.driver.rings[0].used_idx == 0


def test_a_command_may_be_in_any_pieces(guest: Guest) -> None:
    """[9]"""
    command = gpu.HEADER.pack(gpu.CREATE_2D, 0, 0, 0, 0) + gpu.CREATE.pack(1, 1, 4, 4)
    pieces = [command[place : place + 7] for place in range(0, len(command), 7)]
    length, answer = guest.driver.ask(0, pieces, [1, 5, 18])
    assert (length, gpu.HEADER.unpack(answer)[0]) == (24, gpu.OK_NODATA)


# The cursor.


def pointer(scanout: int, x: int, y: int, number: int, hot_x: int = 0, hot_y: int = 0) -> bytes:
    return gpu.POINTER.pack(scanout, x, y, number, hot_x, hot_y)


@pytest.mark.parametrize("kind", [67, 134])
def test_the_cursor_has_a_shape_and_a_place(guest: Guest, rng: random.Random, kind: int) -> None:
    """It has alpha also where its format has none: Linux gives all its pictures that format."""
    shape = rng.randbytes(64 * 64 * 4)
    ram = guest.driver.buffer(shape)
    assert guest.create(5, kind=kind, size=(64, 64)) == gpu.OK_NODATA
    assert guest.attach([(ram, len(shape))], number=5) == gpu.OK_NODATA
    assert guest.transfer(0, 0, 64, 64, number=5, offset=0) == gpu.OK_NODATA
    guest.done(gpu.UPDATE_CURSOR, pointer(0, 30, -2, 5, 7, 8), gpu.CURSOR)
    cursor = guest.screen.cursor
    assert (cursor.x, cursor.y, cursor.hot_x, cursor.hot_y) == (30, -2, 7, 8)
    assert cursor.image is not None and cursor.image.tobytes() == shape
    guest.done(gpu.MOVE_CURSOR, pointer(0, 11, 12, 99, 1, 1), gpu.CURSOR)
    cursor = guest.screen.cursor
    assert (cursor.x, cursor.y, cursor.hot_x, cursor.hot_y) == (11, 12, 7, 8)
    guest.done(gpu.UPDATE_CURSOR, pointer(0, 0, 0, 0), gpu.CURSOR)
    assert guest.screen.cursor.image is None


def test_cursor_commands_need_no_room_for_an_answer(guest: Guest) -> None:
    """Linux gives none."""
    header = gpu.HEADER.pack(gpu.MOVE_CURSOR, 0, 0, 0, 0)
    assert guest.driver.ask(gpu.CURSOR, [header + pointer(0, 3, 4, 0)]) == (0, b"")
    assert (guest.screen.cursor.x, guest.screen.cursor.y) == (3, 4)


def test_a_cursor_is_64_by_64_and_exists(guest: Guest) -> None:
    guest.create(1)
    for body, answer in (
        (pointer(0, 0, 0, 1), gpu.INVALID_PARAMETER),
        (pointer(0, 0, 0, 9), gpu.INVALID_RESOURCE_ID),
        (pointer(1, 0, 0, 0), gpu.INVALID_SCANOUT_ID),
    ):
        assert guest.command(gpu.UPDATE_CURSOR, body, gpu.CURSOR) == (answer, b"")
    assert guest.command(gpu.MOVE_CURSOR, pointer(16, 0, 0, 0), gpu.CURSOR)[0] == (
        gpu.INVALID_SCANOUT_ID
    )


def test_each_queue_serves_its_own_commands(guest: Guest) -> None:
    assert guest.command(gpu.MOVE_CURSOR, pointer(0, 1, 1, 0))[0] == gpu.UNSPEC
    assert guest.command(gpu.GET_DISPLAY_INFO, queue=gpu.CURSOR)[0] == gpu.UNSPEC


# Another size.


def test_a_resize_is_an_event_that_the_driver_clears(guest: Guest) -> None:
    port = guest.driver.port
    port.interrupts()
    before = port.generation
    guest.screen.resize(300, 200)
    assert port.interrupts() == (False, True)
    assert port.generation != before
    assert port.config(0, 4) == gpu.EVENT_DISPLAY
    assert gpu.MODE.unpack_from(guest.command(gpu.GET_DISPLAY_INFO)[1])[2:4] == (300, 200)
    port.set_config(gpu.EVENTS_CLEAR, 4, gpu.EVENT_DISPLAY)
    assert (port.config(0, 4), port.config(4, 4)) == (0, 0)
    assert port.interrupts()[1] is False


def test_the_same_size_again_is_no_event(guest: Guest) -> None:
    guest.screen.resize(100, 80)
    assert guest.driver.port.interrupts() == (False, False)
    assert guest.driver.port.config(0, 4) == 0


def test_a_driver_that_comes_later_asks_and_is_not_told() -> None:
    screen = Screen(100, 80)
    device = Gpu(screen)
    screen.on_change = device.poll
    screen.resize(300, 200)
    guest = Painter(Driver(device).start())
    screen.resize(300, 200)
    assert guest.driver.port.config(0, 4) == 0
    assert gpu.MODE.unpack_from(guest.command(gpu.GET_DISPLAY_INFO)[1])[2:4] == (300, 200)


def test_only_events_clear_can_be_written(guest: Guest) -> None:
    guest.screen.resize(300, 200)
    port = guest.driver.port
    for offset, size in ((0, 4), (8, 4), (12, 4), (4, 1), (4, 2), (6, 2)):
        port.set_config(offset, size, (1 << 8 * size) - 1)
    assert [port.config(place, 4) for place in (0, 4, 8, 12)] == [1, 0, 1, 0]


def test_a_reset_forgets_pictures_and_events_and_the_screen_keeps_its_own(guest: Guest) -> None:
    guest.begin().paint(b"\x11" * BYTES)
    guest.screen.resize(300, 200)
    guest.driver.start()
    assert guest.flush() == gpu.INVALID_RESOURCE_ID
    assert guest.driver.port.config(0, 4) == 0
    assert guest.frame() == [[0x11] * 3] * (WIDTH * HEIGHT)
    guest.begin()
    assert guest.frame() == [[0, 0, 0]] * (WIDTH * HEIGHT)


def test_what_the_gpu_does_is_counted(guest: Guest) -> None:
    guest.begin().paint(bytes(BYTES))
    guest.flush(number=9)
    stats = guest.gpu.stats
    counted = [stats[name] for name in ("commands", "transferred", "flushes", "errors")]
    assert counted == [6, BYTES, 1, 1]
