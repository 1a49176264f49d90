# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Hands and eyes
#
# A keyboard, a tablet and a screen are what makes a computer something that people sit in front of.
# To the computer they are three more devices with queues: two into which somebody puts small
# records, called events, and one out of which it takes pixels. It cannot tell whether that somebody
# is a hand or a program.
#
# So in this notebook a cell is the hand, and the eye. It draws with a tablet on the screen of one
# guest, types at the console of another, sees which pixels that changes, and in the end plays a
# game of which it knows nothing but the picture. Whatever the cells do here you can do as well:
# write `machine` at the end of a cell, and click on the screen that appears. (Debian has to be
# fetched once, about 110 MB; the first half needs only labos.)

# %%
import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from vnb import Console, Keyboard, Machine, Screen, Share, Tablet, images, labs

plt.style.use(["vnb.labs.figures", {"axes.grid": False}])
BLUE, ORANGE, RED = "C0", "C1", "C3"

# %% [markdown]
# ## A picture
#
# labos, the small guest that comes with vnb, can draw a test card. `machine.devices["screen"]` is
# the screen, and at the end of a cell it shows itself.

# %%
WIDTH, HEIGHT = 480, 320
tiny = Machine(
    images.labos(), memory="16M", devices=[Console(), Screen(WIDTH, HEIGHT), Tablet(), Keyboard()]
)
tiny.start()
tiny.shell("screen card", check=True)
tiny.devices["screen"]

# %% [markdown]
# To Python a screen is a numpy array, height × width × 3. Each of the bars at the top differs from
# the next in one or more of the three colours; here they are, taken apart.

# %%
frame = tiny.devices["screen"].frame
figure, panels = plt.subplots(1, 3, figsize=(9, 2.4))
for axes, name, channel in zip(panels, ("red", "green", "blue"), range(3), strict=True):
    colours = np.zeros_like(frame)
    colours[..., channel] = frame[..., channel]
    axes.imshow(colours)
    axes.set_title(f"{name}, mean {frame[..., channel].mean():.0f}", fontsize=10)
    axes.axis("off")
plt.show()

# %% [markdown]
# ## What a hand says
#
# An event is three numbers: what kind of thing happened, to which key or axis, and its new value.
# labos prints them as they come. We let it listen, and then we press a key and touch the tablet.

# %%
tiny.console.write("input show 5\n")
tiny.console.expect(" here:")
tiny.devices["keyboard"].press("LEFTSHIFT", "a")
tiny.devices["tablet"].send_tablet(16384, 8192)
prompt = tiny.console.expect("labos>")
print(prompt.string[: prompt.start()].strip())

# %% [markdown]
# Each group of events ends with `SYN_REPORT`, "all this happened at the same time". A tablet
# reports where the pen is, from 0 to 32767 in both directions, whatever the size of the screen: a
# tablet does not know what it is the tablet of.
#
# ### Exercise 07.1
#
# Where does the tablet have to point, so that the pointer is at pixel (x, y) of a screen? The first
# pixel is at 0, the last one at 32767, and both numbers have to be integers.


# %%
def to_tablet(x, y, width, height):
    """(x, y) on the tablet, as in (16384, 0)."""
    raise NotImplementedError("your turn")


labs.check("07.1", to_tablet)

# %%
labs.solution("07.1")

# %% [markdown]
# ## Drawing
#
# `screen follow` lets labos follow the tablet with a pointer, and leave a trace while the button is
# down. A curve is a list of points. This one is a rose, of the kind that Guido Grandi drew in 1723,
# and the hand that draws it is a loop.

# %%
to_tablet = labs.working("07.1", to_tablet)
tiny.console.write("screen follow\n")
tiny.console.expect(" here:")

tablet = tiny.devices["tablet"]
angles = np.linspace(0, 2 * np.pi, 600)
radius = 145 * np.cos(4 * angles)
x = np.round(WIDTH / 2 + radius * np.cos(angles)).astype(int).tolist()
y = np.round(HEIGHT / 2 + radius * np.sin(angles)).astype(int).tolist()

told_by_labos = []
tiny.devices["screen"].on_damage(told_by_labos.append)  # for later
for place in zip(x, y, strict=True):
    tablet.send_tablet(*to_tablet(*place, WIDTH, HEIGHT), buttons=1)
tablet.send_tablet(*to_tablet(440, 290, WIDTH, HEIGHT), buttons=0)
time.sleep(0.5)
tiny.devices["screen"]

# %% [markdown]
# Nobody waited for anybody here: the loop put 601 reports into a queue in a few milliseconds, and
# the guest took them out when it could. There is room for 1,024; `send_tablet` returns False when
# there is none left, and a hand that is faster than the guest should then take a breath.

