"""Shares as a cell asks for them: what may be one, what it is called, and what is behind it."""

from pathlib import Path
from typing import Any

import pytest

from vnb import Share, UsageError
from vnb.config import check
from vnb.host.files import Folder, Fsspec, Tree
from vnb.images import Image, labos
from vnb.virtio.ninep import NineP


def test_a_dict_is_kept_in_memory_and_each_machine_has_its_own() -> None:
    share = Share({"a.txt": "1"}, tag="data")
    one, two = share.open(), share.open()
    assert isinstance(one, Tree) and isinstance(two, Tree)
    one["a.txt"] = "2"
    assert two["a.txt"] == b"1"
    assert dict(Share().open()) == {}  # type: ignore[call-overload]


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_a_folder_that_can_be_written_if_asked(tmp_path: Path, kind: type) -> None:
    for write in (False, True):
        folder = Share(kind(tmp_path), write=write).open()
        assert isinstance(folder, Folder)
        assert (folder.path, folder.write) == (str(tmp_path), write)


def test_a_url_is_for_fsspec() -> None:
    files = Share("memory://somewhere", write=True).open()
    assert isinstance(files, Fsspec)
    assert files.write


def test_what_holds_files_is_shared_as_it_is() -> None:
    tree = Tree()
    assert Share(tree).open() is tree


def test_its_tag_is_its_name_in_the_guest_and_in_the_cell() -> None:
    share = Share({}, tag="data")
    assert share.name(3) == "data"
    device = share.device(share.open(), "data", bytes)
    assert isinstance(device, NineP)
    assert device.config == b"\x04\0data"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"tag": ""}, "tag="),
        ({"tag": "a/b"}, "tag="),
        ({"tag": ".."}, "tag="),
        ({"tag": "ä"}, "tag="),
        ({"tag": "x" * 32}, "tag="),
        ({"tag": 7}, "tag="),
        ({"tag": "a\n"}, "tag="),
        ({"source": 7}, "source="),
        ({"source": b"bytes"}, "source="),
        ({"source": ["a"]}, "source="),
        ({"write": "yes"}, "write="),
    ],
)
def test_a_wrong_share_is_refused_where_it_is_written(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Share(**arguments)


def test_a_folder_that_is_not_there_is_a_clear_error_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        Share(tmp_path / "nothing").open()
    with pytest.raises(UsageError, match="neither bytes"):
        Share({"a": 7}).open()


def test_two_shares_have_two_tags() -> None:
    image: Image = labos()
    with pytest.raises(UsageError, match="2 of them are called 'share'"):
        check(image, "64M", [Share({}), Share({})], "")


def test_a_share_says_what_it_is(tmp_path: Path) -> None:
    assert str(Share({"a": "1"}, tag="data")) == "share data (in memory)"
    assert str(Share("./work", tag="w")) == "share w (./work)"
    assert str(Share(tmp_path, tag="w", write=True)) == f"share w ({tmp_path}, writable)"
    assert str(Share(Tree({"a": "1"}))) == "share share (in memory)"
    assert str(Share("memory://x", tag="m")) == "share m (memory://x)"
