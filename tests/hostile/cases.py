"""How many hostile cases are tried, VNB_CASES times as many, and from which seed."""

import os

TIMES = float(os.environ.get("VNB_CASES", "1"))
SEED = int(os.environ.get("VNB_SEED", "1"))

CHAINS = 1_000_000
"""Rings with nonsense in them."""

PROGRAMS = 200_000
"""Sequences of 50 register accesses."""

REQUESTS = 500_000
"""Chains that are in order and ask for anything."""

GPU_COMMANDS = 20_000
"""One after another, to one device."""


def share(total: int, parts: int) -> int:
    """Of so many cases, those of one of `parts` tests."""
    return max(1, round(total * TIMES / parts))
