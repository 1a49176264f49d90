# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Write a VirtIO driver
#
# A driver is a program that talks to a device. Drivers have a reputation: people think of them as
# something for specialists, written in C, at night. In this notebook you write one by daylight and
# in Python, in six small functions, and at the end it reads a picture from a disk.
#
# The trick is that there is no operating system in the way. We take a computer and never switch it
# on: its devices are there, its memory is there, its processor does nothing at all. *You* are the
# processor. What a driver does with loads and stores you do with `read` and `write`.

# %%
import re
import struct
import tempfile
from collections import namedtuple
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from vnb import Disk, Entropy, Machine, images, labs
from vnb.cpu.hart import ExitKind

# %% [markdown]
# ## The workbench
#
# The machine gets a disk with a picture on it, which nobody shall look at yet, and a device that is
# even simpler than a disk: a source of random numbers. With `clock="virtual"` every device answers
# before `write` returns, so we need not wait for anybody.

# %%
path = Path(tempfile.mkdtemp(prefix="vnb-")) / "picture.img"


def paint(size=128):
    """A picture for the disk, one byte for each pixel."""
    c = np.linspace(-2.05, 0.75, size) + 1j * np.linspace(-1.4, 1.4, size)[:, None]
    z, steps = np.zeros_like(c), np.zeros(c.shape)
    for _ in range(60):
        inside = abs(z) < 2
        z[inside] = z[inside] ** 2 + c[inside]
        steps += inside
    return (255 * np.sqrt(steps / 60)).astype(np.uint8)


path.write_bytes(paint().tobytes())
machine = Machine(images.labos(), "16M", [Entropy(seed=3), Disk(path)], clock="virtual")
memory, bus = machine.memory, machine.bus
print(f"The machine is {machine.state}: {machine.instructions} instructions so far.")

# %% [markdown]
# Every VirtIO device on this board has *registers*, 32 bits wide, that begin at some address. So a
# device is an address and two verbs. We also keep a list of what we write, for later.


# %%
class Registers:
    """The registers of the device at `base`."""

    def __init__(self, base):
        self.base = base
        self.written = []

    def read(self, offset):
        return bus.read(self.base + offset, 4)

    def write(self, offset, value):
        self.written.append((offset, value))
        bus.write(self.base + offset, 4, value)


# %% [markdown]
# These are the registers that a driver needs, from section 4.2.2 of the VirtIO specification, and
# some numbers that belong into them. You need not learn them; the exercises name those that you
# want.

# %%
MAGIC, VERSION, DEVICE_ID = 0x000, 0x004, 0x008
DEVICE_FEATURES, DEVICE_FEATURES_SEL = 0x010, 0x014
DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x020, 0x024
QUEUE_SEL, QUEUE_SIZE_MAX, QUEUE_SIZE = 0x030, 0x034, 0x038
QUEUE_READY, QUEUE_NOTIFY = 0x044, 0x050
INTERRUPT_STATUS, INTERRUPT_ACK = 0x060, 0x064
STATUS = 0x070
QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED = 0x080, 0x090, 0x0A0

ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK, FAILED = 1, 2, 8, 4, 128  # bits of STATUS
VERSION_1 = 1 << 32  # a feature
NEXT, WRITE = 1, 2  # flags of a descriptor
SLOTS, SLOT_SIZE, SLOT_COUNT = 0x1000_1000, 0x1000, 8

# %% [markdown]
# ## Step 1: who is there?
#
# The board has eight slots for VirtIO devices, `SLOT_SIZE` apart. In each of them the register
# `MAGIC` reads `0x74726976` (*virt*, in ASCII), and `VERSION` reads 2. `DEVICE_ID` says what kind
# of device it is: 2 is a disk, 4 a source of randomness, and 0 means that the slot is empty.
#
# ### Exercise 03.1
#
# Find all devices. `bus.read(address, 4)` loads a register.


# %%
def find(bus):
    """[(address of the slot, device ID), …], without empty slots."""
    raise NotImplementedError("your turn")


labs.check("03.1", find)

# %%
labs.solution("03.1")

# %% [markdown]
# If your function is right, we go on with yours, and otherwise with the folded one. So you may
# leave an exercise for later at any time.

# %%
find = labs.working("03.1", find)
kinds = {2: "disk", 4: "randomness"}
for base, kind in find(bus):
    print(f"{base:#x}: device {kind}, {kinds[kind]}")

entropy, disk = (Registers(base) for base, kind in sorted(find(bus), key=lambda found: -found[1]))

# %% [markdown]
# ## Step 2: shake hands
#
# Before a device works, driver and device lead its *status* from 0 to `DRIVER_OK`, in steps that
# must not be skipped. Each step sets one more bit, and those before stay set.

