# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The path of one byte
#
# A program writes the letter *B* to a disk. What happens? Between the instruction that stores the
# letter and the file on your computer that holds it there are a driver, a queue in memory, a
# doorbell, a bus, a device and an interrupt. In this notebook we walk that path with the letter,
# one station after the other, and at every station the computer stands still while we look around.
#
# The computer runs *labos*, a guest of a few thousand lines that comes with vnb. Its time is
# counted in instructions (`clock="virtual"`), so every run is the same, down to the last
# instruction. That has a use beyond tidiness, as we shall see: a run that can be repeated exactly
# can also be *rewound*.

# %%
import struct
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from vnb import Console, Disk, Machine, images, labs
from vnb.cpu.hart import ExitKind

path = Path(tempfile.mkdtemp(prefix="vnb-")) / "disk.img"
path.write_bytes(bytes(1 << 20))

machine = Machine(images.labos(), "16M", [Console(), Disk(path)], clock="virtual")
machine.start()
machine.console.expect("labos>")
machine.pause()
print(machine.console.tail())

# %% [markdown]
# ## The map
#
# A processor knows two things that it can do with the rest of the world: *load* from an address and
# *store* to an address. Most addresses are RAM. The others belong to devices, and this is who lives
# where:

# %%
for region in machine.bus.regions:
    irq = f"interrupt {region.irq}" if region.irq is not None else ""
    print(f"{region.base:#010x}  {region.size:>#8x} bytes  {region.name:12} {irq}")
print(f"{machine.memory.base:#010x}  {machine.memory.size:>#8x} bytes  RAM")

# %% [markdown]
# There are eight slots for VirtIO devices, 4 KiB apart. Our console sits in slot 0 and our disk in
# slot 1; nobody is at home in the other six. The beginning of a slot's 4 KiB are *registers*: to
# store a number to one of them means to tell the device something. Here are those that we shall
# meet, from the VirtIO specification, section 4.2.2.

# %%
REGISTERS = {
    0x000: "MagicValue",
    0x004: "Version",
    0x008: "DeviceID",
    0x010: "DeviceFeatures",
    0x014: "DeviceFeaturesSel",
    0x020: "DriverFeatures",
    0x024: "DriverFeaturesSel",
    0x030: "QueueSel",
    0x034: "QueueSizeMax",
    0x038: "QueueSize",
    0x044: "QueueReady",
    0x050: "QueueNotify",
    0x060: "InterruptStatus",
    0x064: "InterruptACK",
    0x070: "Status",
    0x080: "QueueDescLow",
    0x084: "QueueDescHigh",
    0x090: "QueueDriverLow",
    0x094: "QueueDriverHigh",
    0x0A0: "QueueDeviceLow",
    0x0A4: "QueueDeviceHigh",
    0x0FC: "ConfigGeneration",
}

# %% [markdown]
# ### Exercise 02.1
#
# Which register of which slot is meant by the address `0x10005064`? Write a function that tells,
# for any address between `0x10001000` and `0x10008fff`. `labs.check` looks at your function and
# says in words what is not right yet; the cell after it has a solution, folded up. (The notebook
# goes on either way: `labs.working` takes your function if it is right, and otherwise one that is.)


# %%
def locate(address):
    """(slot, offset of the register), as in (4, 0x64)."""
    raise NotImplementedError("your turn")


labs.check("02.1", locate)

# %%
labs.solution("02.1")

# %% [markdown]
# ## You are the machine
#
# Usually a thread of vnb runs the processor. It lets the compiled engine run until an instruction
# touches an address that is not RAM; then the engine comes back to Python with the wish, the thread
# asks the bus, and the engine goes on. That thread is asleep now, because the machine is paused. So
# we can do its work ourselves, and stop wherever we like. This is all of it:

# %%
locate = labs.working("02.1", locate)
Access = namedtuple("Access", "when pc verb address value")
log = []


def serve(kind):
    """Do what the processor stopped for, and write it down."""
    hart, bus = machine.hart, machine.bus
    wish = hart.access
    when, pc, address = hart.instret, hart.pc, wish.address
    if kind is ExitKind.LOAD:
        value = bus.read(address, wish.size)
        hart.complete_load(value)
        log.append(Access(when, pc, "load", address, value))
    elif kind is ExitKind.STORE:
        value = wish.value
        bus.write(address, wish.size, value)
        hart.complete_store()
        log.append(Access(when, pc, "store", address, value))


