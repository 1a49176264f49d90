"""One browser and one JupyterLab for all tests here, gone after them; each has its own pages."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import Lab, Notebook, chromium


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    try:
        lab.ready()
        yield lab
    finally:
        lab.close()


@pytest.fixture
def open_notebook(
    lab: Lab, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Notebook]]:
    """Write a notebook of these cells and open it; without cells, open it once more."""
    pages = []
    name = request.node.name.removeprefix("test_")[:60] + ".ipynb"

    def open_one(*cells: str) -> Notebook:
        if cells:
            lab.write(name, cells)
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        pages.append(page)
        return Notebook(lab, page, name)

    yield open_one
    for page in pages:
        page.close()
    lab.shut_down()
