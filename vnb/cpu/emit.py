"""The words of the engine's dialect, as LLVM means them: each emits its instructions at a builder.

The same words as in `vnb.cpu.words`; both compiled readings of the engine (numba's and the direct
one) emit through this table, so they cannot drift apart.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from vnb.cpu.read_llvm import calling_convention

I1, I8, I16, I32, I64, I128 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64, 128))
F32, F64 = ir.FloatType(), ir.DoubleType()
Value = Any  # llvmlite's values and builders are untyped
Emit = Callable[..., Value]


def const(value: int, kind: ir.Type = I64) -> ir.Constant:
    return ir.Constant(kind, value)


def _pointer(b: Value, address: Value, kind: ir.Type) -> Value:
    return b.inttoptr(address, kind.as_pointer())


def _load(kind: ir.IntType, extend: str = "zext") -> Emit:
    def emit(b: Value, address: Value) -> Value:
        value = b.load(_pointer(b, address, kind))
        value.align = 1
        return value if kind is I64 else getattr(b, extend)(value, I64)

    return emit


def _store(kind: ir.IntType) -> Emit:
    def emit(b: Value, address: Value, value: Value) -> None:
        narrow = value if kind is I64 else b.trunc(value, kind)
        b.store(narrow, _pointer(b, address, kind)).align = 1

    return emit


def _memset(b: Value, address: Value, byte: Value, length: Value) -> None:
    fill = b.module.declare_intrinsic("llvm.memset", [I8.as_pointer(), I64])
    b.call(fill, [_pointer(b, address, I8), b.trunc(byte, I8), length, const(0, I1)])


def _bit(b: Value, condition: Value) -> Value:
    return b.zext(condition, I64)


def _sext(kind: ir.IntType) -> Emit:
    return lambda b, x: b.sext(b.trunc(x, kind), I64)


def _rotate(kind: ir.IntType) -> Emit:
    def emit(b: Value, x: Value, n: Value) -> Value:
        if kind is not I64:
            x, n = b.trunc(x, kind), b.trunc(n, kind)
        funnel = ir.FunctionType(kind, [kind] * 3)
        rotated = b.call(b.module.declare_intrinsic("llvm.fshr", [kind], funnel), [x, x, n])
        return rotated if kind is I64 else b.zext(rotated, I64)

    return emit


def _high(extend_x: str, extend_y: str) -> Emit:
    def emit(b: Value, x: Value, y: Value) -> Value:
        product = b.mul(getattr(b, extend_x)(x, I128), getattr(b, extend_y)(y, I128))
        return b.trunc(b.lshr(product, const(64, I128)), I64)

    return emit


def _unary(name: str) -> Emit:
    return lambda b, x: b.call(b.module.declare_intrinsic(name, [I64]), [x])


def _double(b: Value, x: Value) -> Value:
    return b.bitcast(x, F64)


def single(b: Value, x: Value) -> Value:
    """The number in a boxed single."""
    return b.bitcast(b.trunc(x, I32), F32)


def _double_bits(b: Value, x: Value) -> Value:
    return b.bitcast(x, I64)


def single_bits(b: Value, x: Value) -> Value:
    """The boxed single of a number."""
    return b.or_(b.zext(b.bitcast(x, I32), I64), const(0xFFFFFFFF_00000000))


def _on_doubles(operation: Emit) -> Emit:
    return lambda b, *xs: _double_bits(b, operation(b, *(_double(b, x) for x in xs)))


def _on_singles(operation: Emit) -> Emit:
    return lambda b, *xs: single_bits(b, operation(b, *(single(b, x) for x in xs)))


def _sqrt(kind: ir.Type) -> Emit:
    return lambda b, x: b.call(b.module.declare_intrinsic("llvm.sqrt", [kind]), [x])


def _ordered(relation: str, number: Emit) -> Emit:
    return lambda b, x, y: _bit(b, b.fcmp_ordered(relation, number(b, x), number(b, y)))


def _host_ticks(b: Value, clock_id: Value, buffer: Value) -> Value:
    """clock_gettime(2), which the host keeps in its vDSO: no system call, about 25 ns."""
    kind = ir.FunctionType(I32, [I32, I64.as_pointer()])
    gettime = b.module.globals.get("clock_gettime") or ir.Function(b.module, kind, "clock_gettime")
    timespec = _pointer(b, buffer, I64)
    b.call(gettime, [b.trunc(clock_id, I32), timespec])
    seconds = b.load(timespec)
    nanoseconds = b.load(b.gep(timespec, [const(1)]))
    return b.add(b.mul(seconds, const(10_000_000)), b.udiv(nanoseconds, const(100)))


def _enter(b: Value, record: Value, state: Value, left: Value) -> Value:
    kind = ir.FunctionType(I64, [I64] * 3)
    code = b.load(_pointer(b, record, I64))
    return b.call(_pointer(b, code, kind), [record, state, left], cconv=calling_convention())


EMIT: dict[str, Emit] = {
    "ld8": _load(I8),
    "ld16": _load(I16),
    "ld32": _load(I32),
    "ld64": _load(I64),
    "lds8": _load(I8, "sext"),
    "lds16": _load(I16, "sext"),
    "lds32": _load(I32, "sext"),
    "st8": _store(I8),
    "st16": _store(I16),
    "st32": _store(I32),
    "st64": _store(I64),
    "memset": _memset,
    "lts": lambda b, x, y: _bit(b, b.icmp_signed("<", x, y)),
    "ltu": lambda b, x, y: _bit(b, b.icmp_unsigned("<", x, y)),
    "eq": lambda b, x, y: _bit(b, b.icmp_unsigned("==", x, y)),
    "select": lambda b, c, x, y: b.select(b.icmp_unsigned("!=", c, const(0)), x, y),
    "sext8": _sext(I8),
    "sext16": _sext(I16),
    "sext32": _sext(I32),
    "zext32": lambda b, x: b.and_(x, const(0xFFFFFFFF)),
    "sar": lambda b, x, n: b.ashr(x, n),
    "ror": _rotate(I64),
    "ror32": _rotate(I32),
    "clz": lambda b, x: b.ctlz(x, const(0, I1)),
    "ctz": lambda b, x: b.cttz(x, const(0, I1)),
    "popcount": _unary("llvm.ctpop"),
    "bswap": _unary("llvm.bswap"),
    "mulh": _high("sext", "sext"),
    "mulhsu": _high("sext", "zext"),
    "mulhu": _high("zext", "zext"),
    "quo": lambda b, x, y: b.udiv(x, y),
    "rem": lambda b, x, y: b.urem(x, y),
    "squo": lambda b, x, y: b.sdiv(x, y),
    "srem": lambda b, x, y: b.srem(x, y),
    "addd": _on_doubles(lambda b, x, y: b.fadd(x, y)),
    "subd": _on_doubles(lambda b, x, y: b.fsub(x, y)),
    "muld": _on_doubles(lambda b, x, y: b.fmul(x, y)),
    "divd": _on_doubles(lambda b, x, y: b.fdiv(x, y)),
    "sqrtd": _on_doubles(_sqrt(F64)),
    "fmad": _on_doubles(lambda b, x, y, z: b.fma(x, y, z)),
    "adds": _on_singles(lambda b, x, y: b.fadd(x, y)),
    "subs": _on_singles(lambda b, x, y: b.fsub(x, y)),
    "muls": _on_singles(lambda b, x, y: b.fmul(x, y)),
    "divs": _on_singles(lambda b, x, y: b.fdiv(x, y)),
    "sqrts": _on_singles(_sqrt(F32)),
    "fmas": _on_singles(lambda b, x, y, z: b.fma(x, y, z)),
    "negs": lambda b, x: b.xor(x, const(1 << 31)),
    "negd": lambda b, x: b.xor(x, const(1 << 63)),
    "feqs": _ordered("==", single),
    "feqd": _ordered("==", _double),
    "flts": _ordered("<", single),
    "fltd": _ordered("<", _double),
    "fles": _ordered("<=", single),
    "fled": _ordered("<=", _double),
    "ords": _ordered("ord", single),
    "ordd": _ordered("ord", _double),
    "cvtsd": lambda b, x: _double_bits(b, b.fpext(single(b, x), F64)),
    "cvtds": lambda b, x: single_bits(b, b.fptrunc(_double(b, x), F32)),
    "i2s": lambda b, x: single_bits(b, b.sitofp(x, F32)),
    "i2d": lambda b, x: _double_bits(b, b.sitofp(x, F64)),
    "s2i": lambda b, x: b.fptosi(single(b, x), I64),
    "d2i": lambda b, x: b.fptosi(_double(b, x), I64),
    "host_ticks": _host_ticks,
    "enter": _enter,
}
"""Word → emitter(builder, *operands)."""


def _compare(relation: str) -> Emit:
    return lambda b, x, y: b.icmp_unsigned(relation, x, y)


OPERATORS: dict[str, Emit] = {
    "Add": lambda b, x, y: b.add(x, y),
    "Sub": lambda b, x, y: b.sub(x, y),
    "Mult": lambda b, x, y: b.mul(x, y),
    "BitAnd": lambda b, x, y: b.and_(x, y),
    "BitOr": lambda b, x, y: b.or_(x, y),
    "BitXor": lambda b, x, y: b.xor(x, y),
    "LShift": lambda b, x, y: b.shl(x, y),
    "RShift": lambda b, x, y: b.lshr(x, y),
    "Invert": lambda b, x: b.not_(x),
    "Eq": _compare("=="),
    "NotEq": _compare("!="),
    "Lt": _compare("<"),
    "LtE": _compare("<="),
    "Gt": _compare(">"),
    "GtE": _compare(">="),
}
"""Python's operators by their `ast` class; comparisons give an i1, the rest a word."""
