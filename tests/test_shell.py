"""machine.shell's protocol, against a guest's agent that is played by the test."""

import base64
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vnb.agent import AHEAD, GREETING, Agent, CommandFailed, Result
from vnb.errors import GuestError, UsageError
from vnb.host.chars import Terminal
from vnb.waiting import Bell


class Guest:
    """An agent in the guest: `serve(guest, token, command)` answers each command."""

    def __init__(self, serve: Callable[["Guest", str, str], None] | None = None) -> None:
        self.terminal = Terminal()
        self.bell = Bell()
        self.terminal.on_output = self.bell.ring
        self.trouble: str | None = None
        self.agent = Agent(self.terminal, self.bell, lambda: self.trouble)
        self.signals: list[str] = []
        self.tokens: list[str] = []
        self._serve = serve or Guest.echo
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def echo(self, token: str, command: str) -> None:
        self.say(f"<{command}>")
        self.end(token, 0)

    def say(self, text: str | bytes) -> None:
        self.terminal.output(text.encode() if isinstance(text, str) else text)

    def end(self, token: str, status: int) -> None:
        self.say(f"\n{token} {status}\n")

    def boot(self) -> "Guest":
        self.say(GREETING)
        return self

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _read(self) -> None:
        typed = b""
        while not self._over.wait(0.002):
            typed += self.terminal.take(100)
            *lines, typed = typed.split(b"\n")
            for line in lines:
                word, token, *rest = line.decode().split(" ")
                if word == "run":
                    self.tokens.append(token)
                    self._serve(self, token, base64.b64decode(rest[0]).decode())
                else:
                    assert token == self.tokens[-1]
                    self.signals.append(word)
                    self.say("ended" if word == "int" and self._serve is silent else "")
                    if (word == "int" and self._serve is not deaf) or word == "kill":
                        self.end(token, 130 if word == "int" else 137)


def silent(guest: Guest, token: str, command: str) -> None:
    guest.say("working…")


def deaf(guest: Guest, token: str, command: str) -> None:
    """Ends by SIGKILL only."""


@pytest.fixture
def play() -> Iterator[Callable[..., Guest]]:
    guests = []

    def make(serve: Callable[[Guest, str, str], None] | None = None) -> Guest:
        guests.append(Guest(serve))
        return guests[-1]

    yield make
    for guest in guests:
        guest.close()


Play = Callable[..., Guest]


