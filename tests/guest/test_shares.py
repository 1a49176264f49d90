"""labos reads and writes the host's files, over both transports."""

import random
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.prompt import PROMPT
from vnb import Console, Machine, Share
from vnb.config import Transport

BIG = random.Random(9).randbytes(3_000_001)
FILES = {
    "hello.txt": "hello, world\n",
    "big": BIG,
    "empty": b"",
    "dir": {"deep": {"leaf": "green\n"}, "many": {f"file{n}": "x" * n for n in range(300)}},
}


@pytest.fixture
def machine(transport: Transport) -> Iterator[Machine]:
    """With a share in memory."""
    devices = [Console(), Share(FILES, tag="data")]
    with Machine(memory="16M", devices=devices, transport=transport) as machine:
        machine.console.expect(PROMPT)
        yield machine


def test_a_share_is_listed_with_sizes(machine: Machine) -> None:
    assert machine.shell("9p", timeout=5).stdout.endswith(": data\n")
    rows = [line.split() for line in machine.shell("9p ls", timeout=5).stdout.splitlines()]
    sizes = {name: size for size, name in rows}
    assert sizes.keys() == {"hello.txt", "big", "empty", "dir/"}
    assert (sizes["hello.txt"], sizes["big"], sizes["empty"]) == ("13", "3000001", "0")
    assert machine.shell("9p ls dir/deep", timeout=5).stdout.split() == ["6", "leaf"]
    assert machine.shell("9p ls /dir//deep/leaf", timeout=5).stdout.split()[0] == "6"


def test_a_long_directory_is_listed_whole(machine: Machine) -> None:
    lines = machine.shell("9p ls dir/many", timeout=20).stdout.splitlines()
    rows = {name: int(size) for size, name in map(str.split, lines)}
    assert rows == {f"file{n}": n for n in range(300)}


def test_files_are_read_to_the_last_byte(machine: Machine) -> None:
    assert machine.shell("9p cat hello.txt", timeout=5).stdout == "hello, world\n"
    assert machine.shell("9p cat dir/deep/leaf", timeout=5).stdout == "green\n"
    assert machine.shell("9p cat empty", timeout=5).stdout == ""
    summed = machine.shell("9p sum big", timeout=20).stdout
    assert summed == f"3000001 bytes, crc32 {zlib.crc32(BIG):08x}\n"


def test_what_it_writes_is_there_at_once_on_both_sides(machine: Machine) -> None:
    files = machine.devices["data"]
    assert machine.shell("9p write new.txt one  two 'three  four'", timeout=5).status == 0
    assert files["new.txt"] == b"one two three  four\n"
    assert machine.shell("9p write new.txt short", timeout=5).status == 0
    assert files["new.txt"] == b"short\n"
    long = "".join(random.Random(1).choices("abcdef ", k=9000)).strip()
    assert machine.shell(f"9p write dir/deep/long '{long}'", timeout=5).status == 0
    assert files["dir/deep/long"] == long.encode() + b"\n"
    files["from-host"] = "good morning\n"
    assert machine.shell("9p cat from-host", timeout=5).stdout == "good morning\n"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("9p cat nothing", "nothing: there is no such file"),
        ("9p ls dir/nothing/there", "dir/nothing/there: there is no such file"),
        ("9p cat dir", "dir: it is a directory"),
        ("9p write dir x", "dir: it is a directory"),
        ("9p write no/such/file x", "no/such/file: there is no such file"),
        ("9p cat " + "a/" * 17, "this cannot be asked"),
        ("9p cat hello.txt/x", "hello.txt/x: "),
    ],
)
def test_what_cannot_be_is_refused_in_words(machine: Machine, command: str, words: str) -> None:
    result = machine.shell(command, timeout=5)
    assert result.status == 1
    assert words in result.stdout
    assert machine.shell("9p cat hello.txt", timeout=5).stdout == "hello, world\n"


def test_a_read_only_folder_says_so_and_another_share_is_of_use(
    tmp_path: Path, transport: Transport
) -> None:
    (tmp_path / "a\x1b[2J").write_text("x")
    shares = [Share(tmp_path, tag="ro"), Share({}, tag="scratch")]
    with Machine(devices=[Console(), *shares], transport=transport) as machine:
        assert machine.shell("9p ls", timeout=5).stdout == "         1 a?[2J\n"
        refused = machine.shell("9p write b text", timeout=5)
        assert (refused.status, refused.stdout) == (1, "b: the share is read-only\n")
        assert machine.shell("9p use 1; 9p write b text; 9p cat b", timeout=5).stdout == "text\n"
        listed = machine.shell("9p info", timeout=5).stdout.splitlines()
        assert [line[:9] for line in listed] == ["  share 0", "* share 1"]
