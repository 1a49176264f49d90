"""Files of a share: each kind by the contract, and what only it promises."""

import errno
import gc
import os
import socket
import stat
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from tests.contracts.files import (
    DIRECTORY,
    FilesContract,
    PosixContract,
    names,
    opened,
    path_of,
    read,
    read_from,
    refused,
    write,
)
from tests.descriptors import descriptors
from vnb.errors import UsageError
from vnb.host.files import Folder, Fsspec, Tree
from vnb.host.files.locks import MOST, Locks
from vnb.virtio.ninep.files import Files


def fill(folder: Path) -> Path:
    for name, data in FilesContract.CONTENT.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


class TestTree(PosixContract):
    @pytest.fixture
    def files(self) -> Files:
        return Tree(self.CONTENT)


class TestFolder(PosixContract):
    @pytest.fixture
    def files(self, tmp_path: Path) -> Files:
        return Folder(fill(tmp_path), write=True)


class TestFsspec(FilesContract):
    """Of fsspec's own file system in memory."""

    @pytest.fixture
    def files(self) -> Iterator[Files]:
        root = f"memory://{uuid.uuid4().hex}"
        fs, where = fsspec.core.url_to_fs(root)
        for name, data in self.CONTENT.items():
            fs.pipe_file(f"{where}/{name}", data)
        yield Fsspec(root, write=True)
        fs.rm(where, recursive=True)


def mutations(files: Files) -> list[object]:
    """Everything that changes files, to be called."""
    return [
        lambda: opened(files, "hello.txt", os.O_WRONLY),
        lambda: opened(files, "hello.txt", os.O_RDWR),
        lambda: opened(files, "hello.txt", os.O_TRUNC),
        lambda: opened(files, "new", os.O_CREAT),
        lambda: files.make(("new",), DIRECTORY, 0, 0),
        lambda: files.link(("hello.txt",), ("new",)),
        lambda: files.rename(("hello.txt",), ("new",)),
        lambda: files.remove(("hello.txt",), False),
        lambda: files.remove(("deep",), True),
        lambda: files.change(("hello.txt",), {"mode": 0}),
        lambda: files.change(("hello.txt",), {"size": 0}),
    ]


class TestTreeInTheCell:
    def test_it_is_written_as_a_dict_of_texts_bytes_and_dicts(self) -> None:
        tree = Tree({"a.txt": "ä", "b": b"\0", "dir": {"c": "c", "empty": {}}, "x/y/z": "deep"})
        assert dict(tree) == {"a.txt": "ä".encode(), "b": b"\0", "dir/c": b"c", "x/y/z": b"deep"}
        assert names(tree, "dir") == ["c", "empty"]
        assert len(tree) == 4
        assert repr(tree) == "Tree of 4 files"

    def test_what_the_cell_changes_the_guest_sees_and_the_other_way_round(self) -> None:
        tree = Tree()
        tree["new/file"] = "text"
        assert read(tree, "new/file") == b"text"
        file = opened(tree, "new/file")
        tree["/new/file"] = b"other"
        assert read_from(file, 0, 10) == b"other"
        write(tree, "guest", b"its own")
        assert tree["guest"] == b"its own"
        assert "guest" in tree
        del tree["new"]
        assert list(tree) == ["guest"]
        assert read_from(file, 0, 10) == b"other"

    def test_only_files_are_read_and_only_what_is_there_is_deleted(self) -> None:
        tree = Tree({"dir": {"a": "1"}})
        for path in ("dir", "", "nothing", "dir/a/b"):
            with pytest.raises(KeyError):
                tree[path]
        for path in ("", "nothing", "dir/a/b"):
            with pytest.raises(KeyError):
                del tree[path]
        assert dict(tree) == {"dir/a": b"1"}

    @pytest.mark.parametrize(
        "path", ["..", "a/../b", ".", "a\0b", "", "x" * 256, "/".join("a" * 257)]
    )
    def test_names_that_no_file_can_have_are_refused(self, path: str) -> None:
        with pytest.raises(UsageError):
            Tree()[path] = b""

    @pytest.mark.parametrize("content", [7, None, ["a"], {"a": 7}])
    def test_content_that_is_none_is_refused_by_name(self, content: object) -> None:
        with pytest.raises(UsageError, match="'new"):
            Tree()["new"] = content  # type: ignore[assignment]

    def test_no_directory_comes_where_a_file_is(self) -> None:
        tree = Tree({"a": "1", "dir": {}})
        for path in ("a/b", "dir"):
            with pytest.raises(UsageError, match="irectory"):
                tree[path] = b""
        assert dict(tree) == {"a": b"1"}

    def test_a_room_that_is_no_number_of_bytes_is_refused(self) -> None:
        with pytest.raises(UsageError, match="room="):
            Tree(room=-1)