def run(stop=lambda wish: False):
    """Run the guest until it wants a store that we stop at, or has nothing to do (`wfi`)."""
    while True:
        kind = machine.hart.run(1_000_000)
        if kind is ExitKind.WFI or (kind is ExitKind.STORE and stop(machine.hart.access)):
            return
        serve(kind)


# %% [markdown]
# With that we boot the guest again, from the very first instruction, and this time by ourselves.

# %%
machine.reset()
run()
print(f"{machine.instructions:,} instructions, {len(log)} of them touched a device.")

# %% [markdown]
# Each of those accesses is in our log. Drawn over time they show how a small operating system comes
# up: it looks who lives in which slot, sets its console and its disk up, and prints a greeting
# through the serial port, letter by letter.

# %%
ROWS = ["serial", "clint", "plic", "console", "disk", "other slots"]
COLOURS = {"load": "#3b76af", "store": "#e08a2e"}


def owner(address):
    """Which row of the picture an address belongs to."""
    region = machine.bus.find(address)
    if region.name != "virtio_mmio":
        return region.name
    return {0: "console", 1: "disk"}.get(locate(address)[0], "other slots")


def draw(accesses, title):
    _, axes = plt.subplots(figsize=(9, 2.9), layout="constrained")
    for verb, colour in COLOURS.items():
        chosen = [a for a in accesses if a.verb == verb and owner(a.address) in ROWS]
        times = [a.when / 1000 for a in chosen]
        rows = [ROWS.index(owner(a.address)) for a in chosen]
        offset = 0.14 if verb == "load" else -0.14
        places = [row + offset for row in rows]
        axes.scatter(times, places, marker="|", s=90, linewidths=1, color=colour, label=verb)
    axes.set_yticks(range(len(ROWS)), ROWS)
    axes.set_ylim(len(ROWS) - 0.5, -0.5)
    axes.set_title(title, loc="left", fontweight="bold", fontsize=11)
    axes.set_xlabel("thousand instructions since power-on")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1), handletextpad=0)
    plt.show()


draw(log, "A guest boots")

# %% [markdown]
# ## The queue
#
# Somewhere in that picture the driver in the guest and the disk agreed on a place in memory where
# they will leave messages for each other. Let us read it up: these are all accesses of slot 1.

# %%
for access in log:
    if owner(access.address) == "disk":
        slot, offset = locate(access.address)
        arrow = "→ disk" if access.verb == "store" else "← disk"
        print(f"{access.when:7,}  {REGISTERS[offset]:18} {arrow}  {access.value:#x}")

# %% [markdown]
# First the driver asks who is there: the magic number spells *virt*, and device 2 is a disk. It
# resets the device (`Status` 0) and introduces itself (1, then 3). Both sides name their features,
# 64 bits in two halves, and agree (11). Then the part that we are after: the driver chooses a queue
# with 16 entries and says where in RAM its three parts are.
#
# - The **descriptor table** (`QueueDesc`): each entry of 16 bytes names one piece of memory.
# - The **avail ring** (`QueueDriver`): the driver writes here what there is to do.
# - The **used ring** (`QueueDevice`): the device writes here what it is done with.
#
# With `Status` 15 the disk is in service. We keep the three addresses.

# %%
told = {REGISTERS[locate(a.address)[1]]: a.value for a in log if owner(a.address) == "disk"}
desc, avail, used = told["QueueDescLow"], told["QueueDriverLow"], told["QueueDeviceLow"]
size = told["QueueSize"]
memory = machine.memory


def rings():
    """The index that each side has counted up to."""
    return memory.read_u16(avail + 2), memory.read_u16(used + 2)


print(f"descriptors {desc:#x}, avail ring {avail:#x}, used ring {used:#x}, {size} entries each")
print("avail.idx = {}, used.idx = {}".format(*rings()))

# %% [markdown]
# ## The command
#
# We type a command for labos: write one sector, number 8, with the text *B*. One letter of it will
# arrive on the disk; 511 zeros keep it company, because disks do not sell less than 512 bytes. Then
# we run the guest, until it wants to store to the register `QueueNotify` of the disk: the doorbell.

# %%
DOORBELL = 0x10002050


