"""The server of a share: its messages, its limits, and what it refuses."""

import errno
import inspect
import random
import stat
import struct
import tracemalloc

import pytest

from tests.virtio.ninep import (
    CORPUS,
    DAY,
    RDONLY,
    RDWR,
    ROOT,
    Guest,
    Refusal,
    decode,
    encode,
    error_of,
)
from vnb.host.files import Tree
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

# What Linux's v9fs sends in one version or another [include/net/9p/9p.h].
OF_LINUX = {
    *("statfs", "lopen", "lcreate", "symlink", "mknod", "rename", "readlink", "getattr"),
    *("setattr", "xattrwalk", "xattrcreate", "readdir", "fsync", "lock", "getlock", "link"),
    *("mkdir", "renameat", "unlinkat", "version", "attach", "flush", "walk", "read", "write"),
    *("clunk", "remove"),
}


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

    def test_all_of_them_deep_in_long_names_cost_little_memory(self, guest: Guest) -> None:
        name, depth, fids = "x" * 250, 32, 1000
        guest.ask("walk", ROOT, 1, [])
        for _ in range(depth):
            guest.ask("mkdir", 1, name, 0o755, 0)
            guest.ask("walk", 1, 1, [name])
        tracemalloc.start()
        try:
            for fid in range(2, fids):
                guest.ask("walk", ROOT, fid, [name] * 16)
                guest.ask("walk", fid, fid, [name] * 16)
            assert tracemalloc.get_traced_memory()[0] < fids * (16 * depth + 500)
        finally:
            tracemalloc.stop()

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
