# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Block I/O: caches, queues, schedulers
#
# Between a program that wants a few bytes and a disk that has them, an operating system puts a
# whole household of helpers: a cache that remembers, a reader that runs ahead, a writer that lags
# behind, a scheduler that changes the order of things. They work well, so nobody sees them. In this
# notebook we look at each of them from below. The disk belongs to us: it is a Python object that
# writes down whatever the kernel asks of it, and that can be as slow as we like.
#
# The guest is Debian. (Where it cannot be had, there is no kernel to watch, and this notebook ends
# at the cell that asks for it.)

# %%
import threading
import time
from collections import namedtuple

import matplotlib.pyplot as plt
import numpy as np

from vnb import Console, Disk, Machine, images, labs
from vnb.host import block

plt.style.use("vnb.labs.figures")
BLUE, ORANGE, GREY = "C0", "C1", "0.6"
KIB, MIB = 1 << 10, 1 << 20

# %% [markdown]
# ## A disk with a head
#
# A hard disk has a head that travels over a turning platter. We build its essence: bytes in memory,
# and a delay for every access: `settle` seconds in any case, and up to `travel` seconds more for a
# journey across the whole disk. Both are zero in the beginning.
#
# vnb asks its disks twice. First with `wait=False`: *can you do that at once?* If the answer is no,
# a thread asks again and waits, and the guest runs on meanwhile, as with a real disk.

# %%
Move = namedtuple("Move", "begin end verb position size")


class Platter:
    """A disk in memory that takes its time, and keeps a diary."""

    read_only = False
    identity = "platter"

    def __init__(self, size):
        self.memory = block.Memory(size)
        self.moves = []
        self.set()

    def set(self, settle=0.0, travel=0.0):
        self.settle, self.travel = settle, travel
        self.position = 0
        self.head = threading.Lock()  # there is only one

    def readinto(self, offset, buffers, wait=True):
        return self.go("read", offset, buffers, wait) and self.memory.readinto(offset, buffers)

    def write(self, offset, buffers, wait=True):
        return self.go("write", offset, buffers, wait) and self.memory.write(offset, buffers)

    def go(self, verb, offset, buffers, wait):
        """Bring the head there; False if that takes time and nobody waits."""
        if self.settle and not wait:
            return False
        with self.head:
            begin = time.perf_counter()
            distance = abs(offset - self.position) / self.memory.size
            if self.settle:
                time.sleep(self.settle + self.travel * distance)
            self.position = offset
            size = sum(map(len, buffers))
            self.moves.append(Move(begin, time.perf_counter(), verb, offset, size))
        return True

    def __getattr__(self, name):
        """For all else it is like any disk in memory."""
        return getattr(self.memory, name)


platter = Platter(64 * MIB)


class PlatterDisk(Disk):
    """`Disk`, with our platter behind it."""

    def open(self):
        return block.Drive(platter)


# %% [markdown]
# The guest gets that disk as `/dev/vda`. One more thing we ask of its driver: to hand the disk no
# more than four requests at a time. VirtIO would allow 256, and then nothing would ever pile up in
# the guest, where we want to watch it.

# %%
machine = Machine(
    images.debian(),
    "256M",
    [Console(), PlatterDisk(size="64M")],
    append="virtio_blk.queue_depth=4",
)
machine.start()
machine.shell("cd /sys/block/vda/queue && grep . scheduler nr_requests read_ahead_kb")

# %% [markdown]
# The scheduler `mq-deadline` is in charge (the other one that this kernel has is `none`), and Linux
# wants to run up to 2 MiB ahead of those who read.
#
# Whatever we do next, we shall want to know three things: how long it took in the guest, what the
# disk's counters say, and what is in the diary.

# %%
Run = namedtuple("Run", "seconds before after moves")


def counters():
    stats = machine.stats["vda"]
    return {name: stats[name] for name in ("requests", "read", "written", "waited")}


def measure(command):
    """Run a command in the guest and look at the disk meanwhile."""
    platter.moves.clear()
    before = counters()
    seconds = machine.shell(command, check=True).seconds
    return Run(seconds, before, counters(), list(platter.moves))


def guest(*lines):
    machine.shell("\n".join(lines), check=True)


# %% [markdown]
# ## The cache
#
# We read 16 MiB from the disk: once; once more; again after Linux was told to forget all that it
# has cached; and finally with `iflag=direct`, which goes past the cache. (A process that holds the
# disk open sleeps in the background, because Linux forgets a disk that nobody holds.)

