"""How Sphinx makes the site of these documents: `make docs`.

The site is laid out as the repository is, so that a link between documents serves in both. It
begins at docs/index.md.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import vnb

ROOT = Path(__file__).parents[1]

project = "vnb"
author = copyright = "the vnb authors, MIT licence"
version = release = vnb.__version__

# What belongs to the site
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "notebooks/*.ipynb",
    "SPECIFICATION.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "tests/virtio/RULES.md",
]
exclude_patterns = [".*", "build", "dist", "vnb", "widgets", "**/.ipynb_checkpoints"]

# How it is read
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
myst_enable_extensions = ["html_image"]
myst_heading_anchors = 3
smartquotes = False
default_role = "code"  # what docstrings have between backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
add_module_names = False
nb_execution_mode = "off"  # notebooks/run.py has executed them: see `executed` below
nb_merge_streams = True

# How it looks
html_theme = "furo"
html_title = f"vnb {version}"
html_logo = html_favicon = str(ROOT / "vnb" / "kernel" / "spec" / "logo-svg.svg")
html_static_path = [str(ROOT / "docs" / "static")]
html_css_files = ["site.css"]
html_extra_path = [str(ROOT / "docs" / "root")]
html_copy_source = html_domain_indices = False
pygments_style = "github-light"
pygments_dark_style = "github-dark"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#1d63ab", "color-brand-content": "#1d63ab"},
    "dark_css_variables": {"color-brand-primary": "#7db8f0", "color-brand-content": "#7db8f0"},
}
copybutton_exclude = ".linenos, .gp, .go"


def executed(app: Sphinx, name: str, source: list[str]) -> None:
    """Take a notebook's executed copy in its place, where the build was told of such copies."""
    if name.startswith("notebooks/") and app.config.executed_notebooks:
        copy = Path(app.config.executed_notebooks, Path(name).name + ".ipynb").resolve()
        app.env.note_dependency(str(copy))
        source[0] = copy.read_text()


def backslashes(
    _app: Sphinx, _what: str, _name: str, _it: object, _options: object, lines: list[str]
) -> None:
    """Keep them: a docstring is prose to us, with none that are meant for Sphinx."""
    lines[:] = [line.replace("\\", "\\\\") for line in lines]


def factories(
    _app: Sphinx,
    _what: str,
    _name: str,
    _it: object,
    _options: object,
    arguments: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show what a dataclass makes by default, which is always an empty dict."""
    return arguments and arguments.replace("<factory>", "{}"), returns


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_config_value("executed_notebooks", "", "env", str)
    app.connect("source-read", executed)
    app.connect("autodoc-process-docstring", backslashes)
    app.connect("autodoc-process-signature", factories)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
