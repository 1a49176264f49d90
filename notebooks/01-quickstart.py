# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A computer in a notebook
#
# This notebook builds a RISC-V computer, boots Debian on it, gives it commands, shares a disk with
# it, measures that disk, looks into the processor's registers, and switches the computer off again.
# Everything happens inside this Python process: the processor is compiled just in time, the devices
# are Python objects, and the guest knows nothing of it. Run the cells from top to bottom; none of
# them takes longer than a few seconds once Debian has been fetched.

# %%
import re
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from vnb import Console, Disk, Machine, VnbError, images

plt.style.use("vnb.labs.figures")

# %% [markdown]
# ## A guest
#
# A computer without software is a heater. `images.debian()` puts a bootable Debian 13 together from
# Debian's own RISC-V packages: its unmodified kernel, the kernel modules for our devices, and
# busybox. The first call fetches about 110 MB from a Debian mirror; later calls find the result in
# a cache. Where no mirror can be reached, *labos* runs instead, a small guest that comes with vnb.
# It has a shell of its own and needs no network, and every section below works with it too.

# %%
try:
    image = images.debian()
except VnbError as error:
    print(f"Debian cannot be had here, so labos runs instead.\n{error}")
    image = images.labos()

linux = image.kind == "linux"
print(f"{image.name}: {image.description}")

# %% [markdown]
# ## The machine
#
# A `Machine` is configured by ordinary arguments: an image, an amount of memory, a list of devices.
# Ours gets a console and a disk. The disk is a file of this host, 64 MiB long and empty, so that we
# can look at it from both sides. Nothing runs yet: this machine is a box with its power off.

# %%
path = Path(tempfile.mkdtemp(prefix="vnb-")) / "disk.img"
with path.open("wb") as file:
    file.truncate(64 << 20)

machine = Machine(image, memory="256M", devices=[Console(), Disk(path)])
machine

# %% [markdown]
# ## Power on
#
# `start()` returns at once, because the machine runs in a thread of its own. What the guest prints
# arrives at `machine.console`, and `expect` waits there for a text. Debian says *ready* as soon as
# its first process has set up the devices; labos shows a prompt.

# %%
machine.start()
machine.console.expect("ready" if linux else "labos>", timeout=120)
print(f"The guest was up after {machine.uptime:.2f} s and {machine.instructions:,} instructions:")
print(f"{machine.mips:.0f} million in each second that it was not asleep.")

# %% [markdown]
# A machine at the end of a cell shows what it is and what its screen shows.

# %%
machine

# %% [markdown]
# ## Commands
#
# You could type into the console with `machine.console.write("…\n")` and read the answer, as people
# do. Programs are better served by `machine.shell`: it runs one command in the guest over a channel
# of its own and returns what was printed, the exit status and the time, with no prompt to guess at.

# %%
machine.shell("uname -a; cat /proc/cpuinfo; free -m" if linux else "help")

# %% [markdown]
# The result is a value like any other, so Python can go on with it.

# %%
listing = machine.shell("ls /sys/bus/virtio/drivers" if linux else "virtio")
print(f"{listing.seconds * 1000:.0f} ms, status {listing.status}: {listing.stdout.splitlines()}")

# %% [markdown]
# ## One disk, seen from both sides
#
# The guest believes in a disk with sectors of 512 bytes. Let it write a sentence into sector 8,
# past every cache, and then look for the sentence in the file that the disk really is.

# %%
sentence = "written-by-the-guest"
machine.shell(
    f"echo {sentence} | dd of=/dev/vda bs=512 seek=8 conv=notrunc,fsync"
    if linux
    else f"disk write 8 1 text:{sentence}; disk flush",
    check=True,
)
with path.open("rb") as file:
    file.seek(8 * 512)
    print(file.read(512).rstrip(b"\0"))

# %% [markdown]
# It works the other way round, too: what the file holds is what the guest reads.

# %%
with path.open("r+b") as file:
    file.seek(16 * 512)
    file.write(b"written by the host".ljust(512))

machine.shell(
    "dd if=/dev/vda bs=512 skip=16 count=1 iflag=direct status=none" if linux else "disk read 16 1"
)

# %% [markdown]
# In daily life nobody counts sectors. Debian makes a file system on the disk, mounts it and keeps
# a file there. (For that the kernel loads its ext4 driver, which is large and signed: to check and
# link it takes more than a thousand million instructions, twice what the whole boot took.) Labos
# has no file systems, but it can fill sectors with a pattern and verify them.

