"""The words of a cell, checked: choices among a few, and numbers."""

from collections.abc import Sequence

from vnb.errors import UsageError


def one_of(value: object, name: str, allowed: Sequence[str]) -> None:
    """UsageError unless `value` is one of the words `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        words = ", ".join(map(repr, allowed))
        raise UsageError(f"{name}={value!r}: {name} is one of {words}")


def number_from(value: object, name: str, least: int, most: int) -> None:
    """UsageError unless `value` is an integer from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{name}={value!r}: {name} is a number from {least} to {most}")