# %%
tiny.console.write("q")
tiny.console.expect("labos>")
print(tiny.stats["tablet"], tiny.stats["screen"], sep="\n")
tiny.close()

# %% [markdown]
# ## A console to type at
#
# Debian has a shell on its screen, as computers had before there were windows. With `type` a cell
# types at it on a keyboard of the US kind, shift key and all; `press` holds several keys together.

# %%
lab = {}
machine = Machine(
    images.debian(),
    memory="192M",
    devices=[Console(), Keyboard(), Screen(640, 400), Share(lab, tag="lab")],
)
machine.start()
keyboard, screen = machine.devices["keyboard"], machine.devices["screen"]
machine.shell("true", timeout=120)  # waits until it has booted


def still(seconds=0.4):
    """Wait until nothing has moved on the screen for so long (but a cursor that blinks)."""
    before, since = screen.frame, time.monotonic()
    while time.monotonic() - since < seconds:
        time.sleep(0.05)
        if np.count_nonzero((screen.frame != before).any(axis=2)) > 8 * 16:
            before, since = screen.frame, time.monotonic()


still()
keyboard.type("clear; echo 'Hello, hands & eyes!' | tee /mnt/lab/note\n")
keyboard.type("cal 2 2026; uname -m\n")
still()
print(machine.devices["lab"]["note"].decode())
screen

# %% [markdown]
# ### Exercise 07.2
#
# Keys that belong together are pressed in order, all held, and let go in reverse. What does a
# keyboard have to send for `["LEFTCTRL", "c"]`?


# %%
def chord(keys):
    """A list of (key, down): as in [("a", True), ("a", False)]."""
    raise NotImplementedError("your turn")


labs.check("07.2", chord)

# %%
labs.solution("07.2")

# %% [markdown]
# A program that sleeps for a thousand seconds is woken up by Ctrl and C. And keyboards hear
# something back: whether caps lock is on is decided by the guest, which then switches a light on.

# %%
chord = labs.working("07.2", chord)
keyboard.type("sleep 1000\n")
still()
for key, down in chord(["LEFTCTRL", "c"]):
    keyboard.send_key(key, down)
keyboard.type("echo it ended with $?\n")
still()
keyboard.press("CAPSLOCK")
time.sleep(0.3)
print("lights:", set(keyboard.leds))
keyboard.press("CAPSLOCK")
time.sleep(0.3)
print("lights:", set(keyboard.leds) or "none")
screen

# %% [markdown]
# ## What changed?
#
# A screen of 640 × 400 pixels is a megabyte, and a letter is 8 × 16 pixels of it. Who shows a
# screen to somebody far away had better send the letter only.
#
# ### Exercise 07.3
#
# Given two pictures of the same size, find the smallest rectangle that holds all that is different.


# %%
def damage(before, after):
    """(x, y, width, height), or four zeros if the pictures are equal."""
    raise NotImplementedError("your turn")


labs.check("07.3", damage)

# %%
labs.solution("07.3")

# %% [markdown]
# Guests are asked for the same: whenever they have drawn something, they tell the screen which
# rectangle. `screen.on_damage` calls a function with each of these. When labos drew our rose we
# have collected them; now let us hear what Linux says when `ls` prints a few lines.

# %%
damage = labs.working("07.3", damage)
told_by_linux = []
before = screen.frame
stop = screen.on_damage(told_by_linux.append)
keyboard.type("ls -l /usr\n")
still()
stop()
x, y, width, height = damage(before, screen.frame)


def share(pixels, whole=640 * 400):
    return 100 * pixels / whole


mean = {
    f"told by labos\n({len(told_by_labos)} rectangles)": share(
        np.mean([part.width * part.height for part in told_by_labos]), WIDTH * HEIGHT
    ),
    "different": share(width * height),
    f"told by Linux\n({len(told_by_linux)} rectangles)": share(
        np.mean([part.width * part.height for part in told_by_linux])
    ),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3), width_ratios=(3, 2))
left.imshow(screen.frame)
left.axis("off")
left.add_patch(Rectangle((x, y), width, height, edgecolor=ORANGE, fill=False, linewidth=2))
left.set_title("What was different after ls -l", fontsize=10)
bars = right.barh(list(mean), list(mean.values()), color=[BLUE, ORANGE, BLUE], height=0.6)
right.bar_label(bars, fmt="%.1f %%", padding=4, color="0.3")
right.set(xlim=(0, 130), xlabel="% of the screen, on the average")
right.invert_yaxis()
plt.show()

# %% [markdown]
# labos is stingy and tells twice for each point: where the pointer was, and where it is. Linux is
# generous: its text console waits a moment, and then declares that everything is new. So whoever
# wants to send little has to compare, as your function does.