def type_line(line):
    machine.console.write(line + "\n")
    machine.call(lambda: None)  # the machine's thread has passed it on to the serial port


log.clear()
type_line("disk write 8 1 text:B")
run(stop=lambda wish: wish.address == DOORBELL)
hart = machine.hart
print(f"After {hart.instret:,} instructions the processor stands at {hart.pc:#x}:\n")
print(hart.disassemble(hart.pc - 8, 3))

# %% [markdown]
# The last line is it. `sw a0, 0(a1)`: store the word in register `a0`, the number of the queue, to
# the address in `a1`, the doorbell. The processor has not executed it yet: it has only noticed that
# this address is not RAM.

# %%
print(f"a0 = {hart.x[10]}, a1 = {hart.x[11]:#x}")
print("on the host:", path.read_bytes()[8 * 512 : 8 * 512 + 8])
draw(log, "A command is typed: read, echoed, understood, on its way")

# %% [markdown]
# You see the letters arrive at the serial port all at once (that was us), and labos echoing them,
# one after the other. On the right it begins to work, and the last blue strokes in the row of the
# disk ask how large the disk is. The file on the host is still empty.
#
# ## What is in the queue
#
# The bell has not rung, but the message is already there. The driver has counted `avail.idx` up, so
# there is a new entry in the avail ring; it is the number of a descriptor.

# %%
index, done = rings()
head = memory.read_u16(avail + 4 + 2 * ((index - 1) % size))
print(f"avail.idx = {index}, used.idx = {done}: one request is waiting, at descriptor {head}.\n")
print(" #  address     length  flags  next")
for number in range(6):
    address, length, flags, following = struct.unpack("<QIHH", memory.read(desc + 16 * number, 16))
    print(f"{number:2}  {address:#010x}  {length:6}  {flags:5}  {following:4}")
print(f" … and {size - 6} more")

# %% [markdown]
# ### Exercise 02.2
#
# A descriptor is 16 bytes: an address (8 bytes), a length (4), flags (2), and the number of the
# next descriptor (2), which counts only if bit 0 of the flags is set. Bit 1 says that the device
# may *write* there; without it, the device only reads. Follow a chain to its end.


# %%
def chain(memory, table, head):
    """[(address, length, flags), …] of the chain that begins at descriptor `head`."""
    raise NotImplementedError("your turn")


labs.check("02.2", chain)

# %%
labs.solution("02.2")

# %% [markdown]
# With the chain we can draw the whole message.

# %%
chain = labs.working("02.2", chain)
parts = chain(memory, desc, head)


def box(axes, x, y, width, height, text, colour, **style):
    axes.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="0.35", lw=0.8))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", **style)


def arrow(axes, begin, end):
    axes.annotate("", end, begin, arrowprops={"arrowstyle": "-|>", "color": "0.35", "lw": 1.2})


_, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
axes.set(xlim=(0, 9), ylim=(-0.55, 3.8))
axes.axis("off")
for x, words in (0.1, "avail ring"), (2.1, "descriptors"), (5.3, "memory"):
    axes.text(x, 3.5, words, fontweight="bold", color="0.25")
box(axes, 0.1, 2.3, 1.1, 0.8, f"idx {index}\nentry {head}", "#f3f3f3", fontsize=9)
arrow(axes, (1.2, 2.7), (2.05, 2.7))
kinds = "what to do, and where", "the data", "how it went"
for row, ((address, length, flags), words) in enumerate(zip(parts, kinds, strict=True)):
    y = 2.3 - 1.15 * row
    colour = "#f9dfc2" if flags & 2 else "#cfe1f2"
    text = f"{address:#x}\n{length} bytes" + (", NEXT" if flags & 1 else "")
    box(axes, 2.1, y, 2.2, 0.8, text, colour, fontsize=9)
    arrow(axes, (4.3, y + 0.4), (5.25, y + 0.4))
    data = memory.read(address, length)
    shown = data[:16].hex(" ") + (" …" if length > 16 else "")
    box(axes, 5.3, y, 3.6, 0.8, f"{shown}\n", colour, fontsize=8, family="monospace")
    axes.text(7.1, y + 0.2, words, ha="center", va="center", fontsize=9, color="0.3")
    if flags & 1:
        arrow(axes, (3.2, y), (3.2, y - 0.35))