def test_a_command_gives_its_output_and_status(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        guest.say(b"out \xff\n")
        guest.end(token, 3)

    result = play(serve).boot().agent.run("false")
    assert (result.raw, result.stdout, result.status) == (b"out \xff\n", "out \ufffd\n", 3)
    assert 0 < result.seconds < 2


def test_output_that_comes_in_pieces_is_put_together(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        for byte in f"one\ntwo\n{token[:5]}\n\n{token} 0\n":
            guest.say(byte)
            time.sleep(0.0005)

    guest = play(serve).boot()
    assert guest.agent.run("x").stdout == f"one\ntwo\n{guest.tokens[0][:5]}\n"


def test_a_long_command_with_any_characters_arrives_whole(play: Play) -> None:
    command = "echo 'é\n$x'; " * 5000
    assert play().boot().agent.run(command).stdout == f"<{command}>"


def test_shell_waits_for_the_guest_to_boot(play: Play) -> None:
    guest = play()
    threading.Timer(0.1, guest.boot).start()
    assert guest.agent.run("x", timeout=10).status == 0


def test_a_guest_without_an_agent_is_a_clear_timeout(play: Play) -> None:
    with pytest.raises(TimeoutError, match="agent did not answer"):
        play().agent.run("x", timeout=0.05)


@pytest.mark.parametrize("command", [None, 5, b"ls", "a\0b"])
def test_a_command_is_a_text(play: Play, command: object) -> None:
    with pytest.raises(UsageError, match="command"):
        play().agent.run(command)


def test_a_command_that_takes_too_long_is_interrupted_and_shows_its_output(play: Play) -> None:
    guest = play(silent).boot()
    with pytest.raises(TimeoutError, match=r"'sleep 9' did not end within 0\.1 s:\nworking…"):
        guest.agent.run("sleep 9", timeout=0.1)
    assert guest.signals == ["int"]


def test_a_command_that_ignores_the_interrupt_is_killed(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vnb.agent.GRACE", 0.1)
    guest = play(deaf).boot()
    with pytest.raises(TimeoutError):
        guest.agent.run("x", timeout=0.05)
    assert guest.signals == ["int", "kill"]


def test_after_an_interrupted_command_the_next_one_works(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        silent(guest, token, command) if command == "hang" else guest.echo(token, command)

    guest = play(serve).boot()
    with pytest.raises(TimeoutError):
        guest.agent.run("hang", timeout=0.05)
    assert guest.agent.run("next").stdout == "<next>"


def test_ctrl_c_interrupts_the_command_and_is_raised(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    guest = play(serve).boot()
    with pytest.raises(KeyboardInterrupt):
        guest.agent.run("sleep 9", timeout=30)
    assert guest.signals == ["int"]


@pytest.mark.parametrize("trouble", ["the machine is off", "the guest's kernel panicked"])
def test_a_guest_that_dies_meanwhile_is_a_clear_error(play: Play, trouble: str) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        guest.trouble = trouble
        guest.bell.ring()

    with pytest.raises(GuestError, match=f"{trouble} before 'x' ended"):
        play(serve).boot().agent.run("x", timeout=30)


def test_a_result_that_came_before_the_guest_died_counts(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        guest.end(token, 0)
        guest.trouble = "the machine is off"

    guest = play(serve).boot()
    assert guest.agent.run("poweroff").status == 0
    with pytest.raises(GuestError, match="off"):
        guest.agent.run("ls")


def test_a_guest_that_starts_again_ends_the_command_and_has_to_greet_anew(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        guest.agent.restart()
        guest.bell.ring()

    guest = play(serve).boot()
    with pytest.raises(GuestError, match="started again"):
        guest.agent.run("reboot", timeout=30)
    with pytest.raises(TimeoutError, match="did not answer"):
        guest.agent.run("ls", timeout=0.05)


def test_commands_of_several_threads_take_turns(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        time.sleep(0.02)
        guest.echo(token, command)

    guest = play(serve).boot()
    results: dict[int, str] = {}

    def work(number: int) -> None:
        results[number] = guest.agent.run(str(number), timeout=30).stdout

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"<{number}>" for number in range(6)}


def test_check_raises_what_failed_with_the_end_of_its_output(play: Play) -> None:
    def serve(guest: Guest, token: str, command: str) -> None:
        guest.say("no such file")
        guest.end(token, 2)

    guest = play(serve).boot()
    with pytest.raises(CommandFailed, match="'cat x' ended with status 2:\nno such file") as failed:
        guest.agent.run("cat x", check=True)
    assert failed.value.result.status == 2


def test_output_is_heard_as_it_comes_and_its_end_never(play: Play) -> None:
    heard: list[bytes] = []
    parts = ["one", "\ntwo\n", "\n", "three\n"]

    def serve(guest: Guest, token: str, command: str) -> None:
        spoken = ""
        for part in [*parts, f"\n{token[:9]}", " or so"]:
            guest.say(part)
            spoken += part
            deadline = time.monotonic() + 5
            while b"".join(heard) not in (said := spoken.encode(), said.removesuffix(b"\n")):
                assert time.monotonic() < deadline, heard  # what is certain is heard at once
                if said.endswith(token[:9].encode()):
                    break
                time.sleep(0.001)
        for byte in f"\n{token} 0\n":
            guest.say(byte)

    guest = play(serve).boot()
    result = guest.agent.run("x", timeout=30, on_output=heard.append)
    assert (
        b"".join(heard)
        == result.raw
        == f"one\ntwo\n\nthree\n\n{guest.tokens[0][:9]} or so".encode()
    )


def test_a_guest_that_prints_faster_than_it_is_heard_waits(play: Play) -> None:
    rooms: list[int] = []

    def serve(guest: Guest, token: str, command: str) -> None:
        for _ in range(40):
            count = min(10_000, guest.terminal.room())
            rooms.append(count)
            guest.say(b"x" * count)
            time.sleep(0.002)
        guest.end(token, 0)

    def slow(data: bytes) -> None:
        time.sleep(0.05)

    guest = play(serve).boot()
    result = guest.agent.run("yes", timeout=30, on_output=slow)
    assert 0 in rooms and len(result.raw) == sum(rooms)
    assert guest.terminal.room() > 10 * AHEAD  # nobody waits for a command that has ended


def test_a_prelude_goes_before_the_command_and_is_not_part_of_it(play: Play) -> None:
    result = play().boot().agent.run("ls", prelude=". it\n")
    assert (result.command, result.stdout) == ("ls", "<. it\nls>")


def test_the_last_words_of_an_interrupted_command_are_heard(play: Play) -> None:
    heard: list[bytes] = []

    def interrupt(data: bytes) -> None:
        heard.append(data)
        if guest.signals:
            return
        raise KeyboardInterrupt

    guest = play(silent).boot()
    with pytest.raises(KeyboardInterrupt):
        guest.agent.run("ping", timeout=30, on_output=interrupt)
    assert (guest.signals, b"".join(heard)) == (["int"], "working…ended".encode())
    assert guest.terminal.room() > 10 * AHEAD


def test_a_result_shows_what_was_printed() -> None:
    result = Result("ls", b"a <b>\n", 1, 0.25)
    assert repr(result) == "a <b>\n[status 1, 0.25 s]"
    assert repr(Result("true", b"", 0, 0)) == "[status 0, 0.00 s]"
    assert "a &lt;b&gt;" in result._repr_html_()
