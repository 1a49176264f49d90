"""From lowered functions to LLVM IR; the run loop becomes one function per operation."""

import ast
from collections.abc import Callable, Sequence
from typing import cast

from llvmlite import ir

from vnb.cpu.dialect import DialectError, Engine, assigned_names, dispatch
from vnb.cpu.emit import EMIT, I1, I64, OPERATORS, Value, const
from vnb.cpu.generate import OPERATIONS

CARRIED = ("pc", "S", "left", "base", "page", "load_tlb", "store_tlb", "w")
"""The run loop's variables that one operation hands to the next, all in host registers."""
RETURNED = ("pc", "left")
"""Those that outlive the loop."""
HANDLER = ir.FunctionType(ir.LiteralStructType([I64] * len(RETURNED)), [I64] * len(CARRIED))

NOINLINE = frozenset(
    {
        "atomic", "break_here", "csr_instruction", "decode", "encode_float", "event", "fetch",
        "fetch_across", "float_slow", "float_touch", "fused", "illegal", "load_slow", "region_miss",
        "sample", "single_step", "store_slow", "system", "timed_visit", "translate", "trap",
    }
)  # fmt: skip
"""Slow functions that would only bloat their callers."""

CALLED_WITHIN_REGIONS = frozenset({"region_address", "region_csr", "region_flags", "region_float"})
SPARING = CALLED_WITHIN_REGIONS | {"region_miss"}
"""Functions that save every register, so that translated code calls them at no cost to it."""
CALLED_BY_REGIONS = CALLED_WITHIN_REGIONS | {"region_next"}


