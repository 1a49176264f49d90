"""Every message of 9P2000.L as one table, from which its bytes are read and written.

A message is size[4] type[1] tag[2] and then its fields, all little-endian. Requests have even
types, the reply to each is one more, and a request that failed is answered with LERROR.
"""

import errno
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

HEADER = struct.Struct("<IBH")  # size of the whole message, type, tag
ERROR = struct.Struct("<IBHI")  # the same, and a Linux error number
COUNT = struct.Struct("<I")  # bytes of data that follow

LERROR = 7
NO_FID = 0xFFFF_FFFF
VERSION = "9P2000.L"

# A field is name:kind. Kinds: an integer of 1, 2, 4 or 8 bytes; s, a string; q, a qid; s* and
# q*, a list of them; data, bytes, always the last field.
ATTRIBUTES = (
    "valid:8 qid:q mode:4 uid:4 gid:4 nlink:8 rdev:8 size:8 blksize:8 blocks:8"
    " atime_sec:8 atime_nsec:8 mtime_sec:8 mtime_nsec:8 ctime_sec:8 ctime_nsec:8"
    " btime_sec:8 btime_nsec:8 gen:8 data_version:8"
)
CHANGES = "mode:4 uid:4 gid:4 size:8 atime_sec:8 atime_nsec:8 mtime_sec:8 mtime_nsec:8"
STATFS = "type:4 bsize:4 blocks:8 bfree:8 bavail:8 files:8 ffree:8 fsid:8 namelen:4"
OWNER = "proc_id:4 client_id:s"
LOCK = f"type:1 start:8 length:8 {OWNER}"

# fmt: off
MESSAGES = (
    # request             its fields                                         those of the reply
    (8,   "statfs",      "fid:4",                                           STATFS),
    (12,  "lopen",       "fid:4 flags:4",                                   "qid:q iounit:4"),
    (14,  "lcreate",     "fid:4 name:s flags:4 mode:4 gid:4",               "qid:q iounit:4"),
    (16,  "symlink",     "fid:4 name:s target:s gid:4",                     "qid:q"),
    (18,  "mknod",       "dfid:4 name:s mode:4 major:4 minor:4 gid:4",      "qid:q"),
    (20,  "rename",      "fid:4 dfid:4 name:s",                             ""),
    (22,  "readlink",    "fid:4",                                           "target:s"),
    (24,  "getattr",     "fid:4 request_mask:8",                            ATTRIBUTES),
    (26,  "setattr",     f"fid:4 valid:4 {CHANGES}",                        ""),
    (30,  "xattrwalk",   "fid:4 newfid:4 name:s",                           "size:8"),
    (32,  "xattrcreate", "fid:4 name:s size:8 flags:4",                     ""),
    (40,  "readdir",     "fid:4 offset:8 count:4",                          "data:data"),
    (50,  "fsync",       "fid:4 datasync:4",                                ""),
    (52,  "lock",        f"fid:4 type:1 flags:4 start:8 length:8 {OWNER}",  "status:1"),
    (54,  "getlock",     f"fid:4 {LOCK}",                                   LOCK),
    (70,  "link",        "dfid:4 fid:4 name:s",                             ""),
    (72,  "mkdir",       "dfid:4 name:s mode:4 gid:4",                      "qid:q"),
    (74,  "renameat",    "dfid:4 name:s newdfid:4 newname:s",               ""),
    (76,  "unlinkat",    "dfid:4 name:s flags:4",                           ""),
    (100, "version",     "msize:4 version:s",                               "msize:4 version:s"),
    (102, "auth",        "afid:4 uname:s aname:s n_uname:4",                "aqid:q"),
    (104, "attach",      "fid:4 afid:4 uname:s aname:s n_uname:4",          "qid:q"),
    (108, "flush",       "oldtag:2",                                        ""),
    (110, "walk",        "fid:4 newfid:4 names:s*",                         "qids:q*"),
    (116, "read",        "fid:4 offset:8 count:4",                          "data:data"),
    (118, "write",       "fid:4 offset:8 data:data",                        "count:4"),
    (120, "clunk",       "fid:4",                                           ""),
    (122, "remove",      "fid:4",                                           ""),
)
# fmt: on

ENTRY = "qid:q offset:8 type:1 name:s"
"""One entry of a directory in the data of a readdir."""


class Malformed(Exception):
    """The bytes are not those of a message of their type."""


class Qid(NamedTuple):
    """What the server says about a file's identity: `path` is one file's own for ever."""

    type: int
    version: int
    path: int


