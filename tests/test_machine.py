"""The machine as a cell has it: labos on it, guests that misbehave, and what it shows of itself."""

import asyncio
import gc
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import until
from tests.programs import BASE, FLOOD, SLEEP, SPIN, STORM, STRAY, TRAPS, power, program
from vnb import Console, Disk, GuestError, HostError, Machine, UsageError, images
from vnb.cpu.hart import TranslatorName

PROMPT = "labos> "


@pytest.fixture(scope="module")
def labos() -> Iterator[Machine]:
    """A machine that is at labos's prompt, for the tests of this file that leave it there."""
    with Machine(memory="16M", devices=[Console(), Disk(size="1M")]) as machine:
        machine.console.expect(PROMPT)
        yield machine


def ask(machine: Machine, line: str, timeout: float = 30) -> str:
    """What labos answers to a line."""
    machine.console.read()
    machine.console.write(line + "\n")
    machine.console.expect(line)
    return machine.console.expect(re.compile(f"(?s)(.*){PROMPT}"), timeout)[1]


def threads() -> int:
    return sum(thread.name == "vnb-machine" for thread in threading.enumerate())


def test_labos_is_at_its_prompt_in_a_moment() -> None:
    with Machine():
        pass  # the engine is loaded now, in this process
    began = time.perf_counter()
    with Machine() as machine:
        machine.console.expect(PROMPT, timeout=10)
    seconds = time.perf_counter() - began
    print(f"{seconds:.3f} s")
    assert seconds < 1


def test_the_console_talks_to_the_guest(labos: Machine) -> None:
    assert "hello" in ask(labos, "echo hello")


def test_a_guest_that_halts_ends_the_machine_with_its_code() -> None:
    with Machine() as machine:
        machine.console.expect(PROMPT)
        machine.console.write("halt 7\n")
        assert machine.wait(timeout=10) == 7
        assert (machine.state, machine.exit_code) == ("off", 7)
        assert "exit code 7" in machine._repr_mimebundle_()["text/plain"]


def test_a_guest_that_reboots_starts_again() -> None:
    with Machine() as machine:
        machine.console.expect(PROMPT)
        machine.console.write("reboot\n")
        machine.console.expect("Type help")
        machine.console.expect(PROMPT)
        assert machine.state == "running"


@pytest.mark.parametrize(
    ("word", "code"), [(0x5555, 0), (0x0001_3333, 1), (0x00FF_3333, 255), (0x0100_3333, 256)]
)
def test_the_test_device_ends_the_machine(word: int, code: int) -> None:
    with Machine(power(word), memory="1M") as machine:
        assert machine.wait(timeout=10) == code


def test_waiting_for_a_machine_that_runs_on_is_a_timeout(labos: Machine) -> None:
    with pytest.raises(TimeoutError, match="still running"):
        labos.wait(timeout=0.05)
    with pytest.raises(UsageError, match=r"start\(\)"):
        Machine().wait()


def test_stop_takes_the_power_and_start_begins_again() -> None:
    with Machine(memory="16M") as machine:
        machine.console.expect(PROMPT)
        address = machine.memory.base + (8 << 20)
        machine.call(lambda: machine.memory.write(address, b"left over"))
        machine.stop()
        assert (machine.state, machine.wait(1)) == ("off", None)
        machine.start()
        machine.console.expect(PROMPT)
        assert machine.memory.read(address, 9) == bytes(9)


def test_reset_clears_memory_and_places_the_image_again() -> None:
    with Machine(memory="16M") as machine:
        machine.console.expect(PROMPT)
        machine.call(lambda: machine.memory.fill(machine.memory.base, 8 << 20, 0xFF))
        machine.reset()
        machine.console.expect(PROMPT)


def test_disks_keep_their_content_over_a_reset(tmp_path: Path) -> None:
    path = tmp_path / "a.img"
    path.write_bytes(bytes(1 << 20))
    with (
        Machine(devices=[Console(), Disk(path), Disk(path.with_name("b.img"))])
        if False
        else (Machine(memory="16M", devices=[Console(), Disk(path)])) as machine
    ):
        machine.console.expect(PROMPT)
        assert "2 VirtIO devices" in machine.console.tail()
        ask(machine, "disk")
        machine.reset()
        machine.console.expect(PROMPT)
    with Machine(devices=[Disk(path)]):
        pass  # and the lock on it is gone


