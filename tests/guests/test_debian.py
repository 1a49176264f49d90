"""An unmodified Debian kernel on the machine: its shell, disks, console, time and quiet."""

import asyncio
import hashlib
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pexpect
import pytest

from tests.guests.conftest import DISK
from vnb import CommandFailed, GuestError, Machine, images
from vnb.cpu.hart import ExitKind

pytestmark = [pytest.mark.debian, pytest.mark.xdist_group("debian"), pytest.mark.timeout(300)]


def test_the_shell_runs_commands(machine: Machine) -> None:
    result = machine.shell("uname -m; echo to stderr >&2; exit 3")
    assert (result.stdout, result.status) == ("riscv64\nto stderr\n", 3)
    with pytest.raises(CommandFailed, match="status 1"):
        machine.shell("false", check=True)


def test_every_instruction_set_extension_is_known_to_linux(machine: Machine) -> None:
    told = machine.shell("cat /proc/cpuinfo").stdout
    assert "rv64imafdc" in told
    for extension in ("zicond", "zba", "zbb", "zbs", "sstc"):
        assert extension in told


def test_much_output_arrives_whole(machine: Machine) -> None:
    result = machine.shell("seq 1 200000", timeout=120)
    expected = "".join(f"{number}\n" for number in range(1, 200001))
    assert hashlib.sha256(result.raw).digest() == hashlib.sha256(expected.encode()).digest()


def test_any_bytes_arrive_as_they_are(machine: Machine) -> None:
    everything = bytes(range(256))
    escaped = "".join(f"\\{byte:03o}" for byte in everything)
    assert machine.shell(f"printf '{escaped}'").raw == everything


def test_a_command_of_a_hundred_kilobytes_is_run(machine: Machine) -> None:
    text = "x" * 100_000
    assert machine.shell(f": {text}; echo done").stdout == "done\n"


def test_a_command_that_takes_too_long_is_interrupted_and_the_next_works(machine: Machine) -> None:
    with pytest.raises(TimeoutError, match=r"did not end within 1 s:\nbegun"):
        machine.shell("echo begun; sleep 100", timeout=1)
    with pytest.raises(TimeoutError):
        machine.shell("trap '' INT; while :; do :; done", timeout=0.5)
    assert machine.shell("echo next; pidof sleep").stdout == "next\n"


