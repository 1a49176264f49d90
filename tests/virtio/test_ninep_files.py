"""What a guest does with the files of a share, also when the host fails: read, list, name, lock."""

import errno
import os
import stat
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.virtio.ninep import (
    APPEND,
    CORPUS,
    EXCL,
    RDONLY,
    RDWR,
    ROOT,
    TRUNC,
    WRONLY,
    Guest,
    Refusal,
    decode,
    encode,
    error_of,
)
from vnb.errors import HostError
from vnb.host.files import Folder, Tree
from vnb.virtio.ninep.contents import BLOCKED, LOCKED, READ_LOCK, UNLOCK, WRITE_LOCK
from vnb.virtio.ninep.messages import LERROR, LINUX
from vnb.virtio.ninep.session import MAX_MSIZE

DIRECTORY_FLAG = 0o200000

# The system calls that a folder makes.
CALLS = (
    *("open", "stat", "fstat", "scandir", "mkdir", "rename", "unlink", "rmdir", "fchmod", "chmod"),
    *("truncate", "utime", "preadv", "pwritev", "fdatasync", "statvfs", "readlink"),
    *("getxattr", "setxattr", "listxattr", "removexattr"),
)


class TestReadingAndWriting:
    def test_a_file_is_created_written_and_read(self, guest: Guest, tree: Tree) -> None:
        fid = guest.create("dir/new", RDWR, 0o640)
        assert guest.ask("write", fid, 0, b"some text") == 9
        assert guest.ask("read", fid, 5, 100) == b"text"
        assert guest.attributes_of(fid)["size"] == 9
        assert guest.attributes("dir/new")["mode"] == stat.S_IFREG | 0o640
        assert tree["dir/new"] == b"some text"
        assert error_of(guest, "lcreate", guest.walk("dir"), "new", EXCL, 0o644, 0) == "EEXIST"

    def test_flags_of_open_mean_what_they_mean_in_linux(self, guest: Guest) -> None:
        fid = guest.open("hello.txt", WRONLY | APPEND)
        guest.ask("write", fid, 0, b"more")
        assert guest.read("hello.txt") == b"hello\nmore"
        guest.open("hello.txt", RDWR | TRUNC)
        assert guest.read("hello.txt") == b""
        assert error_of(guest, "lopen", guest.walk("hello.txt"), 3) == "EINVAL"
        assert error_of(guest, "lopen", guest.walk("dir"), RDWR) == "EISDIR"
        guest.open("dir", DIRECTORY_FLAG)

    def test_who_opened_to_read_cannot_write_and_the_other_way_round(self, guest: Guest) -> None:
        assert error_of(guest, "write", guest.open("hello.txt"), 0, b"x") == "EBADF"
        assert error_of(guest, "read", guest.open("hello.txt", WRONLY), 0, 9) == "EBADF"
        assert error_of(guest, "read", guest.walk("hello.txt"), 0, 9) == "EBADF"
        assert error_of(guest, "read", guest.open("dir"), 0, 9) == "EISDIR"
        assert error_of(guest, "write", guest.open("dir"), 0, b"x") == "EBADF"
        assert error_of(guest, "readdir", guest.open("hello.txt"), 0, 99) == "ENOTDIR"
        assert error_of(guest, "readdir", guest.walk("dir"), 0, 99) == "EBADF"

    @pytest.mark.parametrize("count", [0, 1, 5, 6, 7, 1 << 20, 0xFFFF_FFFE, 0xFFFF_FFFF])
    def test_a_read_of_any_size_gives_what_there_is_and_fits_the_message(
        self, guest: Guest, count: int
    ) -> None:
        guest.write("big", b"x" * (1 << 20))
        assert guest.ask("read", guest.open("hello.txt"), 0, count) == b"hello\n"[:count]
        found = guest.ask("read", guest.open("big"), 0, count)
        assert len(found) == min(count, MAX_MSIZE - 11)

    def test_offsets_are_only_so_large(self, guest: Guest) -> None:
        fid = guest.open("hello.txt", RDWR)
        assert guest.ask("read", fid, (1 << 63) - 1, 10) == b""
        assert error_of(guest, "read", fid, 1 << 63, 10) == "EINVAL"
        assert error_of(guest, "write", fid, (1 << 63) - 1, b"x") == "EFBIG"
        assert error_of(guest, "write", fid, 1 << 62, b"x") == "ENOSPC"
        assert guest.read("hello.txt") == b"hello\n"

    def test_data_that_is_not_as_long_as_it_says_is_refused(self, guest: Guest) -> None:
        fid = guest.open("hello.txt", RDWR)
        good = bytearray(encode("write", 7, fid, 0, b"data"))
        for length in (0, 3, 5, 1 << 31, 0xFFFF_FFFF):
            struct.pack_into("<I", good, 19, length)
            assert decode(guest.send(bytes(good)))[2] == LINUX["EPROTO"]
        assert guest.read("hello.txt") == b"hello\n"

    def test_a_file_outlives_its_name_while_it_is_open(self, guest: Guest) -> None:
        fid = guest.open("hello.txt", RDWR)
        guest.ask("unlinkat", ROOT, "hello.txt", 0)
        assert guest.names() == ["dir"]
        assert guest.read_fid(fid) == b"hello\n"
        guest.ask("setattr", fid, 8, 0, 0, 0, 2, 0, 0, 0, 0)
        assert guest.attributes_of(fid)["size"] == 2
        assert guest.ask("fsync", fid, 0) is None
        guest.ask("clunk", fid)

    def test_only_regular_files_and_directories_open(self, guest: Guest) -> None:
        guest.ask("symlink", ROOT, "link", "hello.txt", 0)
        guest.ask("mknod", ROOT, "null", stat.S_IFCHR | 0o666, 1, 3, 0)
        guest.ask("mknod", ROOT, "fifo", stat.S_IFIFO | 0o666, 0, 0, 0)
        assert error_of(guest, "lopen", guest.walk("link"), RDONLY) == "ELOOP"
        assert error_of(guest, "lopen", guest.walk("null"), RDONLY) == "ENXIO"
        assert error_of(guest, "lopen", guest.walk("fifo"), RDONLY) == "ENXIO"


