"""The words of a cell: images by name and images of your own, or a clear refusal."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from vnb import images
from vnb.errors import UsageError
from vnb.images import Image


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "guest"
    path.write_bytes(b"content")
    return path


def test_images_have_names_and_descriptions() -> None:
    assert images.names() == ("debian", "labos")
    for name in images.names():
        assert images.description(name)


@pytest.mark.parametrize("ask", [images.get, images.description, images.missing])
def test_a_name_that_is_none_is_refused_with_those_that_are(ask: Any) -> None:
    with pytest.raises(UsageError, match="no image 'nosuch'; there are debian, labos"):
        ask("nosuch")


def test_the_embedded_guest_is_there_without_a_download() -> None:
    labos = images.get("labos")
    assert labos == images.labos()
    assert (labos.kind, labos.agent, images.missing("labos")) == ("elf", True, 0)
    assert isinstance(labos.payload, Path)
    assert labos.payload.read_bytes().startswith(b"\x7fELF")


def test_a_kernel_of_ones_own_may_have_an_initrd_and_words(file: Path) -> None:
    image = images.linux(str(file), initrd=file, append="quiet")
    assert image == Image("guest", "linux", file, file, "quiet")
    assert images.linux(file).initrd is None


def test_programs_of_ones_own_have_a_place_or_bring_it(file: Path) -> None:
    assert images.elf(file) == Image("guest", "elf", file)
    assert images.raw(file).address == 0x8000_0000
    assert images.raw(file, 0x8020_0000).address == 0x8020_0000


MAKERS = {
    "kernel": lambda path: images.linux(path),
    "initrd": lambda path: images.linux(__file__, initrd=path),
    "path": lambda path: images.elf(path),
    "path ": lambda path: images.raw(path),
}


@pytest.mark.parametrize("argument", MAKERS)
def test_a_file_that_cannot_be_had_is_refused_by_argument_and_reason(
    argument: str, tmp_path: Path
) -> None:
    make, name = MAKERS[argument], argument.strip()
    missing = tmp_path / "nosuch"
    with pytest.raises(UsageError, match=rf"^{name}={str(missing)!r}: there is no such file"):
        make(missing)
    with pytest.raises(UsageError, match=rf"^{name}={str(tmp_path)!r} is no file"):
        make(tmp_path)
    for nothing in (7, ["a"]):
        with pytest.raises(UsageError, match=rf"^{name}={re.escape(repr(nothing))}: the path"):
            make(nothing)


def test_a_file_that_may_not_be_read_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    with pytest.raises(UsageError, match=r"^kernel=.*may not read it"):
        images.linux(file)


@pytest.mark.parametrize("address", [-1, "0x80000000", None, 1.5, True])
def test_an_address_that_is_none_is_refused(file: Path, address: Any) -> None:
    with pytest.raises(UsageError, match=r"^address=.*: a physical address"):
        images.raw(file, address)


def test_words_that_are_none_are_refused(file: Path) -> None:
    with pytest.raises(UsageError, match=r"^append=\['quiet'\]: words"):
        images.linux(file, append=["quiet"])  # type: ignore[arg-type]


def test_an_image_is_told_without_its_bytes() -> None:
    image = Image("x", "raw", bytes(1000), initrd=Path("i"), append="a b", address=0x8000_0000)
    assert repr(image) == "Image('x', raw, 1,000 bytes, initrd i, at 0x80000000, append 'a b')"


def test_importing_images_loads_nothing_that_takes_time() -> None:
    slow = (
        "requests",
        "tqdm",
        "numpy",
        "elftools",
        "platformdirs",
        "filelock",
        "zstandard",
        "lzma",
    )
    script = f"import sys, vnb.images; print([name for name in {slow} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
