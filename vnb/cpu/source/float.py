"""Every floating-point instruction passes through here and leaves with its exact value and flags.

A number on its way is four words, (kind, sign, exponent, significand): a finite one is worth
significand / 2**63 * 2**exponent, and bit 63 of its significand is set. Arithmetic keeps 128 bits
and lets everything below them stick in the last bit, so that the one rounding, in `encode_float`,
sees all that the infinitely precise result would show it. [unpriv 20] is F, [unpriv 21] is D.
"""

# The instructions, numbered as in the table of isa.py; each exists for both formats.
FMADD = 0
FMSUB = 1
FNMSUB = 2
FNMADD = 3
FADD = 4
FSUB = 5
FMUL = 6
FDIV = 7
FSQRT = 8
FSGNJ = 9
FSGNJN = 10
FSGNJX = 11
FMIN = 12
FMAX = 13
FEQ = 14
FLT = 15
FLE = 16
FCLASS = 17
FCVT_W = 18
FCVT_WU = 19
FCVT_L = 20
FCVT_LU = 21
FCVT_F_W = 22
FCVT_F_WU = 23
FCVT_F_L = 24
FCVT_F_LU = 25
FMV_X = 26
FMV_F = 27
FCVT_F_F = 28

# The formats.
SINGLE = 0
DOUBLE = 1

# The rounding modes [unpriv 20.2].
RNE = 0  # to nearest, ties to even
RTZ = 1  # towards zero
RDN = 2  # down, towards -infinity
RUP = 3  # up, towards +infinity
RMM = 4  # to nearest, ties away from zero

# The flags of fcsr [unpriv 20.2].
NX = 1  # inexact
UF = 2  # underflow: inexact, and tiny after rounding
OF = 4  # overflow
DZ = 8  # division of a finite number by zero
NV = 16  # invalid operation

# The kinds of number; from QUIET on they are not numbers.
ZERO = 0
FINITE = 1
INFINITE = 2
QUIET = 3
SIGNALLING = 4

TOP = 0x8000000000000000
NAN_DOUBLE = 0x7FF8000000000000  # the canonical NaNs [unpriv 20.3]
NAN_SINGLE = 0xFFFFFFFF7FC00000
ONE_DOUBLE = 0x3FF0000000000000
ONE_SINGLE = 0xFFFFFFFF3F800000
QUOTIENT_BITS = 58  # what `divide_floats` and `square_root` find: 53 for the result, 5 to round it


# ---- a register's bits and the number they stand for


def fraction_bits(fmt):
    return select(fmt, 52, 23)


def exponent_bits(fmt):
    return select(fmt, 11, 8)


def bias(fmt):
    return select(fmt, 1023, 127)


def sign_bit(fmt):
    return select(fmt, TOP, SIGN_SINGLE)


def canonical_nan(fmt):
    return select(fmt, NAN_DOUBLE, NAN_SINGLE)


def assemble(sign, magnitude, fmt):
    """The register that holds a sign and the format's other bits."""
    return select(fmt, sign << 63 | magnitude, BOX | sign << 31 | magnitude)


def signed_zero(sign, fmt):
    return assemble(sign, 0, fmt)


def signed_infinity(sign, fmt):
    return assemble(sign, (bias(fmt) << 1 | 1) << fraction_bits(fmt), fmt)


def invalid_operation(S, fmt):
    """The result of an operation that has none."""
    S.fflags |= NV
    return canonical_nan(fmt)


def unboxed(x, fmt):
    """The operand itself; a single that is not boxed reads as the canonical NaN [unpriv 21.2]."""
    if fmt == SINGLE and x < BOX:
        return NAN_SINGLE
    return x


def decode_float(x, fmt):
    """(kind, sign, exponent, significand) of a register; subnormals come out normalised."""
    x = unboxed(x, fmt)
    if fmt == SINGLE:
        x = x << 32
    width = exponent_bits(fmt)
    sign = x >> 63
    field = x << 1 >> (64 - width)
    fraction = x << 1 << width
    if field == bias(fmt) << 1 | 1:
        if fraction == 0:
            return INFINITE, sign, 0, 0
        return select(fraction >> 63, QUIET, SIGNALLING), sign, 0, 0
    if field == 0:
        if fraction == 0:
            return ZERO, sign, 0, 0
        zeros = clz(fraction)
        return FINITE, sign, 0 - bias(fmt) - zeros, fraction << zeros
    return FINITE, sign, field - bias(fmt), TOP | fraction >> 1


def kind_of(x, fmt):
    kind, _sign, _exponent, _significand = decode_float(x, fmt)
    return kind


def nonzero(x):
    return eq(x, 0) ^ 1


