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


def test_a_machine_can_be_made_without_loading_a_compiler() -> None:
    code = (
        "import sys, vnb; vnb.Machine();"
        "print(*[name for name in ('numba', 'llvmlite', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_the_first_guest_instruction_needs_neither_numba_nor_plots_nor_jupyter() -> None:
    """All of which take longer to load than the guest to start."""
    code = (
        "import sys, vnb; m = vnb.Machine(); m.start(); m.call(lambda: None); m.close();"
        "print(*{'numba', 'numpy', 'matplotlib', 'pandas', 'fsspec', 'IPython'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
