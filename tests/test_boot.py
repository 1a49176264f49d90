"""Where everything is put before the first instruction, and what is said when it cannot be."""

import random
import struct
from pathlib import Path

import pytest

from tests import payloads
from tests.payloads import Part
from tests.platform.fakes import FakeHart, FakeTerminal
from tests.platform.flat import Tree, unflatten
from vnb import images
from vnb.boot import Entry, place
from vnb.errors import UsageError
from vnb.images import Image
from vnb.memory import Memory
from vnb.platform.board import Board

RAM = 0x8000_0000
MIB = 1 << 20
KERNEL = payloads.kernel(b"kernel" * 1000, size=4 * MIB)
INITRD = b"initrd" * 1000


class Placed:
    """A machine's memory after `place`, and the ways to look at it."""

    def __init__(self, image: Image, size: int = 64 * MIB, **options: object) -> None:
        self.memory = Memory(size)
        board = Board(
            self.memory,
            FakeHart(),
            on_power=lambda action, code: None,
            terminal=FakeTerminal(),
        )
        self.entry: Entry = place(image, self.memory, board, **options)  # type: ignore[arg-type]

    def tree(self) -> Tree:
        length = int.from_bytes(self.memory.read(self.entry.a1 + 4, 4), "big")
        return unflatten(self.memory.read(self.entry.a1, length))

    def initrd(self) -> tuple[int, int]:
        chosen = self.tree()["chosen"]
        (_, start), (_, end) = (chosen.cells(f"linux,initrd-{side}") for side in ("start", "end"))
        return start, end

    def note(self) -> tuple[int, ...]:
        """The struct fw_dynamic_info that a2 points to."""
        return struct.unpack("<6Q", self.memory.read(self.entry.a2, 48))


def linux(**fields: object) -> Image:
    return Image("guest", "linux", KERNEL, **fields)  # type: ignore[arg-type]


# Linux, with the machine's own SBI


def test_a_kernel_starts_2_mib_into_ram_in_supervisor_mode() -> None:
    placed = Placed(linux())
    assert placed.entry == Entry(pc=RAM + 2 * MIB, mode=1, a0=0, a1=placed.entry.a1, a2=0)
    assert placed.memory.read(RAM + 2 * MIB, len(KERNEL)) == KERNEL


def test_a_kernel_that_wants_to_be_higher_is_put_higher() -> None:
    image = Image("guest", "linux", payloads.kernel(text_offset=6 * MIB))
    assert Placed(image).entry.pc == RAM + 6 * MIB


def test_the_device_tree_lies_near_the_end_of_ram_on_a_2_mib_boundary() -> None:
    entry = Placed(linux()).entry
    assert entry.a1 == RAM + 62 * MIB
    assert Placed(linux(), 33 * MIB + 4096).entry.a1 == RAM + 32 * MIB


def test_the_initrd_is_whole_page_aligned_and_told_to_the_kernel() -> None:
    placed = Placed(linux(initrd=INITRD))
    start, end = placed.initrd()
    assert start % 4096 == 0
    assert start >= RAM + 2 * MIB + 4 * MIB and end <= placed.entry.a1
    assert placed.memory.read(start, end - start) == INITRD


def test_files_are_placed_like_their_bytes(tmp_path: Path) -> None:
    (tmp_path / "Image").write_bytes(KERNEL)
    (tmp_path / "initrd").write_bytes(INITRD)
    files = Image("guest", "linux", tmp_path / "Image", initrd=tmp_path / "initrd")
    assert (
        Placed(files, seed=b"s").memory.sha256()
        == Placed(linux(initrd=INITRD), seed=b"s").memory.sha256()
    )


def test_the_command_line_is_the_images_words_and_then_the_cells() -> None:
    for own, added, whole in (
        ("console=hvc0", "quiet", "console=hvc0 quiet"),
        ("console=hvc0", "", "console=hvc0"),
        ("", "quiet", "quiet"),
        ("", "", ""),
    ):
        chosen = Placed(linux(append=own), append=added).tree()["chosen"]
        assert chosen.string("bootargs") == whole


def test_the_seed_is_handed_to_the_kernel() -> None:
    assert Placed(linux(), seed=b"0123").tree()["chosen"].properties["rng-seed"] == b"0123"
    assert "rng-seed" not in Placed(linux()).tree()["chosen"].properties


# Programs in machine mode


def test_a_flat_program_starts_at_the_beginning_of_ram_in_machine_mode() -> None:
    placed = Placed(Image("guest", "raw", b"program"))
    assert (placed.entry.pc, placed.entry.mode, placed.entry.a0) == (RAM, 3, 0)
    assert placed.memory.read(RAM, 7) == b"program"
    assert placed.tree()["soc/serial@10000000"]


def test_a_flat_program_goes_where_it_is_told() -> None:
    placed = Placed(Image("guest", "raw", b"program", address=RAM + 0x1234))
    assert placed.entry.pc == RAM + 0x1234
    assert placed.memory.read(RAM + 0x1234, 7) == b"program"


