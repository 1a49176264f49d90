"""A source of random numbers as a cell asks for it."""

import random as streams
from dataclasses import dataclass

from vnb import virtio
from vnb.config.part import Part, Random, numbered
from vnb.errors import UsageError


@dataclass(frozen=True)
class Entropy(Part):
    """Random numbers for the guest: /dev/hwrng in Linux.

    They are the host's, or those of the machine's seed, or with `seed` the bytes that Python's
    `random.Random(seed).randbytes` gives, from their beginning at every power-on.
    """

    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed is not None and (
            isinstance(self.seed, bool) or not isinstance(self.seed, int)
        ):
            raise UsageError(f"seed={self.seed!r}: seed is a number, or None")

    def name(self, index: int) -> str:
        """Linux uses one at a time, the first; the others are spare."""
        return numbered("entropy", index)

    def open(self) -> None:
        """Nothing: there is no more to it than the numbers."""

    def device(self, backend: None, name: str, random: Random) -> virtio.Device:
        """The device that gives them out."""
        chosen = random if self.seed is None else streams.Random(self.seed).randbytes
        return virtio.Entropy(chosen)

    def __str__(self) -> str:
        return "entropy" if self.seed is None else f"entropy (seed {self.seed})"
