"""A page that remembers what it was given."""

from typing import Any


class Paper:
    """`text` is all that was printed, `shown` the things, `told` the lines."""

    def __init__(self) -> None:
        self.text = ""
        self.shown: list[Any] = []
        self.told: list[str] = []

    def print(self, text: str) -> None:
        self.text += text

    def show(self, thing: Any) -> None:
        self.shown.append(thing)

    def tell(self, text: str) -> None:
        self.told.append(text)
