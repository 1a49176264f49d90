"""The exercises of notebook 08: what numbers say, how well they say it, and how to cite them."""

import random
import re
from collections.abc import Mapping, Sequence

from vnb.labs.exercise import Exercise, asked, expect


def error(measured: Sequence[float], predicted: Sequence[float]) -> float:
    """The largest relative error of a prediction, of what was measured."""
    return max(abs(p - m) / m for m, p in zip(measured, predicted, strict=True))


def examine_error(answer: object) -> str:
    """Too much, too little, exact, and one bad case among good ones."""
    cases = (
        ([100.0], [110.0], "one that is 10 % too high"),
        ([100.0], [90.0], "one that is 10 % too low"),
        ([5.0, 10.0], [5.0, 10.0], "one that is exact"),
        ([1000.0, 10.0], [1001.0, 8.0], "one that is good for much and bad for little"),
    )
    for measured, predicted, words in cases:
        found = asked(answer, measured, predicted)
        right = error(measured, predicted)
        expect(found >= 0, f"{words}: an error has a size, whatever its sign")
        expect(abs(found - right) < 1e-9, f"{words}: {right:g}, not {found:g}")
    return "the worst case is what a reader wants to know."


def spread(values: Sequence[float]) -> tuple[float, float]:
    """The median, and how far half of the values reach: third quartile − first, ÷ median."""
    import numpy

    first, middle, third = numpy.quantile(values, (0.25, 0.5, 0.75))
    return float(middle), float((third - first) / middle)


def examine_spread(answer: object) -> str:
    """Equal values, odd and even counts, out of order, and one that is far out."""
    draw = random.Random(8)
    cases = (
        ([5.0, 5.0, 5.0], "three equal values"),
        ([9.0, 1.0, 5.0], "three values that are not in order"),
        ([1.0, 2.0, 3.0, 4.0], "an even number of values"),
        ([*(draw.gauss(100, 5) for _ in range(20)), 5000.0], "twenty values and one far out"),
    )
    for values, words in cases:
        found = asked(answer, list(values))
        pair = isinstance(found, tuple) and len(found) == 2
        expect(pair, f"{words}: give (median, spread)")
        for got, want, what in zip(found, spread(values), ("median", "spread"), strict=True):
            expect(abs(got - want) < 1e-6, f"{words}: the {what} is {want:.4g}, not {got:.4g}")
    return "one slow run among twenty moves neither number."


def bibtex(citation: Mapping[str, str]) -> str:
    """An entry for LaTeX from title, author, version and date-released (2026-01-31)."""
    fields = {name: citation[name] for name in ("title", "author", "version")}
    fields["year"] = citation["date-released"][:4]
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join(["@software{vnb,", *lines, "}"])


def examine_bibtex(answer: object) -> str:
    """Two pieces of software that do not exist."""
    for number, year in ("1.2.3", 2031), ("0.9", 1999):
        citation = {
            "title": f"Program {number}",
            "author": "Ada Lovelace",
            "version": number,
            "date-released": f"{year}-12-10",
        }
        found = asked(answer, dict(citation))
        expect(isinstance(found, str), "give the entry as a text")
        expect(re.match(r"\s*@software\s*\{[^\s,]+\s*,", found), "it begins with @software{NAME,")
        fields = {
            name.lower(): value for name, value in re.findall(r"(\w+)\s*=\s*[{\"](.*?)[}\"]", found)
        }
        wanted = {"title": citation["title"], "author": "Ada Lovelace"}
        wanted |= {"version": number, "year": str(year)}
        for name, value in wanted.items():
            expect(name in fields, f"it has no field {name} = {{…}}")
            right = fields[name].strip("{}") == value
            expect(right, f"{name} is {value!r}, not {fields[name]!r}")
        expect(found.rstrip().endswith("}"), "its last brace is missing")
    return "now there is no excuse left for not citing."


EXERCISES = {
    "08.1": Exercise(error, examine_error),
    "08.2": Exercise(spread, examine_spread),
    "08.3": Exercise(bibtex, examine_bibtex),
}
