"""What everything that holds the files of a share keeps to; inherit it for each kind.

`FilesContract` is for all of them, `PosixContract` adds what a file system of a computer does.
"""

import errno
import os
import random
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import pytest

from vnb.virtio.ninep.files import File, Files, Path

SEED = 9
REGULAR, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


@contextmanager
def refused(*codes: int) -> Iterator[None]:
    """The block ends with an OSError of one of these numbers."""
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno in codes, caught.value


def path_of(text: str) -> Path:
    return tuple(name for name in text.split("/") if name)


def names(files: Files, path: str = "") -> list[str]:
    return sorted(name for name, _, _ in files.list(path_of(path)))


def opened(files: Files, path: str, flags: int = os.O_RDONLY) -> File:
    return files.open(path_of(path), flags, 0o644, 0, 0)


def read_from(file: File, offset: int, count: int) -> bytes:
    data = bytearray(b"?" * count)
    return bytes(data[: file.readinto(offset, [memoryview(data)])])


def read(files: Files, path: str) -> bytes:
    file = opened(files, path)
    try:
        return read_from(file, 0, 1 << 20)
    finally:
        file.close()


def write(files: Files, path: str, data: bytes, flags: int = os.O_TRUNC) -> None:
    file = opened(files, path, flags | os.O_WRONLY | os.O_CREAT)
    assert file.write(0, [memoryview(data)]) == len(data)
    file.close()


