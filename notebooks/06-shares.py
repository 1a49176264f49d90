# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A notebook's data inside the guest
#
# A disk is a row of sectors, and only one computer at a time may believe that it knows what is in
# them. For data that a notebook and a guest both work on there is something better: a *share*. The
# guest asks for files by name, one message for each wish, and whoever has the files answers. The
# language of these messages is 9P. It comes from Plan 9, the system in which everything is a file,
# and it is small enough to be understood in an afternoon.
#
# In this notebook a Python dict becomes a file system. A guest processes a numpy array with `awk`
# and gives it back; we listen to the messages that pass, find out why the first attempt needs two
# thousand messages where fifty would do, and end with a file that is a Python function. Debian has
# to be fetched once, about 110 MB.

# %%
import os
import tempfile
from collections import Counter
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from vnb import Console, Machine, Share, images, labs
from vnb.host.files import Tree

plt.style.use("vnb.labs.figures")
BLUE, ORANGE, GREEN = "C0", "C1", "C2"

# %% [markdown]
# ## A dict is a file system
#
# `Share({...}, tag="lab")` is all that it takes: names are files, texts and bytes are their
# content, and a dict in the dict is a directory. (Below we put the dict into a `Tree` ourselves,
# because we want to teach that tree something.) The second share is a folder of this computer.
# Folders can only be read by a guest, unless one says `write=True`.


# %%
class Lab(Tree):
    """A tree that remembers which messages came, by name."""

    def __init__(self, files):
        super().__init__(files)
        self.heard = []

    def slow(self, request):
        self.heard.append(request)  # vnb asks this of every message: may it take long?
        return super().slow(request)


lab = Lab({"hello.txt": "hello from a cell\n", "data": {"answer": "42\n"}})
folder = Path(tempfile.mkdtemp(prefix="vnb-"))
devices = [Console(), Share(lab, tag="lab"), Share(folder, tag="results", write=True)]
machine = Machine(images.debian(), memory="192M", devices=devices)
machine.start()
machine.shell("mount | grep 9p; find /mnt/lab", check=True)

# %% [markdown]
# Debian has mounted both, each under its tag. There is one tree, and it has two sides: what a cell
# changes is what the guest sees next, without copying, and the other way round.

# %%
lab["hello.txt"] += b"and a second line\n"
print(machine.shell("cat /mnt/lab/hello.txt"))

machine.shell("mkdir /mnt/lab/reply; uname -srm > /mnt/lab/reply/system", check=True)
print("From the guest:", lab["reply/system"].decode())
print("Files:", sorted(lab))

# %% [markdown]
# ## Listening
#
# What does `cat` say to the share? Every message passes by our `Lab`, so we only have to look.

# %%
lab.heard.clear()
machine.shell("cat /mnt/lab/data/answer")
print(" → ".join(lab.heard))

# %% [markdown]
# A conversation over 9P is about *fids*, numbers that the client gives to files. `walk` says "let 7
# be what one finds from 1 by the name data", `getattr` asks how large something is and who may
# touch it, `lopen` opens, `read` reads (until one comes back empty: this is the end), and `clunk`,
# the sound of something heavy being put down, forgets a fid.
#
# On the wire a message is its size (4 bytes, its own four included), its type (1 byte), a tag (2
# bytes, by which the answer is recognised), and then the fields that the type asks for. Numbers
# begin with the low byte. This is what every client of a share begins with:

# %%
message = bytes.fromhex("15000000 64 ffff 00d00700 0800 3950323030302e4c")
print(message)

# %% [markdown]
# ### Exercise 06.1
#
# Take the first three fields of a message apart.


# %%
def header(message):
    """(size, type, tag), as in (21, 100, 65535)."""
    raise NotImplementedError("your turn")


labs.check("06.1", header)

# %%
labs.solution("06.1")

# %%
header = labs.working("06.1", header)
size, kind, tag = header(message)
print(f"{size} bytes of type {kind} (version) with the tag {tag:#x}")
print(f"It asks for messages of {int.from_bytes(message[7:11], 'little'):,} bytes at most,")
print(f"in the dialect {message[13:].decode()}.")

# %% [markdown]
# ### Exercise 06.2
#
# Now the other direction. A `walk` has the type 110. After the header come the fid to start from (4
# bytes), the fid to be (4 bytes), the number of names (2 bytes), and for each name its length in
# bytes (2 bytes) and then the name itself, in UTF-8. Write the message for a list of names.


# %%
def walk(tag, fid, newfid, names):
    """The bytes of a walk from `fid` by `names`, to be known as `newfid`."""
    raise NotImplementedError("your turn")


labs.check("06.2", walk)

# %%
labs.solution("06.2")

# %%
walk = labs.working("06.2", walk)
print(walk(tag=1, fid=1, newfid=7, names=["data", "answer"]).hex(" "))

