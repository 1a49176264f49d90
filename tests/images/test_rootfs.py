"""Our own files in the guest, as far as the host can judge them; tests/guests boots them."""

import subprocess

import pytest

from vnb.images import initramfs

SCRIPTS = {path: text.decode() for path, text in initramfs.our_files() if text.startswith(b"#!")}


def test_there_are_an_init_and_an_agent() -> None:
    assert {"init", "usr/lib/vnb/agent"} <= set(SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_script_is_correct_shell(path: str) -> None:
    subprocess.run(["sh", "-n"], input=SCRIPTS[path], text=True, check=True)
