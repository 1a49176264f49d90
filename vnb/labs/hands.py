"""The exercises of notebook 07: where a hand points, what it types, and what a screen shows."""

from typing import Any

from vnb.labs.exercise import Exercise, asked, expect

MOST = 0x7FFF


def to_tablet(x: int, y: int, width: int, height: int) -> tuple[int, int]:
    """Where a tablet has to point for pixel (x, y) of a screen; each from 0 to 32767."""
    across, down = width - 1, height - 1  # rounded up, because guests round down
    return (x * 32767 + across - 1) // across, (y * 32767 + down - 1) // down


def examine_to_tablet(answer: object) -> str:
    """Corners, the middle and many other pixels, brought back as labos does it."""
    for width, height in (640, 480), (1024, 768), (333, 77):
        places = [(0, 0), (width - 1, height - 1), (width // 2, height // 2)]
        places += [(n * 37 % width, n * 23 % height) for n in range(100)]
        for x, y in places:
            found = asked(answer, x, y, width, height)
            words = f"pixel ({x}, {y}) of {width}×{height}"
            pair = isinstance(found, tuple) and len(found) == 2
            expect(pair and all(isinstance(n, int) for n in found), f"{words}: give two integers")
            inside = all(0 <= n <= MOST for n in found)
            expect(inside, f"{words}: {found} is beside the tablet, which ends at {MOST}")
            near = all(
                abs(n * (pixels - 1) / MOST - place) < 1
                for n, pixels, place in zip(found, (width, height), (x, y), strict=True)
            )
            expect(near, f"{words}: {found} is not there; pixel 0 is 0 and the last is {MOST}")
    return "whatever the size of the screen, the hand finds its pixel."


def chord(keys: list[str]) -> list[tuple[str, bool]]:
    """What to send for keys that are held together: (key, down), pressed, then let go."""
    return [(key, True) for key in keys] + [(key, False) for key in reversed(keys)]


def examine_chord(answer: object) -> str:
    """One key, two, and three."""
    for keys in ["a"], ["LEFTCTRL", "c"], ["LEFTCTRL", "LEFTALT", "DELETE"]:
        found = asked(answer, list(keys))
        words = "+".join(keys)
        expect(isinstance(found, list), f"{words}: give a list of (key, down)")
        found = [tuple(event) for event in found]
        stuck = {key for key, down in found if down} - {key for key, down in found if not down}
        expect(not stuck, f"{words}: who lets go of {', '.join(sorted(stuck))}?")
        downs = [key for key, down in found if down]
        expect(downs == keys, f"{words}: press {keys}, in this order, not {downs}")
        together = [down for _, down in found] == [True] * len(keys) + [False] * len(keys)
        expect(together, f"{words}: they are held at the same time, so all go down before any up")
        expect(found == chord(keys), f"{words}: the one that was pressed last is let go first")
    return "this is what `press` of the keyboard sends."


def damage(before: Any, after: Any) -> tuple[int, int, int, int]:
    """(x, y, width, height) of the smallest rectangle that holds all that changed; or zeros."""
    ys, xs = (before != after).any(axis=2).nonzero()
    if len(xs) == 0:
        return 0, 0, 0, 0
    left, top = int(xs.min()), int(ys.min())
    return left, top, int(xs.max()) - left + 1, int(ys.max()) - top + 1


def examine_damage(answer: object) -> str:
    """Nothing, a pixel, a corner, and two dots far from each other, in one colour only."""
    import numpy

    before = numpy.full((40, 60, 3), 7, numpy.uint8)
    cases: tuple[tuple[str, list[tuple[int, int]]], ...] = (
        ("one pixel at (5, 9)", [(5, 9)]),
        ("the first pixel and the last", [(0, 0), (59, 39)]),
        ("dots at (30, 4) and (10, 20)", [(30, 4), (10, 20)]),
        ("two equal pictures", []),
    )
    for words, dots in cases:
        after = before.copy()
        for x, y in dots:
            after[y, x, 2] = 200  # only blue
        found = asked(answer, before.copy(), after)
        right = damage(before, after)
        four = isinstance(found, tuple) and len(found) == 4
        expect(four, f"{words}: give (x, y, width, height)")
        turned = found == (right[1], right[0], right[3], right[2]) != right
        expect(not turned, f"{words}: rows are y; the first axis of a picture goes down")
        expect(tuple(map(int, found)) == right, f"{words}: {right}, not {tuple(map(int, found))}")
    return "a screen that sends no more than this is quick over a slow network."


EXERCISES = {
    "07.1": Exercise(to_tablet, examine_to_tablet),
    "07.2": Exercise(chord, examine_chord),
    "07.3": Exercise(damage, examine_damage),
}
