"""The board's description of itself, flattened into bytes for the guest [dtspec 0.4, 5]."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from vnb.bus import Property

MAGIC = 0xD00D_FEED
VERSION, COMPATIBLE_VERSION = 17, 16
BEGIN_NODE, END_NODE, PROP, END = 1, 2, 3, 9
HEADER = struct.Struct(">10I")
NO_RESERVATIONS = bytes(16)  # the pair of zeros that ends the list


@dataclass
class Node:
    """One node: its properties, then its children, in the order given."""

    name: str
    properties: dict[str, Property] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    def add(self, name: str, properties: dict[str, Property]) -> "Node":
        """A new last child."""
        child = Node(name, properties)
        self.children.append(child)
        return child


def cells64(*values: int) -> list[int]:
    """64-bit numbers as the pairs of 32-bit cells that they take with #…-cells = 2."""
    return [half for value in values for half in (value >> 32, value & 0xFFFF_FFFF)]


def flatten(root: Node) -> bytes:
    """The tree as a blob: header, no reserved memory, structure, strings."""
    strings: dict[str, int] = {}
    structure = b"".join(_structure(root, strings)) + _cell(END)
    names = b"".join(name.encode() + b"\0" for name in strings)
    at_reservations = HEADER.size
    at_structure = at_reservations + len(NO_RESERVATIONS)
    at_strings = at_structure + len(structure)
    header = HEADER.pack(
        MAGIC,
        at_strings + len(names),
        at_structure,
        at_strings,
        at_reservations,
        VERSION,
        COMPATIBLE_VERSION,
        0,  # the boot hart
        len(names),
        len(structure),
    )
    return header + NO_RESERVATIONS + structure + names


def _structure(node: Node, strings: dict[str, int]) -> Iterator[bytes]:
    """The tokens of `node` and all below it; `strings` collects offsets of property names."""
    yield _cell(BEGIN_NODE) + _padded(node.name.encode() + b"\0")
    for name, value in node.properties.items():
        if name not in strings:
            strings[name] = sum(len(other) + 1 for other in strings)
        data = encode(value)
        yield _cell(PROP) + _cell(len(data)) + _cell(strings[name]) + _padded(data)
    for child in node.children:
        yield from _structure(child, strings)
    yield _cell(END_NODE)


def encode(value: Property) -> bytes:
    """A property's bytes; numbers are big-endian cells."""
    match value:
        case None:
            return b""
        case bytes():
            return value
        case int():
            return _cell(value)
        case str():
            return value.encode() + b"\0"
    return b"".join(encode(item) for item in value)


def _cell(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