def test_an_elf_program_is_laid_out_by_its_headers_and_starts_at_its_entry() -> None:
    data = payloads.elf(
        Part(RAM + 0x1000, b"code"), Part(RAM + 0x4000, b"data", size=8), entry=RAM + 0x1002
    )
    placed = Placed(Image("guest", "elf", data))
    assert (placed.entry.pc, placed.entry.mode) == (RAM + 0x1002, 3)
    assert placed.memory.read(RAM + 0x1000, 4) == b"code"
    assert placed.memory.read(RAM + 0x4000, 8) == b"data\0\0\0\0"


def test_what_an_earlier_run_left_in_bss_is_cleared() -> None:
    memory = Memory(16 * MIB)
    memory.fill(RAM, MIB, 0xFF)
    board = Board(memory, FakeHart(), on_power=lambda action, code: None, terminal=FakeTerminal())
    data = payloads.elf(Part(RAM + 0x100, b"code", size=0x1_2345), entry=RAM + 0x100)
    place(Image("guest", "elf", data), memory, board)
    assert memory.read(RAM + 0x104, 0x1_2341) == bytes(0x1_2341)
    assert memory.read(RAM, 0x100) == b"\xff" * 0x100
    assert memory.read(RAM + 0x100 + 0x1_2345, 16) == b"\xff" * 16


def test_a_movable_program_is_moved_into_ram() -> None:
    data = payloads.elf(Part(0x1000, b"code"), entry=0x1002, kind=payloads.DYN)
    placed = Placed(Image("guest", "elf", data))
    assert placed.entry.pc == RAM + 2
    assert placed.memory.read(RAM, 4) == b"code"


def test_a_movable_program_that_is_linked_for_ram_stays() -> None:
    data = payloads.elf(Part(RAM + 0x1000, b"code"), entry=RAM + 0x1000, kind=payloads.DYN)
    assert Placed(Image("guest", "elf", data)).entry.pc == RAM + 0x1000


def test_in_machine_mode_a2_is_a_note_without_a_next_stage_as_on_qemu() -> None:
    placed = Placed(Image("guest", "raw", b"program"))
    assert placed.note() == (0x4942534F, 2, 0, 1, 0, 0)


def test_a_small_machine_holds_a_small_program() -> None:
    placed = Placed(Image("guest", "raw", b"program" * 1000), MIB)
    assert placed.entry.a1 % 4096 == 0 and placed.tree()["soc"]


# Firmware


@pytest.mark.parametrize(
    "firmware",
    [
        b"firmware",
        payloads.elf(Part(RAM, b"firmware", size=0x4_0000)),
        payloads.elf(Part(0, b"firmware", size=0x4_0000), entry=0, kind=payloads.DYN),
    ],
    ids=["flat", "ELF", "movable ELF"],
)
def test_firmware_starts_in_machine_mode_and_is_told_where_the_kernel_is(firmware: bytes) -> None:
    placed = Placed(linux(initrd=INITRD), firmware=firmware)
    assert (placed.entry.pc, placed.entry.mode, placed.entry.a0) == (RAM, 3, 0)
    assert placed.memory.read(RAM, 8) == b"firmware"
    assert placed.memory.read(RAM + 2 * MIB, len(KERNEL)) == KERNEL
    assert placed.note() == (0x4942534F, 2, RAM + 2 * MIB, 1, 0, 0)
    assert placed.initrd()


def test_firmware_can_go_on_with_a_program() -> None:
    flat = Placed(Image("guest", "raw", b"program"), firmware=b"firmware")
    assert flat.note()[2] == RAM + 2 * MIB
    assert flat.memory.read(RAM + 2 * MIB, 7) == b"program"
    data = payloads.elf(Part(RAM + 3 * MIB, b"code"), entry=RAM + 3 * MIB)
    assert Placed(Image("guest", "elf", data), firmware=b"firmware").note()[2] == RAM + 3 * MIB


def test_the_note_leaves_firmware_room_to_extend_the_tree() -> None:
    placed = Placed(linux(), firmware=b"firmware", append="x" * 4000)
    length = int.from_bytes(placed.memory.read(placed.entry.a1 + 4, 4), "big")
    assert placed.entry.a2 - (placed.entry.a1 + length) > 8192


@pytest.mark.debian
@pytest.mark.xdist_group("debian")
@pytest.mark.parametrize("name", images.FIRMWARE)
def test_debians_opensbi_is_placed_at_the_beginning_of_ram(name: str) -> None:
    firmware = images.opensbi(name)
    placed = Placed(linux(), firmware=firmware)
    flat = firmware.with_suffix(".bin").read_bytes()
    assert placed.entry.pc == RAM
    assert placed.memory.read(RAM, len(flat)) == flat


# What cannot be


