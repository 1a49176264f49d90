"""A small reader of flattened device trees, written from the specification [dtspec 0.4, 5]."""

import struct
from dataclasses import dataclass, field


@dataclass
class Tree:
    """A node as it was read."""

    name: str
    properties: dict[str, bytes] = field(default_factory=dict)
    children: dict[str, "Tree"] = field(default_factory=dict)

    def __getitem__(self, path: str) -> "Tree":
        node = self
        for name in path.strip("/").split("/"):
            node = node.children[name]
        return node

    def cells(self, name: str) -> list[int]:
        data = self.properties[name]
        return list(struct.unpack(f">{len(data) // 4}I", data))

    def strings(self, name: str) -> list[str]:
        return self.properties[name].decode().removesuffix("\0").split("\0")

    def string(self, name: str) -> str:
        (text,) = self.strings(name)
        return text


def unflatten(blob: bytes) -> Tree:
    """The root of the tree in `blob`, every rule of the format checked on the way."""
    magic, total, at_structure, at_strings, at_reservations, version, compatible, hart, *sizes = (
        struct.unpack_from(">10I", blob)
    )
    assert (magic, total, version, compatible, hart) == (0xD00D_FEED, len(blob), 17, 16, 0)
    strings_size, structure_size = sizes
    assert at_reservations % 8 == 0 and blob[at_reservations:][:16] == bytes(16)
    assert at_structure % 4 == 0 and at_structure >= at_reservations + 16
    assert at_strings >= at_structure + structure_size
    strings = blob[at_strings : at_strings + strings_size]
    structure = blob[at_structure : at_structure + structure_size]
    root, position = _node(structure, 0, strings)
    assert structure[position:] == b"\0\0\0\x09"
    return root


def _node(structure: bytes, position: int, strings: bytes) -> tuple[Tree, int]:
    def token() -> int:
        nonlocal position
        position += 4
        return int.from_bytes(structure[position - 4 : position], "big")

    def take(size: int) -> bytes:
        nonlocal position
        data = structure[position : position + size]
        assert structure[position + size : position + size + -size % 4] == bytes(-size % 4)
        position += size + -size % 4
        return data

    def text(data: bytes, start: int) -> str:
        return data[start : data.index(b"\0", start)].decode()

    assert token() == 1
    node = Tree(text(structure, position))
    take(len(node.name) + 1)
    while True:
        match token():
            case 1:
                child, position = _node(structure, position - 4, strings)
                assert child.name not in node.children
                node.children[child.name] = child
            case 2:
                return node, position
            case 3:
                assert not node.children, "properties come before children"
                size, name = token(), text(strings, token())
                assert name not in node.properties
                node.properties[name] = take(size)
            case 4:
                pass
            case other:
                raise AssertionError(f"token {other}")
