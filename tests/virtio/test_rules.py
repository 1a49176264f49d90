"""Every rule of RULES.md is held by a test that says so."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_rule_is_cited_by_a_test() -> None:
    rules = re.findall(r"^(\d+)\. ", (TESTS / "virtio" / "RULES.md").read_text(), re.MULTILINE)
    assert rules == [str(number) for number in range(1, 41)]
    cited = {
        number
        for path in TESTS.rglob("test_*.py")
        if not path.is_relative_to(TESTS / "cpu")
        for number in _cited(path)
    } | _cited(TESTS / "contracts" / "virtio.py")
    assert set(rules) <= cited


def _cited(path: Path) -> set[str]:
    """The numbers in brackets in the docstrings of the tests in this file."""
    return {
        number
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        for number in re.findall(r"\[(\d+)\]", ast.get_docstring(node) or "")
    }
