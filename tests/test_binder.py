"""What Binder builds works here as well, in the memory that it gives, and rests when left alone."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"

GIVEN = 1 << 30
"""Bytes of memory that Binder promises to everybody."""


class Peak:
    """The most memory that `process` and all that it starts had at once, while they ran.

    Pages that several of them share count for each in its part (PSS).
    """

    def __init__(self, process: psutil.Process) -> None:
        self.bytes = 0
        self._process = process
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE:
            found = 0
            for one in (self._process, *self._children()):
                try:
                    found += one.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.bytes = max(self.bytes, found)
            time.sleep(0.1)

    def _children(self) -> list[psutil.Process]:
        try:
            return self._process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def result(self) -> int:
        self._thread.join()
        return self.bytes


@pytest.mark.debian
@pytest.mark.xdist_group("notebooks")
def test_the_quickstart_runs_in_the_memory_that_binder_gives(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "notebooks" / "run.py"), "--output", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = Peak(psutil.Process(process.pid))
    printed, _ = process.communicate(timeout=280)
    assert process.returncode == 0, printed
    assert peak.result() < GIVEN


@pytest.mark.slow
def test_the_environment_is_built_by_the_files_here(tmp_path: Path) -> None:
    """As Binder does it, in a copy of what git has, with nothing installed before."""
    copy = tmp_path / "vnb"
    copy.mkdir()
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    built = subprocess.run(
        [copy / "binder" / "postBuild"],
        env=environment | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=290,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert "the engine is compiled" in built.stdout
    assert (copy / ".venv" / "bin" / "jupyter").exists()


def test_machines_there_rest_when_they_are_left_alone() -> None:
    said = subprocess.run(
        [BINDER / "start", "sh", "-c", "echo $VNB_PAUSE_AFTER"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "5\n"
