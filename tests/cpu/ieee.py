"""IEEE 754 as RISC-V uses it, worked out with rational numbers: an oracle that shares nothing with
the engine. `evaluate` answers one instruction on register bits: (result bits, flags raised).
"""

from collections.abc import Callable
from fractions import Fraction
from math import isqrt
from typing import NamedTuple

RNE, RTZ, RDN, RUP, RMM = ROUNDING_MODES = range(5)
NX, UF, OF, DZ, NV = 1, 2, 4, 8, 16
WORD = (1 << 64) - 1


class Format(NamedTuple):
    width: int
    precision: int
    emax: int

    @property
    def emin(self) -> int:
        return 1 - self.emax

    @property
    def infinity(self) -> int:
        return (2 * self.emax + 1) << (self.precision - 1)

    @property
    def nan(self) -> int:
        return self.infinity | 1 << (self.precision - 2)

    @property
    def box(self) -> int:
        return WORD >> self.width << self.width


SINGLE = Format(32, 24, 127)
DOUBLE = Format(64, 53, 1023)


class Number(NamedTuple):
    """kind is "finite", "infinite", "quiet" or "signalling"; the magnitude counts if finite."""

    kind: str
    sign: int = 0
    magnitude: Fraction = Fraction(0)

    @property
    def is_nan(self) -> bool:
        return self.kind in ("quiet", "signalling")

    @property
    def is_zero(self) -> bool:
        return self.kind == "finite" and self.magnitude == 0

    @property
    def value(self) -> Fraction:
        return -self.magnitude if self.sign else self.magnitude

    def negated(self) -> "Number":
        return self._replace(sign=1 - self.sign)


Answer = tuple[int, int]


def unboxed(fmt: Format, register: int) -> int:
    """The format's bits in a register; the canonical NaN if it is not NaN-boxed."""
    return register & ~fmt.box if register & fmt.box == fmt.box else fmt.nan


def read(fmt: Format, register: int) -> Number:
    bits = unboxed(fmt, register)
    sign, magnitude = bits >> (fmt.width - 1), bits & ((1 << (fmt.width - 1)) - 1)
    if magnitude > fmt.infinity:
        return Number("quiet" if magnitude >= fmt.nan else "signalling", sign)
    if magnitude == fmt.infinity:
        return Number("infinite", sign)
    field, fraction = divmod(magnitude, 1 << (fmt.precision - 1))
    if field:
        fraction += 1 << (fmt.precision - 1)
    scale = max(field, 1) - fmt.emax - (fmt.precision - 1)
    return Number("finite", sign, fraction * Fraction(2) ** scale)


def register(fmt: Format, sign: int, magnitude: int) -> int:
    return fmt.box | sign << (fmt.width - 1) | magnitude


def nan(fmt: Format) -> int:
    return register(fmt, 0, fmt.nan)


def to_integer(x: Fraction, sign: int, rm: int) -> int:
    """A magnitude rounded to an integer, where sign is that of the number it belongs to."""
    whole, rest = x.__floor__(), x - x.__floor__()
    half = Fraction(1, 2)
    away = {
        RNE: rest > half or (rest == half and whole % 2 == 1),
        RTZ: False,
        RDN: rest > 0 and sign == 1,
        RUP: rest > 0 and sign == 0,
        RMM: rest >= half,
    }
    return whole + away[rm]


def rounded(fmt: Format, sign: int, magnitude: Fraction, rm: int) -> Answer:
    """A finite, non-zero number in a format, and what rounding raised."""
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if Fraction(2) ** exponent > magnitude:
        exponent -= 1
    unbounded = Fraction(2) ** (exponent - fmt.precision + 1)
    tiny = to_integer(magnitude / unbounded, sign, rm) * unbounded < Fraction(2) ** fmt.emin
    quantum = Fraction(2) ** (max(exponent, fmt.emin) - fmt.precision + 1)
    steps = to_integer(magnitude / quantum, sign, rm)
    if steps * quantum >= Fraction(2) ** (fmt.emax + 1):
        largest = rm == RTZ or rm == (RUP if sign else RDN)
        return register(fmt, sign, fmt.infinity - largest), OF | NX
    flags = 0 if steps * quantum == magnitude else NX | UF * tiny
    # Consecutive floats of one sign have consecutive encodings.
    field = max(exponent, fmt.emin) + fmt.emax - 1
    return register(fmt, sign, (field << (fmt.precision - 1)) + steps), flags


