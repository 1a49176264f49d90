"""Where packages come from: told, or the archive that the host's apt already uses."""

from pathlib import Path

import pytest

from tests.images import fakes
from vnb.errors import UsageError
from vnb.images import mirror


def apt(directory: Path, **files: str) -> Path:
    """An /etc/apt with those files: list and sources in sources.list.d, or sources.list itself."""
    (directory / "sources.list.d").mkdir(parents=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        path = f"sources.list.d/{stem}.{suffix}" if stem else "sources.list"
        (directory / path).write_text(text)
    return directory


def test_an_argument_goes_before_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mirror.VARIABLE, "http://environment/debian")
    assert mirror.find("http://argument/debian/", apt(tmp_path / "apt")) == "http://argument/debian"


def test_the_environment_goes_before_the_hosts_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(mirror.VARIABLE, "file:///srv/debian")
    assert mirror.find(None, apt(tmp_path / "apt")) == "file:///srv/debian"


@pytest.mark.parametrize("address", ["", "debian", "/srv/debian", "ftp://host/debian", 7, b"http:"])
def test_what_is_no_address_is_refused_by_the_name_of_the_argument(address: object) -> None:
    with pytest.raises(UsageError, match=r"^mirror=.* is no address"):
        mirror.find(address)  # type: ignore[arg-type]


def test_a_wrong_address_in_the_environment_is_refused_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(mirror.VARIABLE, "nonsense")
    with pytest.raises(UsageError, match=r"^VNB_DEBIAN_MIRROR='nonsense'"):
        mirror.find()


@pytest.mark.parametrize(
    "text",
    [
        "deb {} bookworm main\n",
        "  deb [ arch=amd64 signed-by=/usr/share/key.gpg ] {}/ bookworm main contrib\n",
        "# deb http://commented/out x main\ndeb-src http://sources/only x main\ndeb {} x main\n",
        "deb cdrom:[Debian 13]/ trixie main\ndeb {} trixie main\n",
    ],
)
def test_one_line_sources_are_understood(tmp_path: Path, text: str) -> None:
    archive, _ = fakes.debian()
    with fakes.serving(archive.files) as server:
        settings = apt(tmp_path / "apt", list=text.format(server.address))
        assert mirror.find(None, settings) == server.address


@pytest.mark.parametrize(
    "text",
    [
        "Types: deb\nURIs: {}\nSuites: trixie\nComponents: main\n",
        "# one\nTypes: deb deb-src\n# two\nURIs:\n http://127.0.0.1:1/x\n {}/\nSuites: x\n",
        "types: deb\nuris: {}\nenabled: yes\n",
        "Types: deb-src\nURIs: http://sources/only\n\n\nTypes: deb\nURIs: {}\n",
        "Enabled: no\nTypes: deb\nURIs: http://switched/off\n\nTypes: deb\nURIs: {}\n",
        "Types: deb\nURIs: {}\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n",
    ],
)
def test_deb822_sources_are_understood(tmp_path: Path, text: str) -> None:
    archive, _ = fakes.debian()
    with fakes.serving(archive.files) as server:
        settings = apt(tmp_path / "apt", debian_sources=text.format(server.address))
        assert mirror.find(None, settings) == server.address


def test_sources_that_are_no_debian_for_this_machine_are_passed_over(tmp_path: Path) -> None:
    good, _ = fakes.debian()
    ubuntu, amd64, other = fakes.Archive(), fakes.Archive(), {"index.html": b"hello"}
    ubuntu.publish([], Origin="Ubuntu")
    amd64.publish([], Architectures="all amd64")
    with (
        fakes.serving(ubuntu.files) as first,
        fakes.serving(amd64.files) as second,
        fakes.serving(other) as third,
        fakes.serving(good.files) as fourth,
    ):
        lines = [f"deb {server.address} stable main" for server in (first, second, third, fourth)]
        settings = apt(tmp_path / "apt", list="\n".join(lines))
        assert mirror.find(None, settings) == fourth.address


def test_without_a_mirror_the_error_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mirror=.* or set VNB_DEBIAN_MIRROR"):
        mirror.find(None, tmp_path / "no apt here")


def test_without_a_working_mirror_the_error_names_those_that_were_tried(tmp_path: Path) -> None:
    with fakes.serving({}) as server:
        settings = apt(tmp_path / "apt", list=f"deb {server.address} trixie main")
        with pytest.raises(UsageError, match=f"{server.address}.*VNB_DEBIAN_MIRROR"):
            mirror.find(None, settings)
