"""Screen and pad in JupyterLab: what the guest draws is seen, what hands do reaches the guest."""

import io
import re
from base64 import b64decode
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browser.lab import PICTURES, Lab, Notebook

pytestmark = pytest.mark.xdist_group("browser")

Open = Callable[..., Notebook]

BOOT = """from vnb import *
machine = Machine(devices=[Console(), Keyboard(), Tablet(), {more}]).start()
machine"""
SCREEN = BOOT.format(more="Screen(640, 480)")
PAD = BOOT.format(more="Mouse()")
CARD = "machine.console.expect('labos> ')\nmachine.console.write('screen card\\n')"
EVENTS = "machine.console.expect('labos> ')\nmachine.console.write('input show 60\\n')"
SAVE = "open('card.png', 'wb').write(machine.devices['screen'].png())"

READ = """machine.console.expect('labos> ')
machine.console.write('disk bench\\n')
machine.console.expect('labos> ')"""
WATCH = "machine.watch()"
DEBIAN = """from vnb import *
machine = Machine(images.debian(), memory="192M", devices=[Console(), Keyboard(), Tablet()])
machine.start().shell("true")
machine"""

EV_KEY, EV_ABS = 1, 3
ABS_X, BTN_LEFT = 0, 272
LINE = re.compile(r"^ *\d[\d ]*$", re.MULTILINE)


def pixels(notebook: Notebook) -> np.ndarray:
    """What the page shows of the screen."""
    canvas = notebook.page.locator(".vnb-screen canvas").first
    data = canvas.evaluate("canvas => canvas.toDataURL('image/png').split(',')[1]")
    return np.asarray(Image.open(io.BytesIO(b64decode(data))).convert("RGB"))


def test_the_test_card_of_the_guest_is_on_the_page_pixel_by_pixel(
    open_notebook: Open, lab: Lab
) -> None:
    notebook = open_notebook(SCREEN, CARD, "machine.console.expect('labos> ')", SAVE)
    notebook.run_all()
    notebook.wait(lambda: notebook.done(3), "the card to be saved")
    card = np.asarray(Image.open(lab.folder / "card.png"))
    assert len(np.unique(card)) > 50
    notebook.wait(lambda: np.array_equal(pixels(notebook), card), "the same card on the page")
    notebook.picture("card")


def test_keys_and_drags_on_the_screen_are_events_in_the_guest(open_notebook: Open) -> None:
    notebook = open_notebook(SCREEN, EVENTS)
    notebook.run_all()
    notebook.wait(lambda: "input show" in notebook.text(), "the guest to listen")
    surface = notebook.page.locator(".vnb-screen-surface")
    box = surface.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 4)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    mouse.up()
    assert "Shift+Esc" in notebook.page.locator(".vnb-screen-bar").inner_text()
    notebook.page.keyboard.press("F5")
    notebook.page.keyboard.press("a")
    notebook.wait(lambda: notebook.text().count("KEY_A") == 2, "both strokes in the guest")
    text = notebook.text()
    assert text.count("BTN_LEFT") == 2 and text.count("KEY_F5") == 2
    assert "ABS_X" in text and "ABS_Y" in text
    notebook.picture("events")
    notebook.page.keyboard.press("Shift+Escape")
    assert "Click the screen" in notebook.page.locator(".vnb-screen-bar").inner_text()


def test_a_position_on_a_small_screen_is_the_same_position_in_the_guest(
    open_notebook: Open,
) -> None:
    notebook = open_notebook(BOOT.format(more="Screen(200, 150)"), EVENTS)
    notebook.run_all()
    notebook.wait(lambda: "input show" in notebook.text(), "the guest to listen")
    box = notebook.page.locator(".vnb-screen canvas").first.bounding_box()
    assert box is not None
    notebook.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    notebook.page.mouse.down()
    notebook.wait(lambda: "BTN_LEFT down" in notebook.text(), "the button in the guest")
    notebook.page.mouse.up()
    (across,) = {int(value) for value in re.findall(r"ABS_X (\d+)", notebook.text())}
    assert abs(across - 0x4000) < 200


