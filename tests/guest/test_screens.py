"""labos draws its test card to the pixel; its pointer follows the tablet; on both transports."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from tests.guest.prompt import PROMPT
from tests.patience import until
from vnb import Console, Machine, Mouse, Screen, Tablet, Touch
from vnb.config import Transport

Picture = npt.NDArray[np.int64]

WIDTH, HEIGHT = 320, 200
BEGUN = "until a key is pressed here:\r\n"
BARS = (0xFFFFFF, 0xFFFF00, 0x00FFFF, 0x00FF00, 0xFF00FF, 0xFF0000, 0x0000FF, 0x000000)
RED = 0xFF0000
ARROW = """\
#...........
##..........
#o#.........
#oo#........
#ooo#.......
#oooo#......
#ooooo#.....
#oooooo#....
#ooooooo#...
#oooooooo#..
#ooooooooo#.
#oooooo#####
#ooo#oo#....
#oo##oo#....
#o#.#oo#....
##...#oo#...
#....#oo#...
......##....
"""


def card(width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """The test card, as it is described."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    picture = np.where((x // 16 + y // 16) % 2, 0xC0C0C0, 0x404040)
    picture = np.where(y < height * 5 // 6, x * 256 // width * 0x010101, picture)
    picture = np.where(y < height * 2 // 3, np.array(BARS)[x * 8 // width], picture)
    radius = min(width, height) * 3 // 4
    squared = (2 * x - width) ** 2 + (2 * y - height) ** 2
    picture[(squared <= radius**2) & (squared > (radius - 8) ** 2)] = 0xFFFFFF
    picture[[0, -1], :] = picture[:, [0, -1]] = 0xFFFFFF
    return picture


def pointed(picture: Picture, x: int, y: int) -> Picture:
    """The same with the pointer's tip at (x, y)."""
    picture = picture.copy()
    for down, row in enumerate(ARROW.splitlines()):
        for across, kind in enumerate(row):
            if kind != "." and x + across < WIDTH and y + down < HEIGHT:
                picture[y + down, x + across] = 0 if kind == "#" else 0xFFFFFF
    return picture


def seen(machine: Machine) -> Picture:
    """What the screen shows: height × width of 0xRRGGBB."""
    frame = machine.devices["screen"].frame.astype(np.int64)
    return frame[..., 0] << 16 | frame[..., 1] << 8 | frame[..., 2]


def until_it_shows(machine: Machine, picture: Picture) -> None:
    """Wait until that is what the screen shows."""
    until(lambda: np.array_equal(seen(machine), picture))


@pytest.fixture
def machine(transport: Transport) -> Iterator[Machine]:
    """With a screen, and something to point with."""
    devices = [Console(), Screen(WIDTH, HEIGHT), Tablet(), Mouse()]
    with Machine(memory="16M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        yield machine


def test_the_test_card_is_right_to_the_last_pixel(machine: Machine) -> None:
    assert f"{WIDTH} x {HEIGHT} pixels" in machine.shell("screen", timeout=5).stdout
    assert not seen(machine).any()
    assert machine.shell("screen card", timeout=20).status == 0
    assert np.array_equal(seen(machine), card())


def test_the_pointer_is_where_the_tablet_is(machine: Machine) -> None:
    machine.console.write("screen follow\r")
    machine.console.expect(BEGUN)
    until_it_shows(machine, pointed(card(), WIDTH // 2, HEIGHT // 2))
    tablet = machine.devices["tablet"]
    tablet.send_tablet(32767, 0)
    until_it_shows(machine, pointed(card(), WIDTH - 1, 0))
    for step in range(100):
        tablet.send_tablet(step * 300, 20000 - step * 100)
    tablet.send_tablet(16384, 8192)
    until_it_shows(
        machine, pointed(card(), 16384 * (WIDTH - 1) // 32767, 8192 * (HEIGHT - 1) // 32767)
    )
    tablet.send_tablet(0, 0)
    machine.devices["mouse"].send_mouse(50, 30)
    until_it_shows(machine, pointed(card(), 50, 30))
    machine.console.write("q")
    machine.console.expect(PROMPT)


def test_a_button_held_down_draws(machine: Machine) -> None:
    machine.console.write("screen follow\r")
    machine.console.expect(BEGUN)
    mouse = machine.devices["mouse"]
    machine.devices["tablet"].send_tablet(0, 0)
    until_it_shows(machine, pointed(card(), 0, 0))
    mouse.send_mouse(40, 40)
    mouse.send_mouse(buttons=1)
    mouse.send_mouse(buttons=0)
    mouse.send_mouse(100, 0)
    dotted = card()
    dotted[40:44, 40:44] = RED
    until_it_shows(machine, pointed(dotted, 140, 40))


def test_a_finger_draws_where_it_is(transport: Transport) -> None:
    devices = [Console(), Screen(WIDTH, HEIGHT), Touch()]
    with Machine(memory="8M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        machine.console.write("screen follow\r")
        machine.console.expect(BEGUN)
        x, y = 5000 * (WIDTH - 1) // 32767, 20000 * (HEIGHT - 1) // 32767
        machine.devices["touch"].send_touch(0, 5000, 20000, True)
        machine.devices["touch"].send_touch(0, 0, 0, False)
        dotted = card()
        dotted[y : y + 4, x : x + 4] = RED
        until_it_shows(machine, pointed(dotted, x, y))


def test_a_screen_of_another_size_gets_another_card(machine: Machine) -> None:
    assert machine.shell("screen card", timeout=20).status == 0
    machine.devices["screen"].resize(200, 100)
    assert machine.shell("screen card", timeout=20).status == 0
    assert np.array_equal(seen(machine), card(200, 100))
    machine.console.write("screen follow\r")
    machine.console.expect("200 x 100 pixels, " + BEGUN)
    machine.devices["screen"].resize(WIDTH, HEIGHT)
    until_it_shows(machine, pointed(card(), WIDTH // 2, HEIGHT // 2))


def test_too_little_memory_for_a_screen_is_said(transport: Transport) -> None:
    devices = [Console(), Screen(1920, 1080), Screen(64, 64)]
    with Machine(memory="4M", devices=devices, transport=transport) as machine:
        refused = machine.shell("screen card", timeout=5)
        assert refused.status == 1
        assert refused.stdout == "there is not enough memory for 1920 x 1080 pixels\n"
        assert machine.shell("screen use 1; screen card", timeout=5).status == 0
        small = machine.devices["screen2"].frame
        assert np.array_equal(small[..., 1], card(64, 64) >> 8 & 255)
