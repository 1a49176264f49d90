"""Kernels that are started from this tree, whatever is installed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SPEC = Path(__file__).parents[2] / "vnb" / "kernel" / "spec"


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
