# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A network on your desk
#
# One computer is a machine; two are a network. In this notebook there are three, in one Python
# process: two that run Debian, and one that runs *labos*, the small guest that comes with vnb. They
# are plugged into the same switch. That switch is a Python object, so we can do to it what one can
# rarely do to a real one: read every frame, make the cables longer than the Atlantic, lose every
# hundredth packet by the throw of a die, and pull a plug in the middle of a download without
# getting up.
#
# You will see ARP find a neighbour, TCP feel its way up to the speed of a wire, a queue that is too
# long, and a connection that survives a cut cable. Debian has to be fetched once, about 110 MB.

# %%
import re
import struct
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from vnb import Console, Machine, Net, Switch, images, labs

plt.style.use("vnb.labs.figures")
BLUE, ORANGE, GREEN, RED = "C0", "C1", "C2", "C3"
folder = Path(tempfile.mkdtemp(prefix="vnb-"))

# %% [markdown]
# ## Three machines and a switch
#
# `Net(lan)` is a network card whose cable ends in `lan`. With `address=…` Debian sets the card up
# when it boots. *ada* and *bob* run Debian, and *tiny* runs labos, which we tell its address
# ourselves. All three boot at the same time.

# %%
lan = Switch()


def debian(number):
    """A Debian machine with the address 10.0.0.NUMBER."""
    card = Net(lan, address=f"10.0.0.{number}/24")
    return Machine(images.debian(), memory="192M", devices=[Console(), card])


ada, bob = debian(1), debian(2)
tiny = Machine(images.labos(), memory="16M", devices=[Console(), Net(lan)])
for machine in ada, bob, tiny:
    machine.start()

tiny.shell("net address 10.0.0.3/24", check=True)
for name, machine in {"ada": ada, "bob": bob}.items():
    machine.shell(f"hostname {name}", check=True)
    print(name, machine.devices["eth0"])
print("tiny", tiny.devices["eth0"])

# %%
figure, axes = plt.subplots(figsize=(8, 2.6))
axes.set(xlim=(0, 10), ylim=(0, 3.2))
axes.axis("off")
box = {"boxstyle": "round,pad=0.5", "linewidth": 1.5, "facecolor": "white"}
for x, name, host, colour in (1.6, "ada", 1, BLUE), (5, "tiny", 3, GREEN), (8.4, "bob", 2, ORANGE):
    axes.plot([x, 5], [2.3, 0.6], color="0.6", linewidth=2, zorder=0)
    card = {"ada": ada, "bob": bob, "tiny": tiny}[name].devices["eth0"]
    system = "labos" if name == "tiny" else "Debian"
    words = f"{name} · {system}\n10.0.0.{host}\n{card.mac.hex(':')}"
    axes.text(x, 2.3, words, ha="center", va="center", bbox=box | {"edgecolor": colour})
words = "Switch\na Python object of this notebook"
axes.text(5, 0.5, words, ha="center", va="center", bbox=box | {"facecolor": "0.93"})
plt.show()

# %% [markdown]
# ## Is anybody there?
#
# `ping` sends a packet that asks to be sent back. Linux asks labos and labos asks Linux: two
# systems that have no line of code in common, and yet they understand each other. That is what
# standards are for.

# %%
print(ada.shell("ping -c 3 -i 0.2 10.0.0.3", check=True))
print(tiny.shell("ping 10.0.0.2 2", check=True))

# %% [markdown]
# ## What the switch sees
#
# `lan.capture(path)` writes every frame that comes into the switch to a file of the kind that
# Wireshark reads. We let *bob* forget his neighbours first, so that he has to look for them anew.

# %%
with lan.capture(folder / "ping.pcap"):
    bob.shell("ip neigh flush dev eth0; ping -c 2 -i 0.2 10.0.0.1", check=True)
    time.sleep(0.05)

# %% [markdown]
# The format is simple enough to read it without a library: 24 bytes for the whole file, and before
# each frame 16 bytes with its time and its length.


# %%
def read_pcap(path):
    """(seconds, frame) of each frame in the file, where the first one is at 0."""
    content, place, frames = path.read_bytes(), 24, []
    while place < len(content):
        seconds, fraction, kept, _ = struct.unpack_from("<IIII", content, place)
        place += 16 + kept
        frames.append((seconds + fraction / 1e9, content[place - kept : place]))
    return [(when - frames[0][0], frame) for when, frame in frames]


