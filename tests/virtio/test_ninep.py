"""The server of a share: every message of 9P2000.L, its limits, and what it refuses."""

import errno
import inspect
import os
import random
import stat
import struct
import time
from pathlib import Path
from typing import Any

import pytest

from tests.virtio.ninep import (
    APPEND,
    CORPUS,
    DAY,
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
)
from vnb.errors import HostError
from vnb.host.files import Folder, Tree
from vnb.virtio.ninep.contents import BLOCKED, LOCKED, READ_LOCK, UNLOCK, WRITE_LOCK
from vnb.virtio.ninep.fids import MAX_DEPTH, MAX_FIDS, MAX_OPEN
from vnb.virtio.ninep.messages import (
    BY_NAME,
    HEADER,
    LERROR,
    LINUX,
    NO_FID,
    REQUESTS,
    VERSION,
    Qid,
    linux_errno,
)
from vnb.virtio.ninep.session import MAX_MSIZE, Session

SEED = 40
DIRECTORY_FLAG = 0o200000

# What Linux's v9fs sends in one version or another [include/net/9p/9p.h].
OF_LINUX = {
    *("statfs", "lopen", "lcreate", "symlink", "mknod", "rename", "readlink", "getattr"),
    *("setattr", "xattrwalk", "xattrcreate", "readdir", "fsync", "lock", "getlock", "link"),
    *("mkdir", "renameat", "unlinkat", "version", "attach", "flush", "walk", "read", "write"),
    *("clunk", "remove"),
}


# The system calls that a folder makes.
CALLS = (
    *("open", "stat", "fstat", "scandir", "mkdir", "rename", "unlink", "rmdir", "fchmod", "chmod"),
    *("truncate", "utime", "preadv", "pwritev", "fdatasync", "statvfs", "readlink"),
    *("getxattr", "setxattr", "listxattr", "removexattr"),
)


@pytest.fixture
def tree() -> Tree:
    return Tree({"hello.txt": "hello\n", "dir": {"a": "1", "b": "2"}})


@pytest.fixture
def guest(tree: Tree) -> Guest:
    return Guest(tree)


def error_of(guest: Guest, name: str, *values: Any) -> str:
    """The name of the error that this request is refused with."""
    with pytest.raises(Refusal) as caught:
        guest.ask(name, *values)
    return next(name for name, number in LINUX.items() if number == caught.value.code)


