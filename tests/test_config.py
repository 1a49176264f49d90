"""Arguments: what is allowed passes, and what is not gets an error that names it and says so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vnb import Console, Disk, Machine, UsageError, images
from vnb.config import check, host_memory, in_words, size_in_bytes

ALLOWED = {
    "image": images.labos(),
    "memory": "64M",
    "devices": None,
    "append": "",
    "board": "virt",
    "firmware": None,
    "clock": "real",
    "engine": "auto",
    "seed": None,
    "transport": "mmio",
}


@pytest.mark.parametrize(
    ("text", "count"),
    [("256M", 256 << 20), ("1G", 1 << 30), ("4096", 4096), (" 1.5 gib ", 3 << 29), ("64KB", 65536)],
)
def test_sizes_are_read_as_people_write_them(text: str, count: int) -> None:
    assert size_in_bytes(text, "memory") == count


@pytest.mark.parametrize("count", [1, 512, 65536, 3 << 20, 256 << 20, 3 << 29, 5 << 40])
def test_a_size_in_words_is_read_as_the_same_size(count: int) -> None:
    assert size_in_bytes(in_words(count), "size") == count


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("image", "debian", "vnb.images.debian()"),
        ("memory", "lots", '"256M"'),
        ("memory", 1.5, '"256M"'),
        ("memory", True, '"256M"'),
        ("memory", "-1M", '"256M"'),
        ("memory", 0, "at least 1M"),
        ("memory", (64 << 20) + 1, "4096"),
        ("memory", 1 << 60, "this host has only"),
        ("devices", "disk.img", "[Console(), Disk(…)]"),
        ("devices", Console(), "[Console(), Disk(…)]"),
        ("devices", [Console], "with brackets"),
        ("devices", [None], "no device such as Console()"),
        ("devices", [Console(), Console()], "one Console"),
        ("devices", [Disk(size="1M")] * 9, "8 slots"),
        ("devices", [Disk(size="1M", transport="pci")] * 32, "31 slots"),
        ("transport", "usb", "'mmio', 'pci'"),
        ("append", 5, "command line"),
        ("append", "a\0b", "command line"),
        ("board", "pc", "'virt'"),
        ("firmware", 5, "path"),
        ("firmware", "/no/such/file", "no such file"),
        ("clock", "wall", "'real', 'virtual'"),
        ("engine", "fast", "'auto', 'llvm', 'numba', 'python'"),
        ("seed", -1, "0 upwards"),
        ("seed", "x", "0 upwards"),
    ],
)
def test_a_wrong_argument_is_named_with_what_is_allowed(name: str, value: Any, says: str) -> None:
    with pytest.raises(UsageError, match=name) as raised:
        check(**{**ALLOWED, name: value})
    assert says in str(raised.value)


def test_an_image_says_how_much_memory_it_cannot_do_without() -> None:
    hungry = replace(images.labos(), least_memory=160 << 20)
    assert check(**{**ALLOWED, "image": hungry, "memory": "160M"}).memory == 160 << 20
    with pytest.raises(UsageError, match="image 'labos' needs at least 160M"):
        check(**{**ALLOWED, "image": hungry, "memory": "128M"})


def test_memory_for_the_whole_host_is_allowed() -> None:
    whole = host_memory() // 4096 * 4096
    assert check(**{**ALLOWED, "memory": whole}).memory == whole


def test_a_machine_has_a_console_unless_told_otherwise() -> None:
    assert check(**ALLOWED).devices == (Console(),)
    assert check(**{**ALLOWED, "devices": []}).devices == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "either a path"),
        ({"path": "a.img", "size": "1M"}, "either a path"),
        ({"path": "a.img", "mode": "write"}, "'rw', 'ro', 'snapshot'"),
        ({"path": 5}, "path"),
        ({"size": "0"}, "size"),
        ({"size": 700}, "512"),
        ({"size": "big"}, "size"),
    ],
)
def test_a_wrong_disk_is_refused_where_it_is_written(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as raised:
        Disk(**arguments)
    assert says in str(raised.value)


@pytest.mark.parametrize("size", [{"columns": 0}, {"rows": 65536}, {"columns": "wide"}])
def test_a_console_has_a_size_that_exists(size: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(size))):
        Console(**size)


def test_a_missing_disk_is_a_clear_error_and_leaves_no_other_disk_open(tmp_path: Path) -> None:
    good = tmp_path / "good.img"
    good.write_bytes(bytes(1024))
    with pytest.raises(UsageError, match="no such file"):
        Machine(devices=[Disk(good), Disk(tmp_path / "missing.img")])
    Machine(devices=[Disk(good)]).close()


@pytest.mark.parametrize("content", [b"", bytes(513)])
def test_a_truncated_disk_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cut.img"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="sectors"):
        Machine(devices=[Disk(path)])


def test_two_machines_cannot_write_one_disk_but_may_both_read_it(tmp_path: Path) -> None:
    path = tmp_path / "a.img"
    path.write_bytes(bytes(1024))
    first = Machine(devices=[Disk(path)])
    with pytest.raises(UsageError, match="another machine"):
        Machine(devices=[Disk(path)])
    first.close()
    second = Machine(devices=[Disk(path, mode="snapshot")])
    third = Machine(devices=[Disk(path, mode="ro")])
    second.close()
    third.close()


def test_disks_are_named_in_the_order_in_which_linux_finds_them() -> None:
    """It looks at PCI first."""
    wanted = [Disk(size="1M"), Disk(size="2M", transport="pci"), Disk(size="3M")]
    config = check(**{**ALLOWED, "devices": wanted})
    assert config.names == ("vdb", "vda", "vdc")
    assert [config.carrier(part) for part in wanted] == ["mmio", "pci", "mmio"]
    assert check(**{**ALLOWED, "devices": wanted, "transport": "pci"}).names == (
        "vda",
        "vdb",
        "vdc",
    )


def test_the_names_of_disks_go_on_after_z() -> None:
    assert [Disk(size="1M").name(index) for index in (0, 25, 26, 27, 701, 702)] == [
        *("vda", "vdz", "vdaa"),
        *("vdab", "vdzz", "vdaaa"),
    ]


def test_a_transport_that_is_none_is_refused_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="transport='usb': transport is one of 'mmio', 'pci'"):
        Disk(size="1M", transport="usb")  # type: ignore[arg-type]


def test_devices_say_what_they_are() -> None:
    assert str(Console(100, 30)) == "console 100×30"
    assert str(Disk("a.img", "ro")) == "disk a.img (ro)"
    assert str(Disk(size="64M")) == "disk of 64M in memory"
