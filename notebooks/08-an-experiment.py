# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What does a byte cost?
#
# *An experiment, written up from its question to its citation.* Computers are measured all the
# time, and most of these measurements cannot be repeated: nobody knows any more which kernel it
# was, what else was running, and how warm the room. In this notebook we do it the other way. The
# computer is simulated, its software is pinned by a digest, its randomness by a seed, and its clock
# counts instructions. Whoever runs these cells again, on whatever computer, gets our numbers, down
# to the last digit.
#
# Take it as a pattern for your own: the headings are those of a paper, and under each of them is
# what vnb has to offer for it.
#
# ## Question
#
# A guest reads files that the notebook shares with it. Reading has two prices: every *message* that
# passes between guest and host costs something, however little is in it, and every *byte* costs
# something, wherever it comes from. How large are the two? And does it matter whether the device is
# found over MMIO, as in a small board, or over PCI, as in a PC?
#
# **Hypothesis.** To read a file, the guest needs
#
#     instructions = a × messages + b × bytes
#
# where *a* and *b* do not depend on the file, and *a* not on the transport by more than a few per
# cent.

# %%
import hashlib
import importlib.metadata
import platform
import random
import re
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import vnb
from vnb import Console, Machine, Share, images, labs

plt.style.use("vnb.labs.figures")
BLUE, ORANGE = "C0", "C1"

# %% [markdown]
# ## Method
#
# **The guest** is labos, which comes with vnb. Its command `9p sum FILE` reads a file and computes
# its CRC-32, and `time` before it tells how many instructions that took: the processor counts them
# itself, in the register `minstret`. The image has a digest. If it is not the one below, this is
# another experiment, and the cell says so.

# %%
IMAGE = images.labos()
PINNED = "b92618319b88eece956d46dd13247e0392e78d159d99d306022e7173c3cd53a9"

digest = hashlib.sha256(Path(IMAGE.payload).read_bytes()).hexdigest()
print(IMAGE.name, digest)
if digest != PINNED:
    print("This is another guest than that of the text: expect other numbers.")

# %% [markdown]
# (For Debian, `images.debian(packages=…, lock="debian.lock.json")` writes every package with its
# SHA-256 into a file, which belongs next to the notebook, and later boots exactly these.)
#
# **Time** is `clock="virtual"`: it is computed from the number of instructions, and does not pass
# while a device works. So nothing that happens on the host can get into the measurement.
#
# **Randomness**, for the guest, comes from `seed`. The files are random as well, and have a seed of
# their own.
#
# **Parameters** are all in one place. Files are of seven sizes for the measurement; five others,
# that the model will not have seen, are to test it.

# %%
SEED = 8
SIZES = (0, 1_000, 4_000, 16_000, 64_000, 250_000, 1_000_000)
TEST_SIZES = (300, 10_000, 33_000, 123_456, 700_000)
TRANSPORTS = ("mmio", "pci")
MEMORY = "16M"

draw = random.Random(SEED)
files = {f"file{size}": draw.randbytes(size) for size in (*SIZES, *TEST_SIZES)}

# %% [markdown]
# ## Measurement
#
# One run is one machine: it boots, reads every file once, and is thrown away. The counters of the
# share, before and after each file, say how many messages there were. We take them from
# `machine.stats.to_pandas("totals")`, a data frame with one number in each row.


# %%
def counted(machine):
    """What the share has counted so far: a series, by the names of the counters."""
    totals = machine.stats.to_pandas("totals").query("device == 'files'")
    return totals.set_index("counter")["total"]


def run(transport):
    """Read all files once: a data frame with a row for each, and the seconds of the host."""
    devices = [Console(), Share(files, tag="files")]
    begun, rows = time.perf_counter(), []
    with Machine(
        IMAGE, MEMORY, devices, clock="virtual", seed=SEED, transport=transport
    ) as machine:
        machine.shell("9p info", check=True)  # the first command wakes the shell
        for name, content in files.items():
            before = counted(machine)
            said = machine.shell(f"time 9p sum {name}", check=True).stdout
            after = counted(machine)
            found = re.search(r"crc32 (\w+)\n.* (\d+) instructions", said)
            messages = after["requests"] - before.get("requests", 0)
            rows.append((transport, len(content), messages, int(found[2]), found[1]))
    columns = ["transport", "bytes", "messages", "instructions", "crc32"]
    return pd.DataFrame(rows, columns=columns), time.perf_counter() - begun


