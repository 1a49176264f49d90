"""Widgets outlive the code that made them: rooms of vnb are loaded again under a live machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vnb
from tests.widgets.reloaded import WAYS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("way", WAYS)
def test_a_machine_on_a_page_lives_on_when_vnb_is_loaded_again(way: str, tmp_path: Path) -> None:
    copy = tmp_path / "vnb"
    shutil.copytree(Path(vnb.__file__).parent, copy)
    (copy / ".copy").touch()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.widgets.reloaded", way],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "failed" not in ran.stdout + ran.stderr