class TestDirectories:
    @pytest.mark.parametrize("count", [64, 100, 333, 4096, 1 << 20])
    def test_all_entries_come_once_however_little_room_there_is(
        self, guest: Guest, count: int
    ) -> None:
        expected = [f"file {number}" for number in range(500)]
        guest.ask("mkdir", ROOT, "large", 0o755, 0)
        for name in expected:
            guest.ask("mknod", guest.walk("large"), name, stat.S_IFREG | 0o644, 0, 0, 0)
        assert guest.names("large", count) == expected

    def test_an_entry_that_does_not_fit_is_an_error_and_no_end(self, guest: Guest) -> None:
        fid = guest.open("dir")
        assert error_of(guest, "readdir", fid, 0, 20) == "EINVAL"
        assert len(guest.ask("readdir", fid, 0, 25)) == 25

    def test_whoever_jumps_goes_on_from_there(self, guest: Guest) -> None:
        fid = guest.open("dir")
        everything = guest.ask("readdir", fid, 0, 4096)
        assert guest.ask("readdir", fid, 4, 4096) == b""
        assert guest.ask("readdir", fid, 2, 4096) == everything[25 + 26 :]
        assert guest.ask("readdir", fid, 0, 4096) == everything
        assert guest.ask("readdir", fid, (1 << 64) - 1, 4096) == b""

    def test_an_entry_says_what_kind_of_file_it_is(self, guest: Guest) -> None:
        guest.ask("symlink", guest.walk("dir"), "link", "a", 0)
        data = guest.ask("readdir", guest.open("dir"), 0, 4096)
        kinds = {}
        while data:
            kind, length = struct.unpack_from("<BH", data, 21)
            kinds[data[24 : 24 + length].decode()] = (data[0], kind)
            data = data[24 + length :]
        assert kinds == {
            ".": (0x80, 4),
            "..": (0x80, 4),
            "a": (0, 8),
            "b": (0, 8),
            "link": (2, 10),
        }