class TestTreesRoom:
    ROOM = 1 << 20

    @pytest.fixture
    def tree(self) -> Tree:
        return Tree({"big": bytes(5 << 20)}, room=self.ROOM)

    def test_guests_fill_so_much_and_no_more(self, tree: Tree) -> None:
        write(tree, "half", bytes(self.ROOM // 2))
        with refused(errno.ENOSPC):
            write(tree, "rest", bytes(self.ROOM // 2))
        with refused(errno.ENOSPC):
            tree.change(("half",), {"size": 1 << 60})
        file = opened(tree, "half", os.O_WRONLY)
        with refused(errno.ENOSPC):
            file.write(1 << 40, [memoryview(b"x")])
        assert tree.stat(("half",)).size == self.ROOM // 2
        tree.remove(("half",), False)
        with refused(errno.ENOSPC):  # it is still open
            write(tree, "rest", bytes(self.ROOM // 2))
        file.close()
        write(tree, "rest", bytes(self.ROOM // 2))

    def test_empty_files_links_and_attributes_take_room_too(self, tree: Tree) -> None:
        with refused(errno.ENOSPC):
            for number in range(self.ROOM):
                tree.make((str(number),), stat.S_IFREG, 0, 0)
        for name in names(tree):
            tree.remove((name,), False)
        free = tree.usage()[2]
        with refused(errno.ENOSPC):
            for number in range(self.ROOM):
                tree.set_xattr((), f"user.{number}", bytes(1000), 0)
        for name in tree.xattrs(()):
            tree.remove_xattr((), name)
        assert tree.usage()[2] == free

    def test_all_room_comes_back(self, tree: Tree) -> None:
        before = tree.usage()
        for _ in range(100):
            write(tree, "a", bytes(100_000))
            tree.set_xattr(("a",), "user.a", b"1" * 1000, 0)
            tree.make(("link",), stat.S_IFLNK | 0o777, 0, 0, 0, "to" * 100)
            tree.link(("a",), ("b",))
            tree.rename(("b",), ("a",))
            tree.rename(("a",), ("link",))
            tree.remove(("link",), False)
            for name in names(tree):
                if name != "big":
                    tree.remove((name,), False)
        assert tree.usage() == before

    def test_the_cell_is_not_held_back_and_takes_nothing_from_the_guests(self, tree: Tree) -> None:
        free = tree.usage()[2]
        tree["more"] = bytes(3 * self.ROOM)
        assert tree.usage()[2] == free


class TestWhatOnlyATreeHas:
    def test_links_of_both_kinds_nodes_and_owners(self) -> None:
        tree = Tree({"a": "1"})
        tree.link(("a",), ("b",))
        tree.make(("s",), stat.S_IFLNK | 0o777, 5, 6, 0, "/etc/passwd")
        tree.make(("fifo",), stat.S_IFIFO | 0o600, 0, 0)
        tree.make(("null",), stat.S_IFCHR | 0o666, 0, 0, 0x103)
        tree.change(("a",), {"uid": 1000, "gid": 2000, "mode": 0o4755})
        assert tree.readlink(("s",)) == "/etc/passwd"
        status = tree.stat(("b",))
        assert (status.links, status.uid, status.gid) == (2, 1000, 2000)
        assert stat.S_IMODE(status.mode) == 0o4755
        assert tree.stat(("null",)).rdev == 0x103
        assert (tree.stat(("s",)).uid, tree.stat(("s",)).gid) == (5, 6)
        assert sorted(tree) == ["a", "b"]
        for name, code in (("s", errno.ELOOP), ("fifo", errno.ENXIO), ("null", errno.ENXIO)):
            with refused(code):
                opened(tree, name)
        with refused(errno.EPERM):
            tree.link((), ("root",))

    def test_two_machines_and_a_cell_at_once_leave_it_whole(self) -> None:
        tree = Tree()

        def work(number: int) -> None:
            for step in range(300):
                write(tree, f"{number}/{step % 7}", bytes([number]) * 1000)
                tree[f"{number}/cell"] = b"x"
                len(tree)

        for number in range(4):
            tree.make((str(number),), DIRECTORY, 0, 0)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(tree) == 4 * 8
        assert all(tree[f"{n}/{step}"] == bytes([n]) * 1000 for n in range(4) for step in range(7))


class TestWhatOnlyAFolderIs:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Folder:
        return Folder(fill(tmp_path), write=True)

    def test_it_is_read_only_unless_asked(self, tmp_path: Path) -> None:
        files = Folder(fill(tmp_path))
        for mutation in [*mutations(files), lambda: files.set_xattr((), "user.a", b"", 0)]:
            with refused(errno.EROFS):
                mutation()  # type: ignore[operator]
        assert read(files, "hello.txt") == b"hello\n"
        assert names(files) == ["deep", "empty", "hello.txt", "näme with spaces"]

    def test_what_is_no_folder_is_refused_in_words(self, tmp_path: Path) -> None:
        fill(tmp_path)
        with pytest.raises(UsageError, match="no such file"):
            Folder(tmp_path / "nothing")
        with pytest.raises(UsageError, match="not a directory"):
            Folder(tmp_path / "hello.txt")

    def test_special_files_are_shown_and_never_opened(self, folder: Folder, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "fifo")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "socket"))
            (tmp_path / "link").symlink_to("/etc/passwd")
            kinds = {name: kind for name, kind, _ in folder.list(())}
            assert kinds["fifo"] == stat.S_IFIFO
            assert kinds["socket"] == stat.S_IFSOCK
            assert kinds["link"] == stat.S_IFLNK
            for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_CREAT | os.O_RDWR, os.O_TRUNC):
                for name, code in (
                    ("fifo", errno.ENXIO),
                    ("socket", errno.ENXIO),
                    ("link", errno.ELOOP),
                ):
                    began = time.monotonic()
                    with refused(code):
                        opened(folder, name, flags)
                    assert time.monotonic() - began < 1
            assert folder.readlink(("link",)) == "/etc/passwd"
            for changes in ({"mode": 0o777}, {"size": 0}, {"mtime": 0}):
                with refused(errno.EPERM):
                    folder.change(("link",), changes)

    def test_the_guest_makes_no_links_and_no_nodes(self, folder: Folder, tmp_path: Path) -> None:
        for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK):
            with refused(errno.EPERM):
                folder.make(("new",), kind | 0o777, 0, 0, 0x103, "target")
        with refused(errno.EPERM):
            folder.link(("hello.txt",), ("new",))
        assert not os.path.lexists(tmp_path / "new")

    def test_no_bit_that_gives_somebody_rights_reaches_the_host(
        self, folder: Folder, tmp_path: Path
    ) -> None:
        folder.open(("a",), os.O_CREAT | os.O_WRONLY, 0o7755, 0, 0).close()
        folder.make(("dir",), stat.S_IFDIR | 0o7777, 0, 0)
        folder.make(("b",), stat.S_IFREG | 0o7755, 0, 0)
        folder.change(("hello.txt",), {"mode": 0o7777})
        for name in ("a", "dir", "b", "hello.txt"):
            assert not stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o7000

    def test_who_runs_vnb_is_root_and_nobody_gives_files_away(self, folder: Folder) -> None:
        status = folder.stat(("hello.txt",))
        assert (status.uid, status.gid) == (0, 0)
        folder.change(("hello.txt",), {"uid": 0, "gid": 0})
        for owner in ({"uid": 1000}, {"gid": 1000}):
            with refused(errno.EPERM):
                folder.change(("hello.txt",), owner)

    @pytest.mark.parametrize(
        "name", ["security.capability", "trusted.a", "system.posix_acl_access"]
    )
    def test_only_the_users_attributes_are_shared(self, folder: Folder, name: str) -> None:
        with refused(errno.EOPNOTSUPP):
            folder.set_xattr(("hello.txt",), name, b"1", 0)
        with refused(errno.EOPNOTSUPP):
            folder.get_xattr(("hello.txt",), name)

    def test_what_the_host_changes_is_seen_at_once(self, folder: Folder, tmp_path: Path) -> None:
        file = opened(folder, "hello.txt")
        (tmp_path / "hello.txt").write_bytes(b"changed")
        assert read_from(file, 0, 100) == b"changed"
        os.truncate(tmp_path / "hello.txt", 1)
        assert read_from(file, 0, 100) == b"c"
        (tmp_path / "deep" / "new").write_bytes(b"1")
        assert "new" in names(folder, "deep")

    def test_a_name_that_is_no_text_survives(self, folder: Folder, tmp_path: Path) -> None:
        with open(os.fsencode(tmp_path) + b"/\xff\xfe", "wb") as file:
            file.write(b"1")
        (name,) = (name for name in names(folder) if os.fsencode(name) == b"\xff\xfe")
        assert read(folder, name) == b"1"

    def test_no_descriptor_stays_behind(self, tmp_path: Path) -> None:
        before = descriptors()
        folder = Folder(fill(tmp_path), write=True)
        for _ in range(50):
            read(folder, "deep/er/file")
            names(folder, "deep/er")
            next(folder.list(("deep",)))
            opened(folder, "hello.txt")  # and nobody closes it
            for path in ("deep/nothing/x", "nothing", "hello.txt/x"):
                with refused(errno.ENOENT, errno.ENOTDIR):
                    folder.change(path_of(path), {"mode": 0})
        del folder
        gc.collect()
        assert descriptors() <= before


class TestWhatOnlyFsspecDoes:
    def test_it_is_read_only_unless_asked(self) -> None:
        fsspec.filesystem("memory").pipe_file("/only/hello.txt", b"hello\n")
        fsspec.filesystem("memory").pipe_file("/only/deep/a", b"")
        files = Fsspec("memory://only")
        for mutation in mutations(files):
            with refused(errno.EROFS):
                mutation()  # type: ignore[operator]
        assert read(files, "hello.txt") == b"hello\n"

    def test_an_archive_is_a_share_and_no_name_in_it_leads_out(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("dir/file", b"zipped")
            archive.writestr("../evil", b"evil")
        files = Fsspec(f"zip://::{tmp_path / 'a.zip'}")
        assert names(files) == ["dir"]
        assert read(files, "dir/file") == b"zipped"

    @pytest.mark.parametrize("url", ["file:///etc", "local:///etc", "dir::file:///etc"])
    def test_local_files_are_for_folder(self, url: str) -> None:
        with pytest.raises(UsageError, match="url="):
            Fsspec(url)

    def test_an_unknown_file_system_is_refused_in_words(self) -> None:
        with pytest.raises(UsageError, match="url='nothing://a'"):
            Fsspec("nothing://a")

    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ValueError("strange"), errno.EIO),
            (RuntimeError(), errno.EIO),
            (FileNotFoundError("no number"), errno.ENOENT),
            (PermissionError("no"), errno.EACCES),
            (NotImplementedError(), errno.EOPNOTSUPP),
            (TimeoutError("slow"), errno.ETIMEDOUT),
            (OSError(errno.ENOSPC, "full"), errno.ENOSPC),
        ],
    )
    def test_whatever_it_raises_the_guest_gets_an_error(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
    ) -> None:
        fsspec.filesystem("memory").pipe_file("/broken/a", b"")
        files = Fsspec("memory://broken")

        def fail(*arguments: object, **named: object) -> None:
            raise error

        monkeypatch.setattr(type(files.fs), "info", fail)
        with refused(code):
            files.stat(("a",))

    def test_a_directory_is_moved_by_the_guest_itself(self) -> None:
        fsspec.filesystem("memory").pipe_file("/moves/dir/a", b"")
        with refused(errno.EXDEV):
            Fsspec("memory://moves", write=True).rename(("dir",), ("new",))

    def test_everything_may_be_slow(self) -> None:
        assert Fsspec("memory://x").slow("getattr")


class TestLocks:
    def test_readers_share_and_writers_do_not(self) -> None:
        locks = Locks()
        assert locks.acquire(1, "a", "f", False, 0, 10)
        assert locks.acquire(1, "b", "g", False, 5, 15)
        assert not locks.acquire(1, "c", "h", True, 9, 10)
        assert locks.acquire(1, "c", "h", True, 15, 20)
        assert locks.acquire(2, "c", "h", True, 0, 10)
        held = locks.conflict(1, "c", True, 0, 100)
        assert held is not None and held.owner == "a"
        assert locks.conflict(1, "c", False, 0, 10) is None

    def test_an_owner_changes_parts_of_its_own_lock(self) -> None:
        locks = Locks()
        assert locks.acquire(1, "a", "f", True, 0, 100)
        locks.release(1, "a", 40, 60)
        assert locks.acquire(1, "b", "g", True, 40, 60)
        assert not locks.acquire(1, "b", "g", True, 39, 40)
        assert not locks.acquire(1, "b", "g", True, 60, 61)
        assert locks.acquire(1, "a", "f", False, 0, 40)
        assert locks.acquire(1, "b", "g", False, 39, 40)

    def test_what_was_locked_through_a_file_goes_with_it(self) -> None:
        locks = Locks()
        assert locks.acquire(1, "a", "f", True, 0, 100)
        locks.release_through("f")
        assert locks.acquire(1, "b", "g", True, 0, 100)

    def test_there_are_not_endlessly_many(self) -> None:
        locks = Locks()
        for number in range(MOST):
            assert locks.acquire(1, "a", "f", True, 2 * number, 2 * number + 1)
        with refused(errno.ENOLCK):
            locks.acquire(1, "a", "f", True, 2 * MOST, 2 * MOST + 1)
