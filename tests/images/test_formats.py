"""What a file is taken for, and what is said of those that are nothing for us."""

import gzip
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from tests import payloads
from tests.payloads import Part
from vnb.errors import UsageError
from vnb.images import formats
from vnb.images.formats import Program, Segment

RAM = 0x8000_0000
BODY = bytes(range(256)) * 64
PROGRAM = payloads.elf(Part(RAM, b"code"))


# Kernels


def test_a_kernel_says_where_it_goes_and_how_much_it_needs() -> None:
    kernel = formats.linux(payloads.kernel(BODY, size=0x100_0000), "Image")
    assert (kernel.text_offset, kernel.size) == (0x20_0000, 0x100_0000)
    assert kernel.data.endswith(BODY)


def test_a_kernel_that_does_not_say_needs_at_least_its_own_length() -> None:
    image = payloads.kernel(BODY)
    assert formats.linux(image, "Image").size == len(image)


@pytest.mark.parametrize("image", [payloads.kernel(BODY), payloads.efi_kernel(BODY)])
@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lambda image: gzip.compress(image) + bytes(100),
        zstandard.compress,
        lambda image: zboot(gzip.compress(image), b"gzip"),
        lambda image: zboot(zstandard.compress(image), b"zstd"),
    ],
    ids=["plain", "gzip", "padded gzip", "zstd", "zboot gzip", "zboot zstd"],
)
def test_a_kernel_is_a_kernel_however_it_is_packed(image: bytes, pack) -> None:  # type: ignore[no-untyped-def]
    packed = pack(image)
    assert formats.recognise(packed, "Image") == "linux"
    assert formats.linux(packed, "Image").data == image


def zboot(packed: bytes, method: bytes) -> bytes:
    """A kernel that unpacks itself under EFI [linux, drivers/firmware/efi/libstub/zboot]."""
    head = b"MZ\0\0zimg" + struct.pack("<II8x", 0x100, len(packed)) + method.ljust(8, b"\0")
    return head.ljust(0x100, b"\0") + packed + b"padding"


def test_zstd_of_unknown_length_is_unpacked_too() -> None:
    stream = zstandard.ZstdCompressor(write_content_size=False)
    assert formats.unpack(stream.compress(BODY), "Image") == BODY


@pytest.mark.parametrize("cut", [1, 100, 10_000])
def test_a_truncated_efi_kernel_is_said_to_be_truncated(cut: int) -> None:
    image = payloads.efi_kernel(BODY)
    with pytest.raises(UsageError, match=f"Image is truncated: .* of {len(image)} bytes"):
        formats.linux(image[:-cut], "Image")


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gzip"), (zstandard.compress, "zstd")])
def test_a_broken_archive_is_said_to_be_broken(pack, name: str) -> None:  # type: ignore[no-untyped-def]
    packed = pack(payloads.kernel(random.Random(1).randbytes(100_000)))
    with pytest.raises(UsageError, match=f"Image is a truncated {name} file"):
        formats.linux(packed[:-10_000], "Image")
    with pytest.raises(UsageError, match=f"Image is a damaged {name} file"):
        formats.linux(packed[:4] + b"\xff" * 40 + packed[44:], "Image")


def test_a_truncated_zboot_kernel_is_said_to_be_truncated() -> None:
    packed = zboot(gzip.compress(payloads.kernel(BODY)), b"gzip")
    with pytest.raises(UsageError, match="Image is truncated"):
        formats.linux(packed[:-50], "Image")
    with pytest.raises(UsageError, match="Image is truncated"):
        formats.linux(packed[:10], "Image")


def test_a_big_endian_kernel_is_refused() -> None:
    with pytest.raises(UsageError, match="Image is a big-endian kernel"):
        formats.linux(payloads.kernel(BODY, flags=1), "Image")


def test_vmlinux_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match=r"vmlinux is an ELF file.*give the Image"):
        formats.linux(PROGRAM, "vmlinux")