axes.text(2.1, -0.45, "blue: the device reads it    orange: the device writes it", fontsize=9)
plt.show()

# %% [markdown]
# A request of a disk is a chain of three. The *header* says what to do and where: four bytes of
# type (1 is a write), four of nothing, eight for the sector (8). Then comes the data, and there is
# our letter: `42` is a *B*. The last piece is a single byte that the disk will fill in. The driver
# has put `ff` there, so that it can tell an answer from no answer.

# %%
(header, _, _), (data, _, _), (status, _, _) = parts
kind, sector = struct.unpack("<I4xQ", memory.read(header, 16))
print(f"type {kind}, sector {sector}")
print(f"data {memory.read(data, 4)}…, status {memory.read(status, 1)}")

# %% [markdown]
# ### Exercise 02.3
#
# Both indices only ever count up, and they have 16 bits: after 65535 comes 0. The place in the ring
# is the index modulo the size of the ring. How many entries are new, if the index is at `index` and
# you have seen entries up to `seen`?


# %%
def fresh(index, seen):
    """How many entries of a ring are new."""
    raise NotImplementedError("your turn")


labs.check("02.3", fresh)

# %%
labs.solution("02.3")

# %% [markdown]
# ## The bell rings
#
# Now we let the store happen. It is one call: `serve` passes it to the bus. Python can tell us by
# itself which way it goes from there: we ask for a line whenever a function of vnb or of the
# operating system is called, and leave out those that only look after bytes and counters.

# %%
ASIDE = ("vnb.machine", "vnb.loop", "vnb.cpu", "vnb.memory", "vnb.stats", "vnb.host.pool")
BUFFERS = ("windows", "advance", "total", "beyond")
QUESTIONS = ("find", "check_range", "negotiated", "sector_count", "read_only")
way, depth = [], 0


def interesting(room, name):
    if not room.startswith("vnb") or room.startswith(ASIDE) or name.startswith("_"):
        return False
    return name not in BUFFERS + QUESTIONS


def look(frame, event, argument):
    """Called by Python at every call and return."""
    global depth
    if event == "call":
        room, name = frame.f_globals["__name__"], frame.f_code.co_qualname
        last = name.split(".")[-1]
        if interesting(room, last):
            way.append((depth, room, name.replace(".<locals>", "")))
        depth += 1
    elif event == "return":
        depth -= 1
    elif event == "c_call" and argument.__module__ == "posix":
        way.append((depth, "the operating system", argument.__name__))


before = machine.stats["vda"]["written"], rings(), memory.read(status, 1)
sys.setprofile(look)
try:
    serve(ExitKind.STORE)
finally:
    sys.setprofile(None)

levels = sorted({level for level, _, _ in way})
for level, room, name in way:
    indent = "  " * levels.index(level)
    print(f"{indent + name:52} {room}")

# %% [markdown]
# Read it from top to bottom. The **bus** finds out who owns the address. The **transport** turns
# the register into the word *notify*. The **queue** pops our chain, and hands it on as plain
# streams of bytes: from here on nobody knows of descriptors any more. The **block** device reads
# the header and asks its **drive** for a write; the drive asks a **file**, and the file asks the
# **operating system** of your computer, with `pwritev`. On the way back the status is written, the
# chain is pushed into the used ring, and the interrupt line goes up. All of that happened during a
# single instruction of the guest. And the letter?

# %%
print("on the host:    ", path.read_bytes()[8 * 512 : 8 * 512 + 8])
after = machine.stats["vda"]["written"], rings(), memory.read(status, 1)
for words, old, new in zip(("bytes written", "avail, used", "status"), before, after, strict=True):
    print(f"{words + ':':16} {old} → {new}")

# %% [markdown]
# ## The way back
#
# The disk is done, but the driver does not know. Three flags say so, each one step nearer to the
# processor: the disk's own register, the interrupt controller (PLIC), which keeps a bit for each
# source, and the processor's register of pending interrupts (bit 11 of `mip`).

# %%
print(f"InterruptStatus of the disk: {machine.bus.read(0x1000_2060, 4)}")
print(f"pending at the PLIC:         {machine.bus.read(0x0C00_1000, 4):#b} (source 2 is slot 1)")
print(f"mip:                         {machine.hart.csr('mip'):#b}")

