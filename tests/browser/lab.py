"""JupyterLab in a real browser, as a person uses it: notebooks opened, cells run, keys typed."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page, Playwright

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio")

# What would cover the page: news, and offers to learn more.
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}

PICTURES = Path(__file__).parents[2] / "build" / "browser"
"""Where screenshots are kept, to be looked at."""

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def chromium(playwright: Playwright) -> Browser:
    """The system's Chromium, headless, or else the one that Playwright installed."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return playwright.chromium.launch(executable_path=path, args=list(FLAGS))


class Lab:
    """A JupyterLab server over `folder`, and notebooks in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = folder / "settings"
        settings.mkdir()
        (settings / "overrides.json").write_text(json.dumps(SETTINGS))
        self.address = f"http://127.0.0.1:{port}"
        options = {
            "ServerApp.root_dir": folder,
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "IdentityProvider.token": "",
            "ServerApp.password": "",
            "ServerApp.disable_check_xsrf": True,
            "LabApp.expose_app_in_browser": True,
            "LabServerApp.app_settings_dir": settings,
        }
        command = [sys.executable, "-m", "jupyterlab"]
        self._log = (folder / "server.log").open("w")
        self._process = subprocess.Popen(
            command + [f"--{name}={value}" for name, value in options.items()],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config")},
        )

    def ready(self, timeout: float = 60) -> None:
        """Wait until it answers."""
        end = time.monotonic() + timeout
        while True:
            try:
                urllib.request.urlopen(self.address + "/api", timeout=5).close()
                return
            except OSError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "server.log").read_text()) from None
                time.sleep(0.1)

    def write(self, name: str, cells: Sequence[str], kernel: Mapping[str, str] = KERNEL) -> None:
        """A notebook of these code cells."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook.metadata.kernelspec = dict(kernel)
        nbformat.write(notebook, self.folder / name)

    def shut_down(self) -> None:
        """End all kernels."""
        for session in self._ask("GET", "/api/sessions"):
            self._ask("DELETE", f"/api/sessions/{session['id']}")

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self.address + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close(self) -> None:
        """Stop the server and all kernels."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


class Notebook:
    """A notebook open in a page."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.page = page
        self.name = name
        page.goto(f"{lab.address}/lab/tree/{name}?reset", timeout=60_000)
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        self.wait(lambda: self.status() == "idle", "the kernel to be ready")

    def command(self, name: str) -> Any:
        """Have JupyterLab do one of its commands."""
        return self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run_all(self) -> None:
        """Run all cells, without waiting for them."""
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")

    def status(self) -> str:
        """What the kernel is doing: "idle", "busy", …"""
        found: str = self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"
            " ?? ''"
        )
        return found

    def done(self, cell: int) -> bool:
        """Whether this cell has been run, and ended."""
        prompt = self.page.locator(".jp-CodeCell .jp-InputPrompt").nth(cell).inner_text()
        return prompt.strip("[]: ").isdigit()

    def running(self, cell: int) -> bool:
        """Whether this cell is being run, or waits for its turn."""
        return "*" in self.page.locator(".jp-CodeCell .jp-InputPrompt").nth(cell).inner_text()

    def output(self, cell: int) -> Locator:
        """Everything below a cell."""
        return self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea")

    def console(self, view: int = 0) -> Locator:
        """A terminal on the page."""
        return self.page.locator(".vnb-console").nth(view)

    def text(self, view: int = 0) -> str:
        """The lines that a terminal shows."""
        return self.console(view).locator(".xterm-rows").inner_text().replace("\xa0", " ")

    def type(self, text: str, view: int = 0) -> None:
        """Type into a terminal."""
        self.console(view).locator(".xterm-helper-textarea").focus()
        self.page.keyboard.type(text)

    def wait(self, true: Callable[[], object], what: str, timeout: float = 60) -> None:
        """Until `true()` holds; an error that says `what` was waited for, and a picture, if not."""
        end = time.monotonic() + timeout
        while not true():
            if time.monotonic() > end:
                self.picture("failed")
                raise AssertionError(f"waited {timeout} s for {what}")
            self.page.wait_for_timeout(20)

    def picture(self, name: str) -> Path:
        """Keep a screenshot."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{Path(self.name).stem}-{name}.png"
        self.page.screenshot(path=path)
        return path