def exact_sum(fmt: Format, x: Number, y: Number, rm: int) -> Answer:
    """Of two finite numbers."""
    total = x.value + y.value
    if total:
        return rounded(fmt, int(total < 0), abs(total), rm)
    return register(fmt, x.sign if x.sign == y.sign else int(rm == RDN), 0), 0


def fused(fmt: Format, x: Number, y: Number, z: Number, rm: int) -> Answer:
    product = Number("finite", x.sign ^ y.sign, x.magnitude * y.magnitude)
    if {x.kind, y.kind} == {"infinite", "finite"} and (x.is_zero or y.is_zero):
        return nan(fmt), NV
    if any(n.is_nan for n in (x, y, z)):
        return nan(fmt), NV * any(n.kind == "signalling" for n in (x, y, z))
    if "infinite" in (x.kind, y.kind):
        if z.kind == "infinite" and z.sign != product.sign:
            return nan(fmt), NV
        return register(fmt, product.sign, fmt.infinity), 0
    if z.kind == "infinite":
        return register(fmt, z.sign, fmt.infinity), 0
    return exact_sum(fmt, product, z, rm)


def add(fmt: Format, x: Number, y: Number, rm: int) -> Answer:
    return fused(fmt, x, Number("finite", 0, Fraction(1)), y, rm)


def multiply(fmt: Format, x: Number, y: Number, rm: int) -> Answer:
    return fused(fmt, x, y, Number("finite", x.sign ^ y.sign), rm)


def divide(fmt: Format, x: Number, y: Number, rm: int) -> Answer:
    sign = x.sign ^ y.sign
    if x.is_nan or y.is_nan:
        return nan(fmt), NV * ("signalling" in (x.kind, y.kind))
    if (x.is_zero and y.is_zero) or x.kind == y.kind == "infinite":
        return nan(fmt), NV
    if x.kind == "infinite":
        return register(fmt, sign, fmt.infinity), 0
    if y.is_zero:
        return register(fmt, sign, fmt.infinity), DZ
    if x.is_zero or y.kind == "infinite":
        return register(fmt, sign, 0), 0
    return rounded(fmt, sign, x.magnitude / y.magnitude, rm)


def square_root(fmt: Format, x: Number, rm: int) -> Answer:
    """Of an inexact root, its first binary places count and that something follows them."""
    if x.kind == "quiet":
        return nan(fmt), 0
    if x.is_zero:
        return register(fmt, x.sign, 0), 0
    if x.kind == "signalling" or x.sign:
        return nan(fmt), NV
    if x.kind == "infinite":
        return register(fmt, 0, fmt.infinity), 0
    places = fmt.emax + 2 * fmt.precision  # the root of the smallest subnormal has enough of them
    root = isqrt(int(x.magnitude * 4**places))
    exact = root * root == x.magnitude * 4**places
    return rounded(fmt, 0, Fraction(2 * root + (not exact), 2 ** (places + 1)), rm)


def inject_sign(fmt: Format, a: int, b: int, sign_of: Callable[[int, int], int]) -> Answer:
    a, b = unboxed(fmt, a), unboxed(fmt, b)
    shift = fmt.width - 1
    return register(fmt, sign_of(a >> shift, b >> shift), a & ((1 << shift) - 1)), 0


def ordered(x: Number) -> tuple[Fraction, int]:
    """Finite and infinite numbers in order, -0 before +0."""
    if x.kind == "infinite":
        return Fraction(2) ** 2000 * (-1 if x.sign else 1), 0
    return x.value, -x.sign


def pick(fmt: Format, a: int, b: int, choose_b: Callable[[Number, Number], bool]) -> Answer:
    x, y = read(fmt, a), read(fmt, b)
    flags = NV * ("signalling" in (x.kind, y.kind))
    if x.is_nan and y.is_nan:
        return nan(fmt), flags
    if x.is_nan or (not y.is_nan and choose_b(x, y)):
        return b, flags
    return a, flags


def compare(
    x: Number, y: Number, holds: Callable[[Fraction, Fraction], bool], quiet: bool
) -> Answer:
    if x.is_nan or y.is_nan:
        return 0, NV * (not quiet or "signalling" in (x.kind, y.kind))
    return int(holds(ordered(x)[0], ordered(y)[0])), 0


def classify(fmt: Format, x: Number) -> int:
    if x.is_nan:
        return 1 << (9 if x.kind == "quiet" else 8)
    if x.kind == "infinite":
        distance = 3
    elif x.is_zero:
        distance = 0
    else:
        distance = 1 if x.magnitude < Fraction(2) ** fmt.emin else 2
    return 1 << (3 - distance if x.sign else 4 + distance)