frames = read_pcap(folder / "ping.pcap")
print(len(frames), "frames; the first one:\n")
print(frames[0][1].hex(" "))

# %% [markdown]
# ### Exercise 05.1
#
# An Ethernet frame begins with the address that it goes to (6 bytes), the one that it comes from (6
# bytes), and a number that says what is inside (2 bytes, the high one first). Write the function
# that reads them. `labs.check` says in words what is not right yet, and a solution is folded up
# below. The notebook goes on with your function as soon as it is right.


# %%
def header(frame):
    """(to, from, type), as in ("ff:ff:ff:ff:ff:ff", "02:76:6e:62:00:02", 0x0806)."""
    raise NotImplementedError("your turn")


labs.check("05.1", header)

# %%
labs.solution("05.1")

# %% [markdown]
# With it the capture can be told as a story. Read it from the top: who asks whom, and why does the
# question come before the ping?

# %%
header = labs.working("05.1", header)
CARDS = {"ada": ada, "bob": bob, "tiny": tiny}
NAMES = {machine.devices["eth0"].mac.hex(":"): name for name, machine in CARDS.items()}
NAMES["ff:ff:ff:ff:ff:ff"] = "everybody"


def ip(data):
    return ".".join(map(str, data))


def tell(frame):
    """What a frame says, in words."""
    kind = header(frame)[2]
    if kind == 0x0806:
        if frame[21] == 1:
            return f"ARP: who has {ip(frame[38:42])}? Tell {ip(frame[28:32])}"
        return f"ARP: {ip(frame[28:32])} is at {frame[22:28].hex(':')}"
    if kind == 0x0800 and frame[23] == 1:
        words = {8: "please send this back", 0: "here you are"}[frame[34]]
        return f"ICMP: {words}, number {frame[41]}"
    return f"type {kind:#06x}"


for when, frame in frames:
    to, sender, _ = header(frame)
    way = f"{NAMES.get(sender, sender):5} → {NAMES.get(to, to):10}"
    print(f"{1000 * when:7.2f} ms  {way} {tell(frame)}")

# %% [markdown]
# IP addresses are for people and routers; a switch only knows the addresses of cards. So the first
# thing that *bob* does is to ask everybody who has the IP address that he is looking for: a frame
# to `ff:ff:ff:ff:ff:ff`, the only one here that *tiny* heard. From the sender of each frame the
# switch learns which way to go, and sends later frames only there.
#
# ### Exercise 05.2
#
# Every IP header and every ICMP message has a checksum, the same one since 1981: take the bytes two
# by two as numbers (high byte first; add a zero if one is left over), add them all up, add whatever
# is above 16 bits to what is below until nothing is above, and invert the 16 bits. Over a packet
# that is whole, *with* its checksum in it, that gives 0.


# %%
def checksum(data):
    """The Internet checksum of some bytes, from 0 to 0xffff."""
    raise NotImplementedError("your turn")


labs.check("05.2", checksum)

# %%
labs.solution("05.2")

# %%
checksum = labs.working("05.2", checksum)
echo = next(frame for _, frame in frames if header(frame)[2] == 0x0800)
broken = echo[:50] + bytes([echo[50] ^ 1]) + echo[51:]
print(f"IP header    {checksum(echo[14:34]):#06x}")
print(f"ICMP message {checksum(echo[34:]):#06x}")
print(f"…with one bit turned over {checksum(broken[34:]):#06x}")

# %% [markdown]
# ## A longer cable
#
# Light takes 5 µs for a kilometre of fibre. `lan.latency` is the time in seconds that each frame is
# under way, so with `lan.latency = 0.02` our desk is 4,000 km wide. It may be changed at any time.
# A ping goes there and back, so it should take twice as long, and a little more for the two systems
# at its ends.

# %%
settings = [0, 2, 5, 10, 20]  # ms, one way
times = []
for milliseconds in settings:
    lan.latency = milliseconds / 1000
    said = ada.shell("ping -c 8 -i 0.05 10.0.0.2", check=True).stdout
    times.append([float(found) for found in re.findall(r"time=([\d.]+)", said)])
lan.latency = 0

figure, axes = plt.subplots()
axes.plot([0, 20], [0, 40], color="0.5", linestyle="--", label="twice the latency")
for milliseconds, found in zip(settings, times, strict=True):
    axes.plot([milliseconds] * len(found), found, "o", color=BLUE, alpha=0.5)
