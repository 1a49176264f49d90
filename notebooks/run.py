"""Runs a notebook without a browser, tells each step and its time, and keeps the result.

    python notebooks/run.py [NOTEBOOK] [--output FOLDER]

Writes NOTEBOOK with its outputs, and the same as one HTML page, into the folder; both also when a
step fails, which ends the run with status 1.
"""

import re
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import click
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

HERE = Path(__file__).parent
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Teller:
    """Prints a line for each step as it begins and ends, and what the step itself printed."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.steps = [n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        self.began = 0.0
        self.titles = {}
        title = ""
        for n, cell in enumerate(notebook.cells):
            headings = re.findall(r"^#+ (.*)", cell.source, re.M) if n not in self.steps else []
            title = headings[-1] if headings else title
            self.titles[n] = title

    def begin(self, cell_index: int, **_: Any) -> None:
        if cell_index in self.steps:
            number = f"[{self.steps.index(cell_index) + 1:2}/{len(self.steps)}]"
            print(f"{number} {self.titles[cell_index]:<32}", end="", flush=True)
            self.began = time.perf_counter()

    def end(self, cell: nbformat.NotebookNode, cell_index: int, **_: Any) -> None:
        if cell_index in self.steps:
            print(f"{time.perf_counter() - self.began:7.2f} s")
            for output in cell.outputs:
                if output.output_type == "stream" and output.name == "stdout":
                    lines = ESCAPES.sub("", output.text).splitlines()
                    print(*(f"        {line}" for line in lines), sep="\n", flush=True)


def run(notebook: nbformat.NotebookNode, teller: Teller) -> CellExecutionError | None:
    """Execute all cells in order, in this file's folder; the error that ended it, or None."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--log-level=ERROR"],
        timeout=600,
        store_widget_state=False,  # a page without a kernel shows pictures of the machine instead
        resources={"metadata": {"path": str(HERE)}},
        on_cell_start=teller.begin,
        on_cell_executed=teller.end,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        return error
    return None


def keep(notebook: nbformat.NotebookNode, source: Path, folder: Path) -> list[Path]:
    """Write the notebook and its page, which needs nothing from elsewhere; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    executed, page = folder / source.name, folder / f"{source.stem}.html"
    nbformat.write(notebook, executed)
    # Live widgets are not for a page; the pictures below them are.
    warnings.filterwarnings("ignore", message="Your element with mimetype")
    exporter = HTMLExporter(mathjax_url="", require_js_url="", embed_images=True)
    html, _ = exporter.from_notebook_node(
        notebook, resources={"metadata": {"name": source.stem, "path": str(HERE)}}
    )
    page.write_text(html)
    return [executed, page]


@click.command()
@click.argument(
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=HERE / "01-quickstart.ipynb",
)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=HERE.parent / "build" / "demo",
)
def main(source: Path, output: Path) -> None:
    """Run a notebook, tell how it goes, and keep it with its outputs."""
    notebook = nbformat.read(source, as_version=4)
    began = time.perf_counter()
    print(f"{source.name}, executed headless:\n")
    error = run(notebook, Teller(notebook))
    print(f"\n{time.perf_counter() - began:.1f} s in all. Written:")
    for path in keep(notebook, source, output):
        print(f"    {path}")
    if error:
        sys.exit(f"\nA step failed:\n\n{error}")


if __name__ == "__main__":
    main()