@pytest.mark.parametrize("initrd", [None, INITRD, bytes(3 * MIB + 5)])
@pytest.mark.parametrize("firmware", [None, b"firmware"])
def test_too_little_ram_is_told_with_an_amount_that_is_enough(
    initrd: bytes | None, firmware: bytes | None
) -> None:
    with pytest.raises(UsageError, match=r"memory: guest needs \d+ MiB of RAM") as refusal:
        Placed(linux(initrd=initrd), 5 * MIB, firmware=firmware)
    assert "4 MiB of kernel" in str(refusal.value) and "not 5 MiB" in str(refusal.value)
    enough = int(str(refusal.value).split("needs ")[1].split()[0])
    placed = Placed(linux(initrd=initrd), enough * MIB, firmware=firmware)
    assert placed.entry.a1 >= RAM + 6 * MIB


@pytest.mark.parametrize("address", [0, RAM - 7, 1 << 63, (1 << 64) - 4])
def test_a_program_that_no_ram_can_hold_is_refused_with_its_address(address: int) -> None:
    for image in (
        Image("guest", "raw", b"program", address=address),
        Image("guest", "elf", payloads.elf(Part(address, b"program"), entry=address)),
    ):
        with pytest.raises(UsageError, match=f"program at {address:#x}.* is not in RAM"):
            Placed(image)


def test_a_flat_program_that_begins_below_ram_is_refused() -> None:
    with pytest.raises(UsageError, match=r"program at 0x7ffffffc.* is not in RAM"):
        Placed(Image("guest", "raw", b"program", address=RAM - 4))


def test_headers_that_a_linker_put_below_ram_are_left_out() -> None:
    page = payloads.elf().ljust(4096, b"\0")
    placed = Placed(Image("guest", "elf", payloads.elf(Part(RAM - 4096, page + b"code"))))
    assert placed.entry.pc == RAM
    assert placed.memory.read(RAM, 4) == b"code"


def test_a_program_that_names_no_entry_starts_at_its_beginning() -> None:
    data = payloads.elf(Part(RAM + 0x2000, b"data"), Part(RAM + 0x1000, b"code"), entry=0)
    assert Placed(Image("guest", "elf", data)).entry.pc == RAM + 0x1000


@pytest.mark.parametrize("entry", [RAM - 2, RAM + 4, 0x1_0000])
def test_a_program_that_starts_where_it_is_not_is_refused(entry: int) -> None:
    image = Image("guest", "elf", payloads.elf(Part(RAM, b"code"), entry=entry))
    with pytest.raises(UsageError, match=f"the program starts at {entry:#x}, where"):
        Placed(image)


def test_a_program_beyond_the_end_of_ram_needs_more_of_it() -> None:
    with pytest.raises(UsageError, match=r"memory: guest needs 13\d MiB of RAM"):
        Placed(Image("guest", "raw", b"program", address=RAM + 128 * MIB))


def test_a_program_where_the_firmware_is_refused() -> None:
    data = payloads.elf(Part(RAM, b"code"))
    with pytest.raises(UsageError, match=r"firmware at 0x80000000\S* overlaps program at 0x8"):
        Placed(Image("guest", "elf", data), firmware=b"firmware")


def test_firmware_that_is_no_firmware_is_refused() -> None:
    with pytest.raises(UsageError, match=r"firmware: .* is a Linux kernel; give that as the image"):
        Placed(linux(), firmware=KERNEL)
    with pytest.raises(UsageError, match=r"firmware: .* is a zip file"):
        Placed(linux(), firmware=b"PK\3\4")
    with pytest.raises(UsageError, match=r"firmware: cannot read /none/fw.bin"):
        Placed(linux(), firmware=Path("/none/fw.bin"))


def test_a_missing_file_is_named_with_its_image() -> None:
    with pytest.raises(UsageError, match="guest: cannot read /none/Image: No such file"):
        Placed(Image("guest", "linux", Path("/none/Image")))
    with pytest.raises(UsageError, match="guest's initrd: cannot read /none/initrd"):
        Placed(linux(initrd=Path("/none/initrd")))


def test_a_command_line_that_is_far_too_long_is_refused() -> None:
    with pytest.raises(UsageError, match="append: 70000 characters"):
        Placed(linux(), append="x" * 70_000)


def test_whatever_its_parts_nothing_overlaps(rng: random.Random) -> None:
    for _ in range(60):
        size = rng.randrange(1, 40 * MIB)
        kernel = payloads.kernel(rng.randbytes(rng.randrange(1, 5000)), size=size)
        initrd = rng.randbytes(rng.randrange(1, 200_000))
        image = Image("guest", "linux", kernel, initrd=initrd)
        ram = rng.randrange(1, 15_000) * 4096
        firmware = rng.choice((None, b"firmware"))
        try:
            placed = Placed(image, ram, firmware=firmware)
        except UsageError as error:
            assert "memory: guest needs" in str(error)
            continue
        start, end = placed.initrd()
        assert RAM + 2 * MIB + max(size, len(kernel)) <= start < end <= placed.entry.a1
        assert placed.memory.read(RAM + 2 * MIB, len(kernel)) == kernel
        assert placed.memory.read(start, end - start) == initrd
