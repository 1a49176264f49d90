"""The screen: what the guest drew is what a cell sees, whichever way it laid out its pixels."""

import io
import threading

import numpy as np
import pytest

from vnb.errors import UsageError
from vnb.host.screen import LARGEST, NOTHING, Rectangle, Screen, png

ORDERS = ("BGRA", "BGRX", "ARGB", "XRGB", "RGBA", "XBGR", "ABGR", "RGBX")


def picture(width: int, height: int, order: str) -> np.ndarray:
    """Pixels of that layout: red counts across, green counts down, blue is 7, alpha is 99."""
    channels = {
        "R": np.arange(width, dtype=np.uint8)[None, :].repeat(height, 0),
        "G": np.arange(height, dtype=np.uint8)[:, None].repeat(width, 1),
        "B": np.full((height, width), 7, np.uint8),
        "A": np.full((height, width), 99, np.uint8),
        "X": np.full((height, width), 250, np.uint8),
    }
    return np.stack([channels[name] for name in order], axis=2)


def decoded(data: bytes) -> np.ndarray:
    """A PNG file as another library reads it."""
    from matplotlib.image import imread

    return (imread(io.BytesIO(data)) * 255).round().astype(np.uint8)


def test_a_new_screen_is_black_and_has_the_size_asked_for() -> None:
    screen = Screen(640, 480)
    assert screen.frame.shape == (480, 640, 3)
    assert not screen.frame.any()
    assert (screen.size, screen.preferred) == ((640, 480), (640, 480))
    assert repr(screen) == "<Screen 640×480>"


@pytest.mark.parametrize("order", ORDERS)
def test_every_layout_of_pixels_comes_out_red_green_blue(order: str) -> None:
    screen = Screen()
    screen.show(picture(20, 10, order), order)
    assert (screen.frame == picture(20, 10, "RGB")).all()
    assert screen.size == (20, 10)


def test_an_update_changes_its_part_and_nothing_else() -> None:
    screen = Screen()
    screen.show(picture(20, 10, "BGRX"), "BGRX")
    screen.update(3, 4, np.full((2, 5, 4), 200, np.uint8))
    expected = picture(20, 10, "RGB")
    expected[4:6, 3:8] = 200
    assert (screen.frame == expected).all()


def test_what_the_guest_does_to_its_pixels_later_is_not_seen_before_it_says_so() -> None:
    screen = Screen()
    pixels = picture(20, 10, "RGBX")
    screen.show(pixels, "RGBX")
    pixels[:] = 255
    assert (screen.frame == picture(20, 10, "RGB")).all()


def test_a_frame_is_the_callers_own() -> None:
    screen = Screen()
    screen.show(picture(20, 10, "RGBX"), "RGBX")
    screen.frame[:] = 0
    assert screen.frame.any()


def test_a_part_of_the_frame_can_be_read_also_over_its_edges() -> None:
    screen = Screen()
    screen.show(picture(20, 10, "BGRX"), "BGRX")
    assert (screen.read(Rectangle(2, 3, 4, 5)) == picture(20, 10, "RGB")[3:8, 2:6]).all()
    assert (screen.read(Rectangle(-2, -3, 4, 5)) == picture(20, 10, "RGB")[:2, :2]).all()
    assert screen.read(Rectangle(18, 9, 100, 100)).shape == (1, 2, 3)
    assert screen.read(Rectangle(-10, 0, 5, 5)).size == 0


def test_listeners_hear_of_each_new_part_until_they_stop() -> None:
    screen = Screen()
    first: list[Rectangle] = []
    second: list[Rectangle] = []
    stop = screen.on_damage(first.append)
    screen.on_damage(second.append)
    screen.show(picture(20, 10, "BGRX"), "BGRX")
    stop()
    screen.update(3, 4, np.zeros((2, 5, 4), np.uint8))
    screen.show(None, "")
    assert first == [(0, 0, 20, 10)]
    assert second == [(0, 0, 20, 10), (3, 4, 5, 2), (0, 0, 20, 10)]


def test_listeners_hear_of_the_cursor_as_of_an_empty_part() -> None:
    screen = Screen(64, 64)
    parts: list[Rectangle] = []
    screen.on_damage(parts.append)
    screen.move_cursor(5, 5)
    screen.set_cursor(None, "RGBA", 0, 0)
    assert parts == [NOTHING, NOTHING]