def test_what_has_no_header_is_no_kernel() -> None:
    for data in (b"x", b"x" * 63, bytes(4096)):
        with pytest.raises(UsageError, match="it has no Image header"):
            formats.linux(data, "Image")


# ELF programs


def test_a_program_is_read_by_its_physical_addresses() -> None:
    data = payloads.elf(
        Part(RAM, b"code", virtual=0xFFFF_FFFF_8000_0000),
        Part(RAM + 0x1000, b"data", size=0x500, virtual=0xFFFF_FFFF_8000_1000),
        entry=0xFFFF_FFFF_8000_0002,
    )
    program = formats.elf(data, "kernel.elf")
    assert program.entry == RAM + 2
    assert [(s.address, bytes(s.data), s.size) for s in program.segments] == [
        (RAM, b"code", 4),
        (RAM + 0x1000, b"data", 0x500),
    ]
    assert not program.movable


def test_what_takes_no_memory_is_left_out() -> None:
    note = Part(0, b"note", kind=4)
    assert formats.elf(
        payloads.elf(note, Part(RAM, b"code"), Part(RAM + 16, b"", size=0)), "a"
    ) == Program(RAM, (Segment(RAM, memoryview(b"code"), 4),))


def test_a_position_independent_program_is_movable() -> None:
    data = payloads.elf(Part(0, b"code"), entry=0, kind=payloads.DYN)
    assert formats.elf(data, "fw").movable


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (payloads.elf(machine=payloads.X86_64), "an ELF program for x86-64; vnb runs 64-bit RISC"),
        (payloads.elf(machine=payloads.ARM64), "an ELF program for arm64"),
        (payloads.elf(machine=21), "an ELF program for 64-bit PowerPC"),
        (payloads.elf(machine=0x7777), "an ELF program for another machine .number 30583."),
        (payloads.elf(kind=payloads.REL), "an object file that has not been linked"),
        (payloads.elf(kind=payloads.CORE), "a core dump"),
        (payloads.elf(), "an ELF file with nothing to load"),
        (payloads.elf(Part(RAM, b"x"), order=">"), "64-bit big-endian"),
        (
            payloads.elf(Part(0x1_0000, b"x"), Part(0x1_0000, b"/lib/ld.so", kind=3)),
            "a program for an operating system",
        ),
        (payloads.elf(Part(RAM, b"code", size=2)), "larger in it than in memory"),
    ],
)
def test_a_program_for_something_else_is_named_for_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=f"a.out is .*{words}"):
        formats.elf(data, "a.out")
    with pytest.raises(UsageError):
        formats.recognise(data, "a.out")


def test_a_32_bit_program_is_refused() -> None:
    head = bytearray(100)
    head[:7] = b"\x7fELF\x01\x01\x01"
    struct.pack_into("<HHI", head, 16, 2, payloads.RISCV, 1)
    with pytest.raises(UsageError, match="a 32-bit little-endian ELF file; vnb is 64-bit"):
        formats.elf(bytes(head), "a.out")


def test_a_program_cut_anywhere_is_refused_in_words() -> None:
    data = payloads.elf(Part(RAM, b"code"), Part(RAM + 0x1000, b"data"))
    for length in range(4, len(data)):
        with pytest.raises(UsageError, match=r"a.out is truncated"):
            formats.elf(data[:length], "a.out")


def test_a_program_with_broken_bytes_is_read_or_refused(rng: random.Random) -> None:
    good = bytearray(payloads.elf(Part(RAM, b"code"), Part(RAM + 0x1000, b"data", size=64)))
    for _ in range(3000):
        data = good.copy()
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(4, 64 + 112)] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        try:
            program = formats.elf(bytes(data), "a.out")
        except UsageError:
            continue
        assert all(len(segment.data) <= segment.size for segment in program.segments)


