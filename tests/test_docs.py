"""The site of the documents is built without a warning, and every link in it leads somewhere."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

import vnb

ROOT = Path(__file__).parents[1]
FRONT = "docs/index.html"


def built(source: Path, output: Path, *options: str) -> tuple[int, str]:
    """Build the site of a checkout as `make docs` does: status, and what it complained about."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    command += [*options, "-c", str(source / "docs"), "-d", str(output / "trees")]
    done = subprocess.run(
        [*command, str(source), str(output / "site")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stdout


@dataclass
class Page(HTMLParser):
    """What a page links to and can be linked by, and the words in it."""

    text: str
    links: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.names |= {name for name in (given.get("id"), given.get("name")) if name}
        self.links += [link for link in (given.get("href"), given.get("src")) if link]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    status, complaints = built(ROOT, folder)
    assert status == 0, complaints
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    found = sorted(site.rglob("*.html"))
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in found}


def inside(site: Path, pages: dict[str, Page], name: str) -> Iterator[tuple[str, str]]:
    """(file, anchor) of each link of a page that stays on the site."""
    for link in pages[name].links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (site / name).parent / unquote(parts.path) if parts.path else site / name
        yield os.path.relpath(os.path.normpath(target), site), unquote(parts.fragment)


def test_every_link_on_the_site_leads_to_a_file_and_an_anchor_in_it(
    site: Path, pages: dict[str, Page]
) -> None:
    broken = []
    for name in pages:
        for target, anchor in inside(site, pages, name):
            if not (site / target).exists():
                broken.append((name, target))
            elif anchor and target in pages and anchor not in pages[target].names:
                broken.append((name, f"{target}#{anchor}"))
    assert not broken


def test_every_page_is_reached_from_the_front_door(site: Path, pages: dict[str, Page]) -> None:
    reached, next_ones = {"index.html"}, ["index.html"]
    while next_ones:
        found = {target for target, _ in inside(site, pages, next_ones.pop())}
        next_ones += sorted((found & pages.keys()) - reached)
        reached |= found
    assert {"index.html", FRONT} <= pages.keys() <= reached
    wanted = {path.relative_to(ROOT) for path in ROOT.glob("docs/*.md")}
    wanted |= {path.relative_to(ROOT) for path in ROOT.glob("notebooks/*.ipynb")}
    assert {path.with_suffix(".html").as_posix() for path in wanted} <= pages.keys()


def test_the_words_of_a_cell_are_all_explained(pages: dict[str, Page]) -> None:
    explained = pages["docs/api.html"].names
    modules = {"images", "labs"}
    assert {f"vnb.{word}" for word in set(vnb.__all__) - modules} <= explained
    functions = set(vnb.images.__all__) - {"Image"}
    assert {f"vnb.images.{name}" for name in functions} <= explained


def small(folder: Path, **pages: str) -> Path:
    """A checkout that has these pages and a notebook, and its site is made as this one's is."""
    for name in ("docs/root", "docs/static", "vnb/kernel/spec"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "docs" / "conf.py", folder / "docs")
    for name, text in pages.items():
        (folder / "docs" / f"{name}.md").write_text(text)
    (folder / "notebooks").mkdir()
    cells = [nbformat.v4.new_markdown_cell("# A lesson"), nbformat.v4.new_code_cell("print(6 * 7)")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    lesson = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(lesson, folder / "notebooks" / "lesson.ipynb")
    return folder


INDEX = "# Front door\n\n```{toctree}\nanother\n/notebooks/lesson\n```\n"


def test_a_link_an_anchor_and_a_page_that_lead_nowhere_fail_the_build(tmp_path: Path) -> None:
    links = "# Another\n\n[1](nowhere.md) [2](index.md#nowhere) [3](index.md#front-door)\n"
    source = small(tmp_path / "source", index=INDEX, another=links, forgotten="# Nobody links here")
    status, complaints = built(source, tmp_path)
    assert status != 0
    (page,) = (line for line in complaints.splitlines() if "nowhere.md" in line)
    (anchor,) = (line for line in complaints.splitlines() if "id not found" in line)
    (orphan,) = (line for line in complaints.splitlines() if "forgotten.md" in line)
    assert "target not found" in page and "toctree" in orphan and "front-door" not in complaints
    assert "'nowhere'" in anchor


def test_a_notebook_is_shown_as_it_ran_where_that_is_known(tmp_path: Path) -> None:
    source, copies = small(tmp_path / "source", index=INDEX, another="# Another"), tmp_path / "ran"
    ran = nbformat.read(source / "notebooks" / "lesson.ipynb", as_version=4)
    ran.cells[1].outputs = [nbformat.v4.new_output("stream", text="the answer is 42")]
    copies.mkdir()
    nbformat.write(ran, copies / "lesson.ipynb")
    shown = tmp_path / "site" / "notebooks" / "lesson.html"
    for options, text in (((), False), (("-D", f"executed_notebooks={copies}"), True)):
        status, complaints = built(source, tmp_path, *options)
        assert status == 0, complaints
        assert ("the answer is 42" in shown.read_text()) == text
