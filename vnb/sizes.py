"""Numbers of bytes as people write them."""

import re

from vnb.errors import UsageError

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size_in_bytes(value: int | str, name: str) -> int:
    """Bytes in `value`: an int, or a text such as "256M" (K, M, G, T are powers of 1024)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", value, re.IGNORECASE)
        if match:
            return int(float(match[1]) * UNITS[match[2].upper()])
    raise UsageError(f'{name}={value!r}: give a size such as "256M", "1G" or a number of bytes')


def in_words(count: int) -> str:
    """A number of bytes as a cell would write it: 268435456 is "256M"."""
    for unit in ("T", "G", "M", "K"):
        if count >= UNITS[unit]:
            amount = count / UNITS[unit]
            return f"{amount:.0f}{unit}" if amount == int(amount) else f"{amount:.1f}{unit}"
    return str(count)
