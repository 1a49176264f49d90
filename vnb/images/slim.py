"""Kernel modules pass through here and lose what would only cost the guest time and memory.

Debian signs its modules and leaves every local label in them. To check a signature takes the guest
some hundred million instructions a module, and vouches for less than the SHA-256 under which the
package came; the labels are nine tenths of a large module, and nothing refers to most of them.
"""

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

_MAGIC = b"~Module signature appended~\n"
_SIGNATURE = struct.Struct(">8xI")  # what stands between a signature and the magic: its length

# Tables of a 64-bit ELF file. [ELF: section header, symbol table, relocation]
_SECTION_TABLE = struct.Struct("<40xQ10xHHH")  # in the file's header: offset, entry size, number
_SECTION = np.dtype(
    [
        ("name", "<u4"),
        ("type", "<u4"),
        ("flags", "<u8"),
        ("address", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("align", "<u8"),
        ("entry", "<u8"),
    ]
)
_SYMBOL = np.dtype(
    [
        ("name", "<u4"),
        ("info", "u1"),
        ("other", "u1"),
        ("section", "<u2"),
        ("value", "<u8"),
        ("size", "<u8"),
    ]
)
_RELOCATION = np.dtype([("offset", "<u8"), ("type", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])
_SYMTAB, _RELA, _NOBITS = 2, 4, 8  # sh_type

_Array = npt.NDArray[Any]


def slimmed(module: bytes) -> bytes:
    """The module without its signature and without the local labels that nothing refers to.

    module: a relocatable 64-bit ELF file. Functions and objects keep their names.
    """
    module = _unsigned(module)
    table, _, count, _ = _SECTION_TABLE.unpack_from(module)
    sections = np.frombuffer(module, _SECTION, count, table).copy()
    contents = [_content(module, section) for section in sections]
    for number in np.flatnonzero(sections["type"] == _SYMTAB):
        _drop_labels(sections, contents, int(number))
    return _laid_out(module[: _SECTION_TABLE.size], sections, contents)


def _unsigned(module: bytes) -> bytes:
    if not module.endswith(_MAGIC):
        return module
    end = len(module) - len(_MAGIC) - _SIGNATURE.size
    return module[: end - _SIGNATURE.unpack_from(module, end)[0]]


def _content(module: bytes, section: Any) -> bytes:
    if section["type"] == _NOBITS:
        return b""
    return module[int(section["offset"]) : int(section["offset"] + section["size"])]


def _drop_labels(sections: _Array, contents: list[bytes], number: int) -> None:
    """Takes them out of that symbol table; what refers to a symbol follows it to its new place."""
    symbols = np.frombuffer(contents[number], _SYMBOL)
    relocations = {
        int(index): np.frombuffer(contents[index], _RELOCATION).copy()
        for index in np.flatnonzero((sections["type"] == _RELA) & (sections["link"] == number))
    }
    keep = symbols["info"] != 0  # a label is local and of no type
    keep[0] = True  # the table's empty first entry
    for table in relocations.values():
        keep[table["symbol"]] = True
    place = np.cumsum(keep) - 1
    for index, table in relocations.items():
        table["symbol"] = place[table["symbol"]]
        contents[index] = table.tobytes()

    names = contents[sections[number]["link"]]
    kept, strings = symbols[keep].copy(), bytearray(1)
    for symbol in kept:
        if start := int(symbol["name"]):
            symbol["name"] = len(strings)
            strings += names[start : names.index(b"\0", start) + 1]
    contents[number] = kept.tobytes()
    contents[sections[number]["link"]] = bytes(strings)
    sections[number]["info"] = np.count_nonzero(keep[: sections[number]["info"]])  # local ones


def _laid_out(header: bytes, sections: _Array, contents: list[bytes]) -> bytes:
    """The file with its sections one after the other and their table at the end."""
    file = bytearray(header)
    for section, content in zip(sections, contents, strict=True):
        file += bytes(-len(file) % max(int(section["align"]), 1))
        section["offset"] = len(file)
        if section["type"] != _NOBITS:
            section["size"] = len(content)
        file += content
    file += bytes(-len(file) % 8)
    struct.pack_into("<Q", file, 40, len(file))
    return bytes(file + sections.tobytes())
