"""Takes the pictures of docs/images: each widget, by day and by night, in a real JupyterLab.

    python -m docs.pictures [NAME …]

Needs what the tests of the widgets need: JupyterLab, vnb's kernel in it, and Chromium.
"""

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Locator, sync_playwright

from tests.browser.lab import KERNEL, Lab, Notebook, chromium

FOLDER = Path(__file__).parent / "images"

Theme = Literal["light", "dark"]
THEMES: dict[Theme, str] = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}

COLOURS = 255
"""In a picture; a page with a figure needs no more."""

DEBIAN = """from vnb import *

machine = Machine(images.debian(), devices=[Console(), Disk(size="64M"){more}]).start()
machine"""
LABOS = "from vnb import *\n\nmachine = Machine(devices=[Console(), {devices}]).start()\nmachine"

TYPED = ("uname -a", "ls --color=always /", "free -m", "cat /proc/interrupts")


def machine(notebook: Notebook) -> Locator:
    """Debian with all that a cell shows of it."""
    notebook.run_all()
    typed(notebook, TYPED[:1])
    notebook.page.locator(".vnb-screen-surface").click()
    notebook.page.keyboard.type("clear; cat /proc/cpuinfo; ls --color=always /sys/class\n")
    notebook.page.wait_for_timeout(3000)  # who types on meanwhile has the letters in the output
    notebook.page.keyboard.type("cp /etc/os-release /dev/hvc0\n")  # no key here needs Shift
    notebook.wait(lambda: "VERSION_CODENAME" in notebook.text(), "the screen's shell")
    notebook.page.wait_for_timeout(1000)
    notebook.page.keyboard.press("Shift+Escape")
    notebook.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, 0)")
    return notebook.page.locator("#main")


def panel(notebook: Notebook) -> Locator:
    notebook.run_all()
    typed(notebook, TYPED[:1])
    return notebook.page.locator(".vnb-panel")


def console(notebook: Notebook) -> Locator:
    notebook.run_all()
    typed(notebook, TYPED)
    return notebook.console()


def screen(notebook: Notebook) -> Locator:
    notebook.run_all()
    ordered(notebook, "screen card", "labos> ")
    return notebook.page.locator(".vnb-screen").first


def pad(notebook: Notebook) -> Locator:
    """A wave drawn by hand."""
    notebook.run_all()
    ordered(notebook, "input", "pressed here")
    surface = notebook.page.locator(".vnb-pad .vnb-screen-surface")
    box = surface.bounding_box()
    assert box is not None
    mouse = notebook.page.mouse
    for n, (across, down) in enumerate(((0.2, 0.6), (0.3, 0.2), (0.45, 0.8), (0.6, 0.3))):
        mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=12)
        if n == 0:
            mouse.down()
    mouse.up()
    notebook.page.keyboard.press("a")
    return notebook.page.locator(".vnb-pad").first


def plots(notebook: Notebook) -> Locator:
    notebook.run_all()
    image = notebook.page.locator(".vnb-live img")
    notebook.wait(lambda: notebook.done(2), "the disk to be read and written", 120)
    notebook.wait(lambda: image.count() and image.get_attribute("src"), "a figure")
    notebook.page.wait_for_timeout(3000)
    return notebook.page.locator(".vnb-live").first


def shell(notebook: Notebook) -> Locator:
    """A notebook whose cells run in the guest."""
    notebook.run_all()
    notebook.wait(lambda: notebook.done(len(SHELL) - 1), "the last cell", 120)
    notebook.page.wait_for_timeout(500)
    notebook.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, 0)")
    return notebook.page.locator("#main")


def typed(notebook: Notebook, lines: tuple[str, ...]) -> None:
    """Lines at Debian's prompt, each when the one before it has ended."""
    notebook.wait(lambda: notebook.console().count() and "# " in notebook.text(), "a shell", 120)
    for line in lines:
        notebook.type(line + "\n")
        notebook.wait(lambda line=line: prompted(notebook.text(), line), line)  # type: ignore[misc]


def prompted(text: str, line: str) -> bool:
    """Whether this line has been typed, and the shell asks for the next one."""
    return line in text and text.strip().endswith("#")


def ordered(notebook: Notebook, line: str, answer: str) -> None:
    """A line at labos's prompt, and what is there to be read thereafter."""
    notebook.wait(lambda: notebook.console().count() and "labos> " in notebook.text(), "a prompt")
    notebook.type(line + "\n")
    notebook.wait(lambda: answer in notebook.text().partition(line)[2], line)


WORK = """for n in range(4):
    machine.shell(f"dd if=/dev/urandom of=/dev/vda bs={8 << n}k count={900 >> n} 2>/dev/null; sync")
    machine.shell(f"dd if=/dev/vda of=/dev/null bs={8 << n}k count={900 >> n} 2>/dev/null")"""

SHELL = (
    "%machine image=debian memory=192M disk=64M",
    "cd /usr/bin\nuname -a\nls -l --color=always /dev/vda",
    "mke2fs /dev/vda > /tmp/log && mount -t ext2 /dev/vda /mnt; df -h /mnt",
    "dd if=/dev/urandom of=/mnt/noise bs=64k count=300; sync",
    "%stats",
)

# fmt: off
SCENES: dict[str, tuple[Callable[[Notebook], Locator], tuple[str, ...]]] = {
    "machine": (machine, (DEBIAN.format(more=", Keyboard(), Tablet(), Screen(640, 240)"),)),
    "panel":   (panel,   (DEBIAN.format(more=""),)),
    "console": (console, (DEBIAN.format(more=""),)),
    "screen":  (screen,  (LABOS.format(devices="Keyboard(), Tablet(), Screen(480, 360)"),)),
    "pad":     (pad,     (LABOS.format(devices="Keyboard(), Tablet()"),)),
    "shell":   (shell,   SHELL),
    "plots":   (plots,   (DEBIAN.format(more="").removesuffix("machine"), "machine.watch()", WORK)),
}
# fmt: on
"""What is done in each picture, with the cells of its notebook."""


GUEST_SHELL = {"name": "vnb", "display_name": "vnb (guest shell)", "language": "bash"}
"""The kernel of notebooks that begin with a magic; the others' is Python's."""


def take(lab: Lab, browser: Browser, name: str, theme: Theme) -> Path:
    """One picture; where it is."""
    play, cells = SCENES[name]
    lab.write(f"{name}.ipynb", cells, GUEST_SHELL if cells[0].startswith("%") else KERNEL)
    page = browser.new_page(
        viewport={"width": 960, "height": 1000}, device_scale_factor=1.5, color_scheme=theme
    )
    notebook = Notebook(lab, page, f"{name}.ipynb")
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        THEMES[theme],
    )
    notebook.command("application:toggle-left-area")
    shot = play(notebook).screenshot()
    page.close()
    lab.shut_down()
    path = FOLDER / f"{name}-{theme}.png"
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main(*names: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = chromium(playwright)
        lab = Lab(Path(folder))
        try:
            lab.ready()
            for name in names or SCENES:
                for theme in THEMES:
                    path = take(lab, browser, name, theme)
                    print(f"{path}: {path.stat().st_size // 1024} KiB", flush=True)
        finally:
            lab.close()
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
