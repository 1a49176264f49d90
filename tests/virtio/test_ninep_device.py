"""The 9P device: what it tells of itself, slow files while the machine runs on, and flushes."""

import errno
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.virtio.driver import READY, Driver
from tests.virtio.ninep import RDWR, decode, encode
from vnb.errors import UsageError
from vnb.host.files import Tree
from vnb.host.files.nodes import OpenNode
from vnb.host.files.status import Path, Status
from vnb.virtio.device import NEEDS_RESET
from vnb.virtio.ninep import NineP
from vnb.virtio.ninep.messages import LERROR, LINUX, NO_FID, VERSION

WAIT = 20  # seconds, at most


class Slow(Tree):
    """Files that take as long as the test wants: `stat` waits for a `gate` that it opens."""

    def __init__(self) -> None:
        super().__init__({"file": "content", "other": "1"})
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Semaphore(0)
        self.threads: set[str] = set()
        self.closed = 0

    def slow(self, request: str) -> bool:
        return True

    def stat(self, path: Path) -> Status:
        self.threads.add(threading.current_thread().name)
        self.begun.release()
        assert self.gate.wait(WAIT)
        return super().stat(path)


def start(device: NineP) -> Driver:
    driver = Driver(device).start()
    ask(driver, "version", 65536, VERSION)
    ask(driver, "attach", 0, NO_FID, "", "", 0)
    return driver


def settle(driver: Driver) -> None:
    """Until nothing is being served aside."""
    while aside_threads(driver):
        for thread in aside_threads(driver):
            thread.join(WAIT)
            assert not thread.is_alive()
        driver.settle()
    driver.settle()


def aside_threads(driver: Driver) -> list[threading.Thread]:
    name = f"vnb {driver.device.stats.owner}"
    return [thread for thread in threading.enumerate() if thread.name == name]


def ask(driver: Driver, name: str, *values: Any, tag: int = 1) -> Any:
    address = send(driver, name, *values, tag=tag)
    settle(driver)
    ((_, length),) = driver.rings[0].reap()
    return decode(driver.memory.read(address, length))[2]


def send(driver: Driver, name: str, *values: Any, tag: int = 1) -> int:
    """Send a request; where its reply will be."""
    return driver.send(0, [encode(name, tag, *values)], [4096])[1]


def answers(driver: Driver, *addresses: int) -> list[tuple[int, int, Any]]:
    """The replies that have come, in the order in which they did."""
    heads = {}
    found = []
    ring = driver.rings[0]
    for head, length in ring.reap():
        heads[head] = length
        found.append(length)
    assert len(found) == len(addresses)
    return [decode(driver.memory.read(a, n)) for a, n in zip(addresses, found, strict=True)]


@pytest.fixture
def files() -> Iterator[Slow]:
    files = Slow()
    yield files
    files.gate.set()


@pytest.fixture
def driver(files: Slow) -> Driver:
    driver = start(NineP(files, "slow"))
    driver.device.stats.owner = f"share {id(files):x}"
    while files.begun.acquire(blocking=False):
        pass
    return driver


def test_its_config_space_is_the_tag() -> None:
    driver = Driver(NineP(Tree(), "data"))
    assert driver.device.type == 9
    assert driver.port.features() & 1
    assert driver.port.config(0, 2) == 4
    assert bytes(driver.port.config(2 + place, 1) for place in range(5)) == b"data\0"


@pytest.mark.parametrize("tag", ["", "x" * 32, "ä" * 16, "a\0", "a\n"])
def test_a_tag_that_is_none_is_refused(tag: str) -> None:
    with pytest.raises(UsageError, match="tag="):
        NineP(Tree(), tag)


def test_data_goes_between_the_guests_buffers_and_the_file_however_they_are_cut() -> None:
    tree = Tree({"file": bytes(range(256)) * 16})
    driver = start(NineP(tree, "data"))
    ask(driver, "walk", 0, 1, ["file"])
    ask(driver, "lopen", 1, RDWR)
    request = encode("read", 3, 1, 10, 2000)
    rooms = [3, 8, 1, 500, 999, 600]
    length, answer = driver.ask(0, [request[:5], request[5:]], rooms)
    assert length == 2011
    assert decode(answer[:length])[2] == tree["file"][10:2010]
    request = encode("write", 3, 1, 4, b"written in parts")
    driver.ask(0, [request[place : place + 3] for place in range(0, len(request), 3)], [64])
    assert tree["file"][:20] == b"\0\1\2\3written in parts"


@pytest.mark.parametrize(("out", "room"), [(6, 64), (0, 64), (7, 10), (7, 0)])
def test_a_request_that_cannot_be_answered_costs_a_reset(out: int, room: int) -> None:
    driver = start(NineP(Tree(), "data"))
    driver.send(0, [b"\x07\0\0\0\x78\1\0"[:out]] if out else [], [room] if room else [])
    assert driver.port.status == READY | NEEDS_RESET


def test_what_is_read_and_written_is_counted() -> None:
    driver = start(NineP(Tree({"file": "12345"}), "data"))
    ask(driver, "walk", 0, 1, ["file"])
    ask(driver, "lopen", 1, RDWR)
    ask(driver, "read", 1, 0, 100)
    ask(driver, "write", 1, 0, b"123")
    ask(driver, "walk", 0, 2, ["nothing"])
    stats = driver.device.stats
    assert (stats["read"], stats["written"], stats["errors"]) == (5, 3, 1)
    assert stats["requests"] == 7