# %%
guest("sleep 100000 </dev/vda >/dev/null 2>&1 &")
FORGET = "echo 3 >/proc/sys/vm/drop_caches"
READ = "dd if=/dev/vda of=/dev/null bs=64k count=256"
wanted = 16 * MIB

cases = {}
cases["first"] = measure(READ)
cases["again"] = measure(READ)
guest(FORGET)
cases["forgotten"] = measure(READ)
cases["direct"] = measure(READ + " iflag=direct")

for name, run in cases.items():
    asked = run.after["read"] - run.before["read"]
    print(f"{name:10} {run.seconds * 1000:6.0f} ms, {asked / MIB:6.2f} MiB asked of the disk")

# %% [markdown]
# ### Exercise 04.1
#
# The *hit rate* of a cache is the share of the wanted bytes that it had. Compute it from what the
# program wanted and what the disk was asked for. One line of the table above makes this harder than
# it looks: Linux may read more than anybody wants.


# %%
def hit_rate(wanted, read):
    """Between 0 and 1; both arguments are in bytes."""
    raise NotImplementedError("your turn")


labs.check("04.1", hit_rate)

# %%
labs.solution("04.1")

# %%
hit_rate = labs.working("04.1", hit_rate)
asked = [run.after["read"] - run.before["read"] for run in cases.values()]
rates = [wanted / run.seconds / 1e6 for run in cases.values()]
shares = [100 * hit_rate(wanted, count) for count in asked]

_, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8))
left.bar(list(cases), rates, color=[GREY, BLUE, GREY, ORANGE])
left.set(title="How fast the program reads", ylabel="MB/s")
right.bar(list(cases), shares, color=[GREY, BLUE, GREY, ORANGE])
right.set(title="How much of it the cache had", ylabel="%", ylim=(0, 105))
plt.show()

# %% [markdown]
# The second time the disk is not asked for anything. Our disk is as fast as memory still, and yet
# the cache wins: no request means no driver, no queue and no interrupt. With a slow disk it would
# win by a hundred to one, and the next experiment makes it slower.
#
# ## Running ahead
#
# A program that reads in order will probably go on reading in order. So Linux fetches more than was
# asked for, up to `read_ahead_kb`. We give every access half a millisecond, and `dd` reads 2 MiB in
# pieces of 4 KiB.
#
# ### Exercise 04.2
#
# Did Linux ask for larger pieces than 4 KiB? Compute the mean size of a request from two looks at
# the counters: dictionaries with `requests`, and with `read` and `written` in bytes.


# %%
def mean_size(before, after):
    """Bytes in a request, on the average; 0 if there was none."""
    raise NotImplementedError("your turn")


labs.check("04.2", mean_size)

# %%
labs.solution("04.2")

# %%
mean_size = labs.working("04.2", mean_size)
platter.set(settle=0.0005)
ahead = {}
for kib in (0, 16, 64, 256, 1024):
    guest(f"echo {kib} >/sys/block/vda/queue/read_ahead_kb", FORGET)
    ahead[kib] = measure("dd if=/dev/vda of=/dev/null bs=4k count=512 skip=4096")
guest("echo 128 >/sys/block/vda/queue/read_ahead_kb")

_, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8))
names = [str(kib) for kib in ahead]
sizes = [mean_size(run.before, run.after) / KIB for run in ahead.values()]
left.bar(names, sizes, color=BLUE)
left.set(title="Mean size of a request", xlabel="read_ahead_kb", ylabel="KiB")
right.bar(names, [2 * MIB / run.seconds / 1e6 for run in ahead.values()], color=ORANGE)
right.set(title="How fast dd reads in pieces of 4 KiB", xlabel="read_ahead_kb", ylabel="MB/s")
plt.show()

# %% [markdown]
# The program is the same in all five cases and knows nothing of it. Where each access costs time,
# few large ones win.
#
# ## Lagging behind
#
# Writers have it even better: they are told *done* when their bytes are in the cache. When does the
# disk hear of them? We write 8 MiB, then do nothing for a second, then call `sync`, which waits for
# the disk.

# %%
platter.set(settle=0.002)
guest(FORGET)
platter.moves.clear()
began = time.perf_counter()
machine.shell("dd if=/dev/zero of=/dev/vda bs=64k count=128 conv=notrunc", check=True)
told = time.perf_counter()
machine.shell("sleep 1", check=True)
asked = time.perf_counter()
machine.shell("sync", check=True)
synced = time.perf_counter()