# %% [markdown]
# ## A game
#
# Something red falls down, and something blue should be there to catch it: *a* moves it to the left
# and *d* to the right. The game is a shell script of a few lines that lies in the share. It draws
# with the escape sequences that terminals have had for fifty years.

# %%
machine.devices["lab"]["catch"] = r"""
# catch ROUNDS: move the blue basket with a and d below the red things
columns=40 rows=16 basket=18 score=0 round=0
show() { printf '\033[%d;%dH\033[%sm%s\033[0m' "$2" "$1" "$3" "$4"; }
stty -echo -icanon
printf '\033[2J\033[?25l'
show 46 4 0 'C A T C H'
while [ $((round += 1)) -le $1 ]; do
    x=$((1 + (round * 29 + 7) % columns)) y=1
    while [ $y -lt $rows ]; do
        show $x $y 41 '  '
        show 1 $rows 0 "$(printf '%44s')"
        show $basket $rows 44 '      '
        for _ in 1 2 3; do
            read -n 1 -t 0.02 key || break
            case $key in a) : $((basket -= 2)) ;; d) : $((basket += 2)) ;; esac
        done
        [ $basket -ge 1 ] || basket=1
        [ $basket -le $columns ] || basket=$columns
        show $x $y 0 '  '
        : $((y += 1))
    done
    [ $x -ge $((basket - 1)) ] && [ $x -le $((basket + 5)) ] && : $((score += 1))
    show 46 6 0 "caught $score of $round"
done
printf '\033[?25h\033[18;1H'
stty sane
echo $score >/mnt/lab/score
"""

# %% [markdown]
# The player is a loop of a few lines as well. It knows nothing of the script. It looks at the
# screen, where the red and the blue pixels are, and presses a key.


# %%
def middle(frame, colour):
    """The column in the middle of all that is mostly red (0) or blue (2); None if nothing is."""
    others = [channel for channel in range(3) if channel != colour]
    bright = (frame[..., colour] > 120) & (frame[..., others].max(axis=2) < 60)
    columns = bright.any(axis=0).nonzero()[0]
    return columns.mean() if columns.size else None


def play(rounds, patience=60):
    """Play until the game has ended; the score, and what the player saw."""
    files = machine.devices["lab"]
    if "score" in files:
        del files["score"]
    keyboard.type(f"clear; sh /mnt/lab/catch {rounds}\n")
    seen, begun = [], time.monotonic()
    while not files.get("score") and time.monotonic() - begun < patience:
        frame = screen.frame
        red, blue = middle(frame, 0), middle(frame, 2)
        if red is not None and blue is not None:
            seen.append((time.monotonic() - begun, red, blue, frame))
            if abs(red - blue) > 12:
                keyboard.press("a" if red < blue else "d")
        time.sleep(0.03)
    return int(files.get("score", 0)), seen


score, seen = play(rounds=8)
print(f"{score} of 8 caught, in {seen[-1][0]:.1f} s; {len(seen)} looks at the screen")

# %%
figure = plt.figure(figsize=(9, 4.6))
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1))
for axes, place in zip(
    top.subplots(1, 4), np.linspace(5, len(seen) - 5, 4, dtype=int), strict=True
):
    axes.imshow(seen[place][3][:290, :520])
    axes.set_title(f"{seen[place][0]:.1f} s", fontsize=9)
    axes.axis("off")
axes = bottom.subplots()
when, red, blue, _ = zip(*seen, strict=True)
axes.plot(when, red, ".", color=RED, markersize=4, label="what falls")
axes.plot(when, blue, color=BLUE, label="the basket")
axes.set(title="The game as the player saw it", xlabel="seconds", ylabel="column of the screen")
axes.legend(loc="upper right", ncols=2)
axes.set_ylim(-10, 460)
plt.show()

# %% [markdown]
# A loop from pixels to keys: that is all a robot has that learns to play video games. Yours could
# be better than this one. It forgets, for example, that a key takes a while to have an effect.
#
# And if you want to play yourself: write `machine` in a cell, click on its screen, and type `sh
# /mnt/lab/catch 20`.

# %%
machine.close()
print("and a good night to the screen")

# %% [markdown]
# ## Things to try
#
# - `Touch()` is a screen for ten fingers, `Mouse()` only knows of motion. Let labos show their
#   events.
# - `screen.resize(800, 600)` asks the guest for another size while it runs; labos follows.
# - `cat /dev/urandom > /dev/fb0` is snow, as on an old television. What is the smallest program
#   that writes a picture of yours there? (Four bytes for a pixel: blue, green, red, and one that
#   nobody looks at.)
# - Make the player lose on purpose, but only just.
