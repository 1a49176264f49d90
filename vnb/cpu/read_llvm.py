"""The engine as LLVM reads it, through llvmlite: machine code in a second, from cache in milliseconds."""

import ast
import ctypes
from collections.abc import Callable
from typing import cast

import llvmlite.binding as llvm
from llvmlite import ir

from vnb.cpu import objects
from vnb.cpu.dialect import DialectError, Engine, assigned_names, dispatch, engine
from vnb.cpu.emit import EMIT, I1, I8, I64, OPERATORS, Value, const
from vnb.cpu.progress import Progress

NOINLINE = frozenset(
    ["atomic", "csr_instruction", "decode", "event", "fetch", "fetch_across", "float_slow", "fused", "encode_float", "illegal", "load_slow", "store_slow", "system", "translate", "trap"]
)
"""Slow functions that would only bloat their callers."""


class _Function:
    """Emits one function of the engine. Variables are allocas, which LLVM turns into registers."""

    def __init__(self, module: ir.Module, node: ast.FunctionDef, returns: dict[str, int]) -> None:
        self.module, self.node, self.returns = module, node, returns
        self.function = module.globals[node.name]
        self.b = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.variables = {name: self.b.alloca(I64, name=name) for name in assigned_names(node)}
        self.loops: list[tuple[ir.Block, ir.Block]] = []
        for parameter, value in zip(node.args.args, self.function.args, strict=True):
            self.b.store(value, self.variables[parameter.arg])
        self.statements(node.body)
        if not self.b.block.is_terminated:
            self.b.ret(ir.Constant(self.function.ftype.return_type, None))

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
                return EMIT[name](b, *values) if name in EMIT else self.call(name, values)
            case ast.BinOp(left, operator, right):
                return OPERATORS[type(operator).__name__](b, self.value(left), self.value(right))
            case ast.UnaryOp(ast.Invert(), operand):
                return b.not_(self.value(operand))
            case ast.Compare(left, [relation], [right]):
                return OPERATORS[type(relation).__name__](b, self.value(left), self.value(right))
        raise DialectError(f"{self.node.name}: {ast.unparse(node)} is not in the dialect")

    def call(self, name: str, values: list[Value]) -> Value:
        return self.b.call(self.module.globals[name], values)

    def branch(self, test: ast.expr, yes: ir.Block, no: ir.Block) -> None:
        """Emit a condition as jumps."""
        match test:
            case ast.BoolOp(operator, values):
                for value in values[:-1]:
                    following = self.function.append_basic_block()
                    ends = (following, no) if isinstance(operator, ast.And) else (yes, following)
                    self.branch(value, *ends)
                    self.b.position_at_end(following)
                self.branch(values[-1], yes, no)
            case ast.UnaryOp(ast.Not(), operand):
                self.branch(operand, no, yes)
            case ast.Constant(bool(always)) | ast.Constant(int(always)):
                self.b.branch(yes if always else no)
            case _:
                value = self.value(test)
                if value.type != I1:
                    value = self.b.icmp_unsigned("!=", value, const(0))
                self.b.cbranch(value, yes, no)

    def statements(self, body: list[ast.stmt]) -> None:
        for node in body:
            if self.b.block.is_terminated:
                return
            self.statement(node)

    def body(self, block: ir.Block, body: list[ast.stmt], after: ir.Block) -> None:
        """Emit a body into a block, and go on to `after` where it falls through."""
        self.b.position_at_end(block)
        self.statements(body)
        if not self.b.block.is_terminated:
            self.b.branch(after)

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
            case ast.If():
                self.choice(node)
            case ast.While(test, body):
                self.loop(test, body)
            case ast.Break():
                self.b.branch(self.loops[-1][1])
            case ast.Continue():
                self.b.branch(self.loops[-1][0])
            case _:
                raise DialectError(f"{self.node.name}: {ast.unparse(node)} is not in the dialect")

    def result(self, value: ast.expr | None) -> None:
        match value:
            case None:
                self.b.ret(const(0))
            case ast.Tuple(elements):
                several: Value = ir.Constant(self.function.ftype.return_type, ir.Undefined)
                for index, element in enumerate(elements):
                    several = self.b.insert_value(several, self.value(element), index)
                self.b.ret(several)
            case _:
                self.b.ret(self.value(value))

    def choice(self, node: ast.If) -> None:
        found = dispatch(node)
        after = self.function.append_basic_block()
        if found:
            self.jump_table(*found, after)
        else:
            yes, no = (self.function.append_basic_block() for _ in range(2))
            self.branch(node.test, yes, no)
            self.body(yes, node.body, after)
            self.body(no, node.orelse, after)
        self.b.position_at_end(after)

    def jump_table(
        self, table: dict[int, list[ast.stmt]], rest: list[ast.stmt], after: ir.Block
    ) -> None:
        """The run loop's dispatch: an indirect jump, which LLVM copies to the end of every handler."""
        blocks = {n: self.function.append_basic_block(f"operation{n}") for n in table}
        other = self.function.append_basic_block("other")
        targets = ir.ArrayType(I8.as_pointer(), 256)
        array = ir.GlobalVariable(self.module, targets, "dispatch")
        array.global_constant, array.linkage = True, "internal"
        array.initializer = ir.Constant(
            targets, [ir.BlockAddress(self.function, blocks.get(n, other)) for n in range(256)]
        )
        operation = self.b.load(self.variables["operation"])
        jump = self.b.branch_indirect(self.b.load(self.b.gep(array, [const(0), operation])))
        for number, block in blocks.items():
            jump.add_destination(block)
            self.body(block, table[number], after)
        jump.add_destination(other)
        self.body(other, rest, after)

    def loop(self, test: ast.expr, body: list[ast.stmt]) -> None:
        head, inside, after = (self.function.append_basic_block() for _ in range(3))
        self.b.branch(head)
        self.b.position_at_end(head)
        self.branch(test, inside, after)
        self.loops.append((head, after))
        self.body(inside, body, head)
        self.loops.pop()
        self.b.position_at_end(after)