class TestNames:
    def test_fids_follow_what_is_renamed(self, guest: Guest) -> None:
        inner, directory = guest.walk("dir/a"), guest.walk("dir")
        guest.ask("rename", directory, ROOT, "moved")
        assert guest.names() == ["hello.txt", "moved"]
        guest.ask("lopen", inner, RDONLY)
        assert guest.read_fid(inner) == b"1"
        guest.ask("renameat", ROOT, "moved", ROOT, "again")
        guest.ask("walk", directory, 99, ["b"])

    def test_a_rename_replaces_what_is_there(self, guest: Guest) -> None:
        guest.ask("renameat", ROOT, "hello.txt", guest.walk("dir"), "a")
        assert guest.read("dir/a") == b"hello\n"
        assert error_of(guest, "renameat", ROOT, "dir", guest.walk("dir"), "in") == "EINVAL"
        assert error_of(guest, "rename", ROOT, guest.walk("dir"), "root") == "EBUSY"

    def test_links_of_both_kinds(self, guest: Guest) -> None:
        assert guest.ask("symlink", ROOT, "s", "../../x", 0).type == 2
        assert guest.ask("readlink", guest.walk("s")) == "../../x"
        guest.ask("link", ROOT, guest.walk("hello.txt"), "hard")
        assert guest.attributes("hard")["nlink"] == 2
        for target, code in (("", "EINVAL"), ("a\0b", "EINVAL"), ("x" * 4096, "ENAMETOOLONG")):
            assert error_of(guest, "symlink", ROOT, "t", target, 0) == code

    def test_a_link_is_not_walked_through(self, guest: Guest) -> None:
        guest.ask("symlink", ROOT, "s", "dir", 0)
        with pytest.raises(Refusal):
            guest.walk("s/a")

    def test_device_numbers_come_back_as_linux_encodes_them(self, guest: Guest) -> None:
        guest.ask("mknod", ROOT, "a", stat.S_IFBLK | 0o600, 0xABC, 0x12345, 0)
        assert guest.attributes("a")["rdev"] == 0x45 | 0xABC << 8 | 0x123 << 20
        for numbers in ((1 << 12, 0), (0, 1 << 20)):
            assert error_of(guest, "mknod", ROOT, "b", stat.S_IFCHR, *numbers, 0) == "EINVAL"
        assert error_of(guest, "mknod", ROOT, "b", stat.S_IFLNK, 0, 0, 0) == "EINVAL"

    def test_attributes_are_changed_and_told(self, guest: Guest) -> None:
        fid = guest.walk("hello.txt")
        guest.ask("setattr", fid, 0x1FF, 0o4711, 5, 6, 3, 7, 8, 9, 10)
        found = guest.attributes_of(fid)
        assert found["mode"] == stat.S_IFREG | 0o4711
        assert (found["uid"], found["gid"], found["size"]) == (5, 6, 3)
        assert [
            found[f"{name}_{unit}"] for name in ("atime", "mtime") for unit in ("sec", "nsec")
        ] == [7, 8, 9, 10]
        guest.ask("setattr", fid, 0x30, 0, 0, 0, 0, 0, 0, 0, 0)
        assert abs(guest.attributes_of(fid)["mtime_sec"] - time.time()) < 100
        guest.ask("setattr", fid, 0x1A0, 0, 0, 0, 0, 0, 0, (1 << 64) - 5, 0)
        assert guest.attributes_of(fid)["mtime_sec"] == (1 << 64) - 5

    def test_times_and_sizes_that_no_file_can_have_are_refused(self, guest: Guest) -> None:
        fid = guest.walk("hello.txt")
        for second, nanosecond in ((1 << 63, 0), (1 << 40, 0), (0, 10**9), (0, (1 << 64) - 1)):
            assert (
                error_of(guest, "setattr", fid, 0x90, 0, 0, 0, 0, second, nanosecond, 0, 0)
                == "EINVAL"
            )
        assert error_of(guest, "setattr", fid, 8, 0, 0, 0, 1 << 63, 0, 0, 0, 0) == "EFBIG"

    def test_statfs_says_how_much_room_there_is(self, guest: Guest) -> None:
        kind, size, blocks, free, *_ = guest.ask("statfs", ROOT)
        assert kind == 0x01021997
        assert size * blocks >= size * free >= 60 << 20


