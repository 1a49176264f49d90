"""The notebooks that people begin with run from top to bottom, and tell what they did."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import matplotlib.style
import nbformat
import pytest

from vnb import images, labs
from vnb.widgets.plots import COLOURS

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
QUICKSTART = NOTEBOOKS / "01-quickstart.ipynb"

CHECK = re.compile(r'^(?=labs\.check\("([\d.]+)", (\w+)\))', re.M)
VERDICT = re.compile(r"^(\d\d\.\d+) (right|not yet): ")
DEBIAN = (pytest.mark.debian, pytest.mark.xdist_group("notebooks"))

# fmt: off
LESSONS = (
    # notebook               pictures  what it prints, in the end
    ("02-path-of-one-byte",  3,        r"sb: the letter is in the guest's buffer"),
    ("03-write-a-driver",    3,        r"20 writes, and \d+ of labos"),
    pytest.param("04-block-io", 7,     r"mq-deadline +[\d.]+ s for 192 reads", marks=DEBIAN),
    pytest.param("05-networks", 8,     r"The file is whole", marks=DEBIAN),
    pytest.param("06-shares", 4,       r"1000 × write", marks=DEBIAN),
    pytest.param("07-input-and-screen", 7, r"[1-8] of 8 caught", marks=DEBIAN),
    ("08-an-experiment",     1,        r"(?s)(mmio|pci) +identical.*A message costs 1,\d+ instr"),
)
# fmt: on
"""Notebooks with exercises."""


def run(output: Path, notebook: Path = QUICKSTART, **environment: str) -> tuple[int, str]:
    """Exit status of notebooks/run.py, and all that it printed."""
    command = [sys.executable, str(NOTEBOOKS / "run.py"), str(notebook), "--output", str(output)]
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )
    return done.returncode, done.stdout


def pictures(notebook: Path) -> int:
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def check_quickstart(folder: Path, status: int, printed: str) -> None:
    assert status == 0, printed
    assert "b'written-by-the-guest" in printed
    assert "switched itself off with code 0" in printed
    assert pictures(folder / QUICKSTART.name) == 2
    assert "written by the host" in (folder / "01-quickstart.html").read_text()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs_and_says_what_its_script_says(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    script = jupytext.read(path.with_suffix(".py"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in script.cells]


def test_the_quickstart_runs_on_labos_where_no_mirror_is_reachable(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    status, printed = run(
        tmp_path, XDG_CACHE_HOME=str(cache), VNB_DEBIAN_MIRROR=f"file://{tmp_path}/nowhere"
    )
    assert "labos runs instead" in printed
    check_quickstart(tmp_path, status, printed)


@pytest.mark.debian
@pytest.mark.xdist_group("notebooks")
def test_the_quickstart_boots_debian(tmp_path: Path) -> None:
    images.debian(progress=False)
    status, printed = run(tmp_path)
    assert "labos runs instead" not in printed
    check_quickstart(tmp_path, status, printed)


def test_the_lessons_are_drawn_in_the_colours_of_vnbs_own_figures() -> None:
    with matplotlib.style.context("vnb.labs.figures"):
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()
    assert tuple(cycle["color"]) == COLOURS


def test_the_experiment_pins_the_guest_that_there_is() -> None:
    """Who changes labos runs notebook 08 again, looks at its conclusions, and pins the new one."""
    payload = images.labos().payload
    assert isinstance(payload, Path)
    digest = hashlib.sha256(payload.read_bytes()).hexdigest()
    assert f'PINNED = "{digest}"' in (NOTEBOOKS / "08-an-experiment.py").read_text()


def test_a_failing_step_fails_the_run_and_is_kept_in_its_results(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(f"{n} / {n}") for n in (1, 0, 2)]
    nbformat.write(notebook, tmp_path / "broken.ipynb")
    status, printed = run(tmp_path / "out", tmp_path / "broken.ipynb")
    assert status == 1
    assert "ZeroDivisionError" in printed
    executed = nbformat.read(tmp_path / "out" / "broken.ipynb", as_version=4)
    assert [len(cell.outputs) for cell in executed.cells] == [1, 1, 0]


def solved(source: Path, folder: Path) -> Path:
    """The notebook with the solutions of its exercises pasted in."""

    def paste(check: re.Match[str]) -> str:
        name, word = check.groups()
        text = repr(labs.solution(name))
        return f"{text}\n" if text.startswith("def ") else f"{word} = {text}\n"

    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        cell.source = CHECK.sub(paste, cell.source)
    nbformat.write(notebook, folder / source.name)
    return folder / source.name


def verdicts(notebook: Path) -> dict[str, str]:
    """What the checks in an executed notebook say."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs]
    return dict(found.groups() for text in texts if (found := VERDICT.match(text)))


def exercises(name: str) -> list[str]:
    return [exercise for exercise in labs.names() if exercise[:2] == name[:2]]


@pytest.mark.parametrize(("name", "figures", "words"), LESSONS)
@pytest.mark.parametrize("verdict", ["not yet", "right"])
def test_a_lesson_runs_to_its_end_with_its_exercises_done_and_undone(
    name: str, figures: int, words: str, verdict: str, tmp_path: Path
) -> None:
    source = NOTEBOOKS / f"{name}.ipynb"
    if verdict == "right":
        source = solved(source, tmp_path)
    status, printed = run(tmp_path / "out", source)
    assert status == 0, printed
    assert re.search(words, printed)
    executed = tmp_path / "out" / f"{name}.ipynb"
    assert verdicts(executed) == dict.fromkeys(exercises(name), verdict)
    assert pictures(executed) == figures


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.py")), ids=lambda path: path.stem)
def test_a_notebook_has_the_questions_and_not_the_answers(path: Path) -> None:
    text = path.read_text()
    asked = [name for name, _ in CHECK.findall(text)]
    for name in asked:
        assert f"Exercise {name}" in text
        assert f'labs.solution("{name}")' in text
        assert repr(labs.solution(name)).splitlines()[-1] not in text.splitlines()