def test_the_machine_runs_on_while_files_are_slow(driver: Driver, files: Slow) -> None:
    files.gate.clear()
    address = send(driver, "getattr", 0, 0)
    assert files.begun.acquire(timeout=WAIT)
    assert driver.rings[0].reap() == []
    files.gate.set()
    settle(driver)
    ((number, _, _),) = answers(driver, address)
    assert number == 25
    assert "MainThread" not in files.threads


def test_slow_requests_are_served_one_after_another_in_their_order(
    driver: Driver, files: Slow
) -> None:
    files.gate.clear()
    addresses = [send(driver, "walk", 0, fid, ["file"], tag=fid) for fid in range(1, 20)]
    addresses.append(send(driver, "walk", 19, 20, [], tag=20))
    files.gate.set()
    settle(driver)
    found = answers(driver, *addresses)
    assert [tag for _, tag, _ in found] == list(range(1, 21))
    assert all(number == 111 for number, _, _ in found)


def test_a_flush_ends_a_request_that_waits_and_is_answered_after_it(
    driver: Driver, files: Slow
) -> None:
    files.gate.clear()
    first = send(driver, "getattr", 0, 0, tag=1)
    assert files.begun.acquire(timeout=WAIT)
    waiting = send(driver, "walk", 0, 5, ["file"], tag=2)
    last = send(driver, "getattr", 0, 0, tag=3)
    flush = send(driver, "flush", 2, tag=4)
    (interrupted,) = answers(driver, waiting)
    assert interrupted == (LERROR, 2, LINUX["EINTR"])
    files.gate.set()
    settle(driver)
    found = answers(driver, first, flush, last)
    assert [tag for _, tag, _ in found] == [1, 4, 3]
    assert ask(driver, "getattr", 5, 0) == LINUX["EBADF"]


def test_a_flush_of_what_is_being_served_waits_for_it(driver: Driver, files: Slow) -> None:
    files.gate.clear()
    first = send(driver, "getattr", 0, 0, tag=1)
    assert files.begun.acquire(timeout=WAIT)
    flush = send(driver, "flush", 1, tag=2)
    driver.settle()
    assert driver.rings[0].reap() == []
    files.gate.set()
    settle(driver)
    assert [tag for _, tag, _ in answers(driver, first, flush)] == [1, 2]


def test_a_flush_of_nothing_is_answered(driver: Driver) -> None:
    assert ask(driver, "flush", 77) == []
    address = driver.send(0, [encode("flush", 1, 7)[:7]], [64])[1]
    settle(driver)
    assert answers(driver, address)[0][0] == LERROR


def test_after_a_reset_nothing_of_before_arrives_and_all_is_closed(
    driver: Driver, files: Slow
) -> None:
    ask(driver, "walk", 0, 1, ["file"])
    ask(driver, "lopen", 1, RDWR)
    node = files._find(("file",))
    assert node.uses == 2
    files.gate.clear()
    address = send(driver, "getattr", 0, 0)
    send(driver, "walk", 0, 7, ["other"])
    assert files.begun.acquire(timeout=WAIT)
    driver.start()
    driver.memory.write(address, b"\xaa" * 4096)
    files.gate.set()
    settle(driver)
    assert driver.rings[0].reap() == []
    assert driver.memory.read(address, 4096) == b"\xaa" * 4096
    assert node.uses == 1
    assert ask(driver, "getattr", 0, 0) == LINUX["EPROTO"]


def test_a_storm_of_resets_leaves_no_threads(driver: Driver, files: Slow) -> None:
    before = threading.active_count()
    files.gate.clear()
    send(driver, "getattr", 0, 0)
    assert files.begun.acquire(timeout=WAIT)
    for _ in range(200):
        driver.start()
        send(driver, "version", 65536, VERSION)
    assert threading.active_count() <= before + 2
    files.gate.set()
    settle(driver)
    driver.rings[0].reap()
    assert ask(driver, "version", 65536, VERSION)[1] == VERSION


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_backend_that_is_wrong_costs_a_reset_and_no_guest_waits_for_ever(
    driver: Driver, files: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "stat", lambda path: 1 // 0)
    send(driver, "getattr", 0, 0)
    settle(driver)
    assert driver.port.status == READY | NEEDS_RESET
    monkeypatch.undo()
    driver.start()
    assert ask(driver, "version", 65536, VERSION)[1] == VERSION


def test_a_reset_closes_what_the_guest_had_open() -> None:
    tree = Tree({"file": ""})
    driver = start(NineP(tree, "data"))
    ask(driver, "walk", 0, 1, ["file"])
    ask(driver, "lopen", 1, RDWR)
    assert tree._find(("file",)).uses == 2
    driver.device.reset()
    assert tree._find(("file",)).uses == 1


def test_a_file_that_cannot_be_closed_keeps_no_other_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the server of a share stores what was written, and does not answer any more."""
    tree = Tree({"file": "", "other": ""})
    driver = start(NineP(tree, "data"))
    for fid, name in enumerate(("file", "other"), 1):
        ask(driver, "walk", 0, fid, [name])
        ask(driver, "lopen", fid, RDWR)
    close, failures = OpenNode.close, [OSError(errno.ETIMEDOUT, "no answer")] * 2

    def fail_first(file: OpenNode) -> None:
        close(file)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(OpenNode, "close", fail_first)
    driver.device.reset()
    assert [tree._find((name,)).uses for name in ("file", "other")] == [1, 1]
    assert "what was written last may be lost: [Errno 110] no answer" in caplog.text
    ask(driver.start(), "version", 65536, VERSION)