class TestMessages:
    def test_there_is_every_one_that_linux_sends(self) -> None:
        assert set(BY_NAME) >= OF_LINUX

    def test_all_are_encoded_and_decoded_from_one_row(self) -> None:
        values = {
            "1": 200,
            "2": 60_000,
            "4": 4_000_000_000,
            "8": 1 << 63,
            "s": "näme",
            "q": Qid(0x80, 7, 1 << 60),
            "s*": ["a", ""],
            "q*": [Qid(0, 1, 2)],
        }
        for message in REQUESTS.values():
            for fields in (message.request, message.reply):
                if not fields.bulk:
                    example = [values[kind] for kind in fields.kinds]
                    assert fields.unpack(fields.pack(example)) == example

    def test_the_server_answers_each_and_takes_what_the_table_says(self) -> None:
        session = Session(Tree())
        for name, message in BY_NAME.items():
            names = [*message.request.names]
            if message.reply.bulk:
                names[-1] = "room"  # its last field says how much of it there is
            parameters = list(inspect.signature(session.handlers[name]).parameters)
            assert parameters == names, name

    def test_a_walk_looks_as_the_protocol_says(self) -> None:
        found = encode("walk", 5, 1, 2, ["ab", "c"])
        assert found.hex() == "180000006e05000100000002000000020002006162010063"

    def test_errors_are_linuxs_whatever_the_hosts_are(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert linux_errno(errno.ENOTEMPTY) == 39
        assert linux_errno(None) == linux_errno(99999) == LINUX["EIO"]
        monkeypatch.setattr(errno, "errorcode", {66: "ENOTEMPTY"})  # as macOS has it
        assert linux_errno(66) == 39


class TestVersion:
    def test_the_largest_message_is_agreed_on(self, tree: Tree) -> None:
        guest = Guest(tree)
        assert guest.ask("version", 8192, VERSION) == [8192, VERSION]
        assert guest.ask("version", 1 << 31, VERSION) == [MAX_MSIZE, VERSION]
        assert error_of(guest, "version", 4095, VERSION) == "EMSGSIZE"

    @pytest.mark.parametrize("version", ["9P2000", "9P2000.u", "", "9P2000.L.x"])
    def test_any_other_version_is_unknown_and_nothing_goes_on(
        self, guest: Guest, version: str
    ) -> None:
        assert guest.ask("version", 8192, version) == [8192, "unknown"]
        assert error_of(guest, "getattr", ROOT, 0) == "EPROTO"

    def test_it_forgets_all_fids_and_closes_what_was_open(self, guest: Guest) -> None:
        guest.open("hello.txt")
        guest.ask("version", 8192, VERSION)
        assert error_of(guest, "getattr", ROOT, 0) == "EBADF"

    def test_nothing_is_answered_before_it(self, tree: Tree) -> None:
        guest = Guest.__new__(Guest)
        guest.session = Session(tree)
        assert error_of(guest, "attach", 0, NO_FID, "", "", 0) == "EPROTO"


class TestAttach:
    def test_there_is_one_place_and_nobody_has_to_say_who_they_are(self, guest: Guest) -> None:
        assert guest.ask("attach", 50, NO_FID, "", "/", 0).type == 0x80
        assert error_of(guest, "attach", 51, NO_FID, "", "dir", 0) == "ENOENT"
        assert error_of(guest, "attach", 52, 1, "", "", 0) == "EOPNOTSUPP"
        assert error_of(guest, "auth", 1, "", "", 0) == "EOPNOTSUPP"
        assert error_of(guest, "attach", ROOT, NO_FID, "", "", 0) == "EBADF"

    def test_what_a_user_makes_is_the_users(self, tree: Tree) -> None:
        Guest(tree, uid=1000).create("new")
        assert Guest(tree).attributes("new")["uid"] == 1000


class TestWalk:
    def test_all_names_or_no_new_fid(self, guest: Guest) -> None:
        qids = guest.ask("walk", ROOT, 1, ["dir", "nothing", "a"])
        assert [qid.type for qid in qids] == [0x80]
        assert error_of(guest, "getattr", 1, 0) == "EBADF"
        assert error_of(guest, "walk", ROOT, 1, ["nothing"]) == "ENOENT"
        assert len(guest.ask("walk", ROOT, 1, ["hello.txt", "x"])) == 1
        assert error_of(guest, "getattr", 1, 0) == "EBADF"

    def test_no_names_make_a_second_fid_of_the_same(self, guest: Guest) -> None:
        assert guest.ask("walk", ROOT, 1, []) == []
        assert guest.ask("getattr", 1, 0)[1] == guest.ask("getattr", ROOT, 0)[1]

    def test_a_fid_can_walk_itself(self, guest: Guest) -> None:
        fid = guest.walk("dir")
        guest.ask("walk", fid, fid, ["a"])
        guest.ask("lopen", fid, RDONLY)
        assert guest.read_fid(fid) == b"1"
        assert error_of(guest, "walk", fid, fid, []) == "EINVAL"

    def test_up_from_the_root_is_the_root(self, guest: Guest) -> None:
        qids = guest.ask("walk", ROOT, 1, ["..", "dir", "..", "..", ".."])
        root = guest.ask("getattr", ROOT, 0)[1]
        assert [qids[0], qids[2], qids[3], qids[4]] == [root] * 4
        assert guest.ask("getattr", 1, 0)[1] == root

    @pytest.mark.parametrize("name", ["", ".", "a/b", "/", "../x", "a\0", "\0"])
    def test_names_that_are_none_are_refused(self, guest: Guest, name: str) -> None:
        assert error_of(guest, "walk", ROOT, 1, [name]) == "EINVAL"
        fid = guest.walk("dir")
        for request in (
            ("lcreate", fid, name, RDWR, 0o644, 0),
            ("mkdir", fid, name, 0o755, 0),
            ("mknod", fid, name, stat.S_IFREG, 0, 0, 0),
            ("symlink", fid, name, "a", 0),
            ("link", fid, guest.walk("hello.txt"), name),
            ("rename", guest.walk("hello.txt"), fid, name),
            ("renameat", ROOT, "hello.txt", fid, name),
            ("renameat", fid, name, ROOT, "new"),
            ("unlinkat", fid, name, 0),
        ):
            assert error_of(guest, *request) == "EINVAL", request
        assert guest.names() == ["hello.txt", "dir"]

    def test_only_a_walk_goes_up(self, guest: Guest) -> None:
        assert error_of(guest, "mkdir", guest.walk("dir"), "..", 0, 0) == "EINVAL"
        assert error_of(guest, "unlinkat", guest.walk("dir"), "..", 0x200) == "EINVAL"

    def test_names_and_paths_are_only_so_long(self, guest: Guest) -> None:
        assert error_of(guest, "walk", ROOT, 1, ["x" * 256]) == "ENAMETOOLONG"
        assert error_of(guest, "mkdir", ROOT, "ä" * 128, 0o755, 0) == "ENAMETOOLONG"
        assert error_of(guest, "walk", ROOT, 1, ["dir"] * 17) == "EINVAL"
        guest.ask("walk", ROOT, 1, [])
        for _ in range(MAX_DEPTH):
            guest.ask("mkdir", 1, "d", 0o755, 0)
            guest.ask("walk", 1, 1, ["d"])
        assert error_of(guest, "mkdir", 1, "d", 0o755, 0) == "ENAMETOOLONG"


class TestFids:
    def test_there_are_so_many_and_a_clunk_makes_room(self, guest: Guest) -> None:
        for fid in range(1, MAX_FIDS):
            guest.ask("walk", ROOT, fid, [])
        assert error_of(guest, "walk", ROOT, MAX_FIDS, []) == "ENFILE"
        guest.ask("clunk", 7)
        guest.ask("walk", ROOT, MAX_FIDS, [])

    def test_a_hundred_thousand_fids_come_and_go(self, guest: Guest) -> None:
        refused = 0
        for fid in range(1, 100_001):
            try:
                guest.ask("walk", ROOT, fid, ["hello.txt"])
            except Refusal as refusal:
                assert refusal.code == LINUX["ENFILE"]
                refused += 1
        assert refused == 100_001 - MAX_FIDS

    def test_only_so_many_are_open_at_a_time(self, guest: Guest) -> None:
        for _ in range(MAX_OPEN):
            guest.open("hello.txt")
        fid = guest.walk("hello.txt")
        assert error_of(guest, "lopen", fid, RDONLY) == "EMFILE"
        assert error_of(guest, "lcreate", guest.walk("dir"), "new", RDWR, 0o644, 0) == "EMFILE"
        assert error_of(guest, "xattrwalk", fid, 9999, "") == "EMFILE"
        assert error_of(guest, "xattrcreate", fid, "user.a", 1, 0) == "EMFILE"
        guest.ask("clunk", 1)
        guest.ask("lopen", fid, RDONLY)

    def test_one_that_is_taken_or_not_there_is_refused(self, guest: Guest) -> None:
        fid = guest.walk("dir")
        assert error_of(guest, "walk", ROOT, fid, []) == "EBADF"
        for name, *values in DAY:
            if name in ("version", "auth", "attach", "flush"):
                continue
            fields = BY_NAME[str(name)].request.names
            values = [
                77 if field.endswith("fid") else v for field, v in zip(fields, values, strict=True)
            ]
            assert error_of(guest, str(name), *values) == "EBADF", name

    def test_an_open_one_is_not_opened_again(self, guest: Guest) -> None:
        fid = guest.open("hello.txt")
        assert error_of(guest, "lopen", fid, RDONLY) == "EINVAL"
        assert error_of(guest, "lcreate", guest.open("dir"), "new", RDWR, 0o644, 0) == "EINVAL"
        assert error_of(guest, "xattrcreate", fid, "user.a", 1, 0) == "EINVAL"

    def test_removing_ends_the_fid_whatever_happens(self, guest: Guest) -> None:
        fid = guest.walk("dir")
        assert error_of(guest, "remove", fid) == "ENOTEMPTY"
        assert error_of(guest, "getattr", fid, 0) == "EBADF"
        assert error_of(guest, "remove", ROOT) == "EBUSY"


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


class TestWhatIsNoMessage:
    def test_every_request_gets_one_reply_with_its_tag(self, guest: Guest) -> None:
        """[40]"""
        for number in range(256):
            for body in (b"", bytes(4), bytes(100)):
                for tag in (0, 7, 0xFFFF):
                    request = HEADER.pack(7 + len(body), number, tag) + body
                    kind, answered, _ = decode(guest.send(request))
                    assert answered == tag
                    assert kind in (LERROR, number + 1)

    def test_unknown_types_are_not_supported(self, guest: Guest) -> None:
        for number in set(range(256)) - set(REQUESTS):
            assert decode(guest.send(HEADER.pack(7, number, 1)))[2] == LINUX["EOPNOTSUPP"]

    def test_a_size_that_is_not_that_of_the_message_is_an_error(self, guest: Guest) -> None:
        good = bytearray(encode("clunk", 7, 99))
        for size in (0, 6, 7, 10, 12, 1 << 31, 0xFFFF_FFFF):
            struct.pack_into("<I", good, 0, size)
            assert decode(guest.send(bytes(good)))[2] == LINUX["EPROTO"]

    def test_no_request_is_longer_than_agreed(self, guest: Guest) -> None:
        guest.ask("version", 4096, VERSION)
        guest.ask("attach", 0, NO_FID, "", "", 0)
        assert error_of(guest, "walk", 0, 1, ["x" * 4096]) == "EMSGSIZE"
        assert len(guest.send(encode("getattr", 1, 0, 0))) > 100

    def test_an_answer_that_finds_no_room_is_an_error(self, guest: Guest) -> None:
        request = encode("getattr", 7, ROOT, 0)
        assert decode(guest.send(request, room=50))[2] == LINUX["EMSGSIZE"]
        fid = guest.open("hello.txt")
        assert decode(guest.send(encode("read", 7, fid, 0, 100), room=14))[2] == b"hel"
        assert decode(guest.send(encode("read", 7, fid, 0, 100), room=11))[2] == b""

    def test_the_corpus_cut_off_at_every_byte(self, tree: Tree) -> None:
        guest = Guest(tree)
        for whole in CORPUS:
            for length in range(HEADER.size, len(whole)):
                cut = HEADER.pack(length, *HEADER.unpack_from(whole)[1:]) + whole[7:length]
                for request in (cut, whole[:length]):
                    number, tag, found = decode(guest.send(request))
                    assert (number, tag, found) == (LERROR, 7, LINUX["EPROTO"])
            guest.send(whole)

    def test_a_guests_whole_day_goes_well(self) -> None:
        guest = Guest(Tree({"hello.txt": "hello", "dir": {"inner": "x" * 1000}}))
        failed = [
            name
            for (name, *_), request in zip(DAY, CORPUS, strict=True)
            if decode(guest.send(request))[0] == LERROR
        ]
        assert failed == ["auth", "walk", "lopen", "clunk"]

    def test_random_messages_get_answers_and_nothing_else(
        self, tree: Tree, rng: random.Random
    ) -> None:
        guest = Guest(tree)
        for number in range(20_000):
            request = bytearray(rng.choice(CORPUS))
            for _ in range(rng.choice((1, 2, 4))):
                request[rng.randrange(7, len(request))] = rng.choice(
                    (0, 1, 2, 0x2F, 0x7F, 0x80, 0xFF)
                )
            if rng.random() < 0.2:
                request += rng.randbytes(rng.randrange(9))
            struct.pack_into("<I", request, 0, len(request))
            reply = guest.send(bytes(request), room=9000)
            assert HEADER.unpack_from(reply)[2] == 7, number
            decode(reply)


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