first = {transport: run(transport) for transport in TRANSPORTS}
data = pd.concat([frame for frame, _ in first.values()], ignore_index=True)
data.pivot(index=["bytes", "messages"], columns="transport", values="instructions")

# %% [markdown]
# Does a second run say the same? Not about the same: the same.

# %%
second = {transport: run(transport) for transport in TRANSPORTS}
for transport in TRANSPORTS:
    (one, seconds), (two, again) = first[transport], second[transport]
    same = "identical" if one.equals(two) else "DIFFERENT"
    print(
        f"{transport:4}  {same}, though one took {seconds:.3f} s here and the other {again:.3f} s"
    )
    assert one.equals(two)

# %% [markdown]
# That is worth a thought. The two runs did not take equally long on your computer, and yet there is
# not one instruction between them. The guest cannot see your computer's clock, so it cannot be
# disturbed by it. There are no error bars in this write-up, because there is no error of that kind.
#
# ## Model
#
# Two unknown numbers and seven measurements: this is least squares. We weigh each of them by its
# own size, so that the small files count as much as the large ones.


# %%
def fit(frame):
    """(a, b) so that a × messages + b × bytes is as close to the instructions as can be."""
    weights = 1 / frame["instructions"].to_numpy()
    known = frame[["messages", "bytes"]].to_numpy() * weights[:, None]
    return np.linalg.lstsq(known, np.ones(len(frame)))[0]


training = data[data["bytes"].isin(SIZES)]
test = data[data["bytes"].isin(TEST_SIZES)]
model = pd.DataFrame(
    {transport: fit(found) for transport, found in training.groupby("transport")},
    index=["a: instructions for a message", "b: instructions for a byte"],
)
model.round(2)

# %% [markdown]
# A model that describes what it was made of proves nothing. So it is now asked about the five files
# that it has not seen.
#
# ### Exercise 08.1
#
# How wrong is a prediction? Write the largest *relative* error among all pairs: how far the
# prediction is from what was measured, as a share of what was measured.


# %%
def error(measured, predicted):
    """The largest relative error, as in 0.02 for two per cent."""
    raise NotImplementedError("your turn")


labs.check("08.1", error)

# %%
labs.solution("08.1")

# %%
error = labs.working("08.1", error)
test = test.assign(
    predicted=[
        np.dot(model[transport], (messages, size))
        for transport, size, messages in test[["transport", "bytes", "messages"]].to_numpy()
    ]
)
worst = error(test["instructions"].tolist(), test["predicted"].tolist())
print(f"On files that it has not seen, the model is wrong by {worst:.1%} at most.")

# %% [markdown]
# ## Figure

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
for transport, colour, marker in zip(TRANSPORTS, (BLUE, ORANGE), "ox", strict=True):
    for frame, filled in (training, True), (test, False):
        part = frame[(frame["transport"] == transport) & (frame["bytes"] > 0)]
        left.plot(
            part["bytes"],
            part["instructions"],
            marker,
            color=colour,
            markerfacecolor=colour if filled else "white",
            label=f"{transport}, {'measured' if filled else 'to test'}",
        )
    part = data[data["transport"] == transport].sort_values("bytes")
    predicted = part[["messages", "bytes"]].to_numpy() @ model[transport].to_numpy()
    left.plot(part["bytes"], predicted, color=colour, linewidth=1, alpha=0.6)
    share = 100 * part["messages"] * model.loc[model.index[0], transport] / predicted
    right.plot(part["bytes"], share, marker + "-", color=colour, label=transport)
left.set(xscale="log", yscale="log", title="The price of a file", xlabel="bytes")
left.set_ylabel("instructions of the guest")
left.legend(fontsize=8.5)
right.set(title="What of it is for messages", xlabel="bytes", ylabel="%")
right.set_xscale("symlog", linthresh=100)
right.set_ylim(0, 105)
right.legend()
plt.show()

# %% [markdown]
# *The lines are the model, filled marks are what it was made of, and empty ones what it was tested
# with. On the right: of all instructions that the guest spends on a file, the share that is paid
# for messages.*
#
# ## Result

# %%
a, b = model["mmio"]
ratio = model.loc[model.index[0], "pci"] / a - 1
print(f"A message costs {a:,.0f} instructions, and a byte {b:.1f}.")
print(f"So a message is worth {a / b:.0f} bytes: below that, it is most of the price.")
print(
    f"Over PCI a message costs {abs(ratio):.2%} {'more' if ratio > 0 else 'less'} than over MMIO."
)

