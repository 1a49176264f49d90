"""The open files of this process, where Linux shows them."""

import os


def descriptors() -> set[tuple[str, str]]:
    """(number, what it stands for) of each: other tests' files may be closed meanwhile."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
        except FileNotFoundError:
            continue  # the listing's own, or closed meanwhile
    return found