class FilesContract:
    """Override `files`: writable, and made of CONTENT."""

    CONTENT: ClassVar = {
        "hello.txt": b"hello\n",
        "empty": b"",
        "deep/er/file": b"x" * 100_000,
        "deep/other": b"other",
        "näme with spaces": b"1",
    }

    @pytest.fixture
    def files(self) -> Files:
        raise NotImplementedError

    def test_it_holds_its_content(self, files: Files) -> None:
        assert names(files) == ["deep", "empty", "hello.txt", "näme with spaces"]
        assert names(files, "deep") == ["er", "other"]
        for path, data in self.CONTENT.items():
            assert read(files, path) == data
            status = files.stat(path_of(path))
            assert stat.S_ISREG(status.mode)
            assert status.size == len(data)
        assert stat.S_ISDIR(files.stat(()).mode)
        assert stat.S_ISDIR(files.stat(path_of("deep/er")).mode)

    def test_a_listing_agrees_with_what_stat_says(self, files: Files) -> None:
        for name, kind, identity in files.list(()):
            status = files.stat((name,))
            assert (kind, identity) == (stat.S_IFMT(status.mode), status.identity)

    def test_no_two_files_have_one_identity(self, files: Files) -> None:
        paths = ["", "deep", "deep/er", *self.CONTENT]
        assert len({files.stat(path_of(path)).identity for path in paths}) == len(paths)

    def test_what_is_not_there_is_missed(self, files: Files) -> None:
        for path in ("nothing", "deep/nothing", "deep/er/nothing"):
            with refused(errno.ENOENT):
                files.stat(path_of(path))
            with refused(errno.ENOENT):
                opened(files, path)
            with refused(errno.ENOENT):
                files.remove(path_of(path), False)
            with refused(errno.ENOENT):
                files.rename(path_of(path), ("new",))
            with refused(errno.ENOENT):
                files.change(path_of(path), {"size": 1})

    def test_reading_from_anywhere_gives_what_is_there_and_nothing_beyond(
        self, files: Files
    ) -> None:
        file = opened(files, "hello.txt")
        assert read_from(file, 0, 100) == b"hello\n"
        assert read_from(file, 2, 2) == b"ll"
        assert read_from(file, 6, 10) == b""
        assert read_from(file, 1 << 40, 10) == b""
        file.close()

    def test_buffers_of_any_cut_are_filled_and_stored_in_order(self, files: Files) -> None:
        data = random.Random(SEED).randbytes(5000)
        view = memoryview(data)
        file = opened(files, "new", os.O_RDWR | os.O_CREAT)
        file.write(0, [view[:1], view[1:1000], view[1000:]])
        room = memoryview(bytearray(5000))
        assert file.readinto(0, [room[:77], room[77:4999], room[4999:]]) == 5000
        assert room.tobytes() == data
        file.close()

    def test_what_was_written_is_read_back(self, files: Files) -> None:
        write(files, "new", b"first")
        assert read(files, "new") == b"first"
        write(files, "new", b"2nd")
        assert read(files, "new") == b"2nd"
        write(files, "new", b"x", flags=0)
        assert read(files, "new") == b"xnd"
        assert "new" in names(files)

    def test_a_new_version_says_that_the_content_is_new(self, files: Files) -> None:
        before = files.stat(("hello.txt",)).version
        time.sleep(0.02)  # more than a tick of the host's file system
        write(files, "hello.txt", b"HELLO\n")
        assert files.stat(("hello.txt",)).version != before

    def test_who_appends_writes_at_the_end_wherever_he_says(self, files: Files) -> None:
        file = opened(files, "hello.txt", os.O_WRONLY | os.O_APPEND)
        file.write(0, [memoryview(b"more\n")])
        file.write(0, [memoryview(b"and more\n")])
        file.close()
        assert read(files, "hello.txt") == b"hello\nmore\nand more\n"

    def test_a_hole_reads_as_zeros(self, files: Files) -> None:
        file = opened(files, "new", os.O_RDWR | os.O_CREAT)
        file.write(10_000, [memoryview(b"end")])
        assert read_from(file, 0, 20_000) == bytes(10_000) + b"end"
        assert file.stat().size == 10_003
        file.close()

    def test_a_file_is_cut_and_grown_by_its_name_and_when_open(self, files: Files) -> None:
        files.change(("hello.txt",), {"size": 2})
        assert read(files, "hello.txt") == b"he"
        file = opened(files, "hello.txt", os.O_RDWR)
        file.change({"size": 5})
        assert read_from(file, 0, 10) == b"he\0\0\0"
        file.sync(True)
        file.close()
        assert read(files, "hello.txt") == b"he\0\0\0"

    def test_only_one_can_create_what_must_not_exist(self, files: Files) -> None:
        exclusive = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        opened(files, "new", exclusive).close()
        with refused(errno.EEXIST):
            opened(files, "new", exclusive)
        with refused(errno.EEXIST):
            files.make(("hello.txt",), REGULAR, 0, 0)
        assert read(files, "hello.txt") == b"hello\n"

    def test_directories_are_made_and_only_empty_ones_removed(self, files: Files) -> None:
        files.make(("dir",), DIRECTORY, 0, 0)
        write(files, "dir/file", b"1")
        assert names(files, "dir") == ["file"]
        with refused(errno.EEXIST):
            files.make(("dir",), DIRECTORY, 0, 0)
        with refused(errno.ENOTEMPTY):
            files.remove(("dir",), True)
        with refused(errno.EISDIR, errno.EPERM):
            files.remove(("dir",), False)
        with refused(errno.ENOTDIR):
            files.remove(("dir", "file"), True)
        files.remove(("dir", "file"), False)
        files.remove(("dir",), True)
        assert "dir" not in names(files)

    def test_a_file_is_renamed_also_over_another(self, files: Files) -> None:
        files.rename(("hello.txt",), ("deep", "moved"))
        assert read(files, "deep/moved") == b"hello\n"
        files.rename(("deep", "moved"), ("deep", "other"))
        assert read(files, "deep/other") == b"hello\n"
        assert names(files, "deep") == ["er", "other"]
        files.rename(("deep", "other"), ("deep", "other"))
        assert read(files, "deep/other") == b"hello\n"

    def test_no_file_replaces_a_directory(self, files: Files) -> None:
        with refused(errno.EISDIR):
            files.rename(("hello.txt",), ("deep",))
        with refused(errno.EISDIR):
            opened(files, "deep", os.O_WRONLY)

    def test_nothing_is_in_a_file(self, files: Files) -> None:
        with refused(errno.ENOTDIR, errno.ENOENT):
            files.stat(("hello.txt", "inner"))
        with refused(errno.ENOTDIR, errno.ENOENT):
            opened(files, "hello.txt/inner")

    def test_there_is_no_link_where_there_is_none(self, files: Files) -> None:
        with refused(errno.EINVAL):
            files.readlink(("hello.txt",))

    def test_an_attribute_that_is_not_there_is_missed(self, files: Files) -> None:
        assert list(files.xattrs(("hello.txt",))) == []
        with refused(errno.ENODATA, errno.EOPNOTSUPP):
            files.get_xattr(("hello.txt",), "user.none")

    def test_it_says_how_much_room_there_is(self, files: Files) -> None:
        block, blocks, free, available, _, _ = files.usage()
        assert block >= 512
        assert blocks >= free >= available >= 0

    def test_closing_twice_is_harmless(self, files: Files) -> None:
        for flags in (os.O_RDONLY, os.O_RDWR):
            file = opened(files, "hello.txt", flags)
            file.close()
            file.close()

    def test_any_sequence_of_operations_agrees_with_a_dict(self, files: Files) -> None:
        dice = random.Random(SEED)
        model = dict(self.CONTENT)
        places = [*model, "a", "b", "deep/c", "deep/er/d"]
        for step in range(300):
            path, other = dice.choice(places), dice.choice(places)
            match dice.randrange(5):
                case 0:
                    model[path] = dice.randbytes(dice.choice((0, 1, 5000)))
                    write(files, path, model[path])
                case 1 if path in model:
                    files.remove(path_of(path), False)
                    del model[path]
                case 2 if path in model and path != other:
                    files.rename(path_of(path), path_of(other))
                    model[other] = model.pop(path)
                case 3 if path in model:
                    size = dice.choice((0, 3, 6000))
                    files.change(path_of(path), {"size": size})
                    model[path] = model[path][:size].ljust(size, b"\0")
                case _ if path in model:
                    assert read(files, path) == model[path], f"seed {SEED}, step {step}"
        for path, data in model.items():
            assert read(files, path) == data
        assert names(files, "deep/er") == sorted(
            path.split("/")[2] for path in model if path.startswith("deep/er/")
        )


