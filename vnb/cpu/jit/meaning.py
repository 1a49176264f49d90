"""The rows of isa.py read once more: what an instruction means, as LLVM text with open operands."""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import ir

from vnb.cpu import dialect, lower_llvm
from vnb.cpu.emit import EMIT, F32, F64, I1, I32, I64, OPERATORS, Value, const, single
from vnb.cpu.isa import ROWS, Row
from vnb.cpu.words import BOX

WORDS_OF_ROWS = Path(dialect.__file__).parent / "source" / "integer.py"
"""Where the functions are that rows speak of beside the words."""

FLOATS = ("float", "round", "fma")
"""Kinds of rows that are the host's float arithmetic, when that will do."""

OPERANDS = ("a", "b", "c", "i", "m", "pc")


@dataclass(frozen=True)
class Template:
    """LLVM text with holes for the operands: text and names take turns in `pieces`."""

    pieces: tuple[str, ...]
    result: str
    operands: frozenset[str]
    declares: frozenset[str]
    """Text of the declarations and functions that it relies on."""

    def fill(self, unique: str, values: Mapping[str, str]) -> tuple[str, str]:
        """The text, and what its result is called; its own names get the prefix `unique`."""
        pieces = list(self.pieces)
        for k in range(1, len(pieces), 2):
            name = pieces[k]
            pieces[k] = values[name] if name in self.operands else f"%{unique}{name}"
        result = self.result
        if result.startswith("%"):
            name = result[1:]
            result = values[name] if name in self.operands else f"%{unique}{name}"
        return "".join(pieces), result


class _Builder(ir.IRBuilder):  # type: ignore[misc]  # llvmlite is untyped
    """A builder in which casts that undo each other leave nothing behind."""

    def bitcast(self, value: Value, typ: ir.Type, name: str = "") -> Value:
        if getattr(value, "opname", "") == "bitcast" and value.operands[0].type == typ:
            return value.operands[0]
        return super().bitcast(value, typ, name)

    def trunc(self, value: Value, typ: ir.Type, name: str = "") -> Value:
        """The low half of a single in its box, or of one without, is the single."""
        low = value
        if getattr(low, "opname", "") == "or" and getattr(low.operands[1], "constant", 0) == BOX:
            low = low.operands[0]
        if getattr(low, "opname", "") == "zext" and low.operands[0].type == typ:
            return low.operands[0]
        return super().trunc(value, typ, name)


def has_meaning(row: Row) -> bool:
    """Whether the row says what it computes; the others belong to the engine."""
    return row.kind in ("d", "if", "jump", "amo", *FLOATS) and row.meaning != "float"


@cache
def _functions() -> dict[str, ast.FunctionDef]:
    """The functions of integer.py, and one for every expression of a row: rowN, guardN."""
    text = WORDS_OF_ROWS.read_text()
    parameters = ", ".join(OPERANDS)
    for number, row in enumerate(ROWS):
        if has_meaning(row):
            text += f"\n\ndef row{number}({parameters}):\n    return {row.expression}\n"
            if row.guard:
                text += f"\n\ndef guard{number}({parameters}):\n    return {row.guard}\n"
    return {function.name: function for function in dialect.lower(text).functions}


def _returned(function: ast.FunctionDef) -> ast.expr | None:
    """The expression of a function that does nothing but return it."""
    match function.body:
        case [ast.Return(ast.expr() as value)]:
            return value
    return None


