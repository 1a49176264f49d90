"""The exercises of notebook 02: addresses, indices and chains, read as a device reads them."""

import random
import struct

from vnb.labs.driver import NEXT, WRITE
from vnb.labs.exercise import Exercise, asked, expect
from vnb.memory import Memory

TABLE = 0x8000_4000


def locate(address: int) -> tuple[int, int]:
    """(slot, offset of the register) that an address of a VirtIO device means."""
    return divmod(address - 0x1000_1000, 0x1000)


def examine_locate(answer: object) -> str:
    """Registers of several slots."""
    for slot, offset in (0, 0x070), (1, 0x050), (7, 0x100), (4, 0xFFC):
        address = 0x1000_1000 + slot * 0x1000 + offset
        found = tuple(asked(answer, address))
        right = slot, offset
        words = f"{address:#x} is register {offset:#05x} of slot {slot}"
        expect(found == right, f"{words}, so ({slot}, {offset:#x}); it returns {found}")
    return "now every address of a log has a meaning."


def chain(memory: Memory, table: int, head: int) -> list[tuple[int, int, int]]:
    """The (address, length, flags) of each descriptor of the chain that begins with `head`."""
    found = []
    while True:
        data = memory.read(table + 16 * head, 16)
        address, length, flags, following = struct.unpack("<QIHH", data)
        found.append((address, length, flags))
        if not flags & 1:  # NEXT
            return found
        head = following


def examine_chain(answer: object) -> str:
    """Chains of one to five descriptors that lie anywhere in the table."""
    memory, draw = Memory(1 << 20), random.Random(2)
    for count in 1, 3, 5:
        memory.write(TABLE, draw.randbytes(16 * 16))  # what nobody may look at
        places = draw.sample(range(16), count)
        right = []
        for step, place in enumerate(places):
            last = step == count - 1
            flags = draw.choice((0, WRITE)) | (0 if last else NEXT)
            address, length = draw.randrange(1 << 40), draw.randrange(1, 4096)
            following = draw.randrange(16) if last else places[step + 1]
            memory.write(
                TABLE + 16 * place, struct.pack("<QIHH", address, length, flags, following)
            )
            right.append((address, length, flags))
        found = [tuple(part) for part in asked(answer, memory, TABLE, places[0])]
        words = f"a chain of {count} at {' → '.join(map(str, places))}"
        expect(len(found) == count, f"{words}: it finds {len(found)}; NEXT (bit 0) says if it ends")
        for step, (got, want) in enumerate(zip(found, right, strict=True)):
            expect(got == want, f"{words}: descriptor {places[step]} is {want}, not {got}")
    return "it follows chains of every length to their end."


def fresh(index: int, seen: int) -> int:
    """How many entries of a ring are new, both indices counting modulo 65536."""
    return (index - seen) & 0xFFFF


def examine_fresh(answer: object) -> str:
    """Before, at and after the place where 16 bits are used up."""
    for index, seen in (5, 5), (9, 5), (0, 65535), (3, 65530), (32768, 0), (65535, 65535):
        found = asked(answer, index, seen)
        right = fresh(index, seen)
        words = f"idx = {index}, seen = {seen}"
        expect(found >= 0, f"{words}: {found} entries cannot be; after 65535 comes 0")
        expect(found == right, f"{words}: {right} are new, not {found}")
    return "also after entry 65535, which is where many drivers were wrong once."


def examine_types(answer: object) -> str:
    """What the command sends to the disk."""
    found = list(answer) if isinstance(answer, list | tuple) else []
    expect(found, "give a list of numbers, the type of each request in order, such as [8, 0]")
    expect(found[0] == 1, f"the first request is no {found[0]}: its type is in the header's bytes")
    expect(len(found) == 2, f"how often is the doorbell rung? Not {len(found)} times")
    expect(found == [1, 4], f"the second request is no {found[1]}; look into its header as well")
    return "a write (1), and then a flush (4), which makes the disk keep it through a power cut."


EXERCISES = {
    "02.1": Exercise(locate, examine_locate),
    "02.2": Exercise(chain, examine_chain),
    "02.3": Exercise(fresh, examine_fresh),
    "02.4": Exercise([1, 4], examine_types),
}