def test_a_listener_may_read_the_frame() -> None:
    screen = Screen()
    seen = []
    screen.on_damage(lambda part: seen.append(screen.read(part).shape))
    screen.show(picture(20, 10, "BGRX"), "BGRX")
    assert seen == [(10, 20, 3)]


def test_no_picture_is_a_black_one_of_the_same_size() -> None:
    screen = Screen()
    screen.show(picture(20, 10, "BGRX"), "BGRX")
    screen.show(None, "")
    assert screen.size == (20, 10)
    assert not screen.frame.any()


@pytest.mark.parametrize("order", ["BGRA", "ARGB", "RGBA", "ABGR"])
def test_a_cursor_has_red_green_blue_and_alpha_and_a_place(order: str) -> None:
    screen = Screen()
    screen.set_cursor(picture(64, 64, order), order, 3, 4)
    screen.move_cursor(-5, 6)
    cursor = screen.cursor
    assert (cursor.x, cursor.y, cursor.hot_x, cursor.hot_y) == (-5, 6, 3, 4)
    assert cursor.image is not None
    assert (cursor.image == picture(64, 64, "RGBA")).all()
    screen.set_cursor(None, "", 0, 0)
    assert screen.cursor.image is None


def test_a_png_file_is_what_another_library_reads_back() -> None:
    screen = Screen()
    screen.show(picture(123, 45, "BGRX"), "BGRX")
    assert (decoded(screen.png()) == picture(123, 45, "RGB")).all()
    assert screen._repr_png_() == screen.png()
    assert (decoded(png(picture(5, 6, "RGB"))) == picture(5, 6, "RGB")).all()


@pytest.mark.parametrize(
    ("x", "y"), [(10, 20), (-30, -40), (100, 50), (500, 20), (-500, 9), (0, 2**31 - 1)]
)
def test_the_cursor_is_drawn_over_the_picture_as_far_as_it_is_within(x: int, y: int) -> None:
    screen = Screen()
    screen.show(picture(120, 80, "BGRX"), "BGRX")
    shape = np.zeros((64, 64, 4), np.uint8)
    shape[..., 0], shape[..., 3] = 250, 255
    shape[0, :, 3] = 0
    shape[1, :, 3] = 128
    screen.set_cursor(shape, "RGBA", 0, 0)
    screen.move_cursor(x, y)
    expected = picture(120, 80, "RGB").astype(int)
    for row in range(64):
        for column in range(64):
            if 0 <= y + row < 80 and 0 <= x + column < 120:
                opaque = int(shape[row, column, 3])
                for channel in range(3):
                    over, under = (
                        int(shape[row, column, channel]),
                        expected[y + row, x + column, channel],
                    )
                    expected[y + row, x + column, channel] = (
                        over * opaque + under * (255 - opaque) + 127
                    ) // 255
    assert (decoded(screen.png()) == expected).all()
    assert (screen.frame == picture(120, 80, "RGB")).all()


def test_resizing_asks_the_guest_and_keeps_the_picture() -> None:
    screen = Screen(640, 480)
    told: list[tuple[int, int]] = []
    screen.on_change = lambda: told.append(screen.preferred)
    screen.resize(800, 600)
    assert told == [(800, 600)]
    assert screen.size == (640, 480)


@pytest.mark.parametrize(
    "size", [(63, 100), (100, 0), (LARGEST[0] + 1, 100), (100, LARGEST[1] + 1)]
)
def test_a_size_that_no_screen_has_is_refused_by_name(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=r"(width|height)="):
        Screen(*size)
    screen = Screen()
    with pytest.raises(UsageError, match="is a number from 64 to"):
        screen.resize(*size)
    assert screen.preferred == (1024, 768)


def test_a_cell_can_look_while_the_guest_changes_the_size_of_its_picture() -> None:
    screen = Screen()
    done = threading.Event()

    def guest() -> None:
        while not done.is_set():
            for size, shade in ((64, 10), (100, 20)):
                screen.show(np.full((size, size, 4), shade, np.uint8), "BGRX")
                screen.update(0, 0, np.full((size, size, 4), shade, np.uint8))

    thread = threading.Thread(target=guest)
    thread.start()
    try:
        for _ in range(200):
            frame = screen.frame
            assert len(np.unique(frame)) <= 1  # of one picture, never of two
            assert screen.png().startswith(b"\x89PNG")
    finally:
        done.set()
        thread.join()
