"""The words of the engine's dialect, as CPython means them: functions from 64-bit words to one.

Every value is an unsigned 64-bit integer that wraps; a double is its bits, a single is NaN-boxed
bits. Memory words take host addresses. `vnb.cpu.emit` says the same in LLVM, word by word; shifts
by 64 or more, division by zero and the overflow of signed division are for the caller to avoid.
"""

import ctypes
import math
import struct
import time
from collections.abc import Callable

MASK = (1 << 64) - 1
BOX = 0xFFFFFFFF_00000000


def signed(x: int) -> int:
    """`x` as a two's-complement number."""
    return x - (1 << 64) if x >> 63 else x


# memory -----------------------------------------------------------------------------------------
_U8, _U16, _U32, _U64 = (
    t.from_address for t in (ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64)
)


def ld8(address: int) -> int:
    return _U8(address).value


def ld16(address: int) -> int:
    return _U16(address).value


def ld32(address: int) -> int:
    return _U32(address).value


def ld64(address: int) -> int:
    return _U64(address).value


def lds8(address: int) -> int:
    return sext8(_U8(address).value)


def lds16(address: int) -> int:
    return sext16(_U16(address).value)


def lds32(address: int) -> int:
    return sext32(_U32(address).value)


def st8(address: int, value: int) -> None:
    _U8(address).value = value & 0xFF


def st16(address: int, value: int) -> None:
    _U16(address).value = value & 0xFFFF


def st32(address: int, value: int) -> None:
    _U32(address).value = value & 0xFFFFFFFF


def st64(address: int, value: int) -> None:
    _U64(address).value = value


def memset(address: int, byte: int, length: int) -> None:
    ctypes.memset(address, byte & 0xFF, length)


# comparison and choice: 1 or 0 --------------------------------------------------------------------
def lts(x: int, y: int) -> int:
    return int(signed(x) < signed(y))


def ltu(x: int, y: int) -> int:
    return int(x < y)


def eq(x: int, y: int) -> int:
    return int(x == y)


def select(condition: int, x: int, y: int) -> int:
    return x if condition else y


# integers -----------------------------------------------------------------------------------------
def sext8(x: int) -> int:
    return ((x & 0xFF) ^ 0x80) - 0x80 & MASK


def sext16(x: int) -> int:
    return ((x & 0xFFFF) ^ 0x8000) - 0x8000 & MASK


