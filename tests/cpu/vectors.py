"""Operands that make trouble for floating point, as registers hold them."""

from fractions import Fraction
from random import Random

from ieee import FORMATS, INTEGERS, SINGLE, WORD, Format, evaluate, register, rounded

FUSED = ("fmadd", "fmsub", "fnmsub", "fnmadd")


def corners(fmt: Format) -> list[int]:
    """Magnitudes at and next to every border of a format."""
    one = fmt.emax << (fmt.precision - 1)
    normal = 1 << (fmt.precision - 1)
    borders = (0, normal, one, fmt.infinity, fmt.nan, (1 << (fmt.width - 1)) - 1)
    return sorted({border + step for border in borders for step in (-1, 0, 1)} - {-1, fmt.box})


def magnitude(random: Random, fmt: Format) -> int:
    """Corners, random bits, and fractions (long, short) near the exponents where things happen."""
    fraction = random.getrandbits(fmt.precision - 1)
    if random.random() < 0.4:
        fraction &= -1 << random.randrange(fmt.precision)
    exponent = random.choice(
        (
            fmt.emax + random.randrange(-3, 4),
            random.randrange(3),
            random.randrange(fmt.precision),
            2 * fmt.emax - random.randrange(fmt.precision),
            fmt.emax // 2 + random.randrange(-fmt.precision, fmt.precision),
            random.randrange(2 * fmt.emax + 1),
        )
    )
    if random.random() < 0.1:
        return random.choice(corners(fmt)) & ((1 << (fmt.width - 1)) - 1)
    return exponent << (fmt.precision - 1) | fraction


def operand(random: Random, fmt: Format) -> int:
    """A number of a format; now and then a single that is not NaN-boxed."""
    if fmt is SINGLE and random.random() < 0.02:
        return random.getrandbits(64)
    return register(fmt, random.getrandbits(1), magnitude(random, fmt))


def integer(random: Random) -> int:
    """Of any length and either sign."""
    return random.choice((1, -1)) * (random.getrandbits(64) >> random.randrange(64)) & WORD


def near_integer_limits(random: Random, fmt: Format) -> int:
    """Halves around 0 and the limits of the integer types, as exactly as the format has them."""
    limit = random.choice((0, 1 << 31, 1 << 32, 1 << 63, 1 << 64))
    value = random.choice((1, -1)) * Fraction(limit * 4 + random.randrange(-9, 10), 4)
    if value == 0:
        return register(fmt, 0, 0)
    return rounded(fmt, int(value < 0), abs(value), random.randrange(5))[0]


def special(random: Random, fmt: Format) -> int:
    """Zeros, ones, infinities and NaNs, to meet each other."""
    one = fmt.emax << (fmt.precision - 1)
    choice = random.choice((0, 0, one, fmt.infinity, fmt.infinity + 1, fmt.nan))
    return register(fmt, random.getrandbits(1), choice)


def near(random: Random, fmt: Format, bits: int) -> int:
    """A register at most two encodings away."""
    return bits & fmt.box | bits + random.randrange(-2, 3) & ~fmt.box & WORD


def operands(random: Random, mnemonic: str) -> tuple[int, int, int]:
    """Three registers for an instruction; what it does not read is random."""
    operation, *types = mnemonic.split(".")
    source = "s" if mnemonic == "fmv.x.w" else types[-1]
    if source in INTEGERS or source == "x":
        return integer(random), random.getrandbits(64), random.getrandbits(64)
    fmt = FORMATS[source]
    if random.random() < 0.1:
        return special(random, fmt), special(random, fmt), special(random, fmt)
    a, b, c = (operand(random, fmt) for _ in range(3))
    if random.random() < 0.6:
        return a, b, c
    sign = random.getrandbits(1) << (fmt.width - 1)
    if operation in FUSED and random.random() < 0.7:
        # so that most of the product, or all of it, is cancelled
        product, _ = evaluate(f"fmul.{source}", a, b, 0, random.randrange(5))
        return a, b, near(random, fmt, product ^ sign)
    if operation in ("fmul", "fdiv", *FUSED):
        # so that the result is at a border, the smallest normal number for one
        border = register(fmt, 0, random.choice(corners(fmt)))
        other = "fdiv" if operation != "fdiv" else "fmul"
        factor, _ = evaluate(f"{other}.{source}", border, b, 0, random.randrange(5))
        return near(random, fmt, factor), b, register(fmt, random.getrandbits(1), 0)
    if operation in ("fadd", "fsub", "feq", "fle", "flt"):
        return a, a ^ sign, c
    if operation == "fcvt" and types[0] in INTEGERS:
        return near_integer_limits(random, fmt), b, c
    if operation == "fsqrt":
        return a, 0, 0  # must not make it an operation on zero
    return a, b, c
