"""The archive is read back by a reader of its own, written from the kernel's description."""

import stat
from collections.abc import Iterator

from vnb.images import cpio
from vnb.images.cpio import Entry

ENTRIES = [
    cpio.directory("dev"),
    cpio.directory("tmp", 0o1777),
    cpio.link("bin", "usr/bin"),
    cpio.character_device("dev/console", 5, 1),
    cpio.file("init", b"#!/bin/sh\n", 0o755),
    *(cpio.file(f"padded/{length}", bytes(range(length))) for length in range(9)),
]


def members(archive: bytes) -> Iterator[tuple[list[int], str, bytes]]:
    """Each member's 13 fields, name and content. [Linux: initramfs buffer format]"""
    at = 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_end = at + 110 + fields[11]
        assert archive[name_end - 1] == 0
        name = archive[at + 110 : name_end - 1].decode()
        begin = name_end + -name_end % 4
        if name == "TRAILER!!!":
            assert not archive[begin:]
            return
        yield fields, name, archive[begin : begin + fields[6]]
        at = begin + fields[6] + -(begin + fields[6]) % 4


def test_what_goes_in_comes_out() -> None:
    found = members(b"".join(cpio.archive(ENTRIES, 12345)))
    assert [
        Entry(name, fields[1], content, (fields[9], fields[10])) for fields, name, content in found
    ] == ENTRIES


def test_all_belongs_to_root_and_has_the_one_time() -> None:
    for fields, _, _ in members(b"".join(cpio.archive(ENTRIES, 12345))):
        assert (fields[2], fields[3], fields[5]) == (0, 0, 12345)


def test_no_two_members_share_an_inode_number() -> None:
    numbers = [fields[0] for fields, _, _ in members(b"".join(cpio.archive(ENTRIES, 0)))]
    assert len(set(numbers)) == len(ENTRIES)


def test_a_directory_counts_two_links_as_unpackers_expect() -> None:
    for fields, _, _ in members(b"".join(cpio.archive(ENTRIES, 0))):
        assert fields[4] == (2 if stat.S_ISDIR(fields[1]) else 1)


def test_the_same_entries_make_the_same_bytes() -> None:
    first, second = (b"".join(cpio.archive(iter(ENTRIES), 7)) for _ in range(2))
    assert first == second
