"""What the magics do on a bench, with labos, and what they say of lines that are wrong."""

import gc
import hashlib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.magics.page import Paper
from vnb import Console, Disk, Machine, Share, UsageError, images
from vnb.agent import CommandFailed
from vnb.magics import commands
from vnb.magics.bench import Bench

LABOS = "image=labos memory=16M"


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(Paper(), {})
    yield bench
    for machine in bench.machines().values():
        machine.close()


def paper(bench: Bench) -> Paper:
    assert isinstance(bench.page, Paper)
    return bench.page


def test_machine_makes_what_the_line_asks_for(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a disk.img").write_bytes(bytes(1024))
    line = f"{LABOS} 'disk={tmp_path}/a disk.img:ro' disk=2M share={tmp_path}:rw --clock virtual"
    commands.run(bench, "machine", f"{line} transport=pci seed=3 append='a b' # as in class")
    config = bench.machine().config
    assert (config.memory, config.transport, config.clock) == (16 << 20, "pci", "virtual")
    assert (config.seed, config.append, config.image.name) == (3, "a b", "labos")
    folder = Share(str(tmp_path), tag=tmp_path.name, write=True)
    disks = (Disk(f"{tmp_path}/a disk.img", "ro"), Disk(size="2M"))
    assert config.devices == (Console(), *disks, folder)
    assert bench.machine().state == "new"


def test_the_first_cell_starts_the_machine_and_tells_of_it(bench: Bench) -> None:
    commands.run(bench, "machine", LABOS)
    result = bench.run(bench.ready(), "echo on; frobnicate")
    assert (result.status, paper(bench).text) == (127, result.stdout)
    assert paper(bench).text.startswith("on\nthere is no command")
    told = " ".join(paper(bench).told)
    assert "not started" in told and "labos boots" in told and "is up after" in told
    assert repr(result).startswith("[status 127, ")
    assert "there is no" not in result._repr_html_()


def test_a_machine_takes_the_place_of_the_one_of_its_name(bench: Bench) -> None:
    commands.run(bench, "machine", LABOS)
    first = bench.ready()
    commands.run(bench, "machine", f"{LABOS} name=other")
    assert first.state == "running" and bench.machine() is bench.named("other")
    commands.run(bench, "machine", "use machine")
    assert bench.machine() is first
    commands.run(bench, "machine", LABOS)
    assert first.state == "off" and bench.machine() is not first


def test_a_line_can_be_run_again_although_its_disk_has_one_writer(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "disk").write_bytes(bytes(1 << 20))
    for _ in range(2):
        commands.run(bench, "machine", f"{LABOS} disk={tmp_path}/disk")
        first = bench.ready()
    with pytest.raises(UsageError, match="memory="):
        commands.run(bench, "machine", "image=labos memory=3")
    assert bench.machine() is first and first.state == "running"


def test_a_bench_keeps_no_machine_that_nobody_refers_to(bench: Bench) -> None:
    commands.run(bench, "machine", LABOS)
    machine = weakref.ref(bench.ready())
    del bench.variables["machine"]
    gc.collect()
    assert machine() is None and bench.current() is None


def test_without_one_of_its_own_a_bench_means_the_machine_started_last(bench: Bench) -> None:
    with Machine(memory="4M") as first, Machine(memory="4M") as second:
        assert bench.machine() is second
        second.close()
        assert bench.machine() is first
        bench.variables["mine"] = second
        assert bench.choose("mine") is bench.machine() is second


def test_restart_forgets_what_the_guest_knew(bench: Bench) -> None:
    commands.run(bench, "machine", LABOS)
    bench.run(bench.ready(), "mem poke 0x80200000 7")
    commands.run(bench, "machine", "restart")
    assert bench.run(bench.machine(), "mem peek 0x80200000 1").stdout == "00\n"


@pytest.mark.parametrize(
    ("word", "state"),
    [("pause", "paused"), ("stop", "off"), ("close", "off"), ("start", "running")],
)
def test_the_power_button_has_words(bench: Bench, word: str, state: str) -> None:
    commands.run(bench, "machine", LABOS)
    bench.ready()
    commands.run(bench, "machine", word)
    assert bench.machine().state == state


def test_a_pause_ends(bench: Bench) -> None:
    commands.run(bench, "machine", LABOS)
    for word in ("start", "pause", "resume"):
        commands.run(bench, "machine", word)
    assert bench.machine().state == "running"


def test_the_machine_is_shown_and_listed(bench: Bench) -> None:
    commands.run(bench, "machine", "")
    assert paper(bench).told == ["no machine yet"]
    commands.run(bench, "machine", LABOS)
    commands.run(bench, "machine", "")
    commands.run(bench, "machine", "list")
    assert paper(bench).shown == [bench.machine()]
    assert paper(bench).text == "* machine      <Machine labos: new>\n"


def test_stats_are_a_figure_or_a_table(bench: Bench) -> None:
    commands.run(bench, "machine", f"{LABOS} disk=1M")
    bench.run(bench.ready(), "disk read 0")
    commands.run(bench, "stats", "")
    commands.run(bench, "stats", "--table")
    figure, table = paper(bench).shown
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert table["vda"]["read"] > 0


# fmt: off
WRONG: list[tuple[str, str, str]] = [
    ("nix",     "",                        "there is no %nix\n\n%machine  Configure"),
    ("machine", "frob",                    "No such command 'frob'"),
    ("machine", "frob=1",                  "No such option '--frob'"),
    ("machine", "image=nix",               "the images with a name are debian, labos"),
    ("machine", "transport=usb",           "'usb' is not one of 'mmio', 'pci'"),
    ("machine", "image=labos memory=much", "memory='much'"),
    ("machine", "image=labos packages=e",  "packages=… are for image=debian"),
    ("machine", "image=labos disk=/no/it", "/no/it"),
    ("machine", "image=labos name=a-b",    "name=a-b: a name as variables have them"),
    ("machine", "memory=1G restart",       "restart and memory=… do not mix"),
    ("machine", "use it",                  "there is no machine 'it'; there are: none"),
    ("machine", "stop",                    "no machine runs"),
    ("machine", "'stop",                   "no closing quotation"),
    ("put",     "",                        "Missing argument 'LOCAL'.\nUsage: %put"),
    ("get",     "a b c",                   "unexpected extra argument (c)"),
    ("stats",   "--over time",             "'time' is not one of 'host', 'guest'"),
    ("help",    "nix",                     "there is no %nix"),
]
# fmt: on


@pytest.mark.parametrize(("name", "line", "words"), WRONG)
def test_a_wrong_line_is_an_error_that_says_what_is_allowed(
    bench: Bench, name: str, line: str, words: str
) -> None:
    with pytest.raises(UsageError) as wrong:
        commands.run(bench, name, line)
    assert words in str(wrong.value)
    assert bench.machines() == {}


@pytest.mark.parametrize("name", commands.MAGICS)
def test_every_magic_helps(bench: Bench, name: str) -> None:
    asked = [(name, "--help"), (name, "?"), ("help", name), ("help", f"%{name}")]
    for magic, line in asked:
        commands.run(bench, magic, line)
    pages = paper(bench).text.split("Usage: ")[1:]
    assert len(pages) == 4 and len(set(pages)) == 1
    assert f"%{name}" in pages[0]
    commands.run(bench, "help", "")
    assert f"%{name} " in paper(bench).text.rsplit("Usage: ", 1)[1]


def test_labos_has_no_files(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    commands.run(bench, "machine", LABOS)
    for name, line in (("put", f"{tmp_path}/a"), ("get", "a")):
        with pytest.raises(UsageError, match="labos has no files"):
            commands.run(bench, name, line)


@pytest.mark.debian
@pytest.mark.xdist_group("kernel")
def test_files_go_into_debian_and_come_back(bench: Bench, tmp_path: Path, rng: Any) -> None:
    bench.put("machine", lambda: Machine(images.debian(progress=False), memory="192M"))
    bench.run(bench.ready(), "mkdir '/tmp/a b'; cd '/tmp/a b'")
    script, large = tmp_path / "it's", tmp_path / "large"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    large.write_bytes(rng.randbytes(600_001))
    for line in (f'"{script}"', f"{large} /tmp/renamed", f"{large} /tmp"):
        commands.run(bench, "put", line)
    assert bench.run(bench.machine(), "./it\\'s; ls; ls /tmp").stdout == (
        "ran\nit's\na b\nlarge\nrenamed\n"
    )
    commands.run(bench, "get", f"/tmp/renamed {tmp_path}/back")
    commands.run(bench, "get", f'"it\'s" {tmp_path}/script')
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert (tmp_path / "script").read_bytes() == script.read_bytes()
    assert any("44%" in line for line in paper(bench).told)  # of large, in three parts
    commands.run(bench, "get", f"/proc/kallsyms {tmp_path}/symbols")
    digest = hashlib.sha256((tmp_path / "symbols").read_bytes()).hexdigest()
    assert digest in bench.run(bench.machine(), "sha256sum /proc/kallsyms").stdout
    for line, words in (("/nowhere", "no such file"), ("/tmp", "directory")):
        with pytest.raises(CommandFailed, match=f"(?i){words}"):
            commands.run(bench, "get", line)
    for line, words in ((f'"{script}" /nowhere/x', "nonexistent"), (f"{large} /proc/x", "create")):
        with pytest.raises(CommandFailed, match=words):
            commands.run(bench, "put", line)
    for line, words in ((f"{tmp_path}", "share it"), (f"{tmp_path}/none", "no such file")):
        with pytest.raises(UsageError, match=words):
            commands.run(bench, "put", line)
    bench.run(bench.machine(), "mkdir /tmp/full && mount -t tmpfs -o size=64k full /tmp/full")
    with pytest.raises(CommandFailed, match="No space left"):
        commands.run(bench, "put", f"{large} /tmp/full")
    assert bench.run(bench.machine(), "ls -A /tmp/full").stdout == ""
    with pytest.raises(UsageError, match="no picture"):
        commands.run(bench, "get", "--show /tmp/large")
    bench.run(bench.machine(), "printf '<svg/>' >x.svg; imgcat x.svg")
    commands.run(bench, "get", "--show x.svg")
    assert [shown.content for shown in paper(bench).shown] == [b"<svg/>"] * 2