# %%
machine.shell(
    "mke2fs /dev/vda > /dev/null && mkdir -p /mnt/disk && mount -t ext2 /dev/vda /mnt/disk"
    " && seq 100000 > /mnt/disk/numbers && sha256sum /mnt/disk/numbers"
    " && df -h /mnt/disk && umount /mnt/disk"
    if linux
    else "disk write 0 2048 stamp; disk verify 0 2048 stamp",
    check=True,
)

# %% [markdown]
# ## How fast is the disk?
#
# Every request to the disk costs the same trouble, whatever its size: the guest's driver puts
# descriptors into a queue in memory, rings a doorbell, and takes an interrupt when the answer is
# there. So many small requests should be slow and few large ones fast. We let the guest read and
# write without its cache, with requests of growing size.

# %%
KIB, MIB = 1 << 10, 1 << 20
rates: dict[str, dict[int, float]] = {"read": {}, "write": {}}  # request size → MB/s

if linux:
    commands = {
        "read": "dd if=/dev/vda of=/dev/null iflag=direct bs={} count={}",
        "write": "dd if=/dev/zero of=/dev/vda oflag=direct bs={} count={}",
    }
    for size in [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB]:
        count = min(1500, 64 * MIB // size)
        for direction, command in commands.items():
            seconds = machine.shell(command.format(size, count), check=True).seconds
            rates[direction][size] = count * size / seconds / 1e6
else:
    commands = {"read": "disk bench", "write": "disk bench write 0 131072"}
    for direction, command in commands.items():
        printed = machine.shell(command, check=True).stdout
        for size, rate in re.findall(r"(\d+) KiB in order.* ([\d.]+) MB/s", printed):
            rates[direction][int(size) * KIB] = float(rate)

print("requests", *(f"{size // KIB:7} KiB" for size in rates["read"]))
for direction, measured in rates.items():
    print(f"{direction:8}", *(f"{rate:6.0f} MB/s" for rate in measured.values()))

# %%
figure, axes = plt.subplots()
for direction, marker in ("read", "o"), ("write", "s"):
    axes.plot(rates[direction].keys(), rates[direction].values(), marker=marker, label=direction)
sizes = list(rates["read"])
axes.set_xscale("log", base=2)
axes.set_xticks(sizes, [f"{size // KIB} KiB" if size < MIB else "1 MiB" for size in sizes])
axes.set(title="Block throughput by size of request", xlabel="request", ylabel="MB/s", ylim=0)
axes.legend()
plt.show()

# %% [markdown]
# The machine itself keeps count as well. `machine.stats` has the counters of every device, and
# `machine.stats.plot()` draws what the disks have been doing since they were first used.

# %%
print(machine.stats)
machine.stats.plot()

# %% [markdown]
# ## Inside the processor
#
# A paused machine holds still between two instructions, and everything in it can be read. What does
# an idle computer do? Let us look at the instructions around its program counter.

# %%
machine.pause()
hart = machine.hart
print(f"pc is {hart.pc:#x}, after {hart.instret:,} instructions.\n")
print(hart.disassemble(hart.pc - 8, 4))

# %% [markdown]
# It stands right behind a `wfi`, *wait for interrupt*: the guest has told the processor that there
# is nothing to do. So the processor does nothing, and the thread that runs it sleeps. The registers
# show what the guest was about when it fell idle; `satp` says where its page tables are.

# %%
NAMES = ["zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1"]
NAMES += [f"a{n}" for n in range(8)] + [f"s{n}" for n in range(2, 12)]
NAMES += [f"t{n}" for n in range(3, 7)]

for row in range(8):
    print("   ".join(f"{NAMES[n]:4} {hart.x[n]:016x}" for n in range(row, 32, 8)))
print()
for csr in "satp", "sstatus", "stvec", "scause":
    print(f"{csr:7} {hart.csr(csr):016x}")
machine.resume()

# %% [markdown]
# ## Power off
#
# The guest may switch itself off, as computers do: `wait` returns its exit code. (`machine.stop()`
# would have pulled the plug.) `close` gives memory and disk back.

# %%
machine.console.write("poweroff\n" if linux else "halt\n")
code = machine.wait(timeout=60)
print(f"The guest switched itself off with code {code} after {machine.uptime:.1f} s.")
machine.close()
path.unlink()

# %% [markdown]
# ## Where to go from here
#
# - `with Machine(…) as machine:` starts a machine, and closes it whatever happens.
# - `Machine(…, clock="virtual")` counts time in instructions, so that two runs are the same.
# - `images.linux(kernel=…, initrd=…)`, `images.elf(path)`, `images.raw(path)` boot your own.
# - `vnb run debian` in a terminal gives you the same machine with an interactive console.