# %% [markdown]
# So the next instruction that the guest executes is the first one of its interrupt handler. We let
# it run, until the doorbell wants to ring again.

# %%
log.clear()
run(stop=lambda wish: wish.address == DOORBELL)

MEANING = {
    ("load", 0x0C20_0004): "PLIC, who was it? (claim)",
    ("store", 0x0C20_0004): "PLIC, I am done with it (complete)",
    ("load", 0x1000_2060): "disk, what happened? (InterruptStatus)",
    ("store", 0x1000_2064): "disk, I have seen it (InterruptACK)",
    ("load", 0x0200_BFF8): "clint, what time is it?",
    ("store", 0x0200_4000): "clint, no alarm any more",
}
for access in log:
    if owner(access.address) != "serial":
        words = MEANING.get((access.verb, access.address), "")
        what = f"{access.verb:5} {access.address:#010x} {access.value:#11x}"
        print(f"{access.when:7,}  {what}  {words}")

# %% [markdown]
# Source 2 it was. The handler asks the disk for its reason and takes note, which lets the line
# down; then the driver finds the new entry of the used ring in RAM, where it needs nobody's help.
# It reads a status of 0, *all went well*, and labos prints a line about it. But then it rings
# again?
#
# ### Exercise 02.4
#
# The processor stands before a second ring of the doorbell. Which requests has the command sent to
# the disk in all? Look at what is in the queue now, as we did above, and give the type of each in
# order. (If a number is new to you: section 5.2.6 of the VirtIO specification names them all.)

# %%
requests = None  # a list of numbers

labs.check("02.4", requests)

# %%
labs.solution("02.4")

# %% [markdown]
# ## Rewind
#
# One station is missing: the first one. Which instruction put the *B* into the buffer from which
# the disk took it? We know where the buffer was, but that was a moment ago, and the moment has
# passed. In this machine moments come back. We reset it, do exactly the same again, and look at
# that one byte after every single instruction.

# %%
run()  # to the end of the first run
machine.reset()
log.clear()
run()
type_line("disk write 8 1 text:B")

steps = 0
while machine.memory.read(data, 1) != b"B":
    pc = machine.hart.pc
    serve(machine.hart.run(1))
    steps += 1

stored = machine.instructions
print(f"After {steps:,} steps, at instruction {stored:,}:\n")
print(machine.hart.disassemble(pc, 1))

# %% [markdown]
# There it is: `sb`, *store byte*. With it our letter begins its life on the disk. Let us run to the
# bell once more, and look whether history did repeat itself.

# %%
log.clear()
run(stop=lambda wish: wish.address == DOORBELL)
rung = machine.instructions
serve(ExitKind.STORE)
run()
claimed = next(a for a in log if (a.verb, a.address) == ("load", 0x0C20_0004) and a.when >= rung)
acknowledged = next(a for a in log if a.address == 0x1000_2064)

stations = [
    (stored, "sb: the letter is in the guest's buffer"),
    (rung, "sw: the doorbell. Bus, transport, queue, device, drive, file: it is on the disk"),
    (claimed.when, "the guest learns from the PLIC that it was the disk"),
    (acknowledged.when, "the guest has taken note of the interrupt"),
]
for when, words in stations:
    print(f"{when:7,}  {words}")

# %% [markdown]
# The same instruction as in the first run, and so it will be tomorrow. From the letter in the
# buffer to the bell it takes many instructions: to fill in the rest of the sector, to build three
# descriptors. From the bell to the file it takes none, because the guest stands still meanwhile;
# and the way back is short.
#
# The machine has kept count of all this as well, without being asked. (What it says of waiting is
# in the time of your own computer: the one number in this notebook that differs from run to run.)

# %%
print(machine.stats)
machine.close()
path.unlink()

# %% [markdown]
# ## To go on with
#
# - Let the command write a hundred sectors (`disk write 8 100 stamp`). How many times does the bell
#   ring? Where does the number come from? (`vnb/guest/cmd_disk.c` has a constant for it.)
# - Put the disk on a PCI bus: `Machine(…, transport="pci")`. Which of the stations above change?
#   Which do not?
# - Make the disk read-only (`Disk(path, mode="ro")`) and find the byte that tells the driver no.
# - The next notebook builds the guest's side of all this: a driver, from nothing.
