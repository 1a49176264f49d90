"""What a page does with a machine: how soon a key is echoed, how fast output and pictures arrive.

    python benchmarks/page.py [--count 60]

A real JupyterLab in headless Chromium, with Debian busy and a cell running all the while.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import click
import psutil
from playwright.sync_api import sync_playwright
from tables import conclude, table, to_readme

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.lab import Lab, Notebook, chromium

MEMORY = 192  # MiB of guest RAM

BOOT = f"""from vnb import *
machine = Machine(images.debian(), memory="{MEMORY}M",
                  devices=[Console(), Keyboard(), Screen(800, 600)]).start()
machine.shell("true")
machine"""

# A cell that runs all the while, and prints on the console while there is a file: the guest's own
# driver of that console hands over 16 bytes at a time, and would be what is measured.
RUNNING = """import os, time
line = b"0123456789 " * 7 + b"\\r\\n"
while True:
    time.sleep(0.05)
    if os.path.exists("print"):
        machine.console.terminal.output(line * 750)"""

KEY = """
async rows => {
  const area = rows.closest(".xterm").querySelector(".xterm-helper-textarea");
  area.focus();
  await new Promise(resolve => setTimeout(resolve, 150 + 100 * Math.random()));
  const text = rows.innerText;
  const shown = new Promise(resolve => {
    const observer = new MutationObserver(() => {
      if (rows.innerText === text) return;
      observer.disconnect();
      requestAnimationFrame(() => resolve(performance.now()));
    });
    observer.observe(rows, { childList: true, characterData: true, subtree: true });
  });
  const before = performance.now();
  area.value = "x";
  area.dispatchEvent(new InputEvent("input", { data: "x", inputType: "insertText" }));
  return (await shown) - before;
}
"""
"""Milliseconds until the frame after the one in which the text of the terminal is another; only
letters count, not a cursor."""

COUNT_FRAMES = """
() => {
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  window.pictures = 0;
  CanvasRenderingContext2D.prototype.drawImage = function (...all) {
    window.pictures += 1;
    return draw.apply(this, all);
  };
}
"""

# Programs for the guest: what keeps it busy, and what fills the screen.
BUSY = "(while :; do :; done) &"
PAINT = "while :; do cat /dev/urandom | head -c 1920000 >/dev/fb0; done"


def keys(notebook: Notebook, count: int) -> str:
    """From a key to the letter on the page."""
    notebook.type(f"{BUSY}\n")
    notebook.page.wait_for_timeout(2000)
    rows = notebook.console().locator(".xterm-rows")
    times = [rows.evaluate(KEY) for _ in range(count)]
    notebook.type("\x15kill $!\n")
    slow = statistics.quantiles(times, n=20)[-1]
    return f"{statistics.median(times):.0f} ms (95 %: {slow:.0f} ms)"


def output(notebook: Notebook, folder: Path, seconds: float) -> str:
    """Bytes of console output that the page shows in a second, of the 1.2 MB that are printed."""
    notebook.page.evaluate(
        "() => { window.shown = 0; const write = WebSocket.prototype.send;"
        " WebSocket.prototype.send = function (data) {"
        " const text = data instanceof ArrayBuffer ? new TextDecoder().decode(data) : data;"
        ' const ack = /"kind":"ack".*?"position":(\\d+)/.exec(text);'
        " if (ack) window.shown = Math.max(window.shown, Number(ack[1]));"
        " return write.call(this, data); } }"
    )
    (folder / "print").touch()
    notebook.page.wait_for_timeout(3000)
    before, began = notebook.page.evaluate("window.shown"), time.monotonic()
    notebook.page.wait_for_timeout(1000 * seconds)
    shown = notebook.page.evaluate("window.shown") - before
    rate = shown / (time.monotonic() - began) / 1e6
    (folder / "print").unlink()
    return f"{rate:.2f} MB/s"


def pictures(notebook: Notebook, seconds: float) -> str:
    """Pictures of the whole screen that the page draws in a second."""
    notebook.page.evaluate(COUNT_FRAMES)
    notebook.type(f"{PAINT}\n")
    notebook.page.wait_for_timeout(3000)
    before = notebook.page.evaluate("window.pictures")
    notebook.page.wait_for_timeout(1000 * seconds)
    drawn = notebook.page.evaluate("window.pictures") - before
    notebook.page.keyboard.press("Control+c")
    return f"{drawn / seconds:.0f} a second"


def memory() -> str:
    """MiB of the kernel that runs the machine, beside the guest's RAM."""
    kernels = [
        one
        for one in psutil.Process().children(recursive=True)
        if "ipykernel_launcher" in " ".join(one.cmdline())
    ]
    return f"{max(one.memory_info().rss for one in kernels) / 2**20 - MEMORY:.0f} MiB"


@click.command()
@click.option("--count", default=60, help="Keys to press.")
@click.option("--seconds", default=10.0, help="How long to watch output and pictures.")
@to_readme
def main(count: int, seconds: float, write: bool) -> None:
    """Measure what the page does."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab = Lab(Path(folder))
        try:
            lab.ready()
            browser = chromium(playwright)
            page = browser.new_page(viewport={"width": 1100, "height": 1400})
            lab.write("page.ipynb", [BOOT, RUNNING])
            notebook = Notebook(lab, page, "page.ipynb")
            notebook.run_all()
            notebook.wait(lambda: notebook.running(1) and notebook.console().count(), "Debian", 120)
            page.wait_for_timeout(3000)
            rows = [
                ["from a key to its letter, median", keys(notebook, count), "≤ 60 ms"],
                ["pictures of 800×600", pictures(notebook, seconds), "≥ 15 a second"],
                ["console output, of 1.2 MB/s", output(notebook, lab.folder, seconds), "≥ 1 MB/s"],
                ["the kernel's memory beside guest RAM", memory(), "< 400 MiB"],
            ]
            browser.close()
        finally:
            lab.close()
    conclude("page", f"{count} keys", [table(["", "measured", "goal"], rows)], {}, write)


if __name__ == "__main__":
    main()
