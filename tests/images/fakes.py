"""A Debian archive that tests make up: packages, kernel modules, lists, and a server for them."""

import gzip
import hashlib
import http.server
import io
import lzma
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import zstandard

from vnb.images import FIRMWARE
from vnb.images.lock import Lock, Package

KERNEL = "6.12.1-fake-riscv64"
DRIVERS = f"usr/lib/modules/{KERNEL}/kernel/drivers"
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.compress,
}
OPENSBI = "usr/lib/riscv64-linux-gnu/opensbi/generic"


# Packages


class Hard(str):
    """The path of a file that another name is a hard link to."""


def deb(
    files: dict[str, bytes],
    compression: str = ".xz",
    links: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """A Debian package with those files, and links by what they lead to."""
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(tar({"control": b"Package: fake\n"}, {})),
        f"data.tar{compression}": COMPRESSIONS[compression](tar(files, links)),
    }
    return b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        + data
        + b"\n" * (len(data) % 2)
        for name, data in members.items()
    )


def tar(files: dict[str, bytes], links: Mapping[str, str]) -> bytes:
    """Files and links, below the directories that a real package has as well."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(_member("./", tarfile.DIRTYPE))
        archive.addfile(_member("./usr/", tarfile.DIRTYPE))
        for path, content in files.items():
            member = _member(f"./{path}", tarfile.REGTYPE)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for path, target in links.items():
            hard = isinstance(target, Hard)
            member = _member(f"./{path}", tarfile.LNKTYPE if hard else tarfile.SYMTYPE)
            member.linkname = f"./{target}" if hard else target
            archive.addfile(member)
    return stream.getvalue()


def _member(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = 0o755
    return member


# Kernel modules


def module(*facts: str, signature: bytes = b"") -> bytes:
    """A relocatable ELF file with those facts in its .modinfo."""
    # name, type, flags, content, link, info, alignment, size of an entry
    sections: list[tuple[str, int, int, bytes, int, int, int, int]] = [
        ("", 0, 0, b"", 0, 0, 0, 0),
        (".text", 1, 6, bytes(range(64)), 0, 0, 4, 0),
        (".modinfo", 1, 2, "".join(f"{fact}\0" for fact in facts).encode(), 0, 0, 1, 0),
        (".bss", 8, 3, b"", 0, 0, 16, 0),
        (".shstrtab", 3, 0, b"", 0, 0, 1, 0),
    ]
    return _elf(sections) + signature


def _elf(sections: list[tuple[str, int, int, bytes, int, int, int, int]]) -> bytes:
    strings = "".join(f"{name}\0" for name, *_ in sections).encode()
    body, headers, place = b"", b"", 0
    for name, kind, flags, content, link, info, align, entry in sections:
        content = strings if name == ".shstrtab" else content
        size = 0x1000 if kind == 8 else len(content)
        body += bytes(-(64 + len(body)) % max(align, 1))
        offset = 64 + len(body)
        headers += struct.pack(
            "<IIQQQQIIQQ", place, kind, flags, 0, offset, size, link, info, align, entry
        )
        body += content
        place += len(name) + 1
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    start = 64 + len(body) + -len(body) % 8
    head = ident + struct.pack(
        "<HHIQQQIHHHHHH", 1, 243, 1, 0, 0, start, 0, 64, 0, 0, 64, len(sections), len(sections) - 1
    )
    return head + body + bytes(start - 64 - len(body)) + headers


def signed(content: bytes, length: int = 300) -> bytes:
    """What Debian's signature adds to a module."""
    return content + bytes(length) + struct.pack(">8xI", length) + b"~Module signature appended~\n"


# The archive


