"""What the archive has today becomes a lock, and only if its lists are what they should be."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.images import fakes
from tests.images.fakes import Archive
from vnb.errors import HostError
from vnb.images import lock, release
from vnb.images.release import Found


@pytest.fixture
def archive() -> Archive:
    return fakes.debian()[0]


def latest(archive: Archive) -> Found:
    with fakes.serving(archive.files) as server:
        return release.latest(server.address, progress=False)


def test_the_kernel_of_the_day_is_what_the_meta_package_depends_on(archive: Archive) -> None:
    found, expected = latest(archive).lock, fakes.debian()[1]
    assert found.packages == expected.packages
    assert found.kernel == fakes.KERNEL
    assert (found.suite, found.release) == ("trixie", "13.9")
    assert found.date == "2026-09-12T07:55:41+00:00"


def test_a_lock_from_an_archive_survives_its_file(archive: Archive, tmp_path: Path) -> None:
    found = latest(archive).lock
    lock.write(found, tmp_path / "lock")
    assert lock.read(tmp_path / "lock") == found


def test_a_list_of_packages_that_is_not_the_announced_one_is_refused(archive: Archive) -> None:
    path = "dists/trixie/main/binary-riscv64/Packages.xz"
    archive.files[path] = archive.files[path][:-1] + b"?"
    with pytest.raises(HostError, match="not the file that was asked for"):
        latest(archive)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Codename": "forky"}, "not the archive's list of trixie"),
        ({"SHA256": "\n 00 1 main/binary-amd64/Packages.xz"}, "does not list main/binary-riscv64"),
    ],
)
def test_another_archive_is_refused(archive: Archive, changes: dict[str, str], words: str) -> None:
    archive.publish([], **changes)
    with pytest.raises(HostError, match=words):
        latest(archive)


def test_an_archive_without_a_needed_package_is_refused_by_its_name(archive: Archive) -> None:
    archive.publish([archive.add(f"linux-image-{fakes.KERNEL}", b"")])
    with pytest.raises(HostError, match="no package busybox-static"):
        latest(archive)
    archive.publish([])
    with pytest.raises(HostError, match=f"no package linux-image-{fakes.KERNEL}"):
        latest(archive)


def test_a_host_that_cannot_verify_the_signature_says_so(archive: Archive) -> None:
    assert latest(archive).signature.startswith("not verified: that takes gpgv and")


# With a keyring, and an archive that is signed


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GnuPG home with a key of its own."""
    if not (shutil.which("gpg") and shutil.which("gpgv")):
        pytest.skip("this host has no gpg and gpgv to sign and verify with")
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    gpg(home, "--quick-generate-key", "Fake Archive <fake@invalid>", "ed25519", "sign", "never")
    return home


def gpg(home: Path, *arguments: str) -> None:
    command = ["gpg", "--batch", "--quiet", "--passphrase=", f"--homedir={home}", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def sign(archive: Archive, signer: Path, tmp_path: Path) -> None:
    """Replaces the archive's made-up signature by a true one."""
    text = archive.files["dists/trixie/InRelease"].partition(b"\n\n")[2]
    (tmp_path / "Release").write_bytes(text.partition(b"-----BEGIN PGP SIGNATURE")[0])
    gpg(signer, "--clearsign", f"--output={tmp_path / 'InRelease'}", str(tmp_path / "Release"))
    archive.files["dists/trixie/InRelease"] = (tmp_path / "InRelease").read_bytes()


def test_a_signature_is_verified_where_the_host_can(
    archive: Archive, signer: Path, tmp_path: Path
) -> None:
    sign(archive, signer, tmp_path)
    gpg(signer, f"--output={release.KEYRING}", "--export")
    found = latest(archive)
    assert found.signature == "verified: Fake Archive <fake@invalid>"
    assert found.lock.packages == fakes.debian()[1].packages


def test_a_changed_list_under_a_true_signature_is_refused(
    archive: Archive, signer: Path, tmp_path: Path
) -> None:
    sign(archive, signer, tmp_path)
    gpg(signer, f"--output={release.KEYRING}", "--export")
    path = "dists/trixie/InRelease"
    archive.files[path] = archive.files[path].replace(b"13.9", b"13.8")
    with pytest.raises(HostError, match="signature of the mirror's InRelease is wrong"):
        latest(archive)


def test_an_unsigned_list_is_refused_where_the_host_can_verify(
    archive: Archive, signer: Path
) -> None:
    gpg(signer, f"--output={release.KEYRING}", "--export")
    with pytest.raises(HostError, match="signature of the mirror's InRelease is wrong"):
        latest(archive)


def test_a_keyring_without_the_key_verifies_nothing_and_says_so(
    archive: Archive, signer: Path, tmp_path: Path
) -> None:
    sign(archive, signer, tmp_path)
    release.KEYRING.write_bytes(b"")
    assert "has none of the keys" in latest(archive).signature