def test_a_machine_without_a_screen_has_a_pad(open_notebook: Open) -> None:
    notebook = open_notebook(PAD, EVENTS)
    notebook.run_all()
    notebook.wait(lambda: "input show" in notebook.text(), "the guest to listen")
    notebook.page.locator(".vnb-pad .vnb-screen-surface").click()
    notebook.page.locator(".vnb-pad select").select_option("Ctrl+Alt+Del")
    notebook.wait(lambda: notebook.text().count("KEY_DELETE") == 2, "three keys in the guest")
    assert notebook.text().count("KEY_LEFTCTRL") == 2
    notebook.picture("pad")


@pytest.mark.debian
def test_a_drag_on_the_pad_is_evdev_events_in_linux(open_notebook: Open) -> None:
    notebook = open_notebook(DEBIAN)
    notebook.run_all()
    notebook.wait(lambda: notebook.done(0), "Debian", 120)
    notebook.type("od -An -v -tu2 -w24 /dev/input/event1\n")
    notebook.page.wait_for_timeout(1000)
    pad = notebook.page.locator(".vnb-pad .vnb-screen-surface")
    pad.scroll_into_view_if_needed()  # typing has scrolled to the console
    box = pad.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] * 3 / 4, box["y"] + box["height"] / 2, steps=5)
    mouse.up()

    def events() -> list[tuple[int, ...]]:
        """(type, code, value) of each event, the time left out, as od shows its halfwords."""
        rows = (tuple(map(int, row.split())) for row in LINE.findall(notebook.text()))
        return [(row[8], row[9], row[10]) for row in rows if len(row) == 12]

    notebook.wait(lambda: (EV_KEY, BTN_LEFT, 0) in events(), "the button to be let go")
    seen = events()
    held = seen[seen.index((EV_KEY, BTN_LEFT, 1)) : seen.index((EV_KEY, BTN_LEFT, 0))]
    across = [value for kind, code, value in held if (kind, code) == (EV_ABS, ABS_X)]
    assert len(across) > 1 and across == sorted(across)
    assert abs(across[-1] - 0x8000 * 3 // 4) < 300
    notebook.picture("evdev")


def test_an_exported_notebook_has_the_last_picture_of_the_screen_and_of_the_plot(
    open_notebook: Open, lab: Lab, browser: Browser
) -> None:
    boot = BOOT.format(more="Screen(640, 480), Disk(size='4M')")
    notebook = open_notebook(boot, CARD, READ, WATCH)
    notebook.run_all()
    notebook.wait(lambda: notebook.done(3), "the last cell")
    kept = notebook.page.locator(".vnb-snapshot img")
    notebook.wait(lambda: kept.count() == 2, "a picture below each")
    notebook.command("docmanager:save")
    page = browser.new_page(viewport={"width": 1100, "height": 1500})
    page.goto(f"{lab.address}/nbconvert/html/{notebook.name}?download=false", timeout=60_000)
    card, plot = (page.locator(".vnb-snapshot img").nth(n) for n in (0, 1))
    assert card.is_visible() and plot.is_visible()
    assert card.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [640, 480]
    assert "throughput" in (plot.get_attribute("alt") or "")
    page.screenshot(path=PICTURES / "exported-screen.png")
    page.close()


def test_a_live_plot_changes_when_the_guest_uses_its_disk(open_notebook: Open) -> None:
    notebook = open_notebook(
        "from vnb import *\nmachine = Machine(devices=[Console(), Disk(size='4M')]).start()",
        "machine.watch()",
    )
    notebook.run_all()
    image = notebook.page.locator(".vnb-live img")
    notebook.wait(lambda: image.count() and image.get_attribute("src"), "a figure")
    first = image.get_attribute("src")
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute("
        "{code: \"machine.console.write('disk read 0\\\\n')\"})"
    )
    notebook.wait(lambda: image.get_attribute("src") != first, "another figure")
    notebook.page.wait_for_timeout(3000)
    notebook.picture("plot")