def test_ctrl_c_in_the_cell_ends_the_command_and_not_the_machine(machine: Machine) -> None:
    main = threading.main_thread().ident
    threading.Timer(0.5, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        machine.shell("sleep 100")
    assert machine.state == "running"
    assert machine.shell("pidof sleep; echo next").stdout == "next\n"


def test_cancelling_an_awaited_command_ends_it_and_not_the_machine(machine: Machine) -> None:
    async def main() -> str:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(machine.aio.shell("sleep 100"), 0.5)
        return (await machine.aio.shell("pidof sleep; echo next")).stdout

    assert asyncio.run(main()) == "next\n"


def test_what_the_guest_writes_is_in_the_file(machine: Machine, disks: dict[str, Path]) -> None:
    machine.shell(
        "printf 'from the guest' | dd of=/dev/vda bs=1 seek=1000 conv=notrunc; sync", check=True
    )
    assert disks["rw"].read_bytes()[1000:1014] == b"from the guest"


def test_what_is_in_the_file_is_what_the_guest_reads(machine: Machine) -> None:
    expected = hashlib.sha256(b"vnb!" * (DISK // 4)).hexdigest()
    assert machine.shell("sha256sum /dev/vdb").stdout.split()[0] == expected


def test_a_read_only_disk_refuses_and_a_snapshot_forgets(
    machine: Machine, disks: dict[str, Path]
) -> None:
    before = {mode: disks[mode].read_bytes() for mode in ("ro", "snapshot")}
    assert machine.shell("echo x > /dev/vdb").status != 0
    machine.shell("echo x > /dev/vdc; sync", check=True)
    assert machine.shell("head -c 2 /dev/vdc").stdout == "x\n"
    assert {mode: disks[mode].read_bytes() for mode in ("ro", "snapshot")} == before


def test_the_console_is_a_terminal_with_a_size(machine: Machine) -> None:
    machine.console.resize(132, 43)
    machine.console.write("stty size\n")
    machine.console.expect("43 132", timeout=20)
    machine.console.write("echo $((6*7))\n")
    machine.console.expect("\n42", timeout=20)


def test_floating_point_is_exact(machine: Machine) -> None:
    sums = "1/3, 0.1*3, 1e308*10, -1*0, 7e-310/3"
    told = machine.shell(f"awk 'BEGIN {{ printf \"%.17g %.17g %g %g %.17g\", {sums} }}'").stdout
    assert told == f"{1 / 3:.17g} {0.1 * 3:.17g} inf -0 {7e-310 / 3:.17g}"


def test_the_guests_clock_is_the_hosts_and_stands_still_in_a_pause(machine: Machine) -> None:
    assert abs(float(machine.shell("date +%s").stdout) - time.time()) < 60
    uptime = "cut -d' ' -f1 /proc/uptime"
    before, began = float(machine.shell(uptime).stdout), time.monotonic()
    machine.pause()
    time.sleep(2)
    machine.resume()
    went_by = float(machine.shell(uptime).stdout) - before
    assert went_by < time.monotonic() - began - 1.5


def test_an_idle_guest_costs_under_three_per_cent_of_a_core(machine: Machine) -> None:
    machine.shell("true")
    time.sleep(0.5)
    shares = []
    for _ in range(3):
        began, spent = time.monotonic(), time.process_time()
        time.sleep(1)
        shares.append((time.process_time() - spent) / (time.monotonic() - began))
    print(f"{min(shares):.2%} of a core")
    assert min(shares) < 0.03


def test_statistics_see_the_disk(machine: Machine) -> None:
    before = machine.stats["vdb"]["read"]
    machine.shell("echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vdb of=/dev/null bs=1M")
    assert machine.stats["vdb"]["read"] - before >= DISK


def test_two_boots_under_the_virtual_clock_are_the_same(debian: images.Image) -> None:
    """The kernel boots, and the first process switches off: nothing comes from outside."""
    runs = []
    for _ in range(2):
        append = "rdinit=/usr/bin/busybox -- poweroff -f"
        with Machine(debian, memory="192M", append=append, clock="virtual") as machine:
            assert machine.wait(timeout=120) == 0
            runs.append((machine.console.read(), machine.instructions, machine.memory_hash()))
    print(f"{runs[0][1]:,} instructions")
    assert runs[0] == runs[1]
    assert "Linux version 6" in runs[0][0]


def test_a_boot_under_the_translator_is_the_interpreter_s(
    debian: images.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without regions, with those that it makes, and with those of the boot before."""
    Machine(debian, memory="192M").close()  # the engine comes from where it is
    monkeypatch.setenv("VNB_CACHE_DIR", str(tmp_path))
    append = "rdinit=/usr/bin/busybox -- poweroff -f"
    runs = []
    modes: tuple[Literal["auto", "off"], ...] = ("off", "auto", "auto")
    for jit in modes:
        with Machine(debian, memory="192M", append=append, clock="virtual", jit=jit) as machine:
            assert machine.wait(timeout=120) == 0
            print(machine.jit)
            runs.append((machine.console.read(), machine.instructions, machine.memory_hash()))
    assert runs[0] == runs[1] == runs[2]


def test_a_boot_of_which_both_ends_are_translated_eagerly_is_the_interpreter_s(
    debian: images.Image,
) -> None:
    """The first instructions set paging up, the last run a process and its end."""
    append = "rdinit=/usr/bin/busybox -- poweroff -f"

    def booted(jit: Literal["eager", "off"]) -> Machine:
        return Machine(debian, memory="192M", append=append, clock="virtual", jit=jit)

    def ended(machine: Machine) -> tuple[str, int, str]:
        assert machine.wait(timeout=120) == 0
        return machine.console.read(), machine.instructions, machine.memory_hash()

    with booted("off") as machine:
        expected = ended(machine)
    with booted("eager") as machine:
        machine.pause()
        machine.reset()
        hart, run = machine.hart, machine.hart.run
        translator = hart.translator
        assert translator is not None

        def run_to(count: int) -> None:
            def until(budget: int) -> ExitKind:
                left = count - hart.instret
                return run(min(budget, left)) if left else ExitKind.BREAKPOINT

            hart.run = until  # type: ignore[method-assign]
            machine.resume()
            machine.reached(timeout=120)

        run_to(400_000)
        early = translator.report()
        translator.restart()
        hart.state.sample_limit = 0  # between the two the interpreter is alone
        run_to(expected[1] - 300_000)
        hart.state.sample_limit = 1
        hart.run = run  # type: ignore[method-assign]
        machine.resume()
        assert ended(machine) == expected
        late = translator.report()
        print(early, late, sep="\n")
        assert len(early.regions) > 20 and len(late.regions) > 20


def test_a_breakpoint_in_the_kernel_stops_whoever_comes_there(debian: images.Image) -> None:
    """Every file that is opened comes by that function."""
    with Machine(debian, memory="192M", jit="auto") as machine:
        symbols = machine.shell("grep -w do_sys_openat2 /proc/kallsyms", timeout=120).stdout
        address = int(symbols.split()[0], 16)
        machine.breakpoints.add(address)
        with pytest.raises(GuestError, match=f"the machine is paused at breakpoint {address:#x}"):
            machine.shell("cat /etc/hostname", timeout=60)
        for _ in range(3):
            assert machine.reached(timeout=60) == machine.hart.pc == address
            assert (machine.state, machine.hart.mode) == ("paused", 1)
            machine.resume()
        machine.breakpoints.clear()
        machine.resume()
        assert machine.shell("echo on", timeout=60).stdout == "on\n"


@pytest.mark.parametrize("firmware", ["fw_jump.elf", "fw_dynamic.bin"])
def test_debian_boots_through_opensbi(debian: images.Image, firmware: str) -> None:
    with Machine(debian, memory="192M", firmware=images.opensbi(firmware)) as machine:
        assert machine.shell("uname -s", timeout=120).stdout == "Linux\n"
        machine.console.expect("OpenSBI v", timeout=0)
        with pytest.raises(GuestError, match=r"powered off \(exit code 0\)"):
            machine.shell("poweroff -f; sleep 60", timeout=60)
        assert machine.exit_code == 0


def test_a_panic_is_told_to_who_waits(debian: images.Image) -> None:
    with Machine(debian, memory="192M") as machine:
        machine.shell("true", timeout=120)
        with pytest.raises(GuestError, match="kernel panicked"):
            machine.shell("echo c > /proc/sysrq-trigger; sleep 60", timeout=60)
        machine.reset()
        assert machine.shell("echo again", timeout=120).stdout == "again\n"


def test_vnb_run_boots_debian_to_a_prompt_in_a_terminal() -> None:
    code = "import sys; from vnb.cli import main; sys.exit(main(['run', 'debian']))"
    child = pexpect.spawn(sys.executable, ["-c", code], encoding="utf-8", timeout=120)
    child.expect("# ")
    child.send("tty; stty size\r")
    child.expect("/dev/hvc0")
    child.expect("24 80")
    child.setwinsize(43, 132)
    child.send("sleep 1; stty size\r")
    child.expect("43 132")
    child.send("poweroff -f\r")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