def sext32(x: int) -> int:
    return ((x & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000 & MASK


def zext32(x: int) -> int:
    return x & 0xFFFFFFFF


def sar(x: int, n: int) -> int:
    return signed(x) >> n & MASK


def ror(x: int, n: int) -> int:
    """Rotate right by n modulo 64."""
    n &= 63
    return (x >> n | x << (64 - n)) & MASK


def ror32(x: int, n: int) -> int:
    """Rotate the low half right by n modulo 32; zero-extended."""
    x, n = x & 0xFFFFFFFF, n & 31
    return (x >> n | x << (32 - n)) & 0xFFFFFFFF


def clz(x: int) -> int:
    return 64 - x.bit_length()


def ctz(x: int) -> int:
    return (x & -x).bit_length() - 1 if x else 64


def popcount(x: int) -> int:
    return x.bit_count()


def bswap(x: int) -> int:
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def mulh(x: int, y: int) -> int:
    return signed(x) * signed(y) >> 64 & MASK


def mulhsu(x: int, y: int) -> int:
    return signed(x) * y >> 64 & MASK


def mulhu(x: int, y: int) -> int:
    return x * y >> 64


def quo(x: int, y: int) -> int:
    return x // y


def rem(x: int, y: int) -> int:
    return x % y


def squo(x: int, y: int) -> int:
    quotient = abs(signed(x)) // abs(signed(y))
    return (-quotient if (x ^ y) >> 63 else quotient) & MASK


def srem(x: int, y: int) -> int:
    remainder = abs(signed(x)) % abs(signed(y))
    return (-remainder if x >> 63 else remainder) & MASK


# floating point on the host, round to nearest even ------------------------------------------------
_Q, _D, _I, _F = (struct.Struct("<" + letter) for letter in "QdIf")
_NAN64, _NAN32 = 0x7FF8000000000000, BOX | 0x7FC00000


def double(x: int) -> float:
    """The number that 64 bits stand for."""
    return float(_D.unpack(_Q.pack(x))[0])


def double_bits(value: float) -> int:
    """The bits of a number."""
    return int(_Q.unpack(_D.pack(value))[0])


def single(x: int) -> float:
    """The number that a NaN-boxed single stands for."""
    return float(_F.unpack(_I.pack(x & 0xFFFFFFFF))[0])


def _boxed(exact: Callable[[], float]) -> int:
    """A double result rounded to single: innocuous for + - × ÷ √ of singles, as 53 ≥ 2·24 + 2."""
    try:
        return BOX | int(_I.unpack(_F.pack(exact()))[0])
    except OverflowError:
        return BOX | (0xFF800000 if exact() < 0 else 0x7F800000)
    except (ValueError, ZeroDivisionError):
        return _NAN32


def addd(x: int, y: int) -> int:
    return double_bits(double(x) + double(y))


def subd(x: int, y: int) -> int:
    return double_bits(double(x) - double(y))


def muld(x: int, y: int) -> int:
    return double_bits(double(x) * double(y))


def divd(x: int, y: int) -> int:
    """x ÷ y; a NaN for division by zero, where the engine never trusts the host anyway."""
    try:
        return double_bits(double(x) / double(y))
    except ZeroDivisionError:
        return _NAN64


def sqrtd(x: int) -> int:
    try:
        return double_bits(math.sqrt(double(x)))
    except ValueError:
        return _NAN64


def fmad(x: int, y: int, z: int) -> int:
    """Never reached: Python before 3.13 has no fused multiply-add, so State.hostfma is 0 here."""
    raise NotImplementedError("CPython has no fused multiply-add")


def adds(x: int, y: int) -> int:
    return _boxed(lambda: single(x) + single(y))


def subs(x: int, y: int) -> int:
    return _boxed(lambda: single(x) - single(y))


def muls(x: int, y: int) -> int:
    return _boxed(lambda: single(x) * single(y))


def divs(x: int, y: int) -> int:
    return _boxed(lambda: single(x) / single(y))


def sqrts(x: int) -> int:
    return _boxed(lambda: math.sqrt(single(x)))


fmas = fmad


def negs(x: int) -> int:
    return x ^ 1 << 31


def negd(x: int) -> int:
    return x ^ 1 << 63


def feqs(x: int, y: int) -> int:
    return int(single(x) == single(y))


def feqd(x: int, y: int) -> int:
    return int(double(x) == double(y))


def flts(x: int, y: int) -> int:
    return int(single(x) < single(y))


def fltd(x: int, y: int) -> int:
    return int(double(x) < double(y))


def fles(x: int, y: int) -> int:
    return int(single(x) <= single(y))


def fled(x: int, y: int) -> int:
    return int(double(x) <= double(y))


def ords(x: int, y: int) -> int:
    """1 when neither is a NaN."""
    return int(not math.isnan(single(x)) and not math.isnan(single(y)))


def ordd(x: int, y: int) -> int:
    return int(not math.isnan(double(x)) and not math.isnan(double(y)))


def cvtsd(x: int) -> int:
    """A boxed single as a double."""
    return double_bits(single(x))


def cvtds(x: int) -> int:
    """A double as a boxed single."""
    return _boxed(lambda: double(x))


def i2s(x: int) -> int:
    """A signed integer as a boxed single: what lies below 32 bits sticks, for the one rounding."""
    magnitude = abs(signed(x))
    below = max(magnitude.bit_length() - 32, 0)
    sticky = magnitude >> below | (magnitude & (1 << below) - 1 != 0)
    return _boxed(lambda: math.copysign(sticky << below, signed(x)))


def i2d(x: int) -> int:
    """A signed integer as a double."""
    return double_bits(float(signed(x)))


def s2i(x: int) -> int:
    """A boxed single, rounded towards zero, as a signed integer that must have room for it."""
    return int(single(x)) & MASK


def d2i(x: int) -> int:
    return int(double(x)) & MASK


# the host ---------------------------------------------------------------------------------------
def host_ticks(clock_id: int, buffer: int) -> int:
    """The host's monotonic clock in ticks of 100 ns; `buffer` is scratch for compiled code."""
    return time.clock_gettime_ns(clock_id) // 100


def enter(record: int, state: int, left: int) -> int:
    """Run the region whose record begins with the address of its code; the budget that is left."""
    kind = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 3)
    return int(kind(ld64(record))(record, state, left))


VOID = frozenset(["st8", "st16", "st32", "st64", "memset"])
"""Words that return nothing."""

WORDS: dict[str, Callable[..., int | None]] = {
    name: word
    for name, word in list(globals().items())
    if callable(word)
    and name.islower()
    and name[0] != "_"
    and name not in ("signed", "double", "double_bits", "single")
}
"""Every word by name; the number of parameters is the number of operands."""
