"""What labos promises: to come up, to understand, to answer, to survive, to measure."""

import random
import re
import time

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tests.guest.prompt import PROMPT, typed
from vnb import Console, Disk, Machine
from vnb.guest import ELF
from vnb.platform.board import Board

USAGE, UNKNOWN, TOO_LONG, CRASHED = 2, 127, 126, 64

# Coming up, and going down


def test_the_prompt_is_there_after_a_hundred_thousand_instructions(machine: Machine) -> None:
    assert machine.instructions < 100_000


def test_the_banner_is_one_line_with_what_the_machine_has() -> None:
    with Machine(memory="33M", devices=[Disk(size="1M"), Disk(size="1M")]) as machine:
        banner = "labos: RISC-V, 33 MiB of memory, 2 VirtIO devices. Type help.\r\n"
        machine.console.expect(banner + PROMPT)


def test_a_machine_of_one_megabyte_without_any_device_is_enough() -> None:
    with Machine(memory="1M", devices=[]) as machine:
        machine.console.expect(PROMPT)
        assert "there is no VirtIO device" in typed(machine, "virtio\r")
        assert "there is no disk" in typed(machine, "disk\r")
        assert "there is no disk" in typed(machine, "disk read 0\r")


@pytest.mark.parametrize("code", [0, 1, 7, 255, 65535])
def test_halt_ends_the_machine_with_its_code(machine: Machine, code: int) -> None:
    machine.console.write(f"halt {code}\r")
    assert machine.wait(5) == code


def test_halt_by_the_agent_answers_before_the_power_goes(machine: Machine) -> None:
    assert machine.shell("halt 3", timeout=5).status == 0
    assert machine.wait(5) == 3


def test_reboot_forgets_the_past_and_comes_up_again(machine: Machine) -> None:
    assert "exceptions               1" in typed(machine, "crash\r") + typed(machine, "irq\r")
    machine.console.write("reboot\r")
    machine.console.expect("Type help.\r\n" + PROMPT)
    assert "exceptions               0" in machine.shell("irq", timeout=5).stdout


def test_it_sleeps_while_nobody_wants_anything() -> None:
    with Machine(devices=[Console()]) as machine:
        machine.console.expect(PROMPT)
        time.sleep(0.05)  # the prompt is printed just before it falls asleep
        before = machine.instructions
        time.sleep(0.2)
        assert machine.instructions == before


def test_a_damaged_device_tree_is_survived(
    monkeypatch: pytest.MonkeyPatch, rng: random.Random
) -> None:
    devicetree = Board.devicetree

    def damaged(*arguments: object, **options: object) -> bytes:
        tree = bytearray(devicetree(*arguments, **options))  # type: ignore[arg-type]
        for _ in range(rng.randrange(1, 40)):
            tree[rng.randrange(len(tree))] = rng.choice((0, 1, 3, 0x7F, 0xFF, rng.randrange(256)))
        return bytes(tree)

    monkeypatch.setattr(Board, "devicetree", damaged)
    for _ in range(20):
        with Machine(memory="4M", devices=[]) as machine:
            machine.console.expect(PROMPT, timeout=10)


# The shell