class TestAttributes:
    def set(self, guest: Guest, name: str, value: bytes, flags: int = 0) -> None:
        fid = guest.walk("hello.txt")
        guest.ask("xattrcreate", fid, name, len(value), flags)
        if value:
            guest.ask("write", fid, 0, value)
        guest.ask("clunk", fid)

    def get(self, guest: Guest, name: str) -> bytes:
        size = guest.ask("xattrwalk", guest.walk("hello.txt"), 5000, name)
        found = guest.read_fid(5000)
        guest.ask("clunk", 5000)
        assert len(found) == size
        return found

    def test_they_are_set_told_listed_and_removed(self, guest: Guest) -> None:
        self.set(guest, "user.a", b"1\0" * 500)
        self.set(guest, "user.b", b"2")
        assert self.get(guest, "user.a") == b"1\0" * 500
        assert self.get(guest, "") == b"user.a\0user.b\0"
        self.set(guest, "user.a", b"")
        assert self.get(guest, "") == b"user.b\0"
        assert error_of(guest, "xattrwalk", guest.walk("hello.txt"), 5000, "user.a") == "ENODATA"

    def test_one_that_did_not_come_whole_is_not_set(self, guest: Guest) -> None:
        fid = guest.walk("hello.txt")
        guest.ask("xattrcreate", fid, "user.a", 10, 0)
        guest.ask("write", fid, 0, b"12345")
        for offset, data in ((4, b"x"), (5, b"123456"), (1 << 62, b"x")):
            assert error_of(guest, "write", fid, offset, data) == "EINVAL"
        assert error_of(guest, "read", fid, 0, 10) == "EBADF"
        assert error_of(guest, "clunk", fid) == "EINVAL"
        assert error_of(guest, "getattr", fid, 0) == "EBADF"
        assert self.get(guest, "") == b""

    def test_they_are_only_so_large(self, guest: Guest) -> None:
        self.set(guest, "user.a", b"x" * (1 << 16))
        fid = guest.walk("hello.txt")
        assert error_of(guest, "xattrcreate", fid, "user.a", (1 << 16) + 1, 0) == "E2BIG"
        assert error_of(guest, "xattrcreate", fid, "", 1, 0) == "EINVAL"

    def test_what_is_there_is_not_created_again(self, guest: Guest) -> None:
        self.set(guest, "user.a", b"1", 1)
        with pytest.raises(Refusal):
            self.set(guest, "user.a", b"2", 1)
        assert self.get(guest, "user.a") == b"1"


