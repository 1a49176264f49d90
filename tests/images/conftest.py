"""A home of its own for each test: an empty cache, no mirror and no keyring, no waiting."""

from pathlib import Path

import platformdirs
import pytest

from vnb.images import download, mirror, release


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory under which the cache and the user's data are for this test."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(platformdirs, "user_data_path", lambda name: tmp_path / "data" / name)
    monkeypatch.delenv(mirror.VARIABLE, raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(release, "KEYRING", tmp_path / "keyring.gpg")
    return tmp_path