def build(source: Engine) -> ir.Module:
    """The engine as an LLVM module; only `run` is visible from outside."""
    module = ir.Module("vnb")
    for node in source.functions:
        words = source.returns[node.name]
        result = I64 if words == 1 else ir.LiteralStructType([I64] * words)
        kind = ir.FunctionType(result, [I64] * len(node.args.args))
        function = ir.Function(module, kind, node.name)
        if node.name != "run":
            function.linkage = "internal"
        if node.name in NOINLINE:
            function.attributes.add("noinline")
    for node in source.functions:
        _Function(module, node, source.returns)
    return module


def target_machine() -> llvm.TargetMachine:
    """This host, with all that its processor offers."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=2
    )


def has_fma() -> bool:
    """Whether this host multiplies and adds with one rounding, in one instruction."""
    features = llvm.get_host_cpu_features()
    return bool(features.get("fma")) or not llvm.get_default_triple().startswith("x86")


def compile_engine() -> bytes:
    """The engine as an object file for this host."""
    with Progress("compiling the engine, once", steps=4) as progress:
        module = build(engine())
        progress.step("reading")
        parsed = llvm.parse_assembly(str(module))
        progress.step("parsing")
        machine = target_machine()
        tuning = llvm.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_vectorization = tuning.slp_vectorization = False
        passes = llvm.create_pass_builder(machine, tuning)
        passes.getModulePassManager().run(parsed, passes)
        progress.step("optimising")
        code = cast(bytes, machine.emit_object(parsed))
        progress.step("generating code")
    return code


def load() -> Callable[[int], int]:
    """The engine's run(S), compiled or from the cache. It releases the GIL while it runs."""
    key = objects.key("engine", llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    code = objects.get(key) or objects.put(key, compile_engine())
    machine = target_machine()
    linker = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    linker.add_object_file(llvm.ObjectFileRef.from_data(code))
    linker.finalize_object()
    run = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(linker.get_function_address("run"))
    run.linker = linker  # type: ignore[attr-defined]  # the code lives as long as its linker
    return cast(Callable[[int], int], run)
