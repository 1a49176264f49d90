"""Kernels that are started from this tree, whatever is installed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SPEC = Path(__file__).parents[2] / "vnb" / "kernel" / "spec"

OLDER = "6.31"
"""The last ipykernel before subshells, which many a JupyterHub still has."""

START_OLDER = f"""
import ipykernel, runpy
assert ipykernel.__version__.startswith("{OLDER}."), (ipykernel.__version__, ipykernel.__file__)
runpy.run_module("vnb.kernel", run_name="__main__")
"""


@pytest.fixture(scope="session", autouse=True)
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Jupyter finds the kernel "vnb" where its wheel would have put it."""
    share = tmp_path_factory.mktemp("share")
    (share / "kernels").mkdir()
    (share / "kernels" / "vnb").symlink_to(SPEC)
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(share)
    yield SPEC
    if before is None:
        del os.environ["JUPYTER_PATH"]
    else:
        os.environ["JUPYTER_PATH"] = before


@pytest.fixture(scope="session")
def older_ipykernel(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a kernel that is the same, but runs on an ipykernel before the one installed."""
    packages = tmp_path_factory.mktemp("older")
    command = ["install", "--no-deps", "--target", packages, f"ipykernel=={OLDER}.*"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"pip could not fetch ipykernel {OLDER} to test with:\n{done.stdout}")
    kernel = json.loads((spec / "kernel.json").read_text())
    assert kernel["argv"][:3] == ["python", "-m", "vnb.kernel"]
    kernel["argv"][1:3] = ["-c", START_OLDER]
    path = os.pathsep.join(filter(None, (str(packages), os.environ.get("PYTHONPATH"))))
    kernel["env"] = {"PYTHONPATH": path}
    folder = Path(os.environ["JUPYTER_PATH"], "kernels", "vnb-older")
    folder.mkdir()
    (folder / "kernel.json").write_text(json.dumps(kernel))
    return folder.name
