"""Answers to the notebooks' exercises come in here; what is wrong with them goes out in words."""

from importlib import import_module
from typing import TypeVar

from vnb.errors import UsageError
from vnb.labs.exercise import Attempt, Exercise, Solution, Verdict

T = TypeVar("T")

__all__ = ["check", "names", "solution", "working"]

# fmt: off
_ROOMS = {
    "02": "path",
    "03": "driver_checks",
    "04": "blocks",
    "05": "nets",
    "06": "shares",
    "07": "hands",
    "08": "study",
}
# fmt: on
"""Where the exercises of each notebook are, as `EXERCISES`: {"03.1": Exercise(…), …}."""


def check(name: str, answer: object) -> Verdict:
    """Whether `answer`, a function or a value, is right for exercise `name`, such as "03.2".

    The verdict says what is wrong in words, is true or false, and shows itself below a cell.
    UsageError if there is no such exercise.
    """
    exercise = _find(name)
    with Attempt() as attempt:
        attempt.words = exercise.examine(answer)
    return Verdict(name, attempt.passed, attempt.words)


def solution(name: str) -> Solution:
    """A solution of exercise `name`, folded up until somebody wants to see it."""
    return Solution(name, _find(name).solution())


def working(name: str, answer: T) -> T:
    """`answer` if it is right, and otherwise one that is, so that a notebook can go on with it."""
    if check(name, answer):
        return answer
    reference: T = _find(name).reference
    return reference


def names() -> list[str]:
    """All exercises that there are."""
    return [name for number in _ROOMS for name in _exercises(number)]


def _exercises(number: str) -> dict[str, Exercise]:
    found: dict[str, Exercise] = import_module(f"vnb.labs.{_ROOMS[number]}").EXERCISES
    return found


def _find(name: str) -> Exercise:
    number = name.partition(".")[0] if isinstance(name, str) else ""
    exercises = _exercises(number) if number in _ROOMS else {}
    if name not in exercises:
        raise UsageError(f"there is no exercise {name!r}; there are {', '.join(names())}")
    return exercises[name]
