"""Shares far away: a web server of which no name leads out, and a store without directories."""

import errno
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from tests.contracts.files import names, opened, read, refused
from tests.virtio.ninep import Guest, Refusal
from vnb.host.files import Fsspec


class Handler(SimpleHTTPRequestHandler):
    """Says nothing, and remembers what it was asked for."""

    asked: list[str]

    def log_message(self, *arguments: Any) -> None:
        pass

    def send_head(self) -> Any:
        self.asked.append(self.path)
        return super().send_head()


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def files(tmp_path: Path, asked: list[str]) -> Iterator[Fsspec]:
    for name, data in (
        ("secret", b"secret"),
        ("share/hello.txt", b"hello\n"),
        ("share/dir/inner", b"x" * 100_000),
        ("share/with space #1?%", b"odd"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    kind = type("Asked", (Handler,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Fsspec(f"http://127.0.0.1:{server.server_port}/share/")
    server.shutdown()
    thread.join()
    server.server_close()


def test_its_listings_are_directories_and_its_files_are_read(files: Fsspec) -> None:
    assert names(files) == ["dir", "hello.txt", "with space #1?%"]
    assert names(files, "dir") == ["inner"]
    assert read(files, "hello.txt") == b"hello\n"
    assert read(files, "dir/inner") == b"x" * 100_000
    assert read(files, "with space #1?%") == b"odd"
    assert files.stat(("dir", "inner")).size == 100_000
    with refused(errno.ENOENT):
        files.stat(("nothing",))
    with refused(errno.EISDIR):
        opened(files, "dir")


@pytest.mark.parametrize(
    "name", ["%2e%2e", "..%2fsecret", "%2e%2e%2fsecret", "?", "#", "hello.txt?x", "\\..\\secret"]
)
def test_no_name_is_more_than_a_name_to_the_server(
    files: Fsspec, asked: list[str], name: str
) -> None:
    guest = Guest(files)
    with pytest.raises(Refusal):
        guest.walk(name)
    assert set(asked) == {"/share/"}  # the listing, in which there is no such name


def test_nothing_can_be_written_there(files: Fsspec) -> None:
    with refused(errno.EROFS):
        files.remove(("hello.txt",), False)


def test_a_directory_stays_when_its_last_file_goes_where_only_files_make_directories() -> None:
    store = fsspec.filesystem("memory")
    store.pipe_file("/store/dir/only", b"1")
    files = Fsspec("memory://store", write=True)
    files.remove(("dir", "only"), False)
    assert not store.exists("/store/dir")
    assert names(files) == ["dir"]
    assert names(files, "dir") == []
    store.pipe_file("/store/dir/new", b"2")
    assert names(files) == ["dir"]
    assert read(files, "dir/new") == b"2"
    files.rename(("dir", "new"), ("moved",))
    assert names(files) == ["dir", "moved"]
    files.remove(("dir",), True)
    assert names(files) == ["moved"]
    with refused(errno.ENOENT):
        files.remove(("dir",), True)
