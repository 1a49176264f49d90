"""The rules of the house: which room may import which, how large a room is, what no file names."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

# A room is a module or package right under vnb/. It imports from the layers above its own line
# only, never from its neighbours; so every import points the same way.
LAYERS = (
    {"errors"},
    {"clock", "frame", "sizes", "stats", "waiting", "words"},
    {"memory", "bus", "host"},
    {"cpu", "platform", "virtio", "guest"},
    {"firmware", "images"},
    {"boot", "config"},
    {"agent", "aio", "console", "panel", "tally"},
    {"hardware"},
    {"loop"},
    {"machine"},
    {"rest"},
    {"widgets", "attach", "doctor", "labs", "magics", "server"},
    {"kernel", "cli"},
)
APART = {(room, "host") for room in ("cpu", "platform", "virtio")}  # backends are handed in
ONLY_IN = {
    "numba": {"cpu"},
    "llvmlite": {"cpu"},
    "matplotlib": {"widgets"},
    "ipywidgets": {"widgets"},
    "anywidget": {"widgets"},
    "IPython": {"widgets", "magics", "kernel"},
    "ipykernel": {"kernel"},
}
LATE = (
    "numba",
    "llvmlite",
    "matplotlib",
    "pandas",
    "IPython",
    "ipykernel",
    "ipywidgets",
    "anywidget",
)
LINES = 450


def files() -> list[Path]:
    """What the project consists of: tracked by git, or all there is in an unpacked sdist."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = list(ROOT.rglob("*"))
    return [path for path in found if path.is_file()]


def modules() -> list[Path]:
    return [p for p in files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] == "vnb"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def generated(path: Path) -> bool:
    return "generated" in path.read_text()[:400].lower()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def room_of(path: Path) -> str:
    """ "virtio" for vnb/virtio/queue.py, "bus" for vnb/bus.py, "" for vnb/__init__.py."""
    first = path.relative_to(ROOT).parts[1].removesuffix(".py")
    return "" if first in ("__init__", "__main__") else first


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import in the file, also those inside functions."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def layer(room: str) -> int:
    return next(n for n, rooms in enumerate(LAYERS) if room in rooms)


def registry_hosts() -> set[str]:
    """The hosts that this machine's own package clients are set up with."""
    said = [value for key, value in os.environ.items() if key.upper().startswith(("PIP_", "NPM_"))]
    commands = [[sys.executable, "-m", "pip", "config", "list"]]
    if shutil.which("npm"):
        commands.append(["npm", "config", "get", "registry"])
    for command in commands:
        said.append(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)
    for source in Path("/etc/apt").glob("sources.list*"):
        parts = source.iterdir() if source.is_dir() else [source]
        said += [part.read_text() for part in parts]
    hosts = set(re.findall(r"https?://(?:[^/@\s]*@)?([\w.-]+)", "\n".join(said)))
    return {host for host in hosts if "." in host and not host.startswith("127.")}


def test_every_import_points_down_the_layers() -> None:
    wrong = []
    for path in modules():
        here = room_of(path)
        if not here:
            continue
        for line, name in imported(path):
            there = name.split(".")[1] if name.startswith("vnb.") else None
            known = there and any(there in rooms for rooms in LAYERS)
            if not known or there == here:
                continue
            if layer(there) >= layer(here) or (here, there) in APART:
                wrong.append(f"{name_of(path)}:{line} imports {name}")
    assert not wrong


def test_every_room_has_its_place_in_the_layers() -> None:
    assert {room_of(path) for path in modules()} - {""} <= set().union(*LAYERS)


def test_heavy_packages_are_imported_only_in_their_own_room() -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {name}"
        for path in modules()
        for line, name in imported(path)
        if room_of(path) not in ONLY_IN.get(name.split(".")[0], {room_of(path)})
    ]
    assert not wrong


def test_every_package_that_vnb_imports_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in project["dependencies"]}
    names = {name.split(".")[0] for path in modules() for _, name in imported(path)}
    sources = importlib.metadata.packages_distributions()
    foreign = names - sys.stdlib_module_names - {"vnb"}
    assert not {name for name in foreign if not declared & {d.lower() for d in sources[name]}}


def test_import_vnb_loads_no_compiler_no_plots_and_no_jupyter() -> None:
    code = f"import sys, vnb; print(*[name for name in {LATE} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_no_room_is_larger_than_one_sitting_reads() -> None:
    """Notebooks are no rooms: they are read from top to bottom, in more than one."""
    rooms = [p for p in files() if p.relative_to(ROOT).parts[0] != "notebooks"]
    sources = [p for p in rooms if p.suffix in (".py", ".c", ".h", ".ts")]
    large = {name_of(p): len(p.read_text().splitlines()) for p in sources if not generated(p)}
    assert not {name: lines for name, lines in large.items() if lines > LINES}


def test_every_module_opens_with_a_sentence() -> None:
    silent = [name_of(path) for path in modules() if not ast.get_docstring(tree(path))]
    assert not silent


def test_no_room_is_named_after_nothing() -> None:
    vague = re.compile(r"(^|_)(utils?|mgr|manager|helpers?|impl|misc|common)(_|$)")
    assert not [name_of(path) for path in modules() if vague.search(path.stem)]


def test_errors_are_swallowed_nowhere_but_around_the_machine_thread() -> None:
    broad = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
        and ast.unparse(node.body[-1]) != "raise"  # tidying up swallows nothing
    ]
    assert [place.partition(":")[0] for place in broad] == ["vnb/loop.py"]


def test_every_promise_names_tests_that_exist() -> None:
    promised = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SPECIFICATION.md").read_text())
    assert promised
    assert not {
        f"{path}::{name}"
        for path, name in promised
        if f"def {name}(" not in (ROOT / path).read_text()
    }


def test_every_link_between_documents_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in files()
        if page.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    ]
    assert not [(name_of(page), to) for page, to in links if not (page.parent / to).exists()]


def test_no_file_names_a_host_of_a_package_registry() -> None:
    contents = {name_of(path): path.read_bytes() for path in files()}
    assert not {
        (name, host)
        for host in registry_hosts()
        for name, content in contents.items()
        if host.encode() in content
    }


def test_the_lock_file_of_the_widgets_names_versions_and_no_addresses() -> None:
    """`npm run lock` in widgets/ makes it so."""
    lock = (ROOT / "widgets" / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert "://" not in lock