class PosixContract(FilesContract):
    """For file systems with modes, times, open files without a name, and attributes."""

    def test_an_open_file_outlives_its_name(self, files: Files) -> None:
        file = opened(files, "hello.txt", os.O_RDWR)
        files.remove(("hello.txt",), False)
        assert "hello.txt" not in names(files)
        file.write(6, [memoryview(b"again\n")])
        assert read_from(file, 0, 100) == b"hello\nagain\n"
        assert file.stat().size == 12
        file.change({"size": 2})
        assert file.stat().size == 2
        file.close()

    def test_an_open_file_is_not_what_comes_by_its_name(self, files: Files) -> None:
        file = opened(files, "hello.txt")
        write(files, "new", b"new")
        files.rename(("new",), ("hello.txt",))
        assert read_from(file, 0, 100) == b"hello\n"
        assert read(files, "hello.txt") == b"new"
        file.close()

    def test_what_one_writes_another_who_has_it_open_reads(self, files: Files) -> None:
        reader, writer = opened(files, "empty"), opened(files, "empty", os.O_WRONLY)
        writer.write(0, [memoryview(b"now")])
        assert read_from(reader, 0, 10) == b"now"
        reader.close()
        writer.close()

    def test_modes_and_times_are_kept(self, files: Files) -> None:
        for path in (("hello.txt",), ("deep",)):
            files.change(path, {"mode": 0o640, "atime": 10**9 * 5 + 7, "mtime": 10**9 * 6 + 8})
            status = files.stat(path)
            assert stat.S_IMODE(status.mode) == 0o640
            assert (status.atime, status.mtime) == (10**9 * 5 + 7, 10**9 * 6 + 8)
        files.change(("hello.txt",), {"mtime": -(10**9)})
        assert files.stat(("hello.txt",)).mtime == -(10**9)
        assert files.stat(("hello.txt",)).atime == 10**9 * 5 + 7

    def test_new_files_and_directories_have_the_mode_asked_for(self, files: Files) -> None:
        before = os.umask(0o077)  # the host's own habits are not the guest's
        try:
            files.open(("file",), os.O_CREAT | os.O_WRONLY, 0o466, 0, 0).close()
            files.make(("node",), stat.S_IFREG | 0o777, 0, 0)
            files.make(("dir",), stat.S_IFDIR | 0o757, 0, 0)
        finally:
            os.umask(before)
        for name, mode in (("file", 0o466), ("node", 0o777), ("dir", 0o757)):
            assert stat.S_IMODE(files.stat((name,)).mode) == mode

    def test_a_directory_moves_with_all_that_is_in_it(self, files: Files) -> None:
        files.rename(("deep", "er"), ("moved",))
        assert read(files, "moved/file") == self.CONTENT["deep/er/file"]
        files.make(("empty dir",), DIRECTORY, 0, 0)
        files.rename(("moved",), ("empty dir",))
        assert names(files, "empty dir") == ["file"]
        with refused(errno.ENOTEMPTY, errno.EEXIST):
            files.rename(("deep",), ("empty dir",))
        with refused(errno.EINVAL):
            files.rename(("deep",), ("deep", "in itself"))
        with refused(errno.ENOTDIR):
            files.rename(("deep",), ("hello.txt",))

    def test_a_directory_that_changes_while_it_is_listed_does_no_harm(self, files: Files) -> None:
        for number in range(300):
            write(files, f"deep/{number}", b"")
        listing = files.list(("deep",))
        found = {next(listing)[0] for _ in range(10)}
        for number in range(300):
            files.remove(("deep", str(number)), False)
        found |= {name for name, _, _ in listing}
        assert found <= {"er", "other", *map(str, range(300))}
        stopped = files.list(("deep",))
        next(stopped)
        stopped.close()

    def test_extended_attributes_are_kept(self, files: Files) -> None:
        for path in (("hello.txt",), ("deep",)):
            files.set_xattr(path, "user.one", b"1\0", 0)
            files.set_xattr(path, "user.two", b"2" * 1000, 1)
            assert sorted(files.xattrs(path)) == ["user.one", "user.two"]
            assert files.get_xattr(path, "user.one") == b"1\0"
            with refused(errno.EEXIST):
                files.set_xattr(path, "user.one", b"", 1)
            with refused(errno.ENODATA):
                files.set_xattr(path, "user.three", b"", 2)
            files.remove_xattr(path, "user.one")
            with refused(errno.ENODATA):
                files.get_xattr(path, "user.one")
            with refused(errno.ENODATA):
                files.remove_xattr(path, "user.one")