axes.plot([], [], "o", color=BLUE, label="a ping")
axes.set(title="There and back", xlabel="latency of the switch [ms]", ylabel="time of a ping [ms]")
axes.legend()
plt.show()

# %% [markdown]
# ## TCP feels its way
#
# Now something larger. *bob* becomes a web server with a file of one megabyte, the switch gets
# cables of 10 Mbit/s and a latency of 40 ms, and *ada* downloads the file while we write down every
# frame.
#
# *bob* cannot know how fast the way to *ada* is. If he sends too slowly he wastes the wire; too
# fast, and queues overflow. So TCP begins with ten packets and then waits. For each one that *ada*
# acknowledges, two more may leave: the number under way doubles with every round trip. They call
# that *slow start*, although it is the fastest thing that TCP ever does.
#
# (Today's Linux ends slow start early when answers begin to take longer. We switch that off, with
# `hystart`, to see TCP as the textbooks have it, and because answers that come from an emulator
# take longer whenever your computer has something else to do.)

# %%
SIZE = 1_000_000
bob.shell("echo 0 > /sys/module/tcp_cubic/parameters/hystart", check=True)
bob.shell(f"head -c {SIZE} /dev/urandom > /tmp/data; httpd -p 80 -h /tmp", check=True)


def download():
    """Seconds that it takes ada to get the file from bob."""
    return ada.shell("wget -q -O /dev/null http://10.0.0.2/data", check=True, timeout=60).seconds


lan.bandwidth, lan.latency = 10e6, 0.04
with lan.capture(folder / "web.pcap"):
    seconds = download()
print(f"{SIZE / 1e6:g} MB in {seconds:.2f} s: {8 * SIZE / seconds / 1e6:.1f} Mbit/s")


# %% [markdown]
# Each data packet says where in the stream its bytes belong, and each acknowledgement says how far
# *ada* has got. Both are numbers in the TCP header, so a capture is a complete diary of the
# connection.


# %%
def tcp(frames, sender):
    """Of one side's packets: seconds, sequence numbers, acknowledgements, bytes of data."""
    rows = []
    for when, frame in frames:
        if frame[12:14] == b"\x08\x00" and frame[23] == 6 and frame[26:30] == sender:
            _, _, sequence, acknowledged, words = struct.unpack_from(">HHIIB", frame, 34)
            length = struct.unpack_from(">H", frame, 16)[0] - 20 - 4 * (words >> 4)
            rows.append((when, sequence, acknowledged, length))
    return np.array(rows, dtype=float).T


frames = read_pcap(folder / "web.pcap")
ADA, BOB = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
when, sequence, _, length = tcp(frames, BOB)
data = length > 0
first = sequence[data].min()
sent_at, sent = when[data], (sequence + length - first)[data]
ack_at, _, acked, _ = tcp(frames, ADA)
begun = acked > first
ack_at, acked = ack_at[begun], acked[begun] - first

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
start = sent_at[0]
for axes in left, right:
    axes.plot(sent_at - start, sent / 1e3, ".", color=ORANGE, markersize=4, label="sent by bob")
    axes.step(ack_at - start, acked / 1e3, where="post", color=BLUE, label="acknowledged by ada")
    axes.set(xlabel="seconds since the first data")
soon = sent_at - start < 0.4
left.set(xlim=(-0.01, 0.4), title="The first moments", ylabel="kB of the file")
left.set_ylim(-8, 1.1 * sent[soon].max() / 1e3)
right.set_title("The whole download")
right.legend(loc="lower right")
plt.show()

# %% [markdown]
# On the left the flights are easy to see: ten packets, a pause of one round trip, twenty, a pause,
# forty… until the flights are so long that they touch. From then on the wire is hardly ever idle,
# and on the right the curve is a straight line, whose slope is the 10 Mbit/s.
#
# What is between the two curves at a time is under way: it has been sent, but *bob* has not heard
# yet that it arrived.

# %%
under_way = sent - np.interp(sent_at, ack_at, acked, left=0)
figure, axes = plt.subplots()
axes.fill_between(sent_at - start, under_way / 1e3, color=ORANGE, alpha=0.3)
axes.plot(sent_at - start, under_way / 1e3, color=ORANGE)
wire = 10e6 / 8 * 0.08 / 1e3
axes.axhline(wire, color="0.4", linestyle="--", label="what fits on the wire")
axes.set(title="Under way", xlabel="seconds since the first data", ylabel="kB", ylim=0)
axes.legend(loc="upper left")
plt.show()