# %%
steps = [
    ("0", "reset:\nforget everything"),
    ("ACKNOWLEDGE", "I see that you\nare VirtIO"),
    ("DRIVER", "I know how\nto drive you"),
    ("FEATURES_OK", "we agree on\nfeatures"),
    ("DRIVER_OK", "the queues are\nthere: go"),
]
_, axes = plt.subplots(figsize=(9, 1.6), layout="constrained")
axes.set(xlim=(-0.1, 9.9), ylim=(-0.95, 1))
axes.axis("off")
for place, (name, words) in enumerate(steps):
    colour = "#cfe1f2" if place < 4 else "#d5ead2"
    axes.add_patch(Rectangle((2 * place, 0), 1.7, 0.9, facecolor=colour, edgecolor="0.4"))
    axes.text(2 * place + 0.85, 0.45, name, ha="center", va="center", fontsize=8.5, weight="bold")
    axes.text(2 * place + 0.85, -0.2, words, ha="center", va="top", fontsize=8.5, color="0.3")
    if place:
        style = {"arrowstyle": "-|>", "color": "0.35"}
        axes.annotate("", (2 * place, 0.45), (2 * place - 0.3, 0.45), arrowprops=style)
plt.show()

# %% [markdown]
# *Features* are 64 bits: what the device can do, and what the driver wants of it. A register has
# room for 32 of them, so both sides show theirs in halves: write 0 or 1 to `DEVICE_FEATURES_SEL`,
# and `DEVICE_FEATURES` reads the lower or the upper half of what is offered. `DRIVER_FEATURES_SEL`
# and `DRIVER_FEATURES` work alike, for what you accept. Accept nothing that is not offered, nothing
# that you do not know, and always `VERSION_1`.
#
# A device may refuse. You see that if you read `STATUS` back: `FEATURES_OK` is then not set. In
# that case tell the device that you give up (`STATUS` = `FAILED`), and return 0.
#
# ### Exercise 03.2
#
# Lead a device from wherever it is to `FEATURES_OK`. (`DRIVER_OK` has to wait for the queues.)


# %%
def begin(device, wanted):
    """The features agreed on, as one number of 64 bits; `wanted` are those that we know."""
    raise NotImplementedError("your turn")


labs.check("03.2", begin)

# %%
labs.solution("03.2")

# %%
begin = labs.working("03.2", begin)
agreed = begin(entropy, 0)
print(f"agreed on {agreed:#x}, status {entropy.read(STATUS):#x}")

# %% [markdown]
# ## Step 3: a queue
#
# From here on nobody talks through registers: they are slow, because every access stops the
# processor. Driver and device share a piece of memory instead, a *virtqueue*. It has three parts.
#
# | part | bytes, for *n* entries | written by | aligned to |
# |---|---|---|---|
# | descriptor table | 16 *n* | driver | 16 |
# | avail ring | 4 + 2 *n* + 2 | driver | 2 |
# | used ring | 4 + 8 *n* + 2 | device | 4 |
#
# The driver chooses where they are. One page of 4096 bytes is plenty for eight entries.
#
# ### Exercise 03.3
#
# Set up queue `number` of a device in the page at `base`: select it (`QUEUE_SEL`), ask how large it
# may be (`QUEUE_SIZE_MAX`), take 8 entries or less, and fill the page with zeros
# (`memory.fill(base, 4096)`). Write `QUEUE_SIZE`, and the three addresses to `QUEUE_DESC`,
# `QUEUE_AVAIL`, `QUEUE_USED`: the lower 32 bits of each go to that register, the upper ones to the
# next, 4 further. When all that is done, write 1 to `QUEUE_READY`.

# %%
Rings = namedtuple("Rings", "size desc avail used")


def set_queue(device, memory, number, base):
    """Rings(size, desc, avail, used): the number of entries, and where the parts are."""
    raise NotImplementedError("your turn")


labs.check("03.3", set_queue)

# %%
labs.solution("03.3")

# %% [markdown]
# We give the two devices pages in the middle of RAM. With that the first one is ready to go.

# %%
set_queue = labs.working("03.3", set_queue)
rings = set_queue(entropy, memory, 0, memory.base + 0x80_0000)
entropy.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
print(f"status {entropy.read(STATUS):#x}")

_, axes = plt.subplots(figsize=(9, 1.5), layout="constrained")
parts = [
    ("descriptor table", rings.desc, 16 * rings.size, "#cfe1f2"),
    ("avail", rings.avail, 6 + 2 * rings.size, "#d5ead2"),
    ("used ring", rings.used, 6 + 8 * rings.size, "#f9dfc2"),
]
for name, address, length, colour in parts:
    start = address - rings.desc
    axes.add_patch(Rectangle((start, 0), length, 1, facecolor=colour, edgecolor="0.4"))
    axes.text(start + length / 2, 0.5, name, ha="center", va="center", fontsize=9)