writes = [move for move in platter.moves if move.verb == "write"]
times = [0, *(move.end - began for move in writes), synced - began]
arrived = np.cumsum([0, *(move.size for move in writes), 0]) / MIB

_, axes = plt.subplots(figsize=(9, 2.8))
axes.step([0, told - began, synced - began], [0, 8, 8], color=GREY, where="post", label="written")
axes.fill_between(times, arrived, step="post", color=ORANGE, alpha=0.5, label="on the disk")
for moment, words in (told, "dd is done "), (asked, "sync is called "), (synced, "sync is done "):
    axes.axvline(moment - began, color="0.4", linestyle=":", linewidth=1)
    axes.text(moment - began, 4, words, rotation=90, ha="right", va="center", fontsize=9)
axes.set(title="A write arrives", xlabel="seconds", ylabel="MiB")
axes.set(xlim=(0, synced - began + 0.05), ylim=(0, 9))
axes.legend(loc="center")
plt.show()
print(f"{len(writes)} requests of {np.mean([m.size for m in writes]) / KIB:.0f} KiB on the average")

# %% [markdown]
# Between *dd is done* and the end of the orange slope the bytes exist only in memory. Who pulls the
# plug there (try `machine.stop()`) loses them. That is why databases call `fsync`, and why they are
# afraid of disks that lie about it.
#
# ## Queues
#
# One program that reads with `direct` waits for each answer before it asks again, so there is never
# more than one request on its way. Several programs keep the disk busier. How busy?
#
# ### Exercise 04.3
#
# The counter `waited` adds up, over all requests, how many nanoseconds each was with the disk. From
# two looks at it and the time between them follows how many requests were there at once, on the
# average.


# %%
def mean_depth(before, after, seconds):
    """Requests that were with the disk at once; the dictionaries have `waited`, in ns."""
    raise NotImplementedError("your turn")


labs.check("04.3", mean_depth)

# %%
labs.solution("04.3")

# %% [markdown]
# We let 1, 2, 4, 8 and 16 readers share 96 reads, on a disk that takes two milliseconds for each.

# %%
mean_depth = labs.working("04.3", mean_depth)


def span(run):
    """Seconds from the first move of the head to the end of the last."""
    return run.moves[-1].end - run.moves[0].begin


def together(number, each, what):
    """`number` programs at a time, each with `each` accesses of 4 KiB, somewhere on the disk."""
    place = "$(( i * 7919 % 15000 ))"
    return f"""
        for i in $(seq {number}); do
            dd {what.format(place)} bs=4k count={each} 2>/dev/null &
            all="$all $!"
        done
        wait $all"""


READER = "if=/dev/vda of=/dev/null iflag=direct skip={}"
platter.set(settle=0.002)
readers = {n: measure(together(n, 96 // n, READER)) for n in (1, 2, 4, 8, 16)}

depths = [mean_depth(run.before, run.after, span(run)) for run in readers.values()]
rates = [len(run.moves) / span(run) for run in readers.values()]
inside = [
    (run.after["waited"] - run.before["waited"]) / len(run.moves) / 1e6 for run in readers.values()
]
outside = [1000 * n * span(run) / len(run.moves) for n, run in readers.items()]

_, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9))
left.plot(list(readers), depths, marker="o", color=BLUE, label="with the disk at once")
left.plot(
    list(readers), np.array(rates) / 100, marker="s", color=ORANGE, label="rate, in 100 reads/s"
)
left.set(title="Depth and rate", xlabel="readers")
right.plot(list(readers), outside, marker="o", color=GREY, label="a reader waits")
right.plot(list(readers), inside, marker="o", color=BLUE, label="of that, with the disk")
right.set(title="Time for one read", xlabel="readers", ylabel="ms")
for axes in left, right:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(readers), list(readers))
    axes.set_ylim(0)
    axes.legend(fontsize=9)
plt.show()

# %% [markdown]
# Nearly everything about queues is in these two panels. The disk has one head, so its rate (orange)
# hardly depends on the number of readers; what grows is the time that each of them waits. Up to
# four readers the requests wait in the disk's queue. From there on that is full, the depth (blue)
# stays where it is, and the others wait in the guest, where the disk does not even know of them: in
# the scheduler. And rate × time = depth: that is Little's law, and `mean_depth` is nothing else.
#
# ## The elevator
#
# What can a scheduler do with those that wait? It can serve them in another order than they came.
# Now the head gets a journey to make: up to twelve milliseconds across the disk. 32 readers want
# something in 32 places. With `none` they are served as they come; `mq-deadline` sorts them.