class _Reading:
    """Emits one expression; functions of a single expression are expanded in place."""

    def __init__(self, builder: _Builder) -> None:
        self.b = builder
        self.called: set[str] = set()

    def value(self, node: ast.expr, names: Mapping[str, Value]) -> Value:
        b = self.b
        match node:
            case ast.Constant(int(number)):
                return const(number)
            case ast.Name(name):
                value = names[name]
                if value.type == F32:  # the upper half is not looked at
                    return b.zext(b.bitcast(value, I32), I64)
                return b.bitcast(value, I64) if value.type == F64 else value
            case ast.Call(ast.Name(name), arguments):
                return self.call(name, [self.value(argument, names) for argument in arguments])
            case ast.UnaryOp(ast.Not(), operand):
                return b.not_(self.truth(operand, names))
            case ast.UnaryOp(ast.Invert(), operand):
                return b.not_(self.value(operand, names))
            case ast.BinOp(left, operator, right):
                x, y = self.value(left, names), self.value(right, names)
                if isinstance(x, ir.Constant) and isinstance(y, ir.Constant):
                    return const(dialect.fold(operator, x.constant, y.constant))
                return OPERATORS[type(operator).__name__](b, x, y)
            case ast.Compare(left, [relation], [right]):
                emit = OPERATORS[type(relation).__name__]
                return emit(b, self.value(left, names), self.value(right, names))
        raise dialect.DialectError(f"{ast.unparse(node)} is not the meaning of a row")

    def truth(self, node: ast.expr, names: Mapping[str, Value]) -> Value:
        """An expression as a condition, an i1."""
        value = self.value(node, names)
        return value if value.type == I1 else self.b.icmp_unsigned("!=", value, const(0))

    def call(self, name: str, arguments: list[Value]) -> Value:
        if name in EMIT:
            return EMIT[name](self.b, *arguments)
        function = _functions()[name]
        parameters = [parameter.arg for parameter in function.args.args]
        inside = _returned(function)
        if inside is not None:
            return self.value(inside, dict(zip(parameters, arguments, strict=True)))
        self.called.add(name)
        module = self.b.module
        kind = ir.FunctionType(I64, [I64] * len(parameters))
        callee = module.globals.get(name) or ir.Function(module, kind, name)
        return self.b.call(callee, arguments)


@cache
def _definition(name: str) -> str:
    """A function of integer.py as LLVM text."""
    function = _functions()[name]
    engine = dialect.Engine((function,), {name: 1})
    return str(lower_llvm.build(engine, "ccc", "ccc").globals[name])


def _needed(block: ir.Block, value: Value) -> list[Value]:
    """The instructions of a block that a value depends on."""
    needed, found = {id(value)}, []
    for instruction in reversed(block.instructions):
        if id(instruction) in needed:
            needed |= {id(operand) for operand in instruction.operands}
            found.append(instruction)
    return found[::-1]


def _template(function: ast.FunctionDef, types: Mapping[str, ir.Type], result: ir.Type) -> Template:
    module = ir.Module()
    parameters = [parameter.arg for parameter in function.args.args]
    kind = ir.FunctionType(ir.VoidType(), [types.get(name, I64) for name in parameters])
    shell: Any = ir.Function(module, kind, "shell")
    for argument, name in zip(shell.args, parameters, strict=True):
        argument.name = name
    builder = _Builder(shell.append_basic_block("entry"))
    reading = _Reading(builder)
    inside = _returned(function)
    assert inside is not None
    names = dict(zip(parameters, shell.args, strict=True))
    if result is I1:
        value = reading.truth(inside, names)
    elif result is F32:
        value = single(builder, reading.value(inside, names))
    else:
        value = builder.bitcast(reading.value(inside, names), result)
    text = "".join(f"  {instruction}\n" for instruction in _needed(builder.block, value))
    pieces = tuple(re.split(r'%"([^"]*)"', text))
    declares = {
        str(declared).strip()
        for name, declared in module.globals.items()
        if name != "shell" and name not in reading.called
    }
    declares |= {_definition(name) for name in reading.called}
    name = value.get_reference().replace('"', "")
    return Template(pieces, name, frozenset(parameters), frozenset(declares))


def _types(row: Row) -> dict[str, ir.Type]:
    """Float registers are doubles, but where they must hold singles."""
    types = {letter: F64 for letter in "abc" if letter.upper() in row.bits}
    return types | dict.fromkeys(row.singles, F32)


def _result(row: Row) -> ir.Type:
    return {"s": F32, "d": F64}.get(row.result, I64)


@cache
def meaning(row: Row) -> Template:
    """What a row that says it computes; a single as a float of LLVM."""
    function = _functions()[f"row{ROWS.index(row)}"]
    if row.kind == "if":
        return _template(function, {}, I1)
    return _template(function, _types(row), _result(row))


@cache
def guard(row: Row) -> Template:
    """When the host's arithmetic is right for a row with a `when`."""
    return _template(_functions()[f"guard{ROWS.index(row)}"], _types(row), I1)


@cache
def ordinary(row: Row) -> Template:
    """Whether a result (`result`) is far from both ends of the exponents."""
    function = _functions()[f"is_ordinary{row.result}"]
    return _template(function, {"result": _result(row)}, I1)
