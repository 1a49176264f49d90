"""Debian, booted once for all tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vnb import Console, Disk, Machine, images

DISK = 8 << 20


@pytest.fixture(scope="session")
def debian() -> images.Image:
    return images.debian(progress=False)


@pytest.fixture(scope="session")
def disks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three disk images of the same content: /dev/vda rw, /dev/vdb ro, /dev/vdc snapshot."""
    folder = tmp_path_factory.mktemp("disks")
    paths = {mode: folder / f"{mode}.img" for mode in ("rw", "ro", "snapshot")}
    for path in paths.values():
        path.write_bytes(b"vnb!" * (DISK // 4))
    return paths


@pytest.fixture(scope="session")
def machine(debian: images.Image, disks: dict[str, Path]) -> Iterator[Machine]:
    devices = [Console(), *(Disk(path, mode) for mode, path in disks.items())]
    with Machine(debian, memory="192M", devices=devices) as machine:
        machine.shell("true", timeout=120)
        yield machine
