"""What floating point does besides arithmetic passes through here: conversions, comparisons, moves.

`float_instruction` is the door to all of it.
"""

SIGNED_32 = 0  # integer types, as FCVT_W .. FCVT_LU and FCVT_F_W .. FCVT_F_LU count them
UNSIGNED_32 = 1
SIGNED_64 = 2
UNSIGNED_64 = 3
ALL_ONES_32 = 0xFFFFFFFF

# What fclass answers for positive numbers, as bit numbers; negative ones mirror them [unpriv 20.9].
CLASS_ZERO = 4
CLASS_SUBNORMAL = 5
CLASS_NORMAL = 6
CLASS_INFINITE = 7
CLASS_SIGNALLING = 8
CLASS_QUIET = 9


def float_instruction(S, fn, fmt, a, b, c, rm):
    """The result bits of instruction fn; its flags are added to S.fflags.

    fmt is the format of the floating operands (of the result, for conversions to it), rm a resolved
    rounding mode, 0 to 4. Operands that the instruction does not have may hold anything.
    """
    if fn <= FSQRT:
        return float_arithmetic(S, fn, fmt, a, b, c, rm)
    if fn <= FSGNJX:
        return inject_sign(fn, unboxed(a, fmt), unboxed(b, fmt), sign_bit(fmt))
    if fn <= FMAX:
        return minimum_or_maximum(S, fn, a, b, fmt)
    if fn <= FLE:
        return compare_floats(S, fn, a, b, fmt)
    if fn == FCLASS:
        return classify(a, fmt)
    if fn <= FCVT_LU:
        return to_integer(S, a, fn - FCVT_W, fmt, rm)
    if fn <= FCVT_F_LU:
        return from_integer(S, a, fn - FCVT_F_W, fmt, rm)
    if fn == FMV_X:
        return select(fmt, a, sext32(a))
    if fn == FMV_F:
        return select(fmt, a, BOX | a)
    return from_other_format(S, a, fmt, rm)


def inject_sign(fn, a, b, sign):
    """FSGNJ, FSGNJN, FSGNJX: a with the sign of b, its opposite, or both signs' product."""
    if fn == FSGNJX:
        return a ^ b & sign
    if fn == FSGNJN:
        b = ~b
    return a & ~sign | b & sign


def order_key(x, fmt):
    return select(fmt, orderd(x), orders(x))


def minimum_or_maximum(S, fn, a, b, fmt):
    """FMIN and FMAX: minimumNumber and maximumNumber of IEEE 754-2019, where -0 < +0."""
    a_kind = kind_of(a, fmt)
    b_kind = kind_of(b, fmt)
    if a_kind == SIGNALLING or b_kind == SIGNALLING:
        S.fflags |= NV
    if a_kind >= QUIET and b_kind >= QUIET:
        return canonical_nan(fmt)
    if a_kind >= QUIET:
        return b
    if b_kind >= QUIET:
        return a
    less = lts(order_key(a, fmt), order_key(b, fmt))
    return select(less ^ eq(fn, FMAX), a, b)


def compare_floats(S, fn, a, b, fmt):
    """FEQ (quiet), FLT and FLE (signalling) [unpriv 20.8]."""
    a_kind = kind_of(a, fmt)
    b_kind = kind_of(b, fmt)
    if a_kind >= QUIET or b_kind >= QUIET:
        if fn != FEQ or a_kind == SIGNALLING or b_kind == SIGNALLING:
            S.fflags |= NV
        return 0
    equal = eq(a, b) | (eq(a_kind, ZERO) & eq(b_kind, ZERO))
    less = lts(order_key(a, fmt), order_key(b, fmt))
    if fn == FEQ:
        return equal
    if fn == FLT:
        return less & (equal ^ 1)
    return less | equal


def classify(a, fmt):
    kind, sign, exponent, _significand = decode_float(a, fmt)
    if kind == SIGNALLING:
        return 1 << CLASS_SIGNALLING
    if kind == QUIET:
        return 1 << CLASS_QUIET
    bit = select(lts(exponent, 1 - bias(fmt)), CLASS_SUBNORMAL, CLASS_NORMAL)
    if kind == ZERO:
        bit = CLASS_ZERO
    elif kind == INFINITE:
        bit = CLASS_INFINITE
    return 1 << select(sign, CLASS_INFINITE - bit, bit)


def to_integer(S, a, target, fmt, rm):
    """Round to an integer of the type; out of its range is invalid and saturates [unpriv 20.7].

    NaN counts as +infinity. 32-bit results are sign-extended, unsigned ones too.
    """
    kind, sign, exponent, significand = decode_float(a, fmt)
    if kind >= QUIET:
        sign = 0
    widest = select(target >> 1, ~0, ALL_ONES_32)
    limit = select(target & 1, select(sign, 0, widest), (widest >> 1) + sign)
    magnitude = 0
    rest = 0
    if kind == FINITE and lts(exponent, 64):
        magnitude, rest = split_at_the_point(exponent, significand)
        magnitude += rounds_away(rest, TOP, magnitude & 1, sign, rm)
    if magnitude > limit or kind >= INFINITE or (kind == FINITE and not lts(exponent, 64)):
        S.fflags |= NV
        magnitude = limit
    elif rest != 0:
        S.fflags |= NX
    value = select(sign, 0 - magnitude, magnitude)
    return select(target >> 1, value, sext32(value))


def split_at_the_point(exponent, significand):
    """(integer, fraction in units of 2**-64, its last bit sticky) of a number below 2**64."""
    if lts(exponent, 0):
        if exponent == ~0:
            return 0, significand
        return 0, shift_right_sticky(significand, ~exponent)
    if exponent == 63:
        return significand, 0
    return significand >> (63 - exponent), significand << (exponent + 1)


def from_integer(S, a, target, fmt, rm):
    if target == SIGNED_32:
        a = sext32(a)
    elif target == UNSIGNED_32:
        a = zext32(a)
    sign = a >> 63 & ~target  # the types' numbers are odd for unsigned ones
    if a == 0:
        return signed_zero(0, fmt)
    if sign:
        a = 0 - a
    zeros = clz(a)
    return encode_float(S, sign, 63 - zeros, a << zeros, fmt, rm)


def from_other_format(S, a, fmt, rm):
    """FCVT.D.S and FCVT.S.D."""
    kind, sign, exponent, significand = decode_float(a, fmt ^ 1)
    if kind == SIGNALLING:
        return invalid_operation(S, fmt)
    if kind == QUIET:
        return canonical_nan(fmt)
    if kind == INFINITE:
        return signed_infinity(sign, fmt)
    if kind == ZERO:
        return signed_zero(sign, fmt)
    return encode_float(S, sign, exponent, significand, fmt, rm)