class Fields:
    """The fields of one message: `pack` and `unpack` are readings of its row of the table."""

    def __init__(self, layout: str) -> None:
        pairs = [field.split(":") for field in layout.split()]
        self.names = tuple(name for name, _ in pairs)
        self.bulk = bool(pairs) and pairs[-1][1] == "data"
        self.kinds = [kind for _, kind in pairs]
        kinds = [*self.kinds]
        if self.bulk:  # what stands before the data is fixed, and ends with its length
            kinds[-1] = "4"
        # Integers that follow each other are one struct; every other field is its kind.
        self._steps: list[struct.Struct | str] = []
        codes = ""
        for kind in [*kinds, ""]:
            if kind in CODES:
                codes += CODES[kind]
                continue
            if codes:
                self._steps.append(struct.Struct("<" + codes))
                codes = ""
            if kind:
                self._steps.append(kind)

    def unpack(self, data: bytes) -> list[Any]:
        """The values of the fields; of data only the length. Malformed unless `data` fits."""
        values: list[Any] = []
        at = 0
        try:
            for step in self._steps:
                if isinstance(step, struct.Struct):
                    values += step.unpack_from(data, at)
                    at += step.size
                else:
                    value, at = _take(step, data, at)
                    values.append(value)
        except struct.error as error:
            raise Malformed("a message that ends within a field") from error
        if at != len(data):
            raise Malformed("a message that goes on after its last field")
        return values

    def pack(self, values: Iterable[Any]) -> bytes:
        """The bytes of these values; of data only its length is one of them."""
        left = iter(values)
        parts = []
        for step in self._steps:
            if isinstance(step, struct.Struct):
                count = len(step.format) - 1
                parts.append(step.pack(*(next(left) for _ in range(count))))
            else:
                parts.append(_bytes_of(step, next(left)))
        return b"".join(parts)

    @property
    def head(self) -> int:
        """Bytes before the data of a message that has data."""
        return sum(step.size for step in self._steps if isinstance(step, struct.Struct))


class Message(NamedTuple):
    """One row: a request and its reply."""

    type: int
    name: str
    request: Fields
    reply: Fields


CODES = {"1": "B", "2": "H", "4": "I", "8": "Q"}
LENGTH = struct.Struct("<H")
QID = struct.Struct("<BIQ")

REQUESTS = {
    number: Message(number, name, Fields(request), Fields(reply))
    for number, name, request, reply in MESSAGES
}
BY_NAME = {message.name: message for message in REQUESTS.values()}
DIRECTORY_ENTRY = Fields(ENTRY)


def text_of(data: bytes) -> str:
    """A name as Python has it; bytes that are no UTF-8 survive the way there and back."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """A name as the guest has it."""
    return text.encode("utf-8", "surrogateescape")


def linux_errno(code: int | None) -> int:
    """Linux's number for an error number of this host, which is what a 9P2000.L reply carries."""
    return LINUX.get(errno.errorcode.get(code or 0, ""), LINUX["EIO"])


def _take(kind: str, data: bytes, at: int) -> tuple[Any, int]:
    """The value of a field that is no integer, and where the next field begins."""
    if kind == "q":
        return Qid(*QID.unpack_from(data, at)), at + QID.size
    (count,) = LENGTH.unpack_from(data, at)
    at += LENGTH.size
    if kind == "s":
        if at + count > len(data):
            raise Malformed("a string that is longer than its message")
        return text_of(data[at : at + count]), at + count
    found = []
    for _ in range(count):
        value, at = _take(kind[0], data, at)
        found.append(value)
    return found, at


def _bytes_of(kind: str, value: Any) -> bytes:
    if kind == "q":
        return QID.pack(*value)
    if kind == "s":
        data = bytes_of(value)
        return LENGTH.pack(len(data)) + data
    items: Sequence[Any] = value
    return LENGTH.pack(len(items)) + b"".join(_bytes_of(kind[0], item) for item in items)


# Linux's error numbers, whatever the host's are.
LINUX = {
    "EPERM": 1, "ENOENT": 2, "EINTR": 4, "EIO": 5, "ENXIO": 6, "E2BIG": 7, "EBADF": 9,
    "EAGAIN": 11, "ENOMEM": 12, "EACCES": 13, "EFAULT": 14, "EBUSY": 16, "EEXIST": 17,
    "EXDEV": 18, "ENODEV": 19, "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23,
    "EMFILE": 24, "ENOTTY": 25, "ETXTBSY": 26, "EFBIG": 27, "ENOSPC": 28, "ESPIPE": 29,
    "EROFS": 30, "EMLINK": 31, "EPIPE": 32, "ERANGE": 34, "EDEADLK": 35, "ENAMETOOLONG": 36,
    "ENOLCK": 37, "ENOSYS": 38, "ENOTEMPTY": 39, "ELOOP": 40, "ENODATA": 61, "EPROTO": 71,
    "EOVERFLOW": 75, "EMSGSIZE": 90, "EOPNOTSUPP": 95, "ENOTSUP": 95, "ETIMEDOUT": 110,
    "ESTALE": 116, "EDQUOT": 122,
}  # fmt: skip