@pytest.mark.parametrize(
    "guest", [SPIN, SLEEP, FLOOD, STORM, TRAPS], ids=["spin", "wfi", "flood", "mmio", "traps"]
)
def test_no_guest_keeps_a_cell_waiting(guest: images.Image) -> None:
    with Machine(guest, memory="1M") as machine:
        time.sleep(0.2)
        answers = []
        for _ in range(5):
            began = time.perf_counter()
            machine.pause()
            machine.resume()
            machine._repr_mimebundle_()
            answers.append(time.perf_counter() - began)
        began = time.perf_counter()
        machine.close()
        closing = time.perf_counter() - began
    print(f"answers {max(answers):.3f} s, close {closing:.3f} s")
    assert sorted(answers)[2] < 0.2
    assert closing < 1


def test_a_load_from_nowhere_is_the_guests_own_trap() -> None:
    with Machine(STRAY, memory="1M") as machine:
        time.sleep(0.05)
        machine.pause()
        assert machine.hart.x[10] == 5  # load access fault


def test_a_pause_freezes_instructions_and_time(labos: Machine) -> None:
    labos.pause()
    before = (labos.hart.mtime, labos.instructions)
    ticks = labos.call(lambda: labos.hart.mtime)
    time.sleep(0.1)
    labos.resume()
    after = labos.call(lambda: labos.hart.mtime)
    labos.pause()
    assert labos.instructions - before[1] < 1_000_000
    labos.resume()
    assert after - ticks < 1_000_000 + 500_000  # not the 100 ms, give or take a busy host


COUNTER = program(
    0x0012_8293,  # addi t0, t0, 1
    0x0012_8313,  # addi t1, t0, 1
    0xFF9F_F06F,  # j back
)


@pytest.mark.parametrize("jit", ["off", "auto"])
def test_a_machine_pauses_at_a_breakpoint_and_goes_on_past_it(jit: TranslatorName) -> None:
    with Machine(COUNTER, memory="16M", devices=[], jit=jit) as machine:
        with pytest.raises(TimeoutError, match="no breakpoint was reached"):
            machine.reached(timeout=0.05)
        machine.breakpoints.add(BASE + 4)
        assert machine.reached(timeout=10) == BASE + 4
        assert (machine.state, machine.hart.pc) == ("paused", BASE + 4)
        assert "at breakpoint 0x80000004" in machine.facts().text()
        rounds = machine.hart.x[5]
        machine.resume()
        assert machine.reached(timeout=10) == BASE + 4
        assert machine.hart.x[5] == rounds + 1
        machine.breakpoints.clear()
        machine.resume()
        assert machine.state == "running" and "breakpoint" not in machine.facts().text()


def test_breakpoints_that_were_set_before_power_on_outlive_resets() -> None:
    machine = Machine(COUNTER, memory="16M", devices=[], clock="virtual")
    machine.breakpoints.add(BASE + 8)
    for _ in range(2):
        machine.start()
        assert machine.reached(timeout=10) == BASE + 8
        assert machine.instructions == 2
        machine.stop()
        with pytest.raises(EOFError, match="the machine is off, and reached no breakpoint"):
            machine.reached()
    machine.close()
    machine.breakpoints.add(BASE)


def test_labos_takes_commands_through_its_agent_too(labos: Machine) -> None:
    result = labos.shell("echo by agent", timeout=30)
    assert (result.stdout.strip(), result.status) == ("by agent", 0)


def test_a_machine_without_console_has_no_shell_but_its_serial_port_speaks() -> None:
    with Machine(memory="16M", devices=[]) as machine:
        machine.console.expect(PROMPT)
        assert "hello" in ask(machine, "echo hello")
        with pytest.raises(UsageError, match=r"Console\(\)"):
            machine.shell("ls")


def test_commands_are_refused_in_words_while_the_machine_cannot_serve_them() -> None:
    machine = Machine(memory="16M")
    with pytest.raises(GuestError, match="the machine is new"):
        machine.shell("help")
    with machine:
        machine.shell("help", timeout=30)
        machine.pause()
        with pytest.raises(GuestError, match="the machine is paused"):
            machine.shell("help")
        machine.resume()
        machine.shell("help", timeout=30)