def float_to_integer(x: Number, bits: int, signed: bool, rm: int) -> Answer:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    flags = 0
    if x.is_nan or x.kind == "infinite":
        value, flags = low if x.sign and not x.is_nan else high, NV
    else:
        magnitude = to_integer(x.magnitude, x.sign, rm)
        value = -magnitude if x.sign else magnitude
        if not low <= value <= high:
            value, flags = max(low, min(value, high)), NV
        elif magnitude != x.magnitude:
            flags = NX
    if bits == 32 and value >> 31 & 1:
        value -= 1 << 32 if value > 0 else 0
    return value & WORD, flags


def integer_to_float(fmt: Format, a: int, bits: int, signed: bool, rm: int) -> Answer:
    value = a & ((1 << bits) - 1)
    if signed and value >> (bits - 1):
        value -= 1 << bits
    if value == 0:
        return register(fmt, 0, 0), 0
    return rounded(fmt, int(value < 0), Fraction(abs(value)), rm)


def convert(source: Format, fmt: Format, a: int, rm: int) -> Answer:
    x = read(source, a)
    if x.is_nan:
        return nan(fmt), NV * (x.kind == "signalling")
    if x.kind == "infinite":
        return register(fmt, x.sign, fmt.infinity), 0
    if x.is_zero:
        return register(fmt, x.sign, 0), 0
    return rounded(fmt, x.sign, x.magnitude, rm)


FORMATS = {"s": SINGLE, "d": DOUBLE}
INTEGERS = {"w": (32, True), "wu": (32, False), "l": (64, True), "lu": (64, False)}


MOVED = {"w": FORMATS["s"], "d": FORMATS["d"]}


def move(target: str, source: str, a: int) -> Answer:
    """fmv: bits, sign-extended into an integer register and boxed into a floating one."""
    if target != "x":
        return a | MOVED[target].box, 0
    fmt = MOVED[source]
    sign = a >> (fmt.width - 1) & 1
    return a & ~fmt.box | fmt.box * sign, 0


def change_type(target: str, source: str, a: int, rm: int) -> Answer:
    """fcvt from one of s, d, w, wu, l, lu to another."""
    if target in INTEGERS:
        return float_to_integer(read(FORMATS[source], a), *INTEGERS[target], rm)
    if source in INTEGERS:
        return integer_to_float(FORMATS[target], a, *INTEGERS[source], rm)
    return convert(FORMATS[source], FORMATS[target], a, rm)


def evaluate(mnemonic: str, a: int, b: int, c: int, rm: int) -> Answer:
    """What an instruction does to operands in registers, rounding by rm."""
    operation, *types = mnemonic.split(".")
    if operation == "fcvt":
        return change_type(types[0], types[1], a, rm)
    if operation == "fmv":
        return move(types[0], types[1], a)
    fmt = FORMATS[types[0]]
    x, y, z = read(fmt, a), read(fmt, b), read(fmt, c)
    evaluations: dict[str, Callable[[], Answer]] = {
        "fmadd": lambda: fused(fmt, x, y, z, rm),
        "fmsub": lambda: fused(fmt, x, y, z.negated(), rm),
        "fnmsub": lambda: fused(fmt, x.negated(), y, z, rm),
        "fnmadd": lambda: fused(fmt, x.negated(), y, z.negated(), rm),
        "fadd": lambda: add(fmt, x, y, rm),
        "fsub": lambda: add(fmt, x, y.negated(), rm),
        "fmul": lambda: multiply(fmt, x, y, rm),
        "fdiv": lambda: divide(fmt, x, y, rm),
        "fsqrt": lambda: square_root(fmt, x, rm),
        "fsgnj": lambda: inject_sign(fmt, a, b, lambda s, t: t),
        "fsgnjn": lambda: inject_sign(fmt, a, b, lambda s, t: 1 - t),
        "fsgnjx": lambda: inject_sign(fmt, a, b, lambda s, t: s ^ t),
        "fmin": lambda: pick(fmt, a, b, lambda s, t: ordered(t) < ordered(s)),
        "fmax": lambda: pick(fmt, a, b, lambda s, t: ordered(t) > ordered(s)),
        "feq": lambda: compare(x, y, lambda s, t: s == t, quiet=True),
        "flt": lambda: compare(x, y, lambda s, t: s < t, quiet=False),
        "fle": lambda: compare(x, y, lambda s, t: s <= t, quiet=False),
        "fclass": lambda: (classify(fmt, x), 0),
    }
    return evaluations[operation]()
