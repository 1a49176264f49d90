"""The lock file: read, written whole, and the newer one of two in force."""

import dataclasses
import json
from pathlib import Path

import pytest

from vnb.errors import HostError
from vnb.images import lock
from vnb.images.lock import Lock, Package

PACKAGES = (
    Package("linux-image-6.12.1-riscv64", "6.12.1-1", "pool/l/linux.deb", 112, "ab" * 32),
    Package("busybox-static", "1:1.37.0-6", "pool/b/busybox.deb", 94, "cd" * 32),
    Package("opensbi", "1.6-1", "pool/o/opensbi.deb", 20, "ef" * 32),
)
LOCK = Lock("trixie", "13.7", "2026-09-12T07:55:41+00:00", "6.12.1-riscv64", PACKAGES)


def test_a_lock_that_was_written_reads_the_same(tmp_path: Path) -> None:
    lock.write(LOCK, tmp_path / "new" / "debian.lock.json")
    assert lock.read(tmp_path / "new" / "debian.lock.json") == LOCK
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["debian.lock.json"]


def test_the_lock_that_comes_with_vnb_names_what_the_guest_needs_and_no_host() -> None:
    shipped = lock.read(lock.SHIPPED)
    names = [package.name for package in shipped.packages]
    assert names == [f"linux-image-{shipped.kernel}", "busybox-static", "opensbi"]
    assert all(package.path.startswith("pool/main/") for package in shipped.packages)
    assert "://" not in lock.SHIPPED.read_text()


def test_any_change_of_a_lock_changes_its_digest() -> None:
    other = dataclasses.replace(PACKAGES[0], sha256="ef" * 32)
    changed = dataclasses.replace(LOCK, packages=(other, PACKAGES[1]))
    assert changed.digest != LOCK.digest == dataclasses.replace(LOCK).digest


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"packages": 1}', '{"packages": [{"name": "x"}]}']
)
def test_a_damaged_lock_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "debian.lock.json"
    path.write_text(text)
    with pytest.raises(HostError, match=r"debian\.lock\.json is damaged"):
        lock.read(path)


def test_a_lock_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot read the lock file .*none\.json"):
        lock.read(tmp_path / "none.json")


def test_a_lock_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "debian.lock.json"
    lock.write(LOCK, path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(HostError, match=r"cannot write the lock file .*No space left"):
        lock.write(dataclasses.replace(LOCK, release="13.8"), path)
    assert lock.read(path) == LOCK
    assert [path.name for path in tmp_path.iterdir()] == ["debian.lock.json"]


def test_the_newer_of_the_users_lock_and_the_shipped_one_is_in_force() -> None:
    shipped = lock.read(lock.SHIPPED)
    assert lock.current() == shipped
    older = dataclasses.replace(LOCK, date="2020-01-01T00:00:00+00:00")
    newer = dataclasses.replace(LOCK, date="2099-01-01T00:00:00+00:00")
    lock.write(older, lock.updated())
    assert lock.current() == shipped
    lock.write(newer, lock.updated())
    assert lock.current() == newer
    lock.write(dataclasses.replace(newer, packages=PACKAGES[:2]), lock.updated())
    assert lock.current() == shipped  # an earlier vnb wrote it, which needed fewer packages


def test_a_lock_file_is_json_that_people_can_read(tmp_path: Path) -> None:
    lock.write(LOCK, tmp_path / "lock")
    text = (tmp_path / "lock").read_text()
    assert json.loads(text)["packages"][1]["version"] == "1:1.37.0-6"
    assert text.count("\n") > 10