axes.set(xlim=(-1, rings.used + 6 + 8 * rings.size - rings.desc + 1), ylim=(0, 1), yticks=[])
axes.set_xticks([address - rings.desc for _, address, _, _ in parts])
axes.set_xlabel(f"bytes from {rings.desc:#x}")
axes.spines[["top", "right", "left"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Step 4: ask for something
#
# A request is a *chain* of buffers. Each buffer is described by 16 bytes of the descriptor table:
# its address (8 bytes), its length (4), flags (2), and the number of the next descriptor (2). The
# flag `NEXT` says that there is a next one, `WRITE` that the device shall write into this buffer
# instead of reading it. Python's `struct` makes such a thing:

# %%
struct.pack("<QIHH", 0x8081_2000, 512, NEXT | WRITE, 3).hex(" ")

# %% [markdown]
# To hand the chain over, write the number of its first descriptor into the next free place of the
# avail ring. Bytes 2 and 3 of the ring are `avail.idx`, how many chains have ever been handed over
# (modulo 65536); entry *k* has its place at byte 4 + 2 (*k* mod size). Count `avail.idx` up
# **last**: at that moment the device may begin to read.
#
# ### Exercise 03.4
#
# Describe the buffers in descriptors `head`, `head + 1`, …, and offer the chain to the device.
# (`memory.write`, `memory.read_u16` and `memory.write_u16` are your friends.)


# %%
def offer(memory, rings, head, buffers):
    """`buffers` is a list of (address, length, whether the device writes it)."""
    raise NotImplementedError("your turn")


labs.check("03.4", offer)

# %%
labs.solution("03.4")

# %% [markdown]
# The device that gives random numbers wants no words: it fills whatever it gets. We offer it
# sixteen bytes, look at them, ring the doorbell of queue 0, and look again.

# %%
offer = labs.working("03.4", offer)
buffer = rings.desc + 4096
memory.fill(buffer, 16)
offer(memory, rings, 0, [(buffer, 16, True)])

print("before the bell:", memory.read(buffer, 16).hex(" "))
entropy.write(QUEUE_NOTIFY, 0)
print("after the bell: ", memory.read(buffer, 16).hex(" "))

# %% [markdown]
# Your driver works! (That the numbers are the same at every run is our doing: `Entropy(seed=3)`.)
#
# ## Step 5: take it back
#
# How does a driver know that the buffer is full? The device puts each chain that it is done with
# into the *used ring*: `used.idx`, in bytes 2 and 3, counts them, and entry *k* lies at byte 4 + 8
# (*k* mod size). It has two parts of 4 bytes each: the number of the chain's first descriptor, and
# how many bytes the device has written.
#
# ### Exercise 03.5
#
# You have seen `seen` entries so far. Is there another one? (Mind what comes after 65535.)


# %%
def take(memory, rings, seen):
    """(head, bytes written) of the first entry that we have not seen; None if there is none."""
    raise NotImplementedError("your turn")


labs.check("03.5", take)

# %%
labs.solution("03.5")

# %%
take = labs.working("03.5", take)
print(take(memory, rings, 0), take(memory, rings, 1))

# %% [markdown]
# ## Step 6: the interrupt
#
# A driver that looks into the used ring again and again is *polling*, and it keeps the processor
# busy. So devices call: they raise an interrupt line and keep it up until somebody has taken note.
# Which line it was, the interrupt controller knows (PLIC; slot 0 is source 1, slot 1 is source 2).

# %%
PENDING = 0x0C00_1000  # a register of the PLIC: a bit for each source

print(f"raised: PLIC {bus.read(PENDING, 4):#06b}, device {entropy.read(INTERRUPT_STATUS)}")
entropy.write(INTERRUPT_ACK, entropy.read(INTERRUPT_STATUS))
print(f"seen:   PLIC {bus.read(PENDING, 4):#06b}, device {entropy.read(INTERRUPT_STATUS)}")

# %% [markdown]
# The device has let its line down. (The PLIC remembers that it was up until the processor *claims*
# it. Nobody does, since our processor is asleep.)
#
# ## Step 7: a disk
#
# Everything so far was about VirtIO in general. What is special about a disk fits into a paragraph
# (section 5.2.6): a request is a chain of three. First a header of 16 bytes, which the disk reads:
# 4 bytes of type (0 means *read*), 4 bytes of zero, and 8 bytes with the number of the sector. Then
# 512 bytes for the data, and one byte for the status; both are written by the disk. A status of 0
# means that all went well.
#
# ### Exercise 03.6
#
# Read a sector. The page behind the rings, at `rings.desc + 4096`, is yours for the three buffers.
# Remember `used.idx` before you ring, use your own `offer` and `take`, acknowledge the interrupt,
# and raise an `OSError` if the status is not 0.


# %%
def read_sector(disk, memory, rings, sector):
    """The 512 bytes of a sector; `disk` is in service, and `rings` are those of its queue 0."""
    raise NotImplementedError("your turn")


labs.check("03.6", read_sector)

# %%
labs.solution("03.6")

# %% [markdown]
# Now the picture. We bring the disk into service with your functions and read 32 sectors. That is
# four times as many as the queue has entries, so they are used again and again.

# %%
read_sector = labs.working("03.6", read_sector)

begin(disk, 0)
rings = set_queue(disk, memory, 0, memory.base + 0x81_0000)
disk.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
data = b"".join(read_sector(disk, memory, rings, sector) for sector in range(32))

_, axes = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
axes.imshow(np.frombuffer(data, np.uint8).reshape(128, 128), cmap="inferno")
axes.set_title("32 sectors, read by your driver", fontsize=10)
axes.axis("off")
plt.show()
print(machine.stats["vda"])

# %% [markdown]
# If you see a golden beetle in the dark, every byte has come through. And beyond the end of the
# disk?

# %%
try:
    read_sector(disk, memory, rings, 32)
except OSError as error:
    print("OSError:", error)

# %% [markdown]
# ## The same in C
#
# labos, the little guest that comes with vnb, has a driver for the same devices, written in C. Look
# at its functions next to yours. The one that shakes hands:

# %%
GUEST = resources.files("vnb") / "guest"


def c_function(file, name):
    """One function of labos, from its source."""
    source = (GUEST / file).read_text()
    begin = re.search(rf"^[^\n;{{}}]*\b{name}\([^;{{]*\)\n{{", source, re.M).start()
    return source[begin : source.index("\n}\n", begin) + 2]


print(c_function("virtio.c", "virtio_begin"))

# %% [markdown]
# It hands registers over to a *transport*, because labos also drives devices on a PCI bus, where
# the same registers are in other places. This is the transport's part for a queue. Do you recognise
# the order, and the last line?

# %%
print(c_function("virtio_mmio.c", "set_queue"))

# %% [markdown]
# And here is what you called `offer`. Two things are new. The driver keeps the free descriptors as
# a chain of their own, so that several requests can be with the device at a time. And there is a
# `fence()` before the index is counted up: a real processor may carry out its stores in another
# order than they are written in the program, unless it is told that the order matters.

# %%
print(c_function("queue.c", "queue_add"))

# %% [markdown]
# Which of the two drivers says more to its device? Let labos boot on this very machine (now the
# processor may work after all), and put what it writes to the disk's registers beside what we
# wrote.

# %%
hart, theirs = machine.hart, []
while (kind := hart.run(1_000_000)) is not ExitKind.WFI:
    wish = hart.access
    offset = wish.address - disk.base
    if kind is ExitKind.LOAD:
        hart.complete_load(bus.read(wish.address, wish.size))
    elif kind is ExitKind.STORE:
        if 0 <= offset < SLOT_SIZE:
            theirs.append((offset, wish.value))
        bus.write(wish.address, wish.size, wish.value)
        hart.complete_store()

REGISTERS = """DEVICE_FEATURES_SEL DRIVER_FEATURES DRIVER_FEATURES_SEL QUEUE_SEL QUEUE_SIZE
    QUEUE_DESC QUEUE_AVAIL QUEUE_USED QUEUE_READY QUEUE_NOTIFY INTERRUPT_ACK STATUS"""
NAMES = {globals()[name]: name for name in REGISTERS.split()}
NAMES |= {at + 4: "   upper half" for at in (QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED)}


def words(access):
    return f"{NAMES[access[0]]:22}{access[1]:#x}" if access else ""


ours = disk.written[: disk.written.index((STATUS, 15)) + 1]
print(f"{'this notebook':38}labos")
for left, right in zip_longest(ours, theirs):
    print(f"{words(left):38}{words(right)}")
print(f"\n{len(ours)} writes, and {len(theirs)} of labos")
machine.close()
path.unlink()

# %% [markdown]
# Where the two differ, somebody made a choice: labos wants to know more features (which are they?
# the bits are in section 5.2.3), has larger queues, and lives at other addresses. All else is the
# protocol, and there is only one way to do it.
#
# ## To go on with
#
# - Write `write_sector`. It takes a type of 1 and data that the *disk* reads: one flag changes.
#   Look at the file on the host to see whether it has worked.
# - Keep four requests in flight before you ring once. Which of your functions has to change, and
#   what does `machine.stats["vda"].depth` say?
# - Break a rule on purpose: let a descriptor point to address 0, or a chain bite its own tail. What
#   does the device do, and how do you see that? (`STATUS` has one more bit, 64.)
# - Solve 03.2 to 03.6 for the console: a device with many queues, two of them for each port.