# %% [markdown]
# A wire of 10 Mbit/s that takes 80 ms there and back holds 100 kB, like a pipe holds water. TCP
# does not stop there: it goes on to send more, and whatever is above the dashed line does not
# travel at all. It waits in the queue before the wire. We come back to that.
#
# ### Exercise 05.3
#
# How fast can TCP be at most, if no more than `window` bytes may be under way, an answer takes
# `rtt` seconds, and the wire carries `bandwidth` bits in a second?


# %%
def limit(window, rtt, bandwidth):
    """Bits in a second."""
    raise NotImplementedError("your turn")


labs.check("05.3", limit)

# %%
labs.solution("05.3")

# %% [markdown]
# Let us see whether the formula is good for anything. We forbid *ada* to promise more room than 32
# kB (that is her *receive window*, `tcp_rmem` in Linux, of which half may be used for data), and
# download over wires of different length. Without a small window the latency should hardly matter.

# %%
limit = labs.working("05.3", limit)
latencies = np.array([2, 15, 50])  # ms
MEMORY = {"32 kB": "4096 65536 65536", "as Linux likes": "4096 131072 6291456"}
speeds = {}
for name, memory in MEMORY.items():
    ada.shell(f"echo {memory} > /proc/sys/net/ipv4/tcp_rmem", check=True)
    speeds[name] = []
    for milliseconds in latencies:
        lan.latency = milliseconds / 1e3
        speeds[name].append(8 * SIZE / download() / 1e6)

figure, axes = plt.subplots()
curve = np.linspace(2, 105, 200)  # ms, there and back
bound = [limit(32768, rtt / 1e3, 10e6) / 1e6 for rtt in curve]
axes.plot(curve, bound, color="0.5", linestyle="--", label="the formula, for 32 kB")
for (name, found), style in zip(speeds.items(), ({"color": RED}, {"color": GREEN}), strict=True):
    axes.plot(2 * latencies, found, "o-", **style, label=f"window {name}")
axes.set(title="A short window and a long wire", xlabel="there and back [ms]", ylabel="Mbit/s")
axes.set_ylim(0, 11)
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# The window is a matter of memory and of trust, and for years it was the reason why downloads from
# far away were slow on the fastest line. (The measured points stay below the formula because each
# download has to start slowly, and a short one never gets over that.)
#
# ## One packet in a hundred
#
# Wires also lose things. `lan.loss` is the share of frames that disappear; `Switch(seed=…)` decides
# which. TCP notices that something is missing, sends it again, and believes that it was too fast: a
# loss to TCP is what a red light is to a driver. So the damage is far greater than one per cent.
# (What gets lost at 0 % did not fit into a queue; that is the next section.)

# %%
losses = [0, 0.5, 2, 5]  # per cent
lan.latency = 0.02
found, lost = [], []
for percent in losses:
    lan.loss = percent / 100
    before = lan.lost
    found.append(8 * SIZE / download() / 1e6)
    lost.append(lan.lost - before)
lan.loss = 0

figure, axes = plt.subplots()
bars = axes.bar([f"{percent:g} %" for percent in losses], found, color=BLUE, width=0.6)
words = [f"{speed:.1f} Mbit/s\n{count} lost" for speed, count in zip(found, lost, strict=True)]
axes.bar_label(bars, words, padding=3, fontsize=9, color="0.3")
axes.set(title="Throughput with loss, on a wire of 10 Mbit/s", xlabel="loss", ylabel="Mbit/s")
axes.set_ylim(0, 1.3 * max(found))
axes.grid(axis="x", visible=False)
plt.show()

# %% [markdown]
# ## A queue that is too long
#
# Every port of our switch has a queue of 256 frames before its wire. On a wire of 5 Mbit/s the last
# of these waits 0.6 s for its turn. What does that mean for somebody who only wants to play a game,
# while somebody else downloads a file over the same wire? We ping every 100 ms and start a download
# after one second.
#
# When the download really ran we need not measure, because the machine has kept count: the data
# frame `machine.stats.to_pandas()` says what each of its devices did, in samples of 25 ms.

# %%
card = ada.stats["eth0"]


def clock():
    """Seconds, as the machine's statistics count them."""
    return (time.perf_counter_ns() - card.born) / 1e9


def received(since):
    """What ada's card received from then on: a data frame with `seconds` and `amount` in bytes."""
    samples = ada.stats.to_pandas().query("device == 'eth0' and counter == 'received'")
    return samples.assign(seconds=samples.seconds - since).query("seconds >= 0")


