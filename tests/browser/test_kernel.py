"""The guest shell in JupyterLab: cells in the guest, pictures, completion, the stop button."""

import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import Lab, Notebook

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("browser")]

SPEC = Path(__file__).parents[2] / "vnb" / "kernel" / "spec"
KERNEL = {"name": "vnb", "display_name": "vnb (guest shell)", "language": "bash"}
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="60">'
    '<rect width="120" height="60" rx="9" fill="#3b76af"/></svg>'
)
CELLS = (
    "%machine image=debian memory=192M disk=16M",
    "cd /usr; uname -a; pwd; ls --color=always",
    f"echo '{DRAWING}' > /tmp/a.svg; imgcat /tmp/a.svg",
    "dd if=/dev/urandom of=/dev/vda bs=64k count=100 2>/dev/null",
    "%stats",
    "pwd; false",
    "ping 127.0.0.1",
)


@pytest.fixture
def notebook(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Notebook]:
    (tmp_path / "share" / "kernels").mkdir(parents=True)
    (tmp_path / "share" / "kernels" / "vnb").symlink_to(SPEC)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share") + os.pathsep)
    page = browser.new_page(viewport={"width": 1100, "height": 1300})
    lab = Lab(tmp_path)
    try:
        lab.ready()
        cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
        written = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
        nbformat.write(written, tmp_path / "guest-shell.ipynb")
        yield Notebook(lab, page, "guest-shell.ipynb")
    finally:
        page.close()
        lab.shut_down()
        lab.close()


def test_a_notebook_is_a_shell_in_the_guest(notebook: Notebook) -> None:
    for cell in range(len(CELLS) - 1):
        notebook.page.locator(".jp-CodeCell").nth(cell).locator(".cm-content").click()
        notebook.command("notebook:run-cell")
        notebook.wait(lambda cell=cell: notebook.done(cell), f"cell {cell}", 120)  # type: ignore[misc]
    assert "is up after" in notebook.output(1).inner_text()
    assert "/usr\n" in notebook.output(1).inner_text()
    assert notebook.output(2).locator(".jp-RenderedSVG").count() == 1
    assert notebook.output(4).locator(".jp-RenderedImage img").count() == 1
    assert "/usr" in notebook.output(5).inner_text()
    assert "exit status 1" in notebook.output(5).inner_text()

    last = len(CELLS) - 1
    notebook.page.locator(".jp-CodeCell").nth(last).locator(".cm-content").click()
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")
    notebook.wait(lambda: "64 bytes" in notebook.output(last).inner_text(), "an answer")
    notebook.command("notebook:interrupt-kernel")
    notebook.wait(lambda: notebook.done(last), "the interrupted cell", 5)
    assert "packet loss" in notebook.output(last).inner_text()
    notebook.picture("interrupted")

    editor = notebook.page.locator(".jp-CodeCell").nth(last).locator(".cm-content")
    editor.click()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.type("; hexdu")
    notebook.page.keyboard.press("Tab")
    offered = notebook.page.locator(".jp-Completer-item", has_text="hexdump")
    notebook.wait(offered.count, "a command of the guest", 20)
    notebook.picture("completed")
    notebook.page.keyboard.press("Enter")
    notebook.wait(lambda: "; hexdump" in editor.inner_text(), "the completed command", 20)