# %% [markdown]
# ## A numpy array goes in and comes out
#
# Here is a measurement with a lot of noise, 1,000 numbers. We want the guest to smooth it. An array
# is bytes, so it is a file: `od` in the guest turns the bytes into text, and three lines of `awk`
# take the mean of the last 40 numbers. The program is a file in the tree as well; there is no need
# to install anything anywhere.

# %%
draw = np.random.default_rng(6)
time = np.linspace(0, 10, 1000)
signal = np.sin(time) + 0.4 * np.sin(3.1 * time) + draw.normal(0, 0.45, time.size)

lab["signal.f64"] = signal.astype("<f8").tobytes()
lab["smooth.awk"] = """\
# The mean of the last W numbers, of which there is one in each line.
{ sum += $1 - last[NR % W]; last[NR % W] = $1; print sum / (NR < W ? NR : W) }
"""
SMOOTH = "od -A n -v -t f8 -w8 signal.f64 | awk -v W=40 -f smooth.awk"


def counted(command):
    """Run a command in the share; how long it took, and what was said meanwhile."""
    lab.heard.clear()
    seconds = machine.shell(f"cd /mnt/lab; {command}", check=True).seconds
    return seconds, Counter(lab.heard)


direct = counted(f"{SMOOTH} > smooth.txt")
smooth = np.array(lab["smooth.txt"].split(), dtype=float)
print(f"{smooth.size} numbers came back after {direct[0]:.2f} s.")

# %%
figure, axes = plt.subplots()
axes.plot(time, signal, ".", color="0.7", markersize=3, label="written by the notebook")
axes.plot(time, smooth, color=BLUE, linewidth=2, label="smoothed by the guest")
axes.set(title="A signal that has been to a RISC-V machine and back", xlabel="seconds")
axes.set_ylim(-2.6, 3.4)
axes.legend(ncols=2, loc="upper right")
plt.show()

# %% [markdown]
# It works, but a thousand numbers should not take a computer that long. What was said?

# %%
print(*(f"{count:6} × {name}" for name, count in direct[1].most_common(6)), sep="\n")

# %% [markdown]
# `awk` writes each line as soon as it has it. On a disk that would not matter, because Linux
# gathers small writes in memory. But a share is not only ours: if the guest kept anything back, the
# notebook would not see it, so by default nothing is kept, and each of the thousand lines becomes a
# `write`. Before each `write` Linux also asks, with an `xattrwalk`, whether the file has special
# rights that a write should take away. (It has not, and the answer is an error, which is counted in
# `machine.stats`.)
#
# The remedy is as old as shell scripts: work on a file of the guest's own, and copy once.

# %%
copied = counted(f"{SMOOTH} > /tmp/smooth.txt; cp /tmp/smooth.txt .")
assert np.array_equal(smooth, np.array(lab["smooth.txt"].split(), dtype=float))

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.4), width_ratios=(3, 2))
ways = ["line by line", "at once"]
said = pd.DataFrame([direct[1], copied[1]], index=ways).fillna(0)
common = list(said.sum().nlargest(2).index)
said["others"] = said.drop(columns=common).sum(axis=1)
start = np.zeros(2)
for name, colour in zip([*common, "others"], (BLUE, ORANGE, "0.6"), strict=True):
    left.barh(ways, said[name], left=start, color=colour, label=name, height=0.55)
    start += said[name]
left.set(title="Messages", xlabel="count")
left.legend(fontsize=9, loc="lower right")
bars = right.barh(ways, [direct[0], copied[0]], color=GREEN, height=0.55)
right.bar_label(bars, fmt="%.2f s", padding=4, color="0.3")
right.set(title="Time", xlabel="seconds", xlim=(0, 1.35 * direct[0]))
for axes in left, right:
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
plt.show()

# %% [markdown]
# ## How much is in a message?
#
# Reading has its price per message too. A `read` names a place in the file and how much is wanted.
# Who decides how much that is? Let the guest read a megabyte in pieces of different size, and
# count.
#
# ### Exercise 06.3
#
# First the theory: which requests does it take to read a file of `size` bytes, if each brings at
# most `most`?


# %%
def pieces(size, most):
    """A list of (offset, count), as in [(0, 4096), (4096, 904)]."""
    raise NotImplementedError("your turn")


labs.check("06.3", pieces)

# %%
labs.solution("06.3")

# %% [markdown]
# And now the practice. `machine.stats` knows how many requests each share had, and how many bytes.
# The first mount asks Linux to keep pages of files in memory (`cache=mmap`), and to ask for many of
# them at a time. Linux looks at what changed only when a file is opened then, which is often
# enough.

