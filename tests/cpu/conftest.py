"""What tests of the translator share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vnb.cpu.hart import Hart
from vnb.cpu.jit import code, region, translator, workshop
from vnb.cpu.jit.lines import Host
from vnb.cpu.jit.workshop import Workshop
from vnb.memory import Memory


@pytest.fixture(params=["quick", "thorough"])
def thoroughness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much LLVM does about the code of regions."""
    if request.param == "thorough":
        monkeypatch.setattr(translator, "make", translator.THOROUGHLY)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The engine comes from where it is; regions and their workshop have a place of their own."""
    Hart(Memory(1 << 16))
    monkeypatch.setenv("VNB_CACHE_DIR", str(tmp_path))
    opened: list[Workshop] = []
    monkeypatch.setattr(workshop, "_opened", opened)
    yield tmp_path / "compiled"
    for each in opened:
        each.close()


@pytest.fixture
def portable(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions as for a host that does not note exceptions as x86 does."""
    here = code.host()
    other = Host(here.sparing, here.chained, x86=False, fma=here.fma)
    for room in (code, region):
        monkeypatch.setattr(room, "host", lambda: other)