def rounds_away(rest, half, odd, sign, rm):
    """1 if dropping `rest`, where `half` is half a unit of what is kept, steps away from zero."""
    if rm == RNE:
        return ltu(half, rest) | (eq(half, rest) & odd)
    if rm == RTZ:
        return 0
    if rm == RDN:
        return nonzero(rest) & sign
    if rm == RUP:
        return nonzero(rest) & (sign ^ 1)
    return ltu(rest, half) ^ 1


def encode_float(S, sign, exponent, significand, fmt, rm):
    """Round a finite number (bit 0 of its significand is sticky) into a register, with its flags.

    A result is tiny if it would still lie below the normal numbers when rounded with an unbounded
    exponent [unpriv 20.2]; tiny and inexact is underflow.
    """
    dropped = 63 - fraction_bits(fmt)
    half = 1 << (dropped - 1)
    below = (1 << dropped) - 1
    smallest = 1 - bias(fmt)
    tiny = 0
    if lts(exponent, smallest):
        tiny = 1
        if exponent == smallest - 1:
            kept = significand >> dropped
            kept += rounds_away(significand & below, half, kept & 1, sign, rm)
            # Rounded up to the next power of two, it is the smallest normal number.
            tiny = kept >> (64 - dropped) ^ 1
        significand = shift_right_sticky(significand, smallest - exponent)
        exponent = smallest
    rest = significand & below
    kept = significand >> dropped
    kept += rounds_away(rest, half, kept & 1, sign, rm)
    if rest != 0:
        S.fflags |= NX | tiny * UF
    # Added, not joined: the significand's top bit, or a carry out of it, raises the exponent field.
    magnitude = ((exponent + bias(fmt) - 1) << fraction_bits(fmt)) + kept
    largest = bias(fmt) << 1
    if magnitude >> fraction_bits(fmt) > largest:
        S.fflags |= OF | NX
        magnitude = (largest + 1) << fraction_bits(fmt)
        if rm == RTZ or (rm == RDN and sign == 0) or (rm == RUP and sign == 1):
            magnitude -= 1
    return assemble(sign, magnitude, fmt)


def shift_right_sticky(x, distance):
    """x >> distance (any, from 1 up); bits that fall off stick in bit 0."""
    if distance > 63:
        return nonzero(x)
    return x >> distance | nonzero(x << (64 - distance))


# ---- arithmetic


def float_arithmetic(S, fn, fmt, a, b, c, rm):
    """FMADD to FSQRT [unpriv 20.6]: on the host where that gives exact flags, or here."""
    if fn < FADD:
        if fn >= FNMSUB:
            a = a ^ sign_bit(fmt)
        if fn & 1 != 0:  # FMSUB and FNMADD
            c = c ^ sign_bit(fmt)
        fn = FMADD
    elif fn == FSUB:
        b = b ^ sign_bit(fmt)
        fn = FADD
    if rm == RNE:
        known, result = host_result(S, fn, fmt, a, b, c)
        if known:
            return result
    S.n_float_soft += 1
    if fn == FDIV:
        return divide_floats(S, a, b, fmt, rm)
    if fn == FSQRT:
        return square_root(S, a, fmt, rm)
    if fn == FADD:
        c = b
        b = select(fmt, ONE_DOUBLE, ONE_SINGLE)
    elif fn == FMUL:
        # A zero of the product's own sign leaves every product as it is, -0 included.
        c = (a ^ b) & sign_bit(fmt) | signed_zero(0, fmt)
    return fused(S, a, b, c, fmt, rm)


def fused(S, a, b, c, fmt, rm):
    """a * b + c, rounded once. Infinity times zero is invalid even if c is a quiet NaN."""
    a_kind, a_sign, a_exponent, a_significand = decode_float(a, fmt)
    b_kind, b_sign, b_exponent, b_significand = decode_float(b, fmt)
    c_kind, c_sign, c_exponent, c_significand = decode_float(c, fmt)
    sign = a_sign ^ b_sign
    if a_kind == SIGNALLING or b_kind == SIGNALLING or c_kind == SIGNALLING:
        return invalid_operation(S, fmt)
    if (a_kind == INFINITE and b_kind == ZERO) or (a_kind == ZERO and b_kind == INFINITE):
        return invalid_operation(S, fmt)
    if a_kind == QUIET or b_kind == QUIET or c_kind == QUIET:
        return canonical_nan(fmt)
    if a_kind == INFINITE or b_kind == INFINITE:
        if c_kind == INFINITE and c_sign != sign:
            return invalid_operation(S, fmt)
        return signed_infinity(sign, fmt)
    if c_kind == INFINITE:
        return signed_infinity(c_sign, fmt)
    if a_kind == ZERO or b_kind == ZERO:
        if c_kind == FINITE:
            return unboxed(c, fmt)
        return signed_zero(select(eq(sign, c_sign), sign, eq(rm, RDN)), fmt)
    exponent = a_exponent + b_exponent + 1
    high = mulhu(a_significand, b_significand)
    low = a_significand * b_significand
    if high < TOP:
        exponent -= 1
        high = high << 1 | low >> 63
        low = low << 1
    if c_kind == ZERO:
        return encode_float(S, sign, exponent, high | nonzero(low), fmt, rm)
    if lts(exponent, c_exponent) or (exponent == c_exponent and high < c_significand):
        distance = c_exponent - exponent
        high, low = shift_wide_right_sticky(high, low, distance)
        return add_smaller(S, c_sign, c_exponent, c_significand, 0, sign, high, low, fmt, rm)
    distance = exponent - c_exponent
    c_high, c_low = shift_wide_right_sticky(c_significand, 0, distance)
    return add_smaller(S, sign, exponent, high, low, c_sign, c_high, c_low, fmt, rm)