# %%
pieces = labs.working("06.3", pieces)
SIZE = 1 << 20
lab["big"] = draw.bytes(SIZE)
sizes = [1 << 10, 4 << 10, 32 << 10, 256 << 10]
options = {"cache=mmap": ",cache=mmap", "as it is": ""}
rows = []
for name, more in options.items():
    mount = f"mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000{more} lab /mnt/lab"
    machine.shell(f"umount /mnt/lab; {mount}", check=True)
    for size in sizes:
        machine.shell("echo 1 > /proc/sys/vm/drop_caches")
        before = machine.stats["lab"]["requests"]
        result = machine.shell(f"dd if=/mnt/lab/big of=/dev/null bs={size}", check=True)
        requests = machine.stats["lab"]["requests"] - before
        speed = SIZE / result.seconds / 1e6
        rows.append((name, size >> 10, len(pieces(SIZE, size)), requests, round(speed, 1)))

table = pd.DataFrame(rows, columns=["mount", "KiB asked for", "predicted", "requests", "MB/s"])
table

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for (name, found), colour in zip(table.groupby("mount"), (BLUE, ORANGE), strict=True):
    left.plot(found["KiB asked for"], found["requests"], "o-", color=colour, label=name)
    right.plot(found["KiB asked for"], found["MB/s"], "o-", color=colour, label=name)
one = table.drop_duplicates("KiB asked for")
left.plot(one["KiB asked for"], one["predicted"], "--", color="0.5", label="predicted")
left.set(title="Requests for a megabyte", ylabel="requests", yscale="log")
right.set(title="Speed", ylabel="MB/s", ylim=0)
for axes in left, right:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes_kib := [size >> 10 for size in sizes], map(str, sizes_kib))
    axes.set_xlabel("KiB that dd asks for")
left.legend()
plt.show()

# %% [markdown]
# Without a cache this kernel never asks for more than a page of 4 KiB at a time, however much `dd`
# wants: so the curve follows the prediction down to 4 KiB, and no further. With a cache it reads
# ahead, in pieces that have nothing to do with what `dd` asked for, and there are few of them. The
# price is that the guest looks at changes of ours a little later. Whoever chooses a cache chooses
# between fast and fresh.
#
# The machine has been keeping time all along: `machine.stats.plot()` draws how much was read and
# written, how long the answers took, and how many requests waited at once.

# %%
machine.stats.plot()

# %% [markdown]
# ## A folder
#
# The other share is a folder of this computer. It is the right thing for results: the guest leaves
# them there as files, and they are still there when the machine is gone.

# %%
machine.shell(
    "cd /mnt/results; echo word,count > words.csv;"
    " cat /usr/share/doc/*/copyright /etc/profile /init 2> /dev/null"
    " | tr -cs 'a-zA-Z' '\\n' | tr A-Z a-z | grep .... | sort | uniq -c | sort -rn | head -12"
    " | awk '{ print $2 \",\" $1 }' >> words.csv",
    check=True,
)
print(*folder.iterdir())
pd.read_csv(folder / "words.csv").T

# %% [markdown]
# A share of a folder ends at its edge. Here are two symbolic links that lead out of it. The guest
# reads where they point to, and looks there in its own files: one leads to the guest's `/mnt`, the
# other to a file that the guest does not have. And it may not set any of its own.

# %%
(folder / "up").symlink_to("..")
(folder / "secret").symlink_to("/etc/hostname")
machine.shell("cd /mnt/results; cat secret; ls -d up/*; ls ../../../mnt; ln -s /etc mine")

# %% [markdown]
# ## A file that is a function
#
# Nobody says that the content of a file has to lie somewhere. A `Tree` is an ordinary Python class:
# when something is opened, its method `open` is called. So let the content of one file be made at
# that moment. This one tells the guest how fast it is, which it could not know otherwise.


# %%
def open_live(path, flags, mode, uid, gid):
    """As before, except that the file `speed` is made when somebody opens it to read."""
    if path == ("speed",) and flags & os.O_ACCMODE == os.O_RDONLY:
        lab["speed"] = f"{machine.mips:.0f} million instructions in a second\n"
    return Tree.open(lab, path, flags, mode, uid, gid)


lab["speed"] = ""
lab.open = open_live
work = "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done"
machine.shell(f"cat /mnt/lab/speed; {work}; cat /mnt/lab/speed")

# %% [markdown]
# In Plan 9 that was the way to everything: windows, network connections, processes and the mouse
# were files that somebody answered for. You have just written such a server.

# %%
machine.close()
for path in folder.iterdir():
    path.unlink()

# %% [markdown]
# ## Things to try
#
# - Two machines may have the same `Tree`: `Share(lab)` in both. Let them take turns in one file,
#   with `flock`.
# - `Share("https://…")` and other addresses that fsspec knows make a bucket or a web server
#   readable.
# - In labos, `9p ls`, `9p cat` and `9p sum` speak the same language, in 300 lines of C: see
#   `vnb/guest/ninep.c`.
# - Write an answer to `walk` and `getattr` for a tree that is never stored: `/year/month/day`.