@dataclass
class Archive:
    """Files by their path in the archive, and what of it a lock would say."""

    files: dict[str, bytes] = field(default_factory=dict)
    fields: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, name: str, content: bytes, version: str = "1.0", **fields: str) -> Package:
        """Adds a package; fields: what more the archive's list says of it, as Depends="libc6"."""
        self.fields[name] = fields
        path = f"pool/main/{name}_{version}_riscv64.deb"
        self.files[path] = content
        digest = hashlib.sha256(content).hexdigest()
        return Package(name, version, path, len(content), digest)

    def publish(self, packages: list[Package], **changes: str) -> None:
        """The lists of an archive with those packages and the kernel's meta-package."""
        meta = self.add("linux-image-riscv64", b"", Depends=f"linux-image-{KERNEL} (= 1.0)")
        index = "\n".join(
            f"Package: {package.name}\nVersion: {package.version}\nDescription: one\n of many\n"
            + "".join(f"{name}: {told}\n" for name, told in self.fields[package.name].items())
            + f"Filename: {package.path}\nSize: {package.size}\nSHA256: {package.sha256}\n"
            for package in [meta, *packages]
        )
        lists = lzma.compress(index.encode())
        top = {
            "Origin": "Debian",
            "Version": "13.9",
            "Codename": "trixie",
            "Date": "Sat, 12 Sep 2026 07:55:41 UTC",
            "Architectures": "all amd64 riscv64",
            "SHA256": f"\n {hashlib.sha256(lists).hexdigest()} {len(lists)}"
            " main/binary-riscv64/Packages.xz",
        } | changes
        self.files["dists/trixie/main/binary-riscv64/Packages.xz"] = lists
        self.files["dists/trixie/InRelease"] = (
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
            + "".join(f"{name}: {value}\n" for name, value in top.items())
            + "-----BEGIN PGP SIGNATURE-----\n\nbm9uZQ==\n-----END PGP SIGNATURE-----\n"
        ).encode()


def drivers() -> dict[str, bytes]:
    """Modules as the kernel package has them: all that are wanted, and one that is not."""
    needs = {
        "virtio/virtio_mmio": "",
        "block/virtio_blk": "",
        "net/virtio_net": "net_failover",
        "net/net_failover": "failover",
        "net/failover": "",
        "char/virtio-rng": "",
        "gpu/virtio-gpu": "",
        "virtio/virtio_input": "",
        "input/evdev": "",
        "net/9p/9pnet_virtio": "9pnet",
        "net/9p/9pnet": "",
        "fs/9p": "9pnet",
        "fs/ext4": "jbd2,crc16",
        "fs/jbd2": "",
        "lib/crc16": "",
        "lib/crc32c_generic": "",
        "fs/vfat": "",
        "fs/nls_cp437": "",
        "fs/nls_ascii": "",
        "block/loop": "",
        "sound/unwanted": "",
    }
    return {
        f"{DRIVERS}/{path}.ko.xz": lzma.compress(
            signed(module("license=GPL", f"alias=of:{path}", f"depends={depends}"))
        )
        for path, depends in needs.items()
    }


def debian() -> tuple[Archive, Lock]:
    """An archive with all that the Debian guest is made of, and the lock that names it."""
    archive = Archive()
    packages = [
        archive.add(
            f"linux-image-{KERNEL}", deb({f"boot/vmlinux-{KERNEL}": b"kernel" * 999, **drivers()})
        ),
        archive.add("busybox-static", deb({"usr/bin/busybox": b"\x7fELF busybox"})),
        archive.add("opensbi", deb({f"{OPENSBI}/{name}": name.encode() for name in FIRMWARE})),
    ]
    archive.publish(packages)
    return archive, Lock("trixie", "13.8", "2026-01-01T00:00:00+00:00", KERNEL, tuple(packages))


# The server


@dataclass
class Server:
    """What a running mirror is told to do wrong, and what it was asked for."""

    address: str
    requests: list[tuple[str, str | None]] = field(default_factory=list)  # path, range
    break_after: int | None = None  # bytes of a file, then the connection ends
    breaks: int = 1 << 30  # how often
    ranges: bool = True  # whether it can begin in the middle
    status: int | None = None  # instead of a file

    def ranges_of(self, path: str) -> list[str | None]:
        return [asked for name, asked in self.requests if name.endswith(path)]


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """A mirror on this host's loopback that has those files."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers["Range"]
            server.requests.append((self.path, asked))
            content = files.get(self.path.lstrip("/"))
            if content is None or server.status:
                self.send_error(server.status or 404)
                return
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self._send(content[start:])

        def _send(self, body: bytes) -> None:
            if server.break_after is not None and server.breaks > 0:
                server.breaks -= 1
                body = body[: server.break_after]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Listener(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            pass  # a client that has seen enough and hung up

    with Listener(("127.0.0.1", 0), Handler) as listener:
        server = Server(f"http://127.0.0.1:{listener.server_port}")
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()
