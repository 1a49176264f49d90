"""Writes blocks to a disk with changes in a file until it is killed, and tells what was flushed.

Arguments: the image, the file of changes, and a seed. Every block of 4 KiB says throughout which
one it is and which version of it. Lines: "wrote BLOCK VERSION" before a write, and "flushed" after
all that was written before is stable.
"""

import random
import struct
import sys

from vnb.host.block import Raw, over

BLOCK = 4096
BLOCKS = 512
PIECE = struct.Struct("<QQ")


def content(number: int, version: int) -> bytes:
    """A block that would show if it was torn."""
    return PIECE.pack(number, version) * (BLOCK // PIECE.size)


def main(image: str, changes: str, seed: str) -> None:
    dice = random.Random(seed)
    disk = over(Raw(image, read_only=True), BLOCK * BLOCKS, changes)
    version = int(seed.partition("/")[2]) << 32
    print("ready", flush=True)
    while True:
        for _ in range(dice.randrange(1, 30)):
            number = dice.randrange(BLOCKS)
            version += 1
            print("wrote", number, version, flush=True)
            if dice.random() < 0.1:
                disk.write_zeroes(number * BLOCK, BLOCK)
                version += 1
                print("wrote", number, version, flush=True)
            disk.write(number * BLOCK, [memoryview(content(number, version))])
        disk.flush()
        print("flushed", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
