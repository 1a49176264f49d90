"""`import vnb` is light, and the words that it offers are all there."""

import subprocess
import sys

import pytest

import vnb


def test_every_word_that_is_offered_exists() -> None:
    for word in vnb.__all__:
        assert getattr(vnb, word) is not None
    assert set(vnb.__all__) <= set(dir(vnb))


def test_a_word_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Modem"):
        _ = vnb.Modem


def test_import_vnb_is_quick() -> None:
    code = "import time; t = time.perf_counter(); import vnb; print(time.perf_counter() - t)"
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds) < 0.35


def test_a_machine_can_be_made_without_loading_a_compiler() -> None:
    code = (
        "import sys, vnb; vnb.Machine();"
        "print(*[name for name in ('numba', 'llvmlite', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_first_guest_instruction_comes_soon_after_the_import() -> None:
    code = (
        "import time; t = time.perf_counter(); import vnb; m = vnb.Machine(); m.start();"
        "m.call(lambda: None); print(time.perf_counter() - t); m.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # compiles, if nobody has
    seconds = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        seconds.append(float(done.stdout))
    print(f"from import to the first instruction: {min(seconds):.2f} s")
    assert min(seconds) < 0.4
