"""What an exercise is, and how the verdict on an answer to it shows itself."""

import html
import inspect
import pprint
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HERE = str(Path(__file__).parents[1])


class Wrong(Exception):
    """What is wrong with an answer, in words for those who gave it."""


@dataclass(frozen=True)
class Exercise:
    """`reference` is a right answer; `examine` says of any what it shows, or raises Wrong."""

    reference: Any
    examine: Callable[[Any], str]

    def solution(self) -> str:
        """The right answer as a cell would have it, so without annotations."""
        if not callable(self.reference):
            return pprint.pformat(self.reference)
        source = inspect.getsource(self.reference)
        signature = inspect.signature(self.reference)
        plain = [part.replace(annotation=part.empty) for part in signature.parameters.values()]
        signature = signature.replace(parameters=plain, return_annotation=signature.empty)
        body = source[source.index('    """') :]
        return f"def {self.reference.__name__}{signature}:\n{body}"


def expect(right: object, words: str) -> None:
    """Wrong, with these words, unless it is right."""
    if not right:
        raise Wrong(words)


def called(function: object, *args: object) -> Any:
    """What the student's function returns for these; Wrong if it is none, or takes others."""
    expect(callable(function), "the answer is the function itself: give its name, without brackets")
    assert callable(function)
    try:
        inspect.signature(function).bind(*args)
    except TypeError as error:
        raise Wrong(f"it is called with {len(args)} arguments, but {error}") from None
    return function(*args)


def asked(function: object, *args: object) -> Any:
    """As `called`, for a function that has something to return."""
    found = called(function, *args)
    expect(found is not None, "it returns None; if it is written, does it end in a return?")
    return found


class Attempt:
    """What becomes of an examination: `words`, and whether the answer `passed`.

    Whatever an answer raises, or makes the examination raise, is part of the verdict.
    """

    def __init__(self) -> None:
        self.words = ""
        self.passed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.passed = error is None
        if isinstance(error, Wrong):
            self.words = str(error)
        elif isinstance(error, NotImplementedError):
            self.words = "it is not written yet"
        elif isinstance(error, Exception):
            what = f"{type(error).__name__}: {error}"
            line = line_of(trace)
            self.words = f"line {line} of it raises {what}" if line else f"it does not fit: {what}"
        return isinstance(error, Exception)


def line_of(trace: TracebackType | None) -> int | None:
    """The line, in its cell or file, of the innermost call that is not vnb's."""
    line = None
    while trace:
        if not trace.tb_frame.f_code.co_filename.startswith(HERE):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


class Verdict:
    """Whether an answer is right, and why; below a cell, a line with a coloured edge."""

    def __init__(self, name: str, passed: bool, words: str) -> None:
        self.name = name
        self.passed = passed
        self.words = words

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{self.name} {'right' if self.passed else 'not yet'}: {self.words}"

    def _repr_html_(self) -> str:
        colour, mark = ("#3a9a5b", "✓ right") if self.passed else ("#d08a2a", "○ not yet")
        words = html.escape(self.words[:1].upper() + self.words[1:])
        return (
            f'<div style="border-left:4px solid {colour};padding:0.3em 0.8em;margin:0.3em 0">'
            f'<b style="color:{colour}">{self.name} {mark}</b><br>{words}</div>'
        )


class Solution:
    """The text of a right answer, folded up where a page can do that."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return (
            f'<details style="margin:0.3em 0"><summary style="cursor:pointer">A solution of'
            f" {self.name}: try first, then unfold</summary>"
            f'<pre style="margin:0.5em 1em">{html.escape(self.text)}</pre></details>'
        )
