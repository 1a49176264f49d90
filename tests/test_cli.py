"""`vnb` in a terminal and in a pipe: what it prints, how it ends, what it leaves behind."""

import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pexpect
import pytest

from tests.programs import SPIN, power
from vnb.attach import Keys, exit_status
from vnb.cli import chosen_image, main
from vnb.errors import UsageError
from vnb.images import lock, release

VNB = [sys.executable, "-c", "import sys; from vnb.cli import main; sys.exit(main())"]
PROMPT = "labos> "


def vnb(*arguments: str, typed: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*VNB, *arguments], input=typed, capture_output=True, text=True, timeout=timeout
    )


def in_a_terminal(*arguments: str) -> pexpect.spawn:
    command = [*VNB, "run", *arguments]
    return pexpect.spawn(command[0], command[1:], encoding="utf-8", timeout=30, dimensions=(30, 90))


def image_file(folder: Path, image: object) -> str:
    path = folder / "program.bin"
    path.write_bytes(image.payload)
    return str(path)


def test_typed_lines_reach_the_guest_and_its_code_comes_back() -> None:
    done = vnb("run", typed="echo from a pipe\nhalt 7\n")
    assert "from a pipe\r\n" in done.stdout or "from a pipe\n" in done.stdout
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize(("word", "status"), [(0x5555, 0), (0x0003_3333, 3), (0x0100_3333, 255)])
def test_a_bios_of_your_own_ends_with_its_code(tmp_path: Path, word: int, status: int) -> None:
    assert vnb("run", "--bios", image_file(tmp_path, power(word))).returncode == status


def test_a_run_that_takes_too_long_ends_with_124(tmp_path: Path) -> None:
    began = time.monotonic()
    assert vnb("run", "--timeout", "0.3", "--bios", image_file(tmp_path, SPIN)).returncode == 124
    assert time.monotonic() - began < 10


def test_ctrl_a_x_leaves_and_the_terminal_is_as_it_was() -> None:
    child = in_a_terminal()
    before = termios.tcgetattr(child.child_fd)
    child.expect_exact(PROMPT)
    assert termios.tcgetattr(child.child_fd) != before
    child.send("\x01h")
    child.expect_exact("Ctrl-A x")
    child.send("echo hi\r")
    child.expect("echo hi\r\nhi")
    child.send("\x01x")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert termios.tcgetattr(child.child_fd) == before


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_restores_the_terminal(end: signal.Signals) -> None:
    child = in_a_terminal()
    before = termios.tcgetattr(child.child_fd)
    child.expect_exact(PROMPT)
    child.kill(end)
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 128 + end
    assert termios.tcgetattr(child.child_fd) == before


def test_ctrl_c_goes_to_the_guest_and_does_not_end_it() -> None:
    child = in_a_terminal()
    child.expect_exact(PROMPT)
    child.send("\x03")
    child.send("halt 5\r")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 5


def test_keys_are_sorted_wherever_the_input_is_cut() -> None:
    typed = b"a\x01\x01b\x01hc\x01?d\x01X"
    whole = Keys().typed(typed)
    keys, guest, ours = Keys(), b"", ""
    for byte in typed:
        part = keys.typed(bytes([byte]))
        guest, ours = guest + part[0], ours + part[1]
    assert whole == (guest, ours) == (b"a\x01bcd", "hx")


def test_no_code_that_a_guest_gives_turns_failure_into_success() -> None:
    assert [exit_status(code) for code in (None, 0, 7, 255, 256, 65535)] == [0, 0, 7, 255, 255, 255]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "netbsd"], "debian, labos"),
        (["run", "--memory", "1Q"], "memory='1Q'"),
        (["run", "--disk", "/no/such.img"], "/no/such.img"),
        (["run", "--bios", "/no/such.bin"], "/no/such.bin"),
        (["run", "--firmware", "/no/such.bin"], "firmware='/no/such.bin'"),
        (["run", "labos", "--kernel", "x"], "one of IMAGE"),
        (["run", "--initrd", "x"], "--initrd needs --kernel"),
        (["run", "--kernel", __file__], "no riscv64 Linux kernel"),
        (["run", "--engine", "fast"], "--engine"),
        (["run", "--timeout", "-1"], "--timeout"),
        (["walk"], "walk"),
    ],
)
def test_a_wrong_command_is_one_clear_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message


def test_the_images_are_listed_with_their_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["images"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"labos +ready", listed)
    assert re.search(r"debian +(ready|not fetched)", listed)
    assert main(["images", "path", "labos"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()


def test_update_keeps_what_debian_has_now_for_this_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = lock.read(lock.SHIPPED)
    monkeypatch.setattr(release, "latest", lambda mirror, progress: release.Found(now, "signed"))
    monkeypatch.setattr(lock, "updated", lambda: tmp_path / "debian.lock.json")
    assert main(["images", "update", "--mirror", "http://mirror.test/debian"]) == 0
    assert now.kernel in capsys.readouterr().out
    assert lock.read(tmp_path / "debian.lock.json") == now
    assert main(["images", "update", "--mirror", "nowhere"]) == 2


def test_warmup_has_every_engine_ready(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warmup"]) == 0
    assert re.findall(r"(?m)^(\w+) +ready", capsys.readouterr().out) == ["llvm", "numba", "python"]


def test_the_doctor_has_a_line_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    report = capsys.readouterr().out
    for word in ("python", "llvmlite", "compiled code", "debian mirror", "speed"):
        assert re.search(f"(?m)^{word} +\\S", report), report


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    with subprocess.Popen(
        [*VNB, "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout.read(6) == b"labos:"
        child.stdout.close()
        os.write(child.stdin.fileno(), b"help\nhelp\n")
        child.wait(20)
        assert b"Traceback" not in child.stderr.read()


def test_a_bios_that_no_machine_can_run_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "bios.zip"
    archive.write_bytes(b"PK\3\4" + bytes(100))
    with pytest.raises(UsageError, match=r"bios\.zip is a zip"):
        chosen_image(None, None, None, str(archive))
