"""A small web server that serves parts of files, and fails when it is asked to."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """Files by name; `log` has (name, range) of what was fetched, `plans` what goes wrong next."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.log: list[tuple[str, tuple[int, int] | None]] = []
        self.plans: list[str] = []
        self.ranges = True
        self.delay = 0.0
        self.address = ""

    def fetched(self) -> int:
        """Bytes of all parts so far."""
        return sum(part[1] - part[0] for _, part in self.log if part)


class Handler(BaseHTTPRequestHandler):
    """GET and HEAD, with Range."""

    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *arguments: object) -> None:
        """Not on the terminal."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        site, name = self.site, self.path.strip("/")
        data = site.files.get(name)
        plan = site.plans.pop(0) if body and site.plans else ""
        time.sleep(site.delay)
        if data is None or plan == "500":
            self.send_response(404 if data is None else 500)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if plan == "hang up":
            self.close_connection = True
            return None
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2]) + 1) if asked else (0, len(data))
        if not site.ranges:
            first, last, asked = 0, len(data), None
        if body:
            site.log.append((name, (first, last) if asked else None))
        part = data[first:last]
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(data)}")
        self.send_header("ETag", f'"{hash(data)}"')
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if plan == "cut off":
            part = part[: len(part) // 2]
            self.close_connection = True
        if body:
            self.wfile.write(part)
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """Clients hang up as they like."""


@contextmanager
def serving() -> Iterator[Site]:
    """A site at `site.address`, while the context lasts."""
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = Server(("127.0.0.1", 0), handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
