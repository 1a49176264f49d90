"""The engine's dialect: from the text of `_engine.py` to functions that every reading can compile.

The dialect is Python with one type, an unsigned 64-bit word that wraps. There are functions of
words, assignments, `if`, `while`, `break`, `continue`, `return` (of one word or a tuple), the
operators + - * & | ^ ~ << >> and comparisons, all unsigned, and the words of `vnb.cpu.words`.
`S` is the host address of the machine state and `S.name` one word of it. A condition is a
comparison, a word (true unless 0), or and, or, not of these. Capitals are constants.

Lowering leaves assignments to plain names, calls, operators on them, and literals:
`S.name` becomes ld64 and st64 of an address, constants become literals and are folded.
"""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vnb.cpu.state import OFFSETS
from vnb.cpu.words import MASK

ENGINE = Path(__file__).parent / "_engine.py"


@dataclass(frozen=True)
class Engine:
    """A lowered engine: its functions in order, and how many words each returns."""

    functions: tuple[ast.FunctionDef, ...]
    returns: dict[str, int]


class DialectError(SyntaxError):
    """A construct that the dialect does not have; names the line."""


def _word(value: int) -> ast.Constant:
    return ast.Constant(value & MASK)


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def fold(operator: ast.operator, left: int, right: int) -> int:
    """What an operator of the dialect makes of two constants."""
    expression = ast.BinOp(ast.Constant(left), operator, ast.Constant(right))
    code = compile(ast.fix_missing_locations(ast.Expression(expression)), "<constant>", "eval")
    return int(eval(code)) & MASK


class _Lower(ast.NodeTransformer):
    def __init__(self, constants: dict[str, int]) -> None:
        self.constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.constants:
            return _word(self.constants[node.id])
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return _word(cast(int, node.value))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        if isinstance(operand, ast.Constant):
            value = cast(int, operand.value)
            if isinstance(node.op, ast.Invert):
                return _word(~value)
            if isinstance(node.op, ast.USub):
                return _word(-value)
        return ast.UnaryOp(node.op, operand)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = self.visit(node.left), self.visit(node.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            return _word(fold(node.op, cast(int, left.value), cast(int, right.value)))
        return ast.BinOp(left, node.op, right)

    def _place(self, node: ast.Attribute) -> ast.expr:
        if node.attr not in OFFSETS:
            raise DialectError(f"line {node.lineno}: S.{node.attr} is no word of machine state")
        return ast.BinOp(ast.Name("S", ast.Load()), ast.Add(), _word(OFFSETS[node.attr]))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        return _call("ld64", self._place(node))

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        target, value = node.targets[0], self.visit(node.value)
        if isinstance(target, ast.Attribute):
            return ast.Expr(_call("st64", self._place(target), value))
        return ast.Assign([target], value)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        target = node.target
        assert isinstance(target, ast.Name | ast.Attribute)
        old: ast.expr = (
            ast.Name(target.id, ast.Load())
            if isinstance(target, ast.Name)
            else ast.Attribute(target.value, target.attr, ast.Load(), lineno=node.lineno)
        )
        return self.visit_Assign(ast.Assign([target], ast.BinOp(old, node.op, node.value)))


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    return body[1:] if ast.get_docstring(ast.Module(body, [])) is not None else body


def _words_returned(function: ast.FunctionDef) -> int:
    values = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
    return max((len(v.elts) if isinstance(v, ast.Tuple) else 1 for v in values), default=1)


def lower(text: str) -> Engine:
    """The engine in a text of the dialect; DialectError names what the dialect lacks."""
    constants: dict[str, int] = {}
    functions = []
    for node in ast.parse(text).body:
        lowering = _Lower(constants)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = lowering.visit(node.value)
            if not isinstance(value, ast.Constant):
                raise DialectError(f"line {node.lineno}: {ast.unparse(node)} is not constant")
            constants[node.targets[0].id] = cast(int, value.value)
        elif isinstance(node, ast.FunctionDef):
            node.body = [lowering.visit(statement) for statement in _without_docstring(node.body)]
            functions.append(ast.fix_missing_locations(node))
    return Engine(tuple(functions), {f.name: _words_returned(f) for f in functions})


def engine() -> Engine:
    """The engine of `_engine.py`, lowered; the caller may change its tree."""
    return lower(ENGINE.read_text())


def dispatch(node: ast.If) -> tuple[dict[int, list[ast.stmt]], list[ast.stmt]] | None:
    """A chain `if operation == 0: … elif operation == 1: … else` as {number: body} and the rest."""
    table: dict[int, list[ast.stmt]] = {}
    rest: list[ast.stmt] = [node]
    while len(rest) == 1 and isinstance(rest[0], ast.If):
        test = rest[0].test
        match test:
            case ast.Compare(ast.Name("operation"), [ast.Eq()], [ast.Constant(int(number))]):
                table[number] = rest[0].body
                rest = rest[0].orelse
            case _:
                break
    return (table, rest) if len(table) > 32 else None


def assigned_names(node: ast.AST) -> list[str]:
    """The variables that a function or a run of statements assigns."""
    stores = (
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    return list(dict.fromkeys(stores))