def shift_wide_right_sticky(high, low, distance):
    """(high, low) >> distance; bits that fall off stick in bit 0 of low."""
    if distance == 0:
        return high, low
    if distance < 64:
        return high >> distance, high << (64 - distance) | shift_right_sticky(low, distance)
    if distance == 64:
        return 0, high | nonzero(low)
    return 0, shift_right_sticky(high, distance - 64) | nonzero(low)


def add_smaller(S, sign, exponent, high, low, small_sign, small_high, small_low, fmt, rm):
    """The sum of a normalised 128-bit number and one, aligned to it, that is no larger."""
    if sign == small_sign:
        low += small_low
        carry = ltu(low, small_low)
        # This never wraps: one of the two is an operand, whose significand ends in zeros.
        addend = small_high + carry
        high += addend
        if high < addend:
            low = high << 63 | low >> 1 | low & 1
            high = TOP | high >> 1
            exponent += 1
        return encode_float(S, sign, exponent, high | nonzero(low), fmt, rm)
    borrow = ltu(low, small_low)
    low -= small_low
    high -= small_high + borrow
    if high == 0:
        if low == 0:
            return signed_zero(eq(rm, RDN), fmt)
        high = low
        low = 0
        exponent -= 64
    zeros = clz(high)
    if zeros != 0:
        high = high << zeros | low >> (64 - zeros)
        low = low << zeros
        exponent -= zeros
    return encode_float(S, sign, exponent, high | nonzero(low), fmt, rm)


def divide_floats(S, a, b, fmt, rm):
    """a / b: one quotient bit a round, the remainder sticks."""
    a_kind, a_sign, a_exponent, remainder = decode_float(a, fmt)
    b_kind, b_sign, b_exponent, divisor = decode_float(b, fmt)
    sign = a_sign ^ b_sign
    if a_kind == SIGNALLING or b_kind == SIGNALLING:
        return invalid_operation(S, fmt)
    if a_kind == QUIET or b_kind == QUIET:
        return canonical_nan(fmt)
    if a_kind == b_kind and a_kind != FINITE:  # 0 / 0 and infinity / infinity
        return invalid_operation(S, fmt)
    if a_kind == INFINITE:
        return signed_infinity(sign, fmt)
    if a_kind == ZERO or b_kind == INFINITE:
        return signed_zero(sign, fmt)
    if b_kind == ZERO:
        S.fflags |= DZ
        return signed_infinity(sign, fmt)
    # 53 bits each, so that the remainder can be doubled.
    remainder = remainder >> 11
    divisor = divisor >> 11
    quotient = 0
    bit = 0
    while bit < QUOTIENT_BITS:
        quotient = quotient << 1
        if remainder >= divisor:
            remainder -= divisor
            quotient |= 1
        remainder = remainder << 1
        bit += 1
    exponent = a_exponent - b_exponent
    quotient = quotient << (64 - QUOTIENT_BITS)
    if quotient < TOP:
        quotient = quotient << 1
        exponent -= 1
    return encode_float(S, sign, exponent, quotient | nonzero(remainder), fmt, rm)


def square_root(S, a, fmt, rm):
    """The root of a: one root bit a round from two bits of a, the remainder sticks."""
    kind, sign, exponent, significand = decode_float(a, fmt)
    if kind == QUIET:
        return canonical_nan(fmt)
    if kind == ZERO:
        return a
    if kind == SIGNALLING or sign == 1:
        return invalid_operation(S, fmt)
    if kind == INFINITE:
        return a
    # Halving the exponent needs it even: the significand, in units of 2**62, is 1 to 4 then.
    if exponent & 1 == 0:
        significand = significand >> 1
    root = 0
    remainder = 0
    bit = 0
    while bit < QUOTIENT_BITS:
        remainder = remainder << 2 | significand >> 62
        significand = significand << 2
        trial = root << 2 | 1
        root = root << 1
        if remainder >= trial:
            remainder -= trial
            root |= 1
        bit += 1
    root = root << (64 - QUOTIENT_BITS)
    return encode_float(S, 0, sar(exponent, 1), root | nonzero(remainder), fmt, rm)