class _Body:
    """Emits statements into one LLVM function. Variables are allocas, which become registers."""

    def __init__(
        self, engine: "_Module", function: ir.Function, names: Sequence[str], where: str
    ) -> None:
        self.engine, self.function, self.where = engine, function, where
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.variables = {name: self.b.alloca(I64, name=name) for name in names}
        self.again: Callable[[], None] | None = None
        self.leave: Callable[[], None] | None = None

    def take(self, parameters: Sequence[str]) -> None:
        """Store the function's arguments in the variables of these names."""
        for name, value in zip(parameters, self.function.args, strict=True):
            self.b.store(value, self.variables[name])

    def block(self) -> ir.Block:
        return self.function.append_basic_block()

    def load(self, names: Sequence[str]) -> list[Value]:
        return [self.b.load(self.variables[name]) for name in names]

    def value(self, node: ast.expr) -> Value:
        """Emit an expression; a word, or an i1 for a comparison."""
        b = self.b
        match node:
            case ast.Constant(int(number)):
                return const(number)
            case ast.Name(name):
                return b.load(self.variables[name])
            case ast.Call(ast.Name(name), arguments):
                values = [self.value(argument) for argument in arguments]
                if name in EMIT:
                    return EMIT[name](b, *values)
                return b.call(self.engine.module.globals[name], values)
            case ast.BinOp(left, operator, right):
                return OPERATORS[type(operator).__name__](b, self.value(left), self.value(right))
            case ast.UnaryOp(ast.Invert(), operand):
                return b.not_(self.value(operand))
            case ast.Compare(left, [relation], [right]):
                return OPERATORS[type(relation).__name__](b, self.value(left), self.value(right))
        raise DialectError(f"{self.where}: {ast.unparse(node)} is not in the dialect")

    def branch(self, test: ast.expr, yes: ir.Block, no: ir.Block) -> None:
        """Emit a condition as jumps."""
        match test:
            case ast.BoolOp(operator, values):
                for value in values[:-1]:
                    following = self.block()
                    ends = (following, no) if isinstance(operator, ast.And) else (yes, following)
                    self.branch(value, *ends)
                    self.b.position_at_end(following)
                self.branch(values[-1], yes, no)
            case ast.UnaryOp(ast.Not(), operand):
                self.branch(operand, no, yes)
            case ast.Constant(int(always)):
                self.b.branch(yes if always else no)
            case _:
                value = self.value(test)
                if value.type != I1:
                    value = self.b.icmp_unsigned("!=", value, const(0))
                self.b.cbranch(value, yes, no)

    def statements(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            if self.b.block.is_terminated:
                return
            self.statement(node)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign([ast.Name(name)], value):
                self.b.store(self.value(value), self.variables[name])
            case ast.Assign([ast.Tuple(targets)], value):
                several = self.value(value)
                for index, target in enumerate(targets):
                    variable = self.variables[cast(ast.Name, target).id]
                    self.b.store(self.b.extract_value(several, index), variable)
            case ast.Expr(value):
                self.value(value)
            case ast.Return(value):
                self.result(value)
            case ast.If(test, body, orelse):
                self.choice(test, body, orelse)
            case ast.While(test, body):
                self.loop(test, body)
            case ast.Break() if self.leave:
                self.leave()
            case ast.Continue() if self.again:
                self.again()
            case _:
                raise DialectError(f"{self.where}: {ast.unparse(node)} is not in the dialect")

    def result(self, value: ast.expr | None) -> None:
        match value:
            case None:
                self.b.ret(const(0))
            case ast.Tuple(elements):
                self.return_several([self.value(element) for element in elements])
            case _:
                self.b.ret(self.value(value))

    def return_several(self, values: Sequence[Value]) -> None:
        several: Value = ir.Constant(self.function.ftype.return_type, ir.Undefined)
        for index, value in enumerate(values):
            several = self.b.insert_value(several, value, index)
        self.b.ret(several)

    def choice(self, test: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        yes, no, after = self.block(), self.block(), self.block()
        self.branch(test, yes, no)
        for start, statements in ((yes, body), (no, orelse)):
            self.b.position_at_end(start)
            self.statements(statements)
            if not self.b.block.is_terminated:
                self.b.branch(after)
        self.b.position_at_end(after)

    def loop(self, test: ast.expr, body: list[ast.stmt]) -> None:
        found = dispatch(body[-1]) if isinstance(body[-1], ast.If) else None
        if found:
            self.interpret(_RunLoop(self.engine, test, body[:-1], *found))
            return
        head, inside, after = self.block(), self.block(), self.block()
        self.b.branch(head)
        self.b.position_at_end(head)
        self.branch(test, inside, after)
        outer = self.again, self.leave
        self.again, self.leave = lambda: self.b.branch(head), lambda: self.b.branch(after)
        self.b.position_at_end(inside)
        self.statements(body)
        if not self.b.block.is_terminated:
            self.b.branch(head)
        self.again, self.leave = outer
        self.b.position_at_end(after)

    def interpret(self, run_loop: "_RunLoop") -> None:
        """Enter the run loop; what it returns is what it leaves behind in RETURNED."""
        inside, after = self.block(), self.block()
        self.branch(run_loop.test, inside, after)
        self.b.position_at_end(inside)
        several = run_loop.call_next(self, tail="")
        for index, name in enumerate(RETURNED):
            self.b.store(self.b.extract_value(several, index), self.variables[name])
        self.b.branch(after)
        self.b.position_at_end(after)


class _RunLoop:
    """`while test: fetch; if operation == 0: … elif …` as functions that jump to one another.

    Each operation is a function that ends in a tail call of the next instruction's operation, with
    the loop's variables in registers: the host predicts every one of these jumps by itself, and a
    handler's slow path costs its fast path no register.
    """

    def __init__(
        self,
        engine: "_Module",
        test: ast.expr,
        fetch: list[ast.stmt],
        table: dict[int, list[ast.stmt]],
        rest: list[ast.stmt],
    ) -> None:
        self.engine, self.test, self.fetch = engine, test, fetch
        operations = {number: self._declare(f"operation{number}") for number in table}
        other = self._declare("other")
        kind = ir.ArrayType(HANDLER.as_pointer(), 256)
        self.table = ir.GlobalVariable(engine.module, kind, "operations")
        self.table.global_constant = True  # and visible: blocks go on by it
        self.table.initializer = ir.Constant(kind, [operations.get(n, other) for n in range(256)])
        for number, function in operations.items():
            if number == OPERATIONS["BLOCK"]:
                self._define_block(function)
            else:
                self._define(function, table[number])
        self._define(other, [*fetch[-1:], *rest])

    def _declare(self, name: str) -> ir.Function:
        function = ir.Function(self.engine.module, HANDLER, name)
        function.linkage = "internal"
        function.calling_convention = self.engine.convention
        return function

    def _names(self, body: Sequence[ast.stmt]) -> dict[str, None]:
        loop = ast.Module([*self.fetch, *body], [])
        return dict.fromkeys([*CARRIED, *assigned_names(loop)])

    def _define(self, function: ir.Function, body: Sequence[ast.stmt]) -> None:
        inside = _Body(self.engine, function, list(self._names(body)), function.name)
        inside.take(CARRIED)

        def leave() -> None:
            inside.return_several(inside.load(RETURNED))

        def again() -> None:
            following, end = inside.block(), inside.block()
            inside.branch(self.test, following, end)
            inside.b.position_at_end(end)
            leave()
            inside.b.position_at_end(following)
            inside.b.ret(self.call_next(inside, tail="musttail"))

        inside.again, inside.leave = again, leave
        inside.statements(body)
        if not inside.b.block.is_terminated:
            again()

    def _define_block(self, function: ir.Function) -> None:
        """A block's code is an operation like the others: it goes on there."""
        b = ir.IRBuilder(function.append_basic_block("entry"))
        slot = function.args[CARRIED.index("w")]
        code = b.inttoptr(b.lshr(slot, const(8)), HANDLER.as_pointer())
        b.ret(b.call(code, function.args, cconv=self.engine.convention, tail="musttail"))

    def call_next(self, inside: _Body, tail: str) -> Value:
        """Fetch an instruction and call its operation."""
        inside.statements(self.fetch)
        entry = inside.b.gep(self.table, [const(0), *inside.load(["operation"])])
        return inside.b.call(
            inside.b.load(entry), inside.load(CARRIED), cconv=self.engine.convention, tail=tail
        )


class _Module:
    """The LLVM module under construction, and the calling convention of operations on this host."""

    def __init__(self, convention: str) -> None:
        self.module = ir.Module("vnb")
        self.convention = convention


def build(source: Engine, convention: str, sparing: str) -> ir.Module:
    """The engine as an LLVM module; `run` and what regions call are visible from outside.

    Operations call one another by `convention`, regions the engine by `sparing`.
    """
    engine = _Module(convention)
    for node in source.functions:
        words = source.returns[node.name]
        result = I64 if words == 1 else ir.LiteralStructType([I64] * words)
        kind = ir.FunctionType(result, [I64] * len(node.args.args))
        function = ir.Function(engine.module, kind, node.name)
        if node.name in SPARING:
            function.calling_convention = sparing
        if node.name not in CALLED_BY_REGIONS | {"run"}:
            function.linkage = "internal"
        # the decoder calls those that put a slot together some hundred times
        if node.name in NOINLINE or node.args.args[0].arg == "operation":
            function.attributes.add("noinline")
    for node in source.functions:
        function = engine.module.globals[node.name]
        parameters = [parameter.arg for parameter in node.args.args]
        names = dict.fromkeys([*parameters, *assigned_names(node)])
        body = _Body(engine, function, list(names), node.name)
        body.take(parameters)
        body.statements(node.body)
        if not body.b.block.is_terminated:
            body.b.ret(ir.Constant(function.ftype.return_type, None))
    return engine.module