def test_help_names_every_command_in_lines_that_fit_a_terminal(machine: Machine) -> None:
    text = machine.shell("help", timeout=5).stdout
    names = " ".join(line.split()[0] for line in text.splitlines() if line.startswith(" "))
    assert names == (
        "cpu mem regs irq crash devices virtio pci disk 9p net dhcp arp ping udp screen input rng"
        " help echo time uptime reboot halt"
    )
    assert "Which devices there are\n" in text
    for parent in ("mem", "cpu", "disk", "9p", "net", "udp", "screen", "input"):
        text += machine.shell(f"help {parent}", timeout=5).stdout
    assert "disk verify SECTOR COUNT [PATTERN]" in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("frobnicate", UNKNOWN, "there is no command 'frobnicate'; try: help"),
        ("disk frobnicate", UNKNOWN, "there is no command 'frobnicate'"),
        ("help frobnicate", UNKNOWN, "there is no command 'frobnicate'"),
        ("disk write", USAGE, "usage: disk write SECTOR COUNT [PATTERN]"),
        ("regs please", USAGE, "usage: regs"),
        ("disk read 2048", USAGE, "SECTOR must be a number from 0 to 2047, not '2048'"),
        ("disk read 2000 49", USAGE, "COUNT must be a number from 1 to 48, not '49'"),
        ("disk write 0 1 256", USAGE, "PATTERN must be a number from 0 to 255, not '256'"),
        ("disk use 1", USAGE, "DISK must be a number from 0 to 0, not '1'"),
        ("mem peek twelve", USAGE, "ADDRESS must be a number from 0"),
        ("mem peek 12x", USAGE, "not '12x'"),
        ("mem peek 0x", USAGE, "not '0x'"),
        ("mem peek -1", USAGE, "not '-1'"),
        ("mem peek 0x10000000000000000", USAGE, "not '0x10000000000000000'"),
        ("mem peek 17179869184G", USAGE, "not '17179869184G'"),
        ("mem peek 0 3", USAGE, "SIZE must be 1, 2, 4 or 8 bytes, not '3'"),
        ("mem poke 0 256 1", USAGE, "VALUE must be a number from 0 to 255, not '256'"),
        ("mem peek 0x8000000", 1, "nothing answers at 0000000008000000"),
        ("mem poke 0x8000000 1", 1, "nothing answers at 0000000008000000"),
        ("mem test 16", USAGE, "MIB must be a number from 1 to 13, not '16'"),
        ("crash gently", USAGE, "KIND must be one of illegal load store"),
        ("halt 65536", USAGE, "CODE must be a number from 0 to 65535, not '65536'"),
        ("echo " + "x " * 200, USAGE, "a command has at most 128 words, not 201"),
    ],
)
def test_a_bad_argument_is_refused_in_words(
    machine: Machine, command: str, status: int, words: str
) -> None:
    result = machine.shell(command, timeout=5)
    assert result.status == status
    assert words in result.stdout


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo a  b", "a b\n"),
        ("echo 'a  b' \"c;d\" e'f'g", "a  b c;d efg\n"),
        ("echo one; echo two;; ;echo three", "one\ntwo\nthree\n"),
        ("echo one\necho two\n", "one\ntwo\n"),
        ("echo ''", "\n"),
        ("  ", ""),
    ],
)
def test_a_line_is_split_into_commands_and_words(machine: Machine, line: str, output: str) -> None:
    assert machine.shell(line, timeout=5).stdout == output


# The agent


def test_commands_longer_than_a_terminal_line_work_up_to_a_limit(machine: Machine) -> None:
    text = "".join(random.Random(1).choices("abcdefgh ", k=12_000)).strip()
    assert machine.shell(f"echo '{text}'", timeout=5).stdout == text + "\n"
    too_long = machine.shell("echo " + "x" * 13_000, timeout=5)
    assert (too_long.status, too_long.stdout) == (TOO_LONG, "")
    assert machine.shell("echo on", timeout=5).stdout == "on\n"


def test_a_command_that_takes_too_long_is_interrupted(machine: Machine) -> None:
    with pytest.raises(TimeoutError, match="did not end within"):
        machine.shell("cpu bench 60000", timeout=0.3)
    assert machine.shell("echo on", timeout=5).stdout == "on\n"


def test_the_agent_s_output_stays_off_the_console(machine: Machine) -> None:
    machine.console.write("echo half")
    machine.console.expect("half")
    assert machine.shell("echo quiet; crash", timeout=5).stdout.startswith("quiet\n")
    assert typed(machine, " and half\r") == "half and half\n"


# Traps