class TestLocks:
    def lock(
        self, guest: Guest, fid: int, kind: int, start: int = 0, length: int = 0, pid: int = 1
    ) -> int:
        found: int = guest.ask("lock", fid, kind, 0, start, length, pid, "guest")
        return found

    def test_two_guests_of_one_tree_keep_each_other_out(self, tree: Tree) -> None:
        one, two = Guest(tree), Guest(tree)
        first, second = one.open("hello.txt", RDWR), two.open("hello.txt", RDWR)
        assert self.lock(one, first, WRITE_LOCK, 0, 10) == LOCKED
        assert self.lock(two, second, READ_LOCK, 9, 1) == BLOCKED
        assert self.lock(two, second, READ_LOCK, 10) == LOCKED
        assert two.ask("getlock", second, READ_LOCK, 0, 0, 1, "x") == [
            WRITE_LOCK,
            0,
            10,
            1,
            "guest",
        ]
        assert one.ask("getlock", first, WRITE_LOCK, 0, 5, 1, "guest")[0] == UNLOCK
        assert self.lock(one, first, UNLOCK) == LOCKED
        assert self.lock(two, second, WRITE_LOCK) == LOCKED

    def test_a_guest_that_goes_away_takes_its_locks_along(self, tree: Tree) -> None:
        one, two = Guest(tree), Guest(tree)
        first, second = one.open("hello.txt", RDWR), two.open("hello.txt", RDWR)
        assert self.lock(one, first, WRITE_LOCK) == LOCKED
        one.ask("clunk", first)
        assert self.lock(two, second, WRITE_LOCK) == LOCKED
        two.session.close()
        first = one.open("hello.txt", RDWR)
        assert self.lock(one, first, WRITE_LOCK) == LOCKED

    def test_ranges_and_kinds_that_are_none_are_refused(self, guest: Guest) -> None:
        fid = guest.open("hello.txt", RDWR)
        last = (1 << 64) - 1
        assert error_of(guest, "lock", fid, 0, 0, last, 2, 1, "") == "EINVAL"
        assert error_of(guest, "lock", fid, 7, 0, 0, 0, 1, "") == "EINVAL"
        assert error_of(guest, "lock", ROOT, 0, 0, 0, 0, 1, "") == "EBADF"
        assert self.lock(guest, fid, WRITE_LOCK, last, 1) == LOCKED


class TestTheHostFails:
    @pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EDQUOT])
    def test_at_any_call_the_guest_gets_the_error_and_goes_on(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
    ) -> None:
        (tmp_path / "dir").mkdir()
        (tmp_path / "dir" / "inner").write_bytes(b"x" * 1000)
        (tmp_path / "hello.txt").write_bytes(b"hello")
        (tmp_path / "link").symlink_to("hello.txt")
        folder = Folder(tmp_path, write=True)
        met = set()
        for call in CALLS:
            guest = Guest(folder)
            real = getattr(os, call)

            def fail(*arguments: Any, call: str = call, **named: Any) -> Any:
                met.add(call)
                raise OSError(code, os.strerror(code))

            for request in CORPUS[2:]:
                monkeypatch.setattr(os, call, fail)
                reply = guest.send(request)
                monkeypatch.setattr(os, call, real)
                number, tag, found = decode(reply)
                assert tag == 7
                if number == LERROR:
                    assert found in range(1, 200)
                guest.send(request)
            guest.session.close()
        assert met == set(CALLS)

    def test_an_error_without_a_number_is_eio(
        self, guest: Guest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*arguments: Any) -> None:
            raise HostError("gone")

        monkeypatch.setattr(Tree, "stat", fail)
        assert error_of(guest, "getattr", ROOT, 0) == "EIO"

    def test_a_file_cut_off_or_removed_under_us_reads_as_what_is_left(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"x" * 100_000)
        guest = Guest(Folder(tmp_path))
        fid = guest.open("file")
        os.truncate(path, 10)
        assert guest.ask("read", fid, 0, 100) == b"x" * 10
        assert guest.ask("read", fid, 50_000, 100) == b""
        path.unlink()
        assert guest.ask("read", fid, 0, 100) == b"x" * 10
        assert guest.attributes_of(fid)["nlink"] == 0
        with pytest.raises(Refusal):
            guest.walk("file")

    def test_a_full_disk_is_enospc(self, guest: Guest) -> None:
        fid = guest.create("big")
        with pytest.raises(Refusal) as caught:
            for place in range(1 << 20):
                guest.ask("write", fid, place << 18, bytes(1 << 18))
        assert caught.value.code == LINUX["ENOSPC"]
        assert guest.read("hello.txt") == b"hello\n"
