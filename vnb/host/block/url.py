"""Bytes that somebody else serves, by any URL that fsspec knows: fetched by the block, and kept."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vnb.errors import HostError, UsageError
from vnb.host.block.disk import Buffers, ReadOnly, check_range, cut, total
from vnb.host.pool import Pool
from vnb.waiting import Answer

T = TypeVar("T")

BLOCK = 1 << 18
"""Bytes that are fetched at a time."""

CACHE = 64 << 20
"""Bytes of blocks that are kept."""

AHEAD = 4
"""Blocks that are fetched before they are asked for, while reading goes straight on."""

THREADS = 4
"""Fetches at a time, of a file system that can do several."""

PAUSES = (0.1, 0.5, 2.0)
"""Seconds before each further try, when a fetch has failed."""

TIMEOUT = 30
"""Seconds that one HTTP request may take."""

HOPELESS = (FileNotFoundError, PermissionError, IsADirectoryError, ValueError)
"""Failures that a further try does not mend."""

VERSIONS = ("ETag", "Last-Modified", "LastModified", "mtime", "created", "CRC")
"""What file systems say that changes when the file does."""


class Url(ReadOnly):
    """The bytes at `url`: of a web server, an object store, `zip://disk.img::https://…`.

    UsageError where there are none, or they cannot be had in part. A fetch that fails is tried
    again, for some seconds. At most CACHE bytes are kept in memory.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._closed = threading.Event()
        opened = attempt(lambda: _open(url))
        if (error := opened.exception()) is not None:
            raise UsageError(f"path={url!r}: {in_words(error)}") from error
        self._reopen, info, parallel = opened.result()
        if not info.get("size") or info.get("type") == "directory":
            raise UsageError(f"path={url!r}: not a file of known size")
        self.size = int(info["size"])
        versions = [f"{name} {info[name]}" for name in VERSIONS if info.get(name)]
        self.identity = ", ".join([f"{self.size} bytes", *versions])
        self._files: deque[Any] = deque()  # open ones, that no fetch uses at the moment
        self._fetches = Pool("vnb-url", THREADS if parallel else 1)
        self._guard = threading.Lock()  # of the two below
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self._end = -1  # where the last read ended
        probed = self._want((self.size - 1) // BLOCK)  # where a server without parts is found out
        if (error := probed.exception()) is not None:
            self.close()
            raise UsageError(str(error)) from error

    def readinto(self, offset: int, buffers: Buffers, wait: bool = True) -> bool:
        """Fill the buffers from `offset`; HostError when no try to fetch them succeeded."""
        check_range(self, offset, total(buffers))
        pieces = list(cut(offset, buffers, BLOCK))
        futures = [self._want(number) for number, _, _ in pieces]
        if pieces:
            self._look_ahead(offset, pieces[-1][0], offset + total(buffers))
        if not wait and not all(future.done() for future in futures):
            return False
        for (_, start, parts), future in zip(pieces, futures, strict=True):
            data = memoryview(future.result())
            for part in parts:
                part[:] = data[start : start + len(part)]
                start += len(part)
        return True

    def close(self) -> None:
        """Fetch no more, and forget everything."""
        self._closed.set()
        self._fetches.close(0, self._files.clear)

    def _want(self, number: int) -> Future[bytes]:
        """A block that is kept, or is being fetched from now on."""
        with self._guard:
            future = self._blocks.get(number)
            if future is None or _failed(future):
                future = self._fetches.submit(lambda: self._fetch(number))
                self._blocks[number] = future
            self._blocks.move_to_end(number)
            if len(self._blocks) > CACHE // BLOCK:
                self._blocks.popitem(last=False)
            return future

    def _look_ahead(self, offset: int, last: int, end: int) -> None:
        """If this read, to `end` in block `last`, goes on where one ended, so may the next."""
        with self._guard:
            straight = offset == self._end
            self._end = end
        if straight:
            for number in range(last + 1, min(last + 1 + AHEAD, -(-self.size // BLOCK))):
                self._want(number)

    def _fetch(self, number: int) -> bytes:
        """A block, from wherever it is."""
        for pause in (*PAUSES, None):
            tried = attempt(lambda: self._read(number * BLOCK))
            error = tried.exception()
            if error is None:
                return tried.result()
            if pause is None or isinstance(error, HOPELESS) or self._closed.wait(pause):
                raise HostError(f"path={self._url!r}: {in_words(error)}") from error
        raise AssertionError("the last try returns or raises")

    def _read(self, offset: int) -> bytes:
        try:
            file = self._files.pop()
        except IndexError:
            file = self._reopen()
        count = min(BLOCK, self.size - offset)
        file.seek(offset)
        data = bytes(file.read(count))
        if len(data) != count:
            raise EOFError(f"{len(data)} bytes at {offset} where there were {count}")
        self._files.append(file)  # one that failed is not used again
        return data


def is_url(path: object) -> bool:
    """Whether this is a URL rather than the name of a file."""
    return isinstance(path, str) and ("://" in path or "::" in path)


def attempt(function: Callable[[], T]) -> Future[T]:
    """How a call went that can fail in any way: file systems raise what their libraries do."""
    future: Future[T] = Future()
    with Answer(future):
        future.set_result(function())
    return future


def _failed(future: Future[bytes]) -> bool:
    return future.cancelled() or (future.done() and future.exception() is not None)


def in_words(error: BaseException) -> str:
    """What an error says, or if that is nothing, what it is called."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return str(error) or type(error).__name__


def _open(url: str) -> tuple[Callable[[], Any], dict[str, Any], bool]:
    """(opens the file, what is known of it, whether several reads at a time are faster)."""
    from fsspec.core import url_to_fs

    options = {}
    for scheme in ("http", "https"):
        if f"{scheme}://" in url:
            from aiohttp import ClientTimeout

            options[scheme] = {"client_kwargs": {"timeout": ClientTimeout(total=TIMEOUT)}}
    files, path = url_to_fs(url, **options)
    return lambda: files.open(path, "rb", cache_type="none"), files.info(path), files.async_impl