def test_what_a_compiler_links_is_loaded_as_it_says(tmp_path: Path) -> None:
    source, program = tmp_path / "a.c", tmp_path / "a.elf"
    source.write_text("int data = 7, bss[100]; void _start(void) { for (;;) bss[0] = data; }")
    script = tmp_path / "a.ld"
    script.write_text(
        "ENTRY(_start) SECTIONS { . = 0x80000000;"
        " .text : { *(.text*) } .data : { *(.data*) } .bss : { *(.bss*) } }"
    )
    compiler = [sys.executable, "-m", "ziglang", "cc", "--target=riscv64-freestanding-none"]
    place = ["-O2", "-mcmodel=medany", "-nostdlib", "-static", f"-Wl,-T,{script}"]
    subprocess.run([*compiler, *place, "-o", program, source], check=True)
    loaded = formats.elf(program.read_bytes(), "a.elf")
    assert any(0 <= loaded.entry - part.address < len(part.data) for part in loaded.segments)
    assert sum(segment.size - len(segment.data) for segment in loaded.segments) >= 400


# Everything else


def test_programs_and_flat_binaries_are_told_apart() -> None:
    assert formats.recognise(PROGRAM, "a.out") == "elf"
    assert formats.recognise(gzip.compress(PROGRAM), "a.out.gz") == "elf"
    assert formats.recognise(bytes.fromhex("73000000") * 100, "flat.bin") == "raw"


def at(offset: int, magic: bytes) -> bytes:
    return (bytes(offset) + magic).ljust(0x9000, b"\0")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (at(0, b"PK\3\4"), "a zip file"),
        (at(0, b"\xfd7zXZ\0"), "an xz file"),
        (at(257, b"ustar\x0000"), "a tar archive"),
        (at(0, b"070701000"), "a cpio archive, as an initrd is"),
        (at(0, b"!<arch>\ndebian-binary"), "a Debian package"),
        (at(0, b"!<arch>\nfoo.o/"), "a static library"),
        (at(0, b"QFI\xfb"), "a qcow2 disk image"),
        (at(0x8001, b"CD001"), "an ISO 9660 image"),
        (at(0x438, b"\x53\xef"), "an ext2, ext3 or ext4 file system"),
        (at(510, b"\x55\xaa"), "a disk image with a partition table or boot sector"),
        (at(0, b"\xd0\x0d\xfe\xed"), "a flattened device tree"),
        (at(0x38, b"ARM\x64"), "an arm64 Linux kernel"),
        (at(0x202, b"HdrS"), "an x86 Linux kernel"),
        (at(0, b"MZ"), "a Windows or EFI program"),
        (at(0, b"#!/bin/sh\n"), "a script"),
    ],
)
def test_what_people_hand_over_by_mistake_is_named(data: bytes, words: str) -> None:
    for attempt in (formats.recognise, formats.linux):
        with pytest.raises(UsageError, match=f"^thing is {words}; vnb runs a riscv64 Linux"):
            attempt(data, "thing")


def test_a_packed_archive_is_named_for_what_is_in_it() -> None:
    with pytest.raises(UsageError, match=r"initrd\.gz is a cpio archive"):
        formats.linux(gzip.compress(at(0, b"070701")), "initrd.gz")
    with pytest.raises(UsageError, match="is a compressed file, and what is in it is no kernel"):
        formats.recognise(gzip.compress(b"text"), "notes.gz")


# Reading


def test_a_file_or_its_bytes_are_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert formats.read(tmp_path / "file", "payload") == b"abc"
    assert formats.read(b"abc", "payload") == b"abc"


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match=r"kernel: cannot read .*/none: No such file"):
        formats.read(tmp_path / "none", "kernel")
    with pytest.raises(UsageError, match=r"kernel: cannot read .*: Is a directory"):
        formats.read(tmp_path, "kernel")
    with pytest.raises(UsageError, match=r"kernel: .*/empty is empty"):
        formats.read(tmp_path / "empty", "kernel")
    with pytest.raises(UsageError, match=r"kernel: a file of 0 bytes is empty"):
        formats.read(b"", "kernel")