# %% [markdown]
# Both parts of the hypothesis hold. What a byte costs is mostly the CRC, which takes it in two
# steps of four bits each, with a table of 16 words; with 256 words it would be one step. And the
# bus, about which people can argue at length, does not matter once the rings are set up, since both
# transports then do the same: one store to ring a bell, and one interrupt.
#
# **Threats to validity.** Instructions are not seconds. A real processor spends hundreds of cycles
# on one that misses its caches, and none of that is in these numbers. They say how much work the
# *software* has, and nothing about how long some hardware takes for it.
#
# What about the seconds of the host, then? They are the other kind of number: they scatter, and
# have to be told together with how much.
#
# ### Exercise 08.2
#
# For numbers that scatter, the median says more than the mean, since one slow run among many does
# not move it. Write a function that returns the median, and the spread: third quartile minus first
# quartile, divided by the median. (Quartiles as `numpy.quantile` has them.)


# %%
def spread(values):
    """(median, spread), as in (0.51, 0.03)."""
    raise NotImplementedError("your turn")


labs.check("08.2", spread)

# %%
labs.solution("08.2")

# %%
spread = labs.working("08.2", spread)
seconds = [run("mmio")[1] for _ in range(9)]
median, width = spread(seconds)
instructions = first["mmio"][0]["instructions"].sum()
print(f"Nine runs took {median:.3f} s (median) on this computer, with a spread of {width:.0%}.")
print(f"Each of them read all files in {instructions:,} instructions, with a spread of nothing.")

# %% [markdown]
# ## Material
#
# What a reader needs to do it again. The instructions will be the same with another Python, too;
# but who says what was there need not be believed.

# %%
packages = ["numpy", "pandas", "matplotlib", "llvmlite"]
material = {
    "vnb": vnb.__version__,
    "guest": f"{IMAGE.name}, SHA-256 {digest[:16]}…",
    "seed": SEED,
    "Python": platform.python_version(),
    **{name: importlib.metadata.version(name) for name in packages},
    "host": f"{platform.system()} on {platform.machine()}",
}
pd.Series(material, name="").to_frame()

# %% [markdown]
# Data belong beside the notebook, in a file: `Path("bytes.csv").write_text(table)`. Its digest, in
# the text, lets a reader check that it is the file that is meant, and here it does more: since
# every number is the same for everybody, so is the digest.

# %%
table = data.to_csv(index=False)
print(table[:120], "…\n", sep="")
print(len(data), "rows, SHA-256", hashlib.sha256(table.encode()).hexdigest())

# %% [markdown]
# ## How to cite
#
# Software is cited like a paper: by its authors, its title, and above all its version. For vnb that
# is in the file `CITATION.cff` of its repository, which GitHub and Zotero read.

# %%
cff = Path("..", "CITATION.cff")
text = cff.read_text() if cff.exists() else "title: vnb\nversion: unknown\n"
citation = dict(re.findall(r"^([\w-]+): \"?([^\"\n>]+)\"?$", text, re.M))
citation["author"] = " and ".join(re.findall(r"^  - name: (.+)$", text, re.M))
citation

# %% [markdown]
# ### Exercise 08.3
#
# LaTeX would like to have it as BibTeX. Write an entry of the kind `@software{vnb, …}`, with the
# fields title, author, version and year, each in braces: `title = {…}`.


# %%
def bibtex(citation):
    """An entry from a dict with title, author, version and date-released, such as 2026-01-31."""
    raise NotImplementedError("your turn")


labs.check("08.3", bibtex)

# %%
labs.solution("08.3")

# %%
bibtex = labs.working("08.3", bibtex)
if cff.exists():
    print(bibtex(citation))

# %% [markdown]
# ## Experiments that wait for somebody
#
# - What does Linux pay for each page of memory that it is given? `Machine(images.debian(),
#   memory=…, clock="virtual", seed=1, devices=[], append="rdinit=/usr/bin/busybox -- poweroff -f")`
#   boots and ends at once; `machine.wait()` and then `machine.instructions` is all there is to do.
#   (It is less than you think.)
# - How many of a million instructions does a guest spend in its kernel? `machine.hart` knows in
#   which mode it is whenever it is paused.
# - Which of `gzip`, `bzip2` and `lzma` in Debian's busybox costs how much for a byte, and what does
#   it bring?
