"""The engine as CPython reads it: slow, always at hand, the oracle of the compiled readings."""

import ast
from collections.abc import Callable
from functools import cache
from types import CodeType

from vnb.cpu.dialect import ENGINE, dispatch, engine
from vnb.cpu.words import MASK, WORDS

_WRAPS = (ast.Add, ast.Sub, ast.Mult, ast.LShift)


class _Wrap(ast.NodeTransformer):
    """Python's integers do not wrap: mask what can leave 64 bits; and search the dispatch."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, _WRAPS):
            return ast.BinOp(node, ast.BitAnd(), ast.Constant(MASK))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Invert):
            return ast.BinOp(node.operand, ast.BitXor(), ast.Constant(MASK))
        return node

    def visit_If(self, node: ast.If) -> ast.If:
        found = dispatch(node)
        if found is None:
            self.generic_visit(node)
            return node
        table, rest = found
        bodies = {number: [self.visit(s) for s in body] for number, body in table.items()}
        return _search(sorted(bodies.items()), [self.visit(s) for s in rest])


def _search(bodies: list[tuple[int, list[ast.stmt]]], rest: list[ast.stmt]) -> ast.If:
    """A chain of equality tests as a binary search."""
    operation = ast.Name("operation", ast.Load())
    middle = len(bodies) // 2
    number, body = bodies[middle]
    if len(bodies) == 1:
        return ast.If(ast.Compare(operation, [ast.Eq()], [ast.Constant(number)]), body, rest)
    below = ast.Compare(operation, [ast.Lt()], [ast.Constant(number)])
    return ast.If(below, [_search(bodies[:middle], rest)], [_search(bodies[middle:], rest)])


@cache
def _code() -> CodeType:
    functions = [_Wrap().visit(function) for function in engine().functions]
    module = ast.fix_missing_locations(ast.Module(functions, []))
    return compile(module, str(ENGINE), "exec")


@cache
def functions() -> dict[str, Callable[..., int]]:
    """Every function of the engine by name; the first parameter S is State.address."""
    namespace: dict[str, Callable[..., int]] = dict(WORDS)  # type: ignore[arg-type]
    exec(_code(), namespace)
    return namespace


def load() -> Callable[[int], int]:
    """The engine's run(S)."""
    return functions()["run"]