# %%
def schedule(name):
    guest(
        f"echo {name} >/sys/block/vda/queue/scheduler",
        f"[ {name} = none ] || echo 128 >/sys/block/vda/queue/nr_requests",
    )


platter.set(settle=0.001, travel=0.012)
lifts = {}
for name in "none", "mq-deadline":
    schedule(name)
    lifts[name] = measure(together(32, 6, READER))

_, panels = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
end = max(map(span, lifts.values()))
for axes, (name, run), colour in zip(panels, lifts.items(), (GREY, BLUE), strict=True):
    times = [move.end - run.moves[0].begin for move in run.moves]
    places = [move.position / MIB for move in run.moves]
    axes.plot(times, places, color=colour, linewidth=0.9, marker=".", markersize=3)
    travelled = np.abs(np.diff(places)).mean()
    axes.set(title=f"{name}: {travelled:.0f} MiB from read to read", xlabel="seconds")
    axes.set_xlim(0, 1.03 * end)
panels[0].set_ylabel("position of the head, MiB")
plt.show()
for name, run in lifts.items():
    print(f"{name:12} {span(run):.2f} s for {len(run.moves)} reads")

# %% [markdown]
# On the left the head rushes to and fro. On the right it goes up like an elevator, lets people out
# on every floor, drops down and begins again. That is all that a scheduler of this kind does, and
# it needs something to choose from: with one reader both panels would be the same. (Try it. And on
# a disk without a head, such as an SSD, sorting gains nothing: `none` exists for a reason.)
#
# ## Who goes first?
#
# There is a second thing that the order decides. A reader usually sits before a screen and waits; a
# writer hardly ever does. 16 writers keep the disk busy, and we time a reader that wants 20 pieces.

# %%
WRITER = "if=/dev/zero of=/dev/vda oflag=direct conv=notrunc seek={}"
crowds = {}
for name in "none", "mq-deadline":
    schedule(name)
    crowd = together(16, 24, WRITER).replace("wait $all", "")
    crowds[name] = measure(f"""{crowd}
        sleep 0.1
        dd if=/dev/vda of=/dev/null bs=4k count=20 skip=15000 iflag=direct 2>/dev/null
        wait $all""")

_, panels = plt.subplots(2, 1, figsize=(9, 3), sharex=True)
for axes, (name, run) in zip(panels, crowds.items(), strict=True):
    start = run.moves[0].begin
    for verb, colour, height in ("write", GREY, 0.7), ("read", ORANGE, 1.0):
        bars = [(m.begin - start, m.end - m.begin) for m in run.moves if m.verb == verb]
        axes.broken_barh(bars, (0, height), facecolor=colour, edgecolor="none", label=verb)
    reads = [move for move in run.moves if move.verb == "read"]
    seconds = reads[-1].end - reads[0].begin
    axes.set(title=f"{name}: 20 reads in {seconds:.2f} s", ylim=(0, 1), yticks=[])
    axes.spines["left"].set_visible(False)
panels[0].legend(ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
panels[1].set_xlabel("seconds")
plt.show()

# %% [markdown]
# With `mq-deadline` the orange strokes stand closer together: reads pass by the writes that wait.
# The writers are promised to be served after five seconds at the latest, and that is the *deadline*
# in the name. (Even so they are done sooner, all in all: the elevator works for them, too.)
#
# ## The whole story
#
# All along the machine has kept its own record: throughput, how long requests took, and how many
# were there at once. You should be able to find each of our experiments in it.

# %%
machine.stats.plot()

# %%
machine.close()

# %% [markdown]
# ## To go on with
#
# - Give the platter two heads (`threading.Semaphore(2)`). Which of the figures change?
# - Plot the rate over `bs` for a disk with `settle` = 2 ms, with and without `direct`. Where does
#   the cache help, and where does it cost?
# - Set `/proc/sys/vm/dirty_expire_centisecs` and `dirty_writeback_centisecs` to 50, and draw *A
#   write arrives* again, with three seconds instead of one before the `sync`.
# - Let the platter fail: raise `vnb.HostError` in `go` for one place of the disk. What does `dd`
#   say, what does `dmesg` say, and how many times did Linux try?
