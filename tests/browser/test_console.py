"""The console and the panel in JupyterLab: typed at, looked at, restarted and exported."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.lab import PICTURES, Lab, Notebook

pytestmark = pytest.mark.xdist_group("browser")

Open = Callable[..., Notebook]

BOOT = "from vnb import Machine\nmachine = Machine().start()\nmachine"
PROMPT = "labos> "


def booted(notebook: Notebook) -> Notebook:
    """Run all cells, and wait for the guest's prompt in the first console."""
    notebook.run_all()
    notebook.console().wait_for(timeout=60_000)
    notebook.wait(lambda: PROMPT in notebook.text(), "a prompt")
    return notebook


def test_keys_reach_the_guest_while_a_cell_runs(open_notebook: Open) -> None:
    notebook = booted(open_notebook(BOOT, "import time\ntime.sleep(600)"))
    notebook.wait(lambda: notebook.running(1), "the second cell to run")
    notebook.type("echo typed by hand\n")
    notebook.wait(lambda: notebook.text().count("typed by hand") == 2, "the guest's answer")
    assert notebook.running(1)
    notebook.picture("answered")
    notebook.command("notebook:interrupt-kernel")


def test_two_views_show_the_same_console(open_notebook: Open) -> None:
    notebook = booted(open_notebook(BOOT, "machine"))
    notebook.wait(lambda: notebook.done(1), "the second cell")
    notebook.type("echo in the first\n", view=0)
    notebook.type("echo in the second\n", view=1)
    for view in (0, 1):
        notebook.wait(
            lambda view=view: notebook.text(view).count("in the second") == 2, "both answers"
        )
        assert notebook.text(view).count("in the first") == 2


def test_the_buttons_of_the_panel_work(open_notebook: Open) -> None:
    notebook = booted(open_notebook(BOOT))
    panel = notebook.page.locator(".vnb-panel")
    state = panel.get_by_role("status")
    panel.get_by_role("button", name="Pause").click()
    notebook.wait(lambda: state.inner_text() == "paused", "the machine to pause")
    panel.get_by_role("button", name="Start").click()
    notebook.wait(lambda: state.inner_text() == "running", "the machine to go on")
    panel.get_by_role("button", name="Reset").click()
    notebook.wait(lambda: notebook.text().count("Type help") == 2, "labos to start again")
    panel.get_by_role("button", name="Power off").click()
    notebook.wait(lambda: state.inner_text() == "off", "the machine to be off")
    notebook.picture("off")


def test_a_flood_of_output_leaves_the_page_awake_and_ends_in_the_right_place(
    open_notebook: Open,
) -> None:
    """Ten megabytes through the console, and every last line of it."""
    flood = "for n in range(200_000): machine.console.terminal.output(b'%050d\\r\\n' % n)"
    notebook = open_notebook(BOOT, "machine.console.expect('labos> ')\n" + flood)
    notebook.run_all()
    notebook.console().wait_for(timeout=60_000)
    notebook.wait(lambda: f"{199_999:050d}" in notebook.text(), "the last line")
    notebook.type("echo still here\n")
    notebook.wait(lambda: notebook.text().count("still here") == 2, "an answer")


def test_a_kernel_that_is_gone_is_said_to_be_and_its_console_stays(open_notebook: Open) -> None:
    notebook = booted(open_notebook(BOOT))
    notebook.type("echo remember me\n")
    notebook.wait(lambda: notebook.text().count("remember me") == 2, "an answer")
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()"
    )
    banner = notebook.console().locator(".vnb-console-banner")
    notebook.wait(lambda: "does not answer" in banner.inner_text(), "the banner", timeout=30)
    assert "remember me" in notebook.text()
    notebook.picture("gone")
    notebook.run_all()
    notebook.wait(
        lambda: PROMPT in notebook.text() and "remember me" not in notebook.text(), "another one"
    )
    notebook.type("echo anew\n")
    notebook.wait(lambda: notebook.text().count("anew") == 2, "its answer")


def test_two_pages_share_one_kernel_and_its_console(open_notebook: Open) -> None:
    first = booted(open_notebook(BOOT))
    first.command("docmanager:save")
    second = open_notebook()
    second.console().wait_for(timeout=60_000)
    second.wait(lambda: PROMPT in second.text(), "the console on the second page")
    second.type("echo from the second page\n")
    for page in (first, second):
        page.wait(lambda page=page: page.text().count("from the second page") == 2, "the answer")


def test_a_page_that_is_loaded_again_has_its_console_again(open_notebook: Open) -> None:
    notebook = booted(open_notebook(BOOT))
    notebook.type("echo before\n")
    notebook.wait(lambda: notebook.text().count("before") == 2, "an answer")
    notebook.command("docmanager:save")
    again = open_notebook()
    notebook.page.close()
    again.console().wait_for(timeout=60_000)
    again.wait(lambda: again.text().count("before") == 2, "what was said before")
    again.type("echo after\n")
    again.wait(lambda: again.text().count("after") == 2, "an answer")


def test_an_exported_notebook_has_a_picture_of_the_machine(
    open_notebook: Open, lab: Lab, browser: Browser
) -> None:
    notebook = booted(open_notebook(BOOT))
    notebook.type("echo for posterity\n")
    notebook.wait(lambda: notebook.text().count("for posterity") == 2, "an answer")
    notebook.page.wait_for_timeout(12_000)  # pictures are taken every ten seconds
    notebook.command("docmanager:save")
    page = browser.new_page(viewport={"width": 1100, "height": 700})
    page.goto(f"{lab.address}/nbconvert/html/{notebook.name}?download=false", timeout=60_000)
    snapshot = page.locator(".vnb-snapshot")
    assert snapshot.is_visible()
    assert snapshot.inner_text().replace("\xa0", " ").count("for posterity") == 2
    page.screenshot(path=PICTURES / "exported.png")
    page.close()