@pytest.mark.parametrize(
    ("kind", "cause", "words"),
    [
        ("illegal", 2, "illegal instruction"),
        ("load", 5, "load access fault"),
        ("store", 7, "store access fault"),
        ("jump", 1, "instruction access fault"),
        ("ebreak", 3, "breakpoint"),
        ("ecall", 11, "environment call from M-mode"),
        ("csr", 2, "illegal instruction"),
        ("stack", 7, "store access fault"),
    ],
)
def test_a_crash_is_reported_in_words_and_survived(
    machine: Machine, kind: str, cause: int, words: str
) -> None:
    report = typed(machine, f"crash {kind}\r")
    assert f"trap: {words} (mcause {cause}) at" in report
    assert len(re.findall(r"\b\w+ +[0-9a-f]{16}\b", report)) >= 32
    assert machine.shell(f"crash {kind}", timeout=5).status == CRASHED + cause
    assert typed(machine, "echo alive\r") == "alive\n"


def test_a_trap_inside_the_trap_handler_powers_off_instead_of_going_round(machine: Machine) -> None:
    with ELF.open("rb") as file:
        symbols = ELFFile(file).get_section_by_name(".symtab")
        assert isinstance(symbols, SymbolTableSection)
        trap = next(symbol for symbol in symbols.iter_symbols() if symbol.name == "trap")
    machine.console.write(f"mem poke {trap['st_value']:#x} 0 4; crash\r")
    machine.console.expect("a trap inside the trap handler")
    assert machine.wait(5) == 1


def test_regs_and_irq_show_what_the_hart_keeps(machine: Machine) -> None:
    registers = dict(re.findall(r"(\w+) +([0-9a-f]{16})", machine.shell("regs", timeout=5).stdout))
    assert int(registers["misa"], 16) >> 62 == 2
    assert int(registers["mscratch"], 16) >= 0x8000_0000
    assert {"mcause", "time", "fcsr", "sp", "a0", "t6"} <= set(registers)
    counts = machine.shell("irq", timeout=5).stdout
    assert int(re.search(r"virtio slot 0 +(\d+)", counts)[1]) > 0  # type: ignore[index]


# Memory and processor


def test_memory_can_be_read_written_and_tested(machine: Machine) -> None:
    assert machine.shell("mem poke 0x80200000 0x11223344; mem peek 0x80200000 2").stdout == "3344\n"
    machine.call(lambda: machine.memory.write(0x8020_1000, b"a text in memory, and more of it"))
    assert machine.shell("mem dump 0x80201000 20").stdout == (
        "0080201000   61 20 74 65 78 74 20 69  6e 20 6d 65 6d 6f 72 79  |a text in memory|\n"
        "0080201010   2c 20 61 6e" + " " * 39 + "|, an|\n"
    )
    assert "*\n" in machine.shell("mem dump 0x80400000 4K").stdout
    assert machine.shell("mem test 2").stdout == "2 MiB good\n"
    assert re.search(r"memory +0+80000000 to 0+80ffffff +16 MiB", machine.shell("mem").stdout)


def test_the_benchmark_checks_its_results_and_counts_what_it_did(machine: Machine) -> None:
    result = machine.shell("cpu bench 1", timeout=30)
    assert result.status == 0
    rows = re.findall(r"(\w+) +(\d+) +(\d+) +(\d+) +(\d+) us +([\d.]+) MIPS", result.stdout)
    names = " ".join(row[0] for row in rows)
    assert names == "branches arithmetic division sort matrix mandelbrot roots copy fill chase"
    for name, rounds, instructions, _, microseconds, mips in rows:
        assert int(rounds) >= 1 and int(microseconds) >= 1000, name
        assert float(mips) == pytest.approx(int(instructions) / int(microseconds), abs=0.1), name
        assert float(mips) == pytest.approx(320, rel=0.01), name  # the virtual clock's own rate


def test_time_tells_how_long_a_command_takes(machine: Machine) -> None:
    text = machine.shell("time echo hello", timeout=5).stdout
    assert re.fullmatch(r"hello\n0\.\d{6} s, \d+ instructions\n", text)
    assert re.fullmatch(r"\d+ ticks of 10000000 Hz\n", machine.shell("time").stdout)
    assert re.fullmatch(r"0\.\d{6} s, \d+ instructions\n", machine.shell("uptime").stdout)