lan.bandwidth, lan.latency = 5e6, 0.005
ada.shell("(sleep 1; wget -q -O /dev/null http://10.0.0.2/data) > /dev/null 2>&1 &", check=True)
begun = clock()
said = bob.shell("ping -c 45 -i 0.1 10.0.0.1", check=True).stdout
pings = [(int(n) / 10, float(t)) for n, t in re.findall(r"seq=(\d+) .*time=([\d.]+)", said)]
busy = received(since=begun).query("amount > 5000").seconds  # more than pings are
lan.bandwidth = None

figure, axes = plt.subplots()
axes.axvspan(busy.min(), busy.max(), color=ORANGE, alpha=0.15, label="somebody downloads")
axes.plot(*np.transpose(pings), "o-", color=BLUE, markersize=4, label="ping")
axes.set(title="Who waits for whom", xlabel="seconds", ylabel="there and back [ms]", ylim=0)
axes.legend(loc="upper right")
plt.show()

# %% [markdown]
# TCP only slows down when something gets lost, and nothing gets lost before the queue is full. So
# it fills every queue that it finds, and everybody who shares the wire stands in line behind it.
# The illness is called *bufferbloat*; the cure is a shorter queue, or one that drops packets in
# time.
#
# ## Pulling the cable
#
# `machine.devices["eth0"].carrier = False` takes the plug out of a card. The guest notices at once,
# as it would with a real one:

# %%
ada.devices["eth0"].carrier = False
time.sleep(0.1)
print(ada.shell("ip link show eth0; cat /sys/class/net/eth0/carrier"))
ada.devices["eth0"].carrier = True

# %% [markdown]
# Does a download survive that? IP promises nothing about packets, and TCP does not care why one is
# missing. We start a download, pull the cable when a quarter has arrived, and put it back a second
# later.

# %%
lan.bandwidth, lan.latency = 5e6, 0.005
cable = ada.devices["eth0"]
before, begun = card["received"], clock()
ada.shell("wget -q -O /tmp/copy http://10.0.0.2/data > /dev/null 2>&1 &", check=True)
while card["received"] - before < SIZE / 4:
    time.sleep(0.01)

cable.carrier = False
out = clock() - begun
time.sleep(1)
cable.carrier = True
back = clock() - begun

ada.shell("while pidof wget > /dev/null; do usleep 50000; done", timeout=60)
copy = ada.shell("sha256sum < /tmp/copy", check=True).stdout
original = bob.shell("sha256sum < /tmp/data", check=True).stdout
print("The file is", "whole." if copy == original else "broken.")

# %%
arrived = received(since=begun)
edges = np.arange(0, arrived.seconds.max() + 0.2, 0.1)
rates = np.histogram(arrived.seconds, edges, weights=arrived.amount)[0] * 8 / 0.1 / 1e6

figure, axes = plt.subplots()
axes.axvspan(out, back, color=RED, alpha=0.12, label="no cable")
axes.stairs(rates, edges, fill=True, color=BLUE, alpha=0.6, label="received by ada")
axes.set(title="A download that survives", xlabel="seconds", ylabel="Mbit/s")
axes.set_ylim(0, 1.3 * rates.max())
axes.legend(loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# Look at what happens after the cable is back: nothing, for a while. *bob* repeats a lost packet
# after some 200 ms, then after twice as long, then four times, so as not to shout at somebody who
# is not there. The next attempt comes only when its time has come, however soon the cable returned.
#
# ## Power off
#
# `close` gives the memory back, and takes the cards off the switch.

# %%
for machine in ada, bob, tiny:
    machine.close()
for path in folder.iterdir():
    path.unlink()
print(lan)

# %% [markdown]
# ## Things to try
#
# - `Switch(bandwidth=1e6, latency=0.3)` is what a satellite used to be like. Write a web page for
#   it.
# - Linux knows other ways to react to a loss: `echo reno >
#   /proc/sys/net/ipv4/tcp_congestion_control` on *bob*. Draw the bytes under way of both.
# - `lan.join(vnb.host.ether.Tap())` connects all of this with your own computer (on Linux, if you
#   are allowed to), `Stream("localhost:4444")` with another notebook, or with QEMU.
# - Open `ping.pcap` in Wireshark: `machine.devices["eth0"].capture(path)` makes such files for one
#   card.
