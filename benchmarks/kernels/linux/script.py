"""What a script does: words into dictionaries, objects, closures, sorting, text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator


class Node:
    def __init__(self, key: int) -> None:
        self.key = key
        self.left: Node | None = None
        self.right: Node | None = None

    def insert(self, key: int) -> None:
        node = self
        while key != node.key:
            side = "left" if key < node.key else "right"
            if getattr(node, side) is None:
                setattr(node, side, Node(key))
                return
            node = getattr(node, side)

    def __iter__(self) -> Iterator[int]:
        if self.left:
            yield from self.left
        yield self.key
        if self.right:
            yield from self.right


def randoms(count: int, state: int = 1) -> Iterator[int]:
    for _ in range(count):
        state = state * 1103515245 + 12345 & 0x7FFFFFFF
        yield state >> 8


def queens(size: int, row: int = 0, taken: frozenset[tuple[str, int]] = frozenset()) -> int:
    if row == size:
        return 1
    lines = ({("|", c), ("/", row + c), ("\\", row - c)} for c in range(size))
    return sum(queens(size, row + 1, taken | three) for three in lines if not taken & three)


words = [f"w{number % 997:03d}" for number in randoms(20000)]
most = Counter(words).most_common(5)
tree = Node(0)
for number in randoms(4000):
    tree.insert(number)
text = " ".join(sorted(set(words), key=lambda word: word[::-1]))
checksum = 0
for character in text.upper().replace("W", "vw"):
    checksum = (checksum * 31 + ord(character)) % 1000000007
print(f"{most[0][0]}-{len(list(tree))}-{queens(7)}-{checksum}")