def test_shell_on_a_guest_without_agent_says_what_to_do() -> None:
    with (
        Machine(SLEEP, memory="1M") as machine,
        pytest.raises(UsageError, match=r"machine\.console"),
    ):
        machine.shell("ls")


def test_two_runs_under_the_virtual_clock_are_the_same() -> None:
    runs = []
    for _ in range(2):
        with Machine(memory="8M", devices=[Console(), Disk(size="1M")], clock="virtual") as machine:
            said = machine.console.expect(PROMPT).string
            for line in ("mem test", "uptime"):
                machine.console.write(line + "\n")
                machine.console.expect(line)
                said += machine.console.expect(PROMPT, 60).string
            machine.console.write("halt\n")
            machine.wait(10)
            runs.append((said, machine.instructions, machine.memory_hash()))
    assert runs[0] == runs[1]


def test_the_seed_decides_what_the_guest_gets_for_randomness() -> None:
    hashes = []
    for seed in (1, 1, 2):
        machine = Machine(SPIN, memory="1M", seed=seed)
        hashes.append(machine.memory_hash())
        machine.close()
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_machine_that_nobody_refers_to_ends() -> None:
    gc.collect()
    before = threads()
    machine = Machine(SPIN, memory="1M").start()
    assert threads() == before + 1
    del machine
    until(lambda: threads() == before)


def test_python_ends_though_a_guest_spins() -> None:
    code = "from tests.programs import *; from vnb import Machine; m = Machine(SPIN).start()"
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 10


def test_a_failure_of_the_machine_is_shown_and_raised() -> None:
    with pytest.raises(HostError, match="KeyError"), Machine(SPIN, memory="1M") as machine:
        machine._loop.post(lambda: {}["bug"])
        with pytest.raises(HostError, match="KeyError"):
            machine.wait(5)
        assert machine.state == "failed"
        assert "KeyError" in machine._repr_mimebundle_()["text/html"]


def test_the_panel_says_what_matters_in_every_state() -> None:
    machine = Machine(memory="16M", devices=[Console(), Disk(size="1M")])
    assert "vnb · labos: new" in machine._repr_mimebundle_()["text/plain"]
    machine.start().console.expect(PROMPT)
    text, page = machine._repr_mimebundle_().values()
    for word in ("running", "16M", "MIPS", "disk of 1M in memory", "labos&gt; "):
        assert word.strip() in page
        assert word.replace("&gt;", ">").strip() in text
    assert "http" not in page and "<script" not in page
    machine.close()
    assert ": off" in machine._repr_mimebundle_()["text/plain"]
    assert repr(machine) == "<Machine labos: off>"


def test_everything_that_blocks_can_be_awaited() -> None:
    async def main() -> tuple[str, int | None]:
        machine = Machine(memory="16M")
        await machine.aio.start()
        await machine.aio.console.expect(PROMPT)
        machine.console.write("halt 3\n")
        code = await machine.aio.wait(timeout=10)
        await machine.aio.close()
        return machine.state, code

    assert asyncio.run(main()) == ("off", 3)


def test_cancelling_leaves_the_machine_running() -> None:
    async def main(machine: Machine) -> str:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(machine.aio.wait(), 0.05)
        with pytest.raises(AttributeError, match="wait"):
            _ = machine.aio.dance
        return machine.state

    with Machine(SPIN, memory="1M") as machine:
        assert asyncio.run(main(machine)) == "running"


def test_statistics_count_what_the_disk_did_and_can_be_drawn(labos: Machine) -> None:
    ask(labos, "disk read 0")
    read = labos.stats["vda"]["read"]
    assert read >= 512
    assert "vda" in repr(labos.stats) and "read" in labos.stats._repr_html_()
    figure = labos.stats.plot()
    assert figure.axes[0].get_title("left") == "Disks and shares"
    assert labos.stats["vda"].latency.total == labos.stats["vda"]["requests"] > 0
    assert labos.stats["vda"].depth.highest > 0
    assert labos.stats.to_pandas()["instructions"].max() > 0
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules
