"""What a compile tells the person who waits for it: a line on stderr, gone when it is done."""

import sys
from types import TracebackType
from typing import Any


class Progress:
    """A tqdm bar of named steps; tqdm is loaded when the first bar is shown."""

    def __init__(self, title: str, steps: int) -> None:
        from tqdm.auto import tqdm

        self._bar: Any = tqdm(
            total=steps,
            desc=f"vnb: {title}",
            leave=False,
            file=sys.stderr,
            bar_format="{desc} |{bar:20}| {elapsed} {postfix}",
        )

    def step(self, done: str) -> None:
        """One step is done."""
        self._bar.set_postfix_str(done)
        self._bar.update(1)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
